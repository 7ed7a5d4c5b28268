"""What the resources of this sink have in common: names, times, and whom they are about."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from gateway.filing.record import Encounter, Patient, Record
from gateway.filing.settings import FhirSettings

Resource = dict[str, Any]
_PERSON: Final = re.compile(r"(?P<name>.*\S) \((?P<login>[^()]+)\)")


@dataclass(frozen=True)
class Names:
    """The systems of our identifiers, below the site's namespace."""

    namespace: str

    @property
    def photo(self) -> str:
        return f"{self.namespace}:photo"

    @property
    def consent(self) -> str:
        return f"{self.namespace}:consent"

    @property
    def device(self) -> str:
        return f"{self.namespace}:device"

    @property
    def review(self) -> str:
        return f"{self.namespace}:review"

    @property
    def person(self) -> str:
        return f"{self.namespace}:person"

    @property
    def audit(self) -> str:
        return f"{self.namespace}:audit"

    @property
    def copy(self) -> str:
        return f"{self.namespace}:copy"

    @property
    def entry(self) -> str:
        return f"{self.namespace}:ledger-entry"


def instant(ms: int) -> str:
    """FHIR's instant, in UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")


def reference(whom: Patient | Encounter, kind: str) -> Resource:
    """To the server's own resource where identity knows it, otherwise by identifier."""
    if whom.fhir:
        return {"reference": whom.fhir}
    identifier = {"value": whom.number}
    if whom.authority:
        known = "://" in whom.authority or whom.authority.startswith("urn:")
        identifier["system"] = whom.authority if known else f"urn:wardseal:{kind.lower()}"
    return {"type": kind, "identifier": identifier}


def person(signature: str, names: Names) -> Resource:
    """``Jo Doe (j.doe)`` by name and login; any other words as they are."""
    found = _PERSON.fullmatch(signature)
    if found is None:
        return {"type": "Practitioner", "display": signature or "nobody"}
    identifier = {"system": names.person, "value": found["login"]}
    return {"type": "Practitioner", "identifier": identifier, "display": found["name"]}


def when(name: str, record: Record) -> Resource:
    """The time of capture under ``name``; nothing where the device's clock was worth nothing."""
    try:
        return {} if record.clock == "none" else {name: instant(record.captured_ms)}
    except (ValueError, OverflowError, OSError):
        return {}


def staff_of(record: Record, settings: FhirSettings) -> Resource | None:
    """Who attested, by the badge that was read; None without one."""
    if record.badge is None:
        return None
    identifier = {"system": settings.badge_system, "value": record.badge}
    return {"type": "Practitioner", "identifier": identifier}


def entry_of(names: Names, digest: object) -> Resource:
    """An entry of the device's ledger."""
    return {"identifier": {"system": names.entry, "value": str(digest)}}
