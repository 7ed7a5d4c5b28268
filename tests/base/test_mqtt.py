"""The link against a real mosquitto with mutual TLS, and against peers that do their worst."""

import contextlib
import datetime
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from base.errors import ConfigError
from base.mqtt import (
    NO_SUBSCRIBERS,
    Link,
    LinkDown,
    LinkFull,
    Message,
    MessageTooLarge,
    NotTaken,
    Offline,
    Online,
    Taken,
    Trouble,
    Will,
)
from base.tls import TlsFiles
from cli import pki_x509
from tests.brokers import GATEWAY, Loop, Site, write_identity
from tests.fake_broker import CONNACK_5, CONNACK_311, FakeBroker, Proxy, read_packet

Port = Callable[[], int]
A, B = "bed-a", "bed-b"


@pytest.fixture
def site(tmp_path: Path, free_port: Port) -> Iterator[Site]:
    made = Site(tmp_path, free_port())
    made.broker.start()
    yield made
    made.broker.stop()


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop()
    yield made
    made.close()


def why_not(loop: Loop, link_name: str = A) -> str:
    """Wait for the first failed attempt; nothing can be published, and it says why."""
    event = loop.first(link_name, Offline)
    link = loop.links[link_name]
    with pytest.raises(LinkDown, match="there is no connection to the broker"):
        link.publish(f"ws/v1/{link_name}/u/up/any", b"photo")
    return event.why


# -- who may connect ------------------------------------------------------------------------------


def server_files(site: Site, tmp_path: Path, ca: pki_x509.Identity, **how: object) -> TlsFiles:
    server = pki_x509.issue(ca, kind="server", **{"common_name": "localhost", **how})  # type: ignore[arg-type]
    return write_identity(tmp_path / "server", "server", server, site.ca)


def restarted(site: Site, tmp_path: Path, **how: object) -> None:
    """Give the broker another certificate of its own."""
    ca = how.pop("ca", site.ca)
    assert isinstance(ca, pki_x509.Identity)
    site.broker.stop()
    site.broker.settings = replace(
        site.broker.settings, files=server_files(site, tmp_path, ca, **how)
    )
    site.broker.start()


def test_P8_a_broker_of_another_authority_is_refused(
    site: Site, loop: Loop, tmp_path: Path
) -> None:
    restarted(site, tmp_path, ca=pki_x509.make_ca("Somebody Else"))
    loop.add(site.settings(A))
    assert why_not(loop) == "the certificate of localhost is not from the authority in tls.ca"


def test_P8_a_broker_with_another_name_is_refused(site: Site, loop: Loop, tmp_path: Path) -> None:
    restarted(site, tmp_path, common_name="elsewhere")
    loop.add(site.settings(A))
    assert why_not(loop) == "the broker's certificate carries another name than localhost"


def test_P8_a_broker_with_another_address_is_refused(
    site: Site, loop: Loop, tmp_path: Path
) -> None:
    restarted(site, tmp_path)
    loop.add(site.settings(A, host="127.0.0.1"))
    assert why_not(loop) == "the broker's certificate carries another address than 127.0.0.1"


def test_P8_an_expired_broker_is_refused(site: Site, loop: Loop, tmp_path: Path) -> None:
    restarted(site, tmp_path, days=-1)
    loop.add(site.settings(A))
    assert why_not(loop) == (
        "the certificate of localhost has expired; check this machine's clock, then the certificate"
    )


def test_a_broker_that_is_not_valid_yet_points_to_the_clock(
    site: Site, loop: Loop, tmp_path: Path
) -> None:
    tomorrow = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)
    restarted(site, tmp_path, now=tomorrow)
    loop.add(site.settings(A))
    assert why_not(loop) == (
        "the certificate of localhost is not valid yet; check this machine's clock"
    )


