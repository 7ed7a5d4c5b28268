"""What the OLED says: the session's state in a few words, the truth and nothing else (P5).

A screen has one state word, large (one or two lines), and up to three small lines beside or
below it. What is said follows one order: what a press has just led to; what went wrong and
nobody has read yet; what stands in the way of consent; how far the photos are; and with
nothing of that, what to do first. Of several photos the one that is least far speaks for all,
so the word never claims more than what is proven for each.

The words are in ``appliance.wording``, the drawing in ``appliance.drawing``. Pure.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from typing import Final

from appliance.hands import SECOND
from appliance.menu import Item
from appliance.photos import Photo, Stage
from appliance.signals import Line
from appliance.state import CLEANING, FADE, LIMIT, QUIET, Bad, Darkroom, Mode, Say, State, no_room
from appliance.wording import LONGEST, Phrase, line, lines
from wire.events import Basis, Level
from wire.reasons import Reason

BAR: Final = 128


@dataclass(frozen=True, slots=True)
class Screen:
    """What is to be drawn: ``big`` 0 to 2 lines, ``lines`` at most 4 together with them.

    ``countdown`` in seconds, ``bar`` the part of the time that is left, in 128ths; ``steps``:
    which item of how many; ``finder``: the viewfinder is shown; ``bad``: a bad outcome;
    ``shift`` in pixels, against burn-in. Without any word the screen is dark.
    """

    big: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    countdown: int | None = None
    bar: int | None = None
    steps: tuple[int, int] | None = None
    finder: bool = False
    bad: bool = False
    dim: bool = False
    shift: tuple[int, int] = (0, 0)

    @property
    def words(self) -> tuple[str, ...]:
        return (*self.big, *self.lines)


@dataclass(frozen=True, slots=True)
class WallTimes:
    """Turns times into ``14:03``. ``offset_ms``: wall minus monotonic time, None: unknown."""

    offset_ms: int | None = None
    zone: tzinfo | None = None

    def of_wall(self, ms: int) -> str:
        """The time of day of ``ms`` since 1970 UTC, in ``zone`` (None: the machine's)."""
        return datetime.fromtimestamp(ms / 1000, UTC).astimezone(self.zone).strftime("%H:%M")

    def of_monotonic(self, ns: int) -> str:
        """The time of day of a monotonic time, empty when the wall clock is not known."""
        return "" if self.offset_ms is None else self.of_wall(ns // 1_000_000 + self.offset_ms)


_NOWHEN: Final = WallTimes()


def view(
    state: State, now: int, language: str, *, place: str = "", times: WallTimes = _NOWHEN
) -> Screen:
    """Return what to show at ``now``; ``place`` is the bed, shown when idle."""
    say = _Speaker(state, now, language, times)
    match state.mode:
        case Mode.CLEANING:
            screen = say.cleaning()
        case Mode.IDLE_MENU | Mode.WINDOW_MENU:
            screen = say.menu()
        case Mode.OPEN:
            screen = say.open()
        case _:
            screen = replace(say.idle(place[:LONGEST]), dim=say.stale())
    minute = now // (60 * SECOND)
    steady = replace(screen, lines=screen.lines[: 4 - len(screen.big)])
    if screen.finder or not screen.words:
        return steady
    return replace(steady, shift=(minute % 3, minute // 3 % 2))


_ITEMS: Final = {
    Item.EMERGENCY: Phrase.EMERGENCY,
    Item.NO_CAPACITY: Phrase.NO_CAPACITY,
    Item.PROXY: Phrase.PROXY,
    Item.BACK: Phrase.BACK,
    Item.UNDO_LAST: Phrase.UNDO_LAST,
    Item.UNDO_ALL: Phrase.UNDO_ALL,
    Item.TEACHING: Phrase.TEACHING,
}
_BASES: Final = {
    Basis.EMERGENCY: Phrase.EMERGENCY,
    Basis.NO_CAPACITY: Phrase.NO_CAPACITY,
    Basis.PROXY: Phrase.PROXY,
}
_POOR: Final = {"blurred": Phrase.BLURRED, "dark": Phrase.DARK, "bright": Phrase.BRIGHT}
_SAYINGS: Final = {
    Say.NO_CONSENT: Phrase.NO_CONSENT,
    Say.KEPT: Phrase.KEPT,
    Say.POOR: Phrase.POOR,
    Say.FINISHED: Phrase.FINISHED,
    Say.BUSY: Phrase.BUSY,
    Say.WAIT: Phrase.WAIT,
    Say.NOTHING: Phrase.NOTHING,
    Say.TEACHING: Phrase.TEACHING,
    Say.BAND: Phrase.BAND_OK,
    Say.SEVERAL_BANDS: Phrase.SEVERAL_BANDS,
    Say.BADGE: Phrase.BADGE_OK,
    Say.CAMERA: Phrase.CAMERA_FAULT,
    Say.LEDGER: Phrase.LEDGER_FAULT,
    Say.SCREEN: Phrase.SCREEN_FAULT,
    Say.KEYS: Phrase.KEYS_ENDED,
    Say.UNDO_SENT: Phrase.UNDO_SENT,
    Say.UNDONE: Phrase.UNDONE,
}
_BAD: Final = {
    Bad.LOST: Phrase.LOST,
    Bad.REJECTED: Phrase.REJECTED,
    Bad.CAMERA: Phrase.CAMERA_FAULT,
}
_REASONS: Final = {
    Reason.REVOKED: Phrase.REVOKED,
    Reason.NOT_ENROLLED: Phrase.NOT_ENROLLED,
    Reason.NOT_PROVEN: Phrase.NOT_PROVEN,
    Reason.DAMAGED: Phrase.DAMAGED,
    Reason.WRONG_KEY: Phrase.WRONG_KEY,
    Reason.TOO_LARGE: Phrase.TOO_LARGE,
}
_OF_THE_DEVICE: Final = (Reason.REVOKED, Reason.NOT_ENROLLED)
_JAMMED: Final = (Phrase.CONSENT_STUCK, Phrase.CAPTURE_STUCK)
_FAR: Final = (
    Phrase.SAVING,
    Phrase.SEALED,
    Phrase.SENT,
    Phrase.UNDO_SENT,
    Phrase.HELD,
    Phrase.FILED,
    Phrase.UNDONE,
)
"""How far a photo is, the least far first."""
_LAST: Final = 10 * SECOND
_OWED: Final = (Phrase.SAVING, Phrase.SEALED, Phrase.SENT)
_SPOKEN: Final = {
    Stage.TAKEN: Phrase.SAVING,
    Stage.SEALED: Phrase.SEALED,
    Stage.RELEASED: Phrase.SEALED,
    Stage.SENT: Phrase.SENT,
    Stage.HELD: Phrase.HELD,
    Stage.FILED: Phrase.FILED,
    Stage.UNDONE: Phrase.UNDONE,
}


def spoken(photo: Photo) -> Phrase | None:
    """Return what is proven of one photo; None when it is a matter of ``alerts``."""
    sent = photo.stage in (Stage.RELEASED, Stage.SENT, Stage.FILED, Stage.HELD, Stage.REJECTED)
    if photo.undo and sent:
        return Phrase.UNDO_SENT
    return _SPOKEN.get(photo.stage)


class _Speaker:
    """Puts phrases together for one state at one moment in one language."""

    def __init__(self, state: State, now: int, language: str, times: WallTimes) -> None:
        self._state = state
        self._now = now
        self._language = language
        self._times = times

    def cleaning(self) -> Screen:
        left = self._state.cleaning - self._now
        screen = self._counting(self._big(Phrase.CLEANING), left, CLEANING)
        return replace(screen, lines=(f"{screen.countdown} S",))

    def menu(self) -> Screen:
        menu = self._state.menu
        if menu is None:
            return Screen()
        steps = (menu.index, len(menu.items))
        if menu.item is Item.UNDO_WINDOW:
            taken = [p.taken for p in self._state.photos if p.window == menu.window]
            time = self._times.of_monotonic(max(taken)) if taken and menu.window else ""
            phrase = Phrase.UNDO_AT if time else Phrase.UNDO_LAST
            return Screen(lines(phrase, self._language, time=time), steps=steps)
        return replace(self._big(_ITEMS[menu.item]), steps=steps)

    def open(self) -> Screen:
        state, window = self._state, self._state.open_window
        ready = state.darkroom is Darkroom.READY
        level = Phrase.TEACHING if window.level is Level.TEACHING else Phrase.CARE_ONLY
        screen = self._big(level)
        small = [self._line(self._whose())] if ready else []
        # The next press counts them as read, so nothing else may take their lines.
        bad = {alert.bad for alert in state.alerts}
        small += [self._line(_BAD[b]) for b in (Bad.LOST, Bad.REJECTED) if b in bad]
        if state.notice is not None and self._now < state.notice.until:
            screen = replace(self._notice(), lines=())
            small += [*self._details(), self._line(level)]
        elif not ready:
            small.append(self._line(Phrase.WAIT))
        if state.refused is not None:
            small.append(self._refusal().big[0])
        offline = self._line(Phrase.OFFLINE)
        if not state.online and offline not in small:
            small.append(offline)
        if window.basis in _BASES:
            small.append(lines(_BASES[window.basis], self._language)[-1])
        if window.badge:
            small.append(self._line(Phrase.BADGE_OK))
        if window.taken:
            small.append(self._count(window.taken))
        left = min(window.opened + LIMIT, window.touched + QUIET) - self._now
        if left < _LAST:
            small.insert(0, f"{max(0, -(-left // SECOND))} S")
        said = tuple(word for word in small if word not in screen.big)
        shown = replace(screen, lines=said, finder=ready)
        return self._counting(shown, left, QUIET)

    def _whose(self) -> Phrase:
        """The first line beside the viewfinder: whose photos these are, as far as is known."""
        window = self._state.open_window
        if window.several:
            return Phrase.SEVERAL_BANDS
        return Phrase.BAND_OK if window.band else Phrase.READY

    def idle(self, place: str) -> Screen:
        state = self._state
        if state.notice is not None and self._now < state.notice.until:
            return self._notice()
        if state.alerts:
            return self._alerts()
        if fault := self._fault():
            # Nobody on the ward can mend those; a jammed button everybody can.
            call = () if fault in _JAMMED else (self._line(Phrase.CALL_IT),)
            return replace(self._big(fault), lines=self._outcome().words[:2] or call, bad=True)
        if state.refused is not None:
            return self._refusal()
        if no_room(state):
            sending = Phrase.SENDING if state.online else Phrase.OFFLINE
            return replace(self._big(Phrase.BUSY), lines=(self._line(sending),))
        outcome = self._outcome()
        if state.closed is not None and state.closed.ask and self._now < state.closed.at + FADE:
            keep = tuple(w for w in outcome.lines if w == self._line(Phrase.KEEP_OPEN))
            return replace(self._big(Phrase.NEW_ASK), lines=(*outcome.big, *keep))
        if outcome.words:
            return outcome
        long_idle = self._now >= state.touched + FADE
        if long_idle and state.online:
            return Screen()
        small = [place] if place else []
        if not state.online:
            small.append(self._line(Phrase.OFFLINE))
        return replace(self._big(Phrase.ASK_FIRST), lines=tuple(small))

    def stale(self) -> bool:
        """For a minute nobody has pressed anything and there was no news of a photo.

        Some words stay for days (a photo that waits for the line); a glass that is bright all
        that time keeps them for ever.
        """
        state = self._state
        news = [photo.changed for photo in state.photos] + [bad.since for bad in state.alerts]
        return self._now >= max([state.touched, *news]) + FADE

    def _refusal(self) -> Screen:
        """What the hospital's side takes nothing for; somebody has to be called."""
        reason = self._state.refused or Reason.UNSPECIFIED
        small = [self._line(Phrase.CALL_IT)]
        if reason in _OF_THE_DEVICE:
            big = self._big(_REASONS[reason])
        else:
            big = self._big(Phrase.REFUSED)
            if reason in _REASONS:
                small.insert(0, self._line(_REASONS[reason]))
        small += [w for w in self._outcome().lines if w == self._line(Phrase.KEEP_OPEN)]
        return replace(big, lines=tuple(small), bad=True)

    def _fault(self) -> Phrase | None:
        state = self._state
        if state.ledger_fault:
            return Phrase.LEDGER_FAULT
        if state.screen_fault:
            return Phrase.SCREEN_FAULT
        if state.keys_ended:
            return Phrase.KEYS_ENDED
        if state.camera_fault or state.darkroom is Darkroom.BLOCKED:
            return Phrase.CAMERA_FAULT
        if state.stuck:
            stuck = state.stuck[0] is Line.CONSENT
            return Phrase.CONSENT_STUCK if stuck else Phrase.CAPTURE_STUCK
        return None

    def _notice(self) -> Screen:
        notice = self._state.notice
        if notice is None:
            return Screen()
        said = lines(_SAYINGS[notice.say], self._language, n=notice.count)
        return Screen(said, tuple(self._details()))

    def _details(self) -> list[str]:
        """What a notice says in small letters."""
        notice = self._state.notice
        if notice is None:
            return []
        match notice.say:
            case Say.FINISHED:
                keep = [w for w in self._outcome().lines if w == self._line(Phrase.KEEP_OPEN)]
                return [self._count(notice.count), *keep]
            case Say.BUSY:
                return [self._line(Phrase.SENDING if self._state.online else Phrase.OFFLINE)]
            case Say.NOTHING:
                return [self._line(Phrase.TO_UNDO)]
            case Say.POOR:
                latest = reversed(self._state.photos)
                poor = next((photo.poor for photo in latest if photo.nth == notice.count), ())
                return [self._line(_POOR[why]) for why in poor[:1] if why in _POOR]
        return []

    def _alerts(self) -> Screen:
        ordered = sorted(self._state.alerts, key=lambda alert: list(Bad).index(alert.bad))
        worst = ordered[0]
        small = []
        if worst.bad is not Bad.CAMERA:
            small.append(self._count(worst.count))
        small += [lines(_BAD[other.bad], self._language)[0] for other in ordered[1:]]
        if worst.bad is Bad.LOST:
            small.append(self._line(Phrase.AGAIN))
        if worst.bad is Bad.REJECTED:
            if worst.reason in _REASONS:
                small.insert(1, self._line(_REASONS[worst.reason]))
            small.append(self._line(Phrase.CALL_IT))
        return replace(self._big(_BAD[worst.bad]), lines=tuple(small), bad=True)

    def _outcome(self) -> Screen:
        """How far the photos of the last window are, and all that something is awaited of."""
        pool = [photo for photo in self._told() if spoken(photo)]
        if not pool:
            return Screen()
        phrase = min((spoken(photo) for photo in pool), key=_rank)
        if phrase is None:
            return Screen()
        small = []
        if phrase is Phrase.FILED or phrase is Phrase.HELD:
            small.append(self._times.of_wall(max(photo.when_ms for photo in pool)))
        if len(pool) > 1:
            small.append(self._count(len(pool)))
        if any(spoken(photo) in _OWED and not photo.undo for photo in pool):
            small.append(self._line(Phrase.KEEP_OPEN))
        if not self._state.online:
            small.append(self._line(Phrase.OFFLINE))
        return replace(self._big(phrase), lines=tuple(small))

    def _told(self) -> Iterable[Photo]:
        last = self._state.closed.id if self._state.closed else None
        fresh = [photo for photo in self._state.photos if photo.window == last]
        if all(photo.settled for photo in fresh):
            latest = max((photo.changed for photo in fresh), default=0)
            if self._now >= latest + FADE:
                fresh = []
        return [p for p in self._state.photos if not p.settled or p in fresh]

    def _counting(self, screen: Screen, left: int, whole: int) -> Screen:
        left = max(0, left)
        bar = min(BAR, left * BAR // whole)
        return replace(screen, countdown=-(-left // SECOND), bar=bar)

    def _count(self, n: int) -> str:
        if n == 0:
            return self._line(Phrase.NO_PHOTO)
        return line(Phrase.PHOTO if n == 1 else Phrase.PHOTOS, self._language, n=n)

    def _big(self, phrase: Phrase) -> Screen:
        return Screen(lines(phrase, self._language))

    def _line(self, phrase: Phrase) -> str:
        return line(phrase, self._language)


def _rank(phrase: Phrase | None) -> int:
    return _FAR.index(phrase) if phrase in _FAR else len(_FAR)
