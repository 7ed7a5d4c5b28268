"""The census from a CSV file, for hospitals without an interface: written over and over again.

    patient,family,given,born,sex,codes,encounter,ward,room,bed,from,to
    4711,Osei,Ama,1961-04-02,female,123456789012345675,E-88,W3,,12,2026-03-01T08:00+01:00,

One line is one stay; ``to`` is empty while it lasts. ``codes`` are identifiers on the wristband
besides the record number, with spaces between them. The file is the whole truth about the
encounters that it names; it is read again whenever it has changed, and all of it or nothing.
"""

import csv
import io
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

from base.errors import ConfigError, FormatError
from gateway.beds import Place
from gateway.filing.record import Encounter, Patient
from gateway.identity import census, late
from gateway.identity.census import Told
from gateway.identity.identify import Unreachable
from gateway.identity.stays import Moved, Movement
from gateway.store import Store

log = logging.getLogger(__name__)

_COLUMNS: Final = (
    *("patient", "family", "given", "born", "sex", "codes"),
    *("encounter", "ward", "room", "bed", "from", "to"),
)
_SEXES: Final = ("", "male", "female", "other", "unknown")
_LARGEST: Final = 16 * 1024 * 1024
_LONGEST: Final = 100
_LONGEST_PLACE: Final = 40


class CsvFile:
    """A source: before a photo is assigned it looks whether the file has changed."""

    def __init__(
        self, file: Path, *, authority: str, store: Store, clock: Callable[[], int]
    ) -> None:
        self._file = file
        self._authority = authority
        self._store = store
        self._clock = clock
        self._version: tuple[int, int, int] | None = None

    def check(self) -> int:
        """Read the file and return how many stays it has. Raises ConfigError."""
        try:
            return len(parse(self._file.read_bytes()))
        except OSError as e:
            raise ConfigError("identity.csv", f"{self._file}: {e.strerror}") from e
        except FormatError as e:
            raise ConfigError("identity.csv", f"{self._file}: {e}") from e

    def refresh(self, _identifier: str | None, _place: Place | None, _at_ms: int) -> tuple[()]:
        """Take in the file if it has changed. Raises Unreachable while it cannot be used."""
        try:
            stat = self._file.stat()
            version = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if version == self._version:
                return ()
            stays = parse(self._file.read_bytes())
        except OSError as e:
            raise Unreachable(f"the list of patients cannot be read: {e.strerror}") from e
        except FormatError as e:
            raise Unreachable(f"the list of patients cannot be used: {e}") from e
        now = self._clock()
        histories: dict[str, list[Movement]] = {}
        with self._store.begin() as session:
            before = late.Before(session)
            before.keep(*(told.encounter.number for told in stays if told.encounter is not None))
            for told in stays:
                assert told.encounter is not None
                histories.setdefault(told.encounter.number, []).extend(told.movements)
                patient = replace(told.patient, authority=self._authority)
                census.remember(session, Told(patient, told.codes, told.encounter), at_ms=now)
            for encounter, movements in histories.items():
                census.replace(session, encounter, _without_gaps(movements))
            before.look_again(now)
        self._version = version
        log.info("the list of patients was read: %d stays", len(stays))
        return ()


def parse(data: bytes) -> list[Told]:
    """Read a list. Raises FormatError with the line and the column, and no value of it."""
    if len(data) > _LARGEST:
        raise FormatError("is larger than 16 MiB")
    try:
        reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig")), strict=True)
        if tuple(reader.fieldnames or ()) != _COLUMNS:
            raise FormatError(f"the first line must be {','.join(_COLUMNS)}")
        return [_stay(row, reader.line_num) for row in reader]
    except UnicodeDecodeError as e:
        raise FormatError("is not UTF-8 text") from e
    except csv.Error as e:
        raise FormatError("is no CSV") from e


def _stay(row: dict[str, str], line: int) -> Told:
    if None in row or None in row.values():
        raise FormatError(f"line {line}: needs {len(_COLUMNS)} columns")
    value = {
        name: "".join(c for c in text if c.isprintable()).strip() for name, text in row.items()
    }
    for name in ("patient", "encounter", "ward", "bed", "from"):
        if not value[name]:
            raise FormatError(f"line {line}: {name} is empty")
    for name, text in value.items():
        most = _LONGEST_PLACE if name in ("ward", "room", "bed") else _LONGEST
        if len(text) > most and name != "codes":
            raise FormatError(f"line {line}: {name} is longer than {most} characters")
    if value["sex"] not in _SEXES:
        raise FormatError(f"line {line}: sex must be male, female, other or unknown")
    place = Place(value["ward"], value["bed"], value["room"])
    begun = _moment(value["from"], line, "from")
    movements = [Movement(begun, Moved.IN, place)]
    if value["to"]:
        ended = _moment(value["to"], line, "to")
        if ended < begun:
            raise FormatError(f"line {line}: to is before from")
        movements.append(Movement(ended, Moved.OUT, Place("", "")))
    codes = tuple(value["codes"].split())
    if any(len(code) > _LONGEST for code in codes):
        raise FormatError(f"line {line}: a code is longer than {_LONGEST} characters")
    patient = Patient(
        value["patient"], "", value["family"], value["given"], value["born"][:10], value["sex"]
    )
    return Told(patient, codes, Encounter(value["encounter"]), tuple(movements))


def _without_gaps(movements: list[Movement]) -> list[Movement]:
    """Leave out the end of a stay where the next one begins at that very moment."""
    begins = {one.at_ms for one in movements if one.moved is Moved.IN}
    return [one for one in movements if one.moved is Moved.IN or one.at_ms not in begins]


def _moment(text: str, line: int, name: str) -> int:
    try:
        when = datetime.fromisoformat(text)
        if when.tzinfo is None:
            raise FormatError(f"line {line}: {name} needs a zone, such as 2026-03-01T08:00+01:00")
        return int(when.timestamp() * 1000)
    except (ValueError, OverflowError) as e:
        raise FormatError(f"line {line}: {name} is no time") from e