def test_P8_a_revoked_broker_is_refused(site: Site, loop: Loop, tmp_path: Path) -> None:
    server = pki_x509.issue(site.ca, "localhost", kind="server")
    site.broker.stop()
    files = write_identity(tmp_path / "server", "server", server, site.ca)
    site.broker.settings = replace(site.broker.settings, files=files)
    site.broker.start()
    revoked = tmp_path / "revoked.pem"
    revoked.write_bytes(pki_x509.revocation_list(site.ca, [server.certificate]))
    loop.add(site.settings(A, tls=replace(site.files(A), revoked=revoked)))
    assert why_not(loop) == "the certificate of localhost has been revoked"


def test_P8_a_broker_that_speaks_only_tls_1_2_is_refused(
    site: Site, loop: Loop, free_port: Port
) -> None:
    port = free_port()
    files = site.broker.settings.files
    with FakeBroker(port, files, lambda *_: None, maximum=ssl.TLSVersion.TLSv1_2):
        loop.add(site.settings(A, port=port))
        assert why_not(loop) == "localhost does not speak TLS 1.3"


def test_the_broker_itself_refuses_tls_1_2(site: Site) -> None:
    context = ssl.create_default_context(cafile=str(site.files(A).ca))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        socket.create_connection(("127.0.0.1", site.broker.port)) as raw,
        pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"),
    ):
        context.wrap_socket(raw, server_hostname="localhost")


def test_our_certificate_of_another_authority_is_refused(
    site: Site, loop: Loop, tmp_path: Path
) -> None:
    stranger = pki_x509.issue(pki_x509.make_ca("Somebody Else"), A, kind="device")
    files = write_identity(tmp_path / "stranger", A, stranger, site.ca)
    loop.add(site.settings(A, tls=files))
    assert why_not(loop) == "localhost does not know the authority of our certificate"


def test_our_expired_certificate_is_named(site: Site, loop: Loop) -> None:
    loop.add(site.settings(A, tls=site.files(A, days=-1)))
    assert why_not(loop) == "localhost says that our certificate has expired"


def test_our_revoked_certificate_is_named(site: Site, loop: Loop, tmp_path: Path) -> None:
    device = pki_x509.issue(site.ca, A, kind="device")
    revoked = tmp_path / "revoked.pem"
    revoked.write_bytes(pki_x509.revocation_list(site.ca, [device.certificate]))
    site.broker.stop()
    files = replace(site.broker.settings.files, revoked=revoked)
    site.broker.settings = replace(site.broker.settings, files=files)
    site.broker.start()
    loop.add(site.settings(A, tls=write_identity(tmp_path / "a", A, device, site.ca)))
    loop.add(site.settings(B))
    assert why_not(loop) == "localhost says that our certificate has been revoked"
    loop.online(B)


def test_a_server_certificate_does_not_make_a_client(site: Site, loop: Loop) -> None:
    loop.add(site.settings(A, tls=site.broker.settings.files))
    assert why_not(loop) == "localhost says our certificate is not for a client"


