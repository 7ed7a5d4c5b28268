"""The screen stops answering: what is under way goes on, and nothing new is begun blindly."""

from collections.abc import Iterator

import pytest

from tests.faults.shift import Shift
from tests.waiting import until
from wire import events


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shift]:
    with Shift(tmp_path_factory.mktemp("screen")) as shift:
        yield shift.begin()


@pytest.fixture
def shift(ward: Shift) -> Iterator[Shift]:
    """Nothing is wrong before a test."""
    ward.mark()
    yield ward
    ward.nurse.remote.mend_screen()
    ward.nurse.wait_until(lambda view: "SCREEN" not in view.words, "the screen to be back")
    ward.wait_until_dark()


def test_a_screen_that_fails_in_a_window_leaves_lamp_buzzer_and_photos_alone(
    shift: Shift,
) -> None:
    shift.nurse.open_window()
    shift.nurse.remote.break_screen()
    until(lambda: shift.faults() == [("screen", "the screen does not answer")], 10, "the FAULT")
    view = shift.nurse.look()
    assert view.open
    assert view.lamp
    assert view.picture == bytes(1024)
    assert shift.nurse.capture()
    shift.nurse.wait_until(lambda view: view.buzzer in ("kept", "poor"), "the buzzer to say so")
    shift.wait_for_outcome("FILED")
    shift.nurse.finish()

    # Nobody could see on what level the next consent would be taken.
    consents = len(shift.new(events.Consent))
    view = shift.refused("SCREEN", "FAULT")
    assert not view.open
    assert not view.lamp
    assert len(shift.new(events.Consent)) == consents

    shift.nurse.remote.mend_screen()
    shift.nurse.wait_until(lambda view: "SCREEN" not in view.words, "the screen to be back")
    assert any(shift.nurse.wait_until(lambda v: any(v.picture), "a picture").picture)
    shift.take_and_file()
    assert len(shift.faults()) == 1


def test_a_screen_that_fails_while_idle_is_noticed_by_the_finger_on_consent(
    shift: Shift,
) -> None:
    shift.nurse.remote.break_screen()
    view = shift.refused("SCREEN", "FAULT")
    assert not view.open
    assert not shift.new(events.Consent)
    assert shift.faults() == [("screen", "the screen does not answer")]
    shift.nurse.remote.mend_screen()
    shift.take_and_file()


def test_a_contact_that_chatters_gives_one_photo(shift: Shift) -> None:
    shift.nurse.open_window()
    shift.nurse.remote.bounce("capture", 21)
    until(lambda: shift.new(events.Intent), 10, "INTENT")
    shift.nurse.remote.bounce("capture", 21)
    shift.wait_for_outcome("FILED")
    assert len(shift.new(events.Intent)) == 1
    shift.nurse.finish()
    assert len(shift.new(events.Consent)) == 1
