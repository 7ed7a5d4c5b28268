"""What the hospital tells after a photo was assigned puts the photo before a person. Real parts."""

import threading
import time
from typing import Any

import pytest
from sqlalchemy import text

from gateway.beds import Place
from gateway.cases import Cases
from gateway.filing.record import Encounter, Patient
from gateway.identity import census, late
from gateway.identity.census import Told
from gateway.identity.stays import Moved, Movement
from gateway.store import Store
from gateway.tables import WorkKind
from gateway.worklist_desk import Filter, Item
from neighbours.adt import send
from tests.gateway.bedside import CAPTURED_MS, Device, Photo
from tests.gateway.hospital import Hospital
from tests.gateway.test_adt import message
from tests.gateway.test_cases import BANDED, wait_for_receipt
from tests.gateway.ward import PATIENTS
from wire.messages import Fin, Status

OSEI, RUIZ = "4711^^^MRN", "815^^^MRN"
HOUR = 60


def told(
    ward: Hospital,
    event: str,
    minutes: int,
    patient: str = OSEI,
    encounter: str = "E-1",
    **more: str,
) -> None:
    """Say over the ADT line what happened, so many minutes after the photo."""
    line = ward._house.line
    assert line is not None
    at = time.strftime("%Y%m%d%H%M+0000", time.gmtime(CAPTURED_MS / 1000 + 60 * minutes))
    (answer,) = send(line.port, message(event, patient=patient, at=at, encounter=encounter, **more))
    assert str(answer.segment("MSA")[1]) == "AA"


def filed(ward: Hospital) -> tuple[Device, Photo]:
    device = ward.enrol()
    photo = device.photo(private=BANDED)
    assert ward.receive(device, photo).status == Status.FILED
    return device, photo


def items(ward: Hospital, photo: Photo) -> list[Item]:
    return ward._house.worklist.items(Filter(kinds=(WorkKind.IDENTITY,), subject=photo.hex))


def close(ward: Hospital, photo: Photo) -> None:
    (item,) = items(ward, photo)
    ward._house.worklist.close(item.id, by="A. Ruiz", note="it is hers")


def test_a_transfer_of_hours_before_the_photo_that_is_told_after_filing(ward: Hospital) -> None:
    _, photo = filed(ward)
    told(ward, "A02", -2 * HOUR, bed="W3^^14")
    (item,) = items(ward, photo)
    assert "the patient was in another bed" in item.why
    assert "4711" not in item.why


def test_another_patient_who_came_into_the_bed_hours_before(ward: Hospital) -> None:
    _, photo = filed(ward)
    told(ward, "A02", -2 * HOUR, RUIZ, "E-2", bed="W3^^12")
    (item,) = items(ward, photo)
    assert "more than one patient was in this bed" in item.why


@pytest.mark.parametrize("minutes", [-2 * HOUR, 2 * HOUR])
def test_what_does_not_touch_the_photo_is_nobodys_work(ward: Hospital, minutes: int) -> None:
    _, photo = filed(ward)
    told(ward, "A02", minutes, RUIZ, "E-2", bed="W3^^14")  # between two other beds
    told(ward, "A02", 2 * HOUR, bed="W3^^14")  # she leaves long after it
    told(ward, "A08", 0, bed="")
    assert items(ward, photo) == []


def after(ward: Hospital, *movements: tuple[str, int, str, str, str]) -> Photo:
    """File a photo after these (event, minutes, patient, encounter, bed), which are no news."""
    device, _ = filed(ward)  # with the first one the list of patients is read
    for event, minutes, patient, encounter, bed in movements:
        told(ward, event, minutes, patient, encounter, bed=bed)
    photo = device.photo(private=BANDED)
    assert ward.receive(device, photo).status == Status.FILED
    return photo


AND_BACK = (
    ("A02", -5 * HOUR, OSEI, "E-1", "W3^^14"),
    ("A02", -3 * HOUR, OSEI, "E-1", "W3^^12"),
)
ANOTHER = (
    ("A01", -9 * HOUR, "9^^^MRN", "E-9", "W3^^12"),
    ("A03", -8 * HOUR, "9^^^MRN", "E-9", ""),
)


