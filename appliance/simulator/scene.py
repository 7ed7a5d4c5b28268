"""What the simulated sensor sees: a photograph with sensor noise, or a raw frame as it is.

Labels can lie in a photograph, wristbands and badges be held before it. A photograph is blown
up to sensor size once, when the camera opens, with headroom at both ends of the scale, so that
noise can be added by one pass of modulo-256 addition straight into the frame's buffer. The
noise is real randomness, other in each frame, so no two frames agree and the frame exists
nowhere else. numpy and Pillow are loaded here and only when a camera opens: an idle darkroom
does without them.
"""

import os
from collections.abc import Iterator, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, Protocol

from appliance.frame import Layout
from appliance.simulator import props
from appliance.simulator.world import Laid
from base.errors import WardsealError
from base.memory import Buffer

_HEADROOM: Final = 16
_NOISE_SIGMA: Final = 4.0
_NOISE_BYTES: Final = 1 << 20
_ROWS_AT_ONCE: Final = 64
_GREY: Final = 128
_BILINEAR: Final = 2
"""Pillow's number; unlike the sharper filters it never leaves the headroom."""
_HANDS: Final = ((0.0, 1.0), (1.0, 1.0), (0.0, 0.0), (1.0, 0.0))
"""Where things are held: 0 is left or top, 1 right or bottom."""
_HELD_WIDTH: Final = 0.46
_HELD_HEIGHT: Final = 0.46
_MARGIN: Final = 0.02
_ROWS_A_READ: Final = 1000
"""preadv takes at most IOV_MAX = 1024 pieces."""


class SceneError(WardsealError):
    """The file to be shown to the simulated camera cannot be shown."""


class Scene(Protocol):
    """Something to look at. Buffers are I420 as ``layout`` says, padding left as it is."""

    def expose(self, out: memoryview, layout: Layout) -> None:
        """Fill a frame of full size."""
        ...

    def glance(self, out: memoryview, layout: Layout) -> None:
        """Fill the luma of a small frame."""
        ...

    def close(self) -> None:
        """Wipe and let go."""
        ...


def load(
    path: Path,
    layout: Layout,
    held: Sequence[Path] = (),
    laid: Sequence[tuple[Laid, Path]] = (),
    rotation: int = 0,
) -> Scene:
    """Return the scene in ``path`` for a sensor of ``layout``; SceneError says what is wrong.

    ``laid``: what lies in a photograph, ``held``: pictures in front of that, in the corners; a
    raw frame is taken as it is.
    """
    if path.suffix == ".yuv":
        return RawScene(path, layout)
    shown = PhotoScene(path, layout)
    try:
        for prop, picture in laid:
            shown.cover(props.load(prop, picture, layout))
        shown.hold(held)
        if rotation:
            shown.turn_round()
    except props.PropError as e:
        shown.close()
        raise SceneError(str(e)) from e
    return shown


