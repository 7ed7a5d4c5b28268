"""The process that takes parts out of a picture: one JPEG in, one JPEG out, then it is gone.

It lives behind the decoder's walls (gateway.sandbox). The JPEG is decoded to its planes; what is
to be blacked out is overwritten there, what is to be cut off is left out, and the planes are
encoded anew over the old JPEG, the rest of which is zeroed. So neither a pixel nor a byte of
metadata of what was taken out can be in what comes back: nothing is drawn over anything.
"""

import mmap
import os
from typing import Final

from base.errors import WardsealError
from base.memory import wipe
from base.turbojpeg import Decoder, Encoder, Subsampling, bound, plane_sizes
from gateway import markers, sandbox
from gateway.decoder import LONGEST_SIDE, READY

CPU_SECONDS: Final = 20
QUALITY: Final = 92
BOOT: Final = (
    "import sys; sys.path.insert(0, sys.argv.pop(1));"
    "from gateway.sharing import redactor; redactor.life(sys.argv[1:])"
)
_SPARE: Final = 48 * 1024 * 1024
_HIGHEST_FD: Final = 4096
Box = tuple[int, int, int, int]


def life(argv: list[str]) -> None:
    """Live one life.

    ``argv``: the memory's descriptor, its bytes, the most pixels, the box to keep, the boxes to
    black out; a box is ``x,y,width,height`` in pixels, several are separated by ``;``.
    """
    memory, room, pixels = (int(argument) for argument in argv[:3])
    keep, black = _boxes(argv[3]), _boxes(argv[4])
    try:
        shown = mmap.mmap(memory, room)
        os.closerange(2, _HIGHEST_FD)
        hands = _Hands(pixels)
        sandbox.confine(memory=_address_space() + _SPARE, seconds=CPU_SECONDS)
    except (WardsealError, OSError, ValueError) as e:
        os.write(1, f"cannot: {e}\n".encode()[:512])
        os._exit(1)
    os.write(1, READY)
    order = os.read(0, 8)
    if len(order) == 8:
        said = hands.redact(shown, int.from_bytes(order, "big"), keep, black)
        os.write(1, said.encode()[:64] + b"\n")
    os._exit(0)


class _Hands:
    """libturbojpeg and room for the picture, both there before the walls go up."""

    def __init__(self, pixels: int) -> None:
        self._pixels = pixels
        self._decoder, self._encoder = Decoder(), _warm()
        private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        self._frame = mmap.mmap(-1, pixels * 3 // 2 + 6 * LONGEST_SIDE, flags=private)

    def redact(self, shown: mmap.mmap, size: int, keep: list[Box], black: list[Box]) -> str:
        """Return ``ok WIDTH HEIGHT BYTES``, or the code of what is wrong with the picture."""
        try:
            form = markers.walk(shown, size)
            width, height = form.width, form.height
            if not 0 < width * height <= self._pixels or max(width, height) > LONGEST_SIDE:
                return "too-large"
            with memoryview(shown) as view, memoryview(self._frame) as frame:
                with view[:size] as data:
                    if self._decoder.header(data).subsampling is not Subsampling.S420:
                        return "undecodable"
                    self._decoder.decode_yuv(data, frame)
                wipe(view)
                planes = _planes(frame, width, height)
                for box in black:
                    _blacken(planes, width, height, box)
                kept = _within(keep[0] if keep else (0, 0, width, height), width, height)
                return self._encode(planes, kept, view)
        except markers.NotOurs as e:
            return e.code
        except (WardsealError, MemoryError, ValueError):
            return "undecodable"

    def _encode(self, planes: list[tuple[memoryview, int]], kept: Box, out: memoryview) -> str:
        x, y, width, height = kept
        if width < 1 or height < 1 or len(out) < bound(width, height):
            return "too-large"
        parts = [
            plane[y // thin * stride + x // thin :]
            for (plane, stride), thin in zip(planes, (1, 2, 2), strict=True)
        ]
        length = self._encoder.encode_yuv420(
            parts,
            width=width,
            height=height,
            strides=[stride for _, stride in planes],
            quality=QUALITY,
            out=out,
        )
        wipe(out[length:])
        return f"ok {width} {height} {length}"


def _planes(frame: memoryview, width: int, height: int) -> list[tuple[memoryview, int]]:
    planes, at = [], 0
    for across, down in plane_sizes(width, height):
        planes.append((frame[at : at + across * down], across))
        at += across * down
    return planes


def _blacken(planes: list[tuple[memoryview, int]], width: int, height: int, box: Box) -> None:
    """Overwrite a box, grown to whole 2 x 2 blocks, for a colour is that of four pixels."""
    x, y, across, down = _within(box, width, height)
    for (plane, stride), thin, value in zip(planes, (1, 2, 2), (0, 128, 128), strict=True):
        left, right = x // thin, -(-(x + across) // thin)
        row = bytes([value]) * (right - left)
        for line in range(y // thin, min(-(-(y + down) // thin), len(plane) // stride)):
            plane[line * stride + left : line * stride + right] = row


def _within(box: Box, width: int, height: int) -> Box:
    """Return a box's part that is in the picture, from an even corner, and even in size there."""
    x, y = min(max(0, box[0]), width) & ~1, min(max(0, box[1]), height) & ~1
    right, bottom = min(width, box[0] + box[2]), min(height, box[1] + box[3])
    return x, y, min(width - x, right - x + 1 & ~1), min(height - y, bottom - y + 1 & ~1)


def _boxes(text: str) -> list[Box]:
    found = []
    for part in filter(None, text.split(";")):
        x, y, width, height = (int(number) for number in part.split(","))
        found.append((x, y, width, height))
    return found


def _warm() -> Encoder:
    """Return an encoder that has found out what processor it is on, which reads files."""
    encoder = Encoder()
    grey = memoryview(bytearray(b"\x80" * 16 * 16))
    out = memoryview(bytearray(bound(16, 16)))
    encoder.encode_yuv420(
        [grey, grey, grey], width=16, height=16, strides=(16, 8, 8), quality=QUALITY, out=out
    )
    return encoder


def _address_space() -> int:
    with open("/proc/self/statm", "rb") as statm:  # noqa: PTH123  pathlib would load half of re
        return int(statm.read().split()[0]) * mmap.PAGESIZE
