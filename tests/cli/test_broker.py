"""The mosquitto of demo and tests: what its files say, and what happens when it will not start."""

import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from base.errors import EnvironmentProblem
from base.mqtt import Message, NotTaken
from cli.broker import Broker, access_list, configuration
from tests.brokers import GATEWAY, Loop, Site

Port = Callable[[], int]


@pytest.fixture
def site(tmp_path: Path, free_port: Port) -> Iterator[Site]:
    made = Site(tmp_path, free_port())
    yield made
    made.broker.stop()


def test_two_pattern_lines_are_all_that_devices_need() -> None:
    assert access_list([]).splitlines() == [
        "pattern write ws/v1/%u/u/#",
        "pattern read ws/v1/%u/d/#",
        "pattern read ws/v1/_all/d/#",
    ]
    assert access_list(["gateway_1"]).splitlines()[3:] == [
        "",
        "user gateway_1",
        "topic read ws/v1/+/u/#",
        "topic write ws/v1/+/d/#",
        "topic write ws/v1/_all/d/#",
    ]


def test_the_configuration_asks_for_everything_that_matters(site: Site) -> None:
    text = configuration(site.broker.settings)
    for line in (
        f"listener {site.broker.port} 127.0.0.1",
        "allow_anonymous false",
        "require_certificate true",
        "use_identity_as_username true",
        "use_username_as_clientid true",
        "tls_version tlsv1.3",
        "set_tcp_nodelay true",
        "persistence false",
        "max_packet_size 131072",
    ):
        assert line in text.splitlines()


def test_it_is_reached_from_this_machine_only(site: Site) -> None:
    site.broker.start()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing; only asks which address would be used
        own = probe.getsockname()[0]
    if own.startswith("127."):
        pytest.skip("this machine has no other address")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((own, site.broker.port), timeout=2)


def test_a_broker_that_cannot_start_says_why(site: Site, tmp_path: Path) -> None:
    files = replace(site.broker.settings.files, key=tmp_path / "missing.key")
    broker = Broker(replace(site.broker.settings, files=files))
    with pytest.raises(EnvironmentProblem, match=r"it said: .*Error: Unable to load server key"):
        broker.start()


def test_a_machine_without_mosquitto_says_how_to_get_it(site: Site) -> None:
    broker = Broker(site.broker.settings, program="no-such-mosquitto")
    with pytest.raises(EnvironmentProblem, match="is not installed: apt install mosquitto"):
        broker.start()


def test_a_port_is_chosen_when_none_is_given(site: Site) -> None:
    broker = Broker(replace(site.broker.settings, port=0))
    assert broker.port > 1023
    with broker:
        socket.create_connection(("127.0.0.1", broker.port), timeout=2).close()
        broker.stop()
        broker.stop()  # harmless


@pytest.mark.parametrize(("folder", "kept"), [(None, 0), ("kept", 1)])
def test_what_is_retained_outlives_it_only_with_a_folder_to_keep_it(
    tmp_path: Path, free_port: Port, folder: str | None, kept: int
) -> None:
    site = Site(tmp_path, free_port(), keep=tmp_path / folder if folder else None)
    loop = Loop()
    site.broker.start()
    device = loop.add(site.settings("bed-1"))
    loop.online()
    device.publish("ws/v1/bed-1/u/state", b"here", retain=True)
    loop.first("bed-1", NotTaken)  # nobody is there to hear it; it is retained all the same
    site.broker.stop()
    site.broker.start()
    hospital = loop.add(
        site.settings(GATEWAY), subscriptions=["ws/v1/+/u/#", f"ws/v1/{GATEWAY}/d/#"]
    )
    loop.online(GATEWAY)
    hospital.publish(f"ws/v1/{GATEWAY}/d/up", b"mark")
    heard = loop.events[GATEWAY]
    loop.until(
        lambda: [m for m in heard if isinstance(m, Message) and not m.retained],
        10,
        "the mark behind whatever was retained",
    )
    assert len([m for m in heard if isinstance(m, Message) and m.retained]) == kept
    loop.close()
    site.broker.stop()
