"""The decoder process: one JPEG, one verdict, then it is gone.

It is started ahead of time with nothing but three descriptors: 0 says how long the JPEG is,
1 takes the verdict, the third is the memory in which the JPEG will stand. It maps that memory,
loads libturbojpeg, shuts itself in (gateway.sandbox) and says ``ready`` before a photo is put
there. The picture is decoded at an eighth of its size: that reads and checks every bit of the
JPEG, and leaves out the arithmetic of a picture that nobody is going to see in full.
Of two bands each is decoded by a thread of its own; both threads are there before the walls are.
Behind the walls it can compute and answer: one line, and the small picture in place of its copy
of the JPEG. Whatever bytes stand there are some picture; the gateway files its own JPEG.

If it cannot be shut in it says so and ends: there is no way to run it unconfined.

One is started for each photo, so what it loads is kept small: no dataclasses, which bring half of
Python's own compiler.
"""

import _thread
import ctypes
import mmap
import os
import sys
from collections.abc import Callable
from typing import Final

from base.errors import FormatError, WardsealError
from base.turbojpeg import Decoder, plane_sizes
from gateway import markers, sandbox

READY: Final = b"ready\n"
LONGEST_SIDE: Final = 16_384
CPU_SECONDS: Final = 10
SHRINK: Final = 8
_SPARE: Final = 32 * 1024 * 1024
_HIGHEST_FD: Final = 4096
_EOI: Final = b"\xff\xd9"
_REFUSALS: Final = (WardsealError, MemoryError, ValueError, OSError)

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
        eyes = _Eyes(room, pixels)
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


class _Helper:
    """A thread that waits for work; once the walls are up no other can be had."""

    def __init__(self) -> None:
        self._work: Callable[[], object] = int
        self._went_well = False
        self._begin, self._over = _thread.allocate_lock(), _thread.allocate_lock()
        self._begin.acquire()
        self._over.acquire()
        _thread.start_new_thread(self._live, ())
        self._over.acquire()  # it has made the calls that a beginning takes

    def _live(self) -> None:
        self._over.release()
        while True:
            self._begin.acquire()
            try:
                self._work()
                self._went_well = True
            except _REFUSALS:
                pass  # it did not go well, and whoever waits is told so
            self._over.release()

    def begin(self, work: Callable[[], None]) -> None:
        self._work = work
        self._begin.release()

    def end(self) -> bool:
        """Wait for the work, and tell whether it went well."""
        self._over.acquire()
        return self._went_well


class _Eyes:
    """libturbojpeg and room for the picture, both there before the walls go up."""

    def __init__(self, room: int, pixels: int) -> None:
        self._decoders = Decoder(), Decoder()
        self._helper = _Helper()
        self._picture = _private(small_room(pixels))
        self._lower = _private(room)
        # Zeroing finds the pages while the decoder waits, and not while a nurse does.
        _zero(self._picture, len(self._picture))
        self._copied = 0

    def look(self, jpeg: mmap.mmap, size: int, pixels: int) -> str:
        """Return ``ok WIDTH HEIGHT`` or the code of what is wrong with the picture."""
        try:
            form = markers.walk(jpeg, size)
            if not 0 < form.width * form.height <= pixels or (
                max(form.width, form.height) > LONGEST_SIDE
            ):
                return "too-large"
            with memoryview(jpeg) as view, memoryview(self._picture) as picture:
                if form.bands is None:
                    self._whole(view, size, picture, form)
                else:
                    self._both(view, size, picture, form, form.bands)
        except markers.NotOurs as e:
            return e.code
        except _REFUSALS:
            return "undecodable"
        return f"ok {form.width} {form.height}"

    def _whole(self, view: memoryview, size: int, picture: memoryview, form: markers.Form) -> None:
        decoder = self._decoders[0]
        with view[:size] as data:
            header = decoder.decode_yuv(data, picture, shrink=SHRINK)
        if (header.width, header.height) != (form.width, form.height):
            raise FormatError("the picture is not of the size that was read")
        used = decoder.yuv_size(header, shrink=SHRINK)
        view[:used] = picture[:used]

    def _both(
        self,
        view: memoryview,
        size: int,
        picture: memoryview,
        form: markers.Form,
        bands: markers.Bands,
    ) -> None:
        """Make a JPEG of each band, decode them at once, and put the planes together."""
        upper, lower = self._decoders
        first = bands.cut + len(_EOI)
        self._copied = end = bands.scan + size - first
        height = slice(bands.sof + 5, bands.sof + 7)
        small = [
            plane_sizes(-(-form.width // SHRINK), -(-rows // SHRINK))
            for rows in (bands.rows, form.height - bands.rows)
        ]
        sizes = [[across * down for across, down in planes] for planes in small]
        below = sum(sizes[0])
        with memoryview(self._lower) as other, other[:end] as own:

            def look_below() -> None:
                own[bands.scan :] = view[first:size]
                lower.decode_yuv(own, picture[below:], shrink=SHRINK)

            own[: bands.scan] = view[: bands.scan]
            own[height] = (form.height - bands.rows).to_bytes(2, "big")
            view[height] = bands.rows.to_bytes(2, "big")
            self._helper.begin(look_below)
            view[bands.cut : first] = _EOI
            try:
                with view[:first] as data:
                    upper.decode_yuv(data, picture, shrink=SHRINK)
            finally:
                well = self._helper.end()
            if not well:
                raise FormatError("the lower band cannot be decoded")
        at, above = 0, 0
        for up, down in zip(*sizes, strict=True):
            view[at : at + up] = picture[above : above + up]
            view[at + up : at + up + down] = picture[below : below + down]
            at, above, below = at + up + down, above + up, below + down

    def wipe(self) -> None:
        """Zero what was seen."""
        _zero(self._picture, len(self._picture))
        _zero(self._lower, self._copied)


def _private(size: int) -> mmap.mmap:
    return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


def _zero(memory: mmap.mmap, size: int) -> None:
    ctypes.memset(ctypes.addressof(ctypes.c_char.from_buffer(memory)), 0, size)


def small_room(pixels: int) -> int:
    """Bytes that a 4:2:0 picture of so many pixels, shrunk, takes at most, odd sides included."""
    return pixels * 3 // (2 * SHRINK * SHRINK) + 6 * LONGEST_SIDE


def _address_space() -> int:
    with open("/proc/self/statm", "rb") as statm:  # noqa: PTH123  pathlib would load half of re
        return int(statm.read().split()[0]) * mmap.PAGESIZE


if __name__ == "__main__":
    life(sys.argv[1:])
