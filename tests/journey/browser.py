"""Debian's Chromium with nothing of a person's in it, driven by Playwright."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

FLAGS: Final = (
    "--no-sandbox",  # as root, which a test machine's user often is, Chromium has none
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)

# A machine that runs several test files at once is slow, not wrong.
PATIENCE_MS: Final = 30_000


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless browser with a camera that is none."""
    program = shutil.which("chromium")
    assert program is not None, "Chromium is missing: ./test --setup installs it"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser, url: str) -> Iterator[Page]:
    """A page in a fresh profile; whatever it complains of on its console fails the test.

    All but a refusal, which the page says in words: Chromium notes every answer from 400 on.
    What a page is made of must be there.
    """
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    complaints: list[str] = []

    def said(message: ConsoleMessage) -> None:
        refused = "status of 400" in message.text or (
            "status of 4" in message.text and message.location.get("url") == page.url
        )
        if message.type == "error" and not refused:
            complaints.append(f"{message.text} {message.location.get('url')} on {page.url}")

    page.on("console", said)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(url)
    yield page
    context.close()
    assert complaints == []
