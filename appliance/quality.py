"""Is the photo any good? A verdict on a few thousand luma samples, while the JPEG is encoded.

Exposure: the mean, and the share of samples at either end of the scale.

Sharpness: how fast the picture changes over a short step, compared with a long one. In a
picture that is out of focus or shaken the squared difference between two points grows with the
square of their distance, so over 8 pixels it is 1/64 of what it is over 64. Edges and skin texture
bring it to several times that. Sensor noise adds the same amount at every distance; the
difference between direct neighbours, which a lens cannot resolve, is taken for it and
subtracted. Where there is nothing to see at either distance (a white wall) nothing is claimed.

The lengths are for a 4,056-pixel row and scale with it: what is judged is detail of half a
percent of the picture's width, not the sensor's single pixels.

Only slices of the frame are read and only sums are kept. The thresholds are set on the
photographs in tests/quality, and are first ones: a bedside trial has to confirm them.
"""

from collections import Counter
from dataclasses import dataclass
from operator import mul, sub
from typing import Final

DARK, BRIGHT, BLURRED = "dark", "bright", "blurred"

_ROWS: Final = 40
_COLUMNS: Final = 180

_REFERENCE_WIDTH: Final = 4056
_SHORT_STEP: Final = 8
_LONG_STEP: Final = 64

MEAN_DARK: Final = 40
"""Below, skin is a few levels above the sensor's noise, whose sigma is 2 to 5 levels."""
MEAN_BRIGHT: Final = 225
"""Above, pale skin (levels 180 to 230) can only be washed out."""
CLIPPED_BRIGHT: Final = 0.20
"""A fifth of the picture without any detail; a flash's reflection on a wet wound has 1 to 5 %."""
BLACK_LEVEL: Final = 8
WHITE_LEVEL: Final = 248
DARK_SHARE: Final = 0.75
"""Black around a lit subject is how many clinical pictures look (an eye, a mouth)."""
SHARP: Final = 0.045
"""About three times the 1/64 of a picture that is nothing but slopes."""
FEATURELESS: Final = 12
"""Squared levels over the long step under which there is nothing to be sharp or blurred."""
NOISY: Final = 8
"""Where noise has so many times the picture's own variation, sharpness cannot be told either."""


@dataclass(frozen=True)
class Verdict:
    """``poor``: what is wrong, in a fixed order; none: kept. ``measured``: integers.

    ``mean`` and ``contrast`` in levels, ``black``, ``white`` and ``sharp`` in thousandths.
    """

    poor: tuple[str, ...]
    measured: dict[str, int]


def judge(luma: memoryview, *, width: int, height: int, stride: int) -> Verdict:
    """Judge a frame by its luma plane (one byte a sample, full range)."""
    short = max(2, _SHORT_STEP * width // _REFERENCE_WIDTH)
    long = max(8, _LONG_STEP * width // _REFERENCE_WIDTH)
    across = max(1, (width - long) // _COLUMNS)
    down = max(1, height // _ROWS)
    levels: Counter[int] = Counter()
    squares = [0, 0, 0]
    for y in range(down // 2, height, down):
        row = luma[y * stride : y * stride + width]
        here = row[: width - long : across].tolist()
        levels.update(here)
        for i, step in enumerate((1, short, long)):
            apart = list(map(sub, here, row[step : step + width - long : across]))
            squares[i] += sum(map(mul, apart, apart))
    return _verdict(levels, squares)


def _verdict(levels: Counter[int], squares: list[int]) -> Verdict:
    count = levels.total()
    mean = sum(level * times for level, times in levels.items()) / count
    black = sum(times for level, times in levels.items() if level <= BLACK_LEVEL) / count
    white = sum(times for level, times in levels.items() if level >= WHITE_LEVEL) / count
    noise, near, far = (square / count for square in squares)
    seen = max(far - noise, 0.0)
    sharp = max(near - noise, 0.0) / seen if seen > 0 else 0.0
    poor = []
    if mean < MEAN_DARK or black > DARK_SHARE:
        poor.append(DARK)
    if mean > MEAN_BRIGHT or white > CLIPPED_BRIGHT:
        poor.append(BRIGHT)
    if seen > max(FEATURELESS, noise / NOISY) and sharp < SHARP:
        poor.append(BLURRED)
    measured = {
        "mean": round(mean),
        "black": round(black * 1000),
        "white": round(white * 1000),
        "contrast": round(seen**0.5),
        "sharp": round(sharp * 1000),
    }
    return Verdict(tuple(poor), measured)
