"""Ledgers and photos as a device makes them, for the tests."""

import hashlib
import os
from dataclasses import replace
from typing import Any

from wire import envelope, events, shapes
from wire.envelope import Header, Private
from wire.events import Basis, Consent, Intent, Level, Sealed, Wording
from wire.hpke import RecipientPrivate, SuiteName
from wire.keyset import Keyset, SignedKeyset, issue
from wire.ledger import GENESIS, ClockTrust, Entry, SignedEntry, sign_entry
from wire.signing import Ed25519Signer, Signer

DEVICE = Ed25519Signer(b"d" * 32)
HOSPITAL = Ed25519Signer(b"h" * 32)
ROOT = Ed25519Signer(b"r" * 32)
GATEWAY = RecipientPrivate(SuiteName.HYBRID, b"g" * 32)
RECOVERY = RecipientPrivate(SuiteName.P256, b"2" * 32)
WORDING = Wording("care-1", "en", b"w" * 32)
JPEG = b"\xff\xd8" + bytes(range(256)) + b"\xff\xd9"
SECOND = 1_000_000_000


def entry(last: SignedEntry | None, body: Any, signer: Signer = DEVICE, **more: Any) -> SignedEntry:
    """The entry after ``last``, a second later, with fields changed as asked."""
    seq = last.entry.seq + 1 if last else 0
    made = Entry(
        device="ward-7",
        ledger=b"l" * 16,
        seq=seq,
        prev=last.digest if last else GENESIS,
        boot=b"b" * 16,
        mono_ns=(100 + seq) * SECOND,
        wall_ms=1_767_225_600_000 + 1000 * seq,
        trust=ClockTrust.SYNCED,
        type=events.TYPES[type(body)],
        body=shapes.to_map(body),
    )
    return sign_entry(replace(made, **more), signer)


def chain(length: int, signer: Signer = DEVICE) -> list[SignedEntry]:
    """A ledger of ``length`` entries that holds."""
    entries: list[SignedEntry] = []
    for n in range(length):
        body = events.Boot("0.1", "start") if n == 0 else events.Fault("test", f"number {n}")
        entries.append(entry(entries[-1] if entries else None, body, signer))
    return entries


def keyset() -> SignedKeyset:
    """Epoch 1: gateway (hybrid) and recovery (P-256)."""
    keys = (GATEWAY.public, RECOVERY.public)
    return issue(Keyset(1, 1_893_456_000_000, keys, (HOSPITAL.public,), ()), ROOT)


KEYSET = keyset()


def intent_under(consent: SignedEntry, last: SignedEntry | None = None) -> SignedEntry:
    """An INTENT under ``consent``, right after ``last`` (the consent itself by default)."""
    return entry(last or consent, Intent(consent.digest, Level.CARE, Basis.AGREED))


def header_of(consent: SignedEntry, intent: SignedEntry, length: int) -> Header:
    """The protected header that the panel orders for this INTENT."""
    return Header(
        device=intent.entry.device,
        boot=intent.entry.boot,
        seq=intent.entry.seq,
        consent=consent.digest,
        intent=intent.digest,
        epoch=KEYSET.keyset.epoch,
        keyset=KEYSET.hash,
        time_ms=intent.entry.wall_ms,
        trust=intent.entry.trust,
        length=length,
    )


def seal(header: Header, plain: bytes, alg: int = envelope.AES_256_GCM) -> bytes:
    """Seal ``plain`` to the keyset's keys."""
    out = bytearray(envelope.room(len(plain)))
    length = envelope.seal_into(
        memoryview(out),
        header=header,
        plaintext=memoryview(plain),
        key=os.urandom(32),
        recipients=KEYSET.keyset.recipients,
        alg=alg,
    )
    return bytes(out[:length])


class Photo:
    """One photo with its three entries."""

    def __init__(self, jpeg: bytes = JPEG, alg: int = envelope.AES_256_GCM) -> None:
        boot = entry(None, events.Boot("0.1", "start"))
        self.private = Private("W7-12", {"blur": 12})
        self.plain = envelope.content_prefix(self.private, len(jpeg)) + jpeg
        self.consent = entry(boot, Consent(Level.CARE, Basis.AGREED, WORDING))
        self.intent = intent_under(self.consent)
        self.header = header_of(self.consent, self.intent, len(self.plain))
        self.data = seal(self.header, self.plain, alg)
        self.id = hashlib.sha256(self.data).digest()
        self.sealed = entry(self.intent, Sealed(self.intent.digest, self.id, len(self.data)))
        self.raws = (self.consent.raw, self.intent.raw, self.sealed.raw)
