"""Equivocation: a device that signs two things where there can only be one.

Each photo brings three ledger entries ahead of the ledger itself. They are kept here, before
the photo is filed, and compared with whatever is known for the same numbers: two entries for
one number are both kept, as the proof that they are two. So are two photos for one CAPTURE.
Either means that a device's key is in two places, or lies.
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import ledgers, worklist
from gateway.opening import Doubt
from gateway.store import LedgerEntry, Photo, State, WorkKind
from wire.proof import Proof


def remember(session: Session, proof: Proof, *, at_ms: int) -> list[Doubt]:
    """Keep a photo's entries and return what speaks against them: step 7 of gateway.opening."""
    entries = (proof.consent, proof.intent, proof.sealed)
    device, ledger = proof.sealed.entry.device, proof.sealed.entry.ledger.hex()
    numbered = select(LedgerEntry.seq, LedgerEntry.digest).where(
        LedgerEntry.device == device,
        LedgerEntry.ledger == ledger,
        LedgerEntry.seq.in_([signed.entry.seq for signed in entries]),
    )
    known = {(seq, digest) for seq, digest in session.execute(numbered)}
    mine = {(signed.entry.seq, signed.digest.hex()) for signed in entries}
    session.add_all(
        ledgers.row(signed, chained=False)
        for signed in entries
        if (signed.entry.seq, signed.digest.hex()) not in known
    )
    doubts = []
    for seq in sorted({seq for seq, _ in known - mine}):
        why = f"the device signed two entries numbered {seq}"
        subject = f"{ledger} {seq}"
        worklist.note(session, WorkKind.ALARM, device=device, subject=subject, why=why, at_ms=at_ms)
        doubts.append(Doubt(why, alarm=True))
    others = select(Photo.photo).where(
        Photo.device == device,
        Photo.intent == proof.intent.digest.hex(),
        Photo.photo != proof.photo.hex(),
        Photo.state != State.REJECTED,
    )
    if session.execute(others.limit(1)).first() is not None:
        doubts.append(Doubt("the device signed two photos for one CAPTURE", alarm=True))
    return doubts
