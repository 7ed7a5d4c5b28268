"""The button table, row by row, and what goes on after the window has closed."""

import pytest

from appliance import session, signals
from appliance.menu import Item
from appliance.photos import Stage
from appliance.screen import view
from appliance.signals import Buzzer, Line
from appliance.state import Bad, Darkroom, Mode, Say
from tests.appliance.rehearsal import Rehearsal
from wire.events import Basis, Level
from wire.reasons import Reason


@pytest.fixture
def ward() -> Rehearsal:
    return Rehearsal()


@pytest.fixture
def opened(ward: Rehearsal) -> Rehearsal:
    ward.open_window()
    return ward


def notice(ward: Rehearsal) -> Say | None:
    return ward.state.notice.say if ward.state.notice else None


# -- idle


def test_P1_consent_is_logged_then_the_lamp_lit_then_the_camera_opened(ward: Rehearsal) -> None:
    assert ward.consent_down() == ()
    assert ward.wait(0.1) == ()
    assert ward.consent_up() == (
        signals.LogConsent(Level.CARE, Basis.AGREED),
        signals.Lamp(True),
        signals.OpenDarkroom(),
        signals.Buzz(Buzzer.OPENED),
    )


def test_P1_capture_without_consent_takes_nothing_and_says_so(ward: Rehearsal) -> None:
    assert ward.capture() == (signals.Buzz(Buzzer.REFUSED),)
    assert notice(ward) is Say.NO_CONSENT
    assert ward.camera == "off"
    ward.wait(4)
    assert notice(ward) is None or ward.state.notice.until <= ward.now  # type: ignore[union-attr]


def test_five_presses_in_two_seconds_give_one_care_only_consent(ward: Rehearsal) -> None:
    for _ in range(5):
        ward.consent()
        ward.wait(0.25)
    ward.ready()
    ward.capture()
    assert ward.logged(signals.LogConsent) == [signals.LogConsent(Level.CARE, Basis.AGREED)]
    assert ward.captured == [1]
    ward.wait(2)
    ward.consent()
    assert ward.state.mode is Mode.IDLE
    ward.capture()
    assert ward.captured == [1]


def test_a_double_press_to_finish_does_not_open_a_new_window(opened: Rehearsal) -> None:
    opened.consent()
    opened.wait(0.2)
    opened.consent()
    assert len(opened.logged(signals.LogConsent)) == 1
    assert opened.state.mode is Mode.IDLE


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (signals.LedgerFault(0, "read-only file system"), Say.LEDGER),
        (signals.ScreenFault(0, True), Say.SCREEN),
        (signals.KeysEnded(0, True), Say.KEYS),
        (signals.CameraFault(0, "no_camera"), Say.CAMERA),
        (signals.Spool(0, True), Say.BUSY),
    ],
)
def test_no_consent_is_taken_while_something_is_in_its_way(
    ward: Rehearsal, event: signals.Event, said: Say
) -> None:
    ward.tell(event)
    effects = ward.consent()
    assert effects == (signals.Buzz(Buzzer.REFUSED),)
    assert notice(ward) is said
    assert not ward.logged(signals.LogConsent)


@pytest.mark.parametrize(
    ("fault", "mended"),
    [
        (signals.LedgerFault(0, "full"), signals.LedgerFault(0, "")),
        (signals.ScreenFault(0, True), signals.ScreenFault(0, False)),
        (signals.KeysEnded(0, True), signals.KeysEnded(0, False)),
        (signals.CameraFault(0, "no_camera"), signals.CameraFault(0, "")),
        (signals.Spool(0, True), signals.Spool(0, False)),
    ],
)
def test_consent_is_taken_again_once_the_fault_is_mended(
    ward: Rehearsal, fault: signals.Event, mended: signals.Event
) -> None:
    ward.tell(fault)
    ward.tell(mended)
    ward.consent()
    assert ward.logged(signals.LogConsent)


def test_a_lean_on_both_buttons_gives_no_consent_in_any_order_of_release(ward: Rehearsal) -> None:
    for first, second in ((ward.consent_up, ward.capture_up), (ward.capture_up, ward.consent_up)):
        ward.consent_down()
        ward.wait(0.2)
        ward.capture_down()
        ward.wait(0.2)
        first()
        second()
        ward.wait(5)
    assert not ward.logged(signals.LogConsent)


# -- open


