"""Room for one sealed photo: a file in ``sealing/``, its pages found and mapped beforehand.

Made while the nurse still aims, a slot answers two questions before CAPTURE: whether there is
room for a photo at all, and where the ciphertext goes without waiting for the kernel.

The file has no name until it is whole (``O_TMPFILE``), so a darkroom that is killed leaves
nothing behind that would have to be found and cleared away. Where a file system cannot do
that, it is called ``….part``, which the panel wipes when it starts.
"""

import errno
import mmap
import os
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from base.errors import WardsealError

_PAGE: Final = mmap.PAGESIZE
_MODE: Final = 0o660
_FLAGS: Final = os.O_RDWR | os.O_CLOEXEC
_CANNOT_BE_NAMELESS: Final = (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL)


class NoRoom(WardsealError):
    """The spool cannot take a sealed photo; the text says why."""


class Slot:
    """A file of ``size`` bytes in ``directory`` that is no photo yet. Raises NoRoom."""

    def __init__(self, directory: Path, size: int, *, nameless: bool = True) -> None:
        self._directory = directory
        self._part: Path | None = None
        try:
            self._file = self._open(nameless)
        except OSError as e:
            raise NoRoom(f"no file can be made for the sealed photo: {e.strerror}") from e
        try:
            self._map = self._mapped(size)
        except NoRoom:
            self._let_go()
            raise

    def _open(self, nameless: bool) -> int:
        if nameless:
            try:
                return os.open(self._directory, _FLAGS | os.O_TMPFILE, _MODE)
            except OSError as e:
                if e.errno not in _CANNOT_BE_NAMELESS:
                    raise
        part = self._directory / f"{os.getpid()}-{id(self):x}.part"
        file = os.open(part, _FLAGS | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, _MODE)
        self._part = part
        return file

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
        """Cut the file to ``size``, give it its name, and return where it is.

        A file of that name is never replaced. The mapping goes with ``close``, which may wait
        until nobody does.
        """
        whole = self._directory / name
        try:
            os.ftruncate(self._file, size)
            if self._part is None:
                # linkat(2): through /proc, because a descriptor alone needs privileges. The
                # directory is given only to make Python follow that link.
                here = os.open(self._directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
                try:
                    os.link(f"/proc/self/fd/{self._file}", name, src_dir_fd=here, dst_dir_fd=here)
                finally:
                    os.close(here)
            else:
                os.link(self._part, whole)
        except OSError as e:
            raise NoRoom(f"the sealed photo could not be put into place: {e.strerror}") from e
        return whole

    def close(self) -> None:
        """Give the room back, unless a photo took it; later calls do nothing."""
        if self._file >= 0:
            self._map.close()
            self._let_go()

    def _let_go(self) -> None:
        os.close(self._file)
        self._file = -1
        if self._part is not None:
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
