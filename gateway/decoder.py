"""The decoder process: one JPEG, one verdict, then it is gone.

It is started ahead of time with nothing but three descriptors: 0 says how long the JPEG is,
1 takes the verdict, the third is the memory in which the JPEG will stand. It maps that memory,
loads libturbojpeg, shuts itself in (gateway.sandbox) and says ``ready`` before a photo is put
there. The picture is decoded at an eighth of its size: that reads and checks every bit of the
JPEG, and leaves out the arithmetic of a picture that nobody is going to see in full.
Behind the walls it can compute and answer: one line, and the small picture in place of its copy
of the JPEG. Whatever bytes stand there are some picture; the gateway files its own JPEG.

If it cannot be shut in it says so and ends: there is no way to run it unconfined.
"""

import ctypes
import mmap
import os
import sys
from collections.abc import Callable
from typing import Final

from base.errors import WardsealError
from base.turbojpeg import Decoder
from gateway import markers, sandbox

READY: Final = b"ready\n"
LONGEST_SIDE: Final = 16_384
CPU_SECONDS: Final = 10
SHRINK: Final = 8
_SPARE: Final = 32 * 1024 * 1024
_HIGHEST_FD: Final = 4096

Look = Callable[[mmap.mmap, int, int], str]


def life(argv: list[str], *, look: Look | None = None) -> None:
    """Live one decoder's life.

    ``argv``: the descriptor of the JPEG's memory, its size in bytes, the most pixels allowed.
    ``look`` stands in for the decoding, so that a test can ask what is possible in here.
    """
    memory, room, pixels = (int(argument) for argument in argv)
    try:
        jpeg = mmap.mmap(memory, room)
        os.closerange(2, _HIGHEST_FD)
        eyes = _Eyes(pixels)
        sandbox.confine(memory=_address_space() + _SPARE, seconds=CPU_SECONDS)
    except (WardsealError, OSError, ValueError) as e:
        os.write(1, f"cannot: {e}\n".encode()[:512])
        os._exit(1)
    os.write(1, READY)
    order = os.read(0, 8)
    if len(order) == 8:
        verdict = (look or eyes.look)(jpeg, int.from_bytes(order, "big"), pixels)
        os.write(1, verdict.encode()[:64] + b"\n")
        eyes.wipe()
    os._exit(0)


class _Eyes:
    """libturbojpeg and room for the picture, both there before the walls go up."""

    def __init__(self, pixels: int) -> None:
        self._decoder = Decoder()
        self._room = small_room(pixels)
        self._picture = mmap.mmap(-1, self._room, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        # Zeroing finds the pages while the decoder waits, and not while a nurse does.
        self._used = self._room
        self.wipe()

    def look(self, jpeg: mmap.mmap, size: int, pixels: int) -> str:
        """Return ``ok WIDTH HEIGHT`` or the code of what is wrong with the picture."""
        try:
            width, height = markers.walk(jpeg, size)
            if not 0 < width * height <= pixels or max(width, height) > LONGEST_SIDE:
                return "too-large"
            with memoryview(jpeg) as view, view[:size] as data:
                header = self._decoder.header(data)
                if (header.width, header.height) != (width, height):
                    return "undecodable"
                self._used = min(self._decoder.yuv_size(header, shrink=SHRINK), self._room)
                with memoryview(self._picture) as room, room[: self._used] as picture:
                    self._decoder.decode_yuv(data, picture, shrink=SHRINK)
                    view[: self._used] = picture
        except markers.NotOurs as e:
            return e.code
        except (WardsealError, MemoryError, ValueError, OSError):
            return "undecodable"
        return f"ok {width} {height}"

    def wipe(self) -> None:
        """Zero what was seen."""
        ctypes.memset(ctypes.addressof(ctypes.c_char.from_buffer(self._picture)), 0, self._used)


def small_room(pixels: int) -> int:
    """Bytes that a 4:2:0 picture of so many pixels, shrunk, takes at most, odd sides included."""
    return pixels * 3 // (2 * SHRINK * SHRINK) + 6 * LONGEST_SIDE


def _address_space() -> int:
    with open("/proc/self/statm", "rb") as statm:  # noqa: PTH123  pathlib would load half of re
        return int(statm.read().split()[0]) * mmap.PAGESIZE


if __name__ == "__main__":
    life(sys.argv[1:])