def test_capture_before_the_camera_is_ready_waits_and_says_so(ward: Rehearsal) -> None:
    ward.consent()
    assert ward.capture() == ()
    assert notice(ward) is Say.WAIT
    ward.capture()
    assert ward.ready() == (signals.Capture(1),)
    assert ward.captured == [1]


def test_capture_always_adds_a_photo_and_counts_them(opened: Rehearsal) -> None:
    opened.photo()
    assert opened.state.notice is not None
    assert (opened.state.notice.say, opened.state.notice.count) == (Say.KEPT, 1)
    opened.photo("blurred")
    assert (opened.state.notice.say, opened.state.notice.count) == (Say.POOR, 2)
    assert opened.captured == [1, 2]
    assert opened.state.photos[1].poor == ("blurred",)


def test_a_quick_second_capture_is_taken_while_the_first_is_sealed(opened: Rehearsal) -> None:
    opened.capture()
    opened.wait(0.1)
    opened.capture()
    assert opened.captured == [1, 2]


def test_consent_after_two_seconds_finishes(ward: Rehearsal) -> None:
    ward.consent()
    ward.ready()
    ward.wait(1.7)
    ward.consent()
    assert ward.state.mode is Mode.OPEN
    ward.wait(0.1)
    effects = ward.consent()
    assert signals.LogWindow("finished", 0) in effects
    assert effects.index(signals.LogWindow("finished", 0)) < effects.index(signals.CloseDarkroom())
    assert effects[-1] == signals.Lamp(False)
    assert notice(ward) is Say.FINISHED


def test_finishing_waits_for_the_photo_that_is_being_sealed(opened: Rehearsal) -> None:
    opened.capture()
    opened.consent()
    assert opened.state.darkroom is Darkroom.FINISHING
    assert opened.lamp
    opened.capture()
    assert opened.captured == [1]
    effects = opened.sealed(1)
    assert effects[-2:] == (signals.CloseDarkroom(), signals.Lamp(False))
    assert opened.stage(1) is Stage.SEALED


def test_finishing_does_not_wait_for_ever(opened: Rehearsal) -> None:
    opened.capture()
    opened.consent()
    opened.wait(10)
    assert not opened.lamp
    assert opened.stage(1) is Stage.LOST
    assert [(a.bad, a.count) for a in opened.state.alerts] == [(Bad.LOST, 1)]


def test_sixty_seconds_without_a_press_close_the_window(opened: Rehearsal) -> None:
    opened.wait(50)
    opened.capture()
    opened.sealed(1)
    opened.wait(59)
    assert opened.state.mode is Mode.OPEN
    opened.wait(1)
    assert opened.logged(signals.LogWindow) == [signals.LogWindow("quiet", 1)]
    assert opened.state.closed is not None
    assert opened.state.closed.ask
    assert not opened.lamp


def test_five_minutes_are_the_most_however_often_one_presses(opened: Rehearsal) -> None:
    for _ in range(29):
        opened.wait(10)
        opened.photo()
    opened.wait(5)
    assert opened.state.mode is Mode.OPEN
    opened.wait(5)
    assert opened.logged(signals.LogWindow) == [signals.LogWindow("limit", 29)]


def test_a_different_wristband_closes_the_window(opened: Rehearsal) -> None:
    effects = opened.tell(signals.OtherBand(opened.now))
    assert effects[0] == signals.LogWindow("other-band", 0)
    assert opened.state.closed is not None
    assert opened.state.closed.ask


def band(ward: Rehearsal, several: bool = False) -> tuple[signals.Effect, ...]:
    return ward.tell(signals.BandRead(ward.now, several))


def badge(ward: Rehearsal) -> tuple[signals.Effect, ...]:
    return ward.tell(signals.BadgeRead(ward.now))


def test_a_wristband_is_said_once_and_the_window_goes_on(opened: Rehearsal) -> None:
    assert band(opened) == (signals.Buzz(Buzzer.MENU),)
    assert notice(opened) is Say.BAND
    assert band(opened) == ()
    assert opened.state.mode is Mode.OPEN
    opened.wait(60)
    # Nobody has pressed: a band in sight keeps no window open.
    assert opened.state.mode is Mode.IDLE


