"""Draws every screen of the device in every language into docs/screens.png, and one photo's
screens for the README into docs/walk.png.

    python scripts/draw_screens.py            draw it
    python scripts/draw_screens.py --check    exit 1 when the committed picture is out of date

The screens are not made up: each is what the session shows after the events of a short story,
drawn by the code that draws on the device. ``tests/appliance/test_drawing.py`` compares.
The font in appliance/fonts was made with ``LETTERS`` by fonttools:

    pyftsubset DejaVuSansCondensed-Bold.ttf --text="$LETTERS" --no-hinting --name-IDs='*'
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw

ROOT: Final = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from appliance import session, signals  # noqa: E402
from appliance.drawing import HEIGHT, SMALL, WIDTH, draw, lettering  # noqa: E402
from appliance.frame import Frame, Layout  # noqa: E402
from appliance.hands import SECOND  # noqa: E402
from appliance.orders import VIEW_BYTES  # noqa: E402
from appliance.photos import Stage  # noqa: E402
from appliance.screen import Screen, WallTimes, view  # noqa: E402
from appliance.signals import Event, Line  # noqa: E402
from appliance.state import State  # noqa: E402
from appliance.viewfinder import draw as draw_finder  # noqa: E402
from appliance.wording import LANGUAGES  # noqa: E402
from wire.reasons import Reason, worded  # noqa: E402

LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ 0123456789+?:!/-.,'()=%&#ÄÖÜÉÈÊËÇÀÂÎÏÔŒÙÛÑÁÍÓÚ¿¡"
SHEET: Final = ROOT / "docs" / "screens.png"
WALK: Final = ROOT / "docs" / "walk.png"
SCENE: Final = ROOT / "appliance" / "simulator" / "scenes" / "retina.jpg"
_EDGE: Final = 8
_TWO_PM: Final = 14 * 3600 * SECOND
_WHEN_MS: Final = (14 * 3600 + 3 * 60) * 1000


class Story:
    """Events one after the other, and what the device's state is then."""

    def __init__(self, state: State | None = None, *, online: bool = True) -> None:
        self.state = state or session.resume(_TWO_PM, next_n=1)
        self.now = self.state.now
        self.tell(signals.Link(self.now, online))

    def tell(self, *events: Event) -> "Story":
        for event in events:
            self.state, effects = session.step(self.state, event)
            for effect in effects:
                match effect:
                    case signals.CloseDarkroom():
                        self.tell(signals.DarkroomEnded(self.now))
                    case signals.Release(n):
                        self.tell(signals.Released(self.now, n))
                    case signals.WipeUnsent(n):
                        self.tell(signals.Undone(self.now, n))
        return self

    def wait(self, seconds: float) -> "Story":
        self.now += round(seconds * SECOND)
        return self.tell(signals.Tick(self.now))

    def consent(self, seconds: float = 0.1) -> "Story":
        self.tell(signals.ConsentDown(self.now)).wait(seconds)
        return self.tell(signals.ConsentUp(self.now))

    def capture(self) -> "Story":
        self.tell(signals.CaptureDown(self.now)).wait(0.1)
        return self.tell(signals.CaptureUp(self.now))

    def opened(self) -> "Story":
        return self.consent().tell(signals.CameraReady(self.now)).wait(5)

    def photo(self, *poor: str) -> "Story":
        n = self.state.next_n
        self.capture().tell(signals.Verdict(self.now, n, poor), signals.Sealed(self.now, n))
        return self

    def menu(self, steps: int) -> "Story":
        self.consent(2.1)
        for _ in range(steps):
            self.wait(0.3).consent()
        return self.wait(0.5)

    def finished(self) -> "Story":
        return self.opened().photo().photo().consent()


@dataclass(frozen=True)
class Scene:
    """One screen of the sheet: what has happened, in words, and the state it led to."""

    happened: str
    state: State
    now: int


def _codes() -> Iterator[Scene]:
    """Wristband and badge."""
    reading = Story().opened().tell(signals.BandRead(0))
    yield _scene("a wristband is read", reading)
    yield _scene("a badge is read", reading.tell(signals.BadgeRead(0)))
    yield _scene("band and badge, afterwards", reading.wait(4))
    yield _scene("two wristbands side by side", reading.tell(signals.BandRead(0, several=True)))
    yield _scene("two wristbands, a photo later", reading.wait(4).photo().wait(4))


