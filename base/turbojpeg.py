"""JPEG by libjpeg-turbo (TurboJPEG API 2.1), into and out of buffers of the caller's.

Why not Pillow or a ready-made binding: they hand out ``bytes``, convert through RGB, or let
the library allocate the result, and each of these is a copy of the picture that cannot be
wiped. Here the planes are read where the camera put them and the JPEG is written where it
will be sealed, so nothing is copied. See docs/decisions/0011.

The library is loaded on first use, and calls run without Python's global lock.
"""

import ctypes
from collections.abc import Sequence
from enum import IntEnum
from functools import cache
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from base.errors import EnvironmentProblem, FormatError, WardsealError

LIBRARY: Final = "libturbojpeg.so.0"

_NOREALLOC: Final = 1024
_STOP_ON_WARNING: Final = 8192
_LIMIT_SCANS: Final = 32768

# JPEG itself ends at 65,535 pixels a side (T.81, B.2.2); libjpeg-turbo a little below.
_MAX_SIDE: Final = 65500


class Subsampling(IntEnum):
    """How the colour planes are thinned out, by TurboJPEG's number."""

    S444 = 0
    S422 = 1
    S420 = 2
    GRAY = 3
    S440 = 4
    S411 = 5


class EncodeError(WardsealError):
    """libjpeg-turbo could not make a JPEG of the frame it was given."""


class JpegHeader(NamedTuple):
    """What a JPEG says about itself: pixels, and how its colour is thinned out."""

    width: int
    height: int
    subsampling: Subsampling


@cache
def _library() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError as e:
        raise EnvironmentProblem(
            f"{LIBRARY} is missing; install it: apt-get install libturbojpeg0"
        ) from e
    pointer, number, size = ctypes.c_void_p, ctypes.c_int, ctypes.c_ulong
    out = ctypes.POINTER(number)
    shapes: dict[str, tuple[Any, list[Any]]] = {
        "tjInitCompress": (pointer, []),
        "tjInitDecompress": (pointer, []),
        "tjDestroy": (number, [pointer]),
        "tjGetErrorStr2": (ctypes.c_char_p, [pointer]),
        "tjBufSize": (size, [number, number, number]),
        "tjBufSizeYUV2": (size, [number, number, number, number]),
        "tjPlaneWidth": (number, [number, number, number]),
        "tjPlaneHeight": (number, [number, number, number]),
        "tjCompressFromYUVPlanes": (
            number,
            [
                *(pointer, pointer, number, pointer, number, number),
                *(ctypes.POINTER(pointer), ctypes.POINTER(size), number, number),
            ],
        ),
        "tjDecompressHeader3": (number, [pointer, pointer, size, out, out, out, out]),
        "tjDecompressToYUV2": (
            number,
            [pointer, pointer, size, pointer, number, number, number, number],
        ),
    }
    for name, (result, arguments) in shapes.items():
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
    return library


def bound(width: int, height: int) -> int:
    """Return how many bytes a 4:2:0 JPEG of so many pixels can take at the very most."""
    return int(_library().tjBufSize(width, height, Subsampling.S420))


