"""The report beside a filed photo: ``<date>/<photo id>.pdf`` in the watched folder.

Setting it takes as long as everything else together, so it is a sink of its own and usually a
later one. An objection or a correction takes the report away: what was in it stands in the
folder's JSON, and a report can be made again when somebody decides that it may.
"""

import mmap
import os
from pathlib import Path

from base.durable import fsync_dir, write_atomic
from base.memory import wipe_file
from gateway.filing.base import Filed, FilingError
from gateway.filing.folder import reference_of
from gateway.filing.record import Record
from gateway.report.making import ReportError, Style, make_report


class FolderReport:
    """A sink that adds the PDF to the folder sink's ``root``."""

    name = "folder-report"
    deletes = True

    def __init__(self, root: Path, style: Style) -> None:
        self._root = root
        self._style = style

    def stage(self, photo: str, jpeg: memoryview) -> None:
        """Nothing can be set before the record is known."""

    def unstage(self, photo: str) -> None:
        """Nothing was staged."""

    def file(self, record: Record) -> str:
        """Make the report and put it in place, fsynced, unless it is there already."""
        reference = _beside(reference_of(record))
        path = self._root / reference
        try:
            if not path.exists():
                path.parent.mkdir(mode=0o750, exist_ok=True)
                write_atomic(path, make_report(record, self._style), mode=0o640)
        except ReportError as e:
            raise FilingError(str(e)) from e
        except OSError as e:
            raise FilingError(f"the folder {self._root} did not take it: {e.strerror}") from e
        return reference

    def read_back(self, record: Record, reference: str) -> None:
        """Find the JPEG that was sealed, whole, within the PDF that is there."""
        try:
            found = _holds(self._root / reference, record.jpeg)
        except OSError as e:
            raise FilingError(f"the folder {self._root} does not give it back: {e}") from e
        if not found:
            raise FilingError(f"the folder {self._root} gives back something else")

    def undo(self, filed: Filed, at_ms: int) -> None:
        """Take the report away."""
        self._take_away(filed, "the objection")

    def correct(self, filed: Filed, at_ms: int) -> None:
        """Take the report away."""
        self._take_away(filed, "the correction")

    def _take_away(self, filed: Filed, why: str) -> None:
        path = self._root / (filed.reference or _beside(reference_of(filed)))
        try:
            self._root.stat()  # a share that is gone is not one that has nothing
            if path.exists():
                wipe_file(path)
                fsync_dir(path.parent)
        except OSError as e:
            raise FilingError(f"the folder {self._root} cannot carry out {why}: {e}") from e

    def probe(self) -> None:
        """The folder sink is asked for the same folder."""

    def close(self) -> None:
        """There is nothing to let go of."""


def _beside(reference: str) -> str:
    return str(Path(reference).with_suffix(".pdf"))


def _holds(path: Path, jpeg: memoryview) -> bool:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if not os.fstat(descriptor).st_size:
            return False
        with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as pages:
            return pages[:5] == b"%PDF-" and pages.find(jpeg) >= 0
    finally:
        os.close(descriptor)
