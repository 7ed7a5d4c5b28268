"""Every record system of this gateway, and what is known of each photo in each of them.

The receipt FILED waits for the *required* ones: custody files there at once. The *later* ones
get a row that says what is wanted, and a follower each (gateway.filing.follower) that brings it
about from the sealed copy. Rows only ever move on: FILED, then an objection or a correction.

A photo is in one pair of hands at a time: custody's or a follower's.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import reviews
from gateway.audit.tables import Did, done
from gateway.filing.base import Filed, FilingError, Sink
from gateway.filing.record import FIRST, Assignment, Record
from gateway.filing.waiting import Patience, wait_ms
from gateway.receipts import clip
from gateway.tables import Filing, Photo, Stand

_LONGEST_PROBLEM: Final = 400
_DONE: Final = (Stand.OBJECTION, Stand.REPLACED, Stand.IN_ERROR)
_PAST: Final = (Stand.REPLACED, Stand.IN_ERROR)


class Assigned(Protocol):
    """Looks up to whom a photo is filed: under ``number``, or, with None, now."""

    def __call__(self, session: Session, photo: str, number: int | None, /) -> Assignment: ...


def nobody(_session: Session, _photo: str, number: int | None) -> Assignment:
    """``identity = "none"``: every photo is filed without knowing the patient."""
    return Assignment(FIRST if number is None else number)


@dataclass(frozen=True)
class Outcome:
    """What came of filing into the required record systems: where it is, what went wrong."""

    assignment: Assignment
    placed: dict[str, str]
    problems: dict[str, str]


class Unfiled(FilingError):
    """Not every required record system has the photo; ``outcome`` says which has it."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__("; ".join(outcome.problems.values()))
        self.outcome = outcome


