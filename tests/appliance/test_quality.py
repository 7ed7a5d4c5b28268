"""The verdict on the shipped photographs, at the sensor's size, with its noise."""

from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from appliance.quality import Thresholds, Verdict, judge
from appliance.simulator.world import SCENES
from base.errors import ConfigError

WIDTH, HEIGHT, STRIDE = 4056, 3040, 4096
PHOTOGRAPHS = ["retina.jpg", "coffee.png"]
USUAL = Thresholds()
SEEDS_AND_SIGMAS = [(0, 0.0), (1, 3.0), (2, 3.0), (3, 6.0)]

Levels = NDArray[np.float32]


@cache
def photograph(name: str, blur: float = 0) -> Levels:
    """A shipped photograph as it fills the sensor, out of focus by so many pixels."""
    with Image.open(SCENES / name) as file:
        scale = min(WIDTH / file.width, HEIGHT / file.height)
        size = round(file.width * scale), round(file.height * scale)
        picture = file.convert("L").resize(size, Image.Resampling.BILINEAR)
    whole = Image.new("L", (WIDTH, HEIGHT))
    whole.paste(picture, ((WIDTH - size[0]) // 2, (HEIGHT - size[1]) // 2))
    return np.asarray(whole.filter(ImageFilter.GaussianBlur(blur)), dtype=np.float32)


def shaken(still: Levels, pixels: int, degrees: float) -> Levels:
    """What is exposed while the hand moves by so many pixels."""
    way = np.linspace(-pixels / 2, pixels / 2, 16)
    angle = np.radians(degrees)
    total = np.zeros_like(still)
    for part in way:
        by = round(part * np.sin(angle)), round(part * np.cos(angle))
        total += np.roll(still, by, axis=(0, 1))
    total /= len(way)
    return total


@cache
def grain() -> Levels:
    random = np.random.default_rng(5)
    return random.standard_normal((HEIGHT + 64, STRIDE), dtype=np.float32)


def verdict(levels: Levels, sigma: float = 3, seed: int = 0, limits: Thresholds = USUAL) -> Verdict:
    plane = np.full((HEIGHT, STRIDE), 255, dtype=np.uint8)
    noise = grain()[seed * 16 : seed * 16 + HEIGHT, seed * 10 : seed * 10 + WIDTH]
    plane[:, :WIDTH] = np.clip(levels + sigma * noise + 0.5, 0, 255)
    return judge(
        plane.reshape(-1).data, width=WIDTH, height=HEIGHT, stride=STRIDE, thresholds=limits
    )


def verdicts(levels: Levels) -> list[tuple[str, ...]]:
    return [verdict(levels, sigma, seed).poor for seed, sigma in SEEDS_AND_SIGMAS]


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_a_good_photo_is_kept(name: str) -> None:
    assert verdicts(photograph(name)) == [()] * 4


@pytest.mark.parametrize("name", PHOTOGRAPHS)
@pytest.mark.parametrize("blur", [8, 16])
def test_a_photo_out_of_focus_is_blurred_however_noisy_and_never_called_moved(
    name: str, blur: float
) -> None:
    assert verdicts(photograph(name, blur)) == [("blurred",)] * 4


@pytest.mark.parametrize("name", PHOTOGRAPHS)
@pytest.mark.parametrize("degrees", [0, 20, 45, 90])
def test_a_photo_of_a_moving_hand_is_poor_whichever_way_it_moves(name: str, degrees: float) -> None:
    for poor in verdicts(shaken(photograph(name), 60, degrees)):
        assert poor in (("moved",), ("blurred",))


@pytest.mark.parametrize(("name", "degrees"), [("retina.jpg", 0), ("coffee.png", 90)])
def test_a_moved_photo_is_called_moved_where_that_shows(name: str, degrees: float) -> None:
    moved = shaken(photograph(name), 60, degrees)
    for seed, sigma in SEEDS_AND_SIGMAS[:3]:
        assert verdict(moved, sigma, seed).poor == ("moved",)


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_a_wrong_exposure_is_poor(name: str) -> None:
    picture = photograph(name)
    for seed, sigma in SEEDS_AND_SIGMAS:
        assert "dark" in verdict(picture * 0.25, sigma, seed).poor
        assert "bright" in verdict(picture * 5, sigma, seed).poor


def test_black_around_a_lit_subject_is_not_dark() -> None:
    picture = photograph("retina.jpg")
    assert np.mean(picture < 10) > 0.4
    assert verdict(picture).poor == ()


def test_a_lamp_in_the_picture_is_not_bright() -> None:
    picture = photograph("coffee.png").copy()
    picture[400:1000, 300:1300] = 255
    assert verdict(picture).poor == ()


@pytest.mark.parametrize("sigma", [0, 3, 10])
def test_of_a_plain_wall_nothing_is_claimed(sigma: float) -> None:
    assert verdict(np.full((HEIGHT, WIDTH), 150, dtype=np.float32), sigma).poor == ()


def test_of_stripes_nothing_is_claimed_along_them() -> None:
    stripes = np.where(np.arange(WIDTH) // 20 % 2, 200, 60).astype(np.float32)
    assert verdict(np.broadcast_to(stripes, (HEIGHT, WIDTH))).poor == ()


def test_what_was_measured_is_in_whole_numbers() -> None:
    measured = verdict(photograph("coffee.png")).measured
    assert measured.keys() == {"mean", "black", "white", "contrast", "sharp", "across"}
    assert all(type(value) is int for value in measured.values())
    assert 60 < measured["mean"] < 130
    assert 45 <= measured["sharp"] < measured["across"]


@pytest.mark.parametrize(("width", "height"), [(64, 64), (66, 130), (4056, 3040)])
def test_any_size_that_can_be_configured_can_be_judged(width: int, height: int) -> None:
    plane = memoryview(bytearray(width * height))
    found = judge(plane, width=width, height=height, stride=width, thresholds=Thresholds())
    assert found.poor == ("dark",)


def test_a_threshold_is_a_setting() -> None:
    picture = photograph("coffee.png")
    assert verdict(picture, limits=Thresholds(sharp=0.5)).poor == ("blurred",)
    assert verdict(picture, limits=Thresholds(mean_dark=200)).poor == ("dark",)


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("sharp", 2, "sharp: use 0 to 1"),
        ("mean_bright", 300, "mean_bright: use 0 to 255"),
        ("mean_dark", 230, "mean_dark: use less than mean_bright"),
    ],
)
def test_P10_a_threshold_that_cannot_be_is_named(setting: str, value: float, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Thresholds(**{setting: value})  # type: ignore[arg-type]
