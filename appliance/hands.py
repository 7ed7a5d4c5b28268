"""What two gloved hands mean: button edges become gestures.

CONSENT acts when it is let go and only if CAPTURE was up all the while; then a hold, a lean
or a wipe over both buttons never gives a consent. CAPTURE acts when it goes down. CONSENT
held alone for two seconds is a HOLD, both held for three seconds are BOTH; whatever was held
means nothing more when it is let go. A press that began before the screen changed under the
finger is void as well (``disarm``): it was meant for another question.

Pure. Times are monotonic nanoseconds.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from appliance.signals import CaptureDown, CaptureUp, ConsentDown, ConsentUp, Event

SECOND: Final = 1_000_000_000
HOLD: Final = 2 * SECOND
BOTH: Final = 3 * SECOND


class Gesture(StrEnum):
    """What a press means."""

    CONSENT = "CONSENT"
    CAPTURE = "CAPTURE"
    HOLD = "CONSENT held 2 s"
    BOTH = "both held 3 s"


@dataclass(frozen=True, slots=True)
class Hands:
    """Which buttons are down, since when, and whether CONSENT's press still counts."""

    consent: int | None = None
    capture: int | None = None
    both: int | None = None
    void: bool = False


def feel(hands: Hands, event: Event) -> tuple[Hands, Gesture | None]:
    """Take in a button event (any other changes nothing); return the gesture it completes."""
    match event:
        case ConsentDown(at) if hands.consent is None:
            leaning = hands.capture is not None
            both = at if leaning else None
            return replace(hands, consent=at, void=leaning, both=both), None
        case CaptureDown(at) if hands.capture is None:
            leaning = hands.consent is not None
            both = at if leaning else None
            return replace(hands, capture=at, void=hands.void or leaning, both=both), (
                Gesture.CAPTURE
            )
        case ConsentUp() if hands.consent is not None:
            gesture = None if hands.void else Gesture.CONSENT
            return replace(hands, consent=None, both=None, void=False), gesture
        case CaptureUp() if hands.capture is not None:
            return replace(hands, capture=None, both=None), None
    return hands, None


def deadlines(hands: Hands) -> list[tuple[int, Gesture]]:
    """Return when the buttons now down will become a gesture by being held."""
    due = []
    if hands.consent is not None and not hands.void:
        due.append((hands.consent + HOLD, Gesture.HOLD))
    if hands.both is not None:
        due.append((hands.both + BOTH, Gesture.BOTH))
    return due


def spent(hands: Hands, gesture: Gesture) -> Hands:
    """Return the hands after a held gesture has acted: it acts once, and the rest is void."""
    held = replace(hands, void=hands.consent is not None)
    return replace(held, both=None) if gesture is Gesture.BOTH else held


def disarm(hands: Hands) -> Hands:
    """Return the hands with CONSENT's present press meaning nothing more."""
    return replace(hands, void=hands.consent is not None)
