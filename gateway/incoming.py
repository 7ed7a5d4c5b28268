"""One photo on its way in: a file of the final size, and a bitmap of what has arrived.

The file is the photo bundle of wire.proof (three entries, then the envelope), laid out in full
before the first chunk comes, so a full disk is met before the transfer and not in its middle.
Behind the bundle stand the chunk size and the bitmap; both are cut off when the photo is whole.
So the file alone is enough to go on after a crash.

Chunks are written where they belong, whatever their order, and hashed while they come in. A
bitmap that claims too much (a power cut, a spliced chunk) is found out by the hash at the end,
and the transfer starts over: nothing is believed before the whole is the photo's id.
"""

import hashlib
import os
from pathlib import Path
from typing import Final

from base.errors import FormatError
from base.memory import wipe_file

SUFFIX: Final = ".part"
_CHUNK_FIELD: Final = 4
_HASH_PIECE: Final = 1024 * 1024


class Incoming:
    """A transfer's file. Everything but ``hold`` and ``discard`` is cheap and never waits."""

    def __init__(self, folder: Path, photo: bytes, *, head: bytes, size: int, chunk: int) -> None:
        """Make the file, or go on with the one that is there. Raises OSError (disk full)."""
        self.photo, self.size, self.chunk = photo, size, chunk
        self.path = folder / (photo.hex() + SUFFIX)
        self.chunks = -(-size // chunk)
        self._start = len(head)
        self._bitmap_at = self._start + size + _CHUNK_FIELD
        self._chunk_field = chunk.to_bytes(_CHUNK_FIELD, "big")
        total = self._bitmap_at + -(-self.chunks // 8)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self._fd = os.open(self.path, flags, 0o600)
        try:
            self._have = self._resume(head, total) or self._begin(head, total)
        except BaseException:
            os.close(self._fd)
            raise
        self._hash = hashlib.sha256()
        self._hashed = 0

    def _resume(self, head: bytes, total: int) -> bytearray | None:
        """Return the bitmap of a file that was laid out for the same photo and chunk size."""
        size, at = os.fstat(self._fd).st_size, self._start + self.size
        if size not in (at, total) or os.pread(self._fd, len(head), 0) != head:
            return None
        if size == at:
            # It was whole already, and nobody took it: it gets its tail back.
            everything = ((1 << self.chunks) - 1).to_bytes(total - self._bitmap_at, "little")
            os.pwrite(self._fd, self._chunk_field + everything, at)
        tail = os.pread(self._fd, total - at, at)
        if tail[:_CHUNK_FIELD] != self._chunk_field:
            return None
        os.utime(self._fd)  # it is in use again, so it is not old
        return bytearray(tail[_CHUNK_FIELD:])

    def _begin(self, head: bytes, total: int) -> bytearray:
        os.ftruncate(self._fd, 0)
        try:
            os.posix_fallocate(self._fd, 0, total)
        except OSError:
            os.unlink(self.path)
            raise
        os.pwrite(self._fd, head, 0)
        os.pwrite(self._fd, self._chunk_field, self._bitmap_at - _CHUNK_FIELD)
        return bytearray(-(-self.chunks // 8))

    def put(self, i: int, data: bytes) -> bool:
        """Take chunk ``i``; tell whether it is new. A wrong number or length is a FormatError."""
        if not 0 <= i < self.chunks:
            raise FormatError(f"chunk {i} of a photo that has {self.chunks}")
        length = min(self.chunk, self.size - i * self.chunk)
        if len(data) != length:
            raise FormatError(f"chunk {i} has {len(data)} bytes; it must have {length}")
        if self._has(i):
            return False
        os.pwrite(self._fd, data, self._start + i * self.chunk)
        self._have[i // 8] |= 1 << i % 8
        os.pwrite(self._fd, self._have[i // 8 : i // 8 + 1], self._bitmap_at + i // 8)
        if self._hashed == i * self.chunk:
            self._hash.update(data)
            self._hashed += length
        return True

    def _has(self, i: int) -> bool:
        return bool(self._have[i // 8] >> i % 8 & 1)

    @property
    def bitmap(self) -> bytes:
        """Bit i of byte i // 8, lowest first: chunk i is here."""
        return bytes(self._have)

    def missing(self, most: int) -> tuple[tuple[int, int], ...]:
        """Return the first ``most`` runs of missing chunks as (first, last) pairs."""
        runs: list[tuple[int, int]] = []
        for i in range(self.chunks):
            if self._has(i):
                continue
            if runs and runs[-1][1] == i - 1:
                runs[-1] = (runs[-1][0], i)
            elif len(runs) == most:
                break
            else:
                runs.append((i, i))
        return tuple(runs)

    def whole(self) -> bool:
        """Tell whether what has arrived is the photo; if it is not, forget it all."""
        while self._hashed < self.size:
            length = min(_HASH_PIECE, self.size - self._hashed)
            piece = os.pread(self._fd, length, self._start + self._hashed)
            if not piece:
                break  # somebody cut the file: it is not whole
            self._hash.update(piece)
            self._hashed += len(piece)
        if self._hash.digest() == self.photo:
            return True
        self._have = bytearray(len(self._have))
        os.pwrite(self._fd, self._have, self._bitmap_at)
        self._hash, self._hashed = hashlib.sha256(), 0
        return False

    def finish(self) -> None:
        """Cut the bitmap off: from here on the file is a photo bundle."""
        os.ftruncate(self._fd, self._start + self.size)

    def close(self) -> None:
        """Let go of the file, which stays."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def discard(self) -> None:
        """Close and remove: it is not worth going on with."""
        self.close()
        if self.path.exists():
            wipe_file(self.path)