class Cabinet:
    """``name`` is this replica's; ``clock`` gives milliseconds since 1970 UTC.

    ``ring`` is called with a sink's name when there is something to do for its follower.
    """

    def __init__(
        self,
        *,
        name: str,
        required: Sequence[Sink],
        clock: Callable[[], int],
        later: Sequence[Sink] = (),
        assigned: Assigned = nobody,
        ring: Callable[[str], None] = lambda _sink: None,
    ) -> None:
        self.name = name
        self.required = tuple(required)
        self.later = tuple(later)
        self.assigned = assigned
        self._clock = clock
        self._ring = ring
        self._patience = Patience()
        self._in_hand: set[str] = set()
        self._lock = threading.Lock()

    @contextmanager
    def in_hand(self, photo: str) -> Iterator[bool]:
        """Take a photo in hand; False when somebody else has it."""
        with self._lock:
            mine = photo not in self._in_hand
            self._in_hand.add(photo)
        try:
            yield mine
        finally:
            if mine:
                with self._lock:
                    self._in_hand.discard(photo)

    # -- filing, by custody -----------------------------------------------------------------------

    def stage(self, photo: str, jpeg: memoryview) -> None:
        """Let the required sinks begin to prepare."""
        for sink in self.required:
            sink.stage(photo, jpeg)

    def unstage(self, photo: str) -> None:
        """Have them forget what was not filed."""
        for sink in self.required:
            sink.unstage(photo)

    def file(self, record: Record) -> Outcome:
        """File into every required record system and read back. Raises Unfiled."""
        placed: dict[str, str] = {}
        problems: dict[str, str] = {}
        for sink in self.required:
            try:
                with self._patience.with_(sink.name):
                    placed[sink.name] = sink.file(record)
            except FilingError as e:
                problems[sink.name] = str(e)
        for sink in self.required:
            try:
                if sink.name in placed:
                    with self._patience.with_(sink.name):
                        sink.read_back(record, placed[sink.name])
            except FilingError as e:
                problems[sink.name] = str(e)
        outcome = Outcome(record.assignment, placed, problems)
        if problems:
            raise Unfiled(outcome)
        return outcome

    def note(self, session: Session, photo: str, outcome: Outcome) -> None:
        """Write down what came of it; once it is filed, the later ones are to follow."""
        for name, reference in outcome.placed.items():
            row = self._row(session, photo, name, outcome.assignment.number)
            row.reference = reference
            if name not in outcome.problems and row.stand == Stand.WAITING:
                row.stand, row.filed_ms = Stand.FILED, self._clock()
                row.attempts, row.due_ms, row.problem = 0, None, ""
                self._did(session, Did.FILED, row)
        for name, problem in outcome.problems.items():
            row = self._row(session, photo, name, outcome.assignment.number)
            row.attempts += 1
            # Custody tries again, not a follower: the photo is HELD until it works.
            row.due_ms = self._clock() + wait_ms(row.attempts)
            row.problem = clip(problem, _LONGEST_PROBLEM)
        if not outcome.problems:
            for sink in self.later:
                row = self._row(session, photo, sink.name, outcome.assignment.number)
                if row.stand != row.wanted:
                    row.due_ms = self._clock()

    def _row(self, session: Session, photo: str, sink: str, number: int) -> Filing:
        row = session.get(Filing, (photo, sink, number))
        if row is None:
            row = Filing(
                photo=photo,
                sink=sink,
                assignment=number,
                wanted=Stand.FILED,
                stand=Stand.WAITING,
                keeper=self.name,
                attempts=0,
                problem="",
            )
            session.add(row)
        return row

    def wake(self) -> None:
        """Tell the followers that there may be something to do."""
        for sink in (*self.required, *self.later):
            self._ring(sink.name)

    # -- objections -------------------------------------------------------------------------------

    def object(self, session: Session, photo: Photo, *, mine: bool) -> list[tuple[Sink, Filed]]:
        """Want the objection everywhere; return what custody is to mark now, if it is ``mine``.

        What no record system can have yet is settled here; the rest is the followers'.
        """
        rows = list(session.scalars(select(Filing).where(Filing.photo == photo.photo)))
        now = self.assigned(session, photo.photo, max((r.assignment for r in rows), default=None))
        at_once: list[tuple[Sink, Filed]] = []
        for sink in self.required:
            if all(row.sink != sink.name for row in rows):
                # A crash may have come between filing and the knowledge of it.
                rows.append(self._row(session, photo.photo, sink.name, now.number))
        sinks = {sink.name: sink for sink in self.required}
        for row in rows:
            if row.wanted in _PAST or row.stand in _DONE:
                continue
            row.wanted = Stand.OBJECTION
            if mine and row.sink in sinks:
                assignment = self.assigned(session, photo.photo, row.assignment)
                at_once.append((sinks[row.sink], filed_of(photo, row, assignment)))
            elif row.stand == Stand.WAITING and not row.attempts and row.sink not in sinks:
                self._objected(row)  # nothing is there
            else:
                row.due_ms = self._clock()
        return at_once

    def objected(self, session: Session, photo: str, marked: Sequence[tuple[Sink, Filed]]) -> bool:
        """Write down what custody has marked; True when nothing is left to be done anywhere."""
        for sink, filed in marked:
            row = session.get_one(Filing, (photo, sink.name, filed.assignment.number))
            if row.stand == Stand.FILED:
                self._did(session, Did.OBJECTION, row)
            self._objected(row)
        session.flush()
        left = select(Filing.sink).where(Filing.photo == photo, Filing.wanted != Filing.stand)
        return session.execute(left.limit(1)).first() is None

    def _objected(self, row: Filing) -> None:
        row.stand = Stand.OBJECTION
        row.objection_ms = row.objection_ms or self._clock()
        row.attempts, row.due_ms, row.problem = 0, None, ""

    def _did(self, session: Session, did: Did, row: Filing) -> None:
        done(session, did, row.photo, row.sink, assignment=row.assignment, at_ms=self._clock())

    # -- another patient --------------------------------------------------------------------------

    def move(self, session: Session, photo: str, number: int) -> None:
        """Want the photo filed under assignment ``number``, and under none before it.

        Where it was another patient's, it is in error; where it was the same patient's and stay,
        and more is known of it by now, it is replaced. The followers of all record systems carry
        it out, the new place first. A new place that cannot be filed yet does not keep a photo in
        another patient's chart; the sealed copy is kept until it can be. Requests for review go
        with it. ``wake`` them after the transaction.
        """
        now, due_ms = self.assigned(session, photo, number), self._clock()
        for row in session.scalars(select(Filing).where(Filing.photo == photo)):
            if row.assignment >= number or row.stand == Stand.IN_ERROR:
                continue
            was = self.assigned(session, photo, row.assignment)
            same = (was.patient, was.encounter) == (now.patient, now.encounter)
            wanted = Stand.REPLACED if same else Stand.IN_ERROR
            if row.wanted == Stand.IN_ERROR or row.stand == wanted:
                continue
            row.wanted, row.due_ms = wanted, due_ms
        for sink in (*self.required, *self.later):
            row = self._row(session, photo, sink.name, number)
            if row.stand == Stand.WAITING:
                row.due_ms = due_ms
        reviews.tell_anew(session, photo)

    def keeps(self, session: Session, photo: str) -> bool:
        """Tell whether it is this replica that has the sealed copy of a filed photo."""
        mine = select(Filing.sink).where(Filing.photo == photo, Filing.keeper == self.name)
        return session.execute(mine.limit(1)).first() is not None

    def precedes(self, session: Session, row: Filing) -> bool:
        """Tell whether what is to replace this is not there yet: then it has to stay."""
        if row.wanted != Stand.REPLACED:
            return False
        newer = select(Filing).where(
            Filing.photo == row.photo, Filing.sink == row.sink, Filing.assignment > row.assignment
        )
        return all(one.stand == Stand.WAITING for one in session.scalars(newer))

    def succeeded(self, session: Session, row: Filing) -> None:
        """It is filed: what it replaces in this record system need not stay any longer."""
        before = select(Filing).where(
            Filing.photo == row.photo, Filing.sink == row.sink, Filing.wanted == Stand.REPLACED
        )
        for older in session.scalars(before):
            if older.stand != Stand.REPLACED:
                older.due_ms = self._clock()

    # -- erasure ----------------------------------------------------------------------------------

    def erase(self, session: Session, photo: str) -> None:
        """Want the photo in error wherever it is. ``wake`` the followers after the transaction."""
        for row in session.scalars(select(Filing).where(Filing.photo == photo)):
            if row.stand != Stand.IN_ERROR:
                row.wanted, row.due_ms = Stand.IN_ERROR, self._clock()

    def left(self, session: Session, photo: str) -> list[str]:
        """Name what may still hold the picture once it is in error everywhere, and where.

        That is every record system that only marks it, and one that is not ours any more.
        """
        gone = {sink.name for sink in (*self.required, *self.later) if sink.deletes}
        rows = session.scalars(select(Filing).where(Filing.photo == photo).order_by(Filing.sink))
        return [f"{f.sink} {f.reference}" for f in rows if f.reference and f.sink not in gone]


def filed_of(
    photo: Photo, row: Filing, assignment: Assignment, now: Assignment | None = None
) -> Filed:
    """Return what a sink is told about a photo that it may have; ``now``: whose it is by now."""
    return Filed(
        photo.photo,
        photo.captured_ms,
        photo.clock,
        assignment,
        row.reference,
        replaced=row.wanted == Stand.REPLACED,
        next=now if now is not None and now.number > assignment.number else None,
    )
