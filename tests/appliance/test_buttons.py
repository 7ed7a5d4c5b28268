"""From copper to events: one contract for the simulated ward's pins and for real ones."""

import os
import selectors
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance import pins, signals
from appliance.buttons import QUIET, STUCK, Buttons, Contact
from appliance.hands import SECOND
from appliance.lights import PATTERNS, Lights, quietly
from appliance.signals import Buzzer, Event, Line
from appliance.simulator import ward as simulated
from appliance.simulator.ward import Ward
from base.errors import EnvironmentProblem

MS = 1_000_000
NO_MARKER = Path("/nonexistent/production")
KINDS = {
    signals.ConsentDown: "consent down",
    signals.ConsentUp: "consent up",
    signals.CaptureDown: "capture down",
    signals.CaptureUp: "capture up",
    signals.Stuck: "stuck",
}


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 5 * SECOND

    def __call__(self) -> int:
        return self.now

    def wait(self, ns: int) -> None:
        self.now += ns


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ward() -> Ward:
    return Ward(NO_MARKER)


@pytest.fixture
def buttons(ward: Ward, clock: Clock) -> Iterator[Buttons]:
    made = Buttons(
        ward.factory,
        consent_pin=simulated.CONSENT_PIN,
        capture_pin=simulated.CAPTURE_PIN,
        clock=clock,
    )
    yield made
    made.close()


def words(events: list[Event]) -> list[str]:
    return [KINDS[type(event)] for event in events]


def rest(buttons: Buttons, clock: Clock) -> list[Event]:
    """Let the contacts come to rest."""
    events = buttons.events()
    clock.wait(QUIET)
    return events + buttons.events()


def test_a_press_and_a_release_are_two_events_with_their_own_times(
    ward: Ward, buttons: Buttons, clock: Clock
) -> None:
    pressed = clock.now
    ward.press_consent()
    assert rest(buttons, clock) == [signals.ConsentDown(pressed)]
    clock.wait(SECOND)
    released = clock.now
    ward.release_consent()
    assert rest(buttons, clock) == [signals.ConsentUp(released)]


def test_the_foot_switch_line_is_captures(ward: Ward, buttons: Buttons, clock: Clock) -> None:
    ward.press_capture()
    assert words(rest(buttons, clock)) == ["capture down"]


def test_twenty_one_edges_of_bounce_are_one_press(
    ward: Ward, buttons: Buttons, clock: Clock
) -> None:
    for _ in range(21):
        ward.bounce(Line.CONSENT, 1)
        clock.wait(MS)
        assert buttons.events() == []
    assert words(rest(buttons, clock)) == ["consent down"]


def test_a_spike_is_no_press(ward: Ward, buttons: Buttons, clock: Clock) -> None:
    ward.press_consent()
    clock.wait(3 * MS)
    ward.release_consent()
    assert rest(buttons, clock) == []


def test_a_loop_that_was_busy_for_a_while_still_sees_a_whole_press(
    ward: Ward, buttons: Buttons, clock: Clock
) -> None:
    pressed = clock.now
    ward.press_consent()
    clock.wait(100 * MS)
    released = clock.now
    ward.release_consent()
    clock.wait(900 * MS)
    assert buttons.events() == [signals.ConsentDown(pressed), signals.ConsentUp(released)]


def test_edges_of_both_buttons_come_in_the_order_of_their_times(
    ward: Ward, buttons: Buttons, clock: Clock
) -> None:
    ward.press_capture()
    clock.wait(50 * MS)
    ward.press_consent()
    clock.wait(50 * MS)
    ward.release_capture()
    clock.wait(50 * MS)
    assert words(buttons.events()) == ["capture down", "consent down", "capture up"]


def test_an_edge_wakes_a_selector(ward: Ward, buttons: Buttons) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(buttons, selectors.EVENT_READ)
        assert selector.select(0) == []
        ward.press_consent()
        assert selector.select(0)
        buttons.events()
        assert selector.select(0) == []


