"""What the screen says of a state: the right words, and never more than is true."""

from dataclasses import replace
from datetime import UTC

import pytest

from appliance import session, signals
from appliance.photos import Stage
from appliance.screen import Screen, WallTimes, view
from appliance.signals import Line
from appliance.state import Mode
from appliance.wording import LANGUAGES
from tests.appliance.rehearsal import Rehearsal
from wire.reasons import Reason

FILED_MS = (14 * 3600 + 3 * 60) * 1000


@pytest.fixture
def ward() -> Rehearsal:
    return Rehearsal()


@pytest.fixture
def opened(ward: Rehearsal) -> Rehearsal:
    ward.open_window()
    return ward


def look(ward: Rehearsal, language: str = "en") -> Screen:
    return view(ward.state, ward.now, language, place="W2 BED 4", times=WallTimes(0, UTC))


def words(ward: Rehearsal) -> tuple[str, ...]:
    return look(ward).words


def test_idle_says_what_to_do_first_and_where_one_is(ward: Rehearsal) -> None:
    assert words(ward) == ("ASK FIRST", "W2 BED 4")


def test_offline_is_said_before_consent_and_does_not_go_dark(ward: Rehearsal) -> None:
    ward.tell(signals.Link(ward.now, False))
    assert "OFFLINE" in words(ward)
    ward.wait(3600)
    assert "OFFLINE" in words(ward)
    assert look(ward).dim


def test_before_the_first_word_of_the_uplink_the_device_is_offline() -> None:
    assert "OFFLINE" in view(session.resume(0, next_n=1), 0, "en").words


def test_an_idle_screen_goes_dark_and_a_finger_wakes_it(ward: Rehearsal) -> None:
    ward.wait(61)
    assert words(ward) == ()
    ward.consent_down()
    assert words(ward)[0] == "ASK FIRST"


def test_the_open_window_says_its_level_and_whether_the_camera_is_ready(ward: Rehearsal) -> None:
    ward.consent()
    assert words(ward) == ("CARE ONLY", "WAIT")
    assert not look(ward).finder
    ward.ready()
    assert words(ward) == ("CARE ONLY", "READY")
    assert look(ward).finder


def test_a_basis_is_said_beside_the_level(ward: Rehearsal) -> None:
    ward.hold_consent()
    ward.steps(1)
    ward.capture()
    ward.ready()
    assert words(ward) == ("CARE ONLY", "READY", "CAPACITY")


def test_teaching_is_said_from_then_on(opened: Rehearsal) -> None:
    opened.hold_consent()
    opened.steps(3)
    opened.capture()
    opened.wait(4)
    assert words(opened) == ("+TEACHING", "READY")


def test_each_photo_is_said_to_be_kept_and_why_it_is_poor(opened: Rehearsal) -> None:
    opened.photo()
    assert words(opened) == ("KEPT 1", "READY", "CARE ONLY", "1 PHOTO")
    opened.photo("dark", "blurred")
    assert words(opened) == ("KEPT POOR", "READY", "DARK", "CARE ONLY")


def test_the_last_ten_seconds_are_counted(opened: Rehearsal) -> None:
    opened.wait(55)
    assert "2 S" not in words(opened)
    assert words(opened)[1].endswith(" S")
    assert look(opened).countdown == 3


def test_the_menu_shows_one_item_and_its_place(opened: Rehearsal) -> None:
    opened.hold_consent()
    opened.steps(1)
    screen = look(opened)
    assert screen.words == ("UNDO LAST",)
    assert screen.steps == (1, 4)


def test_undo_names_the_time_or_says_nothing_of_it(opened: Rehearsal) -> None:
    opened.photo()
    opened.consent()
    opened.wait(1)
    opened.hold_consent()
    opened.steps(3)
    assert words(opened) == ("UNDO 00:00",)
    assert view(opened.state, opened.now, "en").words == ("UNDO LAST",)


