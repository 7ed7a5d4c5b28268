"""Receivers that fail, gateways that die, settings that are wrong: nothing is lost."""

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from base.errors import ConfigError
from tests.gateway.bedside import Device, jpeg
from tests.gateway.hospital import Hospital
from tests.gateway.running import Running
from tests.gateway.webhooks.receiver import FAULTS, Receiver
from tests.gateway.webhooks.telling import arrived, settings, told
from tests.waiting import until
from wire.messages import Status


@pytest.mark.parametrize("fault", FAULTS)
def test_P5_a_receiver_that_fails_is_told_again_under_the_same_id(
    telling: Hospital, receiver: Receiver, device: Device, fault: str
) -> None:
    receiver.faults.append(fault)
    photo = device.photo()
    telling.receive(device, photo)
    told(telling, receiver, photo, "photo.filed")
    arrived(telling)
    kept = fault not in ("error", "refused", "redirect")
    assert [id_ for id_, _ in receiver.got] == [receiver.got[0][0]] * (2 if kept else 1)
    assert len({body for _, body in receiver.raw}) == 1, "byte for byte the same"
    assert receiver.paths == ["POST /hook", "POST /hook"], "no redirect is followed"


def test_a_receiver_that_is_away_is_told_everything_when_it_is_back(
    telling: Hospital, receiver: Receiver, device: Device
) -> None:
    receiver.away = True
    photos = [device.photo(jpeg(seed=n)) for n in range(3)]
    for photo in photos:
        assert telling.receive(device, photo).status is Status.FILED
    telling.until(lambda: receiver.paths, 20, "an attempt")
    receiver.away = False
    telling.reopen()
    for photo in photos:
        told(telling, receiver, photo, "photo.filed")
    arrived(telling)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"url": "http://integration.example/x"}, "webhook.url: must be https://"),
        ({"url": "https://u:p@integration.example/x"}, "webhook.url: must not hold a password"),
        ({"events": []}, "webhook.events: name each event once, and at least one"),
        ({"events": ["filed", "filed"]}, "webhook.events: name each event once"),
        ({"events": ["eaten"]}, "must be one of"),
        ({"secret": "/nowhere"}, "webhook.secret: cannot read /nowhere"),
        ({"required": True}, "unknown setting"),
    ],
)
def test_wrong_settings_are_named(
    tmp_path: Path, receiver: Receiver, changes: dict[str, Any], words: str
) -> None:
    hospital = Hospital(tmp_path)
    hospital.write_config(settings(tmp_path, receiver, **changes))
    with pytest.raises(ConfigError) as caught:
        hospital.open()
    hospital.close()
    assert words in str(caught.value).replace("webhook[0]", "webhook")


@pytest.mark.journey
def test_P5_a_gateway_that_dies_while_it_tells_tells_again(
    running: Running, receiver: Receiver
) -> None:
    hospital = running.hospital
    hospital.write_config(
        {
            "broker": {"host": "127.0.0.1", "port": running._port},
            **settings(hospital.folder, receiver),
        }
    )
    photo = running.device.photo()
    with running.gateway() as process:
        receiver.on_request = lambda: os.kill(process.pid, signal.SIGKILL)
        running.send(photo, unless=lambda: process.poll() is not None)
        until(lambda: died(process), 20, "the end")
    receiver.on_request = None
    hospital.change("update webhook_outbox set due_ms = 0")  # the wait for its answer is over
    with running.gateway():
        running.until(lambda: len(receiver.got) == 2, 20, "the second time")
        arrived_now = "select 1 from webhook_outbox where delivered_ms is null"
        running.until(lambda: not hospital.rows(arrived_now), 20, "its answer")
    assert len({id_ for id_, _ in receiver.got}) == 1
    assert receiver.told(photo.hex) == ["photo.filed"]


def died(process: "subprocess.Popen[bytes]") -> bool:
    return process.poll() == -signal.SIGKILL