def gallery() -> Iterator[Scene]:
    """Every kind of screen there is, in the order in which a shift meets them."""

    yield _scene("idle", Story())
    yield _scene("idle, offline", Story(online=False))
    yield _scene("CAPTURE without consent", Story().capture())
    yield _scene("CONSENT: the camera starts", Story().consent().wait(0.5))
    yield _scene("CAPTURE before it is ready", Story().consent().wait(0.5).capture())
    yield _scene("ready", Story().opened())
    yield _scene("CAPTURE", Story().opened().photo().photo())
    yield _scene("CAPTURE, blurred", Story().opened().photo("blurred"))
    yield _scene("CONSENT held: BACK", Story().opened().photo().menu(0))
    yield _scene("CONSENT held: UNDO LAST", Story().opened().photo().menu(1))
    yield _scene("CONSENT held: UNDO ALL", Story().opened().photo().menu(2))
    yield _scene("CONSENT held: +TEACHING", Story().opened().photo().menu(3))
    yield _scene("+TEACHING chosen", Story().opened().menu(3).capture().wait(4))
    yield _scene("undo without a photo", Story().opened().menu(1).capture())
    yield _scene("CAPTURE, spool full", Story().opened().tell(signals.Spool(0, True)).capture())
    yield from _codes()
    yield _scene("8 s left", Story().opened().photo().wait(52))
    yield _scene("60 s without a press", Story().opened().photo().wait(61))
    yield _scene("CONSENT: finished", Story().finished())
    yield _scene("finished without a photo", Story().opened().consent())
    sealed = Story().finished().wait(4)
    yield _scene("sealed", sealed)
    sealed.tell(signals.Sent(sealed.now, 1), signals.Sent(sealed.now, 2))
    yield _scene("sent", sealed)
    sealed.tell(*(signals.Filed(sealed.now, n, _WHEN_MS) for n in (1, 2)))
    yield _scene("filed", sealed)
    held = Story().opened().photo().consent().wait(6)
    yield _scene("held for a person", held.tell(signals.Held(held.now, 1, _WHEN_MS, "no band")))
    late = Story().finished().wait(6).tell(signals.Link(0, False))
    yield _scene("offline afterwards", late)
    for why in (Reason.UNSPECIFIED, Reason.DAMAGED, Reason.WRONG_KEY):
        rejected = Story().finished().wait(6)
        no = signals.Rejected(rejected.now, 1, worded(why, "in words"))
        named = "" if why is Reason.UNSPECIFIED else f": {why}"
        yield _scene(f"rejected{named}", rejected.tell(no))
    for why in (Reason.REVOKED, Reason.NOT_ENROLLED, Reason.NOT_PROVEN, Reason.TOO_LARGE):
        refused = Story().finished().wait(6)
        yield _scene(f"refused: {why}", refused.tell(signals.Refusal(refused.now, why)))
    asking = Story().tell(signals.Refusal(0, Reason.REVOKED)).opened()
    yield _scene("consent on a revoked device", asking)
    patient = session.resume(_TWO_PM, next_n=1, release_seconds=30)
    undone = Story(patient).finished().wait(1)
    yield _scene("CONSENT held when idle: UNDO", Story().finished().wait(1).menu(3))
    yield _scene("undone before it was sent", undone.menu(3).capture())
    yield _scene("undone after it was sent", Story().finished().wait(7).menu(3).capture())
    yield _scene("CONSENT held when idle: EMERGENCY", Story().menu(0))
    yield _scene("CONSENT held when idle: NO CAPACITY", Story().menu(1))
    yield _scene("CONSENT held when idle: PROXY", Story().menu(2))
    yield _scene("EMERGENCY chosen", Story().menu(0).capture().tell(signals.CameraReady(0)))
    lean = Story().tell(signals.ConsentDown(_TWO_PM), signals.CaptureDown(_TWO_PM))
    yield _scene("both held: cleaning", lean.wait(3).wait(8))
    yield from _in_the_way()


