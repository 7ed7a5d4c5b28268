"""The worklist for people: who looks after what, until when, and how it ended.

What console, API and shell call. Every call is one transaction and says who asked for it; what
was done stands in the item's history for good. An item is closed by a named person with a note,
or by the very act that settles it (a HELD photo that a person assigns is closed in his name).

``round`` is called now and then: it gives new items their place, their likely patient and their
owner, and escalates what has been open for too long.
"""

import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from base.errors import WardsealError
from gateway.beds import Beds, Place
from gateway.config import WorklistSettings
from gateway.receipts import clip
from gateway.store import Store
from gateway.tables import Photo, State, WorkItem, WorkKind, WorkStep

log = logging.getLogger(__name__)

CLOCK: Final = "wardseal"
"""Who did it, when nobody did: the gateway itself."""
ESCALATED: Final = (
    WorkKind.HELD,
    WorkKind.LOST,
    WorkKind.UNSENT,
    WorkKind.IDENTITY,
    WorkKind.ALARM,
)
"""What cannot wait: a photo that no chart has, or that may be in the wrong one."""
_MINUTE: Final = 60_000
_PHOTO: Final = re.compile(r"([0-9a-f]{64})(?: .*)?")
_LOGIN: Final = re.compile(r"\(([^()]+)\)$")
_LONGEST_NOTE: Final = 1000
_LONGEST_NAME: Final = 100
_AT_ONCE: Final = 500
_OPENED: Final = "opened"


class NotDone(WardsealError):
    """What was asked for cannot be done; the text says why and what to do."""


class Occupied(Protocol):
    """Looks up who was in a bed: the record number if it was exactly one patient."""

    def __call__(self, session: Session, place: Place, at_ms: int, /) -> str | None: ...


def unknown(_session: Session, _place: Place, _at_ms: int) -> None:
    """Nobody knows who is in which bed: ``identity = "none"``."""


@dataclass(frozen=True)
class Item:
    """One thing to look at. Times are milliseconds since 1970 UTC; ``photo`` is an id in hex."""

    id: int
    kind: WorkKind
    why: str
    device: str
    subject: str
    photo: str | None
    ward: str
    bed: str
    patient: str | None
    opened_ms: int
    about_ms: int | None
    owner: str | None
    escalated_ms: int | None
    closed_ms: int | None
    closed_by: str | None
    note: str

    @property
    def open(self) -> bool:
        return self.closed_ms is None


@dataclass(frozen=True)
class Step:
    """Something that was done about an item: opened, assigned, escalated, resolved, closed."""

    at_ms: int
    by: str
    what: str
    note: str


@dataclass(frozen=True)
class Filter:
    """Which items; what is None or empty does not matter. ``open`` None: closed ones as well."""

    kinds: tuple[WorkKind, ...] = ()
    ward: str | None = None
    bed: str | None = None
    owner: str | None = None
    patient: str | None = None
    device: str | None = None
    subject: str | None = None
    open: bool | None = True
    escalated: bool | None = None


ALL_OPEN: Final = Filter()


