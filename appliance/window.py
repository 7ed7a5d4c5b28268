"""A consent window from the first ledger entry to the last, and the darkroom that serves it.

The window is what was consented to; the darkroom is the process with the camera. They are
two things: the window can be over while the darkroom still seals the last photo (FINISHING)
or has been told to end and has not yet (ENDING). The lamp follows the darkroom, never the
window: on before it is opened, off only when it has ended. A darkroom that cannot be ended is
BLOCKED, with the lamp on, and no new consent is taken.

A camera that does not come up gets one fresh darkroom, while the consent is young enough for
a darkroom to accept it.

Each function is one action: it takes the state and returns the next one with the effects, log
entries first. Pure.
"""

from dataclasses import replace
from typing import Final

from appliance import photos as life
from appliance import signals
from appliance.hands import disarm
from appliance.photos import Photo, Stage
from appliance.signals import Buzz, Buzzer, Effect
from appliance.state import (
    RETRY_WITHIN,
    Bad,
    Closed,
    Darkroom,
    Say,
    State,
    Window,
    alert,
    no_room,
    say,
)
from wire.events import Basis, Level

Step = tuple[State, tuple[Effect, ...]]

FAULTS: Final = {
    "no_camera": "no camera was found",
    "no_frames": "the camera gave no frames",
    "no_memory": "there was no memory for the camera",
    "stop_blocked": "the camera's process cannot be ended",
    "tuning_missing": "the camera's tuning file is missing",
    "not_permitted": "the camera may not be opened by this user",
    "darkroom_ended": "the camera's process ended by itself",
}
RETRIED: Final = ("no_frames", "no_memory")


def open_window(state: State, basis: Basis = Basis.AGREED) -> Step:
    """Log the consent, switch the lamp on, then open the camera: in this order (P1, P2)."""
    number = state.windows + 1
    window = Window(number, state.now, state.now, Level.CARE, basis)
    after = replace(
        _darkroom(state, Darkroom.OPENING),
        window=window,
        windows=number,
        closed=None,
        notice=None,
    )
    return after, (
        signals.LogConsent(Level.CARE, basis),
        signals.Lamp(True),
        signals.OpenDarkroom(),
        Buzz(Buzzer.OPENED),
    )


def take(state: State) -> Step:
    """Take a photo."""
    window = state.open_window
    photo = Photo(state.next_n, window.id, window.taken + 1, state.now, changed=state.now)
    after = replace(
        state,
        next_n=state.next_n + 1,
        photos=(*state.photos, photo),
        window=replace(window, taken=window.taken + 1, waiting=False),
    )
    return after, (signals.Capture(photo.n),)


def wait(state: State) -> Step:
    """The photo is taken as soon as the camera is ready."""
    return say(replace(state, window=replace(state.open_window, waiting=True)), Say.WAIT), ()


def teach(state: State) -> Step:
    """From now on photos of this window may be used for teaching, too."""
    window = replace(state.open_window, level=Level.TEACHING)
    return say(replace(state, window=window), Say.TEACHING), (signals.LogTeaching(),)


def close(state: State, why: str, *, ask: bool = False, hurry: bool = False) -> Step:
    """Close the window. The darkroom may finish what was taken, unless there is a ``hurry``.

    ``ask``: nobody finished it, so the next photo needs a new question (NEW? ASK).
    """
    window = state.open_window
    after = replace(
        state,
        window=None,
        closed=Closed(window.id, state.now, window.taken, ask),
        photos=life.shut(state.photos, state.now),
        hands=disarm(state.hands),
        notice=None,
        menu=None,
    )
    # A ledger that cannot be written must not keep the camera on.
    log = () if state.ledger_fault else (signals.LogWindow(why, window.taken),)
    if hurry or not life.in_darkroom(after.photos):
        after, more = _end(after)
    else:
        after, more = _darkroom(after, Darkroom.FINISHING), ()
    return after, (*log, *more, Buzz(Buzzer.CLOSED))


def finish(state: State) -> Step:
    """Close the window; what was taken is sealed first."""
    taken = state.open_window.taken
    after, effects = close(state, "finished")
    return say(after, Say.FINISHED, taken), effects


def camera_ready(state: State) -> Step:
    """The camera delivers; a photo that was waited for is taken now."""
    if state.darkroom is not Darkroom.OPENING:
        return state, ()
    after = _darkroom(state, Darkroom.READY)
    if not after.open_window.waiting:
        return after, ()
    if no_room(after):
        window = replace(after.open_window, waiting=False)
        return say(replace(after, window=window), Say.BUSY), ()
    return take(replace(after, notice=None))


