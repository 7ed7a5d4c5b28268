"""Sharing outside in a real browser: by mouse, by keyboard alone, and with a screen reader."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Error, Page

from tests.console.reception import PASSWORD, Console
from tests.gateway.bedside import Photo
from tests.gateway.lesson import teach
from tests.journey.browser import chromium, opened


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def officer(browser: Browser, console: Console) -> Iterator[Page]:
    with opened(browser, f"{console.origin}/sign-in?next=%2Fshares") as page:
        page.fill("#login", "officer")
        page.fill("#password", PASSWORD)
        page.click("main button")
        page.wait_for_selector("#recipient")
        yield page


@pytest.fixture(scope="module")
def teaching(open_console: Console) -> Photo:
    return teach(open_console.hospital, open_console.ward_device)


def check(page: Page, what: str) -> None:
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        found = Axe().run(page)
        assert found.violations_count == 0, f"{what}, {scheme}: {found.generate_report()}"
    for width in (360, 900, 1440):
        page.set_viewport_size({"width": width, "height": 1000})
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{what} scrolls sideways at {width}"


def test_a_person_shares_sees_the_words_once_and_finds_it_in_the_list(
    officer: Page, console: Console
) -> None:
    officer.goto(f"{console.origin}/photos/{console.photos[0].hex}/share")
    check(officer, "share")
    officer.fill("#to", "Dr Osei, Hill Clinic")
    officer.fill("#reason", "second opinion")
    officer.click("text=Make the file")
    phrase = officer.locator(".phrase").inner_text()
    assert len(phrase.split()) == 6
    check(officer, "the words")
    with officer.expect_download() as fetched:
        officer.click("text=Download photograph")
    assert fetched.value.suggested_filename.endswith(".pdf")
    officer.goto(f"{console.origin}/shares")
    check(officer, "shares")
    assert officer.locator("tbody tr").count() >= 1
    with pytest.raises(Error, match="ERR_CACHE_MISS"):
        officer.go_back()  # the browser has not kept the page with the words


def test_a_part_is_marked_by_keyboard_and_by_mouse_and_taken_out(
    officer: Page, console: Console, teaching: Photo
) -> None:
    officer.goto(f"{console.origin}/photos/{teaching.hex}/teaching")
    check(officer, "teaching")
    take = officer.locator("[data-take]")
    take.focus()
    officer.keyboard.press("ArrowRight")
    officer.keyboard.press("ArrowDown")
    officer.keyboard.press("Shift+ArrowRight")
    numbers = [int(officer.input_value(f"#{name}")) for name in "xywh"]
    assert numbers == [16, 13, 17, 12], "a quarter of 64 x 48, moved down and sized by one"
    officer.keyboard.press("Tab")
    officer.click("text=Black it out")
    officer.get_by_text("1 blacked out").wait_for()
    box = take.bounding_box()
    assert box
    officer.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    officer.mouse.down()
    officer.mouse.move(box["x"] + box["width"] - 2, box["y"] + box["height"] - 2)
    officer.mouse.up()
    assert [int(officer.input_value(f"#{name}")) for name in "xy"] == [32, 24]
    officer.click("text=Keep only it")
    officer.get_by_text("1 blacked out, cut").wait_for()
    check(officer, "teaching, with parts taken out")
    officer.click("text=Take the last back")
    officer.get_by_text("cut.", exact=False).first.wait_for()
