"""Finding photos: by day, place, device, level, status, patient; page by page, newest first.

What console and API call. A page begins behind a cursor (the last photo that was shown), not at a
number: with a hundred thousand photos the last page costs what the first one does, and a photo
that arrives meanwhile moves nothing. Days are days in UTC.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import aliased

from base.errors import FormatError
from gateway.identity.tables import AssignmentRow
from gateway.store import Store
from gateway.tables import Photo, State
from wire.events import Level

PAGE: Final = 60
COUNTED: Final = 10_000
"""Beyond this many nobody counts: the number would cost more than the page."""
_CURSOR: Final = re.compile(r"(-?[0-9]{1,18})-([0-9a-f]{64})")
_LONGEST: Final = 100


@dataclass(frozen=True)
class Wanted:
    """Which photos; empty means all. ``older``, ``newer``: cursors, at most one of them."""

    first: date | None = None
    last: date | None = None
    ward: str = ""
    bed: str = ""
    device: str = ""
    level: str = ""
    state: str = ""
    patient: str = ""
    older: str = ""
    newer: str = ""

    @classmethod
    def of(cls, asked: "dict[str, str]", *, today: date) -> "Wanted":
        """Read a query's parameters: ``day``, or ``from`` and ``to``, and the names above.

        With no day at all it is today's; ``day=`` means all days. Raises FormatError in words.
        """
        first, last = _day(asked, "from"), _day(asked, "to")
        if "day" in asked:
            day = _day(asked, "day")
            first, last = day or first, day or last
        elif "from" not in asked and "to" not in asked:
            first = last = today
        if first and last and first > last:
            raise FormatError("The first day must not be after the last.")
        state, level = asked.get("state", ""), asked.get("level", "")
        if state and state not in set(State):
            raise FormatError("There is no such status.")
        if level and level not in set(Level):
            raise FormatError("There is no such level.")
        older, newer = asked.get("older", ""), asked.get("newer", "")
        if any(cursor and not _CURSOR.fullmatch(cursor) for cursor in (older, newer)):
            raise FormatError("This page is not one of ours: begin again with the first one.")
        text = {
            name: asked.get(name, "")[:_LONGEST] for name in ("ward", "bed", "device", "patient")
        }
        return cls(first, last, level=level, state=state, older=older, newer=newer, **text)

    def query(self, **changed: str) -> dict[str, str]:
        """Return the parameters that ask for the same, without cursors unless ``changed``."""
        asked: dict[str, str] = {}
        if self.first is not None and self.first == self.last:
            asked["day"] = self.first.isoformat()
        else:
            asked["from"] = self.first.isoformat() if self.first else ""
            asked["to"] = self.last.isoformat() if self.last else ""
        for name in ("ward", "bed", "device", "level", "state", "patient"):
            if value := getattr(self, name):
                asked[name] = value
        return asked | changed

    def words(self) -> str:
        """Return what stands in the audit for this list."""
        return " ".join(f"{name}={value or '*'}" for name, value in self.query().items())


@dataclass(frozen=True)
class Found:
    """A page. ``older`` and ``newer`` are cursors of the pages beside it, empty if none.

    ``total`` is how many there are of all pages; at ``COUNTED`` there may be more.
    """

    photos: tuple[Photo, ...]
    total: int
    older: str
    newer: str


class Finder:
    """Reads the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def page(self, wanted: Wanted, *, size: int = PAGE) -> Found:
        """Return one page, the newest first."""
        conditions = _conditions(wanted)
        back = bool(wanted.newer)
        query = select(Photo).where(*conditions)
        if cursor := wanted.newer or wanted.older:
            query = query.where(_beyond(cursor, newer=back))
        order = (Photo.captured_ms, Photo.photo) if back else _NEWEST
        with self._store.read() as session:
            rows = list(session.scalars(query.order_by(*order).limit(size + 1)))
            total = session.scalar(_count(conditions)) or 0
        more, rows = len(rows) > size, rows[:size]
        if back:
            rows.reverse()
        # A page that was reached from the other side has that side's page beside it.
        older, newer = (True, more) if back else (more, bool(wanted.older))
        return Found(
            photos=tuple(rows),
            total=total,
            older=_cursor(rows[-1]) if rows and older else "",
            newer=_cursor(rows[0]) if rows and newer else "",
        )


_NEWEST: Final = (Photo.captured_ms.desc(), Photo.photo.desc())


def whose(patient: str) -> ColumnElement[bool]:
    """Tell whether a photo is this patient's now: his is its last assignment."""
    later = aliased(AssignmentRow)
    beyond = (
        select(later.number)
        .where(later.photo == AssignmentRow.photo, later.number > AssignmentRow.number)
        .exists()
    )
    mine = select(AssignmentRow.photo).where(AssignmentRow.patient == patient, ~beyond)
    return Photo.photo.in_(mine)


def day_bounds(first: date | None, last: date | None) -> list[ColumnElement[bool]]:
    """Return the conditions that a photo was taken from the first day to the last, in UTC."""
    found: list[ColumnElement[bool]] = []
    if first is not None:
        found.append(Photo.captured_ms >= _ms(first))
    if last is not None and last < date.max:
        found.append(Photo.captured_ms < _ms(last + timedelta(days=1)))
    return found


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    found = day_bounds(wanted.first, wanted.last)
    for column, value in (
        (Photo.ward, wanted.ward),
        (Photo.bed, wanted.bed),
        (Photo.device, wanted.device),
        (Photo.level, wanted.level),
        (Photo.state, wanted.state),
    ):
        if value:
            found.append(column == value)
    if wanted.patient:
        found.append(whose(wanted.patient))
    return found


def _count(conditions: list[ColumnElement[bool]]) -> Select[Any]:
    some = select(Photo.photo).where(*conditions).limit(COUNTED).subquery()
    return select(func.count()).select_from(some)


def _beyond(cursor: str, *, newer: bool) -> ColumnElement[bool]:
    found = _CURSOR.fullmatch(cursor)
    assert found is not None
    at, photo = int(found[1]), found[2]
    if newer:
        return and_(Photo.captured_ms >= at, or_(Photo.captured_ms > at, Photo.photo > photo))
    return and_(Photo.captured_ms <= at, or_(Photo.captured_ms < at, Photo.photo < photo))


def _cursor(row: Photo) -> str:
    return f"{row.captured_ms}-{row.photo}"


def _day(asked: "dict[str, str]", name: str) -> date | None:
    text = asked.get(name, "")
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as e:
        raise FormatError("A day must be like 2026-11-25.") from e


def _ms(day: date) -> int:
    return int(datetime.combine(day, datetime.min.time(), UTC).timestamp() * 1000)
