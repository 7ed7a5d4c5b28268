"""What a request may say: each field checked by its type, and described by it.

Text has no control characters, so nothing strange reaches a database, a log or a record system.
"""

import re
from datetime import date, datetime
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from gateway import body
from gateway.objections import Decision
from gateway.tables import State, WorkKind
from wire.events import Level

_CLEAN: Final = r"^[^\x00-\x1f\x7f]*$"
_LINES: Final = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ].*")
MOST: Final = 200


def _day(value: object) -> object:
    if isinstance(value, str) and not _DAY.fullmatch(value):
        raise ValueError("a day is like 2026-11-25")
    return value


def _time(value: object) -> object:
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise ValueError("a time is like 2026-11-25T14:03:00Z")
    return value


Line = Annotated[str, StringConstraints(pattern=_CLEAN, max_length=100)]
Name = Annotated[str, StringConstraints(pattern=_CLEAN, min_length=1, max_length=100)]
Words = Annotated[str, StringConstraints(pattern=_LINES, min_length=1, max_length=1000)]
Note = Annotated[str, StringConstraints(pattern=_LINES, max_length=1000)]
Day = Annotated[date, BeforeValidator(_day, json_schema_input_type=date)]
Time = Annotated[AwareDatetime, BeforeValidator(_time, json_schema_input_type=datetime)]
PhotoId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Number = Annotated[int, Field(ge=1, le=2**53 - 1)]
Cursor = Annotated[str, StringConstraints(pattern=r"^-?[0-9]{1,18}-[0-9a-f]{64}$")]


class Asked(BaseModel):
    """A request that says more than it can is refused: a misspelt filter would show all."""

    model_config = ConfigDict(extra="forbid")


class PhotosAsked(Asked):
    """Which photos; what is left out does not matter. Days are in UTC."""

    day: Day | None = Field(None, description="of this day alone")
    first: Day | None = Field(None, description="from this day on")
    last: Day | None = Field(None, description="up to this day")
    ward: Line = ""
    bed: Line = ""
    device: Line = ""
    level: Level | None = None
    state: State | None = None
    patient: Line = Field("", description="the hospital's record number")
    cursor: Cursor | None = Field(None, description="`next` of the page before")
    limit: Annotated[int, Field(ge=1, le=MOST)] = 60


class ItemsAsked(Asked):
    """Which items of the worklist."""

    kind: WorkKind | None = None
    ward: Line | None = None
    owner: Line | None = None
    open: bool = True
    cursor: Number | None = Field(None, description="`next` of the page before")
    limit: Annotated[int, Field(ge=1, le=MOST)] = 100


class SharesAsked(Asked):
    """Which shares; ``recipient`` and ``person`` (who shared it) are parts of names."""

    recipient: Line = ""
    person: Line = ""
    photo: PhotoId | None = None
    live: bool | None = None
    cursor: Number | None = Field(None, description="`next` of the page before")
    limit: Annotated[int, Field(ge=1, le=MOST)] = 100


class HoldsAsked(Asked):
    """Which litigation holds."""

    lifted: bool = Field(False, description="those that were lifted, too")


class BedAsked(Asked):
    """Which bed (of every ward, if ``ward`` is left out), and which day in UTC."""

    ward: Line = ""
    bed: Name
    day: Day


class EntriesAsked(Asked):
    """From which entry of a ledger on."""

    first: Annotated[int, Field(ge=0, le=2**53 - 1)] = 0


class Reason(Asked):
    """Why it is done: to see a photo after an objection, to end a share, to hold."""

    reason: Words


class Whose(Asked):
    """Whose a photo is: the hospital's record number, and the encounter if it is known."""

    patient: Name
    encounter: Name | None = None
    reason: Words


class Answer(Asked):
    """A second person's word."""

    confirm: bool


class Assignment(Asked):
    """To whom an item is given; left out: to the token's owner."""

    owner: Name | None = None
    note: Note = ""


class Closing(Asked):
    """How it ended."""

    note: Words


class Site(Asked):
    """Which part of the body a photo shows; ``code`` is one of /body-parts, or empty."""

    code: Line = ""
    side: Literal[tuple(body.SIDES)] = ""  # type: ignore[valid-type]
    note: Annotated[str, StringConstraints(pattern=_LINES, max_length=500)] = ""


class Objecting(Asked):
    """Who objected (the patient, or who speaks for him), when, and in which words."""

    said_by: Name
    said: Time
    words: Note = ""


class Deciding(Asked):
    """What becomes of a photo whose patient objected; ``law`` is needed to erase it."""

    decision: Decision
    reason: Words
    law: Annotated[str, StringConstraints(pattern=_CLEAN, max_length=200)] = ""


class Asking(Asked):
    """Who is to look at a photo, and what he is asked."""

    owner: Name
    question: Words
