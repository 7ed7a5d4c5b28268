"""The nurse's table: in each mode, what each press means and what passing time does.

Read a row as a sentence: in this mode, on this cue, if this holds, do that and go there. The
first row that fits is taken. A cue without a row means nothing in that mode. The table is the
button table of the product's promise, whole; docs/session.md is drawn from it by
scripts/draw_session.py, and a test holds the two together.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from appliance import answers as a
from appliance import window
from appliance.answers import Action, Guard
from appliance.hands import Gesture
from appliance.menu import BASES, Item
from appliance.state import Mode, State
from appliance.window import Step


class Cue(StrEnum):
    """What a mode reacts to besides the gestures of ``appliance.hands``."""

    MENU_OVER = "10 s without a press"
    QUIET = "60 s without a press"
    LIMIT = "5 min"
    OTHER_BAND = "a different wristband"
    CAMERA = "the camera fails"
    LEDGER = "the ledger fails"
    STUCK = "a button is stuck"
    CLEANED = "30 s"


@dataclass(frozen=True, slots=True)
class Row:
    """On ``cue``, if ``when`` holds: ``do``, then be in mode ``then``.

    ``shows`` is what the screen answers, for the diagram.
    """

    cue: Gesture | Cue
    do: Action
    then: Mode
    when: Guard = a.always
    shows: str = ""


_IDLE, _OPEN, _CLEANING = Mode.IDLE, Mode.OPEN, Mode.CLEANING
_IDLE_MENU, _WINDOW_MENU = Mode.IDLE_MENU, Mode.WINDOW_MENU
_CONSENT, _CAPTURE, _HOLD, _BOTH = Gesture.CONSENT, Gesture.CAPTURE, Gesture.HOLD, Gesture.BOTH

_OVER: Final = (
    Row(Cue.QUIET, a.ask_anew("quiet"), _IDLE, shows="NEW? ASK"),
    Row(Cue.LIMIT, a.ask_anew("limit"), _IDLE, shows="NEW? ASK"),
    Row(Cue.OTHER_BAND, a.ask_anew("other-band"), _IDLE, shows="NEW? ASK"),
    Row(Cue.CAMERA, a.closed_already, _IDLE, shows="CAMERA FAULT"),
    Row(Cue.LEDGER, a.shut("ledger-fault", hurry=True), _IDLE, shows="LEDGER FAULT"),
    Row(Cue.STUCK, a.shut("button-stuck"), _IDLE, shows="STUCK"),
)
"""How a window ends without the nurse, whether its menu is open or not."""

TABLE: Final[dict[Mode, tuple[Row, ...]]] = {
    Mode.IDLE: (
        Row(_CONSENT, a.ignore, _IDLE, when=a.repeated),
        Row(_CONSENT, a.refuse, _IDLE, when=a.consent_refused, shows="the reason"),
        Row(_CONSENT, a.open_window, _OPEN, shows="CARE ONLY"),
        Row(_CAPTURE, a.ignore, _IDLE, when=a.left_menu),
        Row(_CAPTURE, a.no_consent, _IDLE, shows="NO CONSENT"),
        Row(_HOLD, a.show_idle_menu, _IDLE_MENU),
        Row(_BOTH, a.clean, _CLEANING, shows="CLEANING"),
    ),
    Mode.OPEN: (
        Row(_CONSENT, a.ignore, _OPEN, when=a.repeated),
        Row(_CONSENT, window.finish, _IDLE, shows="FINISHED"),
        Row(_CAPTURE, a.ignore, _OPEN, when=a.left_menu),
        Row(_CAPTURE, a.busy, _OPEN, when=a.spool_full, shows="BUSY"),
        Row(_CAPTURE, window.wait, _OPEN, when=a.camera_not_ready, shows="WAIT"),
        Row(_CAPTURE, window.take, _OPEN, shows="KEPT 2"),
        Row(_HOLD, a.show_window_menu, _WINDOW_MENU),
        Row(_BOTH, a.close_and_clean, _CLEANING, shows="CLEANING"),
        *_OVER,
    ),
    Mode.IDLE_MENU: (
        Row(_CONSENT, a.next_item, _IDLE_MENU),
        Row(_CAPTURE, a.back, _IDLE, when=a.on(Item.BACK)),
        Row(_CAPTURE, a.cannot_log, _IDLE, when=a.on(Item.UNDO_WINDOW, when=a.ledger_broken)),
        Row(_CAPTURE, a.undo_closed, _IDLE, when=a.on(Item.UNDO_WINDOW), shows="UNDONE"),
        Row(_CAPTURE, a.refuse, _IDLE, when=a.on(*BASES, when=a.consent_refused)),
        Row(_CAPTURE, a.open_on_basis, _OPEN, when=a.on(*BASES), shows="CARE ONLY"),
        Row(_BOTH, a.clean, _CLEANING, shows="CLEANING"),
        Row(Cue.MENU_OVER, a.leave_late, _IDLE),
        Row(Cue.STUCK, a.back, _IDLE, shows="STUCK"),
    ),
    Mode.WINDOW_MENU: (
        Row(_CONSENT, a.next_item, _WINDOW_MENU),
        Row(_CAPTURE, a.back, _OPEN, when=a.on(Item.BACK)),
        Row(
            _CAPTURE,
            a.nothing_there,
            _OPEN,
            when=a.on(Item.UNDO_LAST, Item.UNDO_ALL, when=a.nothing_to_undo),
            shows="NOTHING",
        ),
        Row(_CAPTURE, a.undo_last, _OPEN, when=a.on(Item.UNDO_LAST), shows="UNDONE"),
        Row(_CAPTURE, a.undo_all, _IDLE, when=a.on(Item.UNDO_ALL), shows="UNDONE"),
        Row(_CAPTURE, a.teach, _OPEN, when=a.on(Item.TEACHING), shows="+TEACHING"),
        Row(_BOTH, a.close_and_clean, _CLEANING, shows="CLEANING"),
        Row(Cue.MENU_OVER, a.leave_late, _OPEN),
        *_OVER,
    ),
    Mode.CLEANING: (Row(Cue.CLEANED, a.wake, _IDLE),),
}


def turn(state: State, cue: Gesture | Cue) -> Step:
    """Take the first row that fits; without one, nothing happens."""
    for row in TABLE[state.mode]:
        if row.cue is cue and row.when(state):
            after, effects = row.do(state)
            shown = after.menu if row.then in (_IDLE_MENU, _WINDOW_MENU) else None
            return replace(after, mode=row.then, menu=shown), effects
    return state, ()
