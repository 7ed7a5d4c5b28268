"""What the session makes of the reports: darkroom, photos, ledger, screen, buttons.

Each function takes the state and a report and returns the next state with the effects, log
entries first, except that nothing is logged while the ledger cannot be written. Pure.
"""

from dataclasses import replace

from appliance import photos as life
from appliance import signals, window
from appliance.photos import Photo, PhotoEvent, Stage
from appliance.signals import Buzz, Buzzer, Effect, Line
from appliance.state import Bad, Darkroom, Say, State, alert, say
from appliance.table import Cue, turn
from appliance.window import Step
from wire.reasons import Reason, code_of


def camera(
    state: State, event: signals.CameraReady | signals.CameraFault | signals.DarkroomEnded
) -> Step:
    """Follow the darkroom; when it takes the window with it, leave the window's modes."""
    match event:
        case signals.CameraReady():
            state, effects = window.camera_ready(state)
        case signals.CameraFault(_, code):
            state, effects = window.camera_fault(state, code)
        case signals.DarkroomEnded():
            state, effects = window.darkroom_ended(state)
    if state.window is None:
        state, _ = turn(state, Cue.CAMERA)
    return state, effects


def band(state: State, several: bool) -> Step:
    """Say that a wristband was read, or that nobody can tell whose photo this would be."""
    window = state.window
    if window is None or (window.several if several else window.band):
        return state, ()
    if several:
        state = replace(state, window=replace(window, band=True, several=True))
        return say(state, Say.SEVERAL_BANDS), (Buzz(Buzzer.POOR),)
    return _read(replace(state, window=replace(window, band=True)), Say.BAND), (Buzz(Buzzer.MENU),)


def badge(state: State) -> Step:
    """Log the badge's ATTEST, then say that it was read."""
    window = state.window
    if window is None or window.badge:
        return state, ()
    state = _read(replace(state, window=replace(window, badge=True)), Say.BADGE)
    return state, (signals.LogAttest(), Buzz(Buzzer.MENU))


def _read(state: State, what: Say) -> State:
    """Say what was read, unless something that a press has led to is being said."""
    reading = (Say.BAND, Say.BADGE)
    busy = state.notice is not None and state.now < state.notice.until
    if busy and state.notice is not None and state.notice.say not in reading:
        return state
    return say(state, what)


def verdict(state: State, n: int, poor: tuple[str, ...]) -> Step:
    """Say how photo ``n`` has turned out; nothing is destroyed by a verdict."""
    photo = _photo_of(state, n)
    if photo is None or photo.undo:
        return state, ()
    state = put(state, replace(photo, poor=poor))
    state = say(state, Say.POOR if poor else Say.KEPT, photo.nth)
    return state, (Buzz(Buzzer.POOR if poor else Buzzer.KEPT),)


def ledger(state: State, why: str) -> Step:
    """Close the window and the camera; once the ledger works again, make up for lost undos."""
    if not why:
        return _undo_again(replace(state, ledger_fault=""))
    # The list of effects that failed may have held releases as well: they are due again.
    photos = tuple(
        replace(photo, due=state.now)
        if photo.stage is Stage.SEALED and photo.due is None and not photo.undo
        else photo
        for photo in state.photos
    )
    state, effects = turn(replace(state, ledger_fault=why, photos=photos), Cue.LEDGER)
    if state.darkroom is Darkroom.NONE:
        return state, effects
    # So may the order to close.
    if state.darkroom is not Darkroom.BLOCKED:
        state = replace(state, darkroom=Darkroom.ENDING, darkroom_since=state.now)
    others = tuple(e for e in effects if not isinstance(e, signals.CloseDarkroom))
    return state, (signals.CloseDarkroom(), *others)


def _undo_again(state: State) -> Step:
    owed = tuple(photo for photo in state.photos if photo.undo and not photo.settled)
    if not owed:
        return state, ()
    here = [photo.n for photo in owed if photo.stage is Stage.SEALED]
    log = signals.LogUndo(tuple(photo.n for photo in owed))
    return state, (log, *(signals.WipeUnsent(n) for n in here))


def screen(state: State, broken: bool) -> Step:
    """Without a screen an open window goes on, and no new one is opened."""
    news = broken and not state.screen_fault and not state.ledger_fault
    log = (signals.LogFault("screen", "the screen does not answer"),) if news else ()
    return replace(state, screen_fault=broken), log


def stuck(state: State, button: Line) -> Step:
    """With a stuck button nobody can end the window any more, so it ends."""
    if button in state.stuck:
        return state, ()
    state = replace(state, stuck=(*state.stuck, button))
    log: tuple[Effect, ...] = ()
    if not state.ledger_fault:
        log = (signals.LogFault(f"{button}_stuck", f"the {button} button does not come up"),)
    state, effects = turn(state, Cue.STUCK)
    return state, (*log, *effects, Buzz(Buzzer.BAD))


def photo_report(state: State, event: PhotoEvent) -> Step:
    """Follow one photo; a loss is said even of a photo that is not remembered."""
    photo = _photo_of(state, event.n)
    if photo is None:
        if isinstance(event, signals.LostPhoto):
            return alert(state, Bad.LOST), (Buzz(Buzzer.BAD),)
        return state, ()
    after, effects = life.tell(photo, event, state.release_ns)
    if after is photo:
        return state, ()
    state = put(state, after)
    sound: tuple[Effect, ...] = ()
    match after.stage:
        case Stage.LOST:
            state, sound = alert(state, Bad.LOST), (Buzz(Buzzer.BAD),)
        case Stage.REJECTED:
            why = code_of(event.why) if isinstance(event, signals.Rejected) else Reason.UNSPECIFIED
            state, sound = alert(state, Bad.REJECTED, reason=why), (Buzz(Buzzer.BAD),)
        case Stage.UNDONE if state.window is not None:
            state, sound = say(state, Say.UNDONE), (Buzz(Buzzer.DONE),)
        case Stage.FILED | Stage.HELD | Stage.UNDONE if not life.unsettled(state.photos):
            sound = (Buzz(Buzzer.DONE),)
    state, more = window.nothing_left(state)
    return state, (*effects, *more, *sound)


def _photo_of(state: State, n: int) -> Photo | None:
    return next((photo for photo in state.photos if photo.n == n), None)


def put(state: State, photo: Photo) -> State:
    """Return the state with ``photo`` in place of the one with its number."""
    return replace(state, photos=tuple(photo if old.n == photo.n else old for old in state.photos))