def test_P5_filed_is_said_only_when_every_photo_is(opened: Rehearsal) -> None:
    first, second = opened.photo(), opened.photo()
    opened.consent()
    opened.wait(6)
    assert words(opened) == ("SEALED", "2 PHOTOS", "KEEP OPEN")
    opened.tell(signals.Filed(opened.now, first, FILED_MS))
    assert words(opened)[0] == "SEALED"
    opened.tell(signals.Sent(opened.now, second))
    assert words(opened) == ("SENT", "2 PHOTOS", "KEEP OPEN")
    opened.tell(signals.Held(opened.now, second, FILED_MS, "no band"))
    assert words(opened) == ("HELD", "14:03", "2 PHOTOS")
    opened.tell(signals.Filed(opened.now, second, FILED_MS))
    assert words(opened) == ("FILED", "14:03", "2 PHOTOS")
    opened.wait(61)
    assert words(opened) == ()


def test_P5_what_the_hospital_has_not_signed_for_stays_on_the_screen(opened: Rehearsal) -> None:
    opened.photo()
    opened.consent()
    opened.wait(24 * 3600)
    assert words(opened) == ("SEALED", "KEEP OPEN")


def test_P5_undone_is_said_only_when_it_is(opened: Rehearsal) -> None:
    n = opened.photo()
    opened.wait(6)
    opened.hold_consent()
    opened.steps(2)
    opened.capture()
    opened.wait(1)
    assert words(opened)[0] == "UNDO SENT"
    opened.tell(signals.Filed(opened.now, n, FILED_MS))
    assert words(opened)[0] == "UNDO SENT"
    opened.tell(signals.Undone(opened.now, n))
    assert words(opened)[0] == "UNDONE"


def test_nobody_finished_it_so_the_next_photo_needs_a_new_question(opened: Rehearsal) -> None:
    opened.photo()
    opened.wait(61)
    assert words(opened) == ("NEW? ASK", "SEALED", "KEEP OPEN")
    opened.capture()
    opened.wait(4)
    assert words(opened)[0] == "SEALED"


def test_a_loss_stays_in_white_until_a_press(opened: Rehearsal) -> None:
    n = opened.photo()
    opened.consent()
    opened.wait(6)
    opened.tell(signals.LostPhoto(opened.now, n))
    opened.wait(7200)
    assert words(opened) == ("LOST", "1 PHOTO", "TAKE AGAIN")
    assert look(opened).bad
    opened.capture()
    opened.wait(4)
    assert "LOST" not in words(opened)


def test_the_worst_is_said_large_and_the_rest_small(opened: Rehearsal) -> None:
    opened.wait(10)
    opened.capture()
    opened.dies()
    assert words(opened) == ("LOST", "1 PHOTO", "CAMERA", "TAKE AGAIN")


def test_a_loss_is_said_inside_the_next_window_too(ward: Rehearsal) -> None:
    ward.open_window()
    ward.tell(signals.LostPhoto(ward.now, 99))
    assert words(ward)[:3] == ("CARE ONLY", "READY", "LOST")


def test_P5_a_rejection_is_said_inside_the_window_before_a_press_counts_it_as_read(
    ward: Rehearsal,
) -> None:
    ward.open_window()
    n = ward.photo()
    ward.tell(signals.Rejected(ward.now, n, "sealed to other keys"))
    assert "REJECTED" in words(ward)


def test_whatever_stays_on_the_glass_is_dim_until_there_is_news(ward: Rehearsal) -> None:
    ward.tell(signals.Link(ward.now, False))
    ward.open_window()
    n = ward.photo()
    assert not look(ward).dim
    ward.consent()
    ward.wait(30)
    assert (words(ward)[0], look(ward).dim) == ("SEALED", False)
    ward.wait(40)
    assert (words(ward)[0], look(ward).dim) == ("SEALED", True)
    ward.wait(3 * 24 * 3600)
    assert (words(ward)[0], look(ward).dim) == ("SEALED", True)
    ward.tell(signals.Rejected(ward.now, n, ""))
    assert (words(ward)[0], look(ward).dim) == ("REJECTED", False)
    ward.wait(61)
    assert (words(ward)[0], look(ward).dim) == ("REJECTED", True)
    ward.capture_down()
    assert not look(ward).dim


