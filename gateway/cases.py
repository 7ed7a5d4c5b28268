"""A person decides whose photo it is: one that is HELD is resolved, one that is filed is moved.

Both only write down what was decided, here; the gateway that has the sealed copy acts on it when
the bell rings (gateway.bell). A HELD photo is then filed by the same path as any other, from the
same sealed bytes, and gets a later receipt with a higher number. A filed one is moved by two
people: one asks, with a reason; a second one decides. Then it is filed anew under the next
assignment number, and entered in error under the one before, in every record system: the new place
first, where that works at once (gateway.filing.cabinet).
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.filing.cabinet import Cabinet
from gateway.filing.record import FIRST
from gateway.identity import census
from gateway.identity.identify import current
from gateway.identity.tables import AssignmentRow, EncounterRow, MoveRow, PatientRow
from gateway.sharing import shares
from gateway.store import Store
from gateway.tables import Photo, State, WorkKind
from gateway.uses import ERASED
from gateway.webhooks.outbox import Announce, to_nobody
from gateway.worklist_desk import NotDone, end, named, open_items, same_person, step, worded

log = logging.getLogger(__name__)


class Stand(StrEnum):
    """How far a move has come."""

    ASKED = "asked"
    REFUSED = "refused"
    CONFIRMED = "confirmed"
    CARRIED_OUT = "done"


@dataclass(frozen=True)
class Move:
    """A photo's way to another patient. ``number``: the assignment that came of it."""

    id: int
    photo: str
    patient: str
    encounter: str | None
    reason: str
    by: str
    asked_ms: int
    stand: Stand
    second: str
    decided_ms: int | None
    number: int | None


@dataclass(frozen=True)
class Assigned:
    """To whom a photo is, or was, filed: the last one holds."""

    number: int
    patient: str | None
    encounter: str | None
    how: str
    by: str
    second: str
    reason: str
    at_ms: int


