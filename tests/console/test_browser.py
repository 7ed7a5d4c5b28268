"""The console and a shared file in a real browser: seen, heard, touched and kept true."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from gateway.sharing import html
from tests.console.reception import PASSWORD, Console
from tests.gateway.bedside import jpeg
from tests.journey.browser import chromium, opened

WIDTHS = (360, 820, 1440)
PHRASE = "one two three four five six"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def officer(browser: Browser, console: Console) -> Iterator[Page]:
    """Governance, at the photos of all days."""
    with opened(browser, f"{console.origin}/sign-in?next=%2F%3Fday%3D") as page:
        page.fill("#login", "officer")
        page.fill("#password", PASSWORD)
        page.click("main button")
        page.wait_for_selector(".grid")
        yield page


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_can_be_used_with_a_screen_reader(
    officer: Page, console: Console, scheme: str
) -> None:
    officer.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    device, missing = console.ward_device, "0" * 64
    console.hospital.receive(device, device.photo(b"no picture"))
    owed = {kind: number for number, kind in console.hospital.until(lambda: _owed(console), 20, "")}
    for path in (
        "/?day=",
        f"/photos/{console.photos[0].hex}",
        "/worklist",
        "/ledgers",
        f"/ledgers/{device.name}/{device.ledger.hex()}",
        "/questions?ask=viewings",
        "/devices",
        *(f"/worklist/{owed[kind]}" for kind in ("held", "unattested", "site")),
        "/?day=never",
        f"/photos/{missing}",
        "/nothing-here",
        "/sign-in",
    ):
        officer.goto(f"{console.origin}{path}")
        found = Axe().run(officer)
        assert found.violations_count == 0, f"{path}: {found.generate_report()}"
        for width in WIDTHS:
            officer.set_viewport_size({"width": width, "height": 900})
            across = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert officer.evaluate(across) == 0, f"{path} is wider than {width} px"


def _owed(console: Console) -> list[tuple[int, str]]:
    """The items on the worklist, once there is one of each kind."""
    console.hospital.look_around()
    console.hospital.turn()
    rows = console.hospital.rows("select id, kind from worklist")
    return [(row[0], row[1]) for row in rows] if len({kind for _, kind in rows}) > 2 else []


def test_an_open_page_shows_the_next_photo_by_itself(officer: Page, console: Console) -> None:
    before = officer.locator(".tile").count()
    photo = console.take()
    officer.wait_for_selector(f'.tile[href="/photos/{photo.hex}"]')
    assert officer.locator(".tile").count() == before + 1


def test_the_keyboard_alone_leads_to_a_photo_and_makes_it_larger(
    officer: Page, console: Console
) -> None:
    officer.keyboard.press("Tab")
    assert officer.evaluate("document.activeElement.textContent") == "Skip to the content"
    officer.locator(".tile:has(img)").first.focus()
    officer.keyboard.press("Enter")
    pane = officer.locator(".pane")
    pane.wait_for()
    pane.focus()
    officer.keyboard.press("+")
    assert officer.locator(".sheet").evaluate("sheet => sheet.style.width") == "150%"
    officer.keyboard.press("0")
    assert officer.locator(".sheet").evaluate("sheet => sheet.style.width") == "100%"


def test_a_shared_file_opens_offline_with_its_phrase_and_with_no_other(
    browser: Browser, tmp_path: Path
) -> None:
    facts = {"Taken": "2026-11-25 13:05 UTC", "Odd": "</script><b>&"}
    file = tmp_path / "shared.html"
    file.write_bytes(html.encrypt(jpeg(320, 240), facts, PHRASE, title="A photograph for you"))
    with opened(browser, file.as_uri()) as page:
        page.context.set_offline(True)
        page.fill("#phrase", "one two three four five seven")
        page.click("button")
        page.get_by_text("That is not the pass-phrase").wait_for()
        page.fill("#phrase", f"  {PHRASE.upper()} ")
        page.keyboard.press("Enter")
        picture = page.locator("#picture")
        picture.wait_for()
        assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 320
        assert page.locator("dd").all_inner_texts() == list(facts.values())
        assert Axe().run(page).violations_count == 0
