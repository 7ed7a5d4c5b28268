"""What a FHIR R4 Encounter says of its patient's whereabouts, as movements.

A dateTime may be a year, a month or a day (FHIR R4, 2.24.0.1, dateTime). That is an interval, and
no moment in it is the right one: who looks at a photo taken in it has to doubt.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from gateway.beds import Place
from gateway.identity.stays import Moved, Movement

_NOT_REAL: Final = ("cancelled", "entered-in-error", "planned")
_NOT_YET: Final = ("planned", "reserved")
_PARTIAL: Final = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?", re.ASCII)
_EAST: Final = timedelta(hours=14)
_WEST: Final = timedelta(hours=12)
_EVER: Final = 1 << 62


@dataclass(frozen=True)
class Span:
    """When something was, in milliseconds since 1970 UTC: from ``low`` up to ``high``."""

    low: int
    high: int

    @property
    def exact(self) -> bool:
        return self.low == self.high

    def holds(self, at_ms: int, near_ms: int) -> bool:
        """Tell whether a moment is in it, or so near to it."""
        return self.low - near_ms <= at_ms <= self.high + near_ms


@dataclass(frozen=True)
class History:
    """An encounter's movements; they are right but for the moments in ``unsure``."""

    movements: tuple[Movement, ...] = ()
    unsure: tuple[Span, ...] = ()


@dataclass(frozen=True)
class _Period:
    place: Place
    start: Span
    end: Span | None


def history(encounter: dict[str, Any], bed: Callable[[str], Place | None]) -> History:
    """Read ``Encounter.location``; ``bed`` tells the bed that a reference to a Location is.

    Raises ValueError and its like for what no FHIR server gives.
    """
    if encounter.get("status") in _NOT_REAL:
        return History()
    periods: list[_Period] = []
    for stay in encounter.get("location", []):
        reference = stay["location"].get("reference")
        period = stay.get("period") or encounter.get("period") or {}
        if reference is None or stay.get("status") in _NOT_YET or "start" not in period:
            continue
        place = bed(reference)
        if place is not None:
            end = span(period["end"]) if "end" in period else None
            periods.append(_Period(place, span(period["start"]), end))
    bounds = [bound for one in periods for bound in (one.start, one.end) if bound is not None]
    return History(_movements(periods), tuple(bound for bound in bounds if not bound.exact))


def span(text: str) -> Span:
    """Return when a dateTime is. A date has no zone: it may be that day anywhere on earth."""
    partial = _PARTIAL.fullmatch(text)
    if partial is None:
        when = datetime.fromisoformat(text)
        if when.tzinfo is None:
            raise ValueError("a FHIR dateTime with a time and without a zone")
        return Span(_ms(when), _ms(when))
    year, month, day = (None if part is None else int(part) for part in partial.groups())
    assert year is not None
    first = datetime(year, month or 1, day or 1, tzinfo=UTC)
    if day is not None:
        last = first + timedelta(days=1)
    elif month is not None:
        last = (first + timedelta(days=31)).replace(day=1)
    else:
        last = first.replace(year=year + 1)
    return Span(_ms(first - _EAST), _ms(last + _WEST))


def _movements(periods: list[_Period]) -> tuple[Movement, ...]:
    """Put one moment in the place of each span, so that what came after another comes after it."""
    placed: list[tuple[Place, int, int | None]] = []
    left = -_EVER
    for one in sorted(periods, key=lambda each: (_low(each.end), each.start.low)):
        came = one.start.low
        if not one.start.exact and came < left < one.start.high:
            came = left
        went = None if one.end is None else max(came, one.end.low)
        left = left if went is None else max(left, went)
        placed.append((one.place, came, went))
    movements = [Movement(came, Moved.IN, place) for place, came, _ in placed]
    for number, (_, came, went) in enumerate(placed):
        others = placed[:number] + placed[number + 1 :]
        # Going into the next bed is going out of this one.
        if went is not None and not any(came <= other[1] <= went for other in others):
            movements.append(Movement(went, Moved.OUT, Place("", "")))
    return tuple(movements)


def _low(end: Span | None) -> int:
    return _EVER if end is None else end.low


def _ms(when: datetime) -> int:
    return int(when.timestamp() * 1000)
