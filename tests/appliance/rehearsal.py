"""A ward on paper: carries out the session's effects as the panel does, and checks each one.

The verbs are those of the people and parts around the device. Time is a number that only
``wait`` moves. ``Rehearsal`` holds the promises P1 and P2 with every effect it carries out:
it knows, as the session cannot, what is really on the ledger and what the camera really does.
"""

from collections.abc import Iterable

from appliance import session, signals
from appliance.hands import SECOND
from appliance.photos import Stage
from appliance.signals import Effect, Event
from appliance.state import Darkroom, State

LOGS = (
    signals.LogConsent,
    signals.LogTeaching,
    signals.LogAttest,
    signals.LogWindow,
    signals.LogUndo,
    signals.LogFault,
)


class Rehearsal:
    """The panel's part, without a panel."""

    def __init__(
        self,
        state: State | None = None,
        *,
        release_seconds: float = 5.0,
        ledger: Iterable[Effect] = (),
    ) -> None:
        self.state = state or session.resume(0, next_n=1, release_seconds=release_seconds)
        self.now = self.state.now
        self.done: list[Effect] = []
        self.ledger = list(ledger)
        self.ledger_works = True
        self.lamp = False
        self.camera = "off"  # off | waiting | on | deaf (cannot be ended)
        self.ends_when_told = True
        self.window_logged = False
        self.attested = False
        self.captured: list[int] = []
        self.released: list[int] = []
        self.wiped: list[int] = []
        self.unsigned: list[int] = []
        """Sealed, but the ledger cannot take the entry that says so."""
        self.tell(signals.Link(self.now, True))

    # -- the panel

    def tell(self, event: Event) -> tuple[Effect, ...]:
        """Feed one event, carry out the effects, and feed what follows from them at once."""
        self.state, effects = session.step(self.state, event)
        follow: list[Event] = []
        carried: list[Effect] = []
        for effect in effects:
            if not self.ledger_works and isinstance(effect, (*LOGS, signals.Capture)):
                if isinstance(effect, signals.Capture):
                    follow.append(signals.LostPhoto(self.now, effect.n))
                follow.append(signals.LedgerFault(self.now, "read-only file system"))
                break
            self._carry_out(effect, follow)
            carried.append(effect)
        self.done += carried
        for more in follow:
            carried += self.tell(more)
        return tuple(carried)

    def _carry_out(self, effect: Effect, follow: list[Event]) -> None:
        match effect:
            case signals.LogConsent():
                self.window_logged = True
                self.attested = False
                self.ledger.append(effect)
            case signals.LogAttest():
                assert self.window_logged, "a badge was entered without a consent"
                assert not self.attested, "a badge was entered twice"
                self.attested = True
                self.ledger.append(effect)
            case signals.LogWindow():
                self.window_logged = False
                self.attested = False
                self.ledger.append(effect)
            case signals.LogTeaching() | signals.LogUndo() | signals.LogFault():
                self.ledger.append(effect)
            case signals.Lamp(on):
                assert on or self.camera == "off", "P2: the lamp went off while the camera was on"
                self.lamp = on
            case signals.OpenDarkroom():
                assert self.window_logged, "P1: the camera was opened without a logged consent"
                assert self.lamp, "P2: the camera was opened before the lamp was on"
                assert self.camera == "off", "two darkrooms at once"
                self.attested = False
                self.camera = "waiting"
            case signals.CloseDarkroom():
                if self.camera == "off":
                    follow.append(signals.DarkroomEnded(self.now))
                elif self.ends_when_told:
                    self._darkroom_is_gone(follow)
                else:
                    self.camera = "deaf"
            case signals.Capture(n):
                assert self.window_logged, "P1: a photo without a logged consent"
                assert self.state.window is not None, "P1: a photo outside a window"
                assert self.camera == "on", "a photo was ordered of a camera that is not ready"
                assert n > max(self.captured, default=0), "a photo's number was used twice"
                self.captured.append(n)
            case signals.Release(n):
                assert n not in self.wiped
                self.released.append(n)
                follow.append(signals.Released(self.now, n))
            case signals.WipeUnsent(n):
                assert n not in self.released, "an envelope in the outbox was wiped as unsent"
                assert any(isinstance(e, signals.LogUndo) and n in e.ns for e in self.ledger)
                self.wiped.append(n)
                follow.append(signals.Undone(self.now, n))

    # -- time

    def wait(self, seconds: float) -> tuple[Effect, ...]:
        """Let time pass, with a Tick at each deadline, as the panel's loop does."""
        end = self.now + round(seconds * SECOND)
        effects: list[Effect] = []
        while (due := session.next_deadline(self.state)) is not None and due <= end:
            self.now = max(self.now, due)
            effects += self.tell(signals.Tick(self.now))
            after = session.next_deadline(self.state)
            assert after is None or after > self.now, "a deadline that never passes"
        self.now = end
        return tuple(effects)

    # -- hands

    def consent_down(self) -> tuple[Effect, ...]:
        return self.tell(signals.ConsentDown(self.now))

    def consent_up(self) -> tuple[Effect, ...]:
        return self.tell(signals.ConsentUp(self.now))

    def capture_down(self) -> tuple[Effect, ...]:
        return self.tell(signals.CaptureDown(self.now))

    def capture_up(self) -> tuple[Effect, ...]:
        return self.tell(signals.CaptureUp(self.now))

    def consent(self) -> tuple[Effect, ...]:
        """A short press on CONSENT."""
        return (*self.consent_down(), *self.wait(0.1), *self.consent_up())

    def capture(self) -> tuple[Effect, ...]:
        """A short press on CAPTURE."""
        return (*self.capture_down(), *self.wait(0.1), *self.capture_up())

    def hold_consent(self, seconds: float = 2.1) -> tuple[Effect, ...]:
        return (*self.consent_down(), *self.wait(seconds), *self.consent_up())

    def hold_both(self, seconds: float = 3.1) -> tuple[Effect, ...]:
        down = (*self.consent_down(), *self.capture_down())
        return (*down, *self.wait(seconds), *self.capture_up(), *self.consent_up())

    def steps(self, count: int) -> None:
        """Step on in a menu."""
        for _ in range(count):
            self.wait(0.3)
            self.consent()

    # -- camera and hospital

    def ready(self) -> tuple[Effect, ...]:
        assert self.camera == "waiting"
        self.camera = "on"
        return self.tell(signals.CameraReady(self.now))

    def fails(self, code: str) -> tuple[Effect, ...]:
        return self.tell(signals.CameraFault(self.now, code))

    def dies(self) -> tuple[Effect, ...]:
        """The darkroom's process is gone."""
        follow: list[Event] = []
        self._darkroom_is_gone(follow)
        return tuple(effect for event in follow for effect in self.tell(event))

    def _darkroom_is_gone(self, follow: list[Event]) -> None:
        """What it had sealed is signed for now, or later; the rest is lost."""
        self.camera = "off"
        if not self.ledger_works:
            taken = [p.n for p in self.state.photos if p.stage is Stage.TAKEN]
            self.unsigned += [n for n in taken if n in self.captured]
        follow.append(signals.DarkroomEnded(self.now))

    def mend_ledger(self) -> tuple[Effect, ...]:
        """The disk takes entries again; what waited for that is signed for."""
        self.ledger_works = True
        effects = self.tell(signals.LedgerFault(self.now, ""))
        waiting, self.unsigned = self.unsigned, []
        return (*effects, *(e for n in waiting for e in self.tell(signals.Sealed(self.now, n))))

    def sealed(self, n: int, *poor: str) -> tuple[Effect, ...]:
        verdict = self.tell(signals.Verdict(self.now, n, poor))
        return (*verdict, *self.tell(signals.Sealed(self.now, n)))

    def open_window(self) -> None:
        """Ask, press, wait for the camera, and for the two seconds of repeats to pass."""
        if self.state.closed is not None:
            self.wait(2)
        self.consent()
        self.ready()
        self.wait(2)

    def photo(self, *poor: str) -> int:
        """Take one photo and have it sealed; return its number."""
        self.capture()
        n = self.captured[-1]
        self.sealed(n, *poor)
        return n

    # -- what can be seen

    def stage(self, n: int) -> Stage | None:
        return next((photo.stage for photo in self.state.photos if photo.n == n), None)

    def logged(self, kind: type[Effect]) -> list[Effect]:
        return [entry for entry in self.ledger if isinstance(entry, kind)]

    def check(self) -> None:
        """What is true at any moment, whatever has happened."""
        on = self.state.darkroom is not Darkroom.NONE
        assert self.lamp or self.camera == "off", "P2: a camera under a dark lamp"
        assert on or self.camera == "off", "P2: the session forgot a camera that is on"
        assert self.state.window is None or self.window_logged or not self.ledger_works
