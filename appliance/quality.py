"""Is the photo any good? A verdict on a few thousand luma samples, while the JPEG is encoded.

Exposure: the mean, and the share of samples at either end of the scale.

Sharpness: how fast the picture changes over a short step, compared with a long one. In a
picture that is out of focus or shaken the squared difference between two points grows with the
square of their distance, so over 8 pixels it is 1/64 of what it is over 64. Edges and skin texture
bring it to several times that. Sensor noise adds the same amount at every distance; the
difference between direct neighbours, which a lens cannot resolve, is taken for it and
subtracted. Where there is nothing to see at either distance (a white wall) nothing is claimed.

Motion: the same, in four directions, of which the least sharp one counts. A hand that moves
while the shutter is open smears the picture along its way and leaves it sharper across, which no
lens out of focus does: such a picture is called moved. One that cannot be told apart from an
unsharp picture of something that runs one way (a bandage, a crease) is called blurred.

The lengths are for a 4,056-pixel row and scale with it: what is judged is detail of half a
percent of the picture's width, not the sensor's single pixels.

Only slices of the frame are read and only sums are kept. The thresholds are settings; their
defaults are set on the photographs in tests/appliance/test_quality.py, and are first ones: a
bedside trial has to confirm them.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, fields
from operator import mul, sub
from typing import Final

from base.errors import ConfigError

DARK, BRIGHT, BLURRED, MOVED = "dark", "bright", "blurred", "moved"

_ROWS: Final = 40
_COLUMNS: Final = 120

_REFERENCE_WIDTH: Final = 4056
_SHORT_STEP: Final = 8
_LONG_STEP: Final = 64
_DIRECTIONS: Final = ((1, 0), (0, 1), (1, 1), (-1, 1))
_DIAGONAL: Final = 0.7071
_STILL_SHARP: Final = 0.04
"""Across its way, a moved picture has to show more than slopes (1/64)."""

BLACK_LEVEL: Final = 8
WHITE_LEVEL: Final = 248


@dataclass(frozen=True)
class Thresholds:
    """From when on a photo is ``KEPT POOR``: the section ``[quality]`` of the device's settings.

    Levels are 0 to 255; shares and ratios 0 to 1. A verdict destroys nothing: a wrong threshold
    costs a nurse's attention or a doctor's, never a photo.
    """

    mean_dark: int = 40
    """Below, skin is a few levels above the sensor's noise, whose sigma is 2 to 5 levels."""
    mean_bright: int = 225
    """Above, pale skin (levels 180 to 230) can only be washed out."""
    clipped_bright: float = 0.20
    """A fifth of the picture without detail; a flash's reflection on a wet wound has 1 to 5 %."""
    dark_share: float = 0.75
    """Black around a lit subject is how many clinical pictures look (an eye, a mouth)."""
    sharp: float = 0.045
    """About three times the 1/64 of a picture that is nothing but slopes."""
    moved: float = 1.9
    """Sharpest direction to least sharp one of a moved picture; out of focus it is 1.1 to 1.8."""
    featureless: int = 12
    """Squared levels over the long step under which there is nothing to be sharp or blurred."""
    noisy: int = 8
    """With so many times the picture's own variation in noise, sharpness cannot be told either."""

    def __post_init__(self) -> None:
        for setting in fields(self):
            value = getattr(self, setting.name)
            most = 1 if setting.name in ("clipped_bright", "dark_share", "sharp") else 255
            if not 0 <= value <= most:
                raise ConfigError(setting.name, f"use 0 to {most}")
        if self.mean_dark >= self.mean_bright:
            raise ConfigError("mean_dark", "use less than mean_bright")


@dataclass(frozen=True)
class Verdict:
    """``poor``: what is wrong, in a fixed order; none: kept. ``measured``: integers.

    ``mean`` and ``contrast`` in levels, ``black``, ``white``, ``sharp`` (in the least sharp
    direction) and ``across`` (in the sharpest) in thousandths.
    """

    poor: tuple[str, ...]
    measured: dict[str, int]


def judge(
    luma: memoryview,
    *,
    width: int,
    height: int,
    stride: int,
    thresholds: Thresholds,
) -> Verdict:
    """Judge a frame by its luma plane (one byte a sample, full range)."""
    short = max(2, _SHORT_STEP * width // _REFERENCE_WIDTH)
    long = max(8, _LONG_STEP * width // _REFERENCE_WIDTH)
    long = min(long, (width - 1) // 2, height - 1)
    levels: Counter[int] = Counter()
    squares = [[0, 0, 0] for _ in _DIRECTIONS]
    first, last = long, width - long
    across = max(1, (last - first) // _COLUMNS)
    down = max(1, (height - long) // _ROWS)
    for y in range(down // 2, height - long, down):
        start = y * stride
        here = luma[start + first : start + last : across].tolist()
        levels.update(here)
        for found, offsets in zip(squares, _offsets(short, long, stride), strict=True):
            for i, offset in enumerate(offsets):
                there = start + offset
                apart = list(map(sub, here, luma[there + first : there + last : across]))
                found[i] += sum(map(mul, apart, apart))
    return _verdict(levels, squares, thresholds)


def _offsets(short: int, long: int, stride: int) -> Iterator[tuple[int, int, int]]:
    """For each direction, how far a neighbour, the short and the long step are in the buffer."""
    for right, down in _DIRECTIONS:
        part = _DIAGONAL if right and down else 1
        near, far = max(1, round(short * part)), max(1, round(long * part))
        step = right + down * stride
        yield step, near * step, far * step


def _verdict(levels: Counter[int], squares: list[list[int]], limits: Thresholds) -> Verdict:
    count = levels.total()
    mean = sum(level * times for level, times in levels.items()) / count
    black = sum(times for level, times in levels.items() if level <= BLACK_LEVEL) / count
    white = sum(times for level, times in levels.items() if level >= WHITE_LEVEL) / count
    poor = []
    if mean < limits.mean_dark or black > limits.dark_share:
        poor.append(DARK)
    if mean > limits.mean_bright or white > limits.clipped_bright:
        poor.append(BRIGHT)
    sharp, variation = [], 0.0
    for direction in squares:
        noise, near, far = (square / count for square in direction)
        seen = max(far - noise, 0.0)
        variation = max(variation, seen)
        if seen > max(limits.featureless, noise / limits.noisy):
            sharp.append(max(near - noise, 0.0) / seen)
    least, most = min(sharp, default=0.0), max(sharp, default=0.0)
    if sharp and least < limits.sharp:
        along = most > max(limits.moved * least, _STILL_SHARP)
        poor.append(MOVED if along else BLURRED)
    measured = {
        "mean": round(mean),
        "black": round(black * 1000),
        "white": round(white * 1000),
        "contrast": round(variation**0.5),
        "sharp": round(least * 1000),
        "across": round(most * 1000),
    }
    return Verdict(tuple(poor), measured)