def test_two_wristbands_are_said_loudly_and_the_window_goes_on(opened: Rehearsal) -> None:
    band(opened)
    opened.photo()
    assert notice(opened) is Say.KEPT
    assert band(opened, several=True) == (signals.Buzz(Buzzer.POOR),)
    assert notice(opened) is Say.SEVERAL_BANDS
    assert band(opened) == ()
    assert opened.state.open_window.several
    opened.photo()
    assert opened.captured == [1, 2]


def test_P6_a_badge_is_on_the_ledger_before_it_is_said_and_only_once(opened: Rehearsal) -> None:
    assert badge(opened) == (signals.LogAttest(), signals.Buzz(Buzzer.MENU))
    assert notice(opened) is Say.BADGE
    assert badge(opened) == ()


def test_a_badge_that_cannot_be_logged_is_not_said(opened: Rehearsal) -> None:
    opened.ledger_works = False
    badge(opened)
    assert opened.state.mode is Mode.IDLE
    assert notice(opened) is not Say.BADGE


def test_what_is_read_does_not_hide_what_a_press_has_led_to(opened: Rehearsal) -> None:
    opened.photo()
    band(opened)
    badge(opened)
    assert notice(opened) is Say.KEPT
    assert opened.state.open_window.band
    assert opened.state.open_window.badge


def test_outside_a_window_nothing_is_read(ward: Rehearsal) -> None:
    assert band(ward) == badge(ward) == ()
    ward.open_window()
    ward.wait(3)
    ward.consent()
    assert band(ward) == badge(ward) == ()
    assert ward.logged(signals.LogAttest) == []


def test_band_and_badge_are_forgotten_with_the_window(opened: Rehearsal) -> None:
    band(opened)
    badge(opened)
    opened.wait(3)
    opened.consent()
    opened.wait(3)
    opened.open_window()
    assert not opened.state.open_window.band
    assert badge(opened)[0] == signals.LogAttest()


def test_a_fresh_darkroom_has_read_nothing_yet(ward: Rehearsal) -> None:
    ward.consent()
    ward.wait(1)
    band(ward)
    badge(ward)
    ward.fails("no_frames")
    assert not ward.state.open_window.band
    assert not ward.state.open_window.badge
    assert badge(ward)[0] == signals.LogAttest()


def test_consent_pressed_just_as_the_window_closes_by_itself_opens_none(opened: Rehearsal) -> None:
    opened.wait(57.9)  # two seconds have passed since the press
    opened.consent_down()
    opened.wait(0.05)
    opened.tell(signals.OtherBand(opened.now))
    opened.wait(0.05)
    opened.consent_up()
    opened.wait(0.5)
    opened.consent()
    assert len(opened.logged(signals.LogConsent)) == 1


def test_capture_mashed_a_hundred_times_a_second_is_bounded_and_says_busy() -> None:
    ward = Rehearsal()
    ward.open_window()
    most = 0
    for press in range(3600):
        ward.now += 10_000_000
        ward.capture_down()
        ward.capture_up()
        most = max(most, len(ward.state.photos))
        if press == 50:
            assert ward.captured == list(range(1, 9)), "eight at once, and nothing seals them"
            assert notice(ward) is Say.BUSY
    assert most == 8
    ward.sealed(1)
    ward.capture()
    assert ward.captured[-1] == 9


def test_a_full_spool_keeps_the_window_and_takes_no_photo(opened: Rehearsal) -> None:
    opened.tell(signals.Spool(opened.now, True))
    opened.capture()
    assert opened.captured == []
    assert notice(opened) is Say.BUSY
    opened.tell(signals.Spool(opened.now, False))
    opened.capture()
    assert opened.captured == [1]


# -- menus


def test_held_consent_offers_the_bases_and_capture_chooses(ward: Rehearsal) -> None:
    ward.hold_consent()
    assert ward.state.menu is not None
    assert ward.state.menu.items == (Item.EMERGENCY, Item.NO_CAPACITY, Item.PROXY, Item.BACK)
    ward.steps(1)
    effects = ward.capture()
    assert effects[0] == signals.LogConsent(Level.CARE, Basis.NO_CAPACITY)
    assert ward.state.mode is Mode.OPEN


@pytest.mark.parametrize(("steps", "basis"), [(0, Basis.EMERGENCY), (2, Basis.PROXY)])
def test_each_basis_is_logged_as_itself(ward: Rehearsal, steps: int, basis: Basis) -> None:
    ward.hold_consent()
    ward.steps(steps)
    ward.capture()
    assert ward.logged(signals.LogConsent) == [signals.LogConsent(Level.CARE, basis)]


