"""The census from a FHIR R4 server, asked when a photo comes: nothing that is known is stale.

Asked by plain searches that every server has: the patient by the wristband's identifier, his
encounters; the bed's Location by its identifier, the encounters there. Each Encounter's
``location`` with its periods is its whole history, and takes the place of what was known of it.

A bed is a Location that has an identifier of ``location_system`` in the form ``ward^room^bed`` (as
PV1-3 has it). A record number is an identifier of the site's ``authority``.
"""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from gateway.beds import Place
from gateway.filing.base import FilingError
from gateway.filing.fhir.auth import Smart
from gateway.filing.record import Encounter, Patient
from gateway.filing.web import Gone, Web
from gateway.identity import census
from gateway.identity.census import Told
from gateway.identity.identify import Unreachable
from gateway.identity.settings import FhirSourceSettings
from gateway.identity.stays import Moved, Movement
from gateway.store import Store

_ACCEPT: Final = {"Accept": "application/fhir+json"}
_MOST: Final = 200
_AROUND: Final = timedelta(days=2)
_NOT_REAL: Final = ("cancelled", "entered-in-error", "planned")
_LONGEST: Final = 100
_Resource = dict[str, Any]


class FhirSource:
    """A source; ``authorities`` are the systems of identifiers, the record numbers' first."""

    def __init__(
        self,
        settings: FhirSourceSettings,
        *,
        authorities: tuple[str, ...],
        store: Store,
        clock: Callable[[], int],
    ) -> None:
        self._system = settings.location_system
        self._authorities = authorities
        self._store = store
        self._clock = clock
        self._smart = Smart(settings) if settings.client_key is not None else None
        self._web = Web(
            settings,
            authorize=None if self._smart is None else self._smart.authorization,
            renew=None if self._smart is None else self._smart.renew,
        )
        self._places: dict[str, Place | None] = {}

    def close(self) -> None:
        """Close every connection."""
        self._web.close()
        if self._smart is not None:
            self._smart.close()

    def refresh(self, identifier: str | None, place: Place | None, at_ms: int) -> None:
        """Bring the census up to date about a wristband and a bed. Raises Unreachable."""
        try:
            found = list(self._named(identifier)) if identifier is not None else []
            if place is not None:
                found += self._in_bed(place, at_ms)
        except FilingError as e:
            raise Unreachable(str(e)) from e
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as e:
            raise Unreachable("the FHIR server gives what no FHIR server does") from e
        now = self._clock()
        with self._store.begin() as session:
            for told in found:
                history = told.movements
                census.remember(session, Told(told.patient, told.codes, told.encounter), at_ms=now)
                if told.encounter is not None:
                    census.replace(session, told.encounter.number, history)

    def _named(self, identifier: str) -> Iterator[Told]:
        systems = ",".join(f"{_escape(each)}|{_escape(identifier)}" for each in self._authorities)
        for patient in self._search("Patient", {"identifier": systems}):
            # Not every server knows the escapes: what it finds has to be what was asked for.
            if not any(
                each.get("system") in self._authorities and each.get("value") == identifier
                for each in patient.get("identifier", [])
            ):
                continue
            yield from self._of(patient, {"patient": f"Patient/{patient['id']}"})

    def _in_bed(self, place: Place, at_ms: int) -> Iterator[Told]:
        name = f"{place.ward}^{place.room}^{place.bed}"
        token = f"{_escape(self._system)}|{_escape(name)}"
        at = datetime.fromtimestamp(at_ms / 1000, UTC)
        for location in self._search("Location", {"identifier": token}):
            where = {
                "location": f"Location/{location['id']}",
                "date": f"le{(at + _AROUND).date().isoformat()}",
            }
            for encounter in self._search("Encounter", where):
                patient = self._read(encounter["subject"]["reference"])
                told = self._told(patient, encounter)
                if told is not None:
                    yield told

    def _of(self, patient: _Resource, where: dict[str, str]) -> Iterator[Told]:
        alone = self._patient(patient)
        if alone is None:
            return
        yield Told(*alone)
        for encounter in self._search("Encounter", where):
            told = self._told(patient, encounter)
            if told is not None:
                yield told

    def _told(self, patient: _Resource, encounter: _Resource) -> Told | None:
        who = self._patient(patient)
        if who is None:
            return None
        identifiers = encounter.get("identifier") or [{}]
        number = str(identifiers[0].get("value") or encounter["id"])
        system = str(identifiers[0].get("system") or "")
        stays = [] if encounter.get("status") in _NOT_REAL else encounter.get("location", [])
        movements: list[Movement] = []
        for stay in stays:
            place = self._place(stay["location"]["reference"])
            period = stay.get("period") or encounter.get("period") or {}
            if place is None or "start" not in period:
                continue
            movements.append(Movement(_ms(period["start"]), Moved.IN, place))
            if "end" in period:
                movements.append(Movement(_ms(period["end"]), Moved.OUT, Place("", "")))
        begins = {one.at_ms for one in movements if one.moved is Moved.IN}
        return Told(
            *who,
            Encounter(number[:_LONGEST], system, f"Encounter/{encounter['id']}"),
            tuple(m for m in movements if m.moved is Moved.IN or m.at_ms not in begins),
        )

    def _patient(self, resource: _Resource) -> tuple[Patient, tuple[str, ...]] | None:
        """A patient and his other codes; None for one without exactly one record number."""
        named: dict[str, set[str]] = {}
        for each in resource.get("identifier", []):
            if value := str(each.get("value") or ""):
                named.setdefault(str(each.get("system") or ""), set()).add(value[:_LONGEST])
        numbers = named.get(self._authorities[0], set())
        if len(numbers) != 1:
            return None
        codes = {code for each in self._authorities[1:] for code in named.get(each, ())}
        name = (resource.get("name") or [{}])[0]
        patient = Patient(
            number=next(iter(numbers)),
            authority=self._authorities[0],
            family=str(name.get("family") or "")[:_LONGEST],
            given=" ".join(name.get("given") or [])[:_LONGEST],
            born=str(resource.get("birthDate") or "")[:10],
            sex=str(resource.get("gender") or "")[:10],
            fhir=f"Patient/{resource['id']}",
        )
        return patient, tuple(sorted(codes))

    def _place(self, reference: str) -> Place | None:
        """The bed that a Location is; None for a whole ward, or what is no bed of ours."""
        if reference not in self._places:
            place = None
            for each in self._read(reference).get("identifier", []):
                parts = str(each.get("value") or "").split("^")
                if each.get("system") == self._system and len(parts) == 3:
                    place = Place(parts[0], parts[2], parts[1])
            self._places[reference] = place
        return self._places[reference]

    def _search(self, kind: str, where: dict[str, str]) -> list[_Resource]:
        answer = self._get(f"/{kind}", {**where, "_count": str(_MOST)})
        entries = [entry["resource"] for entry in answer.get("entry", [])]
        if any(link.get("relation") == "next" for link in answer.get("link", [])):
            raise Unreachable(f"the FHIR server has more than {_MOST} answers about one {kind}")
        return [each for each in entries if each.get("resourceType") == kind]

    def _read(self, reference: str) -> _Resource:
        try:
            return self._get(f"/{reference}", {})
        except Gone as e:
            raise Unreachable("the FHIR server refers to what it does not have") from e

    def _get(self, path: str, params: dict[str, str]) -> _Resource:
        found = json.loads(self._web.request("GET", path, headers=_ACCEPT, params=params).content)
        if not isinstance(found, dict):
            raise TypeError("no resource")
        return found


def _escape(token: str) -> str:
    """Keep a value from being taken for a separator (FHIR R4 search, 3.1.1.5)."""
    for mark in "\\|,$":
        token = token.replace(mark, f"\\{mark}")
    return token


def _ms(text: str) -> int:
    when = datetime.fromisoformat(text)
    if when.tzinfo is None:
        raise ValueError("a FHIR instant without a zone")
    return int(when.timestamp() * 1000)
