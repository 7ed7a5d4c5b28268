"""The registry of beds: which device hangs where, and since when.

One CSV file, written by the ward's technician and read again when it has changed:

    device,ward,room,bed,shown,since
    ward3-bed12,W3,,12,Bed 12,
    ward3-bed13,W3,,13,Bed 13,2026-03-01T08:00+01:00

``ward``, ``room`` and ``bed`` are what the hospital's ADT calls them (PV1-3: point of care, room,
bed). ``shown`` is what the device itself says of its bed; a photo that says something else is
HELD. A device that moves gets another row with the time; photos go by the row that held when
they were taken.
"""

import csv
import io
import logging
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from base.errors import ConfigError, FormatError
from wire.topics import check_name

log = logging.getLogger(__name__)

_COLUMNS: Final = ("device", "ward", "room", "bed", "shown", "since")
_LARGEST: Final = 4 * 1024 * 1024
_LONGEST: Final = 40


@dataclass(frozen=True)
class Place:
    """A bed as ADT names it; ``room`` is empty where the hospital does not use it."""

    ward: str
    bed: str
    room: str = ""


@dataclass(frozen=True)
class Hung:
    """A device at its bed since ``since_ms``; ``shown`` is what the device calls the bed."""

    place: Place
    shown: str
    since_ms: int


class Beds:
    """The registry in ``file``; a file that is not there is an empty one."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._version: tuple[int, int, int] | None = None
        self._rows: dict[str, list[Hung]] = {}

    def check(self) -> int:
        """Read the file and return how many devices hang somewhere. Raises ConfigError."""
        self._refresh()
        return len(self._rows)

    def at(self, device: str, at_ms: int) -> Hung | None:
        """Return where a device hung then; None when the registry does not say.

        A file that has become wrong is said in the log, and what it said before holds.
        """
        try:
            self._refresh()
        except ConfigError as e:
            log.error("%s; what it said before still holds", e)
        rows = self._rows.get(device, ())
        return max(
            (row for row in rows if row.since_ms <= at_ms),
            key=lambda row: row.since_ms,
            default=None,
        )

    def places(self) -> list[Place]:
        """Return the places where devices hang or hung, in order."""
        try:
            self._refresh()
        except ConfigError as e:
            log.error("%s; what it said before still holds", e)
        known = {hung.place for rows in self._rows.values() for hung in rows}
        return sorted(known, key=lambda place: (place.ward, place.room, place.bed))

    def _refresh(self) -> None:
        try:
            stat = self._file.stat()
            version = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if version == self._version:
                return
            self._version = version
            self._rows = parse(self._file.read_bytes())
        except FileNotFoundError:
            self._version, self._rows = None, {}
        except OSError as e:
            raise ConfigError("paths.beds", f"{self._file}: {e.strerror}") from e
        except FormatError as e:
            raise ConfigError("paths.beds", f"{self._file}: {e}") from e


def parse(data: bytes) -> dict[str, list[Hung]]:
    """Read a registry. Raises FormatError with the line and what is wrong in it."""
    if len(data) > _LARGEST:
        raise FormatError("is larger than 4 MiB")
    try:
        reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig")), strict=True)
        if tuple(reader.fieldnames or ()) != _COLUMNS:
            raise FormatError(f"the first line must be {','.join(_COLUMNS)}")
        rows: dict[str, list[Hung]] = {}
        for row in reader:
            device, hung = _row(row, reader.line_num)
            if any(hung.since_ms == other.since_ms for other in rows.get(device, ())):
                raise FormatError(f"line {reader.line_num}: {device} hangs there twice at a time")
            rows.setdefault(device, []).append(hung)
    except UnicodeDecodeError as e:
        raise FormatError("is not UTF-8 text") from e
    except csv.Error as e:
        raise FormatError(f"is no CSV: {e}") from e
    return rows


def _row(row: dict[str, str], line: int) -> tuple[str, Hung]:
    if None in row or None in row.values():
        raise FormatError(f"line {line}: needs {len(_COLUMNS)} columns")
    values = {name: value.strip() for name, value in row.items()}
    try:
        device = check_name(values["device"])
        since = datetime.fromisoformat(values["since"]) if values["since"] else None
    except (FormatError, ValueError) as e:
        raise FormatError(f"line {line}: {e}") from e
    if since is not None and since.tzinfo is None:
        raise FormatError(f"line {line}: since needs a zone, such as 2026-03-01T08:00+01:00")
    if not values["ward"] or not values["bed"] or max(map(len, values.values())) > _LONGEST:
        raise FormatError(f"line {line}: ward and bed need 1 to {_LONGEST} characters")
    place = Place(values["ward"], values["bed"], values["room"])
    return device, Hung(place, values["shown"], int(since.timestamp() * 1000) if since else 0)
