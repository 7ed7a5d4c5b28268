"""The three ledger entries that stand behind a photo, and how they hang together.

CONSENT, then INTENT under it, then SEALED for it: all by one device, on one ledger, in this
order. SEALED carries the photo's id, and being a COSE_Sign1 it *is* the device's signature on
the photo. A bundle is the three entries and the envelope in one file, to be kept or opened by
hand.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from base.errors import FormatError
from wire import cbor, events
from wire.envelope import MAX_ENVELOPE, Envelope, Header, names_recipients
from wire.errors import BrokenLink
from wire.keyset import SignedKeyset
from wire.ledger import MAX_ENTRY, EntryType, SignedEntry, open_entry
from wire.signing import PublicKey

_BUNDLE: Final = "wardseal-photo/1"
LONGEST_WINDOW_NS: Final = 6 * 60 * 1_000_000_000
"""A window is open 5 minutes at most; the sixth is for a capture that waited for the camera."""


@dataclass(frozen=True)
class Proof:
    """Three verified entries whose links hold."""

    consent: SignedEntry
    intent: SignedEntry
    sealed: SignedEntry

    @property
    def photo(self) -> bytes:
        """The photo's id: SHA-256 of the encoded COSE_Encrypt."""
        body: events.Sealed = events.body_of(self.sealed.entry)
        return body.photo

    @property
    def size(self) -> int:
        """The envelope's length in bytes."""
        body: events.Sealed = events.body_of(self.sealed.entry)
        return body.size


def open_consent(raw: bytes, keys: Iterable[PublicKey]) -> SignedEntry:
    """Verify a CONSENT entry."""
    return _open(raw, keys, EntryType.CONSENT)


def open_intent(raw: bytes, consent: SignedEntry, keys: Iterable[PublicKey]) -> SignedEntry:
    """Verify an INTENT entry and that it stands under ``consent``, in the same window."""
    intent = _open(raw, keys, EntryType.INTENT)
    _same_ledger(consent, intent)
    body: events.Intent = events.body_of(intent.entry)
    granted: events.Consent = events.body_of(consent.entry)
    if body.consent != consent.digest:
        raise BrokenLink("the INTENT entry stands under another consent")
    if (body.level, body.basis) != (granted.level, granted.basis):
        raise BrokenLink("the INTENT entry claims another level or basis than the consent")
    waited = intent.entry.mono_ns - consent.entry.mono_ns
    if intent.entry.boot != consent.entry.boot or not 0 <= waited <= LONGEST_WINDOW_NS:
        raise BrokenLink("the INTENT entry is not of the window that the consent opened")
    return intent


def open_proof(consent: bytes, intent: bytes, sealed: bytes, keys: Iterable[PublicKey]) -> Proof:
    """Verify the three entries and their links; raise FormatError or VerificationError."""
    keys = tuple(keys)
    consent_entry = open_consent(consent, keys)
    intent_entry = open_intent(intent, consent_entry, keys)
    sealed_entry = _open(sealed, keys, EntryType.SEALED)
    _same_ledger(intent_entry, sealed_entry)
    body: events.Sealed = events.body_of(sealed_entry.entry)
    if body.intent != intent_entry.digest:
        raise BrokenLink("the SEALED entry belongs to another INTENT")
    if not 0 < body.size <= MAX_ENVELOPE:
        raise FormatError(f"the SEALED entry gives a size of {body.size} bytes")
    return Proof(consent_entry, intent_entry, sealed_entry)


def check_header(header: Header, consent: SignedEntry, intent: SignedEntry) -> None:
    """Raise BrokenLink unless an envelope's header names exactly these entries."""
    entry = intent.entry
    if (header.device, header.boot, header.seq) != (entry.device, entry.boot, entry.seq):
        raise BrokenLink("the photo's header names another device, boot or number")
    if (header.consent, header.intent) != (consent.digest, intent.digest):
        raise BrokenLink("the photo's header names other ledger entries")
    if (header.time_ms, header.trust) != (entry.wall_ms, entry.trust):
        raise BrokenLink("the photo's header names another time than its INTENT")


def check_envelope(data: cbor.Buffer, envelope: Envelope, proof: Proof) -> None:
    """Raise BrokenLink unless ``data`` is exactly the photo that the device signed."""
    if (len(data), hashlib.sha256(data).digest()) != (proof.size, proof.photo):
        raise BrokenLink("this is not the photo that the device signed")
    check_header(envelope.header, proof.consent, proof.intent)


def check_keyset(envelope: Envelope, keyset: SignedKeyset) -> None:
    """Raise BrokenLink unless the photo is sealed to exactly the keys of this keyset."""
    if (envelope.header.epoch, envelope.header.keyset) != (keyset.keyset.epoch, keyset.hash):
        raise BrokenLink("the photo was sealed under another keyset")
    if not names_recipients(envelope, keyset.keyset.recipients):
        raise BrokenLink("the photo is not sealed to the keys of its keyset")


def _open(raw: bytes, keys: Iterable[PublicKey], wanted: EntryType) -> SignedEntry:
    signed = open_entry(raw, keys)
    if signed.entry.type is not wanted:
        raise BrokenLink(f"expected a {wanted} entry, found {signed.entry.type}")
    events.body_of(signed.entry)
    return signed


def _same_ledger(earlier: SignedEntry, later: SignedEntry) -> None:
    one, two = earlier.entry, later.entry
    if (one.device, one.ledger) != (two.device, two.ledger) or one.seq >= two.seq:
        raise BrokenLink(f"the {two.type} entry does not follow its {one.type} entry")


@dataclass(frozen=True)
class Bundle:
    """A photo as a file: three entries and the envelope, nothing in it verified."""

    consent: bytes
    intent: bytes
    sealed: bytes
    envelope: memoryview

    def head(self) -> bytes:
        """Return everything that stands in the file before the envelope's bytes."""
        return bundle_head(self.consent, self.intent, self.sealed, len(self.envelope))


def bundle_head(consent: bytes, intent: bytes, sealed: bytes, length: int) -> bytes:
    """Return a bundle up to its envelope of ``length`` bytes, which may still be on its way."""
    entries = b"".join(cbor.encode(raw) for raw in (consent, intent, sealed))
    start = cbor.head(cbor.ARRAY, 5) + cbor.encode(_BUNDLE)
    return start + entries + cbor.head(cbor.BYTES, length)


def parse_bundle(data: cbor.Buffer) -> Bundle:
    """Take a photo file apart; the envelope is a view of ``data``."""
    reader = cbor.Reader(data, "photo file")
    reader.expect(cbor.ARRAY, 5)
    reader.expect(cbor.TEXT, len(_BUNDLE))
    name = reader.take(len(_BUNDLE))
    if bytes(name) != _BUNDLE.encode():
        raise FormatError("photo file: this version is not known")
    consent, intent, sealed = (bytes(reader.bytes(MAX_ENTRY)) for _ in range(3))
    envelope = reader.bytes(MAX_ENVELOPE)
    reader.end()
    return Bundle(consent, intent, sealed, envelope)
