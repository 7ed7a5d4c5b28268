import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from appliance.quality import Verdict, judge
from appliance.simulator.world import SCENES

WIDTH, HEIGHT, STRIDE = 2028, 1520, 2048

Levels = NDArray[np.float64]


def photograph(name: str, blur: float = 0) -> Levels:
    """A shipped photograph at half the sensor's size, out of focus by so many pixels."""
    with Image.open(SCENES / name) as file:
        picture = file.convert("L").resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR)
    return np.asarray(picture.filter(ImageFilter.GaussianBlur(blur)), dtype=np.float64)


def verdict(levels: Levels, noise: float = 3) -> Verdict:
    random = np.random.default_rng(5)
    seen = np.clip(np.rint(levels + random.normal(0, noise, levels.shape)), 0, 255)
    plane = np.full((HEIGHT, STRIDE), 255, dtype=np.uint8)
    plane[:, :WIDTH] = seen
    return judge(plane.reshape(-1).data, width=WIDTH, height=HEIGHT, stride=STRIDE)


@pytest.mark.parametrize("name", ["retina.jpg", "coffee.png"])
@pytest.mark.parametrize("noise", [0, 3, 6])
def test_a_good_photo_is_kept(name: str, noise: float) -> None:
    assert verdict(photograph(name), noise).poor == ()


@pytest.mark.parametrize("name", ["retina.jpg", "coffee.png"])
@pytest.mark.parametrize("noise", [0, 3, 6])
def test_a_blurred_photo_is_poor_however_noisy(name: str, noise: float) -> None:
    assert verdict(photograph(name, blur=8), noise).poor == ("blurred",)


def test_the_blur_of_a_moving_hand_is_poor() -> None:
    still = photograph("coffee.png")
    moved = np.mean([np.roll(still, n, axis=1) for n in range(0, 40, 4)], axis=0)
    assert verdict(moved).poor == ("blurred",)


@pytest.mark.parametrize(("gain", "poor"), [(0.3, ("dark",)), (1.0, ()), (4.0, ("bright",))])
def test_a_wrong_exposure_is_poor(gain: float, poor: tuple[str, ...]) -> None:
    assert verdict(photograph("coffee.png") * gain).poor == poor


def test_black_around_a_lit_subject_is_not_dark() -> None:
    picture = photograph("retina.jpg")
    assert np.mean(picture < 10) > 0.2
    assert verdict(picture).poor == ()


def test_a_lamp_in_the_picture_is_not_bright() -> None:
    picture = photograph("coffee.png")
    picture[:300, :500] = 255
    assert verdict(picture).poor == ()


@pytest.mark.parametrize("noise", [0, 3, 10])
def test_of_a_plain_wall_nothing_is_claimed(noise: float) -> None:
    assert verdict(np.full((HEIGHT, WIDTH), 150.0), noise).poor == ()


def test_what_was_measured_is_in_whole_numbers() -> None:
    measured = verdict(photograph("retina.jpg")).measured
    assert measured.keys() == {"mean", "black", "white", "contrast", "sharp"}
    assert all(type(value) is int for value in measured.values())
    assert 60 < measured["mean"] < 100


@pytest.mark.parametrize(("width", "height"), [(64, 64), (65, 7), (4056, 3040)])
def test_any_size_that_can_be_configured_can_be_judged(width: int, height: int) -> None:
    plane = memoryview(bytearray(width * height))
    assert judge(plane, width=width, height=height, stride=width).poor == ("dark",)
