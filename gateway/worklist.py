"""What a person must look at. The gateway only opens items; a named person closes them."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.receipts import clip
from gateway.store import WorkItem, WorkKind

_LONGEST = 400


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
) -> bool:
    """Open an item, once: True if it is new. ``subject``: a photo's id, or what it is about.

    ``about_ms`` is when it happened, ``patient`` the number of whom it likely is about. The
    place is filled in by the desk (gateway.worklist_desk), from the hospital's registry of beds.
    """
    same = select(WorkItem).where(
        WorkItem.kind == kind.value, WorkItem.device == device, WorkItem.subject == subject
    )
    known = session.scalars(same).first()
    if known is not None:
        if known.why != why and known.closed_ms is None:
            known.why = clip(why, _LONGEST)
            known.patient = patient or known.patient
        return False
    session.add(
        WorkItem(
            kind=kind.value,
            device=device,
            subject=subject,
            why=clip(why, _LONGEST),
            opened_ms=at_ms,
            about_ms=about_ms,
            patient=patient,
        )
    )
    return True