def test_letting_go_after_a_hold_means_nothing(ward: Rehearsal) -> None:
    ward.hold_consent(3)
    assert ward.state.menu is not None
    assert ward.state.menu.index == 0


def test_the_menu_steps_round(ward: Rehearsal) -> None:
    ward.hold_consent()
    ward.steps(4)
    assert ward.state.menu is not None
    assert ward.state.menu.item is Item.EMERGENCY


def test_a_menu_left_alone_goes_back_and_capture_is_dead_for_a_second(opened: Rehearsal) -> None:
    opened.hold_consent(2)
    opened.wait(7.9)
    assert opened.state.mode is Mode.WINDOW_MENU
    opened.steps(1)
    opened.wait(9.9)
    assert opened.state.mode is Mode.WINDOW_MENU
    opened.wait(0.1)
    assert opened.state.mode is Mode.OPEN
    opened.wait(0.8)
    opened.capture()
    assert opened.captured == []
    opened.wait(0.2)
    opened.capture()
    assert opened.captured == [1]


def test_the_window_menu_keeps_its_places_before_the_first_photo(opened: Rehearsal) -> None:
    opened.hold_consent()
    assert opened.state.menu is not None
    assert opened.state.menu.items == (
        Item.BACK,
        Item.UNDO_LAST,
        Item.UNDO_ALL,
        Item.TEACHING,
    )
    opened.steps(1)
    opened.capture()
    assert notice(opened) is Say.NOTHING
    assert opened.state.mode is Mode.OPEN
    assert not opened.logged(signals.LogUndo)


def test_teaching_is_an_entry_of_its_own_and_offered_once(opened: Rehearsal) -> None:
    opened.hold_consent()
    opened.steps(3)
    assert opened.capture()[0] == signals.LogTeaching()
    assert opened.state.window is not None
    assert opened.state.window.level is Level.TEACHING
    opened.hold_consent()
    assert opened.state.menu is not None
    assert Item.TEACHING not in opened.state.menu.items


def test_teaching_is_not_offered_where_nobody_agreed(ward: Rehearsal) -> None:
    ward.hold_consent()
    ward.capture()
    ward.ready()
    ward.hold_consent()
    assert ward.state.menu is not None
    assert ward.state.menu.items == (Item.BACK, Item.UNDO_LAST, Item.UNDO_ALL)


def test_the_camera_may_become_ready_while_the_menu_is_open(ward: Rehearsal) -> None:
    ward.consent()
    ward.hold_consent()
    ward.ready()
    ward.capture()  # BACK
    ward.capture()
    assert ward.captured == [1]


# -- cleaning


def test_both_held_three_seconds_ignore_presses_for_thirty(ward: Rehearsal) -> None:
    ward.hold_both()
    assert ward.state.mode is Mode.CLEANING
    ward.wait(10)
    ward.consent()
    ward.capture()
    ward.hold_consent()
    assert ward.state.mode is Mode.CLEANING
    ward.wait(18)
    assert ward.state.mode is Mode.IDLE
    assert not ward.ledger
    ward.consent()
    assert ward.logged(signals.LogConsent)


def test_cleaning_closes_an_open_window(opened: Rehearsal) -> None:
    opened.consent_down()
    opened.wait(0.1)
    opened.capture_down()  # always adds a photo
    opened.sealed(1)
    opened.wait(3)
    assert opened.state.mode is Mode.CLEANING
    assert opened.logged(signals.LogWindow) == [signals.LogWindow("cleaning", 1)]
    assert not opened.lamp


def test_a_press_that_began_while_cleaning_means_nothing_after_it(ward: Rehearsal) -> None:
    ward.hold_both()
    ward.wait(29.8)
    ward.consent_down()
    ward.wait(0.5)
    ward.consent_up()
    assert ward.state.mode is Mode.IDLE
    assert not ward.ledger


# -- undo


def test_undo_before_the_release_wipes_and_never_sends(opened: Rehearsal) -> None:
    n = opened.photo()
    opened.hold_consent()
    opened.steps(1)
    effects = opened.capture()
    assert effects == (signals.LogUndo((n,)), signals.WipeUnsent(n), signals.Buzz(Buzzer.DONE))
    assert opened.stage(n) is Stage.UNDONE
    opened.wait(30)
    assert opened.released == []


