"""The census from a FHIR R4 server, asked when a photo comes: nothing that is known is stale.

Asked by plain searches that every server has: the patient by the wristband's identifier, his
encounters around that time; the bed's Location by its identifier, the encounters there. Each
Encounter's ``location`` with its periods is its whole history, and takes the place of what was
known of it. What was known to be there and is in no answer is looked at by itself.

A bed is a Location that has an identifier of ``location_system`` in the form ``ward^room^bed`` (as
PV1-3 has it).
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import parse_qs

from gateway.beds import Place
from gateway.filing.base import FilingError
from gateway.filing.fhir.auth import Smart
from gateway.filing.record import Encounter
from gateway.filing.web import Gone, Web
from gateway.identity import census, late
from gateway.identity.census import Told
from gateway.identity.decision import NEAR_MS, Why
from gateway.identity.fhir_people import LONGEST, People, Person, Resource
from gateway.identity.fhir_stays import Span, history
from gateway.identity.identify import Unreachable
from gateway.identity.settings import FhirSourceSettings
from gateway.identity.stays import stays_of
from gateway.store import Store

_ACCEPT: Final = {"Accept": "application/fhir+json"}
_PAGE: Final = 200
_PAGES: Final = 10
_AROUND: Final = timedelta(days=2)


@dataclass(frozen=True)
class _Found:
    """One answer. ``named``: found by the wristband."""

    told: Told
    person: Person
    unsure: tuple[Span, ...] = ()
    named: bool = False


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
        self._people = People(authorities, lambda reference: self._get(f"/{reference}", {}), store)
        self._asked: dict[str, Person | None] = {}

    def close(self) -> None:
        """Close every connection."""
        self._web.close()
        if self._smart is not None:
            self._smart.close()

    def refresh(self, identifier: str | None, place: Place | None, at_ms: int) -> tuple[Why, ...]:
        """Bring the census up to date about a wristband and a bed. Raises Unreachable.

        Returns what speaks against the server's own answer, about that moment.
        """
        at = datetime.fromtimestamp(at_ms / 1000, UTC)
        # What a period overlaps (FHIR R4 search, 3.1.1.5.6); the days are for zones.
        when = [f"ge{(at - _AROUND).date()}", f"le{(at + _AROUND).date()}"]
        self._asked.clear()
        try:
            found = list(self._named(identifier, when)) if identifier is not None else []
            if place is not None:
                found += self._in_bed(place, when)
            over, again = self._over(found, identifier, place, at_ms)
            found += again
        except FilingError as e:
            raise Unreachable(str(e)) from e
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as e:
            raise Unreachable("the FHIR server gives what no FHIR server does") from e
        self._remember(over, found)
        return _doubts(found, place, at_ms)

    def _remember(self, over: list[str], found: list[_Found]) -> None:
        now = self._clock()
        with self._store.begin() as session:
            before = late.Before(session)
            before.keep(*over)
            for number in over:
                census.replace(session, number, ())
            for one in found:
                told = one.told
                if told.encounter is not None:
                    before.keep(told.encounter.number)
                    before.unsure(told.encounter.number, one.unsure)
                census.remember(session, Told(told.patient, told.codes, told.encounter), at_ms=now)
                if told.encounter is not None:
                    census.replace(session, told.encounter.number, told.movements)
                if one.person.retired:
                    before.retire(told.patient.number)
            for prior, survivor in dict.fromkeys(
                pair for one in found for pair in one.person.merges
            ):
                census.remember(session, Told(prior), at_ms=now)
                before.merge(survivor=survivor, prior=prior.number, at_ms=now)
            before.look_again(now)

    def _named(self, identifier: str, when: list[str]) -> Iterator[_Found]:
        systems = ",".join(f"{_escape(each)}|{_escape(identifier)}" for each in self._authorities)
        for patient in self._search("Patient", {"identifier": systems}):
            # Not every server knows the escapes: what it finds has to be what was asked for.
            if not any(
                each.get("system") in self._authorities and each.get("value") == identifier
                for each in patient.get("identifier", [])
            ):
                continue
            reference = f"Patient/{patient['id']}"
            self._asked[reference] = person = self._people.of(patient)
            if person is None:
                continue
            yield _Found(Told(person.patient, person.codes), person, named=True)
            for encounter in self._search("Encounter", {"patient": reference, "date": when}):
                yield from self._found(encounter)

    def _in_bed(self, place: Place, when: list[str]) -> Iterator[_Found]:
        name = f"{place.ward}^{place.room}^{place.bed}"
        token = f"{_escape(self._system)}|{_escape(name)}"
        for location in self._search("Location", {"identifier": token}):
            where = {"location": f"Location/{location['id']}", "date": when}
            for encounter in self._search("Encounter", where):
                yield from self._found(encounter)

    def _over(
        self, found: list[_Found], identifier: str | None, place: Place | None, at_ms: int
    ) -> tuple[list[str], list[_Found]]:
        """Look again at encounters that are known to be there and were not in the answers.

        They have ended since, or moved, or never were: their numbers, and what they are now.
        """
        seen = {one.told.encounter.fhir for one in found if one.told.encounter is not None}
        with self._store.read() as session:
            named = {one.told.patient.number for one in found if one.named}
            named |= set(census.known_by(session, identifier)) if identifier is not None else set()
            stays = [*census.stays_by(session, named)]
            stays += census.stays_in(session, place, at_ms) if place is not None else ()
            now = {
                stay.encounter
                for stay in stays
                if stay.covers(at_ms) or stay.changes_near(at_ms, NEAR_MS)
            }
            known = {number: census.encounter(session, number) for number in sorted(now)}
        over: list[str] = []
        again: list[_Found] = []
        for number, encounter in known.items():
            if encounter is None or not encounter.fhir or encounter.fhir in seen:
                continue
            over.append(number)
            try:
                again += self._found(self._get(f"/{encounter.fhir}", {}))
            except Gone:
                continue
        return over, again

    def _found(self, encounter: Resource) -> Iterator[_Found]:
        """What an encounter tells; nothing if it is nobody's whom we could name."""
        whose = (encounter.get("subject") or {}).get("reference")
        if whose is None:
            return
        if whose not in self._asked:
            self._asked[whose] = self._people.of(self._read(whose))
        person = self._asked[whose]
        if person is None:
            return
        identifiers = encounter.get("identifier") or [{}]
        number = str(identifiers[0].get("value") or encounter["id"])
        system = str(identifiers[0].get("system") or "")
        read = history(encounter, self._place)
        told = Told(
            person.patient,
            person.codes,
            Encounter(number[:LONGEST], system, f"Encounter/{encounter['id']}"),
            read.movements,
        )
        yield _Found(told, person, unsure=read.unsure)

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

    def _search(self, kind: str, where: Mapping[str, str | Sequence[str]]) -> list[Resource]:
        found: list[Resource] = []
        path: str = f"/{kind}"
        params: Mapping[str, str | Sequence[str]] = {**where, "_count": str(_PAGE)}
        if "date" in where:
            params = {**params, "_sort": "-date"}
        for _ in range(_PAGES):
            answer = self._get(path, params)
            found += (entry["resource"] for entry in answer.get("entry", []))
            more = [each["url"] for each in answer.get("link", []) if each["relation"] == "next"]
            if not more:
                return [each for each in found if each.get("resourceType") == kind]
            path, params = self._next(more[0])
        raise Unreachable(f"the FHIR server has more than {_PAGES} pages about one {kind}")

    def _next(self, url: str) -> tuple[str, Mapping[str, Sequence[str]]]:
        """Take a link apart, so that no message has its query (P9)."""
        there, _, query = url.partition("?")
        path = there.removeprefix(self._web.base)
        if path[:1] not in ("", "/"):
            raise Unreachable("the FHIR server's next page is at another address; see its base URL")
        return path, parse_qs(query, keep_blank_values=True)

    def _read(self, reference: str) -> Resource:
        try:
            return self._get(f"/{reference}", {})
        except Gone as e:
            raise Unreachable("the FHIR server refers to what it does not have") from e

    def _get(self, path: str, params: Mapping[str, str | Sequence[str]]) -> Resource:
        found = json.loads(self._web.request("GET", path, headers=_ACCEPT, params=params).content)
        if not isinstance(found, dict):
            raise TypeError("no resource")
        return found


def _escape(token: str) -> str:
    """Keep a value from being taken for a separator (FHIR R4 search, 3.1.1.5)."""
    for mark in "\\|,$":
        token = token.replace(mark, f"\\{mark}")
    return token


def _doubts(found: list[_Found], place: Place | None, at_ms: int) -> tuple[Why, ...]:
    """What of the answer cannot be relied on at a moment."""
    why = []
    if any(span.holds(at_ms, NEAR_MS) for one in found for span in one.unsure):
        why.append(Why.UNSURE)
    if any(one.person.retired and (one.named or _in(one.told, place, at_ms)) for one in found):
        why.append(Why.RETIRED)
    return tuple(why)


def _in(told: Told, place: Place | None, at_ms: int) -> bool:
    stays = stays_of(told.patient.number, "", told.movements)
    return any(stay.place == place and stay.covers(at_ms) for stay in stays)
