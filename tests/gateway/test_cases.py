"""From the wristband to the record, and what people decide: resolved, moved, owed. Real parts."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.__main__ import main as wardseal
from gateway.cases import Cases, Move, Stand
from gateway.database import engine_for
from gateway.store import Store
from gateway.tables import WorkKind
from gateway.worklist_desk import Filter, NotDone, Worklist
from neighbours.adt import send
from tests.gateway.bedside import CAPTURED_MS, Device, Photo, jpeg
from tests.gateway.hospital import Hospital
from tests.gateway.test_adt import message
from tests.gateway.ward import PATIENTS, SHOWN
from wire.envelope import Private
from wire.ledger import open_entry
from wire.messages import Status

BANDED = Private(bed=SHOWN, quality={}, band="4711")


@pytest.fixture
def cases(ward: Hospital) -> Iterator[Cases]:
    """As the console has it: another store on the same database."""
    store = Store(engine_for(ward.url, ward.state / "gateway.db"))
    yield Cases(store=store, clock=lambda: time.time_ns() // 1_000_000)
    store.close()


def desk(ward: Hospital) -> Worklist:
    return ward._house.worklist


def pages(ward: Hospital, photo: Photo) -> dict[str, Any]:
    """Every JSON page of a photo in the folder, by its file's name."""
    found = ward.record.glob(f"*/{photo.hex}*.json")
    return {path.stem: json.loads(path.read_bytes()) for path in found}


def wait_for_receipt(ward: Hospital, photo: Photo, number: int) -> Any:
    def look() -> Any:
        ward.look_around()
        return next((r for r in ward.receipts(photo) if r.number == number), None)

    return ward.until(look, 20, f"receipt {number}")


def test_a_band_that_the_bed_confirms_files_to_the_patient(ward: Hospital, cases: Cases) -> None:
    device = ward.enrol()
    photo = device.photo(private=BANDED)
    assert ward.receive(device, photo).status == Status.FILED
    ((_, page),) = pages(ward, photo).items()
    assert page["patient"]["number"] == "4711"
    assert page["identity"] == "wristband, confirmed by the bed"
    (assigned,) = cases.assignments(photo.hex)
    assert (assigned.patient, assigned.encounter, assigned.by) == ("4711", "E-1", "")


def test_P9_a_held_photo_says_why_and_names_nobody_and_a_person_resolves_it(
    ward: Hospital, cases: Cases, caplog: pytest.LogCaptureFixture
) -> None:
    device = ward.enrol()
    with caplog.at_level("DEBUG"):
        photo = device.photo(private=Private(bed=SHOWN, quality={}))
        held = ward.receive(device, photo)
        assert (held.status, held.reason) == (Status.HELD, "no wristband was read")
        ward.look_around()

        def completed() -> Any:
            return next(iter(desk(ward).items(Filter(kinds=(WorkKind.HELD,), ward="W3"))), None)

        item = ward.until(completed, 10, "the item's place")
        assert (item.photo, item.bed, item.patient) == (photo.hex, "12", "4711")
        for wrong in ({"patient": "9"}, {"encounter": "E-2"}, {"by": " "}, {"reason": ""}):
            usual: dict[str, Any] = {
                "patient": "4711",
                "encounter": "E-1",
                "by": "A. Ruiz",
                "reason": "asked him",
            }
            with pytest.raises(NotDone):
                cases.resolve(photo.hex, **{**usual, **wrong})
        with pytest.raises(NotDone, match="still held: say whose it is, or enter an objection"):
            desk(ward).close(item.id, by="A. Ruiz", note="seen")
        assert not ward.filed(photo)
        cases.resolve(photo.hex, patient="4711", encounter="E-1", by="A. Ruiz", reason="asked him")
        filed = wait_for_receipt(ward, photo, 2)
    assert filed.status == Status.FILED
    ((_, page),) = pages(ward, photo).items()
    assert page["patient"]["number"] == "4711"
    closed = desk(ward).get(item.id)
    assert (closed.closed_by, closed.note) == ("A. Ruiz", "asked him")
    assert [step.what for step in desk(ward).history(item.id)] == ["opened", "resolved", "closed"]
    for secret in ("4711", "Osei", "E-1"):
        assert secret not in caplog.text
        assert not any(secret in str(path) for path in ward.folder.rglob("*"))
    with pytest.raises(NotDone, match="it is filed"):
        cases.resolve(photo.hex, patient="4711", encounter=None, by="B", reason="x")


