"""The entries of a device's ledger that stand behind one photo, each verified here and now."""

from collections.abc import Callable, Sequence
from typing import Final

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from base.errors import FormatError, VerificationError
from gateway.tables import LedgerEntry, Photo
from wire import events
from wire.ledger import EntryType, SignedEntry, open_entry
from wire.ledger_words import Numbers
from wire.signing import PublicKey

_BEFORE: Final = 512
"""Entries before an INTENT among which its CONSENT stands for sure: a window is short."""
_AFTER: Final = 4096
"""What comes later than this is told by the hospital's own receipts."""

_BEFOREHAND: Final = (EntryType.CONSENT.value, EntryType.ATTEST.value)

KeyOf = Callable[[str], PublicKey | None]


def raws_of(session: Session, row: Photo) -> list[bytes]:
    """Return the entries among which a photo's own are, as they were signed."""
    return list(
        session.scalars(
            select(LedgerEntry.raw)
            .where(LedgerEntry.device == row.device, LedgerEntry.ledger == row.ledger)
            .where(LedgerEntry.seq.between(row.seq - _BEFORE, row.seq + _AFTER))
            .where(
                or_(
                    LedgerEntry.seq > row.seq,
                    LedgerEntry.digest == row.intent,
                    LedgerEntry.type.in_(_BEFOREHAND),
                )
            )
            .order_by(LedgerEntry.seq)
        )
    )


def of_photo(
    raws: Sequence[bytes], key: PublicKey | None, row: Photo
) -> list[tuple[SignedEntry, Numbers]]:
    """Return those that are about this photo: its CONSENT, ATTEST, INTENT and what follows.

    None where there is no key; one that does not verify is left out, and its ledger's own page
    says what is wrong with it.
    """
    if key is None:
        return []
    numbers = Numbers()
    found: list[SignedEntry] = []
    consents: dict[bytes, SignedEntry] = {}
    attests: dict[bytes | None, SignedEntry] = {}
    intent = bytes.fromhex(row.intent)
    photo = bytes.fromhex(row.photo)
    for raw in raws:
        if found and intent not in raw and photo not in raw:
            continue  # a later photo's: not worth a signature's verification
        try:
            signed = open_entry(raw, (key,))
            body = events.body_of(signed.entry)
        except (FormatError, VerificationError):
            continue
        numbers.add(signed.digest, signed.entry.seq)
        if isinstance(body, events.Consent):
            consents[signed.digest] = signed
        elif isinstance(body, events.Attest):
            attests[body.commitment] = signed
        elif signed.digest == intent:
            found += [consents[body.consent]] if body.consent in consents else []
            found += [attests[body.attest]] if body.attest in attests else []
            found.append(signed)
        elif intent == getattr(body, "intent", b"") or row.photo == _photo_of(body):
            found.append(signed)
    return [(signed, numbers) for signed in found]


def _photo_of(body: object) -> str:
    photo = getattr(body, "photo", None)
    return photo.hex() if isinstance(photo, bytes) else ""
