"""Filing into a watched folder: ``<date>/<photo id>.jpg`` and ``.json``, for a site without IT.

The JPEG is byte for byte what the device sealed. The names say nothing about the patient; the
JSON gives his number where identity has found him, and otherwise says that it has not.
The date is the day of capture in UTC, ``undated`` where the device's clock was worth nothing,
so that filing the same photo again always leads to the same place. A photo that was moved to
another patient gets ``-2`` behind its id; where it was, the JSON stays and says so.

Each file appears whole or not at all. The JSON comes last: where it stands, the photo stands.
"""

import contextlib
import ctypes
import json
import mmap
import os
import re
import time
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from base.durable import fsync_dir, write_all, write_atomic
from base.errors import ConfigError
from base.memory import wipe_file
from gateway.filing.base import Filed, FilingError
from gateway.filing.record import Assignment, Record

ACTIVE: Final = "filed"
OBJECTION: Final = "objection recorded"
REPLACED: Final = "replaced"
IN_ERROR: Final = "entered in error"
_PAST: Final = (REPLACED, IN_ERROR)
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_STRAY_SECONDS: Final = 3600
_memcmp = ctypes.CDLL(None).memcmp
_memcmp.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)


class Folder:
    """A sink that is a directory on this machine or on a mounted share."""

    name = "folder"
    deletes = True

    def __init__(self, root: Path) -> None:
        self._root = root
        try:
            root.mkdir(mode=0o750, parents=True, exist_ok=True)
        except OSError as e:
            raise ConfigError("filing.folder", f"{root} cannot be a folder: {e.strerror}") from e
        self._staging = root / ".arriving"
        self._staged: dict[str, Future[None]] = {}
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="folder")
        # What a crash left there; younger ones may be another replica's, at work now.
        for stray in self._staging.glob("*"):
            if stray.stat().st_mtime < time.time() - _STRAY_SECONDS:
                wipe_file(stray)

    def stage(self, photo: str, jpeg: memoryview) -> None:
        """Begin to write the JPEG, fsynced, to a hidden folder beside the days."""
        self._staged[photo] = self._writer.submit(self._write, photo, jpeg)

    def _write(self, photo: str, jpeg: memoryview) -> None:
        self._staging.mkdir(mode=0o700, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self._staging / photo, flags, 0o640)
        try:
            write_all(descriptor, jpeg)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def unstage(self, photo: str) -> None:
        """Wipe a JPEG that was staged, in this life or in one that crashed, and is not wanted."""
        staged = self._staged.pop(photo, None)
        with contextlib.suppress(OSError):
            if staged is not None:
                staged.result()
        with contextlib.suppress(OSError):
            wipe_file(self._staging / photo)

    def file(self, record: Record) -> str:
        """Put both files in place, fsynced, unless they are there already."""
        reference = reference_of(record)
        path = self._root / reference
        page = path.with_suffix(".json")
        try:
            if page.exists() and (_same(path, record.jpeg) or _status(page) in _PAST):
                self.unstage(record.photo)
                return reference
            if record.photo not in self._staged:
                self.stage(record.photo, record.jpeg)
            self._staged[record.photo].result()
            if not path.parent.is_dir():
                path.parent.mkdir(mode=0o750, exist_ok=True)
                fsync_dir(self._root)
            os.rename(self._staging / record.photo, path)
            del self._staged[record.photo]
            # Its fsync of the folder makes both names last, and the JPEG's came first.
            write_atomic(page, _json(page_of(record)), mode=0o640)
        except OSError as e:
            raise FilingError(f"the folder {self._root} did not take it: {e.strerror}") from e
        return reference

    def probe(self) -> None:
        """See that the folder is there."""
        try:
            self._root.stat()
        except OSError as e:
            raise FilingError(f"the folder {self._root} is gone: {e.strerror}") from e

    def close(self) -> None:
        """Let go of the thread that writes."""
        self._writer.shutdown()

    def read_back(self, record: Record, reference: str) -> None:
        """Compare every byte of the JPEG with the one that was sealed, and read the JSON."""
        path = self._root / reference
        try:
            same = _same(path, record.jpeg)
            page = json.loads(path.with_suffix(".json").read_bytes())
        except (OSError, ValueError) as e:
            raise FilingError(f"the folder {self._root} does not give it back: {e}") from e
        if not same or page.get("photo") != record.photo:
            raise FilingError(f"the folder {self._root} gives back something else")

    def undo(self, filed: Filed, at_ms: int) -> None:
        """Write the objection into the JSON; the care copy stays until governance decides."""
        self.unstage(filed.photo)
        try:
            for page in self._pages(filed):
                _mark(page, OBJECTION, "objection", at_ms)
        except (OSError, ValueError, KeyError) as e:
            raise FilingError(f"the folder {self._root} cannot note the objection: {e}") from e

    def correct(self, filed: Filed, at_ms: int) -> None:
        """Say in the JSON that it was never this patient's, and take the picture away.

        A picture that is replaced stands under its next number.
        """
        self.unstage(filed.photo)
        status, since = (REPLACED, "replaced") if filed.replaced else (IN_ERROR, "corrected")
        try:
            for page in self._pages(filed):
                _mark(page, status, since, at_ms)
                _remove(page.with_suffix(".jpg"))
        except (OSError, ValueError, KeyError) as e:
            raise FilingError(f"the folder {self._root} cannot be corrected: {e}") from e

    def _pages(self, filed: Filed) -> list[Path]:
        """The JSON of what was filed; none, and no picture either, if it never was."""
        if filed.reference is not None:
            return [(self._root / filed.reference).with_suffix(".json")]
        self._root.stat()  # a share that is gone is not one that has nothing
        path = self._root / reference_of(filed)
        page = path.with_suffix(".json")
        if page.exists():
            return [page]
        # A crash came between the two: it was never in the record.
        _remove(path)
        return []


