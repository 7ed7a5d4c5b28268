"""Labels in the shipped photographs, at the sensor's size, against what geometry says is true."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.label import LabelReader, Plane
from appliance.simulator.world import Laid
from base.errors import FormatError
from tests.appliance.labelled import Seen, print_label
from wire import label_layout, shapes
from wire.label import Code, Label
from wire.label_layout import Box

WITHIN = 0.01


@pytest.fixture(scope="module")
def label(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return print_label(tmp_path_factory.mktemp("label"))


def read(seen: Seen) -> Label | None:
    with LabelReader() as reader, seen.frame() as frame:
        return reader.read(frame)


def test_a_label_gives_scale_site_side_and_light(label: Path) -> None:
    found = read(Seen("coffee.png", Laid(str(label), x=0.3, y=0.7, width=0.2, turned=30)))
    assert found is not None
    assert (found.code, found.site, found.side, found.wound) == ("W2 HEEL L", "HEEL", "L", 2)
    assert found.nm_per_px == pytest.approx(63.5 / (0.2 * 4056) * 1e6, rel=0.003)
    assert (found.tilt <= 4, found.refused, found.marker_um) == (True, None, 20_000)
    assert found.grey is not None and found.white is not None
    for level, due in zip((*found.grey, *found.white), (127, 128, 128, 239, 128, 128), strict=True):
        assert abs(level / 10 - due) < 3
    # In the private header and back again.
    assert shapes.from_map(Label, shapes.to_map(found), "label") == found


def chance(seed: int, label: Path) -> Seen:
    """Any label that a nurse might lay down: near, far, askew, blurred, in poor light."""
    dice = random.Random(seed)
    return Seen(
        dice.choice(["retina.jpg", "coffee.png"]),
        Laid(
            str(label),
            x=dice.uniform(0.25, 0.75),
            y=dice.uniform(0.25, 0.75),
            width=dice.choice([dice.uniform(0.05, 0.1), dice.uniform(0.1, 0.4)]),
            turned=dice.uniform(0, 360),
            tilted=dice.choice([0, dice.uniform(-12, 12), dice.uniform(-45, 45)]),
        ),
        blur=dice.choice([0, dice.uniform(0, 3.5)]),
        seed=seed,
    )


@pytest.mark.parametrize("seed", range(10))
def test_a_scale_that_is_given_is_true_in_every_direction(seed: int, label: Path) -> None:
    seen = chance(seed, label)
    found = read(seen)
    if found is None or found.nm_per_px is None:
        # It may be refused only where it could not be trusted.
        askew = min(seen.nm_per_px) / max(seen.nm_per_px) < 0.989
        assert askew or seen.marker_pixels < 90 or seen.blur > 2
        return
    for truth in seen.nm_per_px:
        assert abs(found.nm_per_px / truth - 1) < WITHIN, seen


def test_a_label_that_leans_gives_no_scale_and_says_why(label: Path) -> None:
    found = read(Seen("retina.jpg", Laid(str(label), width=0.2, tilted=25)))
    assert found is not None
    assert (found.nm_per_px, found.refused) == (None, "oblique")
    assert 20 <= found.tilt <= 27
    assert found.code == "W2 HEEL L"


def test_a_label_too_far_away_gives_no_scale_and_says_why(label: Path) -> None:
    found = read(Seen("retina.jpg", Laid(str(label), width=0.055)))
    assert found is not None
    assert (found.nm_per_px, found.refused) == (None, "small")


def test_a_small_label_says_that_its_marker_is_smaller(tmp_path: Path) -> None:
    layout = label_layout.SMALL
    label = print_label(tmp_path, "SACRUM", layout)
    seen = Seen("coffee.png", Laid(str(label), width=0.15, turned=200), layout)
    found = read(seen)
    assert found is not None
    assert (found.marker_um, found.code, found.side, found.wound) == (12_000, "SACRUM", None, None)
    assert found.nm_per_px == pytest.approx(seen.nm_per_px[0], rel=0.005)


def test_of_two_labels_neither_names_the_site(label: Path) -> None:
    seen = Seen("coffee.png", Laid(str(label), x=0.25, width=0.2))
    with seen.frame() as frame, replace(seen, laid=replace(seen.laid, x=0.75)).frame() as other:
        middle = frame.width // 2
        for y in range(frame.height):
            row = slice(y * frame.strides[0] + middle, y * frame.strides[0] + frame.width)
            frame.luma[row] = other.luma[row]
        with LabelReader() as reader:
            found = reader.read(frame)
    assert found is not None
    assert (found.refused, found.nm_per_px, found.code, found.site) == ("several", None, None, None)


@pytest.mark.parametrize("scene", ["retina.jpg", "coffee.png"])
def test_without_a_label_nothing_is_claimed(scene: str, label: Path) -> None:
    assert read(Seen(scene, Laid(str(label), x=2))) is None


def test_a_mirrored_label_is_no_label(label: Path) -> None:
    with Seen("coffee.png", Laid(str(label), width=0.3)).frame() as frame:
        for y in range(frame.height):
            row = slice(y * frame.strides[0], y * frame.strides[0] + frame.width)
            frame.luma[row] = bytes(frame.luma[row])[::-1]
        with LabelReader() as reader:
            assert reader.read(frame) is None


@pytest.mark.parametrize("corner", [(0.02, 0.5), (0.5, 0.98)])
def test_a_label_that_reaches_out_of_the_picture_is_read_as_far_as_it_goes(
    corner: tuple[float, float], label: Path
) -> None:
    found = read(Seen("coffee.png", Laid(str(label), x=corner[0], y=corner[1], width=0.3)))
    assert found is None or found.code in (None, "W2 HEEL L")


# The plane, and the words


@given(
    st.floats(-0.4, 0.4),
    st.floats(-0.4, 0.4),
    st.floats(0.5, 2),
    st.floats(-3, 3),
)
def test_the_plane_maps_a_label_as_the_lens_does(
    lean: float, turn: float, size: float, shift: float
) -> None:
    square = Box(5, 7, 20)

    def lens(x: float, y: float) -> tuple[float, float]:
        away = 1 + (lean * x + turn * y) / 100
        return (100 + size * 10 * x + shift * y) / away, (200 - shift * x + size * 9 * y) / away

    corners = [lens(x, y) for x, y in ((5, 7), (25, 7), (25, 27), (5, 27))]
    plane = Plane(corners, square)
    for x, y in ((5, 7), (15, 17), (40, 10), (0, 30)):
        assert plane.at(x, y) == pytest.approx(lens(x, y), abs=1e-6)
    # The derivative, by small steps.
    (x0, y0), (x1, y1), (x2, y2) = lens(15, 17), lens(15 + 1e-5, 17), lens(15, 17 + 1e-5)
    area = abs((x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)) / 1e-10
    most, least = plane.stretch()
    assert most * least == pytest.approx(area, rel=1e-3)
    for dx, dy in ((x1 - x0, y1 - y0), (x2 - x0, y2 - y0)):
        assert least * 0.999 <= (dx**2 + dy**2) ** 0.5 / 1e-5 <= most * 1.001


@pytest.mark.parametrize("words", ["W2 HEEL L", "SACRUM", "HEEL R", "W99 LEFT-2 L", "W1 LEG"])
def test_words_and_code_are_the_same(words: str) -> None:
    code = Code.of(words)
    assert code.words == words
    assert Code.scanned(code.text) == code


@pytest.mark.parametrize("words", ["", "heel l", "W0 HEEL", "HEEL X", "HEEL  L", "W2", "A", "É L"])
def test_P10_what_is_no_label_s_text_is_refused_with_an_example(words: str) -> None:
    if words == "W2":
        assert Code.of(words).site == "W2"
        return
    with pytest.raises(FormatError, match="such as W2 HEEL L"):
        Code.of(words)


@pytest.mark.parametrize(
    "text", ["W2 HEEL L", "WSL1:heel", "WSL2:HEEL L", "8018123456789012345678"]
)
def test_another_code_is_no_label(text: str) -> None:
    assert Code.scanned(text) is None