def test_a_change_ends_with_the_next_movement_that_was_known(ward: Hospital) -> None:
    photo = after(ward, *AND_BACK)
    told(ward, "A02", -4 * HOUR, bed="W4^^1")  # between the two: she was back for the photo
    assert items(ward, photo) == []


@pytest.mark.parametrize(
    ("event", "before", "whose", "why"),
    [
        ("A11", (), (OSEI, "E-1"), "the patient was in no bed"),
        ("A12", AND_BACK, (OSEI, "E-1"), "the patient was in another bed"),
        ("A13", ANOTHER, ("9^^^MRN", "E-9"), "more than one patient was in this bed"),
    ],
)
def test_what_is_taken_back_after_filing(
    ward: Hospital,
    event: str,
    before: tuple[tuple[str, int, str, str, str], ...],
    whose: tuple[str, str],
    why: str,
) -> None:
    photo = after(ward, *before)
    told(ward, event, 2 * HOUR, *whose)
    (item,) = items(ward, photo)
    assert why in item.why


def test_an_item_that_was_closed_opens_again_for_the_next_change_and_not_for_a_message_told_twice(
    ward: Hospital,
) -> None:
    _, photo = filed(ward)
    told(ward, "A02", 10, bed="W3^^14")
    close(ward, photo)
    told(ward, "A02", 10, bed="W3^^14")
    assert items(ward, photo) == []
    told(ward, "A02", -2 * HOUR, bed="W4^^1")
    (item,) = items(ward, photo)
    steps = [step.what for step in ward._house.worklist.history(item.id)]
    assert steps == ["opened", "closed", "opened again"]
    close(ward, photo)
    told(ward, "A40", 3 * HOUR, RUIZ, mrg=OSEI)
    close(ward, photo)
    told(ward, "A40", 3 * HOUR, RUIZ, mrg=OSEI)
    assert items(ward, photo) == []