class _Handle:
    """One TurboJPEG instance; use it from one thread at a time."""

    def __init__(self, init: str) -> None:
        self._library = _library()
        self._handle = getattr(self._library, init)()
        if not self._handle:
            raise EnvironmentProblem("libjpeg-turbo found no memory to start with")

    def _why(self) -> str:
        text: bytes = self._library.tjGetErrorStr2(self._handle)
        return text.decode("ascii", "replace")

    def close(self) -> None:
        """Free the instance; later calls do nothing."""
        handle, self._handle = self._handle, None
        if handle:
            self._library.tjDestroy(handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class Encoder(_Handle):
    """Makes baseline JPEGs from YUV 4:2:0 frames. They hold pixels and nothing else."""

    def __init__(self) -> None:
        super().__init__("tjInitCompress")

    def encode_yuv420(
        self,
        planes: Sequence[memoryview],
        *,
        width: int,
        height: int,
        strides: Sequence[int],
        quality: int,
        out: memoryview,
    ) -> int:
        """Encode a frame into ``out`` (of ``bound(width, height)`` bytes); return the length.

        ``planes``: Y, U, V, writable (they are only read), full range (JFIF); ``strides``: bytes
        from one row to the next in each, padding included; ``quality``: 1 to 100.
        """
        if not 1 <= quality <= 100:
            raise EncodeError(f"a JPEG quality of {quality}; allowed are 1 to 100")
        if len(planes) != 3 or len(strides) != 3:
            raise EncodeError("a YUV frame has three planes, each with its stride")
        for number, (plane, stride) in enumerate(zip(planes, strides, strict=True)):
            across = self._library.tjPlaneWidth(number, width, Subsampling.S420)
            down = self._library.tjPlaneHeight(number, height, Subsampling.S420)
            if across < 1 or down < 1 or stride < across:
                raise EncodeError(f"plane {number} of a {width} x {height} frame has no such rows")
            if plane.nbytes < stride * (down - 1) + across:
                raise EncodeError(f"plane {number} of the frame is too short")
        if out.nbytes < bound(width, height):
            raise EncodeError("the buffer for the JPEG is too short for the worst case")
        with _Pinned(*planes, out) as addresses:
            rows = (ctypes.c_void_p * 3)(*addresses[:3])
            target = ctypes.c_void_p(addresses[3])
            length = ctypes.c_ulong(out.nbytes)
            failed = self._library.tjCompressFromYUVPlanes(
                self._handle,
                rows,
                width,
                (ctypes.c_int * 3)(*strides),
                height,
                Subsampling.S420,
                ctypes.byref(target),
                ctypes.byref(length),
                quality,
                _NOREALLOC,
            )
        if failed:
            raise EncodeError(f"the frame could not be encoded: {self._why()}")
        return int(length.value)


class Decoder(_Handle):
    """Decodes untrusted JPEGs; any warning of the library's is an error.

    ``data`` may be ``bytes`` or a writable buffer.
    """

    def __init__(self) -> None:
        super().__init__("tjInitDecompress")

    def header(self, data: bytes | bytearray | memoryview) -> JpegHeader:
        """Read size and subsampling without decoding. Raises FormatError."""
        fields = [ctypes.c_int(-1) for _ in range(4)]
        with _Pinned(data) as (address,):
            failed = self._library.tjDecompressHeader3(
                self._handle, address, len(data), *map(ctypes.byref, fields)
            )
        if failed:
            raise FormatError(f"not a JPEG that can be decoded: {self._why()}")
        width, height, subsampling, _ = (field.value for field in fields)
        if not 0 < width <= _MAX_SIDE or not 0 < height <= _MAX_SIDE:
            raise FormatError(f"a JPEG of {width} x {height} pixels")
        if subsampling not in tuple(Subsampling):
            raise FormatError("a JPEG whose colours are thinned out in no known way")
        return JpegHeader(width, height, Subsampling(subsampling))

    def yuv_size(self, header: JpegHeader, *, shrink: int = 1) -> int:
        """Return how many bytes ``decode_yuv`` needs for such a picture."""
        width, height = _shrunk(header, shrink)
        return int(self._library.tjBufSizeYUV2(width, 1, height, header.subsampling))

    def decode_yuv(
        self, data: bytes | bytearray | memoryview, out: memoryview, *, shrink: int = 1
    ) -> JpegHeader:
        """Decode into ``out``: Y, then U and V if there are any, rows without padding.

        ``shrink``: 1, or 2, 4 or 8 for a picture that many times smaller each way (rounded up).
        That saves the arithmetic on coefficients and nothing else: every bit of the data is read
        and checked as for the full size (see docs/decisions/0043).

        Broken or suspiciously built data (a warning, hundreds of scans) is a FormatError; then
        ``out`` may hold a part of the picture.
        """
        header = self.header(data)
        if out.nbytes < self.yuv_size(header, shrink=shrink):
            raise FormatError("the picture is larger than the room for it")
        width, height = _shrunk(header, shrink)
        with _Pinned(data, out) as (address, target):
            failed = self._library.tjDecompressToYUV2(
                self._handle,
                address,
                len(data),
                target,
                width,
                1,
                height,
                _STOP_ON_WARNING | _LIMIT_SCANS,
            )
        if failed:
            raise FormatError(f"the JPEG cannot be decoded: {self._why()}")
        return header


def plane_sizes(width: int, height: int) -> tuple[tuple[int, int], ...]:
    """Return width and height of the planes Y, U and V of a 4:2:0 picture, rows without padding.

    Odd sides are rounded up, as tjPlaneWidth and tjPlaneHeight do.
    """
    across, down = -(-width // 2), -(-height // 2)
    return (2 * across, 2 * down), (across, down), (across, down)


def _shrunk(header: JpegHeader, by: int) -> tuple[int, int]:
    return -(-header.width // by), -(-header.height // by)


class _Pinned:
    """The addresses of buffers, held in place while C works on them, let go right after."""

    def __init__(self, *buffers: bytes | bytearray | memoryview) -> None:
        self._buffers = buffers
        self._held: list[Any] = []

    def __enter__(self) -> list[int]:
        addresses: list[int] = []
        for buffer in self._buffers:
            if isinstance(buffer, bytes):
                held: Any = ctypes.c_char_p(buffer)
                address = ctypes.cast(held, ctypes.c_void_p).value
            else:
                held = ctypes.c_char.from_buffer(buffer)
                address = ctypes.addressof(held)
            self._held.append(held)
            addresses.append(address or 0)
        return addresses

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._held.clear()
