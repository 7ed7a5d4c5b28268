"""A label in the picture: how many millimetres a pixel is, the light's colour, site and side.

The marker's four corners fix how the label's plane maps to the picture (a homography), which
says where its code and its grey patch are. Its derivative at the marker's middle is what a
millimetre of the label becomes there, in each direction: its singular values are the longest
and the shortest. A label that lies square to the camera has both equal; one that leans by an
angle has the shorter one less by its cosine. The scale given is their geometric mean, which is
right for areas, and right for lengths up to half of the difference. Where that difference is
more than 1.5 % (about 10 degrees) no scale is given: some lengths would be wrong by more than
1 % with the error of the corners added.

Everything is read from the frame's own memory: nothing of the picture is copied here, and what
the libraries copy is the allocator's to overwrite. Reads take about as long as a third of the
JPEG's encoding, beside it.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import acos, degrees, hypot, sqrt
from typing import Any, Final, Self

import zxingcpp

from appliance.apriltag import Detector, Point, Tag
from appliance.frame import Frame
from wire.label import OBLIQUE, SEVERAL, SMALL, Code, Label
from wire.label_layout import LAYOUTS, Box, Layout

_THIN_OUT: Final = 6
_LEAST_SIDE: Final = 80
"""Pixels along the marker: a corner is found to about 0.2, which is 0.25 % of so many."""
_SQUARE: Final = 0.985
"""Shortest to longest: the cosine of the steepest angle at which a scale is given."""
_INSIDE: Final = 0.7
"""The part of a patch's side that is looked at: its edges are blurred."""
_SAMPLES: Final = 16
_CODE_MARGIN: Final = 1.5
"""Millimetres of white around the code that are looked at with it."""
_DATAMATRIX: Final = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.DataMatrix)
_CODE_PIXELS: Final = 160
"""What the code is thinned out to along its side: 7 or more for each of its modules."""


class Plane:
    """The label's plane in the picture: the projective map of a square with these corners."""

    def __init__(self, corners: Sequence[Point], square: Box) -> None:
        (x0, y0), (x1, y1), (x2, y2), (x3, y3) = corners
        # Heckbert, Fundamentals of Texture Mapping, 1989, section 2.2.3: unit square to quadrangle.
        sx, sy = x0 - x1 + x2 - x3, y0 - y1 + y2 - y3
        dx1, dx2, dy1, dy2 = x1 - x2, x3 - x2, y1 - y2, y3 - y2
        all_of_it = dx1 * dy2 - dx2 * dy1
        self._g = g = (sx * dy2 - dx2 * sy) / all_of_it
        self._h = h = (dx1 * sy - sx * dy1) / all_of_it
        self._x = (x1 - x0 + g * x1, x3 - x0 + h * x3, x0)
        self._y = (y1 - y0 + g * y1, y3 - y0 + h * y3, y0)
        self._square = square

    def at(self, x: float, y: float) -> Point:
        """Return where a point of the label is in the picture; millimetres to pixels."""
        u, v = (x - self._square.x) / self._square.side, (y - self._square.y) / self._square.side
        w = self._g * u + self._h * v + 1
        return (
            (self._x[0] * u + self._x[1] * v + self._x[2]) / w,
            (self._y[0] * u + self._y[1] * v + self._y[2]) / w,
        )

    def stretch(self) -> tuple[float, float]:
        """Return pixels to a millimetre at the square's middle: the most and the least."""
        w = (self._g + self._h) / 2 + 1
        (a, b), (c, d) = (
            tuple(
                (row[i] - (row[0] / 2 + row[1] / 2 + row[2]) / w * slope) / w / self._square.side
                for i, slope in enumerate((self._g, self._h))
            )
            for row in (self._x, self._y)
        )
        whole, area = a * a + b * b + c * c + d * d, abs(a * d - b * c)
        apart = sqrt(max(0.0, whole * whole - 4 * area * area))
        return sqrt((whole + apart) / 2), sqrt(max(0.0, whole - apart) / 2)