def test_undo_of_a_photo_still_in_the_darkroom_wipes_it_when_it_is_sealed(
    opened: Rehearsal,
) -> None:
    opened.capture()
    opened.hold_consent()
    opened.steps(1)
    assert opened.capture() == (signals.LogUndo((1,)),)
    opened.sealed(1)
    assert opened.wiped == [1]
    assert opened.stage(1) is Stage.UNDONE


def test_undo_after_the_release_waits_for_the_hospitals_word(opened: Rehearsal) -> None:
    n = opened.photo()
    opened.wait(5)
    assert opened.released == [n]
    opened.hold_consent()
    opened.steps(1)
    assert opened.capture() == (signals.LogUndo((n,)),)
    opened.tell(signals.Filed(opened.now, n, 1))
    assert opened.stage(n) is Stage.FILED
    assert session.State is type(opened.state)
    assert opened.state.photos[0].undo
    assert not opened.state.photos[0].settled
    opened.tell(signals.Undone(opened.now, n))
    assert opened.stage(n) is Stage.UNDONE
    opened.tell(signals.Filed(opened.now, n, 1))
    assert opened.stage(n) is Stage.UNDONE


def test_undo_last_undoes_one_after_the_other() -> None:
    ward = Rehearsal(release_seconds=30)
    ward.open_window()
    first, second = ward.photo(), ward.photo()
    for _ in range(2):
        ward.hold_consent()
        ward.steps(1)
        ward.capture()
    assert ward.wiped == [second, first]


def test_undo_all_undoes_the_window_and_closes_it(opened: Rehearsal) -> None:
    ns = (opened.photo(), opened.photo())
    opened.hold_consent()
    opened.steps(2)
    effects = opened.capture()
    assert effects[0] == signals.LogUndo(ns)
    assert opened.wiped == list(ns)
    assert opened.logged(signals.LogWindow) == [signals.LogWindow("undone", 2)]
    assert opened.state.mode is Mode.IDLE


def test_undo_is_offered_for_five_minutes_after_the_window(opened: Rehearsal) -> None:
    n = opened.photo()
    opened.tell(signals.Filed(opened.now, n, 1))
    opened.consent()
    opened.wait(290)
    opened.hold_consent()
    assert opened.state.menu is not None
    assert Item.UNDO_WINDOW in opened.state.menu.items
    opened.wait(12)
    opened.hold_consent()
    assert opened.state.menu is not None
    assert Item.UNDO_WINDOW not in opened.state.menu.items
    assert opened.state.photos == ()


def test_undo_after_the_window_undoes_that_window_only(opened: Rehearsal) -> None:
    first = opened.photo()
    opened.consent()
    opened.open_window()
    second, third = opened.photo(), opened.photo()
    opened.consent()
    opened.wait(1)
    opened.hold_consent()
    opened.steps(3)
    assert opened.capture()[0] == signals.LogUndo((second, third))
    assert not next(p for p in opened.state.photos if p.n == first).undo
    opened.hold_consent()
    opened.steps(3)
    assert opened.capture()[0] == signals.LogUndo((first,))


def test_undo_that_cannot_be_logged_is_not_done(opened: Rehearsal) -> None:
    n = opened.photo()
    opened.consent()
    opened.tell(signals.LedgerFault(opened.now, "read-only file system"))
    opened.hold_consent()
    opened.steps(3)
    opened.capture()
    assert notice(opened) is Say.LEDGER
    assert not opened.state.photos[0].undo
    assert opened.stage(n) in (Stage.SEALED, Stage.RELEASED)


def test_undo_whose_entry_failed_is_made_up_for_when_the_ledger_is_back(
    opened: Rehearsal,
) -> None:
    n = opened.photo()
    opened.ledger_works = False
    opened.hold_consent()
    opened.steps(1)
    opened.capture()
    opened.wait(60)
    assert opened.wiped == []
    assert opened.released == []
    opened.ledger_works = True
    assert opened.tell(signals.LedgerFault(opened.now, ""))[:2] == (
        signals.LogUndo((n,)),
        signals.WipeUnsent(n),
    )
    assert opened.stage(n) is Stage.UNDONE


# -- release and what the hospital says