@pytest.mark.parametrize(
    ("why", "said"),
    [
        ("damaged: the photo was changed", ("REJECTED", "1 PHOTO", "DAMAGED", "CALL IT")),
        ("wrong-key: sealed to others", ("REJECTED", "1 PHOTO", "WRONG KEY", "CALL IT")),
        ("a text of an older gateway: no code", ("REJECTED", "1 PHOTO", "CALL IT")),
        ("a-newer-code: not known here", ("REJECTED", "1 PHOTO", "CALL IT")),
        ("", ("REJECTED", "1 PHOTO", "CALL IT")),
    ],
)
def test_a_rejection_is_said_with_its_reason_and_whom_to_call(
    ward: Rehearsal, why: str, said: tuple[str, ...]
) -> None:
    ward.open_window()
    n = ward.photo()
    ward.consent()
    ward.wait(6)
    ward.tell(signals.Rejected(ward.now, n, why))
    assert words(ward) == said


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (Reason.REVOKED, ("REVOKED", "CALL IT", "KEEP OPEN")),
        (Reason.NOT_ENROLLED, ("NOT SET UP", "CALL IT", "KEEP OPEN")),
        (Reason.TOO_LARGE, ("REFUSED", "TOO LARGE", "CALL IT", "KEEP OPEN")),
        (Reason.UNSPECIFIED, ("REFUSED", "CALL IT", "KEEP OPEN")),
    ],
)
def test_P8_who_refuses_without_a_signature_changes_words_and_nothing_else(
    ward: Rehearsal, reason: Reason, said: tuple[str, ...]
) -> None:
    ward.open_window()
    ward.photo()
    ward.consent()
    ward.wait(6)
    assert ward.tell(signals.Refusal(ward.now, reason)) == ()
    assert words(ward) == said
    ward.consent()  # a stranger's word takes the device from nobody
    assert ward.state.window is not None
    assert said[0] in words(ward)
    ward.tell(signals.Refusal(ward.now, None))
    assert said[0] not in words(ward)


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (signals.LedgerFault(0, "read-only"), ("LEDGER", "FAULT", "CALL IT")),
        (signals.CameraFault(0, "no_camera"), ("CAMERA", "FAULT", "CALL IT")),
        (signals.ScreenFault(0, True), ("SCREEN", "FAULT", "CALL IT")),
        (signals.KeysEnded(0, True), ("KEYS", "EXPIRED", "CALL IT")),
        (signals.Stuck(0, Line.CONSENT), ("CONSENT", "STUCK")),
        (signals.Stuck(0, Line.CAPTURE), ("CAPTURE", "STUCK")),
        (signals.Spool(0, True), ("BUSY", "SENDING")),
    ],
)
def test_what_is_in_the_way_of_consent_is_said_before_anybody_asks(
    ward: Rehearsal, event: signals.Event, said: tuple[str, ...]
) -> None:
    ward.tell(event)
    assert words(ward) == said


def test_a_camera_that_cannot_be_ended_is_said_as_long_as_it_lasts(opened: Rehearsal) -> None:
    opened.ends_when_told = False
    opened.consent()
    opened.wait(11)
    opened.capture()
    opened.wait(600)
    assert words(opened)[:2] == ("CAMERA", "FAULT")
    assert opened.lamp


def test_cleaning_counts_down(ward: Rehearsal) -> None:
    ward.hold_both(3)
    ward.wait(10)
    assert words(ward) == ("CLEANING", "20 S")


def test_after_a_power_cut_the_losses_come_first() -> None:
    state = session.resume(0, next_n=5, photos=[(2, Stage.RELEASED)], lost=[3, 4])
    assert view(state, 0, "en").words == ("LOST", "2 PHOTOS", "TAKE AGAIN")


def test_the_picture_moves_against_burn_in_and_never_in_a_window(opened: Rehearsal) -> None:
    offline, _ = session.step(opened.state, signals.Link(opened.now, False))
    offline = replace(offline, mode=Mode.IDLE, window=None)
    shifts = {view(offline, m * 60 * 10**9, "en").shift for m in range(6)}
    assert len(shifts) == 6
    opened.wait(50)
    assert look(opened).shift == (0, 0)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_long_bed_name_is_cut_and_not_squeezed(language: str) -> None:
    screen = view(Rehearsal().state, 0, language, place="WARD 12 EAST BED 4")
    assert all(len(word) <= 10 for word in screen.words)
