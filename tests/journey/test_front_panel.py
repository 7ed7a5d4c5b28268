"""The page that ./demo serves, in a real Chromium: somebody at a virtual bedside with a mouse, a
keyboard or a screen reader, who also pulls every plug."""

import json
import re
import time
from http.client import HTTPConnection, HTTPResponse
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import zxingcpp
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, expect

from appliance.simulator import bands
from base.errors import EnvironmentProblem
from cli.frontpanel.server import FrontPanel
from cli.virtual_site import Virtual, VirtualSite
from tests.faults.shift import Shift
from tests.journey.browser import opened
from tests.journey.front import FINGER_MS, Front, shown_beside
from tests.waiting import until
from wire import events
from wire.events import Basis, Level

# The journey


def test_P2_the_whole_journey_with_the_mouse(front: Front, shift: Shift) -> None:
    expect(front.lamp).to_have_text("Lamp off")
    front.open_window()
    expect(front.lamp).to_have_text("Lamp on")
    front.press(front.capture)
    front.says("1 PHOTO")
    picture = shown_beside(front, shift)
    assert picture.size == (1014, 760)
    front.end_window(shift)
    front.says("FILED")
    assert len(shift.new(events.Consent)) == len(shift.new(events.Intent)) == 1


def test_the_whole_journey_with_the_keyboard(front: Front, shift: Shift) -> None:
    front.page.keyboard.press("c", delay=FINGER_MS)
    front.says("CARE ONLY", "READY")
    front.page.keyboard.press("v", delay=FINGER_MS)
    front.says("1 PHOTO")
    shown_beside(front, shift)
    # Without letters: the focus goes to a button, and Space is a finger on it.
    front.capture.focus()
    front.page.keyboard.press("Space", delay=FINGER_MS)
    front.says("2 PHOTOS")
    front.consent.focus()
    until(lambda: pressed_until_closed(front, shift), 20, "FINISHED")
    front.says("FILED")
    assert len(shift.new(events.Consent)) == 1
    assert len(shift.new(events.Intent)) == 2


def pressed_until_closed(front: Front, shift: Shift) -> bool:
    if shift.nurse.look().open:
        front.page.keyboard.press("Enter", delay=FINGER_MS)
        front.page.wait_for_timeout(500)
    return not shift.nurse.look().open


def test_keys_press_nothing_once_they_are_switched_off(front: Front, shift: Shift) -> None:
    front.page.get_by_label("Keys press the buttons").uncheck()
    front.page.keyboard.press("v", delay=FINGER_MS)
    front.press(front.capture)
    front.says("NO CONSENT")
    front.page.keyboard.press("c", delay=FINGER_MS)
    front.press(front.capture)
    front.says("NO CONSENT")
    assert not shift.new(events.Consent)


def test_P1_five_consents_in_two_seconds_are_one_and_the_next_one_ends_it(
    front: Front, shift: Shift
) -> None:
    for _ in range(5):
        front.press(front.consent)
    front.says("CARE ONLY", "READY")
    front.press(front.capture)
    front.says("1 PHOTO")
    shift.wait_for_outcome("FILED")
    (consent,) = shift.new(events.Consent)
    assert (consent.level, consent.basis) == (Level.CARE, Basis.AGREED)
    until(lambda: since_consent(shift) > 2.1, 10, "two seconds")
    front.press(front.consent)
    front.says("FINISHED")
    expect(front.lamp).to_have_text("Lamp off")
    front.press(front.capture)
    front.says("NO CONSENT")
    assert len(shift.new(events.Intent)) == 1


def since_consent(shift: Shift) -> float:
    """Seconds since the latest CONSENT entry, by the clock that the ledger uses."""
    entries = shift.auditor.book().entries
    at = max(
        e.entry.mono_ns for e in entries if isinstance(events.body_of(e.entry), events.Consent)
    )
    return (time.clock_gettime_ns(time.CLOCK_BOOTTIME) - at) / 1e9


def test_a_button_held_opens_the_menu_and_a_click_without_a_length_is_a_press(
    front: Front, shift: Shift
) -> None:
    front.page.get_by_role("button", name="Hold CONSENT 2 s").click()
    front.says("EMERGENCY")
    expect(front.page.locator(".plain.down")).to_have_count(0)
    front.consent.dispatch_event("click")  # as a screen reader's click: no pointer, no key
    front.says("NO", "CAPACITY")
    assert not shift.new(events.Consent)