def test_a_sealed_photo_is_held_back_for_release_seconds(opened: Rehearsal) -> None:
    n = opened.photo()
    assert signals.Release(n) not in opened.wait(4.99)
    assert signals.Release(n) in opened.wait(0.02)
    assert opened.stage(n) is Stage.RELEASED


def test_with_zero_release_seconds_it_goes_at_once() -> None:
    ward = Rehearsal(release_seconds=0)
    ward.open_window()
    ward.capture()
    assert signals.Release(1) in ward.sealed(1)


def test_the_release_goes_on_after_the_window(opened: Rehearsal) -> None:
    n = opened.photo()
    opened.consent()
    opened.wait(6)
    assert opened.released == [n]


def test_P5_reports_in_any_order_never_lead_back_behind_what_is_proven(opened: Rehearsal) -> None:
    n = opened.photo()
    opened.wait(6)
    opened.tell(signals.Filed(opened.now, n, 1_700_000_000_000))
    opened.tell(signals.Sent(opened.now, n))
    opened.tell(signals.Released(opened.now, n))
    assert opened.stage(n) is Stage.FILED
    assert opened.state.photos[0].when_ms == 1_700_000_000_000


def test_P5_held_becomes_filed_and_not_the_other_way(opened: Rehearsal) -> None:
    n = opened.photo()
    opened.wait(6)
    opened.tell(signals.Held(opened.now, n, 1, "no band"))
    opened.tell(signals.Filed(opened.now, n, 2))
    opened.tell(signals.Held(opened.now, n, 3, "no band"))
    assert opened.stage(n) is Stage.FILED


def test_a_bad_outcome_stays_until_somebody_presses(opened: Rehearsal) -> None:
    n = opened.photo()
    opened.consent()
    opened.wait(6)
    opened.tell(signals.Rejected(opened.now, n, "signature"))
    opened.wait(7200)
    assert [a.bad for a in opened.state.alerts] == [Bad.REJECTED]
    opened.capture()
    assert opened.state.alerts == ()


def test_a_press_dismisses_only_what_could_be_read(opened: Rehearsal) -> None:
    n = opened.photo()
    opened.tell(signals.Rejected(opened.now, n, "signature"))
    opened.capture()
    assert [a.bad for a in opened.state.alerts] == [Bad.REJECTED]
    opened.wait(1)
    opened.capture()
    assert opened.state.alerts == ()


def test_P5_a_lost_photo_is_said_even_when_it_is_not_remembered(ward: Rehearsal) -> None:
    ward.tell(signals.LostPhoto(ward.now, 77))
    assert [(a.bad, a.count) for a in ward.state.alerts] == [(Bad.LOST, 1)]


def test_what_was_lost_here_but_reached_the_hospital_is_said_to_be_filed(
    opened: Rehearsal,
) -> None:
    n = opened.photo()
    opened.tell(signals.LostPhoto(opened.now, n))
    opened.tell(signals.Filed(opened.now, n, 1))
    assert opened.stage(n) is Stage.FILED


# -- camera


def test_a_camera_without_frames_gets_one_fresh_darkroom(ward: Rehearsal) -> None:
    ward.consent()
    ward.wait(5)
    assert ward.fails("no_frames") == (signals.CloseDarkroom(), signals.OpenDarkroom())
    assert ward.lamp
    ward.wait(1)
    effects = ward.fails("no_frames")
    assert effects == (
        signals.LogFault("no_frames", "the camera gave no frames"),
        signals.LogWindow("camera-fault", 0),
        signals.CloseDarkroom(),
        signals.Buzz(Buzzer.CLOSED),
        signals.Buzz(Buzzer.BAD),
        signals.Lamp(False),
    )
    assert [a.bad for a in ward.state.alerts] == [Bad.CAMERA]
    assert ward.state.mode is Mode.IDLE
    ward.wait(3)
    ward.consent()
    assert len(ward.logged(signals.LogConsent)) == 2


def test_no_second_darkroom_for_a_consent_that_is_too_old_for_it(ward: Rehearsal) -> None:
    ward.consent()
    ward.wait(9.6)
    assert signals.OpenDarkroom() not in ward.fails("no_frames")
    assert ward.state.mode is Mode.IDLE


def test_a_darkroom_that_took_too_long_to_end_gets_no_successor(ward: Rehearsal) -> None:
    ward.consent()
    ward.wait(5)
    ward.ends_when_told = False
    assert ward.fails("no_frames") == (signals.CloseDarkroom(),)
    ward.wait(5)
    effects = ward.dies()
    assert signals.OpenDarkroom() not in effects
    assert effects[:2] == (
        signals.Lamp(False),
        signals.LogFault("no_frames", "the camera gave no frames"),
    )


