"""What the nurse's table asks and does: its guards and its actions, one small function each.

A guard looks at the state and says whether a row fits. An action takes the state and returns
the next one with its effects; what the window and the darkroom do is in
``appliance.window``. Their first lines are the words of the diagram in docs/session.md. Pure.
"""

from collections.abc import Callable
from dataclasses import replace

from appliance import menu, window
from appliance import photos as life
from appliance.hands import disarm
from appliance.menu import BASES, Item
from appliance.photos import Stage
from appliance.signals import Buzz, Buzzer
from appliance.state import (
    AFTER_MENU,
    CLEANING,
    REPEATED,
    Darkroom,
    Say,
    State,
    no_room,
    refusal,
    say,
    undo_window,
)
from appliance.window import Step

_HERE = (Stage.TAKEN, Stage.SEALED)
"""A photo that far has not left the device."""

Guard = Callable[[State], bool]
Action = Callable[[State], Step]


# -- guards ---------------------------------------------------------------------------------


def always(_: State) -> bool:
    """Otherwise."""
    return True


def repeated(state: State) -> bool:
    """Less than 2 s after opening or closing."""
    since = state.window.opened if state.window else state.closed.at if state.closed else None
    return since is not None and state.now - since < REPEATED


def consent_refused(state: State) -> bool:
    """Ledger, screen or camera at fault, spool full, camera still closing."""
    return refusal(state) is not None


def left_menu(state: State) -> bool:
    """Less than 1 s after the menu went away by itself."""
    return state.now < state.capture_dead


def camera_not_ready(state: State) -> bool:
    """The camera is not ready."""
    return state.darkroom is not Darkroom.READY


def spool_full(state: State) -> bool:
    """There is no room for another photo."""
    return no_room(state)


def ledger_broken(state: State) -> bool:
    """The ledger cannot be written."""
    return bool(state.ledger_fault)


def nothing_to_undo(state: State) -> bool:
    """No photo is left to undo."""
    return not life.undoable(state.photos, state.open_window.id)


# -- actions --------------------------------------------------------------------------------


def ignore(state: State) -> Step:
    """Nothing."""
    return state, ()


def back(state: State) -> Step:
    """Back to where it was."""
    return state, ()


def closed_already(state: State) -> Step:
    """The darkroom has taken the window with it."""
    return state, ()


def open_window(state: State) -> Step:
    """Log CONSENT, lamp on, camera on."""
    return window.open_window(state)


def open_on_basis(state: State) -> Step:
    """Log CONSENT with this basis, lamp on, camera on."""
    return window.open_window(state, BASES[_item(state)])


def refuse(state: State) -> Step:
    """Say why not."""
    why = refusal(state)
    return (state if why is None else say(state, why)), (Buzz(Buzzer.REFUSED),)


def no_consent(state: State) -> Step:
    """Camera stays off."""
    return say(state, Say.NO_CONSENT), (Buzz(Buzzer.REFUSED),)


def busy(state: State) -> Step:
    """Say so."""
    return say(state, Say.BUSY), (Buzz(Buzzer.REFUSED),)


def show_idle_menu(state: State) -> Step:
    """Offer the bases, and undo for five minutes."""
    return replace(state, menu=menu.idle_menu(state.now, undo_window(state)), notice=None), (
        Buzz(Buzzer.MENU),
    )


def show_window_menu(state: State) -> Step:
    """Offer undo and teaching."""
    shown = menu.window_menu(state.now, state.open_window.level, state.open_window.basis)
    return replace(state, menu=shown, notice=None), (Buzz(Buzzer.MENU),)


def next_item(state: State) -> Step:
    """The next item."""
    shown = state.menu
    if shown is None:
        return state, ()
    index = (shown.index + 1) % len(shown.items)
    return replace(state, menu=replace(shown, index=index, touched=state.now)), ()


def leave_late(state: State) -> Step:
    """Back; CAPTURE is dead for 1 s."""
    return replace(state, capture_dead=state.now + AFTER_MENU), ()


def nothing_there(state: State) -> Step:
    """Say that there is nothing to undo."""
    return say(state, Say.NOTHING), (Buzz(Buzzer.REFUSED),)


def cannot_log(state: State) -> Step:
    """Say that it cannot be logged, so it is not done."""
    return say(state, Say.LEDGER), (Buzz(Buzzer.REFUSED),)


def undo_last(state: State) -> Step:
    """Log UNDO for the last photo; wipe it if it is still here."""
    ns = life.undoable(state.photos, state.open_window.id)[-1:]
    sent = any(photo.n in ns and photo.stage not in _HERE for photo in state.photos)
    photos, effects = life.undo(state.photos, ns)
    state = replace(state, photos=photos)
    # One that is still here says UNDONE itself, as soon as it is wiped.
    return say(state, Say.UNDO_SENT) if sent else state, effects


def undo_all(state: State) -> Step:
    """Log UNDO for all photos of the window and close it: nobody agrees any more."""
    ns = life.undoable(state.photos, state.open_window.id)
    photos, undone = life.undo(state.photos, ns)
    after, closed = window.close(replace(state, photos=photos), "undone")
    return after, (*undone, *closed)


def undo_closed(state: State) -> Step:
    """Log UNDO for all photos of that window; wipe those that are still here."""
    ns = life.undoable(state.photos, state.menu.window) if state.menu else ()
    if not ns:
        return nothing_there(state)
    photos, effects = life.undo(state.photos, ns)
    return replace(state, photos=photos), effects


def teach(state: State) -> Step:
    """Log CONSENT for teaching; it holds for later photos."""
    return window.teach(state)


def clean(state: State) -> Step:
    """Presses are ignored."""
    return replace(state, notice=None, cleaning=state.now + CLEANING), ()


def close_and_clean(state: State) -> Step:
    """Close the window; presses are ignored."""
    after, effects = window.close(state, "cleaning")
    return replace(after, cleaning=state.now + CLEANING), effects


def wake(state: State) -> Step:
    """Presses count again; one that is still held does not."""
    return replace(state, hands=disarm(state.hands)), ()


def ask_anew(why: str) -> Action:
    """Build the action that closes a window nobody finished."""

    def close(state: State) -> Step:
        return window.close(state, why, ask=True)

    close.__doc__ = "Close: the next photo needs a new question."
    return close


def shut(why: str, *, hurry: bool = False) -> Action:
    """Build the action that closes the window because of a fault."""

    def close(state: State) -> Step:
        return window.close(state, why, hurry=hurry)

    close.__doc__ = "Close the window."
    return close


def on(*items: Item, when: Guard = always) -> Guard:
    """Build the guard: the menu shows one of ``items``, and ``when`` holds."""

    def shown(state: State) -> bool:
        return state.menu is not None and state.menu.item in items and when(state)

    names = ", ".join(items)
    shown.__doc__ = f"{names}." if when is always else f"{names}: {when.__doc__}"
    return shown


def _item(state: State) -> Item:
    if state.menu is None:
        raise LookupError("no menu is open")
    return state.menu.item
