"""Patients from a real FHIR server (Medplum's), asked when a photo comes."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.beds import Place
from gateway.identity import census
from gateway.identity.decision import Why
from gateway.identity.fhir_feed import FhirSource
from gateway.identity.identify import Unreachable
from gateway.identity.settings import FhirSourceSettings
from gateway.identity.stays import Stay
from gateway.store import Store, open_sqlite
from neighbours.fhir import FhirServer
from neighbours.starting import fetch

MRN, GSRN, BEDS = "urn:oid:1.2.3", "urn:gs1:8018", "urn:st-mary:beds"
EIGHT = 1_772_348_400_000  # 2026-03-01T07:00Z
HOUR = 3_600_000
PAGE = 5
BED, AWAY = Place("W3", "12"), Place("W4", "1", "7")


@pytest.fixture(scope="module")
def server() -> Iterator[FhirServer]:
    started = FhirServer(page=PAGE).wait()
    yield started
    started.close()


@pytest.fixture
def hospital(server: FhirServer) -> FhirServer:
    server.clear()
    for name, place in (("b12", "W3^^12"), ("b1", "W4^7^1")):
        server.put(
            {
                "resourceType": "Location",
                "id": name,
                "identifier": [{"system": BEDS, "value": place}],
                "name": place,
            }
        )
    server.put(patient("p1", "4711", "998", "Osei"))
    server.put(patient("p2", "815", "999", "Ruiz"))
    server.put(
        encounter(
            "e1",
            "p1",
            ("b12", "2026-03-01T07:00:00Z", "2026-03-01T09:00:00Z"),
            ("b1", "2026-03-01T09:00:00Z", None),
        )
    )
    return server


def patient(name: str, number: str, code: str, family: str) -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "id": name,
        "identifier": [{"system": MRN, "value": number}, {"system": GSRN, "value": code}],
        "name": [{"family": family, "given": ["Ama", "B."]}],
        "birthDate": "1961-04-02",
        "gender": "female",
    }


def encounter(name: str, whose: str, *stays: tuple[str, str, str | None]) -> dict[str, Any]:
    locations = []
    for bed, start, end in stays:
        period = {"start": start} if end is None else {"start": start, "end": end}
        locations.append({"location": {"reference": f"Location/{bed}"}, "period": period})
    return {
        "resourceType": "Encounter",
        "id": name,
        "identifier": [{"system": "urn:visits", "value": name.upper()}],
        "status": "in-progress",
        "class": {"code": "IMP"},
        "subject": {"reference": f"Patient/{whose}"},
        "period": {"start": stays[0][1]},
        "location": locations,
    }


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_sqlite(tmp_path / "fhir.db")
    yield opened
    opened.close()


def source(store: Store, url: str) -> FhirSource:
    settings = FhirSourceSettings(url=url, location_system=BEDS)
    return FhirSource(settings, authorities=(MRN, GSRN), store=store, clock=lambda: EIGHT)


def test_a_band_brings_the_patient_and_all_of_his_stays(hospital: FhirServer, store: Store) -> None:
    asked = source(store, hospital.url)
    asked.refresh("998", None, EIGHT)
    asked.close()
    with store.read() as session:
        assert census.known_by(session, "998") == census.known_by(session, "4711") == ("4711",)
        found = census.patient(session, "4711")
        assert found is not None
        assert (found.family, found.given, found.fhir) == ("Osei", "Ama B.", "Patient/p1")
        assert census.stays_by(session, ["4711"]) == (
            Stay("4711", "E1", BED, EIGHT, EIGHT + 2 * HOUR),
            Stay("4711", "E1", AWAY, EIGHT + 2 * HOUR),
        )
        assert census.known_by(session, "999") == ()


def test_a_bed_brings_whoever_is_in_it_and_a_correction_takes_the_place_of_what_was_known(
    hospital: FhirServer, store: Store
) -> None:
    asked = source(store, hospital.url)
    hospital.put(encounter("e2", "p2", ("b12", "2026-03-01T07:30:00Z", None)))
    asked.refresh(None, BED, EIGHT + HOUR)
    with store.read() as session:
        assert {stay.patient for stay in census.stays_in(session, BED, EIGHT + HOUR)} == {
            "4711",
            "815",
        }
        assert census.occupant(session, BED, EIGHT + HOUR) is None
    hospital.put(encounter("e2", "p2", ("b1", "2026-03-01T07:30:00Z", None)))
    asked.refresh("999", BED, EIGHT + HOUR)
    asked.close()
    with store.read() as session:
        assert census.occupant(session, BED, EIGHT + HOUR) == "4711"


def test_P9_a_server_that_is_gone_or_lies_holds_the_photo_and_names_nobody(
    hospital: FhirServer, store: Store
) -> None:
    gone = source(store, "http://127.0.0.1:1/fhir")
    with pytest.raises(Unreachable, match="cannot be reached") as caught:
        gone.refresh("998", BED, EIGHT)
    gone.close()
    assert "998" not in str(caught.value)
    wrong = source(store, f"{hospital.root}/requests")
    with pytest.raises(Unreachable) as caught:
        wrong.refresh("998", BED, EIGHT)
    wrong.close()
    assert "998" not in str(caught.value)


def test_injection_a_code_full_of_search_marks_finds_nobody(
    hospital: FhirServer, store: Store
) -> None:
    asked = source(store, hospital.url)
    for code in ("998,999", "|998", "998&name=Ruiz", "*", "$x\\"):
        asked.refresh(code, None, EIGHT)
    asked.close()
    with store.read() as session:
        assert census.patient(session, "4711") is None


def test_P9_no_log_line_has_what_a_server_was_asked(server: FhirServer) -> None:
    url = f"{server.url}/Patient?identifier=4711"
    asks = "import httpx2; from gateway import logs; logs.begin('gateway'); httpx2.get('{url}')"
    ended = subprocess.run(
        [sys.executable, "-P", "-c", asks.format(url=url)], capture_output=True, text=True
    )
    assert (ended.returncode, ended.stderr) == (0, "")


def asked_for(hospital: FhirServer, what: str) -> int:
    return sum(what in each for each in fetch(f"{hospital.root}/requests").json())


def test_a_bed_with_hundreds_of_stays_behind_it_is_asked_about_those_days_alone(
    hospital: FhirServer, store: Store
) -> None:
    for number in range(11 * PAGE):
        day = f"2025-{1 + number % 12:02}-{1 + number // 12:02}"
        past = encounter(f"x{number}", "p2", ("b12", f"{day}T08:00:00Z", f"{day}T09:00:00Z"))
        hospital.put({**past, "status": "finished", "period": past["location"][0]["period"]})
    asked = source(store, hospital.url)
    assert asked.refresh("999", BED, EIGHT) == ()
    assert asked.refresh("998", BED, EIGHT + HOUR) == ()
    asked.close()
    with store.read() as session:
        assert census.occupant(session, BED, EIGHT + HOUR) == "4711"
        assert census.stays_by(session, ["815"]) == ()
    assert asked_for(hospital, "GET /fhir/Patient/") <= 2


def test_an_answer_of_several_pages_is_read_to_its_end_and_an_endless_one_holds(
    hospital: FhirServer, store: Store
) -> None:
    for number in range(2 * PAGE):
        hospital.put(encounter(f"y{number}", "p2", ("b1", "2026-03-01T06:00:00Z", None)))
    hospital.put(encounter("y", "p2", ("b12", "2026-02-01T06:00:00Z", None)))
    asked = source(store, hospital.url)
    assert asked.refresh(None, BED, EIGHT) == asked.refresh("999", None, EIGHT) == ()
    with store.read() as session:
        assert {stay.patient for stay in census.stays_in(session, BED, EIGHT)} == {"4711", "815"}
        assert len(census.encounters_of(session, "815")) == 2 * PAGE + 1
    for number in range(10 * PAGE):
        hospital.put(encounter(f"z{number}", "p2", ("b1", "2026-03-01T06:00:00Z", None)))
    with pytest.raises(Unreachable, match="more than 10 pages"):
        asked.refresh("999", None, EIGHT)
    asked.close()


def test_whoever_left_since_is_no_longer_there_though_no_answer_has_him(
    hospital: FhirServer, store: Store
) -> None:
    asked = source(store, hospital.url)
    hospital.put(encounter("e2", "p2", ("b12", "2026-02-20T06:00:00Z", None)))
    asked.refresh(None, BED, EIGHT + HOUR)
    gone = encounter("e2", "p2", ("b12", "2026-02-20T06:00:00Z", "2026-02-21T06:00:00Z"))
    hospital.put({**gone, "period": gone["location"][0]["period"]})
    assert asked.refresh(None, BED, EIGHT + HOUR) == ()
    asked.close()
    with store.read() as session:
        assert census.occupant(session, BED, EIGHT + HOUR) == "4711"


def test_a_date_without_a_time_is_a_doubt_about_that_day_and_about_no_other(
    hospital: FhirServer, store: Store
) -> None:
    asked = source(store, hospital.url)
    long_ago = ("b1", "2019-05", "2019")
    stays = (long_ago, ("b1", "2026-02-28", "2026-03-01"), ("b12", "2026-03-01", None))
    whole = encounter("e1", "p1", *stays)
    nobodys = encounter("e3", "p1", ("b12", "2026-03-01", None))
    del nobodys["subject"]
    hospital.put(whole)
    hospital.put(nobodys)
    assert asked.refresh("998", BED, EIGHT) == (Why.UNSURE,)
    assert asked.refresh("998", BED, EIGHT + 48 * HOUR) == ()
    with store.read() as session:
        assert census.occupant(session, BED, EIGHT + 48 * HOUR) == "4711"
        assert census.occupant(session, AWAY, EIGHT + 48 * HOUR) is None
    asked.close()


def test_a_record_that_was_replaced_or_is_out_of_use_is_a_persons_to_look_at(
    hospital: FhirServer, store: Store
) -> None:
    asked = source(store, hospital.url)
    old = patient("p3", "4712", "997", "Osei")
    link = {"other": {"reference": "Patient/p1"}, "type": "replaced-by"}
    hospital.put({**old, "active": False, "link": [link]})
    hospital.put(encounter("e3", "p3", ("b12", "2026-03-01T07:30:00Z", None)))
    assert asked.refresh("997", BED, EIGHT) == ()
    with store.read() as session:
        assert census.merged(session, ["4712", "4711"]) == {"4712"}
        assert census.survivor_of(session, "4712") == "4711"
        assert census.occupant(session, BED, EIGHT + HOUR) == "4711"
    for last in ({"active": False}, {"link": [{**link, "other": {"reference": "Patient/p9"}}]}):
        hospital.put({**patient("p4", "4713", "996", "Osei"), **last})
        assert asked.refresh("996", None, EIGHT) == (Why.RETIRED,)
    hospital.put(encounter("e4", "p4", ("b12", "2026-03-01T06:00:00Z", "2026-03-01T08:00:00Z")))
    assert asked.refresh(None, BED, EIGHT) == (Why.RETIRED,)
    assert asked.refresh(None, BED, EIGHT + 2 * HOUR) == ()
    asked.close()


def test_a_bed_that_is_only_planned_or_reserved_is_not_occupied(
    hospital: FhirServer, store: Store
) -> None:
    asked = source(store, hospital.url)
    coming = encounter("e2", "p2", ("b1", "2026-03-01T07:00:00Z", None))
    bed = {"reference": "Location/b12"}
    coming["location"][0]["status"] = "active"
    coming["location"] += [{"location": bed, "status": it} for it in ("planned", "reserved")]
    hospital.put(coming)
    asked.refresh("999", BED, EIGHT + HOUR)
    with store.read() as session:
        assert census.occupant(session, BED, EIGHT + HOUR) == "4711"
        assert census.occupant(session, AWAY, EIGHT + HOUR) == "815"
    asked.close()
