"""Who looked at a photo, and who saw it in a chart that it did not belong in.

A photo that was moved has been in the wrong chart from the moment it was assigned there until it
was moved. Whoever saw it then, alone or among that patient's photos, may have acted on it: they
are listed for governance, and in what a patient gets.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from gateway.audit.tables import Viewing
from gateway.identity.tables import AssignmentRow

EXPORTED: Final = "patient export"
SEEN: Final = ("photo", "picture", "small picture", "patient", EXPORTED)
REASON: Final = "reason"
"""The words of ``gateway.console.audit``, and of ``gateway.export``, for what shows a photo."""


@dataclass(frozen=True)
class Looked:
    """Somebody looked: a person's name and login, when, at what, and why if that was asked."""

    at_ms: int
    name: str
    login: str
    what: str
    note: str = ""


@dataclass(frozen=True)
class WrongChart:
    """A chart that a photo was in by mistake, since when and until when, and who saw it there."""

    patient: str
    from_ms: int
    to_ms: int
    lookers: tuple[Looked, ...]


def of_photo(session: Session, photo: str) -> list[Looked]:
    """Return everybody who looked at a photo, oldest first."""
    rows = session.scalars(
        select(Viewing)
        .where(Viewing.subject == photo, Viewing.what.in_((*SEEN, REASON)))
        .order_by(Viewing.at_ms, Viewing.id)
    )
    return [_looked(row) for row in rows]


def in_wrong_charts(session: Session, photo: str) -> list[WrongChart]:
    """Return the charts that a photo was in before it was moved, and who saw it there."""
    rows = list(
        session.scalars(
            select(AssignmentRow).where(AssignmentRow.photo == photo).order_by(AssignmentRow.number)
        )
    )
    found: list[WrongChart] = []
    for before, after in pairwise(rows):
        if before.patient is None or before.patient == after.patient:
            continue
        # Several assignments in a row may have been the same patient's.
        begin = before.at_ms
        for earlier in reversed(rows[: rows.index(before)]):
            if earlier.patient != before.patient:
                break
            begin = earlier.at_ms
        seen = session.scalars(
            select(Viewing)
            .where(
                or_(Viewing.subject == photo, Viewing.subject == before.patient),
                Viewing.what.in_(SEEN),
                Viewing.at_ms.between(begin, after.at_ms),
            )
            .order_by(Viewing.at_ms, Viewing.id)
        )
        # An export is written down of the patient and of each photo, at one moment.
        lookers = tuple(dict.fromkeys(_looked(row) for row in seen))
        found.append(WrongChart(before.patient, begin, after.at_ms, lookers))
    return found


def _looked(row: Viewing) -> Looked:
    return Looked(row.at_ms, row.name, row.login, row.what, row.note)
