"""A teaching copy left: a real FHIR server has that it was made, by whom, and its hash, once."""

import base64
import hashlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import fhirpathpy
import pytest
from fhir.resources.R4B import get_fhir_model_class

from gateway.filing.cabinet import nobody
from gateway.filing.errands import Errands
from gateway.filing.fhir import Fhir, codes
from gateway.filing.fhir.provenance import copied
from gateway.filing.record import Assignment
from gateway.filing.settings import FhirSettings
from gateway.report.making import Style
from gateway.sharing.copies import CopyTold, TeachingCopy
from gateway.sharing.shares import Form, ShareRow
from gateway.store import Store
from gateway.tables import Filing
from gateway.uses import Use
from neighbours.fhir import FhirServer
from tests.gateway.filing.faulty import FaultyLine
from tests.gateway.filing.photos import AT_MS, HOSTILE, PHOTO, record

COPY = b"a copy"
DIGEST = hashlib.sha256(COPY).hexdigest()
RECIPIENT, REASON = "Prof. Adeyemi", "lecture on Monday"


def clock() -> int:
    return time.time_ns() // 1_000_000


def shared(**changes: Any) -> ShareRow:
    usual: dict[str, Any] = {
        "photo": PHOTO,
        "recipient": RECIPIENT,
        "reason": REASON,
        "by": "Jo Doe (j.doe)",
        "form": "jpg",
        "digest": DIGEST,
        "at_ms": AT_MS,
        "use": Use.TEACHING.value,
        "confirmed": "no face, no band, no tattoo, no name; 1 blacked out",
    }
    return ShareRow(**(usual | changes))


def filed(**changes: Any) -> Filing:
    usual: dict[str, Any] = {
        "photo": PHOTO,
        "sink": "fhir",
        "assignment": 1,
        "wanted": "filed",
        "stand": "filed",
        "filed_ms": AT_MS,
        "keeper": "gateway",
    }
    return Filing(**(usual | changes))


@pytest.fixture(scope="module")
def started() -> Iterator[FhirServer]:
    server = FhirServer().wait()
    yield server
    server.close()


@pytest.fixture
def server(started: FhirServer) -> FhirServer:
    """A server that has nothing."""
    started.clear()
    return started


@pytest.fixture
def line(server: FhirServer) -> Iterator[FaultyLine]:
    opened = FaultyLine("127.0.0.1", server.port)
    yield opened
    opened.close()


Made = tuple[Fhir, Errands]


@pytest.fixture
def make(line: FaultyLine, store: Store) -> Iterator[Callable[..., Made]]:
    made: list[Fhir] = []

    def opened(**settings: Any) -> Made:
        url = f"http://127.0.0.1:{line.port}/fhir"
        usual = {"report": False, "timeout_seconds": 3} | settings
        sink = Fhir(FhirSettings(url=url, **usual), Style(), lambda: AT_MS)
        made.append(sink)
        return sink, Errands(sink=sink, store=store, assigned=nobody, clock=clock)

    yield opened
    for one in made:
        one.close()


def deidentified(server: FhirServer) -> list[dict[str, Any]]:
    found = server.all("Provenance")
    return [one for one in found if one["activity"]["coding"][0]["code"] == "deidentify"]


def wait_is_over(store: Store) -> None:
    with store.begin() as session:
        told = session.get_one(CopyTold, (1, "fhir"))
        told.due_ms, told.told = 0, False


@pytest.mark.parametrize("photo_as", ["DocumentReference", "Media"])
def test_a_fhir_server_has_the_provenance_of_a_copy_once_through_failures(
    store: Store, server: FhirServer, line: FaultyLine, make: Callable[..., Made], photo_as: str
) -> None:
    sink, errands = make(photo_as=photo_as)
    reference = sink.file(record(level="teaching", assignment=Assignment()))
    with store.begin() as session:
        session.add_all([filed(), shared()])
    line.fail("POST", "half")
    assert errands.round() and not errands.round(), "told again, and not at once"
    with store.read() as session:
        told = session.get_one(CopyTold, (1, "fhir"))
        assert told.problem and told.attempts == 1 and not told.told
    wait_is_over(store)
    assert errands.round() and not errands.round()
    wait_is_over(store)  # as if a crash had come between telling and its row
    assert errands.round() and not errands.round()
    (one,) = deidentified(server)
    assert one["target"] == [{"reference": reference}]
    assert one["activity"]["coding"][0]["system"] == codes.LIFECYCLE
    performer, gateway = one["agent"]
    assert performer["who"]["identifier"] == {"system": "urn:wardseal:person", "value": "j.doe"}
    assert gateway["who"]["display"].startswith("Wardseal gateway")
    assert one["occurredDateTime"].startswith("2023-11-14T22:13:20")
    (entity,) = one["entity"]
    algorithm, _, name = entity["what"]["identifier"]["value"].partition(";")
    assert algorithm == "ni:///sha-256"
    assert base64.urlsafe_b64decode(name + "=") == hashlib.sha256(COPY).digest()
    assert "1 blacked out" in entity["what"]["display"]
    assert RECIPIENT not in str(one) and REASON not in str(one), "not the chart's to know"


def test_each_copy_is_one_of_its_own_and_nothing_else_is_told(
    store: Store, server: FhirServer, line: FaultyLine, make: Callable[..., Made]
) -> None:
    sink, errands = make()
    sink.file(record(level="teaching", assignment=Assignment()))
    elsewhere = shared(photo="cd" * 32)
    referral = shared(use=Use.REFERRAL.value, form="pdf")
    with store.begin() as session:
        session.add_all([filed(sink="folder"), shared(), shared(form="dcm"), referral, elsewhere])
    assert not errands.round(), "as far as is known this server does not have the photo"
    with store.begin() as session:
        session.add(filed())
    line.fail("POST", "twice")
    assert errands.round() and not errands.round()
    assert len(deidentified(server)) == 2


def test_a_photo_in_the_wrong_chart_is_told_of_where_it_stands_now(
    store: Store, server: FhirServer, make: Callable[..., Made]
) -> None:
    sink, errands = make()
    sink.file(record(level="teaching", assignment=Assignment()))
    wrong = {"stand": "entered in error", "wanted": "entered in error"}
    with store.begin() as session:
        session.add_all([filed(**wrong), shared()])
    assert not errands.round(), "not of the wrong chart"
    moved = sink.file(record(level="teaching", assignment=Assignment(2)))
    with store.begin() as session:
        session.add(filed(assignment=2))
    assert errands.round()
    (one,) = deidentified(server)
    assert one["target"] == [{"reference": moved}]


def test_the_provenance_is_valid_and_its_codes_are_of_our_table_whatever_people_write() -> None:
    settings = FhirSettings(url="http://127.0.0.1/fhir")
    for text in HOSTILE:
        copy = TeachingCopy(1, PHOTO, 1, f"A {text}", Form.JPEG, DIGEST, text, AT_MS)
        made = copied(copy, ["DocumentReference/1"], settings, AT_MS)
        get_fhir_model_class("Provenance").model_validate(made)
        for path in ("target.exists()", "agent.all(who.exists())", "entity.role = 'derivation'"):
            assert fhirpathpy.evaluate(made, path, {}) == [True], path
        assert made["activity"] == {"coding": [codes.DEIDENTIFY]}
        assert made["reason"] == [{"coding": [codes.PURPOSES["teaching"]]}]
        assert "\n" not in made["entity"][0]["what"]["display"]
