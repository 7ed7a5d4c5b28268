"""An objection told to the hospital does what UNDO does, and governance decides. Real parts."""

import re
import time
from pathlib import Path
from typing import Any

import pytest

from gateway.cases import Cases, Stand
from gateway.database import engine_for
from gateway.objections import Decision, Objections, Stage
from gateway.retention import Retention
from gateway.store import Store
from gateway.tables import Photo as PhotoRow
from gateway.tables import WorkKind
from gateway.uses import Standing, Use, may
from gateway.worklist_desk import Filter, NotDone
from tests.gateway.bedside import Device, Photo
from tests.gateway.filing.hl7_peer import Receiver
from tests.gateway.hospital import Hospital
from tests.gateway.test_cases import BANDED, desk, pages
from tests.gateway.ward import furnish
from wire.envelope import Private
from wire.messages import Status

TOLD: dict[str, Any] = {"said_by": "the patient", "words": "not my face", "by": "A. Ruiz"}
SAID_MS = 1_700_000_100_000
ASKED = Filter(kinds=(WorkKind.OBJECTION,))


def clock() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
def objections(decided: Store) -> Objections:
    return Objections(store=decided, clock=clock)


@pytest.fixture
def bedside(ward: Hospital) -> Device:
    return ward.enrol()


@pytest.fixture
def photo(ward: Hospital, bedside: Device) -> Photo:
    taken = bedside.photo(private=BANDED)
    assert ward.receive(bedside, taken).status == Status.FILED
    return taken


def wait(ward: Hospital, predicate: Any, what: str) -> Any:
    def look() -> Any:
        ward.look_around()
        return predicate()

    return ward.until(look, 20, what)


def undone(ward: Hospital, photo: Photo) -> Any:
    def look() -> Any:
        return next((r for r in ward.receipts(photo) if r.status == Status.UNDONE), None)

    return wait(ward, look, "UNDONE")


def standing(store: Store, photo: Photo) -> Standing:
    with store.read() as session:
        return Standing.of(session.get_one(PhotoRow, photo.hex))


def test_an_objection_told_ends_sharing_at_once_and_is_signed_and_in_the_record(
    ward: Hospital, objections: Objections, photo: Photo, decided: Store
) -> None:
    entries = ward.rows("select count(*) from ledger_entries")
    told = objections.object(photo.hex, said_ms=SAID_MS, **TOLD)
    assert (told.device, told.stage) == (False, Stage.OPEN)
    now = standing(decided, photo)
    assert not may(Use.REFERRAL, now).may and may(Use.CARE, now).reason
    receipt = undone(ward, photo)
    assert receipt.reason == "the patient told the hospital"
    assert pages(ward, photo)[photo.hex]["status"] == "objection recorded"
    assert ward.rows("select count(*) from ledger_entries") == entries
    (task,) = desk(ward).items(ASKED)
    assert "the patient objected: not my face" in task.why and task.photo == photo.hex
    with pytest.raises(NotDone, match="waits for governance"):
        objections.object(photo.hex, said_ms=SAID_MS, **TOLD)


def test_governance_keeps_it_with_a_reason_and_secondary_use_stays_ended(
    ward: Hospital, objections: Objections, photo: Photo, decided: Store
) -> None:
    told = objections.object(photo.hex, said_ms=SAID_MS, **TOLD)
    undone(ward, photo)
    with pytest.raises(NotDone, match="a reason is needed"):
        objections.decide(told.id, Decision.KEPT, reason=" ", by="O. Fischer")
    kept = objections.decide(told.id, Decision.KEPT, reason="part of the record", by="O. Fischer")
    assert kept.stage is Stage.DONE
    (task,) = desk(ward).items(Filter(kinds=(WorkKind.OBJECTION,), open=False))
    assert (task.closed_by, task.note) == ("O. Fischer", "kept: part of the record")
    now = standing(decided, photo)
    assert may(Use.CARE, now).may and not may(Use.CARE, now).reason
    assert not may(Use.REFERRAL, now).may and not may(Use.TEACHING, now).may
    # He may object again, and governance is asked again.
    objections.object(photo.hex, said_ms=SAID_MS, **TOLD)
    (again,) = desk(ward).items(ASKED)
    assert again.id == task.id
    assert may(Use.CARE, standing(decided, photo)).reason


