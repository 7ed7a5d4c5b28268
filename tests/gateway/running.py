"""A gateway as its own process behind a real broker, and a device's link to it."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from base.lifeline import tied
from base.memory import ALLOCATOR_ENV
from base.mqtt import LinkSettings, Message
from base.tls import TlsFiles
from cli import pki
from cli.broker import Broker, BrokerSettings
from tests.brokers import Loop
from tests.gateway.bedside import Device, Photo
from tests.gateway.hospital import Hospital
from wire import messages, topics
from wire.hpke import SuiteName
from wire.messages import Data, Fin, Init, Query, Ready, Receipt, Signed, Unknown

ROOT = Path(__file__).parent.parent.parent
DEVICE = "ward3-bed12"


class Running:
    """One site with a broker and an enrolled device; the gateway is started when asked."""

    def __init__(self, folder: Path, port: int, url: str = "") -> None:
        self.hospital = Hospital(folder, suite=SuiteName.HYBRID, url=url)
        self.hospital.write_config(
            {"broker": {"host": "127.0.0.1", "port": port}, "filing": {"report": "later"}}
        )
        pki.device(self.hospital.site, DEVICE)
        self.device: Device = self.hospital.enrol(DEVICE)
        self.broker = Broker(
            BrokerSettings(
                directory=folder / "broker",
                files=_files(self.hospital.site.broker),
                hospital_users=[pki.GATEWAY_USER],
                port=port,
            )
        )
        self.log = folder / "gateway.log"
        self._loop = Loop()
        self._port = port

    def connect(self) -> None:
        """Start the broker and bring the device's link up."""
        self.broker.start()
        files = _files(self.hospital.site.device(DEVICE))
        settings = LinkSettings(
            host="127.0.0.1", port=self._port, name=DEVICE, tls=files, retry_longest_seconds=1
        )
        self._link = self._loop.add(settings, subscriptions=[topics.all_down(DEVICE)])
        self._loop.online()

    def close(self) -> None:
        self._loop.close()
        self.broker.stop()

    @contextmanager
    def gateway(self, point: str | None = None) -> Iterator["subprocess.Popen[bytes]"]:
        """Run the gateway; with ``point`` it kills itself there."""
        what = ["-m", "gateway"] if point is None else ["-m", "tests.gateway.crashing", point]
        command = [sys.executable, *what, "--config", str(self.hospital.config_file)]
        with self.log.open("ab") as log:
            begun = log.tell()
            process = subprocess.Popen(
                tied(command), cwd=ROOT, env={**os.environ, **ALLOCATOR_ENV}, stdout=log, stderr=log
            )
        try:
            self.until(
                lambda: b"connected to the broker" in self.log.read_bytes()[begun:], 20, "it"
            )
            yield process
        finally:
            process.terminate()
            process.wait(10)

    # -- the device's side ------------------------------------------------------------------------

    def say(self, kind: str, message: Any) -> None:
        self._link.publish(topics.up(DEVICE, kind), messages.encode(message))

    def heard(self) -> list[Any]:
        """Return, once, what has come from the hospital."""
        self._loop.turn(0.02)
        events = self._loop.events[DEVICE]
        found = [messages.decode(event.payload) for event in events if isinstance(event, Message)]
        events.clear()
        return found

    def until(self, predicate: Callable[[], Any], seconds: float, what: str) -> Any:
        deadline = time.monotonic() + seconds
        while not (value := predicate()):
            assert time.monotonic() < deadline, f"no {what}: {self.log.read_text()[-2000:]}"
            self._loop.turn(0.02)
        return value

    def send(
        self, photo: Photo, *, seconds: float = 20, unless: Callable[[], bool] = lambda: False
    ) -> Receipt | None:
        """Carry a photo over until it is signed for; None when ``unless`` or time ends that.

        Asks again and again, like the uplink, but with less patience.
        """
        chunk, due, deadline = messages.CHUNK, 0.0, time.monotonic() + seconds
        message: Init | Query = photo.init(chunk)
        while time.monotonic() < deadline and not unless():
            if time.monotonic() > due:
                self.say("up/any", message)
                due = time.monotonic() + 0.5
            for answer in self.heard():
                if getattr(answer, "photo", None) != photo.id:
                    continue
                if isinstance(answer, Signed):
                    return self.hospital.read(answer)
                if isinstance(answer, Unknown):
                    message, due = photo.init(chunk), 0.0
                if isinstance(answer, Ready):
                    for data in photo.chunks(chunk):
                        if not answer.have[data.i // 8] >> data.i % 8 & 1:
                            self._send_chunk(answer.to, data)
                    self.say(f"up/{answer.to}", Fin(photo.id))
                    message, due = Query(photo.id), time.monotonic() + 0.5
        return None

    def _send_chunk(self, to: str, data: Data) -> None:
        self._loop.until(lambda: self._link.room, 10, "room on the line")
        self.say(f"up/{to}", data)


def _files(folder: Path) -> TlsFiles:
    return TlsFiles(ca=folder / "ca.crt", certificate=folder / "tls.crt", key=folder / "tls.key")