def test_P1_a_page_that_goes_away_takes_its_finger_off_the_button(
    shift: Shift, browser: Browser, panel: FrontPanel
) -> None:
    with opened(browser, panel.url) as page:
        expect(page.locator("#link")).to_have_text("The device is online")
        page.keyboard.down("v")
        Front(page).says("NO CONSENT")
    with opened(browser, panel.url) as page:
        expect(page.locator("#link")).to_have_text("The device is online")
        Front(page).open_window()  # CONSENT counts only while CAPTURE is up


# In front of the camera


def test_a_band_and_a_badge_held_into_the_picture_are_read_and_another_band_ends_the_window(
    front: Front, shift: Shift
) -> None:
    band = front.page.get_by_label("Wristband", exact=True)
    other = front.page.get_by_label("Another wristband")
    badge = front.page.get_by_label("Staff badge")
    front.page.get_by_label("Coffee cup").check()
    band.check()
    badge.check()
    front.open_window("BAND OK", "BADGE OK")
    front.press(front.capture)
    picture = shown_beside(front, shift)
    codes = {code.text for code in zxingcpp.read_barcodes(np.asarray(picture))}
    assert codes == {bands.BAND, bands.BADGE}, "as printed, through the sensor's noise"
    assert len(shift.new(events.Attest)) == 1
    badge.uncheck()
    band.uncheck()
    other.check()
    front.says("NEW? ASK")
    expect(front.lamp).to_have_text("Lamp off")
    other.uncheck()
    expect(other).not_to_be_checked()


def test_a_label_laid_into_the_scene_tells_site_and_side_to_the_record(
    front: Front, shift: Shift
) -> None:
    label = front.page.get_by_label("Label: heel, left")
    label.check()
    front.open_window()
    front.press(front.capture)
    shown_beside(front, shift)
    photo = shift.fate().photo
    assert photo is not None
    (page,) = shift.site.record.glob(f"*/{photo.hex()}.json")
    assert json.loads(page.read_bytes())["label"]["code"] == "W2 HEEL L"
    expect(front.photo(photo)).to_contain_text("W2 HEEL L")
    label.uncheck()
    expect(label).not_to_be_checked()


def test_a_picture_of_one_s_own_is_seen_and_one_that_is_none_is_refused_in_words(
    front: Front, shift: Shift, tmp_path: Path
) -> None:
    Image.new("RGB", (800, 600), (20, 160, 40)).save(tmp_path / "green.png")
    front.page.locator("#upload").set_input_files(tmp_path / "green.png")
    expect(front.page.locator("#scene-words")).to_have_text("It sees your picture.")
    front.open_window()
    front.press(front.capture)
    red, green, blue = np.asarray(shown_beside(front, shift)).mean(axis=(0, 1))
    assert green > red + 60 and green > blue + 60
    (tmp_path / "words.png").write_text("not a picture")
    front.page.locator("#upload").set_input_files(tmp_path / "words.png")
    expect(front.page.get_by_role("alert")).to_have_text(
        "this is not a picture that can be shown: use JPEG, PNG or WebP"
    )
    expect(front.page.locator("#scene-words")).to_have_text("It sees your picture.")


def test_P2_the_webcam_is_looked_at_while_the_lamp_is_on(front: Front, shift: Shift) -> None:
    with front.page.expect_request(re.compile("picture.source=webcam")):
        front.page.get_by_role("button", name="Your webcam").click()
    expect(front.page.locator("#scene-words")).to_have_text("It sees what your webcam sees.")
    sent: list[str] = []
    front.page.on("request", lambda request: sent.append(request.url))
    front.page.wait_for_timeout(2200)  # two of its beats: nothing is what has to happen
    assert not [url for url in sent if "webcam" in url]
    with front.page.expect_request(re.compile("picture.source=webcam")):
        front.open_window()
    front.press(front.capture)
    picture = np.asarray(shown_beside(front, shift)).astype(int)
    # Chromium's fake camera is a green picture with a yellow disc.
    assert np.median(picture[:, :, 1] - picture[:, :, 2]) > 40
    front.page.get_by_label("Retina").check()
    expect(front.page.locator("#mirror")).to_be_hidden()


# Who may use it


def test_nothing_is_wrong_for_axe_in_either_light_or_at_any_width(
    front: Front, shift: Shift
) -> None:
    front.plug("Room for photos").click()
    front.says("BUSY")
    for scheme in ("light", "dark"):
        front.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for width in (390, 820, 1440):
            front.page.set_viewport_size({"width": width, "height": 900})
            found = Axe().run(front.page).response["violations"]
            assert [(each["id"], [n["html"] for n in each["nodes"]]) for each in found] == []
            wide = front.page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, "nothing has to be scrolled sideways"
    front.plug("Room for photos").click()
    expect(front.screen).not_to_contain_text("BUSY")


