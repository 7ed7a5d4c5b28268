"""Two bands that are encoded at once are one JPEG, and its pixels are those of the whole frame."""

import io
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from appliance.crypto.bands import BandedEncoder
from appliance.frame import Frame, Layout
from base import turbojpeg
from base.turbojpeg import Decoder, EncodeError, Encoder
from gateway import markers

HELPER = ThreadPoolExecutor(1)
LAYOUT = Layout.padded(1014, 760)


def picture(layout: Layout, content: bytes | None = None) -> Frame:
    buffer = memoryview(bytearray(content or os.urandom(layout.size)))
    return Frame(buffer, layout)


def banded(frame: Frame, quality: int = 92) -> bytes:
    with closing(BandedEncoder(frame.width, frame.height, quality)) as bands:
        out = memoryview(bytearray(bands.room))
        length = bands.encode(frame, out, HELPER)
        assert not any(out[length:]), "P3: behind the JPEG nothing of it is left"
        return bytes(out[:length])


def whole(frame: Frame, quality: int = 92) -> bytes:
    out = memoryview(bytearray(turbojpeg.bound(frame.width, frame.height)))
    with Encoder() as encoder:
        length = encoder.encode_yuv420(
            frame.planes,
            width=frame.width,
            height=frame.height,
            strides=frame.strides,
            quality=quality,
            out=out,
        )
    return bytes(out[:length])


def pixels(jpeg: bytes) -> bytes:
    with Decoder() as decoder:
        header = decoder.header(jpeg)
        out = memoryview(bytearray(decoder.yuv_size(header)))
        decoder.decode_yuv(jpeg, out)
    return bytes(out)


@given(
    width=st.integers(1, 40).map(lambda n: 2 * n),
    height=st.integers(1, 60).map(lambda n: 2 * n),
    quality=st.integers(1, 100),
)
def test_the_pixels_are_to_the_bit_those_of_the_frame_encoded_whole(
    width: int, height: int, quality: int
) -> None:
    frame = picture(Layout.padded(width, height))
    assert pixels(banded(frame, quality)) == pixels(whole(frame, quality))


def test_a_real_size_is_one_file_that_others_and_our_gateway_read() -> None:
    frame = picture(LAYOUT)
    made = banded(frame)
    assert made.count(b"\xff\xd0") == 1
    assert abs(len(made) - len(whole(frame))) < len(made) / 1000
    form = markers.walk(made, len(made))
    assert (form.width, form.height) == (LAYOUT.width, LAYOUT.height)
    assert form.bands is not None and form.bands.rows == 384
    with Image.open(io.BytesIO(made)) as ours, Image.open(io.BytesIO(whole(frame))) as theirs:
        assert ours.size == theirs.size == (LAYOUT.width, LAYOUT.height)
        assert ours.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("layout", [Layout.padded(64, 16), Layout.padded(32768, 2048)])
def test_what_two_bands_cannot_be_is_encoded_whole(layout: Layout) -> None:
    frame = picture(layout, bytes(layout.size))
    assert banded(frame) == whole(frame)


def test_a_flat_picture_and_a_noisy_one_at_best_quality_fit() -> None:
    for content in (bytes(LAYOUT.size), None):
        assert pixels(banded(picture(LAYOUT, content), 100))


def test_a_frame_of_another_size_is_refused() -> None:
    with (
        closing(BandedEncoder(64, 48, 92)) as bands,
        pytest.raises(EncodeError, match="the camera gave 1014 x 760 pixels and not 64 x 48"),
    ):
        bands.encode(picture(LAYOUT), memoryview(bytearray(bands.room)), HELPER)


def test_a_busy_machine_whose_helper_never_begins_gets_its_picture_all_the_same() -> None:
    frame = picture(LAYOUT)
    with (
        closing(BandedEncoder(LAYOUT.width, LAYOUT.height, 92)) as bands,
        ThreadPoolExecutor(1) as helper,
    ):
        out = memoryview(bytearray(bands.room))
        over = threading.Event()
        helper.submit(over.wait)
        length = bands.encode(frame, out, helper)
        over.set()
    assert pixels(bytes(out[:length])) == pixels(whole(frame))