def test_what_lies_is_not_filed_because_a_person_knows_the_patient(
    ward: Hospital, cases: Cases
) -> None:
    device = ward.enrol()
    photo = device.photo(b"no picture", private=BANDED)
    assert ward.receive(device, photo).status == Status.HELD
    cases.resolve(photo.hex, patient="4711", encounter=None, by="A. Ruiz", reason="asked him")

    def given_up() -> bool:
        ward.look_around()
        return [tuple(row) for row in ward.rows("select state, refile from photos")] in (
            [("held", 0)],
            [("held", False)],
        )

    ward.until(given_up, 20, "the refusal")
    assert not ward.filed(photo)
    assert [r.status for r in ward.receipts(photo)] == [Status.HELD]


def moved(ward: Hospital, cases: Cases, photo: Photo) -> Move:
    move = cases.ask_to_move(
        photo.hex, patient="815", encounter="E-2", by="A. Ruiz", reason="beds were swapped"
    )
    with pytest.raises(NotDone, match="a second person is needed"):
        cases.decide(move.id, confirm=True, second="a. ruiz")
    with pytest.raises(NotDone, match="is under way"):
        cases.ask_to_move(photo.hex, patient="815", encounter="E-2", by="B", reason="again")
    return cases.decide(move.id, confirm=True, second="Dr. Osei")


def test_a_photo_moved_by_two_people_is_in_error_at_a_and_exactly_once_at_b(
    ward: Hospital, cases: Cases
) -> None:
    device = ward.enrol()
    photo = device.photo(private=BANDED)
    ward.receive(device, photo)
    move = moved(ward, cases, photo)
    assert (move.stand, move.second) == (Stand.CONFIRMED, "Dr. Osei")

    def done() -> bool:
        ward.look_around()
        found = pages(ward, photo)
        return len(found) == 2 and found[photo.hex]["status"] == "entered in error"

    ward.until(done, 20, "the move")
    ward.look_around()
    found = pages(ward, photo)
    assert found[photo.hex]["patient"]["number"] == "4711"
    new = found[f"{photo.hex}-2"]
    assert (new["patient"]["number"], new["status"]) == ("815", "filed")
    assert new["captured"] == found[photo.hex]["captured"]
    assert [one.number for one in cases.assignments(photo.hex)] == [1, 2]
    assert cases.assignments(photo.hex)[1].second == "Dr. Osei"
    assert cases.moves(photo.hex)[0].stand is Stand.CARRIED_OUT
    with pytest.raises(NotDone, match="filed to this patient already"):
        cases.ask_to_move(photo.hex, patient="815", encounter="E-2", by="B", reason="x")


def test_a_move_that_the_second_person_refuses_changes_nothing(
    ward: Hospital, cases: Cases
) -> None:
    device = ward.enrol()
    photo = device.photo(private=BANDED)
    ward.receive(device, photo)
    move = cases.ask_to_move(photo.hex, patient="815", encounter=None, by="A", reason="perhaps")
    assert cases.decide(move.id, confirm=False, second="B").stand is Stand.REFUSED
    ward.look_around()
    assert len(pages(ward, photo)) == 1
    with pytest.raises(NotDone, match="no such move"):
        cases.decide(move.id, confirm=True, second="B")


def test_no_photo_is_moved_into_a_record_that_was_merged_away_while_it_waited(
    ward: Hospital, cases: Cases
) -> None:
    device = ward.enrol()
    photo = device.photo(private=BANDED)
    ward.receive(device, photo)
    move = cases.ask_to_move(photo.hex, patient="815", encounter="E-2", by="A", reason="swapped")
    line = ward._house.line
    assert line is not None
    send(line.port, message("A40", patient="5000^^^MRN", mrg="815^^^MRN"))
    with pytest.raises(NotDone, match="this record was merged into 5000"):
        cases.decide(move.id, confirm=True, second="B")
    assert cases.decide(move.id, confirm=False, second="B").stand is Stand.REFUSED


def test_a_transfer_that_is_told_after_filing_puts_the_photo_before_a_person(
    ward: Hospital,
) -> None:
    device = ward.enrol()
    photo = device.photo(private=BANDED)
    assert ward.receive(device, photo).status == Status.FILED
    line = ward._house.line
    assert line is not None
    at = time.strftime("%Y%m%d%H%M+0000", time.gmtime(CAPTURED_MS / 1000 + 600))
    send(line.port, message("A02", patient="4711^^^MRN", at=at, bed="W4^^1", encounter="E-1"))
    (item,) = desk(ward).items(Filter(kinds=(WorkKind.IDENTITY,)))
    assert item.photo == photo.hex
    assert "within 15 minutes" in item.why
    desk(ward).close(item.id, by="A. Ruiz", note="asked him")
    send(line.port, message("A02", patient="4711^^^MRN", at=at, bed="W4^^1", encounter="E-1"))
    assert not desk(ward).items(Filter(kinds=(WorkKind.IDENTITY,))), "told twice"
    for _ in range(2):
        send(line.port, message("A40", patient="5000^^^MRN", mrg="4711^^^MRN"))
        again = desk(ward).items(Filter(kinds=(WorkKind.IDENTITY,)))
        if again:
            assert (again[0].id, again[0].patient) == (item.id, "5000")
            assert "merged" in again[0].why
            desk(ward).close(item.id, by="A. Ruiz", note="the same person")
    what = [step.what for step in desk(ward).history(item.id)]
    assert what == ["opened", "closed", "opened again", "closed"]