class Worklist:
    """``clock`` gives milliseconds since 1970 UTC; ``occupied`` knows who was in which bed."""

    def __init__(
        self,
        *,
        store: Store,
        beds: Beds,
        settings: WorklistSettings,
        clock: Callable[[], int],
        occupied: Occupied = unknown,
    ) -> None:
        self._store = store
        self._beds = beds
        self._settings = settings
        self._clock = clock
        self._occupied = occupied

    # -- looking ----------------------------------------------------------------------------------

    def items(
        self, which: Filter = ALL_OPEN, *, limit: int = 100, before: int | None = None
    ) -> list[Item]:
        """Return items, newest first. ``before``: go on below this id (the last one's)."""
        query = select(WorkItem).where(*_conditions(which))
        if before is not None:
            query = query.where(WorkItem.id < before)
        with self._store.read() as session:
            rows = session.scalars(query.order_by(WorkItem.id.desc()).limit(limit))
            return [_item(row) for row in rows]

    def counts(self, which: Filter = ALL_OPEN) -> dict[WorkKind, int]:
        """Return how many there are of each kind that there is."""
        query = select(WorkItem.kind, func.count()).where(*_conditions(which))
        with self._store.read() as session:
            rows = session.execute(query.group_by(WorkItem.kind))
            return {WorkKind(kind): number for kind, number in rows}

    def get(self, item: int) -> Item:
        """Return one item. Raises NotDone."""
        with self._store.read() as session:
            return _item(_row(session, item))

    def history(self, item: int) -> list[Step]:
        """Return what was done about an item, oldest first."""
        query = select(WorkStep).where(WorkStep.item == item).order_by(WorkStep.id)
        with self._store.read() as session:
            row = _row(session, item)
            steps = [Step(s.at_ms, s.by, s.what, s.note) for s in session.scalars(query)]
            # An item that was opened again has its first opening among its steps.
            first = [one for one in steps if one.what == _OPENED]
            if not first:
                first = [Step(row.opened_ms, CLOCK, _OPENED, row.why)]
            return first + [one for one in steps if one.what != _OPENED]

    def still_held(self, item: Item) -> bool:
        """Tell whether a photo that an item is about is in no chart yet."""
        with self._store.read() as session:
            return item.photo is not None and _held(session, item.photo)

    # -- acting -----------------------------------------------------------------------------------

    def assign(self, item: int, owner: str, *, by: str, note: str = "") -> Item:
        """Give an item to somebody. Raises NotDone."""
        owner = named(owner, "an owner")
        with self._store.begin() as session:
            row = _open_row(session, item)
            row.owner = owner
            step(session, row, by=named(by), what="assigned", note=note or owner, at=self._clock())
            return _item(row)

    def close(self, item: int, *, by: str, note: str, governance: bool = False) -> Item:
        """Close an item: ``by`` is a named person, ``note`` says how it ended. Raises NotDone.

        ``governance``: whether that person decides for the hospital, as an alarm needs it.

        A note does not bring a HELD photo into any chart, so its item ends with what does.
        """
        with self._store.begin() as session:
            row = _open_row(session, item)
            _refuse_what_is_not_theirs(row, governance)
            if row.kind == WorkKind.HELD and _held(session, row.subject):
                raise NotDone(
                    "this photo is still held: say whose it is, or enter an objection, "
                    "and this item ends with that"
                )
            end(session, row, by=by, note=note, at=self._clock())
            return _item(row)

    # -- now and then -----------------------------------------------------------------------------

    def round(self) -> int:
        """Complete new items and escalate old ones; return how many were escalated."""
        now = self._clock()
        fresh = select(WorkItem).where(WorkItem.closed_ms.is_(None), WorkItem.owner.is_(None))
        late = select(WorkItem).where(
            WorkItem.closed_ms.is_(None),
            WorkItem.escalated_ms.is_(None),
            WorkItem.kind.in_([kind.value for kind in ESCALATED]),
            WorkItem.opened_ms <= now - self._settings.escalate_minutes * _MINUTE,
        )
        with self._store.begin() as session:
            for row in session.scalars(fresh.limit(_AT_ONCE)):
                self._complete(session, row)
            escalated = 0
            for row in session.scalars(late.limit(_AT_ONCE)):
                row.escalated_ms, row.owner = now, self._settings.escalate_to
                minutes = self._settings.escalate_minutes
                note = f"open for {minutes} min; now {row.owner}"
                step(session, row, by=CLOCK, what="escalated", note=note, at=now)
                log.warning("worklist item %d (%s): escalated", row.id, row.kind)
                escalated += 1
        return escalated

    def _complete(self, session: Session, row: WorkItem) -> None:
        """Say when and where it happened, who was in that bed, and whose task it is."""
        if row.about_ms is None:
            row.about_ms = _when(session, row)
        hung = self._beds.at(row.device, row.about_ms or row.opened_ms)
        if hung is not None:
            row.ward, row.bed = hung.place.ward, hung.place.bed
            if row.patient is None and row.about_ms is not None:
                row.patient = self._occupied(session, hung.place, row.about_ms)
        row.owner = self._settings.owner_of(row.ward)


def named(name: str, whom: str = "a person") -> str:
    """Return a name fit to stand behind an act. Raises NotDone."""
    name = " ".join(name.split())
    if not name or len(name) > _LONGEST_NAME or name.casefold() == CLOCK:
        raise NotDone(f"{whom} must be named, in 1 to {_LONGEST_NAME} characters")
    return name


def same_person(one: str, other: str) -> bool:
    """Tell whether two names stand for one person: equal, or signed with the same login."""
    one, other = one.casefold(), other.casefold()
    logins = [found[1] for name in (one, other) if (found := _LOGIN.search(name))]
    return one == other or (len(logins) == 2 and logins[0] == logins[1])


