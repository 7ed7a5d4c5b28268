"""Room for one sealed photo: a file in ``sealing/``, its pages found and mapped beforehand.

Made while the nurse still aims, a slot answers two questions before CAPTURE: whether there is
room for a photo at all, and where the ciphertext goes without waiting for the kernel.
"""

import mmap
import os
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from base.errors import WardsealError

_PAGE: Final = mmap.PAGESIZE


class NoRoom(WardsealError):
    """The spool cannot take a sealed photo; the text says why."""


class Slot:
    """A file of ``size`` bytes in ``directory`` that is no photo yet. Raises NoRoom."""

    def __init__(self, directory: Path, size: int) -> None:
        self._named = False
        self._part = directory / f"{os.getpid()}-{id(self):x}.part"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self._file = os.open(self._part, flags, 0o660)
        except OSError as e:
            raise NoRoom(f"no file can be made for the sealed photo: {e.strerror}") from e
        try:
            self._map = self._mapped(size)
        except NoRoom:
            os.close(self._file)
            self._part.unlink(missing_ok=True)
            raise

    def _mapped(self, size: int) -> mmap.mmap:
        size = -(-size // _PAGE) * _PAGE
        try:
            # Ask for the pages first: writing to a mapping that has none ends a process.
            os.posix_fallocate(self._file, 0, size)
            return mmap.mmap(self._file, size, mmap.MAP_SHARED | mmap.MAP_POPULATE)
        except OSError as e:
            raise NoRoom(f"no room for the sealed photo: {e.strerror}") from e

    def view(self, size: int) -> memoryview:
        """Return at least ``size`` writable bytes, more than were asked for at first if need be.

        The caller releases it before ``commit`` or ``close``.
        """
        if size > len(self._map):
            self._map.close()
            self._map = self._mapped(size)
        return memoryview(self._map)

    def commit(self, name: str, size: int) -> Path:
        """Cut the file to ``size``, give it its name, and return where it is."""
        self._map.close()
        whole = self._part.with_name(name)
        try:
            os.ftruncate(self._file, size)
            os.rename(self._part, whole)
        except OSError as e:
            raise NoRoom(f"the sealed photo could not be put into place: {e.strerror}") from e
        self._named = True
        return whole

    def close(self) -> None:
        """Give the room back, unless a photo took it; later calls do nothing."""
        if self._file < 0:
            return
        self._map.close()
        os.close(self._file)
        self._file = -1
        if not self._named:
            self._part.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
