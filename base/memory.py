"""Memory that can be wiped, and a process that leaves nothing behind in it.

Python's ``bytes`` cannot be wiped, so plaintext and keys live in a ``Buffer``: pages of their
own, outside the heap, kept out of core dumps, zeroed by ``explicit_bzero`` (which a compiler
may not leave out). Libraries still put small copies on the heap (HPKE its shared secret,
libjpeg-turbo a few rows of the picture), where nobody can reach them. Those are overwritten by
the allocator itself: ``ALLOCATOR_ENV`` makes glibc fill every block that is freed, and it has
to be in the environment *before* a process starts. See docs/decisions/0010.
"""

import contextlib
import ctypes
import mmap
import os
import resource
import weakref
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Final, Self

from base.errors import EnvironmentProblem

ALLOCATOR_ENV: Final[Mapping[str, str]] = MappingProxyType(
    {
        "PYTHONMALLOC": "malloc",
        "GLIBC_TUNABLES": "glibc.malloc.perturb=165"
        ":glibc.malloc.tcache_count=0"
        ":glibc.malloc.mmap_max=0",
    }
)
"""What the launcher sets for every process that may hold plaintext or keys."""

_BORN: Final = 165 ^ 0xFF
"""With perturb=165 freed memory is filled with 165 and new memory with its complement."""

_PR_SET_DUMPABLE: Final = 4
_MLOCK_ONFAULT: Final = 1
_WRITE_AT_ONCE: Final = 1 << 20

_libc = ctypes.CDLL(None, use_errno=True)
_libc.explicit_bzero.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_libc.explicit_bzero.restype = None
_libc.getrandom.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint]
_libc.getrandom.restype = ctypes.c_ssize_t
_libc.mlock2.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint]
_libc.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
_libc.malloc.argtypes = [ctypes.c_size_t]
_libc.malloc.restype = ctypes.c_void_p
_libc.free.argtypes = [ctypes.c_void_p]
_libc.free.restype = None

_new_bytes = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_ssize_t)(
    ("PyBytes_FromStringAndSize", ctypes.pythonapi)
)


class AllocatorError(EnvironmentProblem):
    """This process would leave plaintext in freed memory; the text says what to set."""


class LockError(EnvironmentProblem):
    """Memory for a key could not be kept out of swap."""


class Lock(Enum):
    """Whether a buffer must stay in RAM: not at all, if the limits allow it, or surely."""

    NO = 0
    WANTED = 1
    REQUIRED = 2


class Buffer:
    """``size`` bytes in pages of their own, zero at first, wiped when closed.

    ``view`` is writable and exactly ``size`` long. ``locked`` tells whether the pages are kept
    out of swap. Pages cost memory only once they are touched, locked or not.
    """

    def __init__(self, size: int, *, lock: Lock = Lock.NO) -> None:
        self.size = size
        self._map = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._map.madvise(mmap.MADV_DONTDUMP)
        self.view = memoryview(self._map)[:size]
        _live.add(self)
        self.locked = lock is not Lock.NO and self._lock(lock)

    def _lock(self, lock: Lock) -> bool:
        first = ctypes.c_char.from_buffer(self._map)
        if _libc.mlock2(ctypes.addressof(first), len(self._map), _MLOCK_ONFAULT) == 0:
            return True
        if lock is Lock.REQUIRED:
            del first
            self.close()
            reason = os.strerror(ctypes.get_errno())
            raise LockError(
                f"memory for a key cannot be kept out of swap ({reason}). Raise the limit of"
                " locked memory: LimitMEMLOCK= in the unit, ulimit -l in a shell"
            )
        return False

    def wipe(self, used: int | None = None) -> None:
        """Zero the first ``used`` bytes, or all.

        A caller who knows that only the start was ever written says so: zeroing the rest would
        only make the kernel find pages for it.
        """
        wipe(self.view[:used])

    def close(self) -> None:
        """Wipe, and give the pages back; later calls do nothing.

        While somebody still holds a slice of ``view``, the zeroed pages stay with him.
        """
        if self not in _live:
            return
        wipe(self.view)
        _live.discard(self)
        self.view.release()
        with contextlib.suppress(BufferError):
            self._map.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


_live: weakref.WeakSet[Buffer] = weakref.WeakSet()


def wipe(view: memoryview | bytearray | mmap.mmap) -> None:
    """Zero a writable, contiguous buffer of anybody's, such as a camera's."""
    size = memoryview(view).nbytes
    if size:
        first = ctypes.c_char.from_buffer(view)
        _libc.explicit_bzero(ctypes.addressof(first), size)


def fill_random(view: memoryview) -> None:
    """Fill a writable buffer from getrandom(2), with no copy on the heap."""
    first = ctypes.c_char.from_buffer(view)
    done = 0
    while done < view.nbytes:
        got = _libc.getrandom(ctypes.addressof(first) + done, view.nbytes - done, 0)
        if got < 0:
            raise OSError(ctypes.get_errno(), "getrandom failed")
        done += got


def wipe_live_buffers() -> None:
    """Zero every ``Buffer`` of this process: the last act of one that is about to be ended."""
    for buffer in list(_live):
        wipe(buffer.view)


def wipe_file(file: Path | int) -> None:
    """Overwrite a file with zeros, cut it to nothing and, given by path, unlink it.

    Unlinking alone would leave the content to whoever has the file open.
    """
    if isinstance(file, int):
        left = os.fstat(file).st_size
        at = 0
        while left:
            done = os.pwrite(file, bytes(min(left, _WRITE_AT_ONCE)), at)
            at += done
            left -= done
        os.ftruncate(file, 0)
        return
    descriptor = os.open(file, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        wipe_file(descriptor)
    finally:
        os.close(descriptor)
    os.unlink(file)


def harden_process() -> None:
    """Allow no core dump, and no look from other processes of the same user."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_DUMPABLE) failed")


def assert_allocator(environ: Mapping[str, str]) -> None:
    """Raise AllocatorError unless freed memory is overwritten in this process.

    ``environ`` is what the process was started with. That the settings are there is not
    enough: glibc ignores its tunables for set-id programs and Python its own when isolated
    (-E, -I), so what they do is looked at as well.
    """
    for name, value in ALLOCATOR_ENV.items():
        if environ.get(name) != value:
            found = f"is {environ[name]!r}" if name in environ else "is not set"
            raise AllocatorError(
                f"{name} {found}. Freed memory would keep parts of photos; start this process"
                f" with {name}={value}"
            )
    if not _freed_blocks_are_filled():
        raise AllocatorError(
            "GLIBC_TUNABLES is set but has no effect. It takes glibc 2.34 or newer, and a program"
            " that is not set-id"
        )
    if not _python_uses_malloc():
        raise AllocatorError(
            "PYTHONMALLOC is set but has no effect. Start Python without its options -E and -I"
        )


def _python_uses_malloc() -> bool:
    """A small new object, content not yet given, holds what glibc puts into new blocks."""
    newborn = _new_bytes(None, 200)
    return bool(newborn == bytes([_BORN]) * 200)


def _freed_blocks_are_filled() -> bool:
    """A block that comes back from free() shows nothing of what was in it."""
    size = 40
    address = _libc.malloc(size)
    ctypes.memset(address, 1, size)
    _libc.free(address)
    # A thread's cache (tcache) would hand the same block out again, unfilled.
    again = _libc.malloc(size)
    content = ctypes.string_at(again, size)
    _libc.free(again)
    return content == bytes([_BORN]) * size
