"""Who dies where: the cards of the crash campaign, dealt from a seed.

A card is a victim and the points at which it is killed, one after the other: most have one
point; the others kill again while the first death is being recovered from. Every point that
the journey passes comes up once before any comes up twice.
"""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import pytest

from tests.faults.points import Point

KILLS_PER_JOURNEY = 10
MOST_PER_JOURNEY = 50

_EVERYWHERE = (
    Point.CONSENT,
    Point.CAMERA,
    Point.INTENT,
    Point.ENVELOPE,
    Point.SEALED,
    Point.ENTRIES,
    Point.RELEASED,
    Point.ARRIVING,
    Point.CHUNK,
    Point.FILING,
    Point.JPEG,
    Point.PAGE,
    Point.SIGNED,
    Point.DELIVERED,
    Point.RECEIPT,
    Point.WIPING,
    Point.GONE,
    Point.WIPED,
    Point.COUNTERSIGNED,
    Point.WINDOW,
    Point.UNDO,
)

# What a victim does and what it may be in the middle of; elsewhere its death is like any other.
_SEALING = (Point.INTENT, Point.ENVELOPE, Point.SEALED)
_SENDING = (Point.RELEASED, Point.ARRIVING, Point.CHUNK)
_FILING = (Point.FILING, Point.JPEG, Point.PAGE, Point.SIGNED, Point.DELIVERED)
_WIPING = (Point.RECEIPT, Point.WIPING, Point.GONE, Point.WIPED)
_LATER = (Point.COUNTERSIGNED, Point.UNDO)

_OF_INTEREST = {
    "panel": _EVERYWHERE,
    "darkroom": (Point.CONSENT, Point.CAMERA, *_SEALING, Point.RELEASED, Point.WINDOW),
    "uplink": (*_SEALING, Point.ENTRIES, *_SENDING, *_FILING, *_WIPING, *_LATER),
    "gateway": (*_SENDING, *_FILING, Point.WIPED, *_LATER),
    "broker": (Point.SEALED, *_SENDING, *_FILING, Point.WIPED, *_LATER),
    "power": _EVERYWHERE,
}

_TWICE = {
    "panel": (
        (("darkroom", Point.INTENT), ("panel", Point.LOST)),
        (("panel", Point.SEALED), ("panel", Point.BOOT)),
        (("panel", Point.RECEIPT), ("panel", Point.WIPED)),
        (("panel", Point.INTENT), ("panel", Point.LOST)),
    ),
    "gateway": ((("gateway", Point.CHUNK), ("gateway", Point.FILING)),),
    "power": (
        (("power", Point.INTENT), ("panel", Point.LOST)),
        (("power", Point.RELEASED), ("power", Point.LOST)),
    ),
}

_SHARES = {
    "panel": 0.25,
    "darkroom": 0.15,
    "uplink": 0.2,
    "gateway": 0.2,
    "broker": 0.15,
    "power": 0.05,
}


@dataclass(frozen=True)
class Blow:
    """Kill ``victim`` so many seconds after ``point`` was reached."""

    victim: str
    point: Point
    jitter: float


@dataclass(frozen=True)
class Leg:
    """One long journey of the campaign: cards ``first`` to ``first + count`` of a victim's deck."""

    victim: str
    seed: int
    first: int
    count: int

    def __str__(self) -> str:
        return f"{self.victim}-{self.seed}-{self.first}"

    def cards(self) -> list[tuple[Blow, ...]]:
        """Deal this leg's cards."""
        return list(islice(_deal(self.victim, self.seed), self.first, self.first + self.count))


def _deal(victim: str, seed: int) -> Iterator[tuple[Blow, ...]]:
    """Deal for ever: the whole deck, shuffled anew each time."""
    dice = random.Random(f"{victim} {seed}")
    deck = [*(((victim, point),) for point in _OF_INTEREST[victim]), *_TWICE.get(victim, ())]
    while True:
        dice.shuffle(deck)
        for card in deck:
            *first, (who, point) = card
            last = Blow(who, point, dice.choice((0.0, dice.uniform(0.0, 0.03))))
            yield (*(Blow(*blow, 0.0) for blow in first), last)


def legs(config: pytest.Config, victim: str) -> list[Leg]:
    """Share the campaign's kills out among journeys of equal length."""
    kills, seed = int(config.getoption("--kills")), int(config.getoption("--kill-seed"))
    share = max(1, math.ceil(kills * _SHARES[victim]))
    length = min(MOST_PER_JOURNEY, max(KILLS_PER_JOURNEY, kills // 20))
    return [
        Leg(victim, seed, first, min(length, share - first)) for first in range(0, share, length)
    ]


def parametrize(metafunc: pytest.Metafunc, victim: str) -> None:
    """Give a test its legs, two at a time: most of a journey is waiting."""
    found = legs(metafunc.config, victim)
    pairs = [tuple(found[i : i + 2]) for i in range(0, len(found), 2)]
    metafunc.parametrize("pair", pairs, ids=[" and ".join(map(str, pair)) for pair in pairs])
