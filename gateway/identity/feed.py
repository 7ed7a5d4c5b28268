"""What comes from the hospital's patient administration goes into the census from here.

After each change: photos that were filed before anybody knew of it. An admission or a transfer
that was entered late can mean that a photo stands in the wrong chart, so it is looked at by a
person (worklist, kind ``identity``). So are photos in a record that was merged away.
"""

import logging
from collections.abc import Callable

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from gateway import worklist
from gateway.identity import census
from gateway.identity.adt import Merge
from gateway.identity.census import Told
from gateway.identity.decision import NEAR_MS
from gateway.identity.stays import Movement
from gateway.identity.tables import AssignmentRow
from gateway.store import Photo, State, Store, WorkKind
from gateway.worklist import Again

log = logging.getLogger(__name__)

_LATE = "an admission, transfer or discharge within 15 minutes of it was reported after filing"
_MERGED = "the patient's record was merged with another after filing"


class Feed:
    """Takes in what sources say; ``clock`` gives milliseconds since 1970 UTC."""

    def __init__(self, *, store: Store, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock

    def take(self, *all_told: Told | Merge) -> None:
        """Take in messages, all or none. Raises StoreError."""
        now = self._clock()
        with self._store.begin() as session:
            for told in all_told:
                if isinstance(told, Merge):
                    self._merge(session, told, now)
                else:
                    fresh = census.remember(session, told, at_ms=now)
                    for movement in told.movements:
                        again = _again(movement in fresh)
                        self._late(session, told.patient.number, movement, again, now)

    def _merge(self, session: Session, told: Merge, now: int) -> None:
        again = _again(census.merge(session, survivor=told.survivor, prior=told.prior, at_ms=now))
        here = select(Photo).where(
            Photo.state == State.FILED,
            Photo.photo.in_(select(AssignmentRow.photo).where(AssignmentRow.patient == told.prior)),
        )
        for photo in session.scalars(here):
            patient = told.survivor.number
            self._note(session, photo, _MERGED, patient=patient, again=again, now=now)

    def _late(
        self, session: Session, patient: str, movement: Movement, again: Again, now: int
    ) -> None:
        theirs = select(AssignmentRow.photo).where(AssignmentRow.patient == patient)
        place = movement.place
        here = (Photo.ward == place.ward) & (Photo.room == place.room) & (Photo.bed == place.bed)
        near = select(Photo).where(
            Photo.state == State.FILED,
            Photo.captured_ms.between(movement.at_ms - NEAR_MS, movement.at_ms + NEAR_MS),
            Photo.photo.in_(select(AssignmentRow.photo).where(AssignmentRow.by == "")),
            or_(Photo.photo.in_(theirs), here & (Photo.bed != "")),
        )
        for photo in session.scalars(near):
            self._note(session, photo, _LATE, again=again, now=now)

    def _note(
        self,
        session: Session,
        photo: Photo,
        why: str,
        *,
        patient: str | None = None,
        again: Again,
        now: int,
    ) -> None:
        worklist.note(
            session,
            WorkKind.IDENTITY,
            device=photo.device,
            subject=photo.photo,
            why=why,
            at_ms=now,
            about_ms=photo.captured_ms,
            patient=patient,
            again=again,
        )


def _again(news: bool) -> Again:
    """A message that comes twice is one occasion."""
    return Again.ALWAYS if news else Again.NEVER
