"""What a record system is told besides photos: that somebody is asked to review one.

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
from gateway.filing.record import Assignment
from gateway.filing.waiting import wait_ms
from gateway.receipts import clip
from gateway.reviews import Review, ReviewTold
from gateway.store import Store

log = logging.getLogger(__name__)

_AT_ONCE: Final = 16


@runtime_checkable
class Reviewer(Protocol):
    """A record system that knows requests."""

    name: str

    def review(self, review: Review, assignment: Assignment) -> None:
        """Have the request stand there as it stands here. Raises FilingError."""
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
        with self._store.read() as session:
            waiting = [
                (review, self._assigned(session, review.photo, None))
                for review in reviews.untold(session, self._sink.name, self._clock(), most=_AT_ONCE)
            ]
        for review, assignment in waiting:
            self._tell(review, assignment)
        return bool(waiting)

    def _tell(self, review: Review, assignment: Assignment) -> None:
        problem = ""
        try:
            self._sink.review(review, assignment)
        except WardsealError as e:
            problem = clip(str(e), 400)
            log.warning("request %s: %s", review.uid, problem)
        with self._store.begin() as session:
            row = _row(session, review, self._sink.name)
            row.problem = problem
            if problem:
                row.attempts += 1
                # Also the first retry is not at once: nobody waits for it.
                row.due_ms = self._clock() + wait_ms(row.attempts + 1)
            else:
                row.told, row.attempts, row.due_ms = review.says, 0, 0


def _row(session: Session, review: Review, sink: str) -> ReviewTold:
    row = session.get(ReviewTold, (review.id, sink))
    if row is None:
        row = ReviewTold(review=review.id, sink=sink, told="active ", attempts=0, due_ms=0)
        session.add(row)
    return row
