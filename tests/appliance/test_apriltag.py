import ctypes
import subprocess
import sys

import pytest

from appliance import apriltag
from appliance.apriltag import Detector
from wire.label_layout import LAYOUTS, TAGS

SIDE = 400


def printed(tag: int) -> bytearray:
    """A picture of 400 x 400 pixels with the marker in its middle, 20 pixels to a cell."""
    plane = bytearray([220]) * (SIDE * SIDE)
    for y, row in enumerate(TAGS[tag]):
        for x, cell in enumerate(row):
            if cell == "#":
                for line in range(120 + 20 * y, 140 + 20 * y):
                    start = line * SIDE + 120 + 20 * x
                    plane[start : start + 20] = bytes([30]) * 20
    return plane


@pytest.mark.parametrize("tag", range(len(LAYOUTS)))
def test_a_printed_marker_is_found_where_it_is(tag: int) -> None:
    plane = memoryview(printed(tag))
    with Detector(len(LAYOUTS), thin_out=2) as detector:
        (found,) = detector.find(plane, width=SIDE, height=SIDE, stride=SIDE)
    assert found.id == tag
    due = ((120, 120), (280, 120), (280, 280), (120, 280))
    for corner, there in zip(found.corners, due, strict=True):
        assert corner == pytest.approx(there, abs=0.5)


def test_a_number_that_is_not_looked_for_is_not_found() -> None:
    plane = memoryview(printed(1))
    with Detector(1, thin_out=2) as detector:
        assert detector.find(plane, width=SIDE, height=SIDE, stride=SIDE) == []


def test_markers_are_the_family_s_own() -> None:
    class Image(ctypes.Structure):
        _fields_ = (("size", ctypes.c_int32 * 3), ("pixels", ctypes.c_void_p))

    library = apriltag.library()
    library.apriltag_to_image.restype = ctypes.POINTER(Image)
    library.apriltag_to_image.argtypes = [ctypes.c_void_p, ctypes.c_int]
    family = ctypes.cast(library.tag36h11_create(), ctypes.c_void_p)
    for number, cells in enumerate(TAGS):
        image = library.apriltag_to_image(family, number).contents
        wide, high, stride = image.size
        pixels = ctypes.string_at(image.pixels, stride * high)
        rows = [pixels[y * stride : y * stride + wide] for y in range(high)]
        drawn = ["".join("#" if level == 0 else "." for level in row[1:-1]) for row in rows[1:-1]]
        assert tuple(drawn) == cells


def test_a_plane_that_is_too_short_is_refused() -> None:
    with Detector(1, thin_out=2) as detector, pytest.raises(ValueError, match="shorter"):
        detector.find(memoryview(bytearray(100)), width=20, height=20, stride=20)


def test_P10_a_missing_library_is_named_with_its_package() -> None:
    program = """
from appliance import apriltag
from base.errors import EnvironmentProblem
apriltag.LIBRARY = "libapriltag.so.99"
try:
    apriltag.library()
except EnvironmentProblem as e:
    print(e)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == (
        "libapriltag.so.99 is missing; install it: apt-get install libapriltag3\n"
    )
