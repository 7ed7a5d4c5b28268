"""From movements (admitted, transferred, discharged) to stays: who was in which bed, and when.

Movements may come late and in any order, so nothing is worked out when they come: they are kept,
and a stay is what they amount to when they are put in the order in which they happened.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from gateway.beds import Place


class Moved(StrEnum):
    """What happened: into a place, a place mentioned by the way, out, or all of it annulled."""

    IN = "in"
    MENTIONED = "mentioned"
    OUT = "out"


@dataclass(frozen=True)
class Movement:
    """One movement of an encounter; ``place`` is empty (ward and bed) where it goes out."""

    at_ms: int
    moved: Moved
    place: Place


@dataclass(frozen=True)
class Stay:
    """A patient in a bed from ``from_ms`` up to ``to_ms``; None: still there."""

    patient: str
    encounter: str
    place: Place
    from_ms: int
    to_ms: int | None = None

    def covers(self, at_ms: int) -> bool:
        return self.from_ms <= at_ms and (self.to_ms is None or at_ms < self.to_ms)

    def changes_near(self, at_ms: int, within_ms: int) -> bool:
        """Tell whether it begins or ends so close to a moment."""
        ends = (self.from_ms,) if self.to_ms is None else (self.from_ms, self.to_ms)
        return any(abs(end - at_ms) <= within_ms for end in ends)


def stays_of(patient: str, encounter: str, movements: Iterable[Movement]) -> tuple[Stay, ...]:
    """Return the stays that an encounter's movements amount to, in order."""
    stays: list[Stay] = []
    since: tuple[Place, int] | None = None

    def leave(at_ms: int) -> None:
        if since is not None:
            stays.append(Stay(patient, encounter, since[0], since[1], at_ms))

    # To the minute, a transfer and the discharge may be one: then the discharge came last.
    for movement in sorted(movements, key=lambda one: (one.at_ms, one.moved is Moved.OUT)):
        if movement.moved is Moved.OUT:
            leave(movement.at_ms)
            since = None
        elif since is None and movement.moved is Moved.MENTIONED:
            continue  # a correction of what is over opens no bed again
        elif since is None or since[0] != movement.place:
            leave(movement.at_ms)
            since = (movement.place, movement.at_ms)
    if since is not None:
        stays.append(Stay(patient, encounter, *since))
    return tuple(stays)