def reference_of(photo: Record | Filed) -> str:
    """Return where in the folder a photo is filed."""
    return f"{_day(photo)}/{photo.key}.jpg"


def _status(page: Path) -> object:
    return json.loads(page.read_bytes()).get("status")


def _mark(page: Path, status: str, since: str, at_ms: int) -> None:
    found = json.loads(page.read_bytes())
    if found["status"] not in (status, IN_ERROR):
        found["status"] = status
        found[since] = iso(at_ms)
        write_atomic(page, _json(found), mode=0o640)


def _remove(path: Path) -> None:
    if path.exists():
        wipe_file(path)
        fsync_dir(path.parent)


def page_of(record: Record) -> dict[str, object]:
    """Return what is known of a photo, as its JSON says it."""
    return {
        "wardseal": 1,
        "photo": record.photo,
        "status": ACTIVE,
        **_whose(record.assignment),
        "captured": iso(record.captured_ms),
        "clock": record.clock,
        "device": record.device,
        "bed": record.bed,
        "bands": list(record.bands),
        "badge": record.badge,
        "level": record.level,
        "basis": record.basis,
        "wording": record.wording,
        "quality": record.quality,
        "label": record.label,
        "picture": {
            "width": record.width,
            "height": record.height,
            "bytes": len(record.jpeg),
            "sha256": record.jpeg_sha256,
        },
        "proof": record.proof,
    }


def _whose(assignment: Assignment) -> dict[str, object]:
    """Name the patient by number alone: whoever reads the folder looks the rest up."""
    patient, encounter, site = assignment.patient, assignment.encounter, assignment.site
    return {
        "assignment": assignment.number,
        "patient": patient and {"number": patient.number, "authority": patient.authority},
        "encounter": encounter and {"number": encounter.number, "authority": encounter.authority},
        "identity": assignment.how,
        "site": site and {"code": site.code, "display": site.display, "side": site.side},
        **({"note": assignment.note} if assignment.note else {}),
    }


def _json(page: dict[str, object]) -> bytes:
    """Encode a page; what a device put into its maps may be bytes, which JSON shows as hex."""

    def other(value: object) -> str:
        return value.hex() if isinstance(value, bytes) else str(value)

    return json.dumps(page, indent=1, ensure_ascii=False, default=other).encode() + b"\n"


def _day(record: Record | Filed) -> str:
    day = iso(record.captured_ms)[:10]
    return day if record.clock != "none" and _DAY.fullmatch(day) else "undated"


def iso(ms: int) -> str:
    """ISO 8601 in UTC; a time no calendar knows stays the number that it was."""
    try:
        return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return f"{ms} ms"


def _same(path: Path, jpeg: memoryview) -> bool:
    """Tell whether the file holds exactly these bytes, comparing them where they are."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        if os.fstat(descriptor).st_size != len(jpeg):
            return False
        # A private mapping is writable, which is all that taking its address asks for.
        with mmap.mmap(descriptor, 0, access=mmap.ACCESS_COPY) as pages:
            return _equal(pages, jpeg, len(jpeg))
    finally:
        os.close(descriptor)


def _equal(one: mmap.mmap, other: memoryview, length: int) -> bool:
    first = ctypes.c_char.from_buffer(one)
    second = ctypes.c_char.from_buffer(other)
    return bool(_memcmp(ctypes.addressof(first), ctypes.addressof(second), length) == 0)