class Cases:
    """What console, API and shell call; ``clock`` gives milliseconds since 1970 UTC."""

    def __init__(self, *, store: Store, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock

    def resolve(
        self, photo: str, *, patient: str, encounter: str | None, by: str, reason: str
    ) -> None:
        """Say whose a HELD photo is. Raises NotDone.

        It is filed, and its item on the worklist closed in the name of ``by``, as soon as the
        gateway gets to it. What else is wrong with it (a device that lies, a picture that does
        not decode) keeps it HELD, and is said on the worklist.
        """
        by, reason = named(by), worded(reason, "a reason")
        with self._store.begin(rings=True) as session:
            row = _photo(session, photo)
            if row.state != State.HELD:
                raise NotDone(f"this photo is not held, it is {row.state}")
            _check(session, patient, encounter)
            before, now = current(session, photo), self._clock()
            session.add(
                AssignmentRow(
                    photo=photo,
                    number=FIRST if before is None else before.number + 1,
                    patient=patient,
                    encounter=encounter,
                    how="a person",
                    by=by,
                    reason=reason,
                    at_ms=now,
                )
            )
            row.refile = True
            for item in open_items(session, photo, (WorkKind.HELD,)):
                item.patient = patient
                step(session, item, by=by, what="resolved", note=reason, at=now)
            for item in open_items(session, photo, (WorkKind.IDENTITY,)):
                end(session, item, by=by, note=reason, at=now)
        log.info("photo %s: a person has said whose it is", photo)

    def ask_to_move(
        self, photo: str, *, patient: str, encounter: str | None, by: str, reason: str
    ) -> Move:
        """Ask for a filed photo to be moved to another patient. Raises NotDone."""
        by, reason = named(by), worded(reason, "a reason")
        with self._store.begin() as session:
            _movable(_photo(session, photo))
            _check(session, patient, encounter)
            before = current(session, photo)
            if before is not None and (before.patient, before.encounter) == (patient, encounter):
                raise NotDone("the photo is filed to this patient already")
            if any(move.stand in (Stand.ASKED, Stand.CONFIRMED) for move in _moves(session, photo)):
                raise NotDone("a move of this photo is under way: decide that one first")
            move = MoveRow(
                photo=photo,
                patient=patient,
                encounter=encounter,
                reason=reason,
                by=by,
                asked_ms=self._clock(),
                stand=Stand.ASKED,
            )
            session.add(move)
            session.flush()
            return _move(move)

    def decide(self, move: int, *, confirm: bool, second: str) -> Move:
        """Confirm or refuse a move, as somebody else than who asked for it. Raises NotDone."""
        second = named(second, "a second person")
        with self._store.begin(rings=True) as session:
            row = session.get(MoveRow, move, with_for_update=True)
            if row is None or row.stand != Stand.ASKED:
                raise NotDone("there is no such move that waits for a second person")
            if same_person(second, row.by):
                raise NotDone("a second person is needed: who asks for a move cannot decide it")
            if confirm:
                _movable(_photo(session, row.photo))  # nobody shares it while this is entered
                _check(session, row.patient, row.encounter)  # it may have been merged since
            row.stand = Stand.CONFIRMED if confirm else Stand.REFUSED
            row.second, row.decided_ms = second, self._clock()
            if confirm:
                why = "it shows another patient than it was filed to"
                shares.stop(session, row.photo, why, at=row.decided_ms, by=second)
            return _move(row)

    def moves(self, photo: str | None = None, *, waiting: bool = False) -> list[Move]:
        """Return moves, of one photo or all, newest first; ``waiting``: for a second person."""
        query = select(MoveRow).order_by(MoveRow.id.desc())
        if photo is not None:
            query = query.where(MoveRow.photo == photo)
        if waiting:
            query = query.where(MoveRow.stand == Stand.ASKED)
        with self._store.read() as session:
            return [_move(row) for row in session.scalars(query)]

    def assignments(self, photo: str) -> list[Assigned]:
        """Return to whom a photo was and is filed, in order."""
        query = select(AssignmentRow).where(AssignmentRow.photo == photo)
        with self._store.read() as session:
            rows = session.scalars(query.order_by(AssignmentRow.number))
            return [
                Assigned(
                    row.number,
                    row.patient,
                    row.encounter,
                    row.how,
                    row.by,
                    row.second,
                    row.reason,
                    row.at_ms,
                )
                for row in rows
            ]


class Mover:
    """The gateway's part: carries confirmed moves out, in its round, and announces them."""

    def __init__(
        self,
        *,
        store: Store,
        cabinet: Cabinet,
        clock: Callable[[], int],
        announce: Announce = to_nobody,
    ) -> None:
        self._store = store
        self._cabinet = cabinet
        self._clock = clock
        self._announce = announce

    def round(self) -> int:
        """Have every confirmed move carried out; return how many there were."""
        with self._store.begin() as session:
            confirmed = select(MoveRow).where(MoveRow.stand == Stand.CONFIRMED)
            rows = list(session.scalars(confirmed.with_for_update(skip_locked=True)))
            for move in rows:
                if session.get_one(Photo, move.photo).objection == ERASED:
                    move.stand = Stand.REFUSED  # decided after the move; there is nothing to file
                    continue
                before = current(session, move.photo)
                move.number = (FIRST if before is None else before.number) + 1
                session.add(
                    AssignmentRow(
                        photo=move.photo,
                        number=move.number,
                        patient=move.patient,
                        encounter=move.encounter,
                        how="moved by two people",
                        by=move.by,
                        second=move.second,
                        reason=move.reason,
                        at_ms=self._clock(),
                        site_code="" if before is None else before.site_code,
                        site_display="" if before is None else before.site_display,
                        site_side="" if before is None else before.site_side,
                        site_note="" if before is None else before.site_note,
                    )
                )
                session.flush()
                self._cabinet.move(session, move.photo, move.number)
                move.stand = Stand.CARRIED_OUT
                device = session.get_one(Photo, move.photo).device
                self._announce(
                    session, "moved", device=device, photo=move.photo, number=move.number
                )
                for item in open_items(session, move.photo, (WorkKind.IDENTITY,)):
                    end(session, item, by=move.second, note=move.reason, at=self._clock())
        if rows:
            self._cabinet.wake()
        return len(rows)


def settled(session: Session, photo: str, *, at_ms: int) -> None:
    """A HELD photo is filed: if a person said whose it is, that closes its item, in his name."""
    row = current(session, photo)
    if row is None or not row.by:
        return
    for item in open_items(session, photo, (WorkKind.HELD,)):
        end(session, item, by=row.by, note=row.reason, at=at_ms)


def _photo(session: Session, photo: str) -> Photo:
    row = session.get(Photo, photo, with_for_update=True)
    if row is None:
        raise NotDone("there is no such photo")
    return row


def _movable(photo: Photo) -> None:
    """Raise NotDone unless it is, or was, filed, and there is something left to file anew."""
    if photo.objection == ERASED:
        raise NotDone("this photo was erased: there is nothing left to move")
    undone = photo.state == State.UNDONE and photo.filed_ms is not None
    if photo.state != State.FILED and not undone:
        raise NotDone(f"only a filed photo is moved; this one is {photo.state}")


def _check(session: Session, patient: str, encounter: str | None) -> None:
    """Raise NotDone unless the hospital knows this patient, and this encounter of his."""
    row = session.get(PatientRow, patient)
    if row is None:
        raise NotDone("the hospital has told us of no patient with this number")
    if row.merged_into is not None:
        raise NotDone(f"this record was merged into {census.survivor_of(session, patient)}")
    if encounter is not None:
        known = session.get(EncounterRow, encounter)
        if known is None or known.patient != patient:
            raise NotDone("this encounter is not one of this patient's")


def _moves(session: Session, photo: str) -> list[Move]:
    return [_move(row) for row in session.scalars(select(MoveRow).where(MoveRow.photo == photo))]


def _move(row: MoveRow) -> Move:
    return Move(
        id=row.id,
        photo=row.photo,
        patient=row.patient,
        encounter=row.encounter,
        reason=row.reason,
        by=row.by,
        asked_ms=row.asked_ms,
        stand=Stand(row.stand),
        second=row.second,
        decided_ms=row.decided_ms,
        number=row.number,
    )