def test_a_storm_of_edges_is_bounded_and_ends_in_the_truth(
    ward: Ward, buttons: Buttons, clock: Clock
) -> None:
    ward.bounce(Line.CAPTURE, 100_001)
    assert len(buttons._edges) <= 512
    assert words(rest(buttons, clock)) == ["capture down"]


def test_an_hour_of_mashing_is_told_press_by_press(
    ward: Ward, buttons: Buttons, clock: Clock
) -> None:
    told = 0
    for _ in range(36_000):
        ward.press_capture()
        clock.wait(50 * MS)
        ward.release_capture()
        clock.wait(50 * MS)
        told += len(buttons.events())
    assert told == 72_000
    assert not buttons._edges


def test_a_button_held_for_thirty_seconds_is_stuck_once(
    ward: Ward, buttons: Buttons, clock: Clock
) -> None:
    ward.press_consent()
    rest(buttons, clock)
    due = buttons.deadline()
    assert due is not None
    clock.now = due
    assert buttons.events() == [signals.Stuck(due, Line.CONSENT)]
    assert buttons.deadline() is None
    clock.wait(STUCK)
    assert buttons.events() == []
    ward.release_consent()
    assert words(rest(buttons, clock)) == ["consent up"]


def test_a_button_that_never_comes_to_rest_is_stuck_and_heals(
    ward: Ward, buttons: Buttons, clock: Clock
) -> None:
    told: list[Event] = []
    for _ in range(4000):
        ward.bounce(Line.CAPTURE, 2)
        clock.wait(10 * MS)
        told += buttons.events()
    assert words(told) == ["stuck"]
    assert words(rest(buttons, clock)) == ["capture up"]


def test_a_button_that_is_down_at_the_start_is_no_press(ward: Ward, clock: Clock) -> None:
    ward.press_consent()
    buttons = Buttons(
        ward.factory,
        consent_pin=simulated.CONSENT_PIN,
        capture_pin=simulated.CAPTURE_PIN,
        clock=clock,
    )
    assert buttons.events() == []
    clock.wait(STUCK)
    assert words(buttons.events()) == ["stuck"]
    ward.release_consent()
    assert words(rest(buttons, clock)) == ["consent up"]
    buttons.close()


def test_an_edge_that_was_missed_is_found_out_from_the_pin() -> None:
    contact = Contact(Line.CONSENT, False, 0)
    assert contact.moved(0, True) == []
    assert contact.settled(QUIET, really=False) == []
    assert contact.moved(2 * QUIET, False) == []
    assert words(contact.settled(3 * QUIET, really=True)) == ["consent down"]


@given(st.lists(st.tuples(st.integers(0, 60 * MS), st.booleans()), max_size=60))
def test_events_always_alternate_and_end_where_the_pin_is(edges: list[tuple[int, bool]]) -> None:
    contact = Contact(Line.CAPTURE, False, 0)
    events: list[Event] = []
    at, level = 0, False
    for gap, level in edges:
        at += gap
        events += contact.moved(at, level)
    events += contact.settled(at + QUIET, level)
    downs = [isinstance(event, signals.CaptureDown) for event in events]
    assert downs == [i % 2 == 0 for i in range(len(downs))]
    assert contact.down == level
    assert all(a.at + QUIET <= b.at for a, b in pairwise(events))


# -- lamp and buzzer


@pytest.fixture
def lights(ward: Ward, clock: Clock) -> Iterator[Lights]:
    made = Lights(
        ward.factory,
        lamp_pin=simulated.LAMP_PIN,
        buzzer_pin=simulated.BUZZER_PIN,
        clock=clock,
    )
    yield made
    made.close()


def test_P2_the_lamp_is_off_until_it_is_switched_on(ward: Ward, lights: Lights) -> None:
    assert not ward.lamp_is_lit
    lights.lamp(True)
    assert ward.lamp_is_lit
    assert lights.lit
    lights.lamp(False)
    assert not ward.lamp_is_lit


