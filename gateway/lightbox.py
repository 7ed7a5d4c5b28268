"""Opened pictures for people to look at: the photo, and a small one for lists.

The record is the master. These are copies beside the gateway's database, readable for the
console's group and nobody else. They are prepared while a photo is in the gateway's hands and
shown once its receipt has left, so nobody waits for them; they cost no fsync, for the sealed
copy outlives a power cut. They go with the sealed copy.
"""

import contextlib
import logging
import os
import re
import time
from pathlib import Path
from typing import Final

from base import turbojpeg
from base.durable import write_all
from base.memory import wipe_file
from gateway.decoding import Small

log = logging.getLogger(__name__)

PICTURE: Final = ".jpg"
SMALL: Final = ".small.jpg"
_QUALITY: Final = 80
_SOON: Final = 600
_ID: Final = re.compile("[0-9a-f]{64}")


class Lightbox:
    """The folder of opened pictures. Ids are hex. Nothing else depends on it: it never raises."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def prepare(self, photo: str, jpeg: memoryview) -> None:
        """Write the photo out of sight, unless it is here already."""
        if not self.has(photo):
            self._write(self._hidden(photo), jpeg)

    def show(self, photo: str, small: Small) -> None:
        """Make what was prepared visible, with its small picture; unless it was taken away."""
        if not self._hidden(photo).exists() and not self.picture(photo).exists():
            return
        sizes = turbojpeg.plane_sizes(small.width, small.height)
        with memoryview(small.planes) as planes:
            parts, at = [], 0
            for across, down in sizes:
                parts.append(planes[at : at + across * down])
                at += across * down
            out = memoryview(bytearray(turbojpeg.bound(small.width, small.height)))
            with turbojpeg.Encoder() as encoder:
                length = encoder.encode_yuv420(
                    parts,
                    width=small.width,
                    height=small.height,
                    strides=[across for across, _ in sizes],
                    quality=_QUALITY,
                    out=out,
                )
        self._write(self.small(photo), out[:length])
        with contextlib.suppress(OSError):
            os.rename(self._hidden(photo), self.picture(photo))

    def picture(self, photo: str) -> Path:
        """Return where the photo lies or would lie."""
        return self._folder / f"{photo}{PICTURE}"

    def small(self, photo: str) -> Path:
        """Return where the small one lies or would lie."""
        return self._folder / f"{photo}{SMALL}"

    def has(self, photo: str) -> bool:
        """Whether both are there to be looked at; a power cut may leave an empty file."""
        try:
            return all(path(photo).stat().st_size for path in (self.picture, self.small))
        except OSError:
            return False

    def shown(self, photo: str, captured_ms: int) -> bool:
        """Whether a list should show the small one: it is here, or about to come."""
        return self.small(photo).is_file() or captured_ms > (time.time() - _SOON) * 1000

    def untouched(self, seconds: float) -> list[str]:
        """Return the photos of which all that lies here, seen or hidden, is older than that."""
        newest: dict[str, float] = {}
        with contextlib.suppress(FileNotFoundError), os.scandir(self._folder) as entries:
            for entry in entries:
                photo = entry.name.removeprefix(".").partition(".")[0]
                if _ID.fullmatch(photo):
                    with contextlib.suppress(FileNotFoundError):
                        touched = entry.stat(follow_symlinks=False).st_mtime
                        newest[photo] = max(touched, newest.get(photo, touched))
        limit = time.time() - seconds
        return sorted(photo for photo, touched in newest.items() if touched < limit)

    def take_away(self, photo: str) -> None:
        """Overwrite and remove all of it, if it is there."""
        for path in (self.picture(photo), self.small(photo), self._hidden(photo)):
            with contextlib.suppress(FileNotFoundError):
                wipe_file(path)

    def _hidden(self, photo: str) -> Path:
        return self._folder / f".{photo}"

    def _write(self, path: Path, data: memoryview) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            descriptor = os.open(path, flags, 0o640)
            try:
                write_all(descriptor, data)
            finally:
                os.close(descriptor)
        except OSError as e:
            log.error("a picture for the console was not written: %s", e.strerror)
            # Half a picture would be shown as if it were the photo.
            with contextlib.suppress(OSError):
                wipe_file(path)
