"""What each ledger entry's body holds: one dataclass per entry type, declared once.

No body names a patient or a member of staff (P9).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final

from base.errors import FormatError
from wire import shapes
from wire.ledger import Entry, EntryType
from wire.shapes import Count, Hash, Id16, ShortText, Size


class Level(StrEnum):
    """What a photo may be used for. A device can never give publication."""

    CARE = "care"
    TEACHING = "teaching"


class Basis(StrEnum):
    """On what ground the photo is taken; all but AGREED ask for a reason in the worklist."""

    AGREED = "agreed"
    EMERGENCY = "emergency"
    NO_CAPACITY = "no-capacity"
    PROXY = "proxy"


@dataclass(frozen=True)
class Wording:
    """The text that was put to the patient: id, language, SHA-256 of its UTF-8 bytes."""

    id: Annotated[str, Size(1, 16)]
    language: Annotated[str, Size(2, 8)]
    hash: Hash


@dataclass(frozen=True)
class Previous:
    """The head of the ledger that this one goes on from, after a fork or damage."""

    ledger: Id16
    seq: Count
    head: Hash


@dataclass(frozen=True)
class Boot:
    """The panel has started; ``why`` is "start", "restart" or what ended the old ledger."""

    version: ShortText
    why: ShortText
    previous: Previous | None = None


@dataclass(frozen=True)
class Consent:
    """A member of staff attests consent (or another basis) by pressing CONSENT."""

    level: Level
    basis: Basis
    wording: Wording


@dataclass(frozen=True)
class Attest:
    """A badge was read in the window: its commitment (``wire.attestation``)."""

    consent: Hash
    commitment: Hash


@dataclass(frozen=True)
class Intent:
    """CAPTURE was pressed under ``consent`` (the digest of that entry).

    ``attest`` is the commitment of the ATTEST entry under that consent, if a badge was read.
    """

    consent: Hash
    level: Level
    basis: Basis
    attest: Hash | None = None


@dataclass(frozen=True)
class Sealed:
    """The photo of ``intent`` is sealed; ``photo`` is SHA-256 of the encoded COSE_Encrypt."""

    intent: Hash
    photo: Hash
    size: Count


@dataclass(frozen=True)
class Undo:
    """Consent was withdrawn for the photo of ``intent``; ``photo`` is known once sealed."""

    intent: Hash
    photo: Hash | None = None


@dataclass(frozen=True)
class Window:
    """A consent window closed: why, and how many photos were taken in it."""

    consent: Hash
    why: ShortText
    photos: Count


@dataclass(frozen=True)
class ReceiptSeen:
    """A receipt was verified: its status, rising number, and SHA-256 of the signed receipt.

    ``reason``: of a rejection, its code (``wire.reasons``), for whoever has to say it again.
    """

    photo: Hash
    status: ShortText
    number: Count
    receipt: Hash
    reason: ShortText | None = None


@dataclass(frozen=True)
class Wiped:
    """An envelope has been overwritten and removed; ``why`` is a receipt's status or "undo"."""

    intent: Hash
    why: ShortText
    photo: Hash | None = None


@dataclass(frozen=True)
class Lost:
    """A photo that was taken, or may have been, is gone before the hospital signed for it."""

    intent: Hash
    why: ShortText
    photo: Hash | None = None


@dataclass(frozen=True)
class Fault:
    """Something on the device failed: a code for the table, words for a person."""

    code: ShortText
    why: ShortText


@dataclass(frozen=True)
class KeysetInUse:
    """From here on photos are sealed to this keyset."""

    epoch: Count
    hash: Hash


BODIES: Final[dict[EntryType, type]] = {
    EntryType.BOOT: Boot,
    EntryType.CONSENT: Consent,
    EntryType.ATTEST: Attest,
    EntryType.INTENT: Intent,
    EntryType.SEALED: Sealed,
    EntryType.UNDO: Undo,
    EntryType.WINDOW: Window,
    EntryType.RECEIPT: ReceiptSeen,
    EntryType.WIPED: Wiped,
    EntryType.LOST: Lost,
    EntryType.FAULT: Fault,
    EntryType.KEYSET: KeysetInUse,
}
TYPES: Final = {body: name for name, body in BODIES.items()}


def body_of(entry: Entry) -> Any:
    """Return an entry's body as its dataclass; an unknown or misshapen one is a FormatError."""
    shape = BODIES.get(entry.type)
    if shape is None:
        raise FormatError(f"ledger entry {entry.seq}: {entry.type} has no body in this version")
    return shapes.from_map(shape, entry.body, f"{entry.type} entry")
