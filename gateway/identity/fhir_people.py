"""Who a FHIR R4 Patient is, and what his record was merged with.

A record number is an identifier of the site's ``authority``; a Patient without exactly one is
nobody whom we could name. Links (Patient.link) are followed from record to record.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from gateway.filing.record import Patient
from gateway.filing.web import Gone
from gateway.identity import census
from gateway.store import Store

LONGEST: Final = 100
_LONGEST_CHAIN: Final = 8
Resource = dict[str, Any]


@dataclass(frozen=True)
class Person:
    """A patient and his other codes; ``retired``: no record that is in use, and none goes on.

    ``merges``: which record goes on as which, the earlier ones first.
    """

    patient: Patient
    codes: tuple[str, ...]
    merges: tuple[tuple[Patient, Patient], ...] = ()
    retired: bool = False


@dataclass(frozen=True)
class People:
    """``authorities``: the systems of identifiers, the record numbers' first.

    ``get`` looks up what a reference such as Patient/17 refers to, and raises Gone.
    """

    authorities: tuple[str, ...]
    get: Callable[[str], Resource]
    store: Store

    def of(self, resource: Resource) -> Person | None:
        """Return who a Patient is; None for one without exactly one record number."""
        named = self._identifiers(resource)
        who = self._patient(resource)
        if who is None:
            return None
        into = list(self._replaced_by(resource, who))
        out_of_use = bool(_links(resource, "replaced-by")) or resource.get("active") is False
        return Person(
            who,
            tuple(sorted({code for each in self.authorities[1:] for code in named.get(each, ())})),
            merges=(*self._replaces(resource, who), *into),
            retired=out_of_use and not into,
        )

    def _identifiers(self, resource: Resource) -> dict[str, set[str]]:
        named: dict[str, set[str]] = {}
        for each in resource.get("identifier", []):
            if value := str(each.get("value") or ""):
                named.setdefault(str(each.get("system") or ""), set()).add(value[:LONGEST])
        return named

    def _patient(self, resource: Resource) -> Patient | None:
        numbers = self._identifiers(resource).get(self.authorities[0], set())
        if len(numbers) != 1:
            return None
        name = (resource.get("name") or [{}])[0]
        return Patient(
            number=next(iter(numbers)),
            authority=self.authorities[0],
            family=str(name.get("family") or "")[:LONGEST],
            given=" ".join(name.get("given") or [])[:LONGEST],
            born=str(resource.get("birthDate") or "")[:10],
            sex=str(resource.get("gender") or "")[:10],
            fhir=f"Patient/{resource['id']}",
        )

    def _replaced_by(self, resource: Resource, who: Patient) -> Iterator[tuple[Patient, Patient]]:
        """Follow a record that goes on as another, which may itself go on as a third."""
        seen = {who.number}
        while len(seen) <= _LONGEST_CHAIN:
            others = (self._linked(link) for link in _links(resource, "replaced-by"))
            after = next((one for one in others if one and one[1].number not in seen), None)
            if after is None:
                return
            yield who, after[1]
            resource, who = after
            seen.add(who.number)

    def _replaces(self, resource: Resource, who: Patient) -> Iterator[tuple[Patient, Patient]]:
        """The records that went before: often nobody looks those up by themselves any more."""
        for link in _links(resource, "replaces"):
            with self.store.read() as session:
                known = census.patient_by(session, link)
            if known is None and (found := self._linked(link)) is not None:
                known = found[1]
            if known is not None and known.number != who.number:
                yield known, who

    def _linked(self, reference: str) -> tuple[Resource, Patient] | None:
        try:
            resource = self.get(reference)
        except Gone:
            return None
        who = self._patient(resource)
        return None if who is None else (resource, who)


def _links(patient: Resource, kind: str) -> list[str]:
    """What a Patient's links of a type refer to (FHIR R4, Patient.link)."""
    links = (link for link in patient.get("link", []) if link.get("type") == kind)
    references = ((link.get("other") or {}).get("reference") for link in links)
    return [str(reference) for reference in references if reference]
