"""What a recipient gets, opened as he opens it: Chromium, Firefox, poppler and qpdf. Offline."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from gateway.sharing import html, pdf
from tests.gateway.bedside import jpeg
from tests.gateway.test_sharing import blank
from tests.journey.browser import chromium, opened
from tests.journey.firefox import Firefox, firefox
from tests.waiting import until

PHRASE = "one two three four five six"
FACTS = {
    "Taken": "2026-11-25 13:05 UTC",
    "Odd": "</script><b>& \u202egpj",
    "Long": "a" * 300,
    "Body site": "Heel, left",
}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("shared") / "photograph-1.html"
    made.write_bytes(html.encrypt(jpeg(640, 480), FACTS, PHRASE, title="A photograph for you"))
    return made


@pytest.fixture(scope="module")
def fox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    with firefox(tmp_path_factory.mktemp("firefox")) as started:
        yield started


def test_firefox_opens_it_offline_with_its_phrase_and_fetches_nothing(
    fox: Firefox, file: Path
) -> None:
    fox.open(file.as_uri())
    said = "return document.getElementById('said').textContent"
    fox.type("#phrase", "one two three four five seven")
    fox.click("button")
    until(lambda: "not the pass-phrase" in fox.run(said), 30, "the refusal")
    assert fox.run("return document.getElementById('shown').hidden")
    fox.type("#phrase", f"  {PHRASE.upper()} ")
    fox.click("button")
    until(lambda: not fox.run("return document.getElementById('shown').hidden"), 30, "the picture")
    wide = "const it = document.images[0]; return it.decode().then(() => it.naturalWidth)"
    assert fox.run(wide) == 640
    texts = fox.run("return [...document.querySelectorAll('dd')].map((dd) => dd.textContent)")
    assert texts == list(FACTS.values())
    assert fox.fetched == [], "it asked nobody for anything"


def test_firefox_would_be_seen_to_fetch_and_its_policy_forbids_it(
    fox: Firefox, file: Path, tmp_path: Path
) -> None:
    """The observer sees what a page without our policy asks for; ours may not even ask."""
    fetch = "return fetch('http://elsewhere.test/x').then(() => 'sent', () => 'refused')"
    fox.open(file.as_uri())
    assert fox.run(fetch) == "refused"
    assert fox.fetched == []
    naive = tmp_path / "naive.html"
    naive.write_text("<img src='http://elsewhere.test/x.png'>")
    fox.open(naive.as_uri())
    until(lambda: any("elsewhere.test" in line for line in fox.fetched), 20, "the naive page")
    fox.asked.clear()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_chromium_opens_it_at_narrow_widths_and_with_a_screen_reader(
    browser: Browser, file: Path, scheme: str
) -> None:
    with opened(browser, file.as_uri()) as page:
        page.context.set_offline(True)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        assert Axe().run(page).violations_count == 0
        page.fill("#phrase", PHRASE)
        page.keyboard.press("Enter")
        page.locator("#picture").wait_for()
        for width in (320, 768, 1440):
            page.set_viewport_size({"width": width, "height": 900})
            scrolls = page.evaluate("document.documentElement.scrollWidth > innerWidth")
            assert not scrolls, f"it must not scroll sideways at {width}"
            assert Axe().run(page).violations_count == 0
        assert [url for url in asked if not url.startswith("blob:")] == []


def run(*command: str | Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, capture_output=True, timeout=60, check=False)


def test_poppler_and_qpdf_open_the_pdf_with_its_phrase_and_not_without(tmp_path: Path) -> None:
    file, out = tmp_path / "photograph-1.pdf", tmp_path / "page"
    file.write_bytes(pdf.encrypt(blank(), PHRASE))
    assert run("pdftoppm", "-r", "20", "-png", "-upw", PHRASE, file, out).returncode == 0
    assert list(tmp_path.glob("page*.png"))
    assert run("qpdf", f"--password={PHRASE}", "--check", file).returncode == 0
    for wrong in ("", "one two three four five seven"):
        assert run("pdftoppm", "-upw", wrong, file, out).returncode != 0
        assert run("qpdf", f"--password={wrong}", "--check", file).returncode == 2
    told = run("qpdf", f"--password={PHRASE}", "--show-encryption", file).stdout
    assert b"R = 6" in told and b"AESv3" in told
