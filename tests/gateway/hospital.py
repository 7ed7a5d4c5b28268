"""The gateway built whole, with everything real but the broker: messages go in and come out."""

import json
import os
import select
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import text

from cli import pki
from gateway import __main__ as gateway
from gateway import config as configuration
from gateway.database import engine_for
from gateway.devices import Device as Registered
from gateway.devices import Status, register
from gateway.workers import Mailbox
from tests.gateway.bedside import CHUNK, Device, Photo
from wire import hpke, keyset, messages, pem, topics
from wire.messages import Receipt


@dataclass
class Hospital:
    """One site's gateway. ``settings`` go into its TOML file, table by table."""

    folder: Path
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    suite: hpke.SuiteName = hpke.SuiteName.P256
    sent: list[tuple[str, Any]] = field(default_factory=list)
    kept_at_broker: dict[str, bytes] = field(default_factory=dict)
    """What is retained, by topic."""
    url: str = ""
    """``store.url``; empty is SQLite."""
    name: str = "gateway"

    def __post_init__(self) -> None:
        self.site = pki.Site(self.folder / "site")
        if not self.site.folder.exists():
            pki.init(self.site.folder, site="test", suite=self.suite)
        root = pem.public_key((self.site.folder / "root.pub").read_bytes())
        raw = (self.site.folder / "keyset.cose").read_bytes()
        self.keyset = keyset.open_keyset(raw, (root,))
        self.config_file = self.site.gateway / f"{self.name}.test.toml"
        self.write_config(self.settings)
        self._stack = ExitStack()

    def write_config(self, settings: dict[str, dict[str, Any]]) -> None:
        tables = {
            "broker": {"host": "127.0.0.1"},
            "paths": {"state": str(self.folder / "state")},
            "store": {"url": self.url},
            "filing": {"folder": str(self.folder / "record"), "report": "none"},
        }
        for name, table in settings.items():
            tables[name] = {**tables.get(name, {}), **table}
        lines = [f"name = {json.dumps(self.name)}"]
        for name, table in tables.items():
            lines += [
                f"[{name}]",
                *(f"{key} = {json.dumps(value)}" for key, value in table.items()),
            ]
        self.config_file.write_text("\n".join(lines) + "\n")

    # -- its life ---------------------------------------------------------------------------------

    def open(self, *, look: bool = True) -> "Hospital":
        """Start the gateway and let it look around once, unless something is to come first."""
        self._stack = ExitStack()
        self._mailbox = Mailbox()
        self._house = gateway.build(
            configuration.load(self.config_file),
            self._stack,
            send=lambda topic, payload: self.sent.append((topic, messages.decode(payload))),
            keep=self._keep,
            mailbox=self._mailbox,
        )
        if look:
            self.look_around()
        return self

    def _keep(self, topic: str, payload: bytes) -> bool:
        self.kept_at_broker[topic] = payload
        return True

    def close(self) -> None:
        self._stack.close()

    def reopen(self) -> None:
        """Stop and start again, as after an update."""
        self.close()
        self.open()

    def look_around(self) -> None:
        self._house.now_and_then()

    # -- devices ----------------------------------------------------------------------------------

    def enrol(self, name: str = "ward3-bed12", status: Status = "active") -> Device:
        """Make a device that this hospital knows."""
        device = Device(name, self.keyset)
        self.set_status(device, status)
        return device

    def set_status(self, device: Device, status: Status) -> None:
        known = Registered(device.name, device.signer.public, status)
        register(self.site.registry, known)

    # -- messages ---------------------------------------------------------------------------------

    def hear(self, device: str, kind: str, message: Any) -> None:
        self.hear_raw(topics.up(device, kind), messages.encode(message))

    def hear_raw(self, topic: str, payload: bytes) -> None:
        self._house.heard(topic, payload)

    def expect(self, kind: type, *, after: int = 0, seconds: float = 20) -> Any:
        """Return the first message of this kind that was sent after the first ``after``."""

        def look() -> Any:
            return next((m for _, m in self.sent[after:] if isinstance(m, kind)), None)

        return self.until(look, seconds, f"a {kind.__name__}")

    def until(self, predicate: Any, seconds: float, what: str) -> Any:
        deadline = time.monotonic() + seconds
        while not (value := predicate()):
            assert time.monotonic() < deadline, f"waited in vain for {what}: {self.sent[-5:]}"
            self.turn()
        return value

    def turn(self) -> None:
        """Run what the workers have posted, as the loop would; wait a little for it."""
        select.select([self._mailbox], [], [], 0.05)
        self._mailbox.run()

    # -- photos -----------------------------------------------------------------------------------

    def answer(self, device: Device, message: Any) -> Any:
        """Send a message to any gateway and return what comes back about its photo."""
        before = len(self.sent)
        self.hear(device.name, "up/any", message)
        topic = topics.down(device.name, "up")

        def look() -> Any:
            new = self.sent[before:]
            return next((m for to, m in new if to == topic and m.photo == message.photo), None)

        return self.until(look, 20, f"an answer to {type(message).__name__}")

    def ask(self, device: Device, photo: Photo, chunk: int = CHUNK) -> Any:
        """Send ``init`` and return the answer, whatever it is."""
        return self.answer(device, photo.init(chunk))

    def query(self, device: Device, photo: Photo) -> Any:
        return self.answer(device, messages.Query(photo.id))

    def receive(self, device: Device, photo: Photo, chunk: int = CHUNK) -> Receipt:
        """Carry a photo over and return the receipt it gets."""
        before = len(self.sent)
        answer = self.ask(device, photo, chunk)
        if isinstance(answer, messages.Ready):
            for data in photo.chunks(chunk):
                self.hear(device.name, f"up/{answer.to}", data)
            self.hear(device.name, f"up/{answer.to}", messages.Fin(photo.id))

        def look() -> Any:
            new = (m for to, m in self.sent[before:] if to == topics.down(device.name, "up"))
            mine = (m for m in new if isinstance(m, messages.Signed))
            return next((m for m in mine if m.photo == photo.id), None)

        return self.read(self.until(look, 20, f"a receipt; the answer to init was {answer}"))

    def sync(self, device: Device, batch: messages.LedgerBatch) -> messages.LedgerHave:
        before = len(self.sent)
        self.hear(device.name, "ledger", batch)
        found: messages.LedgerHave = self.expect(messages.LedgerHave, after=before)
        return found

    def read(self, signed: messages.Signed) -> Receipt:
        """Verify a receipt as the panel does."""
        return messages.open_receipt(signed.receipt, self.keyset.keyset.receipt_keys)

    def receipts(self, photo: Photo) -> list[Receipt]:
        """Every receipt that was sent for a photo."""
        signed = [m for _, m in self.sent if isinstance(m, messages.Signed)]
        return [self.read(one) for one in signed if one.photo == photo.id]

    # -- what is kept -----------------------------------------------------------------------------

    @property
    def record(self) -> Path:
        return self.folder / "record"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def filed(self, photo: Photo) -> list[Path]:
        return sorted(self.record.glob(f"*/{photo.hex}.*"))

    def page(self, photo: Photo) -> dict[str, Any]:
        (path,) = self.record.glob(f"*/{photo.hex}.json")
        found: dict[str, Any] = json.loads(path.read_bytes())
        return found

    def rows(self, query: str, **values: Any) -> list[Any]:
        """Read the database from outside."""
        engine = engine_for(self.url, self.state / "gateway.db")
        try:
            with engine.connect() as connection:
                return list(connection.execute(text(query), values))
        finally:
            engine.dispose()

    def change(self, statement: str, **values: Any) -> None:
        """Meddle with the database from outside."""
        engine = engine_for(self.url, self.state / "gateway.db")
        with engine.begin() as connection:
            connection.execute(text(statement), values)
        engine.dispose()

    def age(self, photo: Photo) -> None:
        """Let many days pass for a photo whose record systems all have it."""
        unfinished = "select 1 from filings where photo = :p and wanted != stand"
        self.until(lambda: not self.rows(unfinished, p=photo.hex), 20, "the followers")
        os.utime(self.state / "sealed" / f"{photo.hex}.wardseal", (0, 0))
        self.change("update photos set changed_ms = 0 where photo = :p", p=photo.hex)

    def worklist(self) -> list[tuple[str, str, str]]:
        """(kind, subject, why) of every open item."""
        return [tuple(row) for row in self.rows("select kind, subject, why from worklist")]

    def alarms(self) -> list[str]:
        return [why for kind, _, why in self.worklist() if kind == "alarm"]
