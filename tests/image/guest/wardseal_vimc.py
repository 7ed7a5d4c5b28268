"""What vimc lacks of a Raspberry Pi's camera, added between Picamera2 and the program.

The virtual media controller delivers one stream of RGB; a Pi delivers two of YUV 4:2:0, which is
what the darkroom asks for. Here Picamera2 goes on doing all of its work, on RGB, and these two
classes say YUV420 to whoever asks. The picture is converted into a mapping of its own when it is
mapped. A darkroom that wipes what it was given has wiped the RGB below it as well; one that
does not leaves both, as it would on a Pi.

Installed as a module of its own beside Picamera2, whose ``__init__`` ends by importing it.
"""

import mmap
from typing import Any, Self

import numpy as np
from picamera2.picamera2 import Picamera2 as _Picamera2
from picamera2.request import MappedArray as _MappedArray
from wardseal_yuv import yuv420  # type: ignore[import-not-found]  # beside it, there

_PER_SMALL_PIXEL = 2
"""The small stream has every second pixel of the large one, in both directions."""


class Picamera2(_Picamera2):  # type: ignore[misc]  # it has no types
    """Takes YUV420 for an answer to what is asked, and RGB from vimc."""

    def create_still_configuration(self, main: Any = None, lores: Any = None, **rest: Any) -> Any:
        if lores is None:  # Picamera2 itself, before anybody has asked for anything
            return super().create_still_configuration(main or {}, **rest)
        assert main["format"] == lores["format"] == "YUV420"
        return super().create_still_configuration({**main, "format": "BGR888"}, **rest)

    def camera_configuration(self) -> Any:
        given = super().camera_configuration()
        width, height = given["main"]["size"]
        small = (width // _PER_SMALL_PIXEL, height // _PER_SMALL_PIXEL)
        return {
            "main": {"format": "YUV420", "size": (width, height), "stride": width},
            "lores": {"format": "YUV420", "size": small, "stride": small[0]},
        }


class MappedArray:
    """One stream of a request, as YUV420."""

    def __init__(self, request: Any, stream: str, reshape: bool = True, write: bool = True) -> None:
        assert write and not reshape
        self._rgb = _MappedArray(request, "main", reshape=False, write=True)
        self._size = request.config["main"]["size"]
        self._step = _PER_SMALL_PIXEL if stream == "lores" else 1
        self.array: Any = None

    def __enter__(self) -> Self:
        self._rgb.__enter__()
        width, height = self._size
        planes = yuv420(self._rgb.array[: width * height * 3], width, height, self._step)
        self.array = np.frombuffer(mmap.mmap(-1, planes.size), dtype=np.uint8)
        self.array[:] = planes
        return self

    def __exit__(self, *error: object) -> None:
        if not self.array.any():
            self._rgb.array[:] = 0
        self.array = None
        self._rgb.__exit__(*error)