def test_an_undo_that_was_pressed_waits_for_governance_too_which_may_restrict_it(
    ward: Hospital, bedside: Device, objections: Objections, photo: Photo, decided: Store
) -> None:
    bedside.undo(photo)
    ward.sync(bedside, bedside.batch())
    (task,) = wait(ward, lambda: desk(ward).items(ASKED), "governance's task")
    assert task.why == "UNDO was pressed on the device"
    (pressed,) = objections.of(photo.hex)
    assert pressed.device and pressed.stage is Stage.OPEN
    objections.decide(pressed.id, Decision.RESTRICTED, reason="sensitive", by="O. Fischer")
    verdict = may(Use.CARE, standing(decided, photo))
    assert verdict.may and verdict.reason and verdict.governance
    again = objections.object(photo.hex, said_by="his son", said_ms=1, words="", by="N. Weber")
    assert may(Use.CARE, standing(decided, photo)).governance, "another objection opens nothing"
    objections.decide(again.id, Decision.KEPT, reason="agreed with him", by="O. Fischer")
    assert not may(Use.CARE, standing(decided, photo)).governance


def test_two_people_and_a_law_erase_it_everywhere(
    ward: Hospital, objections: Objections, photo: Photo, decided: Store
) -> None:
    told = objections.object(photo.hex, said_ms=SAID_MS, **TOLD)
    undone(ward, photo)
    with pytest.raises(NotDone, match="name the law"):
        objections.decide(told.id, Decision.ERASED, reason="no ground", by="O. Fischer")
    objections.decide(
        told.id, Decision.ERASED, reason="no ground", law="GDPR Art. 17", by="O. Fischer"
    )
    with pytest.raises(NotDone, match="second person is needed"):
        objections.confirm(told.id, confirm=True, second="o. fischer")
    assert (ward.state / "sealed" / f"{photo.hex}.wardseal").exists()
    cases = Cases(store=decided, clock=lambda: SAID_MS)
    other: dict[str, Any] = {"patient": "815", "encounter": "E-2", "reason": "swapped"}
    move = cases.ask_to_move(photo.hex, **other, by="A. Ruiz")
    objections.confirm(told.id, confirm=True, second="P. Lind")
    with pytest.raises(NotDone, match="was erased"):
        cases.decide(move.id, confirm=True, second="Dr. Osei")

    def erased() -> bool:
        return objections.get(told.id).stage is Stage.DONE

    wait(ward, erased, "the erasure")
    assert not list(ward.state.glob(f"*/*{photo.hex}*"))
    assert [path.suffix for path in ward.filed(photo)] == [".json"]
    assert pages(ward, photo)[photo.hex]["status"] == "entered in error"
    assert may(Use.CARE, standing(decided, photo)).why == "it was erased"
    (task,) = desk(ward).items(Filter(kinds=(WorkKind.OBJECTION,), open=False))
    assert task.closed_by == "P. Lind" and "GDPR Art. 17; asked by O. Fischer" in task.note
    with pytest.raises(NotDone, match="nothing to object to"):
        objections.object(photo.hex, said_ms=SAID_MS, **TOLD)
    assert cases.decide(move.id, confirm=False, second="Dr. Osei").stand is Stand.REFUSED
    with pytest.raises(NotDone, match="was erased"):
        cases.ask_to_move(photo.hex, **other, by="A. Ruiz")


def test_what_a_record_system_only_marks_is_named_and_what_it_deletes_is_not(
    tmp_path: Path,
) -> None:
    receiver, warehouse = Receiver(), tmp_path / "warehouse"
    here: dict[str, Any] = {"regions": ["here"], "region": "here", "service": "fs"}
    hospital = furnish(
        Hospital(tmp_path),
        filing={"report": "later"},
        **{
            "[hl7]": {"host": "127.0.0.1", "port": receiver.port},
            "[storage]": {"name": "archive", "content": "opened", "bucket": str(warehouse), **here},
        },
    ).open()
    store = Store(engine_for("", hospital.state / "gateway.db"))
    try:
        device = hospital.enrol()
        taken = device.photo(private=BANDED)
        assert hospital.receive(device, taken).status == Status.FILED
        ways = "select count(*) from filings where stand = 'filed'"
        wait(hospital, lambda: hospital.rows(ways) == [(4,)], "every record system")
        objections = Objections(store=store, clock=clock)
        told = objections.object(taken.hex, said_ms=SAID_MS, **TOLD)
        undone(hospital, taken)
        erasure = {"reason": "no ground", "law": "GDPR Art. 17"}
        objections.decide(told.id, Decision.ERASED, **erasure, by="O. Fischer")
        objections.confirm(told.id, confirm=True, second="P. Lind")
        wait(hospital, lambda: objections.get(told.id).stage is Stage.DONE, "the erasure")
        (item,) = desk(hospital).items(Filter(kinds=(WorkKind.UNFILED,)))
        words = r"erased; only marked in error, for its keeper to delete: hl7 MDM/[0-9A-F]+"
        assert re.fullmatch(words, item.why)
        assert {path.suffix for path in warehouse.rglob("*.*")} == {".json"}
        assert {path.suffix for path in hospital.filed(taken)} == {".json"}
    finally:
        store.close()
        hospital.close()
        receiver.close()


