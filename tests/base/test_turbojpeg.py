import io
import random
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from base import turbojpeg
from base.errors import FormatError
from base.turbojpeg import Decoder, EncodeError, Encoder, JpegHeader, Subsampling

SIZES = [(64, 48), (66, 50), (130, 34)]


def frame(
    width: int, height: int, padding: int = 0, level: int | None = None
) -> tuple[list[memoryview], list[int]]:
    """Planes and strides of a smooth picture, padding filled with something else."""
    planes, strides = [], []
    for number in range(3):
        w, h = (width, height) if number == 0 else ((width + 1) // 2, (height + 1) // 2)
        rows = bytearray(b"\xee" * ((w + padding) * h))
        for y in range(h):
            row = [
                (x * 2 + y * 3 + number * 40) % 200 if level is None else level for x in range(w)
            ]
            rows[y * (w + padding) : y * (w + padding) + w] = bytes(row)
        planes.append(memoryview(rows))
        strides.append(w + padding)
    return planes, strides


def encode(width: int, height: int, padding: int = 0, quality: int = 92) -> bytes:
    planes, strides = frame(width, height, padding)
    out = memoryview(bytearray(turbojpeg.bound(width, height)))
    with Encoder() as encoder:
        length = encoder.encode_yuv420(
            planes, width=width, height=height, strides=strides, quality=quality, out=out
        )
    return bytes(out[:length])


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_frame_comes_back_as_it_was(width: int, height: int) -> None:
    jpeg = encode(width, height, quality=100)
    with Decoder() as decoder:
        header = decoder.header(jpeg)
        assert header == JpegHeader(width, height, Subsampling.S420)
        out = memoryview(bytearray(decoder.yuv_size(header)))
        decoder.decode_yuv(jpeg, out)
    planes, _ = frame(width, height)
    due = b"".join(planes)
    assert max(abs(a - b) for a, b in zip(out, due, strict=True)) <= 4


def test_padding_never_shows_in_the_picture() -> None:
    assert encode(66, 50, padding=0) == encode(66, 50, padding=62)


def test_the_jpeg_holds_pixels_and_nothing_else() -> None:
    jpeg = encode(64, 48)
    markers, at = [], 2
    while jpeg[at + 1] != 0xDA:
        markers.append(jpeg[at + 1])
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
    # APP0 (JFIF, which says how colour is meant), tables and frame: no APP1 to APP15, no comment.
    assert markers.count(0xE0) == 1
    assert set(markers) <= {0xE0, 0xDB, 0xC0, 0xC4}
    assert jpeg[2:20] == b"\xff\xe0\x00\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0"


def test_others_can_read_it() -> None:
    with Image.open(io.BytesIO(encode(66, 50))) as picture:
        picture.load()
        assert (picture.size, picture.mode) == ((66, 50), "RGB")
        assert not picture.getexif()


def test_noise_at_best_quality_fits_into_the_bound() -> None:
    width, height = 256, 256
    noise = random.Random(1)
    planes = [memoryview(bytearray(noise.randbytes(n))) for n in (65536, 16384, 16384)]
    out = memoryview(bytearray(turbojpeg.bound(width, height)))
    with Encoder() as encoder:
        length = encoder.encode_yuv420(
            planes, width=width, height=height, strides=[256, 128, 128], quality=100, out=out
        )
    assert 65536 < length <= len(out)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"quality": 0}, "a JPEG quality of 0; allowed are 1 to 100"),
        ({"strides": [64, 32, 31]}, "plane 2 of a 64 x 48 frame has no such rows"),
        ({"strides": [65, 32, 32]}, "plane 0 of the frame is too short"),
        ({"strides": [64, 32]}, "a YUV frame has three planes, each with its stride"),
        ({"out": memoryview(bytearray(99))}, "the buffer for the JPEG is too short for the worst"),
    ],
)
def test_a_wrong_frame_is_refused_before_c_sees_it(change: dict[str, object], words: str) -> None:
    planes, strides = frame(64, 48)
    arguments: dict[str, object] = {
        "width": 64,
        "height": 48,
        "strides": strides,
        "quality": 92,
        "out": memoryview(bytearray(turbojpeg.bound(64, 48))),
    }
    with Encoder() as encoder, pytest.raises(EncodeError) as error:
        encoder.encode_yuv420(planes, **{**arguments, **change})  # type: ignore[arg-type]
    assert str(error.value).startswith(words)


