"""One patient's photos, wound by wound, so that a wound can be followed over time.

Photos are of the same wound if their labels say so (``W2 HEEL L``), or, where no label was read,
if a person has said the same site and side. Nobody guesses: what neither says stands apart. They
are shown to one scale, where a label gave each its own; where it did not, that is said.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import select

from gateway.finding import whose
from gateway.identity.tables import AssignmentRow
from gateway.sites import BodySiteRow
from gateway.store import Store
from gateway.tables import Photo, State

MOST: Final = 200
_SHOWN: Final = (State.FILED, State.HELD, State.UNDONE)
_PARTS: Final = {1: 1, 2: 2, 5: 5, 10: 10, 20: 4, 50: 5, 100: 10, 200: 4, 500: 5}
_BARS_MM: Final = tuple(_PARTS)


@dataclass(frozen=True)
class View:
    """One photo of a series. ``width_mm``: what the whole picture spans, at the label's plane."""

    photo: str
    captured_ms: int
    state: str
    objection: str
    poor: bool
    width: int
    height: int
    width_mm: float | None
    note: str


@dataclass(frozen=True)
class Wound:
    """Photos of one wound, oldest first. ``name`` is empty where nothing says which it is.

    ``poor`` are those that the device found blurred, dark or bright: shown when asked for.
    """

    name: str
    good: tuple[View, ...]
    poor: tuple[View, ...]

    @property
    def widest_mm(self) -> float | None:
        """How much the widest picture with a scale spans."""
        return max((v.width_mm for v in (*self.good, *self.poor) if v.width_mm), default=None)


@dataclass(frozen=True)
class Series:
    """A patient's wounds, named ones first; ``more``: there are older photos than these."""

    wounds: tuple[Wound, ...]
    photos: int
    more: bool


def of_patient(store: Store, patient: str) -> Series:
    """Return the series of the patient whose the photos are now."""
    with store.read() as session:
        rows = list(
            session.scalars(
                select(Photo)
                .where(whose(patient))
                .order_by(Photo.captured_ms.desc(), Photo.photo)
                .limit(MOST + 1)
            )
        )
        more = len(rows) > MOST
        # Sorted out here: with a state in the query a database looks through all photos for it.
        rows = [row for row in rows[:MOST] if row.state in _SHOWN]
        ids = [row.photo for row in rows]
        said = {
            row.photo: row
            for row in session.scalars(
                select(BodySiteRow).where(BodySiteRow.photo.in_(ids)).order_by(BodySiteRow.id)
            )
        }
        carried = {
            row.photo: row
            for row in session.scalars(
                select(AssignmentRow)
                .where(AssignmentRow.photo.in_(ids))
                .order_by(AssignmentRow.number)
            )
        }
    wounds: dict[str, list[View]] = {}
    for row in reversed(rows):
        person = said.get(row.photo)
        name = row.label or _words(person, carried.get(row.photo))
        wounds.setdefault(name, []).append(_view(row, person.note if person else ""))
    return Series(
        tuple(
            Wound(
                name,
                tuple(view for view in wounds[name] if not view.poor),
                tuple(view for view in wounds[name] if view.poor),
            )
            for name in sorted(wounds, key=lambda name: (not name, name))
        ),
        len(rows),
        more,
    )


def _words(said: BodySiteRow | None, carried: AssignmentRow | None) -> str:
    if said is not None and said.code:
        return " ".join(word for word in (said.side, said.display) if word)
    if carried is not None and carried.site_code:
        return " ".join(word for word in (carried.site_side, carried.site_display) if word)
    return ""


@dataclass(frozen=True)
class Ruler:
    """A bar for the picture's own plane: ``mm`` long, ``px`` of the picture, with ``parts``."""

    mm: int
    px: float
    parts: int


def ruler(width: int, width_mm: float | None) -> Ruler | None:
    """Return the longest round bar within a third of the picture's width, if it has a scale."""
    if width_mm is None:
        return None
    bar = max((mm for mm in _BARS_MM if mm <= width_mm / 3), default=None)
    return None if bar is None else Ruler(bar, bar / width_mm * width, _PARTS[bar])


def width_mm(row: Photo) -> float | None:
    """How many millimetres a whole picture spans at its label's plane; None without a scale."""
    if row.nm_per_px is None or not row.width:
        return None
    return row.width * row.nm_per_px / 1_000_000


def _view(row: Photo, note: str) -> View:
    return View(
        photo=row.photo,
        captured_ms=row.captured_ms,
        state=row.state,
        objection=row.objection,
        poor=row.poor,
        width=row.width,
        height=row.height,
        width_mm=width_mm(row),
        note=note,
    )
