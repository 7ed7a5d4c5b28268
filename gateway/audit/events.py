"""One thing that happened, as every receiver of the audit gets it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.filing.record import Patient

CONSOLE: Final = "console"


class Act(StrEnum):
    """What kind of thing it was; the words are IHE's and DICOM's."""

    CREATE = "create"
    READ = "read"
    UPDATE = "update"
    DISCLOSE = "disclose"
    DESTROY = "destroy"
    QUERY = "query"
    SIGN_IN = "sign-in"
    SIGN_OUT = "sign-out"
    REFUSED = "refused"


@dataclass(frozen=True)
class Event:
    """``id`` is a UUID: the same thing has the same one whoever tells it, and however often.

    ``what`` says it in a word or two, ``subject`` which list, ledger or page it was about.
    ``photo`` is the photo's id in hex and ``key`` what it is called in the record systems, both
    empty where it was about something else. ``login`` and ``name`` are a person's, empty for a
    machine; ``by`` is that machine: the console, the gateway, or a device. ``place`` is the record
    system. ``recipient`` and ``reason`` are what somebody wrote.
    """

    id: str
    act: Act
    at_ms: int
    what: str
    subject: str
    by: str
    photo: str = ""
    key: str = ""
    patient: Patient | None = None
    login: str = ""
    name: str = ""
    place: str = ""
    recipient: str = ""
    reason: str = ""
