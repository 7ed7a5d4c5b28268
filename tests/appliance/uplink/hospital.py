"""The hospital's end of the line for tests of the uplink: it takes photos and ledgers, unopened.

It keeps to wire.messages and answers honestly unless a test sets ``answer`` to something else.
What it signs is signed by nobody: the uplink must not care.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from base.mqtt import Link, Message
from wire import messages, topics
from wire.messages import (
    Data,
    Fin,
    Init,
    LedgerBatch,
    LedgerHave,
    Nack,
    Query,
    Ready,
    Signed,
    State,
    Unknown,
)


@dataclass
class Incoming:
    """A photo on its way in."""

    init: Init
    chunks: dict[int, bytes] = field(default_factory=dict)

    def missing(self) -> list[int]:
        return [i for i in range(self.init.chunks) if i not in self.chunks]


class Hospital:
    """One gateway, behind a link of its own; feed it the link's messages with ``hear``."""

    def __init__(self, link: Link, name: str = "gw-a") -> None:
        self._link = link
        self.name = name
        self.heard: list[tuple[str, object]] = []
        self.incoming: dict[bytes, Incoming] = {}
        self.photos: dict[bytes, bytes] = {}
        self.ledgers: dict[bytes, list[bytes]] = {}
        self.states: list[tuple[State, bool]] = []
        self.answer: Callable[[object], object | None] | None = None
        self.receipts = True

    @staticmethod
    def subscriptions(name: str = "gw-a") -> list[str]:
        kinds = ("state", "ledger", "up/any", f"up/{name}")
        return [topics.all_up(kind) for kind in kinds]

    def hear(self, message: Message) -> None:
        topic = topics.parse(message.topic)
        what = messages.decode(message.payload)
        self.heard.append((topic.kind, what))
        if isinstance(what, State):
            self.states.append((what, message.retained))
            return
        reply = self.answer(what) if self.answer is not None else self.usual(what)
        if reply is not None:
            kind = "ledger" if isinstance(reply, LedgerHave) else "up"
            self.say(topic.device, kind, reply)

    def say(self, device: str, kind: str, reply: object) -> None:
        self._link.publish(topics.down(device, kind), messages.encode(reply))

    def usual(self, what: object) -> object | None:
        match what:
            case Init():
                if what.photo in self.photos:
                    return self._receipt(what.photo)
                incoming = self.incoming.setdefault(what.photo, Incoming(what))
                if incoming.init.chunk != what.chunk:
                    incoming = self.incoming[what.photo] = Incoming(what)
                have = bytearray(-(-what.chunks // 8))
                for i in incoming.chunks:
                    have[i // 8] |= 1 << i % 8
                return Ready(what.photo, self.name, bytes(have), 8)
            case Data():
                if what.photo in self.incoming:
                    self.incoming[what.photo].chunks[what.i] = what.bytes
                return None
            case Fin():
                return self._finish(what.photo)
            case Query():
                done = what.photo in self.photos
                return self._receipt(what.photo) if done else Unknown(what.photo)
            case LedgerBatch():
                return self._ledger(what)
        raise AssertionError(f"a device never says {what}")

    def _finish(self, photo: bytes) -> object | None:
        if photo in self.photos:
            return self._receipt(photo)
        incoming = self.incoming.get(photo)
        if incoming is None:
            return Unknown(photo)
        if missing := incoming.missing():
            return Nack(photo, tuple((i, i) for i in missing[:256]))
        whole = b"".join(incoming.chunks[i] for i in sorted(incoming.chunks))
        del self.incoming[photo]
        if hashlib.sha256(whole).digest() != photo:
            return None
        self.photos[photo] = whole
        return self._receipt(photo)

    def _receipt(self, photo: bytes) -> Signed | None:
        return Signed(photo, b"signed for " + photo) if self.receipts else None

    def _ledger(self, batch: LedgerBatch) -> LedgerHave:
        entries = self.ledgers.setdefault(batch.ledger, [])
        if batch.first <= len(entries):
            entries += batch.entries[len(entries) - batch.first :]
        checkpoint = b"head %d" % len(entries) if entries else None
        return LedgerHave(batch.ledger, len(entries), checkpoint)
