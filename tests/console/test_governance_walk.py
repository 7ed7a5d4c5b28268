"""The officer's question, walked in a real browser, and what is taken along verified without us.

"Who photographed bed 12 on Tuesday, with what attested, who looked at it, was it shared?"
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from cli.__main__ import main as wardseal
from gateway.database import engine_for
from gateway.sharing.shares import ShareRow
from gateway.store import Store
from tests.console.reception import PASSWORD
from tests.console.test_statements import object_to, post
from tests.console.tuesday import BADGE, TUESDAY, Tuesday
from tests.journey.browser import chromium, opened
from wire import attestation, events
from wire.ledger import open_entry
from wire.messages import open_receipt


@pytest.fixture(scope="module")
def open_console(
    tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]
) -> Iterator[Tuesday]:
    """Four photos: one shared and looked at, one without badge, one poor, one objected to."""
    made = Tuesday.made(tmp_path_factory.mktemp("walk"), free_port())
    with made:
        shared = made.photograph()
        made.photograph(badge=None, nm_per_px=None)
        made.photograph(poor=("blurred",))
        objected = made.photograph(words=None)
        nurse = made.sign_in("nurse")
        nurse.get(f"/photos/{shared.hex}/picture.jpg")
        post(nurse, shared, "site", part="76853006/left", note="grade 2")
        post(nurse, shared, "reviews", owner="Officer (officer)", question="is it infected?")
        object_to(made, objected)
        store = Store(engine_for("", made.hospital.state / "gateway.db"))
        with store.begin() as session:
            session.add(
                ShareRow(
                    photo=shared.hex,
                    recipient="Dr. Keller, St. Anna",
                    reason="referral",
                    by="Nurse (nurse)",
                    form="pdf",
                    digest="ab" * 32,
                    at_ms=1_700_040_000_000,
                )
            )
        store.close()
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def officer(browser: Browser, console: Tuesday) -> Iterator[Page]:
    with opened(browser, f"{console.origin}/sign-in") as page:
        page.fill("#login", "officer")
        page.fill("#password", PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_selector("h1:has-text('Photos of today')")
        yield page


def press_to(page: Page, name: str) -> None:
    """Go on with the Tab key until what has the focus is called so."""
    called = "document.activeElement.labels?.[0]?.textContent || document.activeElement.textContent"
    for _ in range(80):
        if str(page.evaluate(called)).strip() == name:
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"the Tab key never comes to {name}")


def test_an_officer_answers_all_four_by_keyboard_alone_and_verifies_it_without_the_hospital(
    officer: Page, console: Tuesday, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    press_to(officer, "Questions")
    officer.keyboard.press("Enter")
    officer.wait_for_selector("h1:has-text('Questions')")
    press_to(officer, "A bed on a day")
    officer.keyboard.press("Enter")
    officer.wait_for_selector("h1:has-text('A bed on a day')")
    press_to(officer, "Bed")
    officer.keyboard.type("12")
    press_to(officer, "Day (UTC)")
    officer.keyboard.type("11142023")
    press_to(officer, "Answer")
    officer.keyboard.press("Enter")
    officer.wait_for_selector("h2:has-text('4 photos, bed 12, Tuesday 2023-11-14')")
    first, second = (officer.locator(".answer").nth(n).inner_text() for n in (0, 1))
    assert f"Badge {BADGE}\nProven on the ledger" in first
    assert "Level care, the patient agreed, on wording W1 (en)" in first
    assert "CONSENT 1, ATTEST 2, INTENT 3, SEALED 4" in first
    assert "Nurse (nurse), " in first and "With Dr. Keller, St. Anna by Nurse (nurse)" in first
    assert "no badge was read" in second and second.rstrip().endswith("No.")
    press_to(officer, "Take it along, to verify")
    with officer.expect_download() as download:
        officer.keyboard.press("Enter")
    bundle = Path(download.value.path()).read_bytes()
    assert console.viewings()[-1][:2] == ("officer", "bundle")

    # From here on nothing of the hospital's is used but the file.
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        archive.extractall(tmp_path)
    root = tmp_path / "wardseal-inquiry"
    for line in (root / "SHA256SUMS").read_text().splitlines():
        digest, _, name = line.partition("  ")
        assert hashlib.sha256((root / name).read_bytes()).hexdigest() == digest
    (ledger,), (key,) = (list((root / where).iterdir()) for where in ("ledgers", "keys"))
    readme = (root / "README.txt").read_text()
    assert f"wardseal ledger verify ledgers/{ledger.name} --key keys/{key.name}" in readme
    assert wardseal(["ledger", "verify", str(ledger), "--key", str(key)]) == 0
    assert "HOLDS" in capsys.readouterr().out
    said = json.loads((root / "answer.json").read_bytes())
    assert (said["day"], said["asked_by"]) == (TUESDAY, "Officer (officer)")
    photo, one = console.photos[0], said["answers"][0]
    assert (one["photo"], one["badge"]) == (photo.hex, BADGE)
    # The badge opens what the device signed.
    intent = open_entry(photo.intent.raw, (console.ward_device.signer.public,))
    body: events.Intent = events.body_of(intent.entry)
    assert attestation.commitment(bytes.fromhex(one["badge_salt"]), BADGE) == body.attest
    assert photo.intent.raw in ledger.read_bytes()
    receipt = (root / "receipts" / f"{photo.hex}.1.cose").read_bytes()
    keys = console.hospital.keyset.keyset.receipt_keys
    assert open_receipt(receipt, keys).photo == photo.id


def test_a_bundle_that_was_tampered_with_does_not_hold(
    console: Tuesday, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    officer = console.sign_in("officer")
    address = f"/questions/bed/wardseal-inquiry.zip?bed=12&day={TUESDAY}"
    with zipfile.ZipFile(io.BytesIO(officer.get(address).content)) as archive:
        archive.extractall(tmp_path)
    (ledger,) = (tmp_path / "wardseal-inquiry" / "ledgers").iterdir()
    (key,) = (tmp_path / "wardseal-inquiry" / "keys").iterdir()
    raw = bytearray(ledger.read_bytes())
    raw[len(raw) // 2] ^= 1
    ledger.write_bytes(raw)
    assert wardseal(["ledger", "verify", str(ledger), "--key", str(key)]) == 1
    assert "DOES NOT HOLD" in capsys.readouterr().out


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_of_the_walk_can_be_used_with_a_screen_reader(
    officer: Page, console: Tuesday, scheme: str
) -> None:
    officer.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    shared, objected = console.photos[0], console.photos[3]
    for path in (
        "/?day=&ward=W3",
        f"/questions/bed?bed=12&day={TUESDAY}",
        "/patients/4711",
        f"/photos/{shared.hex}",
        f"/photos/{objected.hex}",
        "/worklist?kind=review",
    ):
        officer.goto(f"{console.origin}{path}")
        officer.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
        found = Axe().run(officer)
        assert found.violations_count == 0, f"{path}: {found.generate_report()}"


def test_a_series_is_shown_to_one_scale_and_says_where_there_is_none(
    officer: Page, console: Tuesday
) -> None:
    officer.goto(f"{console.origin}/patients/4711")
    heel = officer.locator("section.wound", has_text="W2 HEEL L")
    views = heel.locator(".strip").first.locator(".view")
    assert views.count() == 2
    # 64 px at 3 mm to a pixel: the widest, so it is as wide as the series wants.
    assert views.nth(0).locator("img").evaluate("image => image.clientWidth") == 340
    assert "192 mm across" in views.nth(0).inner_text()
    assert "no scale: not comparable" in views.nth(1).inner_text()
    assert not heel.locator("details").evaluate("details => details.open")
    assert "1 poor one" in heel.locator("summary").inner_text()


def test_the_labels_ruler_grows_with_the_picture(officer: Page, console: Tuesday) -> None:
    officer.goto(f"{console.origin}/photos/{console.photos[0].hex}")
    bar = officer.locator(".ruler path")
    before = bar.evaluate("path => path.getBoundingClientRect().width")
    width = officer.locator(".pane img").evaluate("image => image.clientWidth")
    # 50 mm of the 192 that the picture spans.
    assert before == pytest.approx(width * 50 / 192, rel=0.05)
    officer.locator(".pane").focus()
    officer.keyboard.press("+")
    assert bar.evaluate("path => path.getBoundingClientRect().width") == pytest.approx(
        before * 1.5, rel=0.05
    )
    officer.goto(f"{console.origin}/photos/{console.photos[1].hex}")
    assert officer.locator(".ruler").count() == 0
    assert "No label gave a scale." in officer.locator("figcaption").inner_text()