def test_nobody_connects_without_a_certificate(site: Site) -> None:
    context = ssl.create_default_context(cafile=str(site.files(A).ca))
    raw = socket.create_connection(("127.0.0.1", site.broker.port))
    with context.wrap_socket(raw, server_hostname="localhost") as line:
        answer = b""
        # The refusal overtakes what we say, or meets it: an alert, or a reset. Never a CONNACK.
        with contextlib.suppress(ssl.SSLError, ConnectionError):
            line.sendall(b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04beda")
            answer = line.recv(10)
    assert answer == b""


def test_an_empty_port_and_a_port_without_tls_are_told_apart(
    site: Site, loop: Loop, free_port: Port
) -> None:
    loop.add(site.settings(A, port=free_port()))
    assert why_not(loop) == "nothing answers at localhost on this port"
    port = free_port()
    with socket.create_server(("127.0.0.1", port)) as server:
        loop.add(site.settings(B, port=port))
        loop.turn()
        line, _ = server.accept()
        with line:
            line.sendall(b"220 mail.example ESMTP\r\n")
            assert why_not(loop, B) == "localhost does not speak TLS on this port"


def test_a_name_that_nobody_knows_is_said(site: Site, loop: Loop) -> None:
    loop.add(site.settings(A, host="broker.invalid"))
    assert why_not(loop).startswith("cannot reach broker.invalid: ")


@pytest.mark.parametrize("host", ["", ".", "a" * 300, "bro\0ker", "b\udc80", "-", "ws://x"])
def test_P10_no_host_name_raises(site: Site, loop: Loop, host: str) -> None:
    loop.add(site.settings(A, host=host))
    assert why_not(loop)


@pytest.mark.parametrize("setting", ["ca", "certificate", "key"])
def test_a_missing_or_broken_file_is_named(
    site: Site, loop: Loop, tmp_path: Path, setting: str
) -> None:
    missing = tmp_path / "missing.pem"
    files = replace(site.files(A), **{setting: missing})
    loop.add(site.settings(A, tls=files))
    assert why_not(loop) == f"tls.{setting}: cannot read {missing}: No such file or directory"
    missing.write_text("this is no certificate")
    loop.add(site.settings(B, tls=files))
    said = "tls.ca" if setting == "ca" else "tls.certificate"
    assert why_not(loop, B).startswith(f"{said}: ")


def test_an_encrypted_key_is_refused_and_nobody_is_asked(site: Site, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization

    from base.tls import client_context

    device = pki_x509.issue(site.ca, A, kind="device")
    files = write_identity(tmp_path / "locked", A, device, site.ca)
    files.key.write_bytes(
        device.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(ConfigError, match="are not a certificate and its unencrypted key"):
        client_context(files)


def test_a_renewed_certificate_is_used_from_the_next_connection_on(site: Site, loop: Loop) -> None:
    files = site.files(A, days=-1)
    loop.add(site.settings(A, tls=files))
    assert "expired" in why_not(loop)
    site.files(A, days=30)  # the same files, renewed
    loop.online(A)


# -- who may say and hear what --------------------------------------------------------------------


def test_P8_device_a_cannot_write_the_topics_of_b(site: Site, loop: Loop) -> None:
    link = loop.add(site.settings(A))
    loop.add(site.settings(GATEWAY), subscriptions=["ws/v1/+/u/#"])
    loop.online()
    link.publish(f"ws/v1/{B}/u/state", b"forged", tag="forged")
    link.publish(f"ws/v1/{A}/d/up", b"forged", tag="upwards")
    link.publish("ws/v1/_all/d/manifest", b"forged", tag="fleet")
    link.publish(f"ws/v1/{A}/u/state", b"mine", tag="mine")
    loop.first(A, Taken)
    refused = [event for event in loop.events[A] if isinstance(event, NotTaken)]
    assert [(event.tag, event.why) for event in refused] == [
        ("forged", "not authorized"),
        ("upwards", "not authorized"),
        ("fleet", "not authorized"),
    ]
    heard = loop.first(GATEWAY, Message)
    assert (heard.topic, heard.payload) == (f"ws/v1/{A}/u/state", b"mine")


def test_P8_device_a_cannot_read_the_topics_of_b(site: Site, loop: Loop) -> None:
    loop.add(site.settings(A), subscriptions=["#", f"ws/v1/{B}/d/#", "ws/v1/+/d/up"])
    loop.add(site.settings(B), subscriptions=[f"ws/v1/{B}/d/#"])
    hospital = loop.add(site.settings(GATEWAY))
    loop.online()
    hospital.publish(f"ws/v1/{B}/d/up", b"for b")
    hospital.publish("ws/v1/_all/d/manifest", b"for all")
    hospital.publish(f"ws/v1/{A}/d/up", b"for a")
    loop.first(B, Message)
    loop.until(
        lambda: [m for m in loop.events[A] if isinstance(m, Message) and m.payload == b"for a"],
        10,
        "the message for a",
    )
    heard = {m.payload for m in loop.events[A] if isinstance(m, Message)}
    assert heard == {b"for all", b"for a"}


def test_P8_a_valid_certificate_cannot_take_over_the_session_of_another(
    site: Site, loop: Loop
) -> None:
    loop.add(site.settings(A), subscriptions=[f"ws/v1/{A}/d/#"])
    hospital = loop.add(site.settings(GATEWAY))
    loop.online()
    thief = loop.add(
        site.settings(A, tls=site.files(B)), subscriptions=[f"ws/v1/{A}/d/#"], label="thief"
    )
    loop.online("thief")
    thief.publish(f"ws/v1/{A}/u/state", b"forged", tag=1)
    assert loop.first("thief", NotTaken).why == "not authorized"
    hospital.publish(f"ws/v1/{A}/d/up", b"for a")
    assert loop.first(A, Message).payload == b"for a"
    assert not [event for event in loop.events[A] if isinstance(event, Offline)]
    assert not [event for event in loop.events["thief"] if isinstance(event, Message)]


def test_a_hospital_name_is_never_a_device(site: Site, loop: Loop) -> None:
    with pytest.raises(ConfigError, match="'gateway_1' is not 1 to 32 of a-z, 0-9 and -"):
        pki_x509.issue(site.ca, GATEWAY, kind="device")
    with pytest.raises(ConfigError, match="'bed-a' is not letters, digits, - and at least one _"):
        pki_x509.issue(site.ca, A, kind="hospital")
    for name in ("+", "#", "bed/a", "..", "bed\0a", "Bed-A", "x" * 33, ""):
        with pytest.raises(ConfigError, match="device name: "):
            pki_x509.issue(site.ca, name, kind="device")


# -- what a connection is -------------------------------------------------------------------------


def test_messages_come_and_go_with_mqtt_5_and_the_limits_of_the_broker(
    site: Site, loop: Loop
) -> None:
    link = loop.add(site.settings(A), subscriptions=[f"ws/v1/{A}/d/#"])
    hospital = loop.add(site.settings(GATEWAY), subscriptions=["ws/v1/+/u/#"])
    loop.online()
    assert link.limits is not None
    assert (link.limits.version, link.limits.window, link.limits.packet) == (5, 20, 128 * 1024)
    link.publish(f"ws/v1/{A}/u/state", b"up", retain=True, tag="up")
    assert loop.first(A, Taken).tag == "up"
    assert loop.first(GATEWAY, Message) == Message(f"ws/v1/{A}/u/state", b"up", False)
    hospital.publish(f"ws/v1/{A}/d/up", b"down")
    assert loop.first(A, Message) == Message(f"ws/v1/{A}/d/up", b"down", False)


def test_a_message_that_nobody_reads_is_not_taken(site: Site, loop: Loop) -> None:
    link = loop.add(site.settings(A))
    loop.online()
    link.publish(f"ws/v1/{A}/u/up/any", b"hello", tag=7)
    lost = loop.first(A, NotTaken)
    assert (lost.tag, lost.code) == (7, NO_SUBSCRIBERS)


def test_acknowledgements_are_never_delayed(site: Site, loop: Loop) -> None:
    link = loop.add(site.settings(A))
    loop.online()
    assert link._session is not None
    line = link._session._pipe._sock
    assert line.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
    assert line.version() == "TLSv1.3"


def test_no_thread_is_started(site: Site, loop: Loop) -> None:
    import threading

    before = threading.active_count()
    loop.add(site.settings(A), subscriptions=[f"ws/v1/{A}/d/#"])
    loop.online()
    assert threading.active_count() == before


def test_nothing_is_published_and_nothing_queued_while_there_is_no_connection(
    site: Site, loop: Loop
) -> None:
    link = loop.add(site.settings(A))
    with pytest.raises(LinkDown):
        link.publish(f"ws/v1/{A}/u/state", b"too early")
    loop.add(site.settings(GATEWAY), subscriptions=["ws/v1/+/u/#"])
    loop.online()
    link.publish(f"ws/v1/{A}/u/state", b"now")
    assert loop.first(GATEWAY, Message).payload == b"now"


def test_a_killed_broker_is_noticed_and_found_again_with_every_subscription(
    site: Site, loop: Loop
) -> None:
    link = loop.add(site.settings(A), subscriptions=[f"ws/v1/{A}/d/#"])
    hospital = loop.add(site.settings(GATEWAY), subscriptions=["ws/v1/+/u/#"])
    loop.online()
    site.broker.kill()
    assert loop.first(A, Offline).why in (
        "localhost closed the connection",
        "localhost ended the connection",
    )
    loop.first(GATEWAY, Offline)
    with pytest.raises(LinkDown):
        link.publish(f"ws/v1/{A}/u/state", b"lost")
    for events in loop.events.values():
        events.clear()
    site.broker.start()
    loop.online(A, GATEWAY)
    hospital.publish(f"ws/v1/{A}/d/up", b"again")
    assert loop.first(A, Message).payload == b"again"
    link.publish(f"ws/v1/{A}/u/state", b"again")
    assert loop.first(GATEWAY, Message).payload == b"again"


def test_the_will_is_published_when_we_vanish_and_not_when_we_say_goodbye(
    site: Site, loop: Loop
) -> None:
    sessions = iter(range(1, 100))

    def will() -> Will:
        return Will(f"ws/v1/{A}/u/state", b"gone %d" % next(sessions))

    loop.add(site.settings(GATEWAY), subscriptions=["ws/v1/+/u/#"])
    link = loop.add(site.settings(A), will=will)
    loop.online()
    link._close()
    assert loop.first(GATEWAY, Message).payload == b"gone 1"
    loop.events[GATEWAY].clear()
    loop.events[A].clear()
    link.start()
    loop.online(A)
    for n in range(10):  # with its last word still unanswered
        link.publish(f"ws/v1/{A}/u/state", b"farewell %d" % n)
        link.stop()
        link.start()
        loop.events[A].clear()
        loop.online(A)
    loop.until(lambda: len(loop.events[GATEWAY]) >= 10, 10, "ten farewells")
    heard = [event.payload for event in loop.events[GATEWAY] if isinstance(event, Message)]
    assert heard == [b"farewell %d" % n for n in range(10)]


# -- limits ---------------------------------------------------------------------------------------


def test_an_oversize_message_is_refused_here_and_ends_no_connection(site: Site, loop: Loop) -> None:
    link = loop.add(site.settings(A, largest_packet=1024 * 1024))
    loop.add(site.settings(GATEWAY), subscriptions=["ws/v1/+/u/#"])
    loop.online()
    topic = f"ws/v1/{A}/u/up/any"
    most = link.largest_payload(topic)
    with pytest.raises(MessageTooLarge, match="is more than the 131072 that localhost accepts"):
        link.publish(topic, bytes(most + 1))
    link.publish(topic, bytes(most), tag="just right")
    assert loop.first(A, Taken).tag == "just right"
    assert len(loop.first(GATEWAY, Message).payload) == most
    assert not [event for event in loop.events[A] if isinstance(event, Offline)]


def test_the_brokers_window_is_kept_and_what_is_beyond_it_waits_in_order(
    site: Site, loop: Loop
) -> None:
    link = loop.add(site.settings(A, outbound_queue=200))
    loop.add(site.settings(GATEWAY), subscriptions=["ws/v1/+/u/#"])
    loop.online()
    assert link.room == 20
    for n in range(200):
        link.publish(f"ws/v1/{A}/u/state", b"%d" % n, tag=n)
    assert link.room == 0
    assert link._session is not None
    seen = 0

    def all_taken() -> bool:
        nonlocal seen
        assert link._session is not None
        seen = max(seen, len(link._session.in_flight))
        return sum(isinstance(event, Taken) for event in loop.events[A]) == 200

    loop.until(all_taken, 10, "200 acknowledgements")
    assert seen <= 20
    loop.until(lambda: len(loop.events[GATEWAY]) == 201, 10, "200 messages")
    heard = [m.payload for m in loop.events[GATEWAY] if isinstance(m, Message)]
    assert heard == [b"%d" % n for n in range(200)]


def test_a_wide_window_is_used_whole(site: Site, loop: Loop, free_port: Port) -> None:
    """paho's own limit of 20 in flight, beyond which it queues in silence, is out of the way."""
    port = free_port()

    def acknowledges_the_fortieth(line: ssl.SSLSocket, _: int) -> None:
        read_packet(line)
        line.sendall(CONNACK_5)
        topics = [read_packet(line)[1] for _ in range(40)]
        at = 2 + int.from_bytes(topics[-1][:2], "big")
        line.sendall(b"\x40\x02" + topics[-1][at : at + 2])
        read_packet(line)

    with FakeBroker(port, site.broker.settings.files, acknowledges_the_fortieth):
        link = loop.add(site.settings(A, port=port))
        loop.online()
        for n in range(40):
            link.publish(f"ws/v1/{A}/u/state", b"x", tag=n)
        assert loop.first(A, Taken).tag == 39


def test_what_waits_is_still_sent_before_the_goodbye(site: Site, loop: Loop) -> None:
    link = loop.add(site.settings(A))
    loop.add(site.settings(GATEWAY), subscriptions=["ws/v1/+/u/#"])
    loop.online()
    for n in range(100):
        link.publish(f"ws/v1/{A}/u/state", b"%d" % n)
    link.stop()
    loop.until(lambda: len(loop.events[GATEWAY]) == 101, 10, "all hundred")


def test_a_full_queue_says_so(site: Site, loop: Loop) -> None:
    link = loop.add(site.settings(A, outbound_queue=3))
    loop.online()
    for _ in range(23):
        link.publish(f"ws/v1/{A}/u/state", b"x")
    with pytest.raises(LinkFull, match="localhost is behind with its acknowledgements"):
        link.publish(f"ws/v1/{A}/u/state", b"x")


# -- peers that do their worst --------------------------------------------------------------------


def test_a_half_open_link_is_noticed_by_the_keep_alive(
    site: Site, loop: Loop, free_port: Port
) -> None:
    port = free_port()
    with Proxy(port, site.broker.port) as proxy:
        loop.add(site.settings(A, port=port, keepalive_seconds=1))
        loop.online()
        proxy.black_hole = True
        assert loop.first(A, Offline, seconds=6).why == "localhost fell silent"


def test_a_broker_that_never_greets_is_given_up(site: Site, loop: Loop, free_port: Port) -> None:
    port = free_port()

    def swallow(line: ssl.SSLSocket, _: int) -> None:
        while line.recv(1000):
            pass

    with FakeBroker(port, site.broker.settings.files, swallow):
        loop.add(site.settings(A, port=port, connect_seconds=1))
        assert why_not(loop) == "localhost did not answer within 1 seconds"


def test_a_listener_that_never_shakes_hands_is_given_up(
    site: Site, loop: Loop, free_port: Port
) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        loop.add(site.settings(A, port=port, connect_seconds=1))
        assert why_not(loop) == "localhost did not answer within 1 seconds"


def speaks_311(line: ssl.SSLSocket, _: int) -> None:
    """A broker of 3.1.1: it refuses 5 as the old ones do, and acknowledges what it gets."""
    _, connect = read_packet(line)
    if connect[6] != 4:
        line.sendall(b"\x20\x02\x00\x01")
        return
    line.sendall(CONNACK_311)
    while True:
        first, body = read_packet(line)
        if first & 0xF0 == 0x30:
            at = 2 + int.from_bytes(body[:2], "big")
            line.sendall(b"\x40\x02" + body[at : at + 2])
        elif first & 0xF0 == 0x80:
            line.sendall(b"\x90\x03" + body[:2] + b"\x01")
        elif not first:
            return


def test_a_broker_of_3_1_1_is_spoken_to_in_3_1_1_at_once(
    site: Site, loop: Loop, free_port: Port
) -> None:
    port = free_port()
    with FakeBroker(port, site.broker.settings.files, speaks_311) as broker:
        link = loop.add(site.settings(A, port=port), subscriptions=[f"ws/v1/{A}/d/#"])
        loop.online()
        assert broker.connections == 2
        assert loop.first(A, Offline).retry_seconds == 0
        assert link.limits is not None
        assert link.limits.version == 4
        link.publish(f"ws/v1/{A}/u/state", b"up", tag=1)
        assert loop.first(A, Taken).tag == 1


def test_an_old_broker_that_hangs_up_on_mqtt_5_is_tried_with_3_1_1(
    site: Site, loop: Loop, free_port: Port
) -> None:
    port = free_port()

    def hangs_up(line: ssl.SSLSocket, _: int) -> None:
        _, connect = read_packet(line)
        if connect[6] == 4:
            line.sendall(CONNACK_311)
            read_packet(line)

    with FakeBroker(port, site.broker.settings.files, hangs_up):
        link = loop.add(site.settings(A, port=port))
        assert why_not(loop) == "localhost closed the connection without a greeting"
        loop.online()
        assert link.limits is not None
        assert link.limits.version == 4


def test_a_broker_that_hangs_up_on_large_packets_gets_smaller_ones(
    site: Site, loop: Loop, free_port: Port
) -> None:
    """MQTT 3.1.1 cannot state a limit; an oversize message must not become a reconnect loop."""
    port = free_port()

    def strict(line: ssl.SSLSocket, _: int) -> None:
        _, connect = read_packet(line)
        line.sendall(CONNACK_5 if connect[6] == 5 else CONNACK_311)
        while True:
            first, body = read_packet(line)
            if not first or len(body) > 50_000:
                return
            if first & 0xF0 == 0x30:
                at = 2 + int.from_bytes(body[:2], "big")
                line.sendall(b"\x40\x02" + body[at : at + 2])

    with FakeBroker(port, site.broker.settings.files, strict):
        link = loop.add(site.settings(A, port=port))
        topic = f"ws/v1/{A}/u/up/any"
        loop.online()
        sizes = []
        while not [event for event in loop.events[A] if isinstance(event, Taken)]:
            sizes.append(link.largest_payload(topic))
            assert len(sizes) < 8, "a reconnect loop"
            link.publish(topic, bytes(sizes[-1]), tag=1)
            loop.events[A].clear()
            loop.until(
                lambda: [e for e in loop.events[A] if isinstance(e, Taken | Online)], 10, "either"
            )
        assert [size // 1024 for size in sizes] == [127, 63, 31]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"\x20\x03\x00\x87\x00", "localhost refused us: not authorized"),
        (b"\x20\x03\x00\x97\x00", "localhost refused us: quota exceeded"),
        (b"\x20\x05\x00\x00\x02\x24\x00", "localhost takes no acknowledged messages (QoS 1)"),
        (b"\x20\x01\x00", "localhost sent what is not MQTT"),
        (b"GET / HTTP/1.1\r\n\r\n", None),
        (b"\x30\xff\xff\xff\x7f" + bytes(100), "more than we hold"),
        (b"\x20\xff\xff\xff\xff\xff\xff", None),
        (b"\xf0\x00", None),
        (b"\x20\x05\x00\x00\x02\xee\x01", None),
    ],
)
def test_P8_whatever_a_broker_says_first_the_link_says_why_and_tries_again(
    site: Site, loop: Loop, free_port: Port, said: bytes, why: str | None
) -> None:
    port = free_port()

    def speak(line: ssl.SSLSocket, number: int) -> None:
        read_packet(line)
        line.sendall(said if number < 2 else CONNACK_5)
        read_packet(line)

    with FakeBroker(port, site.broker.settings.files, speak):
        loop.add(site.settings(A, port=port, connect_seconds=1))
        told = loop.first(A, Offline).why
        assert why is None or why in told
        loop.online()


def test_a_broker_that_ends_the_connection_is_quoted(
    site: Site, loop: Loop, free_port: Port
) -> None:
    port = free_port()

    def takes_over(line: ssl.SSLSocket, _: int) -> None:
        read_packet(line)
        line.sendall(CONNACK_5 + b"\xe0\x02\x8e\x00")
        read_packet(line)

    with FakeBroker(port, site.broker.settings.files, takes_over):
        loop.add(site.settings(A, port=port))
        assert loop.first(A, Offline).why == "localhost ended the connection: session taken over"


def test_a_denied_subscription_is_named(site: Site, loop: Loop, free_port: Port) -> None:
    port = free_port()

    def denies(line: ssl.SSLSocket, _: int) -> None:
        read_packet(line)
        line.sendall(CONNACK_5)
        _, body = read_packet(line)
        line.sendall(b"\x90\x04" + body[:2] + b"\x00\x87")
        read_packet(line)

    with FakeBroker(port, site.broker.settings.files, denies):
        loop.add(site.settings(A, port=port), subscriptions=[f"ws/v1/{A}/d/#"])
        assert loop.first(A, Trouble).why == (
            f"localhost does not let us read ws/v1/{A}/d/#; check its access list"
        )


def test_an_error_in_our_own_handling_surfaces_and_kills_nothing(site: Site, loop: Loop) -> None:
    link = loop.add(site.settings(A), subscriptions=[f"ws/v1/{A}/d/#"])
    hospital = loop.add(site.settings(GATEWAY))
    loop.online()
    assert link._session is not None
    broken = link._session

    def raises(*_: object) -> None:
        raise RuntimeError("broken on purpose")

    broken._client.on_message = broken._noting(raises)
    hospital.publish(f"ws/v1/{A}/d/up", b"one")
    assert "broken on purpose" in loop.first(A, Trouble).why
    broken._client.on_message = broken._noting(broken._on_message)
    hospital.publish(f"ws/v1/{A}/d/up", b"two")
    assert loop.first(A, Message).payload == b"two"


def test_retries_grow_with_full_jitter_until_a_connection_has_held(
    site: Site, free_port: Port
) -> None:
    """With a clock and a die of our own: 1, 2, 4 … 120 s at the most, 1 s again after success."""
    import selectors

    now = 1000.0
    link = Link(
        site.settings(A, port=free_port(), retry_longest_seconds=120),
        clock=lambda: now,
        uniform=lambda _low, high: high,
    )
    with selectors.DefaultSelector() as selector:
        link.register(selector)
        link.start()
        waits: list[float] = []
        while len(waits) < 9:
            due = link.next_deadline()
            assert due is not None
            now = max(now, due)
            events = link.tick(now)
            while not events:
                for key, mask in selector.select(1):
                    events += key.data.service(key, mask)
            waits += [event.retry_seconds for event in events if isinstance(event, Offline)]
    assert waits == [1, 2, 4, 8, 16, 32, 64, 120, 120]


@pytest.mark.alone
def test_a_link_costs_little_memory() -> None:
    """The uplink process must stay below 30 MB; the link alone leaves room for the rest of it."""
    program = (
        "import base.mqtt, re, pathlib;"
        "text = pathlib.Path('/proc/self/smaps_rollup').read_text();"
        "print(re.search(r'Pss:\\s+(\\d+)', text)[1])"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, check=True
    )
    assert int(done.stdout) < 24 * 1024
