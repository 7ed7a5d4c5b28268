"""Equivocation: a device that signs two things where there can only be one.

Each photo brings three ledger entries ahead of the ledger itself. They are kept here, before
the photo is filed, and compared with whatever is known for the same numbers: two entries for
one number are both kept, as the proof that they are two. So are two photos for one CAPTURE.
Either means that a device's key is in two places, or lies.
"""

from typing import Final

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from gateway import ledgers, worklist
from gateway.opening import Doubt
from gateway.tables import LedgerEntry, Photo, State, WorkKind, rows_of
from gateway.worklist import Again
from wire.proof import Proof

_NUMBERED: Final = select(LedgerEntry.seq, LedgerEntry.digest).where(
    LedgerEntry.device == bindparam("device"),
    LedgerEntry.ledger == bindparam("ledger"),
    LedgerEntry.seq.in_(bindparam("numbers", expanding=True)),
)
_KEEP: Final = rows_of(LedgerEntry)
_OTHERS: Final = (
    select(Photo.photo)
    .where(
        Photo.device == bindparam("device"),
        Photo.intent == bindparam("intent"),
        Photo.photo != bindparam("photo"),
        Photo.state != State.REJECTED,
    )
    .limit(1)
)


def remember(session: Session, proof: Proof, *, at_ms: int) -> list[Doubt]:
    """Keep a photo's entries and return what speaks against them: step 7 of gateway.opening."""
    entries = (proof.consent, proof.intent, proof.sealed)
    device, ledger = proof.sealed.entry.device, proof.sealed.entry.ledger.hex()
    mine = {(signed.entry.seq, signed.digest.hex()): signed for signed in entries}
    numbers = [signed.entry.seq for signed in entries]
    numbered = {"device": device, "ledger": ledger, "numbers": numbers}
    known = {(seq, digest) for seq, digest in session.execute(_NUMBERED, numbered)}
    fresh = [mine[place] for place in mine.keys() - known]
    if fresh:
        rows = [ledgers.row(signed, chained=False, at_ms=at_ms) for signed in fresh]
        session.execute(_KEEP, rows)
    doubts = []
    for seq in sorted({seq for seq, _ in known - mine.keys()}):
        why = f"the device signed two entries numbered {seq}"
        subject = f"{ledger} {seq}"
        worklist.note(
            session,
            WorkKind.ALARM,
            device=device,
            subject=subject,
            why=why,
            at_ms=at_ms,
            again=Again.NEW_WORDS,
        )
        doubts.append(Doubt(why, alarm=True))
    photo = {"device": device, "intent": proof.intent.digest.hex(), "photo": proof.photo.hex()}
    if session.execute(_OTHERS, photo).first() is not None:
        doubts.append(Doubt("the device signed two photos for one CAPTURE", alarm=True))
    return doubts
