"""The kernel's word on what happens in folders, within microseconds (inotify(7)).

The crash campaign and the traces of the journey stand on it: nothing in the product is hooked,
and nothing is polled that may be over before the next look.
"""

import ctypes
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MODIFY = 0x2
CLOSE_WRITE = 0x8
OPEN = 0x20
MOVED_FROM = 0x40
MOVED_TO = 0x80
CREATE = 0x100
DELETE = 0x200
_OVERFLOW = 0x4000
_HEAD = struct.Struct("iIII")
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Seen:
    """One event: what happened (a bit of the mask) to which file."""

    path: Path
    mask: int


class Inotify:
    """A descriptor that turns readable; ``read`` returns what has happened since."""

    def __init__(self) -> None:
        self._fd = self._checked(_libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        self._folders: dict[int, Path] = {}

    def add(self, folder: Path, mask: int) -> None:
        """Watch a folder (or one file)."""
        watch = _libc.inotify_add_watch(self._fd, os.fsencode(folder), ctypes.c_uint32(mask))
        self._folders[self._checked(watch)] = folder

    def read(self) -> Iterator[Seen]:
        """Yield everything that has happened and was not yet read."""
        while True:
            try:
                data = os.read(self._fd, 65536)
            except BlockingIOError:
                return
            at = 0
            while at < len(data):
                watch, mask, _, length = _HEAD.unpack_from(data, at)
                at += _HEAD.size
                name = data[at : at + length].rstrip(b"\0")
                at += length
                if mask & _OVERFLOW:
                    raise AssertionError("more happened than inotify could remember")
                if (folder := self._folders.get(watch)) is not None:
                    yield Seen(folder / os.fsdecode(name) if name else folder, mask)

    def fileno(self) -> int:
        return self._fd

    def close(self) -> None:
        os.close(self._fd)

    @staticmethod
    def _checked(result: int) -> int:
        if result < 0:
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error))
        return result
