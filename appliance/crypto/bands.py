"""One JPEG out of two bands of a frame that are encoded at once, on two cores.

What stands behind a restart marker owes nothing to what stands before it: the prediction of
DC values begins anew and the bits begin on a byte (ITU-T T.81, B.1.1.3 and F.1.1.5.1). So the scans
of two bands that were encoded apart, with one restart marker between them and a restart
interval (DRI, B.2.4.4) that says how many MCUs the first one has, are one baseline JPEG. Its
pixels are to the bit those of the frame encoded whole. See docs/decisions/0015.
"""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Final, TypeVar

from appliance.frame import Frame
from base import turbojpeg
from base.memory import wipe

T = TypeVar("T")

_MCU: Final = 16
"""Pixels a side, at 4:2:0 (T.81, A.2)."""

_MOST_MCUS: Final = 0xFFFF
_SOF0, _SOS = 0xC0, 0xDA
_RST0: Final = b"\xff\xd0"
_END: Final = 2
_DRI: Final = b"\xff\xdd\x00\x04"
_INTERVAL: Final = 6
"""Bytes of a whole DRI segment."""


class BandedEncoder:
    """Encodes frames of ``width`` x ``height`` (YUV 4:2:0) at ``quality``, 1 to 100.

    A frame that is less than two MCUs high, or whose upper half has more MCUs than a restart
    interval can say (some 33 megapixels altogether), is encoded whole.
    """

    def __init__(self, width: int, height: int, quality: int) -> None:
        self._width = width
        self._height = height
        self._quality = quality
        across, down = -(-width // _MCU), -(-height // _MCU)
        upper = -(-down // 2)
        self._interval = across * upper
        self._split = upper * _MCU if down > 1 and self._interval <= _MOST_MCUS else 0
        self._lower_at = _INTERVAL + turbojpeg.bound(width, self._split) if self._split else 0
        self._encoders = turbojpeg.Encoder(), turbojpeg.Encoder()

    @property
    def room(self) -> int:
        """How many bytes ``out`` must have."""
        return self._lower_at + turbojpeg.bound(self._width, self._height - self._split)

    def get_ready(self, out: memoryview, usual: int) -> None:
        """Zero what a JPEG of ``usual`` bytes takes of ``out``, so that its pages are found now."""
        wipe(out[:usual])
        wipe(out[self._lower_at : self._lower_at + usual // 2])

    def encode(self, frame: Frame, out: memoryview, helper: Executor) -> int:
        """Encode into ``out`` and return the length; behind it ``out`` is zero again.

        ``helper`` lends a thread. Raises EncodeError, and then pieces of the JPEG may lie all
        over ``out``.
        """
        if (frame.width, frame.height) != (self._width, self._height):
            raise turbojpeg.EncodeError(
                f"the camera gave {frame.width} x {frame.height} pixels and not"
                f" {self._width} x {self._height}"
            )

        def band(number: int, first: int, rows: int, at: int) -> int:
            luma, *colour = zip(frame.planes, frame.strides, strict=True)
            starts = [luma[0][luma[1] * first :]]
            starts += [plane[stride * first // 2 :] for plane, stride in colour]
            return self._encoders[number].encode_yuv420(
                starts,
                width=self._width,
                height=rows,
                strides=frame.strides,
                quality=self._quality,
                out=out[at:],
            )

        def lower() -> int:
            return band(1, self._split, self._height - self._split, self._lower_at)

        if not self._split:
            return lower()
        beside = helper.submit(lower)
        try:
            upper_length = band(0, 0, self._split, _INTERVAL)
        finally:
            lower_length = done(beside, lower)
        return self._join(out, upper_length, lower_length)

    def _join(self, out: memoryview, upper_length: int, lower_length: int) -> int:
        sof, sos = _find(out[_INTERVAL:])
        out[:sos] = out[_INTERVAL : _INTERVAL + sos]
        out[sos : sos + _INTERVAL] = _DRI + self._interval.to_bytes(2, "big")
        out[sof + 5 : sof + 7] = self._height.to_bytes(2, "big")
        end = _INTERVAL + upper_length
        out[end - _END : end] = _RST0
        source = out[self._lower_at : self._lower_at + lower_length]
        scan = source[_scan(source) :]
        length = end + scan.nbytes
        out[end:length] = scan
        wipe(out[max(length, self._lower_at) : self._lower_at + lower_length])
        return length

    def close(self) -> None:
        """Free both encoders; no later use."""
        for encoder in self._encoders:
            encoder.close()


def done(future: Future[T], work: Callable[[], T]) -> T:
    """Return the helper's result; do the work here if a busy machine let it not begin yet."""
    return work() if future.cancel() else future.result()


def _find(jpeg: memoryview) -> tuple[int, int]:
    """Return where the frame header and the scan header of a JPEG of our encoder's begin."""
    at, sof = 2, 0
    while jpeg[at + 1] != _SOS:
        if jpeg[at + 1] == _SOF0:
            sof = at
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
    return sof, at


def _scan(jpeg: memoryview) -> int:
    """Return where the coded data begins."""
    _, at = _find(jpeg)
    return at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
