"""What a person must look at. The gateway only opens items; a named person closes them.

There is one item of each kind about a subject. Once it is closed, it is opened again by a new
occasion, and by nothing else: what is told every round must not undo what a person did.
"""

from enum import Enum, auto

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.receipts import clip
from gateway.tables import WorkItem, WorkKind
from gateway.worklist_desk import reopen

_LONGEST = 400


class Again(Enum):
    """Whether what is noted opens an item again that was closed."""

    NEVER = auto()
    """It is told again and again, as long as it is so."""
    NEW_WORDS = auto()
    """It may be told twice; something new has happened if it says something else."""
    ALWAYS = auto()
    """Each time is an occasion of its own."""


def note(
    session: Session,
    kind: WorkKind,
    *,
    device: str,
    subject: str,
    why: str,
    at_ms: int,
    about_ms: int | None = None,
    patient: str | None = None,
    again: Again = Again.NEVER,
) -> bool:
    """Open an item: True if it was not open. ``subject``: a photo's id, or what it is about.

    ``about_ms`` is when it happened, ``patient`` the number of whom it likely is about. The
    place is filled in by the desk (gateway.worklist_desk), from the hospital's registry of beds.
    """
    why = clip(why, _LONGEST)
    same = select(WorkItem).where(
        WorkItem.kind == kind.value, WorkItem.device == device, WorkItem.subject == subject
    )
    known = session.scalars(same.with_for_update()).first()
    if known is None:
        session.add(
            WorkItem(
                kind=kind.value,
                device=device,
                subject=subject,
                why=why,
                opened_ms=at_ms,
                about_ms=about_ms,
                patient=patient,
            )
        )
        return True
    opens = known.closed_ms is not None
    if opens:
        if again is Again.NEVER or (again is Again.NEW_WORDS and known.why == why):
            return False
        reopen(session, known, at=at_ms, why=why)
    known.why = why
    known.patient = patient or known.patient
    return opens