def _in_the_way() -> Iterator[Scene]:
    """What keeps a nurse from taking a photo, and what has gone wrong with one."""
    yield _scene("spool full", Story().tell(signals.Spool(0, True)))
    faulty = Story().tell(signals.CameraFault(0, "no_camera"))
    yield _scene("no camera", faulty)
    yield _scene("the ledger cannot be written", Story().tell(signals.LedgerFault(0, "read-only")))
    yield _scene("the hospital's keys have expired", Story().tell(signals.KeysEnded(0, True)))
    yield _scene("the screen did not answer", Story().tell(signals.ScreenFault(0, True)).consent())
    yield _scene("CONSENT is stuck", Story().tell(signals.Stuck(0, Line.CONSENT)))
    yield _scene("CAPTURE is stuck", Story().tell(signals.Stuck(0, Line.CAPTURE)))
    lost = session.resume(_TWO_PM, next_n=9, photos=[(6, Stage.RELEASED)], lost=[7, 8])
    yield _scene("after a power cut", Story(lost))
    camera = Story().opened().tell(signals.CameraFault(0, "no_camera"))
    yield _scene("the camera failed", camera)


def _scene(happened: str, story: Story) -> Scene:
    return Scene(happened, story.state, story.now)


def finder() -> Image.Image:
    """What the viewfinder shows of the scene that comes with the simulator."""
    layout = Layout.padded(640, 480)
    frame = memoryview(bytearray(layout.size))
    with Image.open(SCENE) as photo:
        grey = photo.convert("L").resize((layout.width, layout.height)).tobytes()
    for y in range(layout.height):
        row = grey[y * layout.width : (y + 1) * layout.width]
        frame[y * layout.stride : y * layout.stride + layout.width] = row
    bits = memoryview(bytearray(VIEW_BYTES))
    draw_finder(Frame(frame, layout), bits)
    return Image.frombytes("1", (WIDTH, HEIGHT), bytes(bits))


def screen_of(scene: Scene, language: str) -> Screen:
    """What the device says in one scene in one language."""
    return view(scene.state, scene.now, language, place="BED 12", times=WallTimes(0, UTC))


def picture(scene: Scene, language: str, seen: Image.Image) -> Image.Image:
    """Draw one scene in one language."""
    screen = screen_of(scene, language)
    return draw(screen, seen if screen.finder else None)


def sheet() -> Image.Image:
    """Draw all of them, a row each, a column for each language."""
    scenes = list(gallery())
    seen = finder()
    row = HEIGHT + SMALL + 2 * _EDGE
    width = _EDGE + len(LANGUAGES) * (WIDTH + _EDGE)
    paper = Image.new("1", (width, _EDGE + len(scenes) * row), 1)
    pen = ImageDraw.Draw(paper)
    for number, scene in enumerate(scenes):
        top = _EDGE + number * row
        title = lettering(scene.happened.upper(), SMALL, width - 2 * _EDGE).image
        paper.paste(0, (_EDGE, top - 2, _EDGE + title.width, top - 2 + title.height), title)
        for column, language in enumerate(LANGUAGES):
            left = _EDGE + column * (WIDTH + _EDGE)
            paper.paste(picture(scene, language, seen), (left, top + SMALL + 3))
            pen.rectangle(
                (left - 1, top + SMALL + 2, left + WIDTH, top + SMALL + 3 + HEIGHT), outline=0
            )
    return paper


def walk() -> Image.Image:
    """Draw one photo's screens in English, in a row, twice as large: the README's picture."""
    wanted = ("idle", "ready", "CAPTURE", "sealed", "filed")
    scenes = {scene.happened: scene for scene in gallery()}
    seen = finder()
    step = 2 * WIDTH + 3 * _EDGE
    paper = Image.new("L", (len(wanted) * step - _EDGE, 2 * HEIGHT + 4 * _EDGE), 0)
    for number, happened in enumerate(wanted):
        screen = picture(scenes[happened], "en", seen).convert("L")
        large = screen.resize((2 * WIDTH, 2 * HEIGHT), Image.Resampling.NEAREST)
        paper.paste(large, (number * step + _EDGE, 2 * _EDGE))
    return paper.convert("1")


def main() -> int:
    """Draw, or compare."""
    drawn = sheet()
    if "--check" in sys.argv:
        with Image.open(SHEET) as committed:
            return int(committed.convert("1").tobytes() != drawn.tobytes())
    drawn.save(SHEET, optimize=True)
    walk().save(WALK, optimize=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
