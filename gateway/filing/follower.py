"""Bringing one record system to where it is wanted to be, in the background, photo by photo.

Each record system has a follower of its own, so a slow one keeps no other waiting and never
keeps a nurse. What there is to do stands in the database (``wanted`` and ``stand`` differ); the
bell only says that looking is worth while. Every step may be repeated after a crash.

A failure is written down with its words and tried again, later and later. What has failed often
is put on the worklist, and is still tried.
"""

import logging
import threading
from collections.abc import Callable
from typing import Final

from sqlalchemy import select

from base.errors import WardsealError
from base.memory import Buffer
from gateway import withdrawal, worklist
from gateway.audit.tables import Did, done
from gateway.filing.base import Filed, Sink
from gateway.filing.cabinet import Cabinet, filed_of
from gateway.filing.waiting import wait_ms
from gateway.receipts import clip
from gateway.reopening import Reopener
from gateway.store import Store
from gateway.tables import Filing, Photo, Stand, State, WorkKind
from gateway.worklist import Again

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 5.0
_AT_ONCE: Final = 16
_TELL_AFTER: Final = 5
_LONGEST_PROBLEM: Final = 400
_DID: Final = {
    Stand.FILED: Did.FILED,
    Stand.OBJECTION: Did.OBJECTION,
    Stand.REPLACED: Did.REPLACED,
    Stand.IN_ERROR: Did.IN_ERROR,
}


class Follower:
    """One thread for one sink. ``undo(device, photo)``: go on with a withdrawal on record.

    ``room`` is how large an opened photo may be, in bytes. ``errands`` is what it does besides.
    """

    def __init__(
        self,
        *,
        name: str,
        sink: Sink,
        cabinet: Cabinet,
        store: Store,
        reopener: Reopener,
        room: int,
        clock: Callable[[], int],
        undo: Callable[[str, str], None],
        errands: Callable[[], bool] = lambda: False,
    ) -> None:
        self._name = name
        self._sink = sink
        self._cabinet = cabinet
        self._store = store
        self._reopener = reopener
        self._room = Buffer(room)
        self._clock = clock
        self._undo = undo
        self._errands = errands
        self._bell = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._work, name=f"to {sink.name}", daemon=True)

    def start(self) -> None:
        """Begin to look around."""
        self._thread.start()

    def ring(self) -> None:
        """Say that there is something to do; from any thread."""
        self._bell.set()

    def stop(self) -> None:
        """Finish the photo at hand, and return."""
        self._ended = True
        self._bell.set()
        self._thread.join()
        self._room.close()

    def _work(self) -> None:
        while not self._ended:
            self._bell.clear()
            try:
                busy = self.round()
                busy = self._errands() or busy
            except Exception:
                log.exception("following %s failed; it is tried again", self._sink.name)
                busy = False
            if not busy:
                self._bell.wait(LOOK_SECONDS)

    def round(self) -> bool:
        """Do what is due, a few photos' worth; True if there was any."""
        due = (
            select(Filing.photo, Filing.assignment)
            .join(Photo, Photo.photo == Filing.photo)
            .where(
                Filing.sink == self._sink.name,
                Filing.keeper == self._name,
                Filing.wanted != Filing.stand,
                Filing.due_ms <= self._clock(),
                # What is not filed yet is custody's.
                Photo.state.in_((State.FILED, State.UNDONE)),
            )
            # A new place comes before the correction of an old one.
            .order_by(Filing.due_ms, Filing.assignment.desc())
            .limit(_AT_ONCE)
        )
        with self._store.begin(durable=False) as session:
            rows = [(photo, number) for photo, number in session.execute(due)]
        done = 0
        for photo, number in rows:
            if self._ended:
                break
            with self._cabinet.in_hand(photo) as mine:
                if mine:
                    self._attend(photo, number)
                    done += 1
        return done > 0

    def _attend(self, photo: str, number: int) -> None:
        """Do for one photo what is wanted of it, or write down why it cannot be done."""
        key = (photo, self._sink.name, number)
        with self._store.begin() as session:
            row = session.get_one(Filing, key, with_for_update=True)
            whose = session.get_one(Photo, photo)
            wanted = Stand(row.wanted)
            if wanted == row.stand or self._too_early(row):
                return
            if self._cabinet.precedes(session, row):
                row.due_ms = self._clock() + int(LOOK_SECONDS * 1000)
                return
            row.attempts += 1
            attempts = row.attempts
            # Should this process die now, it is tried again after the wait for a failure.
            row.due_ms = self._clock() + wait_ms(attempts)
            assignment = self._cabinet.assigned(session, photo, number)
            now_whose = self._cabinet.assigned(session, photo, None)
            filed = filed_of(whose, row, assignment, now_whose)
        try:
            reference = self._bring_about(wanted, whose, filed)
        except WardsealError as e:
            self._failed(whose, key, wanted, attempts, str(e))
            return
        with self._store.begin() as session:
            row = session.get_one(Filing, key, with_for_update=True)
            was, row.stand, row.reference = Stand(row.stand), wanted, reference
            row.attempts, row.problem = 0, ""
            # It may be wanted otherwise by now.
            row.due_ms = None if row.wanted == wanted else self._clock()
            now = self._clock()
            if was is not Stand.WAITING or wanted is Stand.FILED:
                done(session, _DID[wanted], photo, row.sink, assignment=number, at_ms=now)
            if wanted is Stand.FILED:
                row.filed_ms = now
                self._cabinet.succeeded(session, row)
            elif wanted is Stand.OBJECTION:
                row.objection_ms = now
            else:
                row.corrected_ms = now
            undone = withdrawal.on_record(session, whose.device, whose.intent, photo)
        log.info("photo %s: %s in %s", photo, wanted.value, self._sink.name)
        if undone:
            self._undo(whose.device, photo)

    def _too_early(self, row: Filing) -> bool:
        return row.due_ms is None or row.due_ms > self._clock()

    def _bring_about(self, wanted: Stand, photo: Photo, filed: Filed) -> str | None:
        """Raises FilingError or NotReopened."""
        if wanted is Stand.FILED:
            with self._reopener.reopen(photo, filed.assignment, self._room) as record:
                reference = self._sink.file(record)
                self._sink.read_back(record, reference)
            return reference
        if wanted is Stand.OBJECTION:
            self._sink.undo(filed, self._clock())
        else:
            self._sink.correct(filed, self._clock())
        return filed.reference

    def _failed(
        self, photo: Photo, key: tuple[str, str, int], tried: Stand, attempts: int, why: str
    ) -> None:
        why = f"{self._sink.name}: {why}"
        log.warning("photo %s: attempt %d: %s", photo.photo, attempts, why)
        with self._store.begin() as session:
            row = session.get_one(Filing, key, with_for_update=True)
            row.problem = clip(why, _LONGEST_PROBLEM)
            # An objection or a move that came during the attempt does not wait for what failed.
            if row.wanted == tried:
                row.due_ms = self._clock() + wait_ms(attempts)
            if attempts >= _TELL_AFTER:
                worklist.note(
                    session,
                    WorkKind.UNFILED,
                    device=photo.device,
                    subject=photo.photo,
                    why=why,
                    at_ms=self._clock(),
                    # It is told at each further attempt; what fails anew is counted anew.
                    again=Again.ALWAYS if attempts == _TELL_AFTER else Again.NEVER,
                )