class RawScene:
    """A raw I420 frame in a file, without padding, read straight into the frame's buffer."""

    def __init__(self, path: Path, layout: Layout) -> None:
        try:
            self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as e:
            raise SceneError(f"the scene {path} cannot be read: {e.strerror}") from e
        self._layout = layout
        due = layout.width * layout.height * 3 // 2
        size = os.fstat(self._file).st_size
        if size != due:
            self.close()
            raise SceneError(
                f"the scene {path} has {size} bytes; a raw I420 frame of"
                f" {layout.width} x {layout.height} has {due}"
            )

    def expose(self, out: memoryview, layout: Layout) -> None:
        at = 0
        shapes = zip(layout.planes(out), layout.strides, layout.widths, layout.heights, strict=True)
        for plane, stride, width, height in shapes:
            rows = [plane[y * stride : y * stride + width] for y in range(height)]
            for first in range(0, height, _ROWS_A_READ):
                some = rows[first : first + _ROWS_A_READ]
                self._read(some, width * len(some), at)
                at += width * len(some)

    def glance(self, out: memoryview, layout: Layout) -> None:
        full = self._layout
        pick = itemgetter(*(x * full.width // layout.width for x in range(layout.width)))
        with Buffer(full.width) as row:
            for y in range(layout.height):
                self._read([row.view], full.width, y * full.height // layout.height * full.width)
                start = y * layout.stride
                out[start : start + layout.width] = bytearray(pick(row.view))

    def close(self) -> None:
        os.close(self._file)

    def _read(self, into: list[memoryview], due: int, at: int) -> None:
        if os.preadv(self._file, into, at) != due:
            raise SceneError("the scene became shorter while the camera looked at it")


class PhotoScene:
    """A photograph that fills the sensor's height or width, the rest black, noise over all."""

    def __init__(self, path: Path, layout: Layout) -> None:
        # One thread is enough for additions; OpenBLAS would start one for each core.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        import numpy as np

        self._np: Any = np
        self._layout = layout
        self._base = Buffer(layout.size)
        self._fill_with(path)
        random = np.random.default_rng()
        noise = np.clip(np.rint(random.normal(0, _NOISE_SIGMA, _NOISE_BYTES)), -15, 15)
        self._noise = noise.astype(np.int8).view(np.uint8)

    def _fill_with(self, path: Path) -> None:
        picture, full = _opened(path), self._layout
        scale = min(full.width / picture.width, full.height / picture.height)
        wide, high = (int(side * scale + 0.5) // 4 * 4 for side in picture.size)
        for number, (rows, width) in enumerate(self._planes()):
            rows[:, :width] = _HEADROOM if number == 0 else _GREY
        self._put(
            picture, ((full.width - wide) // 4 * 2, (full.height - high) // 4 * 2), (wide, high)
        )

    def hold(self, pictures: Sequence[Path]) -> None:
        """Hold pictures in front of what is there, each in a corner."""
        for place, picture in zip(_HANDS, pictures, strict=False):
            self._hold(picture, place)

    def turn_round(self) -> None:
        """Turn what is there by 180 degrees."""
        for rows, width in self._planes():
            rows[:, :width] = rows[::-1, :width][:, ::-1].copy()

    def cover(self, patch: props.Patch) -> None:
        """Cover a part of the photograph."""
        np = self._np
        for number, (rows, width) in enumerate(self._planes()):
            channel, opacity, half = patch.picture.getchannel(number), patch.opacity, 1
            if number == 0:
                channel = channel.point(_into_headroom)
            else:
                channel, opacity, half = channel.reduce(2), opacity.reduce(2), 2
            high, wide = opacity.height, opacity.width
            (y, down), (x, right) = (
                _overlap(patch.top // half, high, len(rows)),
                _overlap(patch.left // half, wide, width),
            )
            seen = rows[y, x]
            over = np.asarray(opacity, dtype=np.uint16)[down, right]
            new = np.asarray(channel, dtype=np.uint16)[down, right]
            seen[:] = (seen * (255 - over) + new * over + 127) // 255

    def _hold(self, path: Path, place: tuple[float, float]) -> None:
        """Hold a picture in front of what is there, whole, in its part of the view."""
        picture, full = _opened(path), self._layout
        room = full.width * _HELD_WIDTH, full.height * _HELD_HEIGHT
        scale = min(room[0] / picture.width, room[1] / picture.height)
        wide, high = (int(side * scale + 0.5) // 4 * 4 for side in picture.size)
        free = full.width * (1 - 2 * _MARGIN) - wide, full.height * (1 - 2 * _MARGIN) - high
        left, top = (
            round((side * _MARGIN + part * left_over) / 2) * 2
            for side, part, left_over in zip((full.width, full.height), place, free, strict=True)
        )
        self._put(picture, (left, top), (wide, high))

    def _put(self, picture: Any, corner: tuple[int, int], size: tuple[int, int]) -> None:
        """Blow a YCbCr picture up to ``size`` (multiples of 4) at ``corner`` (even numbers)."""
        for number, (rows, _) in enumerate(self._planes()):
            channel = picture.getchannel(number)
            if number == 0:
                channel = channel.point(_into_headroom)
            half = 1 if number == 0 else 2
            (left, top), (wide, high) = (
                (corner[0] // half, corner[1] // half),
                (size[0] // half, size[1] // half),
            )
            _enlarge(channel, rows[top : top + high, left : left + wide])

    def _planes(self) -> Iterator[tuple[Any, int]]:
        """Each plane's rows, padding included, and how much of a row is picture."""
        full = self._layout
        planes = zip(
            full.planes(self._base.view), full.strides, full.widths, full.heights, strict=True
        )
        for plane, stride, width, height in planes:
            yield self._np.frombuffer(plane, dtype=self._np.uint8).reshape(height, stride), width

    def expose(self, out: memoryview, layout: Layout) -> None:
        np = self._np
        frame = np.frombuffer(out, dtype=np.uint8)
        base = np.frombuffer(self._base.view, dtype=np.uint8)
        step = layout.stride * _ROWS_AT_ONCE
        starts = np.random.default_rng().integers(0, _NOISE_BYTES - step, layout.size // step + 1)
        for start, at in zip(starts, range(0, layout.size, step), strict=False):
            piece = frame[at : at + step]
            np.add(base[at : at + step], self._noise[start : start + len(piece)], out=piece)

    def glance(self, out: memoryview, layout: Layout) -> None:
        np = self._np
        full = self._layout
        luma = np.frombuffer(full.planes(self._base.view)[0], dtype=np.uint8)
        rows = luma.reshape(full.height, full.stride)
        total = np.full((layout.height, layout.width), 2, dtype=np.uint16)
        for down, across in ((1, 1), (1, 3), (3, 1), (3, 3)):
            ys = (4 * np.arange(layout.height) + down) * full.height // (4 * layout.height)
            xs = (4 * np.arange(layout.width) + across) * full.width // (4 * layout.width)
            total += rows[ys[:, None], xs]
        small = np.frombuffer(layout.planes(out)[0], dtype=np.uint8)
        small.reshape(layout.height, layout.stride)[:, : layout.width] = total >> 2

    def close(self) -> None:
        self._base.close()


def _opened(path: Path) -> Any:
    """Return the file's picture in YCbCr."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as file:
            return file.convert("YCbCr")
    except UnidentifiedImageError as e:
        raise SceneError(f"the scene {path} is not an image that can be shown") from e
    except (OSError, Image.DecompressionBombError) as e:
        raise SceneError(f"the scene {path} cannot be read: {e}") from e


def _enlarge(channel: Any, target: Any) -> None:
    """Fill ``target`` with the channel, in strips, so that Pillow never holds it whole."""
    high, wide = target.shape
    for first in range(0, high, _ROWS_AT_ONCE):
        last = min(first + _ROWS_AT_ONCE, high)
        box = (0, first * channel.height / high, channel.width, last * channel.height / high)
        target[first:last] = channel.resize((wide, last - first), _BILINEAR, box=box)


def _overlap(start: int, length: int, limit: int) -> tuple[slice, slice]:
    """Return where ``length`` samples from ``start`` on lie in a row, and which of them do."""
    first, last = max(0, start), max(0, min(limit, start + length))
    return slice(first, max(first, last)), slice(first - start, max(first, last) - start)


def _into_headroom(level: int) -> int:
    return _HEADROOM + level * (255 - 2 * _HEADROOM) // 255