@pytest.mark.parametrize("pattern", list(Buzzer))
def test_each_pattern_sounds_as_written_and_ends_in_silence(
    ward: Ward, lights: Lights, clock: Clock, pattern: Buzzer
) -> None:
    lights.buzz(pattern)
    heard = []
    while (due := lights.deadline()) is not None:
        heard.append((due - clock.now) // MS)
        clock.now = due
        sounded = ward.buzzer_sounds
        lights.tick()
        assert ward.buzzer_sounds is not sounded
    assert tuple(heard) == PATTERNS[pattern]
    assert not ward.buzzer_sounds
    assert lights.playing is None


@pytest.mark.parametrize("pattern", list(Buzzer))
def test_at_night_a_pattern_keeps_its_rhythm_and_loses_its_tones(
    ward: Ward, lights: Lights, clock: Clock, pattern: Buzzer
) -> None:
    began, sounding = clock.now, 0
    lights.buzz(pattern, quiet=True)
    heard = []
    while (due := lights.deadline()) is not None:
        if ward.buzzer_sounds:
            sounding += due - clock.now
            heard.append((clock.now - began) // MS)
        clock.now = due
        lights.tick()
    by_day = PATTERNS[pattern]
    assert heard == [sum(by_day[:i]) for i in range(0, len(by_day), 2)]
    assert sounding <= sum(by_day[::2]) * MS // 4
    assert not ward.buzzer_sounds


def test_at_night_no_two_patterns_sound_the_same() -> None:
    assert len({quietly(pattern) for pattern in PATTERNS.values()}) == len(PATTERNS)


def test_a_bad_outcome_is_not_cut_off(ward: Ward, lights: Lights) -> None:
    lights.buzz(Buzzer.BAD)
    lights.buzz(Buzzer.KEPT)
    assert lights.playing is Buzzer.BAD


def test_a_late_tick_leaves_no_tone_behind(ward: Ward, lights: Lights, clock: Clock) -> None:
    lights.buzz(Buzzer.POOR)
    clock.wait(60 * SECOND)
    lights.tick()
    assert not ward.buzzer_sounds


def test_every_pattern_ends_with_a_tone_and_can_be_told_apart() -> None:
    assert all(len(pattern) % 2 for pattern in PATTERNS.values())
    assert len(set(PATTERNS.values())) == len(Buzzer)


# -- which pins


def test_any_other_pin_factory_is_refused() -> None:
    from gpiozero.pins.native import NativeFactory

    other = NativeFactory.__new__(NativeFactory)  # without opening anything
    with pytest.raises(EnvironmentProblem, match="driven by NativeFactory; only lgpio is trusted"):
        pins.checked(other)


def test_the_simulated_ward_refuses_a_production_image(tmp_path: Path) -> None:
    marker = tmp_path / "production"
    marker.touch()
    with pytest.raises(EnvironmentProblem, match="The panel's hardware is only simulated"):
        Ward(marker)


def test_missing_pins_are_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    if Path("/dev/gpiochip0").exists():
        pytest.skip("this machine has pins")
    with pytest.raises(EnvironmentProblem, match=r"lgpio is missing|pins cannot be opened"):
        pins.open_lgpio(tmp_path)


@pytest.mark.skipif(
    "WARDSEAL_WIRED" not in os.environ,
    reason="needs real pins with LAMP wired to CONSENT; set WARDSEAL_WIRED=1 on such a board",
)
def test_real_pins_tell_the_same_story(tmp_path: Path) -> None:
    import time

    from tests.waiting import until

    factory = pins.open_lgpio(tmp_path)
    lights = Lights(
        factory,
        lamp_pin=simulated.LAMP_PIN,
        buzzer_pin=simulated.BUZZER_PIN,
        clock=time.monotonic_ns,
    )
    lights.lamp(True)
    buttons = Buttons(
        factory,
        consent_pin=simulated.CONSENT_PIN,
        capture_pin=simulated.CAPTURE_PIN,
        clock=time.monotonic_ns,
    )
    told: list[str] = []

    def heard(*expected: str) -> bool:
        told.extend(words(buttons.events()))
        return told == list(expected)

    lights.lamp(False)
    until(lambda: heard("consent down"), 20, "the press")
    lights.lamp(True)
    until(lambda: heard("consent down", "consent up"), 20, "the release")
