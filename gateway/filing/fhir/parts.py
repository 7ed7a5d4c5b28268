"""What the resources of this sink have in common: names, times, and whom they are about."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gateway.filing.record import Encounter, Patient

Resource = dict[str, Any]


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
