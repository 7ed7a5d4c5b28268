"""Every plug of the page that ./demo serves, pulled in a real Chromium: what the page then says."""

import re

from playwright.sync_api import expect

from tests.faults.shift import Shift
from tests.journey.front import Front, shown_beside
from tests.waiting import until
from wire import events


def test_the_network_cable_out_is_offline_and_back_in_it_heals(front: Front, shift: Shift) -> None:
    front.plug("Network cable").click()
    front.says("OFFLINE")
    expect(front.page.locator("#link")).to_have_text("The device is offline")
    front.open_window()
    front.press(front.capture)
    front.says("1 PHOTO")
    front.end_window(shift)
    front.says("SEALED", "KEEP OPEN", "OFFLINE")
    front.plug("Network cable").click()
    shown_beside(front, shift)
    front.says("FILED")


def test_P5_the_power_cut_before_a_photo_was_sent_says_lost_at_boot(
    front: Front, shift: Shift
) -> None:
    front.plug("broker").click()
    front.says("OFFLINE")
    front.open_window()
    front.press(front.capture)
    front.says("1 PHOTO")
    until(lambda: shift.on_its_way, 10, "the release")
    front.plug("Power").click()
    expect(front.page.locator("#link")).to_have_text("The device is off or starting")
    front.says("The screen is dark.")
    expect(front.lamp).to_have_text("Lamp off")
    front.press(front.consent)  # nothing happens
    front.plug("broker").click()
    front.plug("Power").click()
    front.says("LOST", "1 PHOTO", "TAKE AGAIN")
    expect(front.page.locator("#work li.lost")).to_have_count(1)
    assert len(shift.new(events.Lost)) == 1


def test_a_camera_without_its_cable_is_a_fault_and_heals(front: Front, shift: Shift) -> None:
    camera = front.page.get_by_label("Camera", exact=True)
    camera.select_option("its cable is out")
    expect(front.page.locator(".plug.bad")).to_have_count(1)
    front.press(front.consent)
    front.says("CAMERA", "FAULT")
    camera.select_option("works")
    expect(front.page.locator(".plug.bad")).to_have_count(0)
    shift.wait_until_dark()
    shift.read_the_screen()
    front.open_window()


def test_P5_a_camera_that_hangs_loses_the_photo_aloud(front: Front, shift: Shift) -> None:
    front.page.get_by_label("Camera", exact=True).select_option("hangs at the next photo")
    front.open_window()
    front.press(front.capture)
    front.says("LOST", "CAMERA")
    expect(front.page.locator("#buzzer-words")).to_have_text("Silent")
    front.page.get_by_label("Camera", exact=True).select_option("works")
    shift.wait_until_dark()


def test_P1_a_screen_that_fails_is_dark_and_takes_no_consent(front: Front, shift: Shift) -> None:
    front.plug("Screen").click()
    front.says("The screen is dark.")
    front.press(front.consent)
    expect(front.page.locator("#buzzer")).to_have_class(re.compile("on"))
    assert not shift.new(events.Consent)
    front.plug("Screen").click()
    front.open_window()


def test_a_full_spool_is_busy_and_free_again(front: Front, shift: Shift) -> None:
    front.plug("Room for photos").click()
    front.says("BUSY")
    front.press(front.consent)
    expect(front.lamp).to_have_text("Lamp off")
    assert not shift.new(events.Consent)
    front.plug("Room for photos").click()
    expect(front.screen).not_to_contain_text("BUSY")
    front.open_window()


def test_a_clock_ten_years_ahead_ends_the_keys_and_one_behind_does_not(
    front: Front, shift: Shift
) -> None:
    clock = front.page.get_by_label("Battery clock")
    clock.select_option("10 years ahead")
    front.says("KEYS", "EXPIRED")
    clock.select_option("10 years behind")
    expect(front.screen).not_to_contain_text("KEYS")
    front.open_window()
    front.press(front.capture)
    shown_beside(front, shift)
    clock.select_option("right")
    expect(clock).to_have_value("right")


def test_both_buttons_held_on_the_keyboard_are_cleaning(front: Front, shift: Shift) -> None:
    front.page.keyboard.down("c")
    front.page.keyboard.down("v")
    front.says("CLEANING")
    front.page.keyboard.up("v")
    front.page.keyboard.up("c")
    # Thirty seconds are long; a power cut ends it as well.
    front.plug("Power").click()
    front.says("The screen is dark.")
    front.plug("Power").click()
    expect(front.page.locator("#link")).to_have_text("The device is online")
    assert not shift.new(events.Consent)
