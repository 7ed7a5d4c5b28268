"""What a record system is told besides photos: requests for review, and copies that left.

Done by the record system's own follower, between photos, so that a slow server keeps nobody
waiting. Told again until it is so, later and later; telling twice changes nothing.
"""

import logging
from collections.abc import Callable
from typing import Final, Protocol, runtime_checkable

from sqlalchemy.orm import Session

from base.errors import WardsealError
from gateway import reviews
from gateway.filing.cabinet import Assigned
from gateway.filing.record import FIRST, Assignment
from gateway.filing.waiting import wait_ms
from gateway.receipts import clip
from gateway.reviews import Review, ReviewTold
from gateway.sharing import copies
from gateway.sharing.copies import CopyTold, TeachingCopy
from gateway.store import Store
from gateway.tables import Photo

log = logging.getLogger(__name__)

_AT_ONCE: Final = 16


@runtime_checkable
class Reviewer(Protocol):
    """A record system that knows requests, and where something came from."""

    name: str

    def review(self, review: Review, assignment: Assignment, since: int, /) -> None:
        """Have the request stand there as it stands here. Raises FilingError.

        ``since`` is the first assignment number under which the photo is in the chart that it is
        in now; in charts that it was in before, the request is in error.
        """
        ...

    def copied(self, copy: TeachingCopy) -> None:
        """Have it stand there, once, that this copy was made. Raises FilingError."""
        ...


class Errands:
    """For one record system; ``assigned`` says whose a photo is now."""

    def __init__(
        self, *, sink: Reviewer, store: Store, assigned: Assigned, clock: Callable[[], int]
    ) -> None:
        self._sink = sink
        self._store = store
        self._assigned = assigned
        self._clock = clock

    def round(self) -> bool:
        """Tell what is to be told; True if there was anything."""
        now = self._clock()
        with self._store.read() as session:
            asked = [
                (review, *self._whose(session, review.photo))
                for review in reviews.untold(session, self._sink.name, now, most=_AT_ONCE)
            ]
            left = copies.untold(session, self._sink.name, now, most=_AT_ONCE)
        for review, assignment, since in asked:
            self._tell_review(review, assignment, since)
        for copy in left:
            self._tell_copy(copy)
        return bool(asked or left)

    def _whose(self, session: Session, photo: str) -> tuple[Assignment, int]:
        """Return whose a photo is now, and the number from which on it has been so."""
        now = self._assigned(session, photo, None)
        since = now.number
        while since > FIRST:
            was = self._assigned(session, photo, since - 1)
            if (was.patient, was.encounter) != (now.patient, now.encounter):
                break
            since -= 1
        return now, since

    def _tell_review(self, review: Review, assignment: Assignment, since: int) -> None:
        problem = _problem(
            lambda: self._sink.review(review, assignment, since), f"request {review.uid}"
        )
        with self._store.begin() as session:
            session.get(Photo, review.photo, with_for_update=True)  # as reviews.tell_anew does
            row = _review_row(session, review, self._sink.name)
            now = self._assigned(session, review.photo, None)
            if not problem and now.number == assignment.number:
                row.told = review.says
            self._settle(row, problem)

    def _tell_copy(self, copy: TeachingCopy) -> None:
        problem = _problem(lambda: self._sink.copied(copy), f"teaching copy {copy.share}")
        with self._store.begin() as session:
            row = _copy_row(session, copy, self._sink.name)
            row.told = not problem
            self._settle(row, problem)

    def _settle(self, row: ReviewTold | CopyTold, problem: str) -> None:
        row.problem = problem
        if problem:
            row.attempts += 1
            # Also the first retry is not at once: nobody waits for it.
            row.due_ms = self._clock() + wait_ms(row.attempts + 1)
        else:
            row.attempts, row.due_ms = 0, 0


def _problem(tell: Callable[[], None], what: str) -> str:
    """Tell it; return why it could not be told, or nothing."""
    try:
        tell()
    except WardsealError as e:
        log.warning("%s: %s", what, clip(str(e), 400))
        return clip(str(e), 400)
    return ""


def _review_row(session: Session, review: Review, sink: str) -> ReviewTold:
    row = session.get(ReviewTold, (review.id, sink))
    if row is None:
        row = ReviewTold(review=review.id, sink=sink, told=reviews.TO_TELL, attempts=0, due_ms=0)
        session.add(row)
    return row


def _copy_row(session: Session, copy: TeachingCopy, sink: str) -> CopyTold:
    row = session.get(CopyTold, (copy.share, sink))
    if row is None:
        row = CopyTold(share=copy.share, sink=sink, attempts=0, due_ms=0)
        session.add(row)
    return row
