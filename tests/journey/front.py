"""The page that ./demo serves, by the names that are on it."""

from io import BytesIO

from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.faults.shift import Shift
from tests.journey.browser import PATIENCE_MS
from tests.waiting import until

expect.set_options(timeout=PATIENCE_MS)

FINGER_MS = 80


class Front:
    """The page by the names that are on it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.consent = page.get_by_role("button", name="CONSENT I asked; they agreed")
        self.capture = page.get_by_role("button", name="CAPTURE take a photo")
        self.screen = page.locator("#spoken")
        self.lamp = page.locator("#lamp-words")

    def press(self, button: Locator) -> None:
        button.click(delay=FINGER_MS)

    def says(self, *words: str) -> None:
        for word in words:
            expect(self.screen).to_contain_text(word)

    def open_window(self, *words: str) -> None:
        """Press CONSENT, again where the last one is less than two seconds ago."""
        self.press(self.consent)
        try:
            expect(self.screen).to_contain_text("CARE ONLY", timeout=2500)
        except AssertionError:
            self.press(self.consent)
        self.says("CARE ONLY", *(words or ("READY",)))

    def end_window(self, shift: Shift) -> None:
        shift.nurse.finish()
        expect(self.lamp).to_have_text("Lamp off")

    def photo(self, photo: bytes) -> Locator:
        """The hospital's card for one photo."""
        return self.page.locator("#photos li", has_text=photo.hex()[:16])

    def plug(self, name: str) -> Locator:
        return self.page.get_by_role("switch", name=name)


def shown_beside(front: Front, shift: Shift) -> Image.Image:
    """The latest photo's picture, once the hospital's side of the page shows it as FILED."""
    fate = shift.wait_for_outcome("FILED")
    assert fate.photo is not None
    card = front.photo(fate.photo)
    expect(card).to_contain_text("FILED")
    image = card.locator("img")
    image.scroll_into_view_if_needed()
    until(lambda: image.evaluate("image => image.naturalWidth"), 20, "the picture to be shown")
    (file,) = shift.site.record.glob(f"*/{fate.photo.hex()}.jpg")
    return Image.open(BytesIO(file.read_bytes()))
