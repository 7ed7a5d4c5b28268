"""What a FHIR server (Medplum's) says late, at the look-up of another photo. All parts are real."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.tables import WorkKind
from gateway.worklist_desk import Filter, Item
from neighbours.fhir import FhirServer
from tests.gateway.bedside import Device, Photo, jpeg
from tests.gateway.hospital import Hospital
from tests.gateway.test_fhir_feed import BEDS, MRN, asked_for, encounter, patient
from tests.gateway.ward import BEDS as BEDS_CSV
from tests.gateway.ward import SHOWN
from wire.envelope import Private
from wire.messages import Status

CAME = "2023-11-10T08:00:00Z"
DAY = "2023-11-14"  # of the photos, which are taken after 22:13Z
Link = tuple[str, str]


@pytest.fixture(scope="module")
def server() -> Iterator[FhirServer]:
    started = FhirServer().wait()
    yield started
    started.close()


@pytest.fixture
def ward(tmp_path: Path, _keys: Path, database_url: str, server: FhirServer) -> Iterator[Hospital]:
    """One that asks the FHIR server, about two patients in their beds."""
    shutil.copytree(_keys, tmp_path / "site")
    hospital = Hospital(tmp_path, url=database_url)
    (hospital.site.gateway / "beds.csv").write_text(BEDS_CSV)
    hospital.settings = {
        "identity": {"authority": MRN},
        "identity.fhir": {"url": server.url, "location_system": BEDS},
    }
    hospital.write_config(hospital.settings)
    server.clear()
    for name, place in (("b12", "W3^^12"), ("b13", "W3^^13"), ("b14", "W3^^14")):
        identifier = {"system": BEDS, "value": place}
        server.put({"resourceType": "Location", "id": name, "identifier": [identifier]})
    server.put(patient("p1", "4711", "998", "Osei"))
    server.put(patient("p2", "815", "999", "Ruiz"))
    server.put(encounter("e1", "p1", ("b12", CAME, None)))
    server.put(encounter("e2", "p2", ("b13", CAME, None)))
    opened = hospital.open()
    yield opened
    opened.close()


def linked(resource: dict[str, Any], *links: Link, **more: Any) -> dict[str, Any]:
    found = [{"other": {"reference": f"Patient/{who}"}, "type": how} for how, who in links]
    return {**resource, **more, "link": found}


def take(ward: Hospital, device: Device, band: str, seed: int = 0) -> tuple[Photo, Any]:
    shown = SHOWN if device.name == "ward3-bed12" else "W3-13"
    photo = device.photo(jpeg(seed=seed), private=Private(bed=shown, quality={}, band=band))
    return photo, ward.receive(device, photo)


def items(ward: Hospital, photo: Photo) -> list[Item]:
    return ward._house.worklist.items(Filter(kinds=(WorkKind.IDENTITY,), subject=photo.hex))


def close(ward: Hospital, photo: Photo) -> None:
    (item,) = items(ward, photo)
    ward._house.worklist.close(item.id, by="A. Ruiz", note="it is hers")


def filed(ward: Hospital) -> tuple[Device, Photo]:
    device = ward.enrol()
    photo, receipt = take(ward, device, "4711")
    assert receipt.status == Status.FILED
    assert items(ward, photo) == []
    return device, photo


@pytest.mark.parametrize("asked", ["4711", "5000"])
def test_photos_of_a_patient_who_was_replaced_come_before_a_person_whichever_is_looked_up(
    ward: Hospital, server: FhirServer, asked: str
) -> None:
    device, photo = filed(ward)
    old = linked(patient("p1", "4711", "998", "Osei"), ("replaced-by", "p5"), active=False)
    server.put(linked(patient("p5", "5000", "900", "Osei"), ("replaces", "p1")))
    server.put(old)
    server.put(encounter("e1", "p5", ("b12", CAME, None)))
    _, receipt = take(ward, device, asked, 1)
    assert receipt.status == (Status.HELD if asked == "4711" else Status.FILED)
    (item,) = items(ward, photo)
    assert item.why.endswith("the patient's record was merged with another")
    assert item.patient == "5000"
    close(ward, photo)
    before = asked_for(server, "GET /fhir/Patient/p1")
    _, receipt = take(ward, device, "5000", 2)
    assert receipt.status == Status.FILED
    assert items(ward, photo) == []  # said at every look-up
    assert asked_for(server, "GET /fhir/Patient/p1") == before  # and known from the census


def test_whoever_is_replaced_by_somebody_who_is_replaced_goes_on_as_the_last(
    ward: Hospital, server: FhirServer
) -> None:
    device, photo = filed(ward)
    server.put(linked(patient("p7", "7000", "901", "Osei"), ("replaces", "p6")))
    server.put(linked(patient("p6", "6000", "900", "Osei"), ("replaced-by", "p7")))
    server.put(linked(patient("p1", "4711", "998", "Osei"), ("replaced-by", "p6")))
    _, receipt = take(ward, device, "4711", 1)
    assert (receipt.status, "merged" in receipt.reason) == (Status.HELD, True)
    (item,) = items(ward, photo)
    assert item.patient == "7000"
    # In a circle nobody goes on: it ends, and whoever is in it is held.
    server.put(linked(patient("p7", "7000", "901", "Osei"), ("replaced-by", "p1")))
    _, receipt = take(ward, device, "4711", 2)
    assert receipt.status == Status.HELD


def test_a_record_of_which_no_photo_was_taken_here_is_asked_for_once(
    ward: Hospital, server: FhirServer
) -> None:
    server.put(linked(patient("p9", "4700", "997", "Osei"), ("replaced-by", "p1")))
    gone = ("replaces", "p404")
    server.put(linked(patient("p1", "4711", "998", "Osei"), ("replaces", "p9"), gone))
    device, _ = filed(ward)
    take(ward, device, "4711", 1)
    assert asked_for(server, "GET /fhir/Patient/p9") == 1
    _, receipt = take(ward, device, "4700", 2)
    assert (receipt.status, "merged" in receipt.reason) == (Status.HELD, True)


def test_photos_of_a_patient_who_is_out_of_use_come_before_a_person_once(
    ward: Hospital, server: FhirServer
) -> None:
    device, photo = filed(ward)
    server.put({**patient("p1", "4711", "998", "Osei"), "active": False})
    _, receipt = take(ward, device, "4711", 1)
    assert receipt.status == Status.HELD
    (item,) = items(ward, photo)
    assert "no longer uses the patient's record" in item.why
    close(ward, photo)
    take(ward, device, "4711", 2)
    assert items(ward, photo) == []


def test_a_stay_that_is_corrected_after_filing(ward: Hospital, server: FhirServer) -> None:
    device, photo = filed(ward)
    moved = (("b12", CAME, f"{DAY}T20:00:00Z"), ("b14", f"{DAY}T20:00:00Z", None))
    server.put(encounter("e1", "p1", *moved))
    other = ward.enrol("ward3-bed13")
    take(ward, other, "815", 1)
    assert items(ward, photo) == []  # nobody has asked about her
    _, receipt = take(ward, device, "4711", 2)
    assert receipt.status == Status.HELD
    (item,) = items(ward, photo)
    assert "the patient was in another bed" in item.why


def test_a_stay_that_is_cancelled_after_filing_and_is_in_no_answer(
    ward: Hospital, server: FhirServer
) -> None:
    device, photo = filed(ward)
    never = encounter("e1", "p1", ("b12", "2023-10-01T08:00:00Z", None))
    period = {"start": "2023-10-01", "end": "2023-10-02"}
    server.put({**never, "status": "entered-in-error", "period": period})
    take(ward, device, "4711", 1)
    (item,) = items(ward, photo)
    assert "the patient was in no bed" in item.why


def test_a_time_that_becomes_a_mere_date_after_filing(ward: Hospital, server: FhirServer) -> None:
    device, photo = filed(ward)
    server.put(encounter("e1", "p1", ("b12", DAY, None)))  # at some time of the photo's day
    _, receipt = take(ward, device, "4711", 1)
    assert receipt.status == Status.HELD
    (item,) = items(ward, photo)
    assert "a date without the time" in item.why
    assert "4711" not in item.why
    close(ward, photo)
    take(ward, device, "4711", 2)
    assert items(ward, photo) == []
