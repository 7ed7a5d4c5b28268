"""A sealed photo as somebody has it: a photo file, or an envelope and, somewhere, its entries."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from base.errors import FormatError, VerificationError
from cli.ledger_file import unverified
from cli.terminal import read_file
from wire import cbor, events, proof, rewrap
from wire.envelope import MAX_ENVELOPE, Recipient
from wire.ledger import MAX_ENTRY, EntryType, read_frames

_LARGEST: Final = MAX_ENVELOPE + 64 * 1024
_LARGEST_LEDGER: Final = 1 << 30
_REWRAP: Final = ".rewrap"
_ARRAY_OF_THREE: Final = b"\x83"
_ARRAY_OF_FIVE: Final = b"\x85"

Entries = tuple[bytes, bytes, bytes]


@dataclass(frozen=True)
class PhotoFile:
    """The envelope's bytes, and the CONSENT, INTENT and SEALED entries that came with it.

    ``further``: recipients of the re-wrap beside the file, if there is one.
    """

    sealed: memoryview
    entries: Entries | None
    further: tuple[Recipient, ...] = ()

    @property
    def photo(self) -> bytes:
        """The photo's id."""
        return hashlib.sha256(self.sealed).digest()


def read_photo(path: Path) -> PhotoFile:
    """Read a photo file (``wire.proof.Bundle``) or an envelope alone; which, its bytes say."""
    data = memoryview(read_file(path, limit=_LARGEST, what="a photo"))
    further = _further(path.with_suffix(_REWRAP))
    if bytes(data[:1]) != _ARRAY_OF_FIVE:
        return PhotoFile(data, None, further)
    bundle = proof.parse_bundle(data)
    entries = (bundle.consent, bundle.intent, bundle.sealed)
    return PhotoFile(bundle.envelope, entries, further)


def _further(path: Path) -> tuple[Recipient, ...]:
    """Read what the gateway may have laid beside a sealed copy, for keys newer than the photo."""
    if not path.is_file():
        return ()
    return rewrap.parse(read_file(path, limit=rewrap.LARGEST, what="a re-wrap")).recipients


def find_entries(path: Path, photo: bytes) -> Entries:
    """Return a photo's entries out of a ledger, or out of what a device keeps beside the photo.

    Nothing about them is verified. Raises VerificationError when they are not there.
    """
    data = read_file(path, limit=_LARGEST_LEDGER, what="a ledger")
    if data[:1] == _ARRAY_OF_THREE:  # a ledger begins with a length, so with a zero
        match cbor.decode(data, limit=4 * MAX_ENTRY, what=str(path)):
            case [bytes(consent), bytes(intent), bytes(sealed)]:
                return consent, intent, sealed
        raise FormatError(f"{path} does not hold three ledger entries")
    raws = {hashlib.sha256(raw).digest(): raw for raw in read_frames(data)[0]}
    for raw in raws.values():
        if _is_of(raw, photo):
            sealed_body: events.Sealed = events.body_of(unverified(raw))
            intent = _get(raws, sealed_body.intent, "INTENT", path)
            intent_body: events.Intent = events.body_of(unverified(intent))
            return _get(raws, intent_body.consent, "CONSENT", path), intent, raw
    raise VerificationError(f"{path} has no SEALED entry for this photo")


def _is_of(raw: bytes, photo: bytes) -> bool:
    if photo not in raw:  # spares parsing all the others
        return False
    try:
        entry = unverified(raw)
        return entry.type is EntryType.SEALED and events.body_of(entry).photo == photo
    except (FormatError, VerificationError):
        return False


def _get(raws: dict[bytes, bytes], digest: bytes, kind: EntryType | str, path: Path) -> bytes:
    raw = raws.get(digest)
    if raw is None or unverified(raw).type != kind:
        raise VerificationError(f"{path} lacks the {kind} entry of this photo")
    return raw
