"""Ledgers, checkpoints and sealed photos as a device leaves them, written by a steady hand."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from wire import envelope, events, hpke, shapes
from wire.ledger import (
    GENESIS,
    Checkpoint,
    ClockTrust,
    Entry,
    SignedEntry,
    frame,
    sign_checkpoint,
    sign_entry,
)
from wire.proof import Bundle
from wire.signing import Ed25519Signer

DEVICE = "ward-a-1"
LEDGER = bytes(range(16))
BOOT = b"b" * 16
NOON_MS = 1_800_014_400_000
WORDING = events.Wording("W1", "en", bytes(32))
KEYSET_HASH = b"k" * 32


class Scribe:
    """One device that writes a ledger; each entry a second after the one before."""

    def __init__(self, seed: bytes = b"d" * 32) -> None:
        self.signer = Ed25519Signer(seed)
        self.entries: list[SignedEntry] = []

    def write(self, body: Any, /, **other: Any) -> SignedEntry:
        """Append an entry with this body; ``other`` overrides the entry's fields."""
        seq = len(self.entries)
        fields: dict[str, Any] = {
            "device": DEVICE,
            "ledger": LEDGER,
            "seq": seq,
            "prev": self.entries[-1].digest if self.entries else GENESIS,
            "boot": BOOT,
            "mono_ns": seq * 1_000_000_000,
            "wall_ms": NOON_MS + seq * 1000,
            "trust": ClockTrust.SYNCED,
            "type": events.TYPES[type(body)],
            "body": shapes.to_map(body),
        }
        signed = sign_entry(Entry(**{**fields, **other}), self.signer)
        self.entries.append(signed)
        return signed

    def consent(self) -> SignedEntry:
        """CONSENT was pressed."""
        return self.write(events.Consent(events.Level.CARE, events.Basis.AGREED, WORDING))

    def intent(self, consent: SignedEntry, attest: bytes | None = None) -> SignedEntry:
        """CAPTURE was pressed; ``attest``: the commitment to a badge."""
        care, agreed = events.Level.CARE, events.Basis.AGREED
        return self.write(events.Intent(consent.digest, care, agreed, attest))

    def sealed(self, intent: SignedEntry, photo: bytes, size: int) -> SignedEntry:
        """The photo is sealed."""
        return self.write(events.Sealed(intent.digest, photo, size))

    def morning(self) -> "Scribe":
        """One photo from start to wipe: eight entries."""
        self.write(events.Boot("0.1.0", "first start"))
        self.write(events.KeysetInUse(1, KEYSET_HASH))
        consent = self.consent()
        intent = self.intent(consent)
        photo = b"\xab" * 32
        self.sealed(intent, photo, 3_912_004)
        self.write(events.Window(consent.digest, "finished", 1))
        self.write(events.ReceiptSeen(photo, "FILED", 1, bytes(32)))
        self.write(events.Wiped(intent.digest, "FILED", photo))
        return self

    @property
    def file(self) -> bytes:
        """The ledger file."""
        return ledger_file([signed.raw for signed in self.entries])

    def checkpoint(self, seq: int, receipt: Ed25519Signer, **other: Any) -> bytes:
        """The hospital countersigns up to ``seq``."""
        head = self.entries[seq].digest if seq < len(self.entries) else bytes(32)
        fields = {"device": DEVICE, "ledger": LEDGER, "seq": seq, "head": head, "time_ms": NOON_MS}
        return sign_checkpoint(Checkpoint(**{**fields, **other}), receipt)


def ledger_file(raws: Sequence[bytes]) -> bytes:
    """Entries as they lie in a file."""
    return b"".join(frame(raw) for raw in raws)


class SealedPhoto:
    """A photo that ``scribe`` took and sealed to ``opening``."""

    jpeg = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 40
    private = envelope.Private("A1", {"sharp": 90}, band="12345678")

    def __init__(
        self,
        scribe: Scribe,
        opening: hpke.RecipientPrivate,
        *,
        private: envelope.Private | None = None,
        attest: bytes | None = None,
        **header: Any,
    ) -> None:
        self.consent = scribe.consent()
        self.intent = scribe.intent(self.consent, attest)
        prefix = envelope.content_prefix(private or self.private, len(self.jpeg))
        content = memoryview(bytearray(prefix + self.jpeg))
        entry = self.intent.entry
        fields: dict[str, Any] = {
            "device": entry.device,
            "boot": entry.boot,
            "seq": entry.seq,
            "consent": self.consent.digest,
            "intent": self.intent.digest,
            "epoch": 1,
            "keyset": KEYSET_HASH,
            "time_ms": entry.wall_ms,
            "trust": entry.trust,
            "length": len(content),
        }
        out = memoryview(bytearray(envelope.room(len(content))))
        size = envelope.seal_into(
            out,
            header=envelope.Header(**{**fields, **header}),
            plaintext=content,
            key=os.urandom(32),
            recipients=[opening.public],
        )
        self.envelope = bytes(out[:size])
        self.photo = hashlib.sha256(self.envelope).digest()
        self.sealed = scribe.sealed(self.intent, self.photo, size)

    @property
    def entries(self) -> tuple[bytes, bytes, bytes]:
        """CONSENT, INTENT, SEALED."""
        return self.consent.raw, self.intent.raw, self.sealed.raw

    @property
    def bundle(self) -> bytes:
        """The photo file: entries and envelope."""
        return Bundle(*self.entries, memoryview(self.envelope)).head() + self.envelope


def save(folder: Path, name: str, data: bytes, mode: int = 0o644) -> Path:
    """Write a file and return its path."""
    path = folder / name
    path.write_bytes(data)
    path.chmod(mode)
    return path
