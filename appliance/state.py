"""What the session remembers between two events, all of it immutable and bounded.

Pure. Times are monotonic nanoseconds.
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from appliance import photos as life
from appliance.hands import SECOND, Hands
from appliance.menu import Menu
from appliance.photos import Photo
from appliance.signals import Line
from wire.events import Basis, Level
from wire.reasons import Reason

REPEATED: Final = 2 * SECOND
QUIET: Final = 60 * SECOND
LIMIT: Final = 300 * SECOND
CLEANING: Final = 30 * SECOND
AFTER_MENU: Final = 1 * SECOND
FINISHING: Final = 10 * SECOND
ENDING: Final = 10 * SECOND
RETRY_WITHIN: Final = 9 * SECOND + SECOND // 2
NOTICE: Final = 3 * SECOND
SEEN: Final = 1 * SECOND
FADE: Final = 60 * SECOND


class Mode(StrEnum):
    """What a press means now."""

    IDLE = "IDLE"
    OPEN = "OPEN"
    IDLE_MENU = "IDLE MENU"
    WINDOW_MENU = "WINDOW MENU"
    CLEANING = "CLEANING"


class Darkroom(StrEnum):
    """What the camera's process is doing; the lamp is on in every state but NONE."""

    NONE = "NONE"
    OPENING = "OPENING"
    READY = "READY"
    RETRYING = "RETRYING"
    FINISHING = "FINISHING"
    ENDING = "ENDING"
    BLOCKED = "BLOCKED"


class Say(StrEnum):
    """A short notice on the screen, in the words of ``appliance.wording``."""

    NO_CONSENT = "no_consent"
    KEPT = "kept"
    POOR = "poor"
    FINISHED = "finished"
    BUSY = "busy"
    WAIT = "wait"
    NOTHING = "nothing"
    TEACHING = "teaching"
    BAND = "band"
    SEVERAL_BANDS = "several_bands"
    BADGE = "badge"
    CAMERA = "camera"
    LEDGER = "ledger"
    SCREEN = "screen"
    KEYS = "keys"
    UNDO_SENT = "undo_sent"
    UNDONE = "undone"


class Bad(StrEnum):
    """A bad outcome, worst first: it stays on the screen until somebody presses."""

    LOST = "lost"
    REJECTED = "rejected"
    CAMERA = "camera"


@dataclass(frozen=True, slots=True)
class Window:
    """An open consent window.

    ``band``: a wristband was read, ``several``: more than one, side by side; ``badge``: a badge
    was read and is on the ledger. All three are the darkroom's word, and end with it.
    """

    id: int
    opened: int
    touched: int
    level: Level
    basis: Basis
    taken: int = 0
    waiting: bool = False
    retried: bool = False
    band: bool = False
    several: bool = False
    badge: bool = False


@dataclass(frozen=True, slots=True)
class Closed:
    """The latest window that closed: ``ask`` when nobody finished it (NEW? ASK)."""

    id: int
    at: int
    taken: int
    ask: bool


@dataclass(frozen=True, slots=True)
class Notice:
    """Something said for a moment; ``count`` goes with it where it has one."""

    say: Say
    until: int
    count: int = 0


@dataclass(frozen=True, slots=True)
class Alert:
    """A bad outcome that nobody has pressed away yet; ``reason``: the hospital's, if it has one."""

    bad: Bad
    since: int
    count: int = 1
    reason: Reason = Reason.UNSPECIFIED


@dataclass(frozen=True, slots=True)
class State:
    """The session. ``release_ns``: how long a sealed photo is held back (``release_seconds``).

    ``now`` is the latest time heard of, ``next_n`` the number of the next photo. The faults
    hold until an event ends them; ``stuck`` until the button comes up.
    """

    now: int
    next_n: int
    release_ns: int
    mode: Mode = Mode.IDLE
    darkroom: Darkroom = Darkroom.NONE
    darkroom_since: int = 0
    hands: Hands = field(default_factory=Hands)
    window: Window | None = None
    windows: int = 0
    closed: Closed | None = None
    menu: Menu | None = None
    cleaning: int = 0
    capture_dead: int = 0
    photos: tuple[Photo, ...] = ()
    notice: Notice | None = None
    alerts: tuple[Alert, ...] = ()
    online: bool = False
    refused: Reason | None = None
    full: bool = False
    ledger_fault: str = ""
    screen_fault: bool = False
    keys_ended: bool = False
    camera_fault: str = ""
    stuck: tuple[Line, ...] = ()
    touched: int = 0

    @property
    def open_window(self) -> Window:
        """The window; only to be asked for while one is open."""
        if self.window is None:
            raise LookupError("no consent window is open")
        return self.window


def say(state: State, what: Say, count: int = 0) -> State:
    """Put a notice on the screen."""
    return replace(state, notice=Notice(what, state.now + NOTICE, count))


def alert(state: State, bad: Bad, count: int = 1, reason: Reason = Reason.UNSPECIFIED) -> State:
    """Put a bad outcome on the screen until somebody presses; equal ones are counted."""
    others = tuple(a for a in state.alerts if a.bad is not bad)
    known = sum(a.count for a in state.alerts if a.bad is bad)
    return replace(state, alerts=(*others, Alert(bad, state.now, known + count, reason)))


def seen(state: State) -> State:
    """A press has been made: outcomes that could be read by now have been."""
    left = tuple(a for a in state.alerts if state.now - a.since < SEEN)
    closed = state.closed
    if closed is not None and closed.ask and state.now - closed.at >= SEEN:
        closed = replace(closed, ask=False)
    return replace(state, alerts=left, closed=closed, touched=state.now)


def refusal(state: State) -> Say | None:
    """Return why no consent can be taken now, or None."""
    if state.ledger_fault:
        return Say.LEDGER
    if state.screen_fault:
        return Say.SCREEN
    if state.keys_ended:
        return Say.KEYS
    if state.camera_fault or state.darkroom is Darkroom.BLOCKED:
        return Say.CAMERA
    if no_room(state):
        return Say.BUSY
    if state.darkroom is not Darkroom.NONE:
        return Say.WAIT
    return None


def no_room(state: State) -> bool:
    """Say whether another photo would have no place to go."""
    return (
        state.full
        or len(state.photos) >= life.MOST_REMEMBERED
        or life.in_darkroom(state.photos) >= life.MOST_IN_DARKROOM
    )


def undo_window(state: State) -> int | None:
    """Return the latest closed window that still has photos on offer to undo, or None."""
    offered = (
        photo.window
        for photo in state.photos
        if photo.undoable and photo.kept_until is not None and state.now < photo.kept_until
    )
    return max(offered, default=None)


def forget(state: State) -> State:
    """Drop the photos that nothing is awaited from and that can no longer be undone."""
    kept = tuple(
        photo
        for photo in state.photos
        if not photo.settled or photo.kept_until is None or state.now < photo.kept_until
    )
    return state if len(kept) == len(state.photos) else replace(state, photos=kept)
