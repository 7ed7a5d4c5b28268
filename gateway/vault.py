"""Sealed copies of photos, each a bundle file that anybody with the key can open by hand.

Before a HELD receipt the copy is made to last: fsynced, renamed, and read back against the
photo's id, because the device will destroy its own. For a FILED photo the record is what
lasts; its sealed copy stays for some days as evidence and costs no fsync.

A re-wrap (gateway.keyring.rewrapping) may lie beside a copy: the same content key, for later keys.
"""

import contextlib
import hashlib
import logging
import os
import time
from pathlib import Path
from typing import Final

from base.durable import fsync_dir
from base.errors import FormatError, WardsealError
from base.memory import wipe_file
from gateway.lightbox import Lightbox
from wire import rewrap
from wire.envelope import MAX_ENVELOPE, Recipient
from wire.proof import parse_bundle

log = logging.getLogger(__name__)

SUFFIX: Final = ".wardseal"
REWRAP: Final = ".rewrap"
LONGEST: Final = MAX_ENVELOPE + 64 * 1024
_DAY: Final = 86_400


class NotKept(WardsealError):
    """The sealed copy could not be made to last, so nothing may be signed for it."""


class Vault:
    """The folder of sealed copies."""

    def __init__(self, folder: Path, lightbox: Lightbox) -> None:
        self._folder = folder
        self._lightbox = lightbox

    def path(self, photo: str) -> Path:
        """Return where the copy of ``photo`` (hex) stands or would stand."""
        return self._folder / f"{photo}{SUFFIX}"

    def further(self, photo: str) -> tuple[Recipient, ...]:
        """Return the recipients of a photo's re-wrap; none when there is no re-wrap to use."""
        path = self._folder / f"{photo}{REWRAP}"
        try:
            found = rewrap.parse(path.read_bytes())
        except FileNotFoundError:
            return ()
        except (OSError, FormatError) as e:
            log.error("%s cannot be used: %s", path.name, e)
            return ()
        return found.recipients if found.photo.hex() == photo else ()

    def keep(self, bundle: Path, photo: str) -> None:
        """Move a bundle in for good: fsync, rename, read back. Raises NotKept."""
        path = self.path(photo)
        try:
            descriptor = os.open(bundle, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.rename(bundle, path)
            fsync_dir(self._folder)
            found = hashlib.sha256(parse_bundle(path.read_bytes()).envelope).hexdigest()
        except (OSError, WardsealError) as e:
            raise NotKept(f"the sealed photo could not be stored: {e}") from e
        if found != photo:
            raise NotKept("the sealed photo does not read back as it was stored")

    def put_aside(self, bundle: Path, photo: str) -> None:
        """Move a filed photo's bundle in; a power cut may lose it."""
        with contextlib.suppress(FileNotFoundError):
            os.rename(bundle, self.path(photo))

    def destroy(self, photo: str) -> None:
        """Overwrite and remove the copy of ``photo``, and its opened pictures, if there are any."""
        self._lightbox.take_away(photo)
        # In this order: whoever re-wraps meanwhile looks, when done, whether the copy is there.
        for path in (self.path(photo), self._folder / f"{photo}{REWRAP}"):
            if path.exists():
                wipe_file(path)

    def unsealed(self, seconds: float) -> list[str]:
        """Return whose opened pictures lie untouched for so long, with no sealed copy behind."""
        sealed = set(self.all())
        return [photo for photo in self._lightbox.untouched(seconds) if photo not in sealed]

    def sweep(self, photo: str) -> bool:
        """Remove the opened pictures of ``photo`` if it has no sealed copy. Raises OSError."""
        if self.path(photo).exists():
            return False
        self._lightbox.take_away(photo)
        return True

    def all(self) -> list[str]:
        """Return the photos (hex) that have a copy here."""
        return [path.stem for path in self._folder.glob(f"*{SUFFIX}")]

    def older_than(self, days: int) -> list[str]:
        """Return the photos (hex) whose copies are older than so many days."""
        limit = time.time() - days * _DAY
        old = (path for path in self._folder.glob(f"*{SUFFIX}") if path.stat().st_mtime < limit)
        return [path.stem for path in old]