def camera_fault(state: State, code: str) -> Step:
    """The camera failed: once more with a fresh darkroom, or the window is over."""
    if not code:
        return replace(state, camera_fault=""), ()
    match state.darkroom:
        case Darkroom.NONE:
            log = _log_fault(state, code) if code != state.camera_fault else ()
            return replace(state, camera_fault=code), log
        case _ if code == "stop_blocked":
            return blocked(state)
        case Darkroom.OPENING if code in RETRIED and _may_retry(state):
            retried = replace(state, window=replace(state.open_window, retried=True))
            return _darkroom(retried, Darkroom.RETRYING), (signals.CloseDarkroom(),)
        case Darkroom.OPENING | Darkroom.READY:
            return _failed(state, code)
        case Darkroom.FINISHING:
            after, effects = _end(alert(state, Bad.CAMERA))
            return after, (*_log_fault(state, code), *effects, Buzz(Buzzer.BAD))
    return state, ()


def darkroom_ended(state: State) -> Step:
    """The darkroom is gone: what it had not sealed is lost, and the lamp may go off."""
    if state.darkroom is Darkroom.NONE:
        return state, ()
    after, sound = _lose_unsealed(state)
    window = state.window
    retrying = state.darkroom is Darkroom.RETRYING
    if window is not None and (retrying or not window.retried) and _young(state, window):
        # What was read in its window the old one has taken with it.
        fresh = replace(window, retried=True, band=False, several=False, badge=False)
        reopened = replace(after, window=fresh)
        return _darkroom(reopened, Darkroom.OPENING), (signals.OpenDarkroom(), *sound)
    lamp_off = signals.Lamp(False)
    if window is None:
        return _darkroom(after, Darkroom.NONE), (lamp_off, *sound)
    code = "no_frames" if retrying else "darkroom_ended"
    after, effects = _failed(_darkroom(after, Darkroom.NONE), code)
    return after, (lamp_off, *effects)


def _lose_unsealed(state: State) -> Step:
    """Without a ledger no photo can be signed for: it may be here, sealed, and is not lost yet."""
    lost = life.in_darkroom(state.photos)
    if not lost or state.ledger_fault:
        return state, ()
    gone = tuple(
        replace(photo, stage=Stage.LOST, changed=state.now) if photo.stage is Stage.TAKEN else photo
        for photo in state.photos
    )
    return alert(replace(state, photos=gone), Bad.LOST, lost), (Buzz(Buzzer.BAD),)


def blocked(state: State) -> Step:
    """The darkroom cannot be ended: the lamp stays on and no new consent is taken."""
    if state.darkroom is Darkroom.BLOCKED:
        return state, ()
    if state.window is not None:
        after, effects = close(state, "camera-fault", hurry=True)
    else:
        after, effects = _end(state)
    after = _darkroom(alert(after, Bad.CAMERA), Darkroom.BLOCKED)
    return after, (*_log_fault(state, "stop_blocked"), *effects, Buzz(Buzzer.BAD))


def nothing_left(state: State) -> Step:
    """After a report about a photo: a finished window's darkroom ends with its last one."""
    if state.darkroom is Darkroom.FINISHING and not life.in_darkroom(state.photos):
        return _end(state)
    return state, ()


def took_too_long(state: State) -> Step:
    """The darkroom had its time: to finish, or to end."""
    if state.darkroom is Darkroom.FINISHING:
        return _end(state)
    return blocked(state)


def _darkroom(state: State, darkroom: Darkroom) -> State:
    return replace(state, darkroom=darkroom, darkroom_since=state.now)


def _end(state: State) -> Step:
    match state.darkroom:
        case Darkroom.NONE | Darkroom.BLOCKED:
            return state, ()
        case Darkroom.RETRYING | Darkroom.ENDING:
            return _darkroom(state, Darkroom.ENDING), ()
    return _darkroom(state, Darkroom.ENDING), (signals.CloseDarkroom(),)


def _may_retry(state: State) -> bool:
    window = state.open_window
    return not window.retried and _young(state, window)


def _young(state: State, window: Window) -> bool:
    """Whether a fresh darkroom would still accept this window's consent."""
    return state.now - window.opened <= RETRY_WITHIN


def _failed(state: State, code: str) -> Step:
    after, effects = close(alert(state, Bad.CAMERA), "camera-fault", hurry=True)
    return after, (*_log_fault(state, code), *effects, Buzz(Buzzer.BAD))


def _log_fault(state: State, code: str) -> tuple[Effect, ...]:
    if state.ledger_fault:
        return ()
    return (signals.LogFault(code, FAULTS.get(code, "the camera failed")),)
