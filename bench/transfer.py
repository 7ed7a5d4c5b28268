"""What our link and our transfer cost beside a bare paho publisher: the same bytes, one run.

All contenders send the same envelope through the same mosquitto over the same mutual TLS 1.3 to
the same receiver, a bare paho subscriber in a process of its own, and stop the clock when its
last word is there: "done" for the bare ones, the receipt in the mailbox for the uplink. They
take turns round by round, so that a busy machine is busy for all of them.
"""

import argparse
import hashlib
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from selectors import DefaultSelector

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from appliance.uplink.client import Uplink
from appliance.uplink.mailbox import Mailbox
from appliance.uplink.outbox import Outbox
from base import doorbell
from base.mqtt import Link, LinkSettings, Message
from base.tls import TlsFiles, client_context
from bench import report
from cli import pki_x509
from cli.broker import Broker, BrokerSettings
from wire import cbor, messages, topics
from wire.messages import CHUNK, Data, Fin, Init, LedgerBatch, Ready, Signed

DEVICE, BARE, LINK, HOSPITAL = "bench-1", "bench-2", "bench-3", "bench_sink"
WINDOW = 8
DONE = b"done"


def files(folder: Path, name: str) -> TlsFiles:
    """Where the PEM files of one name stand."""
    return TlsFiles(
        ca=folder / "ca.crt", certificate=folder / f"{name}.crt", key=folder / f"{name}.key"
    )


def make_keys(folder: Path) -> None:
    """Make throw-away certificates for everybody who takes part."""
    ca = pki_x509.make_ca()
    (folder / "ca.crt").write_bytes(ca.certificate_pem)
    for name in ("localhost", DEVICE, BARE, LINK, HOSPITAL):
        kind: pki_x509.Kind = "device"
        if name == "localhost":
            kind = "server"
        elif "_" in name:
            kind = "hospital"
        identity = pki_x509.issue(ca, name, kind=kind)
        (folder / f"{name}.crt").write_bytes(identity.certificate_pem)
        (folder / f"{name}.key").write_bytes(identity.key_pem)


def without_delay(_client: paho.Client, _: object, line: object) -> None:
    """Set TCP_NODELAY on a fresh connection."""
    assert isinstance(line, socket.socket)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def bare_client(folder: Path, name: str, port: int) -> paho.Client:
    """A paho client as everybody makes one, but without Nagle's 40 ms: that would be too easy."""
    client = paho.Client(
        CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTProtocolVersion.MQTTv5
    )
    client.tls_set_context(client_context(files(folder, name)))
    client.max_inflight_messages_set(WINDOW)
    client.on_socket_open = without_delay
    client.connect("localhost", port)
    return client


# -- the receiver, in its own process -------------------------------------------------------------


def receive(folder: Path, port: int) -> None:
    """Take whatever comes: raw chunks until a full stop, or a transfer as wire.messages says."""
    sizes: dict[bytes, int] = {}

    def heard(client: paho.Client, _: object, message: paho.MQTTMessage) -> None:
        topic = topics.parse(message.topic)
        if topic.device != DEVICE:
            if message.payload == DONE:
                client.publish(topics.down(topic.device, "up"), DONE, qos=1)
            return
        what = messages.decode(message.payload)
        answer: object = None
        if isinstance(what, Init):
            sizes[what.photo] = what.size
            answer = Ready(what.photo, "sink", b"", WINDOW)
        elif isinstance(what, Data):
            sizes[what.photo] -= len(what.bytes)
        elif isinstance(what, Fin) and sizes[what.photo] == 0:
            answer = Signed(what.photo, DONE)
        if answer is not None and not isinstance(what, LedgerBatch):
            client.publish(topics.down(DEVICE, "up"), messages.encode(answer), qos=1)

    client = bare_client(folder, HOSPITAL, port)
    client.on_message = heard
    client.on_subscribe = lambda *_: print("ready", flush=True)
    client.subscribe("ws/v1/+/u/up/#", qos=1)
    client.loop_forever()