def worded(note: str, of_what: str = "a note") -> str:
    """Return a note or reason that says something. Raises NotDone."""
    note = note.strip()
    if not note:
        raise NotDone(f"{of_what} is needed: say in a few words how it ended, or why")
    return clip(note, _LONGEST_NOTE)


def end(session: Session, row: WorkItem, *, by: str, note: str, at: int) -> None:
    """Close an item in a transaction of the caller's. Raises NotDone."""
    by, note = named(by), worded(note)
    row.closed_ms, row.closed_by, row.note = at, by, note
    step(session, row, by=by, what="closed", note=note, at=at)


def reopen(session: Session, row: WorkItem, *, at: int, why: str) -> None:
    """Open a closed item again, in a transaction of the caller's: as new, its history kept.

    It is open since now, so it is escalated as late as a new one is.
    """
    first = select(WorkStep.id).where(WorkStep.item == row.id, WorkStep.what == _OPENED)
    if session.execute(first.limit(1)).first() is None:
        step(session, row, by=CLOCK, what=_OPENED, note=row.why, at=row.opened_ms)
    step(session, row, by=CLOCK, what="opened again", note=why, at=at)
    row.opened_ms, row.escalated_ms, row.owner = at, None, None
    row.closed_ms, row.closed_by, row.note = None, None, ""


def step(session: Session, row: WorkItem, *, by: str, what: str, note: str, at: int) -> None:
    """Write one line of an item's history."""
    note = clip(note.strip(), _LONGEST_NOTE)
    session.add(WorkStep(item=row.id, at_ms=at, by=by, what=what, note=note))


def open_items(session: Session, subject: str, kinds: Iterable[WorkKind]) -> list[WorkItem]:
    """Return the open items of these kinds about a subject."""
    query = select(WorkItem).where(
        WorkItem.subject == subject,
        WorkItem.closed_ms.is_(None),
        WorkItem.kind.in_([kind.value for kind in kinds]),
    )
    return list(session.scalars(query))


def _when(session: Session, row: WorkItem) -> int | None:
    """When the photo was taken that an item is about."""
    photo = session.get(Photo, row.subject)
    return None if photo is None else photo.captured_ms


def _held(session: Session, photo: str) -> bool:
    row = session.get(Photo, photo)
    return row is not None and row.state == State.HELD


def _conditions(which: Filter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if which.kinds:
        found.append(WorkItem.kind.in_([kind.value for kind in which.kinds]))
    for column, wanted in (
        (WorkItem.ward, which.ward),
        (WorkItem.bed, which.bed),
        (WorkItem.owner, which.owner),
        (WorkItem.patient, which.patient),
        (WorkItem.device, which.device),
        (WorkItem.subject, which.subject),
    ):
        if wanted is not None:
            found.append(column == wanted)
    if which.open is not None:
        found.append(
            WorkItem.closed_ms.is_(None) if which.open else WorkItem.closed_ms.is_not(None)
        )
    if which.escalated is not None:
        is_so = WorkItem.escalated_ms.is_not(None)
        found.append(is_so if which.escalated else ~is_so)
    return found


def _row(session: Session, item: int, *, lock: bool = False) -> WorkItem:
    row = session.get(WorkItem, item, with_for_update=lock or None)
    if row is None:
        raise NotDone(f"there is no item {item} on the worklist")
    return row


def _open_row(session: Session, item: int) -> WorkItem:
    row = _row(session, item, lock=True)
    if row.closed_ms is not None:
        raise NotDone(f"item {item} was closed already, by {row.closed_by}")
    return row


def _refuse_what_is_not_theirs(row: WorkItem, governance: bool) -> None:
    """A note by whoever passes does not stand in for a decision of governance."""
    if row.kind == WorkKind.OBJECTION:
        raise NotDone("an objection is decided on its photo's page, by governance; that ends it")
    if row.kind == WorkKind.ALARM and not governance:
        raise NotDone("an alarm is closed by governance: assign it to somebody who may")


def _item(row: WorkItem) -> Item:
    return Item(
        id=row.id,
        kind=WorkKind(row.kind),
        why=row.why,
        device=row.device,
        subject=row.subject,
        photo=photo[1] if (photo := _PHOTO.fullmatch(row.subject)) else None,
        ward=row.ward,
        bed=row.bed,
        patient=row.patient,
        opened_ms=row.opened_ms,
        about_ms=row.about_ms,
        owner=row.owner,
        escalated_ms=row.escalated_ms,
        closed_ms=row.closed_ms,
        closed_by=row.closed_by,
        note=row.note,
    )
