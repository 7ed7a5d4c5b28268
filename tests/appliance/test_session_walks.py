"""Random walks: whatever hands, camera, ledger and hospital do, in any order and at any time.

``Rehearsal`` asserts P1 and P2 with each effect it carries out. Here it is driven by
Hypothesis; what is true after every single step is asserted in ``Walk.always``.
"""

import os
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from appliance import photos, session, signals
from appliance.hands import SECOND
from appliance.photos import Stage
from appliance.screen import view
from appliance.signals import Line
from appliance.state import LIMIT, Darkroom, Mode
from appliance.wording import LANGUAGES, LONGEST
from tests.appliance.rehearsal import Rehearsal

SECONDS = st.sampled_from([0.001, 0.02, 0.1, 0.3, 0.9, 1.0, 1.9, 2.0, 2.1, 3.0, 5.0, 9.9, 31, 61])
PATIENCE = 400
"""Seconds after which, left alone with working parts, the session must be idle again."""


class Walk(RuleBasedStateMachine):
    """One shift on a ward where anything may go wrong."""

    @initialize(release=st.sampled_from([0.0, 0.5, 5.0]))
    def starts(self, release: float) -> None:
        self.ward = Rehearsal(release_seconds=release)

    @rule(seconds=SECONDS)
    def time_passes(self, seconds: float) -> None:
        self.ward.wait(seconds)

    @rule(seconds=SECONDS)
    def the_machine_stands_still(self, seconds: float) -> None:
        self.ward.now += round(seconds * SECOND)

    @rule(which=st.sampled_from(["consent_down", "consent_up", "capture_down", "capture_up"]))
    def edge(self, which: str) -> None:
        getattr(self.ward, which)()

    @rule()
    def press_consent(self) -> None:
        self.ward.consent()

    @rule()
    def press_capture(self) -> None:
        self.ward.capture()

    @rule(times=st.integers(2, 30))
    def mash(self, times: int) -> None:
        for _ in range(times):
            self.ward.now += SECOND // 100
            self.ward.capture_down()
            self.ward.consent_down()
            self.ward.capture_up()
            self.ward.consent_up()

    @rule(seconds=st.sampled_from([2.0, 2.5]))
    def hold_consent(self, seconds: float) -> None:
        self.ward.hold_consent(seconds)

    @rule(seconds=st.sampled_from([3.0, 40.0]))
    def hold_both(self, seconds: float) -> None:
        self.ward.hold_both(seconds)

    @rule(steps=st.integers(0, 4))
    def choose_from_the_menu(self, steps: int) -> None:
        self.ward.hold_consent()
        self.ward.steps(steps)
        self.ward.capture()

    @precondition(lambda self: self.ward.camera == "waiting")
    @rule()
    def camera_becomes_ready(self) -> None:
        self.ward.ready()

    @rule(code=st.sampled_from(["no_frames", "no_memory", "no_camera", "stop_blocked", ""]))
    def camera_fails(self, code: str) -> None:
        self.ward.fails(code)

    @rule()
    def darkroom_is_killed(self) -> None:
        if self.ward.camera != "off":
            self.ward.dies()

    @rule(deaf=st.booleans())
    def darkroom_hears_or_not(self, deaf: bool) -> None:
        self.ward.ends_when_told = not deaf

    @rule(works=st.booleans())
    def ledger_works_or_not(self, works: bool) -> None:
        self.ward.ledger_works = works
        if works:
            self.ward.mend_ledger()

    @rule(
        event=st.sampled_from([signals.Link, signals.Spool, signals.ScreenFault]), on=st.booleans()
    )
    def condition_changes(self, event: Any, on: bool) -> None:
        self.ward.tell(event(self.ward.now, on))

    @rule(button=st.sampled_from(list(Line)))
    def button_is_stuck(self, button: Line) -> None:
        self.ward.tell(signals.Stuck(self.ward.now, button))

    @rule()
    def another_band(self) -> None:
        self.ward.tell(signals.OtherBand(self.ward.now))

    @rule(
        event=st.sampled_from(
            [signals.BandRead(0), signals.BandRead(0, several=True), signals.BadgeRead(0)]
        )
    )
    def is_read(self, event: Any) -> None:
        self.ward.tell(replace(event, at=self.ward.now))

    @rule(back=st.integers(0, 3), poor=st.booleans())
    def is_sealed(self, back: int, poor: bool) -> None:
        n = self._some(back)
        if self.ward.camera == "on" and self.ward.stage(n) is Stage.TAKEN:
            self.ward.sealed(n, *(["dark"] if poor else []))

    @rule(
        back=st.integers(0, 5),
        report=st.sampled_from(
            [
                signals.Sent(0, 0),
                signals.Filed(0, 0, 1),
                signals.Held(0, 0, 1, "no band"),
                signals.Rejected(0, 0, "signature"),
                signals.Undone(0, 0),
                signals.LostPhoto(0, 0),
                signals.Verdict(0, 0),
            ]
        ),
    )
    def is_reported(self, back: int, report: Any) -> None:
        n = self._some(back)
        # The hospital can only speak of what it was given.
        if n in self.ward.released or isinstance(report, signals.LostPhoto):
            self.ward.tell(replace(report, at=self.ward.now, n=n))

    @rule()
    def panel_crashes_and_starts_again(self) -> None:
        old = self.ward
        gone = [p.n for p in old.state.photos if p.stage is Stage.TAKEN]
        left = [p for p in old.state.photos if p.stage is not Stage.TAKEN and not p.settled]
        state = session.resume(
            old.now,
            next_n=old.state.next_n,
            release_seconds=old.state.release_ns / SECOND,
            photos=[(p.n, p.stage) for p in left],
            lost=gone,
            undone=[p.n for p in left if p.undo],
        )
        self.ward = Rehearsal(state, ledger=old.ledger)
        self.ward.captured, self.ward.released = old.captured, old.released
        self.ward.wiped = old.wiped

    def _some(self, back: int) -> int:
        return self.ward.state.next_n - 1 - back

    @invariant()
    def always(self) -> None:
        if not hasattr(self, "ward"):
            return
        state = self.ward.state
        self.ward.check()
        assert (state.window is not None) == (state.mode in (Mode.OPEN, Mode.WINDOW_MENU))
        assert (state.menu is not None) == (state.mode in (Mode.IDLE_MENU, Mode.WINDOW_MENU))
        if state.window is not None:
            assert state.darkroom in (Darkroom.OPENING, Darkroom.READY, Darkroom.RETRYING)
            assert state.now - state.window.opened < LIMIT
            assert state.window.band or not state.window.several
            # What the screen says of a badge is on the ledger, for this window.
            assert not state.window.badge or self.ward.attested
        assert len(state.photos) <= photos.MOST_REMEMBERED
        assert photos.in_darkroom(state.photos) <= photos.MOST_IN_DARKROOM
        assert len(state.alerts) <= 3
        assert len(state.stuck) <= 2
        screen = view(state, self.ward.now, LANGUAGES[state.next_n % len(LANGUAGES)])
        assert len(screen.words) <= 4
        assert all(0 < len(word) <= LONGEST for word in screen.words)
        assert len(screen.big) <= (1 if screen.finder else 2)
        due = session.next_deadline(state)
        assert due is not None
        assert due > state.now

    def teardown(self) -> None:
        """No dead ends: with hands off and parts that work, all settles and consent is taken."""
        if not hasattr(self, "ward"):
            return
        ward = self.ward
        ward.consent_up()
        ward.capture_up()
        ward.ends_when_told = True
        ward.mend_ledger()
        if ward.camera == "deaf":
            ward.dies()
        for event in (
            signals.CameraFault(ward.now, ""),
            signals.ScreenFault(ward.now, False),
            signals.Spool(ward.now, False),
        ):
            ward.tell(event)
        ward.wait(PATIENCE)
        for photo in ward.state.photos:
            if photo.stage is not Stage.TAKEN:
                assert photo.n in ward.released or photo.n in ward.wiped or photo.settled
                ward.tell(signals.Filed(ward.now, photo.n, 1))
                ward.tell(signals.Undone(ward.now, photo.n))
        ward.wait(PATIENCE)
        assert ward.state.mode is Mode.IDLE
        assert ward.state.darkroom is Darkroom.NONE
        assert not ward.lamp
        assert ward.state.photos == ()
        ward.consent()
        assert ward.camera == "waiting"


_Case: Any = Walk.TestCase


class TestP1P2NothingOnAWardBreaksTheSession(_Case):  # type: ignore[misc]
    settings = settings(
        max_examples=int(os.environ.get("WALKS", "150")),
        stateful_step_count=60,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