class LabelReader:
    """Reads labels, one frame after the other; keeps nothing of any."""

    def __init__(self) -> None:
        self._detector = Detector(len(LAYOUTS), thin_out=_THIN_OUT)

    def read(self, frame: Frame) -> Label | None:
        """Return what the label in ``frame`` says, or None when there is none.

        Of several the largest is reported, without scale, site and side: it is a person's task
        to say which of them is meant.
        """
        tags = self._detector.find(
            frame.luma, width=frame.width, height=frame.height, stride=frame.strides[0]
        )
        if not tags:
            return None
        tag = max(tags, key=lambda tag: _span(tag.corners))
        layout = LAYOUTS[tag.id]
        plane = Plane(tag.corners, layout.marker)
        alone = len(tags) == 1
        code = _read_code(frame, plane, layout) if alone else None
        label = replace(
            _measured(tag, layout, plane, alone=alone),
            grey=_colour(frame, plane, layout.grey),
            white=_colour(frame, plane, layout.white),
        )
        if code is None:
            return label
        return replace(label, code=code.words, site=code.site, side=code.side, wound=code.wound)

    def close(self) -> None:
        """Free the detector."""
        self._detector.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _span(corners: Sequence[Point]) -> float:
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = corners
    return min(hypot(x2 - x0, y2 - y0), hypot(x3 - x1, y3 - y1))


def _measured(tag: Tag, layout: Layout, plane: Plane, *, alone: bool) -> Label:
    most, least = plane.stretch()
    scale = sqrt(most * least)
    refused = None
    if not alone:
        refused = SEVERAL
    elif least < _SQUARE * most:
        refused = OBLIQUE
    elif scale * layout.marker.side < _LEAST_SIDE:
        refused = SMALL
    return Label(
        marker_um=round(layout.marker.side * 1000),
        corners=tuple(round(10 * side) for corner in tag.corners for side in corner),
        tilt=round(degrees(acos(min(1.0, least / most)))),
        nm_per_px=None if refused else round(1e6 / scale),
        refused=refused,
    )


def _colour(frame: Frame, plane: Plane, patch: Box) -> tuple[int, ...] | None:
    """Return Y, U, V of the middle of a patch, in tenths of a level; None if it is cut off."""
    low = (1 - _INSIDE) / 2 * patch.side
    step = _INSIDE * patch.side / (_SAMPLES - 1)
    sums, luma, (u, v) = [0, 0, 0], frame.strides[0], frame.strides[1:]
    for row in range(_SAMPLES):
        for column in range(_SAMPLES):
            where = plane.at(patch.x + low + column * step, patch.y + low + row * step)
            x, y = int(where[0]), int(where[1])
            if not (0 <= x < frame.width and 0 <= y < frame.height):
                return None
            sums[0] += frame.planes[0][y * luma + x]
            sums[1] += frame.planes[1][y // 2 * u + x // 2]
            sums[2] += frame.planes[2][y // 2 * v + x // 2]
    return tuple(round(10 * total / _SAMPLES**2) for total in sums)


def _read_code(frame: Frame, plane: Plane, layout: Layout) -> Code | None:
    left, top = layout.code.x - _CODE_MARGIN, layout.code.y - _CODE_MARGIN
    side = layout.code.side + 2 * _CODE_MARGIN
    edges = [plane.at(left + across, top + down) for across in (0, side) for down in (0, side)]
    first = [max(0, int(min(values))) for values in zip(*edges, strict=True)]
    last = [
        min(limit, int(max(values)) + 1)
        for values, limit in zip(zip(*edges, strict=True), (frame.width, frame.height), strict=True)
    ]
    wide, high = (end - start for start, end in zip(first, last, strict=True))
    if wide < 16 or high < 16:
        return None
    thin, stride = max(1, min(wide, high) // _CODE_PIXELS), frame.strides[0]
    # The library wants to see whole rows, which the last one in the frame's buffer is not.
    rows, columns = (high - 1) // thin, wide // thin
    start = first[1] * stride + first[0]
    view: Any = frame.luma[start : start + rows * thin * stride]
    seen = zxingcpp.ImageView(view, columns, rows, zxingcpp.ImageFormat.Lum, thin * stride, thin)
    found = zxingcpp.read_barcodes(seen, formats=_DATAMATRIX)
    codes = {code for code in (Code.scanned(one.text) for one in found) if code is not None}
    return codes.pop() if len(codes) == 1 else None
