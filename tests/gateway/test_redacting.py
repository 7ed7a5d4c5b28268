"""What is taken out of a picture is gone: its pixels and every byte that is not picture."""

import io
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

from gateway.sharing.redacting import Box, Busy, NotRedacted, Plan, redact
from tests.gateway.bedside import jpeg

PIXELS = 4096 * 3072


def noisy(width: int = 640, height: int = 480, *, seed: int = 1) -> bytes:
    """A picture without two equal blocks, as JPEG 4:2:0 without any metadata."""
    rng = random.Random(seed)
    small = Image.frombytes(
        "RGB", (width // 8, height // 8), rng.randbytes(width * height * 3 // 64)
    )
    out = io.BytesIO()
    small.resize((width, height)).save(out, "jpeg", quality=95, subsampling="4:2:0")
    return out.getvalue()


def pixels_of(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def test_what_is_blacked_out_is_black_and_the_rest_is_the_picture() -> None:
    before, plan = noisy(), Plan.of("", "101,51,200,150;600,400,500,500")
    after = pixels_of(redact(memoryview(bytearray(before)), plan, pixels=PIXELS).jpeg)
    assert after.size == (640, 480) and after.info.keys() <= {
        "jfif",
        "jfif_version",
        "jfif_unit",
        "jfif_density",
    }
    for box in ((101, 51, 301, 201), (600, 400, 640, 480)):  # the edges ring, as JPEG does
        assert max(after.crop(box).convert("L").tobytes()) <= 48  # the edges ring, as JPEG does
    old, new = pixels_of(before).crop((320, 220, 590, 390)), after.crop((320, 220, 590, 390))
    apart = ImageStat.Stat(ImageChops.difference(old, new)).mean
    assert max(apart) < 4


def test_a_picture_as_large_as_the_sensor_is_made_anew() -> None:
    out = io.BytesIO()
    Image.effect_noise((4056, 3040), 60).convert("RGB").save(out, "jpeg", quality=92)
    plan = Plan.of("", "100,100,1000,1000")
    made = redact(memoryview(bytearray(out.getvalue())), plan, pixels=16_000_000)
    assert (made.width, made.height) == (4056, 3040)
    assert max(pixels_of(made.jpeg).crop((116, 116, 1084, 1084)).convert("L").tobytes()) == 0


def test_nothing_of_what_was_taken_out_is_left_whatever_it_was() -> None:
    """Two pictures that differ only where it is blacked out or cut off give the same bytes."""
    one, other = pixels_of(noisy(seed=1)), pixels_of(noisy(seed=1))
    other.paste(pixels_of(noisy(seed=2)).crop((0, 0, 160, 160)), (160, 160))
    other.paste((255, 0, 0), (480, 0, 640, 480))
    made = []
    for image in (one, other):
        out = io.BytesIO()
        image.save(out, "jpeg", quality=95, subsampling="4:2:0")
        plan = Plan.of("0,0,464,480", "144,144,192,192")
        made.append(redact(memoryview(bytearray(out.getvalue())), plan, pixels=PIXELS).jpeg)
    assert made[0] == made[1]
    assert pixels_of(made[0]).size == (464, 480)


def test_a_copy_is_made_anew_and_the_same_plan_gives_the_same_bytes() -> None:
    before = memoryview(bytearray(jpeg(320, 240)))
    first, second = (redact(before, Plan(), pixels=PIXELS) for _ in range(2))
    assert first == second and first.jpeg != bytes(before)


@pytest.mark.parametrize(
    "text", ["1,2,3", "a,b,c,d", "1,2,0,4", "-1,2,3,4", "1,2,3,4,5", "1e3,1,1,1"]
)
def test_P10_a_part_that_is_none_is_said(text: str) -> None:
    with pytest.raises(NotRedacted, match="left,top,width,height in pixels"):
        Box.of(text)
    with pytest.raises(NotRedacted, match="at most 40"):
        Plan.of("", ";".join(["1,1,1,1"] * 41))


@pytest.mark.parametrize("keep", ["9000,9000,10,10", "320,0,10,10"])
def test_P10_nothing_left_to_keep_is_said(keep: str) -> None:
    with pytest.raises(NotRedacted, match="could not be made anew"):
        redact(memoryview(bytearray(jpeg(320, 240))), Plan.of(keep, ""), pixels=PIXELS)


@pytest.mark.parametrize("data", [b"", b"no jpeg", noisy()[:5000], noisy() + b"tail"])
def test_P10_what_is_no_picture_of_ours_is_refused_by_the_process_without_keys(data: bytes) -> None:
    with pytest.raises(NotRedacted, match="could not be made anew"):
        redact(memoryview(bytearray(data or b"\0")), Plan(), pixels=PIXELS)


def test_P3_no_descriptor_stays_open() -> None:
    redact(memoryview(bytearray(jpeg())), Plan(), pixels=PIXELS)
    before = len(list(Path("/proc/self/fd").iterdir()))
    redact(memoryview(bytearray(jpeg())), Plan(), pixels=PIXELS)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_P10_who_would_wait_too_long_is_told_and_keeps_no_thread() -> None:
    picture, together = noisy(1600, 1200), threading.Barrier(14)

    def ask(_: int) -> bool:
        together.wait(20)
        try:
            redact(memoryview(bytearray(picture)), Plan(), pixels=PIXELS)
        except Busy as e:
            assert "try again" in str(e)
            return False
        return True

    with ThreadPoolExecutor(14) as pool:
        made = list(pool.map(ask, range(14)))
    assert 1 <= made.count(False) <= 12, "some are told at once, others get theirs"
    assert redact(memoryview(bytearray(picture)), Plan(), pixels=PIXELS).width == 1600
