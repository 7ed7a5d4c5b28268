"""The viewfinder: a small frame becomes 128 x 64 black and white pixels for the OLED.

The whole picture is shown, in its own shape, in the upper left corner, because the state word
needs 22 rows of its own; it is drawn at that size here, for dots do not shrink well.
Brightness is stretched to what is there, and grey becomes a pattern of dots (ordered
dithering, a 4 x 4 Bayer matrix), so that the nurse can tell what is in the picture and what
is cut off. Never mirrored.
"""

from operator import itemgetter
from typing import Final

from appliance.frame import Frame
from appliance.orders import PICTURE_HEIGHT, PICTURE_WIDTH, VIEW_BYTES, VIEW_WIDTH

_BAYER: Final = ((0, 8, 2, 10), (12, 4, 14, 6), (3, 11, 1, 9), (15, 7, 13, 5))
_LEAST_RANGE: Final = 32
"""Levels; a narrower range is stretched no further, it would show the sensor's noise."""

_ROW_BYTES: Final = VIEW_WIDTH // 8


def draw(frame: Frame, out: memoryview) -> None:
    """Write the picture of ``frame``'s luma to ``out``, 1024 bytes as ``orders.View`` says."""
    wide = min(PICTURE_WIDTH, PICTURE_HEIGHT * frame.width // frame.height)
    high = min(PICTURE_HEIGHT, wide * frame.height // frame.width + 1)
    left, top = (PICTURE_WIDTH - wide) // 2, (PICTURE_HEIGHT - high) // 2
    pick = itemgetter(*(x * frame.width // wide for x in range(wide)))
    stride = frame.strides[0]
    rows = []
    for y in range(high):
        start = y * frame.height // high * stride
        rows.append(pick(frame.luma[start : start + frame.width]))
    low, span = _range(rows)
    out[:VIEW_BYTES] = bytes(VIEW_BYTES)
    for y, levels in enumerate(rows):
        steps = [low + span * (2 * step + 1) // 32 for step in _BAYER[y % 4]]
        bits = 0
        for x, level in enumerate(levels):
            bits = bits << 1 | (level > steps[x % 4])
        at = (top + y) * _ROW_BYTES
        bits <<= VIEW_WIDTH - left - wide
        out[at : at + _ROW_BYTES] = bits.to_bytes(_ROW_BYTES, "big")


def _range(rows: list[tuple[int, ...]]) -> tuple[int, int]:
    """Return where the picture's levels begin and how far they go, outliers left out."""
    levels = sorted(level for row in rows for level in row)
    low, high = levels[len(levels) // 20], levels[-1 - len(levels) // 20]
    if high - low < _LEAST_RANGE:
        low = max(0, (low + high - _LEAST_RANGE) // 2)
        return low, _LEAST_RANGE
    return low, high - low