def ask(url: str, method: str, path: str, body: bytes = b"", **headers: str) -> HTTPResponse:
    """One request as some other program or page would send it."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.netloc, timeout=10)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body or None, named)
    answer = connection.getresponse()
    answer.read_all = answer.read()  # type: ignore[attr-defined]
    connection.close()
    return answer


PRESS = json.dumps({"line": "consent", "down": True}).encode()
JSON = "application/json"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "127.0.0.1"}, 421),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({}, 403),
    ],
)
def test_a_foreign_host_or_origin_presses_nothing(
    shift: Shift, panel: FrontPanel, headers: dict[str, str], status: int
) -> None:
    path = urlsplit(panel.url).path
    answer = ask(panel.url, "POST", f"{path}button", PRESS, content_type=JSON, **headers)
    assert answer.status == status
    assert not shift.nurse.look().open and not shift.new(events.Consent)


def test_without_this_run_s_token_there_is_nothing_and_foreign_pages_read_nothing(
    shift: Shift, panel: FrontPanel
) -> None:
    path = urlsplit(panel.url).path
    for wrong in ("/", "/live", "/wrong/", f"/{path[2:]}", path[:-1]):
        assert ask(panel.url, "GET", wrong).status == 404
    assert ask(panel.url, "GET", f"{path}live", Sec_Fetch_Site="cross-site").status == 403
    answer = ask(panel.url, "GET", path)
    assert answer.status == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in answer.headers
    html: str = answer.read_all.decode()  # type: ignore[attr-defined]
    assert not re.search(
        r"<script(?! type=\"module\" src=\"static/)|<style| style=| on[a-z]+=", html
    )
    assert not re.search(r"https?://", html), "nothing is fetched from elsewhere"


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("button", b"{}", 'use {"line": "consent" or "capture", "down": true or false}'),
        ("button", b"[", "this is not JSON: "),
        ("button", b" " * 5000, "this is too long: at most 4,096 bytes"),
        ("plug", b'{"name": "moon", "state": "full"}', "there is no plug 'moon' that could be"),
        ("scene", b'{"scene": "../../etc/passwd"}', "there is no scene '../../etc/passwd'"),
        ("hold", b'{"held": ["knife"]}', "there is no 'knife' to hold"),
        ("picture?source=elsewhere", b"x", "pictures come from upload or webcam"),
    ],
)
def test_P10_what_cannot_be_done_is_said_in_a_sentence(
    panel: FrontPanel, path: str, body: bytes, words: str
) -> None:
    parts = urlsplit(panel.url)
    answer = ask(
        panel.url,
        "POST",
        f"{parts.path}{path}",
        body,
        content_type=JSON,
        Origin=f"http://{parts.netloc}",
    )
    assert answer.status == 400
    found: dict[str, Any] = json.loads(answer.read_all)  # type: ignore[attr-defined]
    assert found["error"].startswith(words)


def test_P10_pictures_that_would_cost_too_much_are_refused(panel: FrontPanel) -> None:
    parts = urlsplit(panel.url)
    for size, words in (
        ((9000, 9000), "this picture has 9000 x 9000 pixels; 64 million are enough"),
        ((4000, 40), "this picture is 4000 x 40: too long and thin to be shown"),
    ):
        out = BytesIO()
        Image.new("1", size).save(out, "PNG")
        origin = f"http://{parts.netloc}"
        answer = ask(panel.url, "POST", f"{parts.path}picture", out.getvalue(), Origin=origin)
        assert json.loads(answer.read_all) == {"error": words}  # type: ignore[attr-defined]


def test_it_is_bound_to_loopback_and_refuses_a_production_image(
    panel: FrontPanel, tmp_path: Path
) -> None:
    port = urlsplit(panel.url).port
    listening = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    found = [line.split()[1] for line in listening.splitlines() if f":{port:04X} " in line]
    assert {address.split(":")[0] for address in found} == {"0100007F"}
    marker = tmp_path / "production"
    made = Virtual(extra={"paths": {"production": str(marker)}})
    with VirtualSite(tmp_path / "state", made) as site:
        marker.touch()
        with pytest.raises(EnvironmentProblem, match="The front panel is only simulated"):
            FrontPanel(site)
