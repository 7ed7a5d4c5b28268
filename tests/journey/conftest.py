"""For the files that test the demo's page: a site, its page, a browser, each one for a file."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from cli.frontpanel.plugs import PLUGS, Plugs
from cli.frontpanel.server import FrontPanel
from tests.faults.shift import Shift
from tests.journey.browser import chromium, opened
from tests.journey.front import Front
from tests.waiting import until

CAMERA_SECONDS = 2.5


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shift]:
    extra: dict[str, dict[str, object]] = {
        "camera": {"deadline_seconds": CAMERA_SECONDS},
    }
    with Shift(tmp_path_factory.mktemp("front"), extra, cable=True) as shift:
        yield shift.begin()


@pytest.fixture(scope="module")
def panel(ward: Shift) -> Iterator[FrontPanel]:
    with FrontPanel(ward.site) as served:
        yield served


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def shift(ward: Shift) -> Shift:
    """Every plug is in and no window open before a test, and nothing has happened since."""
    plugs = Plugs(ward.site)
    for name, plug in PLUGS.items():
        plugs.set(name, next(iter(plug.verbs)))
    if not ward.nurse.look().online:
        ward.site.keeper.kill("uplink")  # it would wait longer each time
    ward.nurse.wait_until_up()
    ward.nurse.remote.mend_screen()
    ward.nurse.finish()
    ward.read_the_screen()
    until(ward.nurse.may_press_consent, 20, "a CONSENT to mean something again")
    ward.mark()
    return ward


@pytest.fixture
def page(shift: Shift, browser: Browser, panel: FrontPanel) -> Iterator[Page]:
    with opened(browser, panel.url) as found:
        expect(found.locator("#link")).to_have_text("The device is online")
        yield found


@pytest.fixture
def front(page: Page) -> Front:
    return Front(page)