def test_an_erasure_that_a_crash_cut_short_leaves_no_picture_and_is_told(
    ward: Hospital, objections: Objections, photo: Photo
) -> None:
    """The sealed copy went, and nothing was on record of it yet."""
    told = objections.object(photo.hex, said_ms=SAID_MS, **TOLD)
    undone(ward, photo)
    assert (ward.state / "opened" / f"{photo.hex}.jpg").exists()
    (ward.state / "sealed" / f"{photo.hex}.wardseal").unlink()
    objections.decide(told.id, Decision.ERASED, reason="no", law="GDPR Art. 17", by="O. Fischer")
    objections.confirm(told.id, confirm=True, second="P. Lind")
    wait(ward, lambda: objections.get(told.id).stage is Stage.DONE, "the erasure")
    assert not list(ward.state.glob(f"*/*{photo.hex}*"))
    said = "select count(*) from deeds where photo = :p and did = 'sealed copy removed'"
    assert ward.rows(said, p=photo.hex) == [(1,)]


def test_an_erasure_may_be_refused_and_a_litigation_hold_forbids_it(
    ward: Hospital, objections: Objections, photo: Photo, decided: Store
) -> None:
    told = objections.object(photo.hex, said_ms=SAID_MS, **TOLD)
    undone(ward, photo)
    asked: dict[str, Any] = {"reason": "no ground", "law": "GDPR Art. 17", "by": "O. Fischer"}
    objections.decide(told.id, Decision.ERASED, **asked)
    refused = objections.confirm(told.id, confirm=False, second="P. Lind")
    assert (refused.stage, refused.decision) == (Stage.OPEN, "")
    (task,) = desk(ward).items(ASKED)
    steps = [step.what for step in desk(ward).history(task.id)]
    assert steps == ["opened", "erasure asked", "erasure refused"]
    retention = Retention(store=decided, days=30, clock=clock)
    retention.hold(photo=photo.hex, by="Legal", reason="a claim")
    with pytest.raises(NotDone, match="a litigation hold keeps this photo"):
        objections.decide(told.id, Decision.ERASED, **asked)


def test_what_never_came_into_a_record_is_destroyed_with_the_objection(
    ward: Hospital, bedside: Device, objections: Objections
) -> None:
    held = bedside.photo(private=Private(bed="W3-12", quality={}))
    assert ward.receive(bedside, held).status == Status.HELD
    told = objections.object(held.hex, said_ms=SAID_MS, **TOLD)
    undone(ward, held)
    wait(ward, lambda: objections.get(told.id).stage is Stage.DONE, "its end")
    assert not list(ward.state.glob(f"*/*{held.hex}*"))
    assert not desk(ward).items(ASKED)


def test_what_cannot_be_entered_is_refused_in_words(
    ward: Hospital, objections: Objections, photo: Photo
) -> None:
    changes: tuple[tuple[dict[str, Any], str], ...] = (
        ({"said_by": " "}, "who said it must be named"),
        ({"by": ""}, "a person must be named"),
        ({"said_ms": clock() + 60_000}, "later than now"),
    )
    for changed, words in changes:
        with pytest.raises(NotDone, match=words):
            objections.object(photo.hex, **{"said_ms": SAID_MS, **TOLD, **changed})
    with pytest.raises(NotDone, match="no such photo"):
        objections.object("0" * 64, said_ms=SAID_MS, **TOLD)
    assert not objections.of(photo.hex)
