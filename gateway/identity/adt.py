"""HL7 v2 ADT messages, taken apart: who was admitted, moved, discharged or merged, and when.

Understood (HL7 v2.3 to v2.8, chapter 3): A01 admit, A02 transfer, A03 discharge, A04 register,
A08 update, A40 merge, and A11, A12, A13, which take the first three back. PID-3 names the patient
(the identifier whose assigning authority is the site's), PV1-3 the bed, PV1-19 the encounter.
Other ADT events are accepted and not used: a sender that gets a refusal stops its whole queue.

No error names a value of the message: it may be a patient's.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any, Final

import hl7

from base.errors import FormatError
from gateway.beds import Place
from gateway.filing.record import Encounter, Patient
from gateway.identity.census import Told
from gateway.identity.stays import Moved, Movement

LARGEST: Final = 256 * 1024
_LONGEST: Final = 100
_LONGEST_PLACE: Final = 40
_MOST_IDENTIFIERS: Final = 32
_SEXES: Final = {"M": "male", "F": "female", "O": "other", "A": "other", "U": "unknown"}
_IN: Final = {"A01": Moved.IN, "A02": Moved.IN, "A04": Moved.IN, "A08": Moved.MENTIONED}
_BACK: Final = {"A12": Moved.IN, "A13": Moved.OUT}
_OUT: Final = "A03"
_ANNULLED: Final = "A11"
_MERGE: Final = "A40"


@dataclass(frozen=True)
class Heading:
    """What an answer needs of a message, as it was sent: MSH-3, 4, 10, 9.2, 12."""

    application: str
    facility: str
    control: str
    event: str
    version: str


@dataclass(frozen=True)
class Merge:
    """The record ``prior`` goes on as ``survivor``."""

    survivor: Patient
    prior: str


@dataclass(frozen=True)
class Adt:
    """Reads the messages of one site. ``authority`` gives out its record numbers (PID-3.4).

    ``zone`` is what times are in that name none. ``band_authorities`` give out identifiers that
    wristbands hold besides the record number.
    """

    authority: str
    zone: tzinfo
    band_authorities: tuple[str, ...] = ()

    def read(self, message: hl7.Message) -> Told | Merge | None:
        """Return what a message says; None where it says nothing of use here.

        Raises FormatError, whose text names the field that is wrong.
        """
        kind, event = _text(message, "MSH", 9, 1), event_of(message)
        if kind != "ADT":
            raise FormatError("MSH-9: only ADT messages are taken here")
        if event == _MERGE:
            return self._merge(message)
        if event not in (*_IN, *_BACK, _OUT, _ANNULLED):
            return None
        return replace(self._told(message, event), digest=_digest(message))

    def _told(self, message: hl7.Message, event: str) -> Told:
        patient, codes = self._patient(message)
        number = _text(message, "PV1", 19, 1)
        if not number:
            if event == "A08":
                return Told(patient, codes)
            raise FormatError("PV1-19: the encounter has no number")
        if len(number) > _LONGEST:
            raise FormatError(f"PV1-19: is longer than {_LONGEST} characters")
        encounter = Encounter(number, _text(message, "PV1", 19, 4)[:_LONGEST])
        if event in _BACK or event == _ANNULLED:
            return Told(
                patient,
                codes,
                encounter,
                cancelled=_BACK.get(event),
                annulled=event == _ANNULLED,
            )
        if event == _OUT:
            at = self._time(message, ("PV1", 45))
            return Told(patient, codes, encounter, (Movement(at, Moved.OUT, Place("", "")),))
        place = _place(message)
        if place is None:
            return Told(patient, codes, encounter)
        at = self._time(message, *([("PV1", 44)] if event in ("A01", "A04") else []))
        return Told(patient, codes, encounter, (Movement(at, _IN[event], place),))

    def _patient(self, message: hl7.Message) -> tuple[Patient, tuple[str, ...]]:
        identifiers = _repetitions(message, "PID", 3)
        number = self._number(identifiers, "PID-3")
        codes = tuple(
            value for value, authority in identifiers if authority in self.band_authorities
        )
        born = _text(message, "PID", 7, 1)[:8]
        patient = Patient(
            number=number,
            authority=self.authority,
            family=_text(message, "PID", 5, 1)[:_LONGEST],
            given=_text(message, "PID", 5, 2)[:_LONGEST],
            born=f"{born[:4]}-{born[4:6]}-{born[6:]}" if len(born) == 8 and born.isdigit() else "",
            sex=_SEXES.get(_text(message, "PID", 8, 1).upper(), ""),
        )
        return patient, codes

    def _merge(self, message: hl7.Message) -> Merge:
        survivor, _ = self._patient(message)
        return Merge(survivor, self._number(_repetitions(message, "MRG", 1), "MRG-1"))

    def _number(self, identifiers: list[tuple[str, str]], field: str) -> str:
        numbers = {value for value, authority in identifiers if authority == self.authority}
        if len(numbers) != 1:
            raise FormatError(f"{field}: needs exactly one identifier of {self.authority}")
        return numbers.pop()

    def _time(self, message: hl7.Message, *first: tuple[str, int]) -> int:
        """When it happened: the field that says so, or EVN-6, or EVN-2, which is required."""
        for segment, field in (*first, ("EVN", 6), ("EVN", 2)):
            if text := _text(message, segment, field, 1):
                return self._moment(text, f"{segment}-{field}")
        raise FormatError("EVN-2: there is no time")

    def _moment(self, text: str, field: str) -> int:
        """Read a time (HL7 v2.8, 2A.3.21 DTM) to the minute at least."""
        digits, sign, offset = text, "", ""
        for mark in "+-":
            if mark in text:
                digits, sign, offset = text.partition(mark)
        digits = digits.partition(".")[0]
        try:
            form = {12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}[len(digits)]
            when = datetime.strptime(digits, form).replace(tzinfo=_offset(sign, offset, self.zone))
            return int(when.timestamp() * 1000)
        except (KeyError, ValueError, OverflowError) as e:
            raise FormatError(f"{field}: is no time with hours and minutes") from e


def parse(data: bytes, encoding: str = "utf-8") -> hl7.Message:
    """Take one message apart. Raises FormatError."""
    if len(data) > LARGEST:
        raise FormatError(f"the message is longer than {LARGEST // 1024} KiB")
    try:
        text = data.decode(encoding)
        message = hl7.parse(text.replace("\r\n", "\r").replace("\n", "\r"))
        if not isinstance(message, hl7.Message) or str(message.segment("MSH")[0]) != "MSH":
            raise FormatError("the message does not begin with MSH")
    except UnicodeDecodeError as e:
        raise FormatError(f"the message is not in {encoding}") from e
    except (hl7.HL7Exception, LookupError, ValueError, TypeError) as e:
        raise FormatError("this is no HL7 v2 message") from e
    return message


def heading_of(message: hl7.Message) -> Heading:
    """Return what an answer repeats."""
    return Heading(
        application=_text(message, "MSH", 3, 1),
        facility=_text(message, "MSH", 4, 1),
        control=_text(message, "MSH", 10, 1),
        event=event_of(message),
        version=_text(message, "MSH", 12, 1) or "2.5",
    )


def event_of(message: hl7.Message) -> str:
    """Return the trigger event: MSH-9.2, or EVN-1 in old messages."""
    return _text(message, "MSH", 9, 2) or _text(message, "EVN", 1, 1)


def _digest(message: hl7.Message) -> str:
    """Of all of it: control ids (MSH-10) are not unique with every sender."""
    return hashlib.sha256(str(message).encode()).hexdigest()


def _place(message: hl7.Message) -> Place | None:
    ward, room, bed = (_text(message, "PV1", 3, part) for part in (1, 2, 3))
    if max(len(ward), len(room), len(bed)) > _LONGEST_PLACE:
        raise FormatError(f"PV1-3: a part is longer than {_LONGEST_PLACE} characters")
    return Place(ward, bed, room) if ward else None


def _text(message: hl7.Message, segment: str, field: int, part: int, repetition: int = 1) -> str:
    """Return a component's text, unescaped and fit for one line; "" where there is none."""
    try:
        raw: Any = message.extract_field(segment, 1, field, repetition, part, 1)
    except (hl7.HL7Exception, LookupError, ValueError, TypeError):
        return ""
    text = "".join(c for c in str(raw or "") if c.isprintable()).strip()
    return "" if text == '""' else text


def _repetitions(message: hl7.Message, segment: str, field: int) -> list[tuple[str, str]]:
    """Return (identifier, assigning authority) of each repetition of a CX field."""
    found = []
    for repetition in range(1, _MOST_IDENTIFIERS + 1):
        value = _text(message, segment, field, 1, repetition)
        if not value:
            break
        if len(value) > _LONGEST:
            raise FormatError(f"{segment}-{field}: is longer than {_LONGEST} characters")
        found.append((value, _text(message, segment, field, 4, repetition)))
    return found


def _offset(sign: str, offset: str, zone: tzinfo) -> tzinfo:
    if not sign:
        return zone
    if len(offset) != 4 or not offset.isdigit():
        raise ValueError("offset")
    away = timedelta(hours=int(offset[:2]), minutes=int(offset[2:]))
    return timezone(-away if sign == "-" else away)
