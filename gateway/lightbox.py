"""Opened pictures for people to look at: the photo, and a small one for lists.

The record is the master. These are copies beside the gateway's database, readable for the
console's user and nobody else; they are made while a photo is in the gateway's hands, cost no
fsync, and go with the sealed copy: after their days, or at once when consent is withdrawn
before filing. A copy that a power cut took is made again from the record or the sealed copy.
"""

import contextlib
import os
from pathlib import Path
from typing import Final

from base.durable import write_all
from base.memory import wipe_file

PICTURE: Final = ".jpg"
SMALL: Final = ".small.jpg"


class Lightbox:
    """The folder of opened pictures. Ids are hex."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, photo: str, picture: memoryview, small: memoryview) -> None:
        """Lay a photo out. Raises OSError; nothing depends on it."""
        for suffix, data in ((PICTURE, picture), (SMALL, small)):
            path = self._folder / f".{photo}{suffix}"
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(path, flags, 0o640)
            try:
                write_all(descriptor, data)
            finally:
                os.close(descriptor)
            path.rename(self._folder / f"{photo}{suffix}")

    def picture(self, photo: str) -> Path:
        """Return where the photo lies or would lie."""
        return self._folder / f"{photo}{PICTURE}"

    def small(self, photo: str) -> Path:
        """Return where the small one lies or would lie."""
        return self._folder / f"{photo}{SMALL}"

    def take_away(self, photo: str) -> None:
        """Overwrite and remove both, if they are there."""
        for path in (self.picture(photo), self.small(photo)):
            with contextlib.suppress(FileNotFoundError):
                wipe_file(path)
