"""A frame as the camera hands it over: its own memory, not a copy of it.

YUV 4:2:0 in one buffer, as a Raspberry Pi's image processor delivers it: Y, then U, then V at
half the stride, full range (sYCC), each row padded to a multiple of 64 bytes. A frame is a context
manager, and leaving it zeroes that memory before the camera gets it back.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from base.memory import wipe

YUV420: Final = "YUV420"
ROW_ALIGNMENT: Final = 64


@dataclass(frozen=True)
class Layout:
    """How a YUV 4:2:0 frame lies in its buffer; ``stride`` is luma bytes from row to row."""

    width: int
    height: int
    stride: int

    @classmethod
    def padded(cls, width: int, height: int) -> Self:
        """The layout of a Raspberry Pi's buffers: the chroma rows aligned as well."""
        align = 2 * ROW_ALIGNMENT
        return cls(width, height, -(-width // align) * align)

    @property
    def strides(self) -> tuple[int, int, int]:
        return self.stride, self.stride // 2, self.stride // 2

    @property
    def heights(self) -> tuple[int, int, int]:
        return self.height, self.height // 2, self.height // 2

    @property
    def widths(self) -> tuple[int, int, int]:
        return self.width, self.width // 2, self.width // 2

    @property
    def size(self) -> int:
        return self.stride * self.height * 3 // 2

    def planes(self, buffer: memoryview) -> tuple[memoryview, memoryview, memoryview]:
        """Return Y, U and V as views of ``buffer``, padding included."""
        luma = self.stride * self.height
        chroma = luma // 4
        return (
            buffer[:luma],
            buffer[luma : luma + chroma],
            buffer[luma + chroma : luma + 2 * chroma],
        )


class Frame:
    """One frame in the camera's buffer: planes, strides, size, and the name of its format.

    Leaving the context zeroes the buffer and calls ``give_back``. Take no copy of a plane; let
    every slice of one go before leaving.
    """

    format: Final = YUV420

    def __init__(
        self, buffer: memoryview, layout: Layout, give_back: Callable[[], None] | None = None
    ) -> None:
        self._buffer = buffer
        self._give_back = give_back
        self.width = layout.width
        self.height = layout.height
        self.strides = layout.strides
        self.planes = layout.planes(buffer)

    @property
    def luma(self) -> memoryview:
        return self.planes[0]

    def wipe(self) -> None:
        """Zero the whole buffer, padding included."""
        wipe(self._buffer)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.wipe()
        for plane in self.planes:
            plane.release()
        self._buffer.release()
        if self._give_back is not None:
            self._give_back()
