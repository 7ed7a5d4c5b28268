"""Things that lie in the simulated scene: seen in perspective, edges smooth, to a known scale.

A prop is a flat image. Its middle stays where it was laid, at the scale that ``width`` says; what
a tilt brings nearer is larger, what it takes away smaller, as a lens of 6 mm before a sensor 6.3
mm wide shows it. It is drawn at twice the frame's resolution and averaged, so that edges lie
where geometry puts them, to a fraction of a pixel: labels are measured by them.
"""

from dataclasses import dataclass
from math import cos, radians, sin
from pathlib import Path
from typing import Any, Final

from appliance.frame import Layout
from appliance.simulator.world import Laid
from base.errors import WardsealError

Point = tuple[float, float]

_FOCAL: Final = 0.95
"""Focal length in widths of the picture."""
_FINER: Final = 2
_MOST_PIXELS: Final = 64_000_000


class PropError(WardsealError):
    """What is to lie in the scene cannot."""


@dataclass(frozen=True)
class Patch:
    """A prop as it covers the frame from ``left``, ``top`` (even) on: YCbCr and opacity."""

    left: int
    top: int
    picture: Any
    opacity: Any


def corners(laid: Laid, shape: float, layout: Layout) -> tuple[Point, Point, Point, Point]:
    """Return where the prop's corners come to lie, in pixels, clockwise from its upper left.

    ``shape``: its height in parts of its width.
    """
    wide = laid.width * layout.width
    focal = _FOCAL * layout.width
    tilt, turn = radians(laid.tilted), radians(laid.turned)
    found = []
    for right, down in ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)):
        across, along = right * wide, down * wide * shape
        away = focal / (focal + across * sin(tilt))
        x, y = across * cos(tilt) * away, along * away
        found.append(
            (
                laid.x * layout.width + x * cos(turn) - y * sin(turn),
                laid.y * layout.height + x * sin(turn) + y * cos(turn),
            )
        )
    return found[0], found[1], found[2], found[3]


def load(laid: Laid, path: Path, layout: Layout) -> Patch:
    """Return the image in ``path`` as it is seen; PropError says what is wrong with it."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as file:
            image = file.convert("RGBA")
    except UnidentifiedImageError as e:
        raise PropError(
            f"{path}, which is to lie in the scene, is not an image that can be shown"
        ) from e
    except (OSError, Image.DecompressionBombError) as e:
        raise PropError(f"{path}, which is to lie in the scene, cannot be read: {e}") from e
    to = corners(laid, image.height / image.width, layout)
    xs, ys = [x for x, _ in to], [y for _, y in to]
    left, top = (int(min(side)) // 2 * 2 - 2 for side in (xs, ys))
    wide, high = (int(max(side)) // 2 * 2 + 4 - first for side, first in ((xs, left), (ys, top)))
    if wide * high * _FINER**2 > _MOST_PIXELS:
        raise PropError(f"{path}, which is to lie in the scene, is larger than the camera can see")
    # Pillow's transform takes single pixels: what is much finer than its target would flicker.
    finer = max(1.0, image.width / (laid.width * layout.width * _FINER))
    if finer > 1:
        image = image.resize(
            (max(1, round(image.width / finer)), max(1, round(image.height / finer))),
            Image.Resampling.BOX,
        )
    local = [((x - left) * _FINER, (y - top) * _FINER) for x, y in to]
    seen = image.transform(
        (wide * _FINER, high * _FINER),
        Image.Transform.PERSPECTIVE,
        _backwards(local, image.width, image.height),
        Image.Resampling.BILINEAR,
    ).reduce(_FINER)
    return Patch(left, top, seen.convert("RGB").convert("YCbCr"), seen.getchannel("A"))


def _backwards(to: list[Point], wide: int, high: int) -> list[float]:
    """Return the eight numbers that take a point of the frame to the image it is drawn from."""
    import numpy as np

    rows, values = [], []
    for (x, y), (u, v) in zip(to, ((0, 0), (wide, 0), (wide, high), (0, high)), strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return [float(number) for number in np.linalg.solve(np.array(rows), np.array(values))]