@pytest.mark.parametrize("code", ["no_camera", "tuning_missing", "not_permitted"])
def test_what_a_second_darkroom_cannot_mend_is_a_fault_at_once(ward: Rehearsal, code: str) -> None:
    ward.consent()
    assert signals.OpenDarkroom() not in ward.fails(code)
    assert ward.state.mode is Mode.IDLE
    assert ward.logged(signals.LogFault)


def test_P2_a_camera_that_cannot_be_ended_leaves_the_lamp_on_and_takes_no_consent(
    opened: Rehearsal,
) -> None:
    opened.ends_when_told = False
    opened.consent()
    opened.wait(10)
    assert opened.lamp
    assert opened.state.darkroom is Darkroom.BLOCKED
    assert opened.logged(signals.LogFault) == [
        signals.LogFault("stop_blocked", "the camera's process cannot be ended")
    ]
    opened.consent()
    assert notice(opened) is Say.CAMERA
    assert len(opened.logged(signals.LogConsent)) == 1
    opened.dies()
    assert not opened.lamp
    opened.consent()
    assert len(opened.logged(signals.LogConsent)) == 2


def test_a_darkroom_that_dies_takes_the_unsealed_photo_and_the_window_with_it(
    opened: Rehearsal,
) -> None:
    kept = opened.photo()
    opened.wait(10)
    opened.capture()
    opened.dies()
    assert opened.stage(kept) is Stage.RELEASED
    assert opened.stage(2) is Stage.LOST
    assert {a.bad for a in opened.state.alerts} == {Bad.LOST, Bad.CAMERA}
    assert not opened.lamp
    assert opened.state.mode is Mode.IDLE
    opened.tell(signals.LostPhoto(opened.now, 2))
    assert [a.count for a in opened.state.alerts if a.bad is Bad.LOST] == [1]


def test_a_report_of_readiness_outside_a_window_changes_nothing(ward: Rehearsal) -> None:
    before = ward.state
    assert ward.tell(signals.CameraReady(ward.now)) == ()
    assert ward.state == before


# -- ledger, screen, stuck buttons


def test_P1_a_consent_that_cannot_be_logged_opens_nothing(ward: Rehearsal) -> None:
    ward.ledger_works = False
    ward.consent()
    assert ward.camera == "off"
    assert not ward.lamp
    assert ward.state.mode is Mode.IDLE
    assert ward.state.darkroom is Darkroom.NONE


def test_P5_a_photo_that_waits_for_the_ledger_is_not_called_lost(opened: Rehearsal) -> None:
    opened.capture()
    opened.ledger_works = False
    opened.tell(signals.LedgerFault(opened.now, "read-only file system"))
    assert opened.state.darkroom is Darkroom.NONE
    assert opened.state.alerts == ()
    opened.mend_ledger()
    assert opened.stage(1) is Stage.SEALED


def test_P1_an_intent_that_cannot_be_logged_ends_the_window(opened: Rehearsal) -> None:
    opened.ledger_works = False
    opened.capture()
    assert opened.camera == "off"
    assert not opened.lamp
    assert opened.state.mode is Mode.IDLE
    assert opened.stage(1) is Stage.LOST


def test_P2_a_window_entry_that_fails_still_closes_the_camera(opened: Rehearsal) -> None:
    opened.ledger_works = False
    opened.consent()
    assert opened.camera == "off"
    assert not opened.lamp


def test_nothing_is_logged_where_nothing_can_be(opened: Rehearsal) -> None:
    effects = opened.tell(signals.LedgerFault(opened.now, "read-only file system"))
    assert effects == (
        signals.CloseDarkroom(),
        signals.Buzz(Buzzer.CLOSED),
        signals.Lamp(False),
    )
    opened.tell(signals.Stuck(opened.now, Line.CONSENT))
    opened.tell(signals.ScreenFault(opened.now, True))
    opened.tell(signals.CameraFault(opened.now, "no_camera"))
    assert not opened.logged(signals.LogFault)
    assert not opened.logged(signals.LogWindow)


