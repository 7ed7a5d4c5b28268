"""The barcode reader on frames as the camera delivers them."""

from pathlib import Path

import numpy as np
import pytest
import zxingcpp
from PIL import Image

from appliance import reader
from appliance.codes import Kind, Patterns, Symbol
from appliance.config import CodeSettings
from appliance.frame import Frame, Layout
from appliance.lookout import REST, Lookout
from appliance.simulator import bands
from appliance.simulator.scene import load
from appliance.simulator.world import DEFAULT_SCENE, SCENES, Laid

SMALL = Layout.padded(1024, 768)
FULL = Layout.padded(4056, 3040)
MRN = Patterns(CodeSettings(band_text=r"M\d{7}", badge_text=r"S\d{4}"))


def glance(*held: Path, laid: tuple[Laid, ...] = ()) -> Frame:
    """The small frame of the photograph that the demo shows, with these held into it."""
    shown = load(SCENES / DEFAULT_SCENE, FULL, held, [(prop, Path(prop.picture)) for prop in laid])
    buffer = memoryview(bytearray(SMALL.size))
    shown.glance(buffer, SMALL)
    shown.close()
    return Frame(buffer, SMALL)


def read(frame: Frame, patterns: Patterns = MRN) -> set[tuple[Kind, str]]:
    with frame:
        codes = [patterns.code(symbol) for symbol in reader.read(frame)]
    return {(code.kind, code.text) for code in codes if code is not None}


@pytest.mark.parametrize("code", [bands.BAND, "M1234567"])
def test_a_wristband_and_a_badge_held_into_the_view_are_read_at_once(
    tmp_path: Path, code: str
) -> None:
    held = (bands.wristband(code, tmp_path), bands.badge(bands.BADGE, tmp_path))
    assert read(glance(*held)) == {(Kind.BAND, code), (Kind.BADGE, bands.BADGE)}


def test_a_badge_with_a_plain_number_is_read(tmp_path: Path) -> None:
    assert read(glance(bands.badge("S4711", tmp_path))) == {(Kind.BADGE, "S4711")}


@pytest.mark.parametrize("turned", [0, 17, 45, 90, 180])
def test_a_wristband_is_read_however_it_lies(tmp_path: Path, turned: int) -> None:
    strip = Laid(str(bands.wristband(bands.BAND, tmp_path)), 0.4, turned=turned, tilted=20)
    assert read(glance(laid=(strip,))) == {(Kind.BAND, bands.BAND)}


def test_a_view_without_codes_says_nothing() -> None:
    assert read(glance()) == set()


def test_other_barcodes_are_not_even_looked_for(tmp_path: Path) -> None:
    for kind, text in (
        (zxingcpp.BarcodeFormat.EAN13, "4006381333931"),
        (zxingcpp.BarcodeFormat.ITF, "12345670"),
        (zxingcpp.BarcodeFormat.Aztec, "M1234567"),
    ):
        picture = tmp_path / f"{kind}.png"
        drawn: object = zxingcpp.create_barcode(text, kind).to_image(scale=8)
        Image.fromarray(np.asarray(drawn)).save(picture)
        with glance(picture) as frame:
            assert reader.read(frame) == []


def test_P3_the_reader_keeps_no_view_of_the_frame(tmp_path: Path) -> None:
    frame = glance(bands.wristband(bands.BAND, tmp_path))
    with frame:
        found = reader.read(frame)
        plane = frame.luma
    assert found
    # Leaving gives the buffer back, which fails while anybody looks at it.
    with pytest.raises(ValueError, match="released"):
        bytes(plane)


def test_a_slow_reader_leaves_the_viewfinder_four_fifths_of_the_time() -> None:
    now, looks = 0.0, []

    def slow(_: Frame) -> list[Symbol]:
        nonlocal now
        looks.append(now)
        now += 0.15
        return []

    lookout = Lookout(patterns=MRN, read=slow, now=lambda: now)
    frame = Frame(memoryview(bytearray(SMALL.size)), SMALL)
    for view in range(41):
        now = max(now, view * 0.25)
        lookout.look(frame)
    assert len(looks) * 0.15 <= 10 / (1 + REST) + 0.15
    assert len(looks) >= 10


def test_a_site_without_patterns_pays_nothing() -> None:
    def never(_: Frame) -> list[Symbol]:
        raise AssertionError("there is nothing to look for")

    lookout = Lookout(patterns=Patterns(CodeSettings("", "", "", "")), read=never)
    assert lookout.look(Frame(memoryview(bytearray(SMALL.size)), SMALL)) == []