def test_P8_what_a_person_decided_is_looked_at_again_too(ward: Hospital, decided: Store) -> None:
    device = ward.enrol()
    photo = device.photo(private=None)
    assert ward.receive(device, photo).status == Status.HELD
    cases = Cases(store=decided, clock=lambda: time.time_ns() // 1_000_000)
    cases.resolve(photo.hex, patient="4711", encounter=None, by="A. Ruiz", reason="asked her")
    assert wait_for_receipt(ward, photo, 2).status == Status.FILED
    told(ward, "A02", -2 * HOUR, bed="W3^^14")
    assert len(items(ward, photo)) == 1


@pytest.mark.parametrize("merged", [False, True])
def test_P5_a_photo_that_waits_for_a_record_system_is_decided_anew(
    ward: Hospital, merged: bool
) -> None:
    device = ward.enrol()
    away = ward.record.rename(ward.folder / "away")
    ward.record.write_text("where the share should be")
    photo = device.photo(private=BANDED)
    assert ward.receive(device, photo).status == Status.HELD
    if merged:
        told(ward, "A40", 3 * HOUR, RUIZ, mrg=OSEI)
    else:
        told(ward, "A02", -2 * HOUR, bed="W3^^14")
    assert len(items(ward, photo)) == 1  # part of the record systems may have it
    ward.record.unlink()
    away.rename(ward.record)

    def given_up() -> Any:
        ward.look_around()
        return ward.rows("select reason from photos where state = 'held' and not refile")

    ((reason,),) = ward.until(given_up, 20, "the new decision")
    assert "merged" in reason if merged else "another bed" in reason
    assert not ward.filed(photo)


def test_whoever_says_whose_a_held_photo_is_has_looked_at_what_was_told_of_it(
    ward: Hospital, decided: Store
) -> None:
    device = ward.enrol()
    ward.record.rename(ward.folder / "away")
    ward.record.write_text("where the share should be")
    photo = device.photo(private=BANDED)
    assert ward.receive(device, photo).status == Status.HELD
    told(ward, "A02", -2 * HOUR, bed="W3^^14")
    cases = Cases(store=decided, clock=lambda: time.time_ns() // 1_000_000)
    cases.resolve(photo.hex, patient="4711", encounter=None, by="A. Ruiz", reason="asked her")
    assert items(ward, photo) == []
    told(ward, "A02", -1 * HOUR, bed="W3^^15")
    assert len(items(ward, photo)) == 1


def test_a_photo_that_is_on_its_way_into_the_record_is_compared_by_its_bed_too(
    ward: Hospital,
) -> None:
    device, _ = filed(ward)
    for folder in (ward.record, ward.state / "sealed"):
        folder.rename(folder.with_name(f"{folder.name}.away"))
        folder.write_text("no folder")
    photo = device.photo(private=BANDED)
    ward.ask(device, photo)
    for data in photo.chunks():
        ward.hear(device.name, "up/gateway", data)
    ward.hear(device.name, "up/gateway", Fin(photo.id))
    given = "select 1 from assignments where photo = :p"
    ward.until(lambda: ward.rows(given, p=photo.hex), 10, "the assignment")
    assert ward.rows("select state from photos where photo = :p", p=photo.hex) == [("arriving",)]
    told(ward, "A02", -2 * HOUR, RUIZ, "E-2", bed="W3^^12")
    (item,) = items(ward, photo)
    assert item.why.endswith("more than one patient was in this bed")


def test_no_change_is_taken_in_while_a_photo_is_decided_that_knows_nothing_of_it(
    ward: Hospital, decided: Store
) -> None:
    device, _ = filed(ward)  # the list of patients has been read
    photo, answers = device.photo(private=BANDED), list[Any]()
    bringing = threading.Thread(target=lambda: answers.append(ward.receive(device, photo)))
    at_ms = CAPTURED_MS - 120 * 60_000
    with decided.begin() as session:
        before = late.Before(session)
        before.keep("E-2")
        came = Movement(at_ms, Moved.IN, Place("W3", "12"))
        census.remember(
            session, Told(Patient("815"), (), Encounter("E-2"), (came,)), at_ms=CAPTURED_MS
        )
        before.look_again(CAPTURED_MS)
        bringing.start()
        waits = text("select count(*) from pg_locks where locktype = 'advisory' and not granted")
        while decided.dialect == "postgresql" and not session.scalar(waits):
            assert bringing.is_alive(), "the photo waited for nobody"
    bringing.join()
    assert (answers[0].status, answers[0].reason) == (
        Status.HELD,
        "more than one patient was in this bed",
    )


def test_a_merge_that_puts_the_patient_into_two_beds_puts_the_survivors_photo_before_a_person(
    ward: Hospital,
) -> None:
    _, photo = filed(ward)
    told(ward, "A40", 3 * HOUR, OSEI, mrg="9^^^MRN")  # of whom nothing is known
    assert items(ward, photo) == []
    told(ward, "A40", 3 * HOUR, OSEI, mrg=RUIZ)
    (item,) = items(ward, photo)
    assert "in two beds" in item.why
    close(ward, photo)
    told(ward, "A40", 3 * HOUR, OSEI, mrg=RUIZ)
    assert items(ward, photo) == []


def test_what_is_told_under_a_merged_number_is_the_survivors(
    ward: Hospital, decided: Store
) -> None:
    _, photo = filed(ward)
    told(ward, "A40", 3 * HOUR, "5000^^^MRN", mrg=OSEI)
    close(ward, photo)
    told(ward, "A08", 0, bed="W3^^12")  # sent before the merge, and late
    assert items(ward, photo) == []
    with decided.read() as session:
        assert [stay.patient for stay in census.stays_during(session, ["E-1"])["E-1"]] == ["5000"]


def test_a_care_copy_of_a_photo_that_was_undone_is_looked_at_again(ward: Hospital) -> None:
    device, photo = filed(ward)
    device.undo(photo)
    ward.sync(device, device.batch())

    def undone() -> Any:
        ward.look_around()
        return ward.rows("select 1 from photos where state = 'undone'")

    ward.until(undone, 20, "UNDONE")
    told(ward, "A40", 3 * HOUR, RUIZ, mrg=OSEI)
    assert len(items(ward, photo)) == 1


def test_a_list_of_patients_that_is_corrected_after_filing(ward: Hospital) -> None:
    device, photo = filed(ward)
    left = PATIENTS.replace("12,2023-11-10T08:00Z,", "12,2023-11-10T08:00Z,2023-11-14T20:00Z")
    (ward.site.gateway / "patients.csv").write_text(left)
    ward.receive(device, device.photo(private=BANDED))
    (item,) = items(ward, photo)
    assert "in no bed" in item.why