def test_a_release_dropped_with_a_failing_entry_is_made_up_for(opened: Rehearsal) -> None:
    n = opened.photo()
    opened.now += 61 * session.MINUTE  # a machine that stood still: both are due at once
    opened.ledger_works = False
    opened.tell(signals.Tick(opened.now))
    opened.wait(1)
    assert opened.released == [n]


def test_a_screen_that_fails_leaves_the_open_window_alone(opened: Rehearsal) -> None:
    opened.tell(signals.ScreenFault(opened.now, True))
    opened.tell(signals.ScreenFault(opened.now, True))
    assert len(opened.logged(signals.LogFault)) == 1
    opened.capture()
    assert opened.captured == [1]


def test_a_stuck_button_is_logged_once_closes_the_window_and_heals(opened: Rehearsal) -> None:
    opened.capture_down()
    opened.sealed(1)
    opened.wait(30)
    effects = opened.tell(signals.Stuck(opened.now, Line.CAPTURE))
    assert effects[:2] == (
        signals.LogFault("capture_stuck", "the capture button does not come up"),
        signals.LogWindow("button-stuck", 1),
    )
    opened.tell(signals.Stuck(opened.now, Line.CAPTURE))
    assert len(opened.logged(signals.LogFault)) == 1
    opened.consent()
    assert len(opened.logged(signals.LogConsent)) == 1, "CAPTURE is down: a lean, no consent"
    opened.capture_up()
    assert opened.state.stuck == ()
    opened.wait(3)
    opened.consent()
    assert len(opened.logged(signals.LogConsent)) == 2


# -- time


def test_a_late_tick_changes_nothing_that_a_punctual_one_would_have_done() -> None:
    punctual, late = Rehearsal(), Rehearsal()
    for ward in (punctual, late):
        ward.open_window()
        ward.photo()
    punctual.wait(400)
    late.now += 400 * session.MINUTE // 60
    late.tell(signals.Tick(late.now))
    assert punctual.ledger == late.ledger
    assert punctual.released == late.released
    assert punctual.state.mode is late.state.mode


def test_time_that_runs_backwards_stands_still(opened: Rehearsal) -> None:
    now = opened.state.now
    state, _ = session.step(opened.state, signals.Tick(now - 10**12))
    assert state.now == now


def test_a_button_held_and_let_go_before_the_tick_was_fed_was_held(ward: Rehearsal) -> None:
    ward.consent_down()
    ward.now += 5 * session.MINUTE // 60
    ward.consent_up()
    assert ward.state.mode is Mode.IDLE_MENU
    assert not ward.logged(signals.LogConsent)


# -- after a restart


def test_P5_a_restart_says_again_what_was_rejected_and_still_lies_here() -> None:
    photos = [(5, Stage.REJECTED), (6, Stage.RELEASED), (7, Stage.REJECTED)]
    state = session.resume(100, next_n=9, photos=photos, lost=[3])
    assert {(a.bad, a.count) for a in state.alerts} == {(Bad.LOST, 1), (Bad.REJECTED, 2)}


@pytest.mark.parametrize("language", ["en", "de", "fr", "es"])
def test_P5_a_rejection_that_is_said_again_is_said_with_its_reason(language: str) -> None:
    at_once = session.resume(100, next_n=9, photos=[(5, Stage.RELEASED)])
    at_once, _ = session.step(at_once, signals.Rejected(101, 5, "wrong-key: for another hospital"))
    again = session.resume(100, next_n=9, photos=[(5, Stage.REJECTED)], rejected=Reason.WRONG_KEY)
    assert view(again, 101, language).words == view(at_once, 101, language).words


def test_a_restart_shows_what_was_lost_and_goes_on_with_what_was_not() -> None:
    state = session.resume(
        100,
        next_n=9,
        photos=[(5, Stage.SEALED), (6, Stage.RELEASED), (8, Stage.SEALED)],
        lost=[3, 4],
        undone=[8],
    )
    ward = Rehearsal(state, ledger=[signals.LogUndo((8,))])
    assert [(a.bad, a.count) for a in state.alerts] == [(Bad.LOST, 2)]
    ward.wait(6)
    assert ward.released == [5]
    assert ward.wiped == [8]
    ward.hold_consent()
    assert ward.state.menu is not None
    assert Item.UNDO_WINDOW in ward.state.menu.items
    ward.capture()
    ward.ready()
    ward.capture()
    assert ward.captured == [9]
