"""What a person may see and do. One table, asked by every page.

ward         the photos and the worklist: who cares for patients
governance   what was attested, who looked, what was shared, and the ledgers: who answers for it
fleet        the devices, without a photo: who keeps them running
"""

from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """A person may have several."""

    WARD = "ward"
    GOVERNANCE = "governance"
    FLEET = "fleet"


class Area(StrEnum):
    """A part of the console."""

    PHOTOS = "photos"
    WORKLIST = "worklist"
    LEDGERS = "ledgers"
    QUESTIONS = "questions"
    SHARES = "shares"
    DEVICES = "devices"
    DECISIONS = "decisions"


MAY: Final[dict[Area, frozenset[Role]]] = {
    Area.PHOTOS: frozenset({Role.WARD, Role.GOVERNANCE}),
    Area.WORKLIST: frozenset({Role.WARD, Role.GOVERNANCE}),
    Area.LEDGERS: frozenset({Role.GOVERNANCE}),
    Area.QUESTIONS: frozenset({Role.GOVERNANCE}),
    Area.SHARES: frozenset({Role.GOVERNANCE}),
    Area.DEVICES: frozenset({Role.FLEET, Role.GOVERNANCE}),
    Area.DECISIONS: frozenset({Role.GOVERNANCE}),
}


def areas_of(roles: frozenset[Role]) -> tuple[Area, ...]:
    """Return what these roles may open, in the order of the menu."""
    return tuple(area for area in Area if MAY[area] & roles)
