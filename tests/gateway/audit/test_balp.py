"""AuditEvents after IHE's Basic Audit Log Patterns, kept once by a real, strict FHIR server."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

import fhirpathpy
import pytest
from fhir.resources.R4B import get_fhir_model_class

from gateway.audit.events import Act, Event
from gateway.filing.base import FilingError
from gateway.filing.fhir import Fhir, codes
from gateway.filing.fhir.audit import audit_event
from gateway.filing.fhir.resources import transaction
from gateway.filing.settings import FhirSettings
from gateway.report.making import Style
from neighbours.fhir import FhirServer
from tests.gateway.audit.happenings import ALL, EVENTS, happening
from tests.gateway.filing.faulty import FAULTS, FaultyLine
from tests.gateway.filing.photos import AT_MS, PHOTO, record

SETTINGS: Final = FhirSettings(url="https://h.example/r4", organization="St Example")

DCM, TYPE, ROLE = codes.DICOM, codes.OBJECT_TYPE, codes.OBJECT_ROLE


def _agents(client: str, server: str) -> list[str]:
    """Who asked and who answered, each once, with an address; and at most one person."""
    found = []
    for system, code in (client.split("#"), server.split("#")):
        here = f"agent.where(type.coding.where(system = '{system}' and code = '{code}').exists())"
        found += [f"{here}.count() = 1", f"{here}.who.exists()", f"{here}.network.exists()"]
    return [*found, "agent.where(requestor = true).count() = 1", "agent.count() >= 2"]


def _has(path: str, coding: str) -> str:
    system, code = coding.split("#")
    return f"{path}.where(system = '{system}' and code = '{code}').count() = 1"


_REST = [_has("type", f"{codes.AUDIT_TYPE}#rest"), "outcome = '0'", "recorded.exists()"]
_DATA = [
    f"entity.where(type.system = '{TYPE}' and type.code = '2').count() = 1",
    "entity.where(type.code = '2').what.exists()",
    "entity.where(type.code = '2').role.code.exists()",
]
_PATIENT = [
    f"entity.where(type.system = '{TYPE}' and type.code = '1').count() = 1",
    f"entity.where(type.code = '1' and role.system = '{ROLE}' and role.code = '1').count() = 1",
    "entity.where(type.code = '1').what.exists()",
]
_IRCP = (
    f"agent.where(type.coding.where(system = '{codes.PARTICIPATION}' and code = 'IRCP').exists())"
    ".all(requestor = true and network.exists().not() and who.exists())"
)
# What the profiles demand (IHE ITI BALP 1.1, input/fsh), each as FHIRPath.
PROFILES: Final[dict[str, list[str]]] = {
    "Create": [
        *_REST,
        "action = 'C'",
        _has("subtype", f"{codes.REST}#create"),
        *_DATA,
        *_agents(f"{DCM}#110153", f"{DCM}#110152"),
    ],
    "Read": [
        *_REST,
        "action = 'R'",
        _has("subtype", f"{codes.REST}#read"),
        *_DATA,
        _IRCP,
        *_agents(f"{DCM}#110152", f"{DCM}#110153"),
    ],
    "Update": [
        *_REST,
        "action = 'U'",
        _has("subtype", f"{codes.REST}#update"),
        *_DATA,
        *_agents(f"{DCM}#110153", f"{DCM}#110152"),
    ],
    "Delete": [
        *_REST,
        "action = 'D'",
        _has("subtype", f"{codes.REST}#delete"),
        *_DATA,
        _has("subtype", f"{codes.LIFECYCLE}#destroy"),
        *_agents(f"{DCM}#110150", f"{codes.PARTICIPANT}#custodian"),
    ],
    "Query": [
        *_REST,
        "action = 'E'",
        _has("subtype", f"{codes.REST}#search"),
        _IRCP,
        f"entity.where(role.system = '{ROLE}' and role.code = '24').query.exists()",
        "entity.where(role.code = '24').what.exists().not()",
        *_agents(f"{DCM}#110153", f"{DCM}#110152"),
    ],
    "PrivacyDisclosure.Source": [
        _has("type", f"{DCM}#110106"),
        _has("subtype", f"{codes.LIFECYCLE}#disclose"),
        "action = 'R'",
        "outcome = '0'",
        "agent.where(type.coding.code = '110153').who.display = source.observer.display",
        *_agents(f"{DCM}#110153", f"{DCM}#110152"),
        *_PATIENT,
        "entity.count() >= 2",
    ],
}


def check(resource: dict[str, Any]) -> str:
    """Hold an AuditEvent to R4 and to the profile that it claims; return the profile's name."""
    get_fhir_model_class("AuditEvent").model_validate(resource)
    for entity in resource.get("entity", []):
        assert not ("name" in entity and "query" in entity)  # sev-1
    profiles = resource["meta"].get("profile", [])
    if not profiles:
        return ""
    (profile,) = profiles
    name = profile.removeprefix(codes.BALP)
    base = name.removeprefix("Patient")
    paths = PROFILES[base] + (_PATIENT if base != name else [])
    for path in paths:
        assert fhirpathpy.evaluate(resource, path, {}) == [True], (name, path)
    return str(name)