def test_a_truncated_jpeg_is_an_error_and_not_half_a_picture() -> None:
    jpeg = encode(130, 34)
    with Decoder() as decoder:
        out = memoryview(bytearray(decoder.yuv_size(decoder.header(jpeg))))
        with pytest.raises(FormatError, match="the JPEG cannot be decoded"):
            decoder.decode_yuv(jpeg[: len(jpeg) // 2], out)


def test_a_picture_shrunk_by_eight_is_the_mean_of_its_blocks() -> None:
    jpeg = encode(130, 34, quality=100)
    with Decoder() as decoder:
        header = decoder.header(jpeg)
        out = memoryview(bytearray(decoder.yuv_size(header, shrink=8)))
        decoder.decode_yuv(jpeg, out, shrink=8)
    luma = frame(130, 34)[0][0]
    for y in range(34 // 8):
        for x in range(130 // 8):
            block = [luma[(8 * y + j) * 130 + 8 * x + i] for j in range(8) for i in range(8)]
            stride = -(-(130 // 8 + 1) // 2) * 2  # of a plane whose colour is at half its size
            assert abs(out[y * stride + x] - sum(block) / 64) < 3


@pytest.mark.parametrize(("width", "height"), [(8, 8), (16, 2), (2, 2), (130, 34), (4056, 16)])
def test_a_shrunk_picture_fits_into_what_is_said_to_be_its_size(width: int, height: int) -> None:
    jpeg = encode(width, height)
    with Decoder() as decoder:
        for shrink in (1, 2, 4, 8):
            size = decoder.yuv_size(decoder.header(jpeg), shrink=shrink)
            out = bytearray(b"\xa5" * (size + 64))
            decoder.decode_yuv(jpeg, memoryview(out)[:size], shrink=shrink)
            assert out[size:] == b"\xa5" * 64


def verdict(jpeg: bytes, shrink: int) -> str:
    """What a decoder says of a JPEG: a fresh one each time, as in the gateway."""
    with Decoder() as decoder:
        try:
            header = decoder.header(jpeg)
            if header.width * header.height > 1_000_000:
                return "large"
            out = memoryview(bytearray(decoder.yuv_size(header, shrink=shrink)))
            decoder.decode_yuv(jpeg, out, shrink=shrink)
        except FormatError as e:
            return str(e)
    return "sound"


def grainy(width: int, height: int) -> bytes:
    """A JPEG with sensor noise, in whose scan every kind of code is."""
    noise = random.Random(width)
    sizes = [(width, height), (width // 2, height // 2), (width // 2, height // 2)]
    planes = [memoryview(bytearray(noise.choices(range(90, 160), k=w * h))) for w, h in sizes]
    out = memoryview(bytearray(turbojpeg.bound(width, height)))
    with Encoder() as encoder:
        length = encoder.encode_yuv420(
            planes,
            width=width,
            height=height,
            strides=[w for w, _ in sizes],
            quality=92,
            out=out,
        )
    return bytes(out[:length])


def damaged(jpeg: bytes, chance: random.Random) -> bytes:
    """Bits flipped, bytes changed, cut out or put in, the end missing or doubled."""
    found = bytearray(jpeg)
    scan = jpeg.index(b"\xff\xda")
    at = chance.randrange(scan, len(found))
    match chance.randrange(6):
        case 0:
            for _ in range(chance.randint(1, 8)):
                found[chance.randrange(len(found))] = chance.randrange(256)
        case 1:
            found[chance.randrange(len(found))] ^= 1 << chance.randrange(8)
        case 2:
            del found[chance.randrange(2, len(found)) :]
        case 3:
            del found[at : at + chance.randint(1, 30)]
        case 4:
            found[at:at] = chance.randbytes(chance.randint(1, 20))
        case _:
            found[scan - 1] ^= 0xFF  # the last code of the last table
    if chance.random() < 0.4:
        found += b"\xff\xd9"
    return bytes(found)


def test_P10_what_is_broken_is_found_at_an_eighth_of_the_size_as_at_full_size() -> None:
    """The same verdict, word for word, on 20,000 damaged pictures (docs/decisions/0043)."""
    chance = random.Random(43)
    pictures = [grainy(64, 48), grainy(96, 64), encode(130, 34), encode(8, 8)]
    found = set()
    for _ in range(20_000):
        jpeg = damaged(chance.choice(pictures), chance)
        said = verdict(jpeg, 1)
        assert verdict(jpeg, 8) == said, jpeg.hex()
        found.add(said.partition(": ")[2][:26] or said)
    # The damage was of every kind: in the tables, in the scan, at the end; and some goes unseen.
    assert {
        "sound",
        "Bogus Huffman table defini",
        "Premature end of JPEG file",
        "Corrupt JPEG data: bad Huf",
        "Corrupt JPEG data: prematu",
    } <= found


def test_a_picture_larger_than_its_room_is_refused() -> None:
    with Decoder() as decoder, pytest.raises(FormatError, match="larger than the room"):
        decoder.decode_yuv(encode(64, 48), memoryview(bytearray(100)))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_P10_bytes_that_are_no_jpeg_are_a_format_error(data: st.DataObject) -> None:
    jpeg = bytearray(encode(64, 48))
    for _ in range(data.draw(st.integers(1, 8))):
        jpeg[data.draw(st.integers(0, len(jpeg) - 1))] = data.draw(st.integers(0, 255))
    with Decoder() as decoder:
        try:
            header = decoder.header(jpeg)
            assert decoder.yuv_size(header) > 0
            if header.width * header.height <= 1_000_000:
                decoder.decode_yuv(jpeg, memoryview(bytearray(decoder.yuv_size(header))))
        except FormatError as e:
            assert str(e).startswith(("not a JPEG", "the JPEG cannot", "a JPEG "))


def test_a_missing_library_names_the_package() -> None:
    program = """
from base import turbojpeg
from base.errors import EnvironmentProblem
turbojpeg.LIBRARY = "libturbojpeg.so.99"
try:
    turbojpeg.bound(64, 48)
except EnvironmentProblem as e:
    print(e)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == (
        "libturbojpeg.so.99 is missing; install it: apt-get install libturbojpeg0"
    )
