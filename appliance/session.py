"""The nurse's session: what every press, every report and every passing second leads to.

The theory. A session is a state and a stream of events; ``step`` takes one event and returns
the next state and a list of effects. Nothing else happens in here: no clock, no pin, no file.
The same events always give the same effects, so what a nurse can do to this device can be
tried out many thousand times a second, and is.

Small machines turn side by side, as they do in the ward:

* the *hands* (``appliance.hands``) make gestures of button edges;
* the *nurse's table* (``appliance.table``) says what a gesture means in each mode, and what
  the passing of time does there;
* the *darkroom* (``appliance.window``) and each *photo* (``appliance.photos``) go on after the
  window has closed, until the hospital has signed.

Three rules hold everywhere. Every choice is on the ledger before it takes effect: in a list
of effects the log entry stands first, and when it fails the panel drops the rest and says
LedgerFault, which closes the window. Time is let pass before an event is looked at: whatever
was due by then happens first and in order, so a late ``Tick`` changes nothing. And the state
is bounded: nothing that hands, cameras or hospitals do makes it grow beyond
``photos.MOST_REMEMBERED`` photos.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from appliance import photos as life
from appliance import reports, signals, window
from appliance.hands import SECOND, Gesture, deadlines, feel, spent
from appliance.photos import Photo, Stage
from appliance.signals import Effect, Event, Line
from appliance.state import (
    ENDING,
    FINISHING,
    LIMIT,
    QUIET,
    Bad,
    Darkroom,
    Mode,
    State,
    alert,
    forget,
    seen,
)
from appliance.table import Cue, turn
from appliance.window import Step
from wire.reasons import Reason

__all__ = ["State", "next_deadline", "resume", "step"]

MINUTE: Final = 60 * SECOND
_RESUMED: Final = 0


def resume(
    at: int,
    *,
    next_n: int,
    release_seconds: float = 5.0,
    photos: Iterable[tuple[int, Stage]] = (),
    lost: Iterable[int] = (),
    undone: Iterable[int] = (),
    rejected: Reason = Reason.UNSPECIFIED,
    seeing: bool = False,
) -> State:
    """Return the session as it stands after a start.

    ``photos``: number and stage of each photo that was found; ``undone``: those of them with
    an UNDO on the ledger that nobody has carried out or acknowledged yet; ``lost``: photos
    whose loss was found (and logged) now. What is lost or rejected is said on the screen: it
    may be that nobody has read it; ``rejected``: why the last one was. ``seeing``: a darkroom of
    the panel before is still there; it is waited for like one that was told to end.
    """
    hold = round(release_seconds * SECOND)
    wished = frozenset(undone)
    found = tuple(
        Photo(
            n,
            _RESUMED,
            nth,
            at,
            stage,
            changed=at,
            undo=n in wished,
            due=(at if n in wished else at + hold) if stage is Stage.SEALED else None,
            kept_until=at + life.UNDO_OFFERED,
        )
        for nth, (n, stage) in enumerate(photos, 1)
    )
    state = State(at, next_n, hold, photos=found, touched=at)
    if seeing:
        state = replace(state, darkroom=Darkroom.ENDING, darkroom_since=at)
    refused = sum(photo.stage is Stage.REJECTED for photo in found)
    if refused:
        state = alert(state, Bad.REJECTED, refused, rejected)
    if missing := len(tuple(lost)):
        state = alert(state, Bad.LOST, missing)
    return state


def step(state: State, event: Event) -> Step:
    """Take in one event. An event from before ``state.now`` is taken as of now."""
    at = max(event.at, state.now)
    state, effects = _let_pass(state, at)
    state, more = _hear(replace(state, now=at), replace(event, at=at))
    return forget(state), (*effects, *more)


def next_deadline(state: State) -> int | None:
    """Return when a ``Tick`` is due: something happens by itself, or the screen counts on."""
    due = [when for when, _ in _timers(state)]
    due.append((state.now // MINUTE + 1) * MINUTE)
    if state.mode is not Mode.IDLE:
        due.append((state.now // SECOND + 1) * SECOND)
    if state.notice is not None and state.notice.until > state.now:
        due.append(state.notice.until)
    return min(due)


# -- time -----------------------------------------------------------------------------------


def _let_pass(state: State, at: int) -> Step:
    effects: list[Effect] = []
    while timers := [timer for timer in _timers(state) if timer[0] <= at]:
        when, action = min(timers, key=lambda timer: timer[0])
        since = state.darkroom_since
        state, more = action(replace(state, now=max(state.now, when)))
        if state.darkroom_since != since:
            # What the darkroom is told here it will be told at ``at``: its time begins then.
            state = replace(state, darkroom_since=at)
        effects += more
    return state, tuple(effects)


def _timers(state: State) -> list[tuple[int, Callable[[State], Step]]]:
    """Return everything that will happen by itself, with its time; each can happen once."""
    timers: list[tuple[int, Callable[[State], Step]]] = [
        (when, _held(gesture)) for when, gesture in deadlines(state.hands)
    ]
    if state.window is not None:
        timers.append((state.window.opened + LIMIT, _cue(Cue.LIMIT)))
        timers.append((state.window.touched + QUIET, _cue(Cue.QUIET)))
    if state.menu is not None:
        timers.append((state.menu.over, _cue(Cue.MENU_OVER)))
    if state.mode is Mode.CLEANING:
        timers.append((state.cleaning, _cue(Cue.CLEANED)))
    if state.darkroom is Darkroom.FINISHING:
        timers.append((state.darkroom_since + FINISHING, window.took_too_long))
    if state.darkroom is Darkroom.ENDING:
        timers.append((state.darkroom_since + ENDING, window.took_too_long))
    timers += [(photo.due, _due(photo)) for photo in state.photos if photo.due is not None]
    return timers


def _cue(cue: Cue) -> Callable[[State], Step]:
    return lambda state: turn(state, cue)


def _held(gesture: Gesture) -> Callable[[State], Step]:
    return lambda state: turn(replace(state, hands=spent(state.hands, gesture)), gesture)


def _due(photo: Photo) -> Callable[[State], Step]:
    def let_go(state: State) -> Step:
        after, effects = life.release(photo)
        return reports.put(state, after), effects

    return let_go


# -- events ---------------------------------------------------------------------------------


def _hear(state: State, event: Event) -> Step:
    match event:
        case (
            signals.ConsentDown()
            | signals.ConsentUp()
            | signals.CaptureDown()
            | signals.CaptureUp()
        ):
            return _button(state, event)
        case signals.CameraReady() | signals.CameraFault() | signals.DarkroomEnded():
            return reports.camera(state, event)
        case signals.Verdict(_, n, poor):
            return reports.verdict(state, n, poor)
        case signals.Link(_, online):
            return replace(state, online=online), ()
        case signals.Refusal(_, reason):
            return replace(state, refused=reason), ()
        case signals.Spool(_, full):
            return replace(state, full=full), ()
        case signals.LedgerFault(_, why):
            return reports.ledger(state, why)
        case signals.KeysEnded(_, ended):
            return replace(state, keys_ended=ended), ()
        case signals.ScreenFault(_, broken):
            return reports.screen(state, broken)
        case signals.Stuck(_, button):
            return reports.stuck(state, button)
        case signals.BandRead(_, several):
            return reports.band(state, several)
        case signals.BadgeRead():
            return reports.badge(state)
        case signals.OtherBand():
            return turn(state, Cue.OTHER_BAND)
        case (
            signals.Sealed()
            | signals.LostPhoto()
            | signals.Released()
            | signals.Sent()
            | signals.Filed()
            | signals.Held()
            | signals.Rejected()
            | signals.Undone()
        ):
            return reports.photo_report(state, event)
    return state, ()


def _button(state: State, event: Event) -> Step:
    hands, gesture = feel(state.hands, event)
    pressed = hands is not state.hands and isinstance(
        event, signals.ConsentDown | signals.CaptureDown
    )
    state = replace(state, hands=hands)
    if isinstance(event, signals.ConsentUp | signals.CaptureUp):
        up = Line.CONSENT if isinstance(event, signals.ConsentUp) else Line.CAPTURE
        if up in state.stuck:
            # Whoever has freed it looks whether that has helped.
            others = tuple(line for line in state.stuck if line is not up)
            state = replace(state, stuck=others, touched=state.now)
    if pressed and state.mode is not Mode.CLEANING:
        state = _touch(state)
    return turn(state, gesture) if gesture is not None else (state, ())


def _touch(state: State) -> State:
    """Somebody is there: what was said has been read, and what waits for a press waits anew."""
    state = seen(state)
    if state.window is not None:
        state = replace(state, window=replace(state.window, touched=state.now))
    if state.menu is not None:
        state = replace(state, menu=replace(state.menu, touched=state.now))
    return state