def test_a_list_that_cannot_be_read_holds_photos_until_it_can(ward: Hospital) -> None:
    device = ward.enrol()
    file = ward.site.gateway / "patients.csv"
    file.write_text("what is this")
    photo = device.photo(private=BANDED)
    held = ward.receive(device, photo)
    assert held.status == Status.HELD
    assert held.reason.startswith("the list of patients cannot be used: the first line must be")
    file.write_text(PATIENTS)
    assert wait_for_receipt(ward, photo, 2).status == Status.FILED


def test_what_a_filed_photo_lacks_is_put_on_the_worklist_once(ward: Hospital) -> None:
    device: Device = ward.enrol()
    photo = device.photo(private=BANDED)
    ward.receive(device, photo)

    def kinds() -> set[WorkKind]:
        ward.look_around()
        return set(desk(ward).counts(Filter(subject=photo.hex)))

    ward.until(lambda: kinds() == {WorkKind.UNATTESTED, WorkKind.SITE}, 10, "what is owed")
    ward.look_around()
    assert desk(ward).counts() == {WorkKind.UNATTESTED: 1, WorkKind.SITE: 1}


def test_an_export_has_what_is_the_patients_and_nothing_of_another(
    ward: Hospital, cases: Cases, tmp_path: Path
) -> None:
    device = ward.enrol()
    photo, other = device.photo(private=BANDED), device.photo(jpeg(seed=5), private=BANDED)
    ward.receive(device, photo)
    ward.receive(device, other)
    moved(ward, cases, other)

    def done() -> bool:
        ward.look_around()
        under_way = ward.rows("select 1 from filings where wanted != stand")
        return len(pages(ward, other)) == 2 and not under_way

    ward.until(done, 20, "the move")
    command = ["patient", "export", "4711", "--config", str(ward.config_file)]
    assert wardseal([*command, str(tmp_path / "out")]) == 0
    taken = "select subject, login from viewings where what = 'patient export'"
    assert {subject for subject, _ in ward.rows(taken)} == {"4711", photo.hex, other.hex}
    assert all(login.startswith("shell:") for _, login in ward.rows(taken))
    page = json.loads((tmp_path / "out" / "export.json").read_bytes())
    assert (page["patient"]["family"], page["encounters"]) == ("Osei", ["E-1"])
    told = {each["photo"]: each for each in page["photos"]}
    assert set(told) == {photo.hex, other.hex}
    assert told[photo.hex]["uses"]["read for care"] and told[photo.hex]["this_patients_now"]
    assert not told[photo.hex]["uses"]["use for teaching"]
    assert not told[other.hex]["this_patients_now"]
    text = json.dumps(page)
    assert not re.search(r"\b815\b", text) and "Ruiz" not in text
    (opened,) = (tmp_path / "out" / "photos").iterdir()
    assert opened.read_bytes() == photo.jpeg
    entries = {path.name.split(".")[1] for path in (tmp_path / "out" / "ledger").iterdir()}
    assert entries == {"consent", "intent", "sealed"}
    key = (device.signer.public,)
    raw = (tmp_path / "out" / "ledger" / f"{photo.hex}.intent.cose").read_bytes()
    assert open_entry(raw, key).digest == photo.intent.digest
    assert wardseal([*command, str(tmp_path / "out")]) == 3
    unknown = ["patient", "export", "9", "--config", str(ward.config_file), str(tmp_path / "no")]
    assert wardseal(unknown) == 1
    assert not (tmp_path / "no").exists()
    assert len(ward.rows(taken)) == 3
    full = "create trigger full before insert on viewings begin select raise(abort, 'full'); end"
    if not ward.url:
        ward.change(full)
        assert wardseal([*command, str(tmp_path / "unsaid")]) == 1
        assert not (tmp_path / "unsaid").exists(), "nothing leaves that the audit has not"
