"""Reads what happened out of the tables, in order, from where a receiver's mark stands.

Nobody who looks at a photo waits for this: the console writes its row and shows its page. What is
not told yet simply is still there; a receiver that is away costs no memory and no disk.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gateway.audit.events import CONSOLE, Act, Event
from gateway.audit.tables import Deed, Did, Telling, Viewing, line_ends
from gateway.filing.record import FIRST, Patient, key_of
from gateway.identity import census
from gateway.identity.tables import AssignmentRow
from gateway.lookers import EXPORTED
from gateway.sharing.shares import ShareRow
from gateway.store import Store
from gateway.tables import Photo

CLAIM_MS: Final = 300_000
_WORDS: Final = {
    "sign-in": Act.SIGN_IN,
    "sign-out": Act.SIGN_OUT,
    "refused": Act.REFUSED,
    "ledger": Act.READ,
    "ledger file": Act.READ,
}
_ACTS: Final = {
    Did.FILED: Act.CREATE,
    Did.OBJECTION: Act.UPDATE,
    Did.REPLACED: Act.UPDATE,
    Did.IN_ERROR: Act.UPDATE,
    Did.WIPED: Act.DESTROY,
    Did.REMOVED: Act.DESTROY,
}
_SOURCES: Final[dict[str, Any]] = {"viewings": Viewing, "shares": ShareRow, "deeds": Deed}


@dataclass(frozen=True)
class Batch:
    """What a receiver is to be told next, oldest first, and its number of the first of it.

    ``marks``: how far it has been told once it has this, for each table.
    """

    events: tuple[Event, ...]
    first: int
    marks: dict[str, int]


class Trail:
    """``name`` is this replica's; ``clock`` gives milliseconds since 1970 UTC."""

    def __init__(self, *, name: str, store: Store, clock: Callable[[], int]) -> None:
        self._name = name
        self._store = store
        self._clock = clock

    def waiting(self, receiver: str) -> int:
        """Return how many rows this receiver has not been told of."""
        with self._store.read() as session:
            row = session.get(Telling, receiver)
            return sum(
                session.scalar(select(func.count(model.id)).where(model.id > _mark(row, source)))
                or 0
                for source, model in _SOURCES.items()
            )

    def take(self, receiver: str, most: int) -> Batch | None:
        """Claim what is next; None when there is nothing, or another replica tells it."""
        if not self._anything(receiver):
            return None
        now = self._clock()
        with self._store.begin() as session:
            line_ends(session)
            row = session.get(Telling, receiver, with_for_update=True)
            if row is None:
                row = Telling(
                    receiver=receiver, viewings=0, shares=0, deeds=0, told=0, until_ms=0, keeper=""
                )
                session.add(row)
            if row.keeper != self._name and row.until_ms > now:
                return None
            row.keeper, row.until_ms = self._name, now + CLAIM_MS
            found = [
                (one.at_ms, source, one.id, one)
                for source, model in _SOURCES.items()
                for one in session.scalars(
                    select(model)
                    .where(model.id > _mark(row, source))
                    .order_by(model.id)
                    .limit(most)
                )
            ]
            marks: dict[str, int] = {}
            events = []
            for _, source, number, one in sorted(_in_order(found))[:most]:
                marks[source] = number
                events.append(_event(session, source, one))
            return Batch(tuple(events), row.told + 1, marks)

    def told(self, receiver: str, batch: Batch) -> None:
        """The receiver has all of this; whoever took over meanwhile finds that out by itself."""
        with self._store.begin() as session:
            row = session.get_one(Telling, receiver, with_for_update=True)
            if row.keeper != self._name or row.told + 1 != batch.first:
                return
            row.told += len(batch.events)
            for source, number in batch.marks.items():
                setattr(row, source, number)

    def _anything(self, receiver: str) -> bool:
        with self._store.read() as session:
            row = session.get(Telling, receiver)
            return any(
                session.execute(
                    select(model.id).where(model.id > _mark(row, source)).limit(1)
                ).first()
                for source, model in _SOURCES.items()
            )


def _mark(row: Telling | None, source: str) -> int:
    return 0 if row is None else int(getattr(row, source))


def _in_order(found: list[tuple[int, str, int, Any]]) -> list[tuple[int, str, int, Any]]:
    """By time, but within each table by number: a clock that was set back skips no row."""
    latest: dict[str, int] = {}
    rows = []
    for at_ms, source, number, one in found:
        latest[source] = max(at_ms, latest.get(source, at_ms))
        rows.append((latest[source], source, number, one))
    return rows


def _event(session: Session, source: str, row: Any) -> Event:
    if source == "viewings":
        return _viewing(session, row)
    if source == "shares":
        return _share(session, row)
    return _deed(session, row)


def _viewing(session: Session, row: Viewing) -> Event:
    photo = row.subject if session.get(Photo, row.subject) is not None else ""
    key, patient = _whose(session, photo, None, row.at_ms)
    if not photo and row.what in ("patient", EXPORTED):
        patient = census.patient(session, row.subject)
    return Event(
        id=_id("viewings", row, row.login, row.what, row.subject),
        act=_WORDS.get(row.what, Act.READ if photo else Act.QUERY),
        at_ms=row.at_ms,
        what=row.what,
        subject=row.subject,
        by=CONSOLE,
        photo=photo,
        key=key,
        patient=patient,
        login=row.login,
        name=row.name,
        reason=row.note,
    )


def _share(session: Session, row: ShareRow) -> Event:
    key, patient = _whose(session, row.photo, None, row.at_ms)
    return Event(
        id=_id("shares", row, row.by, row.digest),
        act=Act.DISCLOSE,
        at_ms=row.at_ms,
        what=f"shared as {row.form}",
        subject=row.photo,
        by=CONSOLE,
        photo=row.photo,
        key=key,
        patient=patient,
        login=row.by,
        name=row.by,
        recipient=row.recipient,
        reason=row.reason,
    )


def _deed(session: Session, row: Deed) -> Event:
    key, patient = _whose(session, row.photo, row.assignment, row.at_ms)
    did = Did(row.did)
    return Event(
        id=_id("deeds", row, row.did, row.photo, row.place),
        act=_ACTS[did],
        at_ms=row.at_ms,
        what=row.did,
        subject=row.photo,
        by=row.place if did in (Did.WIPED, Did.REMOVED) else "gateway",
        photo=row.photo,
        key=key,
        patient=patient,
        place=row.place,
    )


def _id(source: str, row: Any, *words: str) -> str:
    """The same row has the same name; another row, after a backup was put back, has another."""
    text = "\n".join(("wardseal", source, str(row.id), str(row.at_ms), *words))
    return str(uuid.uuid5(uuid.NAMESPACE_OID, text))


def _whose(
    session: Session, photo: str, number: int | None, at_ms: int
) -> tuple[str, Patient | None]:
    """Return the record's key and the patient that a photo had then, or under ``number``."""
    if not photo:
        return "", None
    query = select(AssignmentRow).where(AssignmentRow.photo == photo)
    if number is not None:
        query = query.where(AssignmentRow.number == number)
    else:
        query = query.where(AssignmentRow.at_ms <= at_ms)
    row = session.scalars(query.order_by(AssignmentRow.number.desc()).limit(1)).first()
    if row is None:
        return key_of(photo, number or FIRST), None
    patient = census.patient(session, row.patient) if row.patient else None
    return key_of(photo, row.number), patient
