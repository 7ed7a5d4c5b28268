"""A ward device as the gateway sees it: signed entries, sealed photos, messages. It may lie."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from appliance.crypto.bands import BandedEncoder
from appliance.frame import Frame, Layout
from base import turbojpeg
from wire import envelope, events, ledger, messages, shapes
from wire.envelope import Header, Private
from wire.keyset import SignedKeyset
from wire.ledger import ClockTrust, Entry, SignedEntry
from wire.signing import Ed25519Signer

CAPTURED_MS = 1_700_000_000_000  # 2023-11-14T22:13:20Z
CHUNK = messages.MIN_CHUNK


@cache
def jpeg(width: int = 64, height: int = 48, seed: int = 0, *, whole: bool = False) -> bytes:
    """Return a JPEG as our device writes it, of noise that differs with ``seed``.

    ``whole``: as one scan, which is how a device writes very large and very low pictures.
    """
    noise = hashlib.shake_256(seed.to_bytes(4, "big")).digest(width * height * 3 // 2)
    frame = Frame(memoryview(bytearray(noise)), Layout(width, height, width))
    with ThreadPoolExecutor(1) as helper, closing(BandedEncoder(width, height, 92)) as bands:
        out = memoryview(bytearray(bands.room))
        if not whole:
            return bytes(out[: bands.encode(frame, out, helper)])
    with turbojpeg.Encoder() as encoder:
        length = encoder.encode_yuv420(
            frame.planes, width=width, height=height, strides=frame.strides, quality=92, out=out
        )
    return bytes(out[:length])


@dataclass(frozen=True)
class Photo:
    """A sealed photo with its three entries, and the messages that carry it."""

    consent: SignedEntry
    intent: SignedEntry
    sealed: SignedEntry
    envelope: bytes
    jpeg: bytes

    @property
    def id(self) -> bytes:
        return hashlib.sha256(self.envelope).digest()

    @property
    def hex(self) -> str:
        return self.id.hex()

    def init(self, chunk: int = CHUNK, **changes: Any) -> messages.Init:
        usual = messages.Init(
            self.id,
            len(self.envelope),
            chunk,
            self.consent.raw,
            self.intent.raw,
            self.sealed.raw,
        )
        return replace(usual, **changes)

    def chunks(self, chunk: int = CHUNK) -> list[messages.Data]:
        pieces = range(0, len(self.envelope), chunk)
        return [
            messages.Data(self.id, i, self.envelope[at : at + chunk]) for i, at in enumerate(pieces)
        ]


@dataclass
class Device:
    """One device: its key, its ledger so far, and the keyset it was given."""

    name: str
    keyset: SignedKeyset
    signer: Ed25519Signer = field(default_factory=lambda: Ed25519Signer(os.urandom(32)))
    ledger: bytes = field(default_factory=lambda: os.urandom(16))
    boot: bytes = field(default_factory=lambda: os.urandom(16))
    entries: list[SignedEntry] = field(default_factory=list)

    def write(self, body: Any, **changes: Any) -> SignedEntry:
        """Append an entry; ``changes`` replace fields before it is signed."""
        signed = self.draft(body, **changes)
        self.entries.append(signed)
        return signed

    def draft(self, body: Any, **changes: Any) -> SignedEntry:
        """Sign the next entry without appending it."""
        seq = len(self.entries)
        entry = Entry(
            device=self.name,
            ledger=self.ledger,
            seq=seq,
            prev=self.entries[-1].digest if self.entries else ledger.GENESIS,
            boot=self.boot,
            mono_ns=1_000_000_000 * (seq + 1),
            wall_ms=CAPTURED_MS + 1000 * seq,
            trust=ClockTrust.SYNCED,
            type=events.TYPES[type(body)],
            body=shapes.to_map(body),
        )
        return ledger.sign_entry(replace(entry, **changes), self.signer)

    def consent(self) -> SignedEntry:
        if not self.entries:
            self.write(events.Boot("test", "start"))
        wording = events.Wording("W1", "en", bytes(32))
        return self.write(events.Consent(events.Level.CARE, events.Basis.AGREED, wording))

    def photo(
        self,
        picture: bytes | None = None,
        *,
        consent: SignedEntry | None = None,
        intent: SignedEntry | None = None,
        private: Private | None = None,
        attest: bytes | None = None,
        content: bytes | None = None,
        recipients: Any = None,
        alg: int = envelope.AES_256_GCM,
        damage: Any = None,
        header: dict[str, Any] | None = None,
    ) -> Photo:
        """Take a photo. ``header`` replaces header fields, ``content`` the whole plaintext.

        ``attest`` is the commitment that the INTENT names; ``damage(envelope)`` returns the
        envelope that is signed for instead.
        """
        picture = jpeg() if picture is None else picture
        consent = consent or self.consent()
        intent = intent or self.write(
            events.Intent(consent.digest, events.Level.CARE, events.Basis.AGREED, attest)
        )
        private = private or Private(bed="W3-12", quality={"sharp": 80})
        if content is None:
            content = envelope.content_prefix(private, len(picture)) + picture
        usual = Header(
            device=self.name,
            boot=intent.entry.boot,
            seq=intent.entry.seq,
            consent=consent.digest,
            intent=intent.digest,
            epoch=self.keyset.keyset.epoch,
            keyset=self.keyset.hash,
            time_ms=intent.entry.wall_ms,
            trust=intent.entry.trust,
            length=len(content),
        )
        out = memoryview(bytearray(envelope.room(len(content))))
        length = envelope.seal_into(
            out,
            header=replace(usual, **(header or {})),
            plaintext=memoryview(bytearray(content)),
            key=os.urandom(32),
            recipients=recipients or self.keyset.keyset.recipients,
            alg=alg,
        )
        sealed_photo = bytes(out[:length])
        if damage is not None:
            sealed_photo = damage(sealed_photo)
        photo = hashlib.sha256(sealed_photo).digest()
        sealed = self.write(events.Sealed(intent.digest, photo, len(sealed_photo)))
        return Photo(consent, intent, sealed, sealed_photo, picture)

    def undo(self, photo: Photo, *, named: bool = True) -> SignedEntry:
        return self.write(events.Undo(photo.intent.digest, photo.id if named else None))

    def batch(self, first: int = 0, last: int | None = None) -> messages.LedgerBatch:
        raws = tuple(signed.raw for signed in self.entries[first:last])
        return messages.LedgerBatch(self.ledger, first, raws)
