"""The released photos as the uplink sees them: opaque files, read piece by piece.

A file here *is* a photo to be sent, and one that is gone is a photo to be forgotten: the panel
wipes it when it has a receipt that it believes. A file is never opened for longer than one read
takes and never held in memory whole.
"""

import logging
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from base.errors import FormatError
from wire import cbor
from wire.envelope import MAX_ENVELOPE
from wire.ledger import MAX_ENTRY

log = logging.getLogger(__name__)

_NAME: Final = re.compile(r"([0-9a-f]{64})\.cose")
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


@dataclass(frozen=True)
class Released:
    """A photo that may be sent: its id, its size in bytes, and its three ledger entries."""

    photo: bytes
    size: int
    entries: tuple[bytes, bytes, bytes]


class Outbox:
    """The uplink's side of ``outbox/``: reading only."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._odd: set[str] = set()

    def photos(self) -> list[bytes]:
        """Return the ids of the photos that lie there, oldest first."""
        found = []
        with os.scandir(self._directory) as entries:
            for entry in entries:
                name = _NAME.fullmatch(entry.name)
                if name is None:
                    continue
                try:
                    age = entry.stat(follow_symlinks=False).st_mtime_ns
                except FileNotFoundError:
                    continue
                found.append((age, bytes.fromhex(name[1])))
        return [photo for _, photo in sorted(found)]

    def open(self, photo: bytes) -> Released | None:
        """Return what is to be said about a photo; None when it is gone, or not one at all."""
        name = f"{photo.hex()}.cose"
        try:
            found = os.stat(self._directory / name, follow_symlinks=False)
            if not stat.S_ISREG(found.st_mode) or not 0 < found.st_size <= MAX_ENVELOPE:
                raise FormatError(f"{found.st_size} bytes are no envelope")
            raw = self._read(f"{photo.hex()}.init", 0, 4 * MAX_ENTRY)
            match cbor.decode(raw, limit=4 * MAX_ENTRY, what="init"):
                case [bytes(consent), bytes(intent), bytes(sealed)]:
                    return Released(photo, found.st_size, (consent, intent, sealed))
            raise FormatError("its .init does not hold three entries")
        except FileNotFoundError:
            return None
        except (FormatError, OSError) as error:
            if name not in self._odd:
                log.warning("outbox: %s… cannot be sent: %s", name[:16], error)
            self._odd.add(name)
            return None

    def piece(self, photo: bytes, offset: int, length: int) -> bytes | None:
        """Return ``length`` bytes of the envelope, None when the photo is gone or being wiped."""
        try:
            raw = self._read(f"{photo.hex()}.cose", offset, length)
        except OSError:
            return None
        return raw if len(raw) == length else None

    def _read(self, name: str, offset: int, length: int) -> bytes:
        descriptor = os.open(self._directory / name, _FLAGS)
        try:
            return os.pread(descriptor, length, offset)
        finally:
            os.close(descriptor)