@pytest.mark.parametrize("event", ALL.values(), ids=ALL.keys())
def test_every_event_is_valid_and_keeps_to_the_profile_it_claims(event: Event) -> None:
    name = check(audit_event(event, SETTINGS))
    if event.act in (Act.SIGN_IN, Act.SIGN_OUT, Act.REFUSED):
        assert not name  # IHE has no pattern for these
    elif event.act is Act.DISCLOSE:
        assert name == ("PrivacyDisclosure.Source" if event.patient else "")
    else:
        words = {"create": "Create", "read": "Read", "update": "Update", "query": "Query"}
        whose = "Patient" if event.patient else ""
        assert name == f"{whose}{words.get(event.act.value, 'Delete')}"


@pytest.mark.parametrize("event", ALL.values(), ids=ALL.keys())
def test_every_code_is_of_our_table(event: Event) -> None:
    known = {
        (value["system"], value["code"]): value["display"]
        for value in [*vars(codes).values(), *codes.PURPOSES.values()]
        if isinstance(value, dict) and "code" in value
    }
    resource = audit_event(event, SETTINGS)
    found = [resource["type"], *resource.get("subtype", [])]
    found += [one["type"]["coding"][0] for one in resource["agent"]]
    found += [one[part] for one in resource.get("entity", []) for part in ("type", "role")]
    for coding in found:
        assert known[coding["system"], coding["code"]] == coding["display"]


def test_the_event_of_filing_keeps_to_its_profile_too() -> None:
    bundle = transaction(record(), None, "Device/1", SETTINGS, AT_MS)
    (created,) = (
        entry["resource"]
        for entry in bundle["entry"]
        if entry["resource"]["resourceType"] == "AuditEvent"
    )
    assert check(created) == "PatientCreate"


# -- a real server --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def started() -> Iterator[FhirServer]:
    server = FhirServer().wait()
    yield server
    server.close()


@pytest.fixture
def server(started: FhirServer) -> FhirServer:
    started.clear()
    return started


@pytest.fixture
def opened() -> Iterator[Callable[[str], Fhir]]:
    made: list[Fhir] = []

    def make(url: str) -> Fhir:
        settings = FhirSettings(url=url, report=False, timeout_seconds=3)
        made.append(Fhir(settings, Style(), lambda: AT_MS))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_the_server_takes_every_kind(server: FhirServer, opened: Callable[[str], Fhir]) -> None:
    sink = opened(server.url)
    sink.tell([replace(event, id=f"e{n}") for n, event in enumerate(ALL.values())], 1)
    stored = server.all("AuditEvent")
    assert len(stored) == len(ALL)
    for one in stored:
        check(one)


def test_who_looked_is_found_by_the_patient_and_by_the_photo(
    server: FhirServer, opened: Callable[[str], Fhir]
) -> None:
    opened(server.url).tell([EVENTS["read"]], 1)
    found = server.one("AuditEvent")
    patient, photo = (entity["what"]["identifier"] for entity in found["entity"])
    assert patient == {"system": "urn:oid:1.2.3", "value": "4711"}
    assert photo == {"system": "urn:wardseal:photo", "value": PHOTO}
    (person,) = (agent for agent in found["agent"] if agent["requestor"])
    assert (person["name"], person["who"]["identifier"]["value"]) == ("Ama Osei", "a.osei")
    assert "Erika" not in str(found)
    assert "Muster" not in str(found)


def test_P5_an_event_that_is_told_again_is_there_once(
    server: FhirServer, opened: Callable[[str], Fhir]
) -> None:
    first, second = happening(Act.READ, 1), happening(Act.READ, 2)
    opened(server.url).tell([first], 1)
    opened(server.url).tell([first, second], 1)
    opened(server.url).tell([first, second], 1)
    tags = [one["meta"]["tag"][0]["code"] for one in server.all("AuditEvent")]
    assert sorted(tags) == [first.id, second.id]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_P5_a_server_that_fails_in_the_middle_has_each_event_once_in_the_end(
    server: FhirServer, opened: Callable[[str], Fhir], method: str, fault: str
) -> None:
    line = FaultyLine("127.0.0.1", server.port)
    try:
        sink = opened(f"http://127.0.0.1:{line.port}/fhir")
        events = [happening(Act.READ, number) for number in (1, 2, 3)]
        line.fail(method, fault)
        for _ in range(3):
            try:
                sink.tell(events, 1)
                break
            except FilingError:
                pass
        else:
            pytest.fail("it never worked")
    finally:
        line.close()
    tags = [one["meta"]["tag"][0]["code"] for one in server.all("AuditEvent")]
    assert sorted(tags) == [event.id for event in events]


def test_a_photo_s_own_server_is_told_what_it_does_not_know_by_itself(
    opened: Callable[[str], Fhir],
) -> None:
    sink = opened("http://127.0.0.1:9/fhir")
    assert sink.wants(EVENTS["read"])
    assert sink.wants(EVENTS["destroy"])
    assert sink.wants(EVENTS["update"])
    assert not sink.wants(EVENTS["create"])
    assert not sink.wants(replace(EVENTS["update"], place="dicom"))