# -- the contenders -------------------------------------------------------------------------------


class BarePaho:
    """Chunks by a bare paho publisher, then a full stop, until the receiver says it has it."""

    name = "bare paho publisher, QoS 1"

    def __init__(self, folder: Path, port: int) -> None:
        self._client = bare_client(folder, BARE, port)
        self._done = threading.Event()
        self._client.on_message = lambda *_: self._done.set()
        subscribed = threading.Event()
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.subscribe(topics.all_down(BARE), qos=1)
        self._client.loop_start()
        subscribed.wait(10)

    def send(self, envelope: bytes) -> None:
        self._done.clear()
        topic = topics.up(BARE, "up/sink")
        for at in range(0, len(envelope), CHUNK):
            self._client.publish(topic, envelope[at : at + CHUNK], qos=1)
        self._client.publish(topic, DONE, qos=1)
        if not self._done.wait(30):
            raise TimeoutError("the receiver never had it all")

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


class BareLink:
    """The same chunks through our link alone."""

    name = "our link, the same chunks"

    def __init__(self, folder: Path, port: int) -> None:
        self._selector = DefaultSelector()
        self._link = Link(
            LinkSettings(host="localhost", port=port, name=LINK, tls=files(folder, LINK)),
            subscriptions=[topics.all_down(LINK)],
        )
        self._link.register(self._selector)
        self._link.start()
        while not self._link.online:
            self._turn()

    def _turn(self) -> bool:
        due = self._link.next_deadline() or 0.0
        done = False
        for key, mask in self._selector.select(max(0.0, due - time.monotonic())):
            done |= any(isinstance(event, Message) for event in key.data.service(key, mask))
        self._link.tick(time.monotonic())
        return done

    def send(self, envelope: bytes) -> None:
        topic = topics.up(LINK, "up/sink")
        limits = self._link.limits
        assert limits is not None
        chunks = [envelope[at : at + CHUNK] for at in range(0, len(envelope), CHUNK)]
        for chunk in [*chunks, DONE]:
            while limits.window - self._link.room >= WINDOW:
                self._turn()
            self._link.publish(topic, chunk)
        while not self._turn():
            pass

    def close(self) -> None:
        self._link.stop()
        self._selector.close()


class WholeUplink:
    """From the rename into the outbox to the receipt in the mailbox: init, ready, data, fin."""

    name = "the uplink, outbox to receipt"

    def __init__(self, folder: Path, port: int) -> None:
        self._outbox, self._mailbox = folder / "outbox", folder / "mailbox"
        for path in (self._outbox, self._mailbox, folder / "ledger"):
            path.mkdir()
        self._bell = folder / "bell"
        self._uplink = Uplink(
            device=DEVICE,
            settings=LinkSettings(
                host="localhost", port=port, name=DEVICE, tls=files(folder, DEVICE)
            ),
            outbox=Outbox(self._outbox),
            ledgers=folder / "ledger",
            mark=folder / "ledger.mark",
            mailbox=Mailbox(self._mailbox, lambda: None),
            bell=doorbell.hang(self._bell),
            boot=bytes(16),
            selector=DefaultSelector(),
        )
        self._uplink.start()
        while not self._uplink.link.online:
            self._uplink.turn()
        self._photo = Path()
        self._mail: list[Path] = []

    def prepare(self, envelope: bytes) -> None:
        """Lay the photo down as the panel does; not timed."""
        self._photo = self._outbox / f"{hashlib.sha256(envelope).hexdigest()}.cose"
        raw = cbor.encode([bytes(300), bytes(300), bytes(300)])
        self._photo.with_suffix(".init").write_bytes(raw)
        self._photo.with_suffix(".part").write_bytes(envelope)

    def send(self, _envelope: bytes) -> None:
        self._photo.with_suffix(".part").rename(self._photo)
        doorbell.ring(self._bell)
        while not (mail := list(self._mailbox.glob("receipt.*"))):
            self._uplink.turn()
        self._mail = mail

    def tidy(self) -> None:
        """Do what the panel does when it believes the receipt; not timed."""
        for path in [*self._mail, self._photo, self._photo.with_suffix(".init")]:
            path.unlink()
        doorbell.ring(self._bell)
        self._uplink.turn()

    def close(self) -> None:
        self._uplink.close()


def measure(rounds: int, size: int, folder: Path) -> dict[str, list[float]]:
    """Return milliseconds per contender and round."""
    make_keys(folder)
    broker = Broker(
        BrokerSettings(
            directory=folder / "broker",
            files=files(folder, "localhost"),
            hospital_users=[HOSPITAL],
        )
    )
    with broker:
        sink = subprocess.Popen(
            [sys.executable, "-m", "bench.transfer", "--receive", folder, str(broker.port)],
            stdout=subprocess.PIPE,
        )
        assert sink.stdout is not None
        sink.stdout.readline()
        try:
            return _rounds(rounds, size, folder, broker.port)
        finally:
            sink.terminate()
            sink.wait()
            sink.stdout.close()


def _rounds(rounds: int, size: int, folder: Path, port: int) -> dict[str, list[float]]:
    bare, link, uplink = BarePaho(folder, port), BareLink(folder, port), WholeUplink(folder, port)
    senders: list[tuple[str, Callable[[bytes], None]]] = [
        (bare.name, bare.send),
        (link.name, link.send),
        (uplink.name, uplink.send),
    ]
    times: dict[str, list[float]] = {name: [] for name, _ in senders}
    for number in range(rounds + 3):  # the first three warm up
        envelope = random.Random(number).randbytes(size)  # noqa: S311 - repeatable, not secret
        uplink.prepare(envelope)
        for name, send in senders:
            begun = time.perf_counter()
            send(envelope)
            if number >= 3:
                times[name].append((time.perf_counter() - begun) * 1000)
        uplink.tidy()
    for sender in (bare, link, uplink):
        sender.close()
    return times


def told(options: argparse.Namespace, times: dict[str, list[float]]) -> str:
    """Return the section of docs/bench.md."""
    base = statistics.median(next(iter(times.values())))
    rows = []
    for name, found in times.items():
        median = statistics.median(found)
        rows.append((name, f"{median:.1f}", f"{min(found):.1f}", f"{median / base:.2f}"))
    head = (f"{options.size / 1e6:.1f} MB, sent by", "median ms", "best ms", "to bare paho")
    return f"""## Transfer

{report.machine()} {options.rounds} rounds.

{CHUNK // 1024} KiB chunks, window {WINDOW}, QoS 1, mutual TLS 1.3 through mosquitto on loopback,
to a bare paho subscriber in its own process. The clock stops at the receiver's answer. The uplink's
way includes asking first (`init`, `ready`), CBOR around every chunk on both sides, and the receipt
written to the mailbox.

{report.table(head, rows)}
"""


def main() -> int:
    """Measure, print the table, and keep it where asked."""
    parser = argparse.ArgumentParser(prog="python -m bench.transfer", description=__doc__)
    parser.add_argument("--rounds", type=int, default=60, help="default: %(default)s")
    parser.add_argument("--size", type=int, default=3_800_000, help="bytes, default: %(default)s")
    parser.add_argument("--keep", action="store_true", help="write the table into docs/bench.md")
    parser.add_argument("--receive", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.receive:
        receive(Path(options.receive[0]), int(options.receive[1]))
        return 0
    with tempfile.TemporaryDirectory(prefix="ws-", dir="/dev/shm") as folder:
        text = told(options, measure(options.rounds, options.size, Path(folder)))
    print(text)
    if options.keep:
        report.keep("transfer", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
