"""The worklist for people: nothing on it ends without a name and a note."""

from pathlib import Path
from typing import Any

import pytest

from gateway import worklist
from gateway.beds import Beds
from gateway.config import WardOwner, WorklistSettings
from gateway.store import Store
from gateway.tables import WorkKind
from gateway.worklist import Again
from gateway.worklist_desk import CLOCK, Filter, NotDone, Worklist

NOW = 1_700_000_000_000
MINUTE = 60_000


class Clock:
    def __init__(self) -> None:
        self.ms = NOW

    def __call__(self) -> int:
        return self.ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def desk(store: Store, clock: Clock, tmp_path: Path) -> Worklist:
    beds = tmp_path / "beds.csv"
    beds.write_text(
        "device,ward,room,bed,shown,since\nward3-bed12,W3,,12,Bed 12,\nward4-bed1,W4,,1,Bed 1,\n"
    )
    settings = WorklistSettings(wards=(WardOwner("W3", "sister Ruiz"),), escalate_to="the officer")
    return Worklist(
        store=store,
        beds=Beds(beds),
        settings=settings,
        clock=clock,
        occupied=lambda _session, place, _at: "4711" if place.bed == "12" else None,
    )


def note(
    store: Store,
    kind: WorkKind,
    subject: str = "ab" * 32,
    device: str = "ward3-bed12",
    **more: Any,
) -> bool:
    said = {"why": "why", "at_ms": NOW, "about_ms": NOW - 5, **more}
    with store.begin() as session:
        return worklist.note(session, kind, device=device, subject=subject, **said)


def test_a_new_item_gets_its_place_its_likely_patient_and_its_owner(
    desk: Worklist, store: Store
) -> None:
    note(store, WorkKind.LOST)
    note(store, WorkKind.HELD, device="ward4-bed1")
    note(store, WorkKind.ALARM, device="nowhere")
    desk.round()
    nowhere, other, lost = desk.items()
    assert (lost.ward, lost.bed, lost.patient, lost.owner) == ("W3", "12", "4711", "sister Ruiz")
    assert (lost.about_ms, lost.photo) == (NOW - 5, "ab" * 32)
    assert (other.ward, other.patient, other.owner) == ("W4", None, "clinical photography")
    assert (nowhere.ward, nowhere.owner) == ("", "clinical photography")


def test_items_are_found_by_kind_ward_bed_owner_and_state(desk: Worklist, store: Store) -> None:
    note(store, WorkKind.LOST)
    note(store, WorkKind.SITE)
    note(store, WorkKind.HELD, device="ward4-bed1")
    desk.round()
    assert [item.kind for item in desk.items(Filter(ward="W3"))] == [WorkKind.SITE, WorkKind.LOST]
    assert [item.ward for item in desk.items(Filter(kinds=(WorkKind.HELD,)))] == ["W4"]
    assert len(desk.items(Filter(owner="sister Ruiz", bed="12"))) == 2
    assert len(desk.items(Filter(patient="4711"))) == 2
    assert len(desk.items(Filter(device="ward4-bed1"))) == 1
    assert desk.counts() == {WorkKind.LOST: 1, WorkKind.SITE: 1, WorkKind.HELD: 1}
    first, second = desk.items(limit=2)
    (third,) = desk.items(before=second.id)
    assert first.id > second.id > third.id


def test_only_a_named_person_closes_an_item_and_only_with_a_note(
    desk: Worklist, store: Store
) -> None:
    note(store, WorkKind.LOST)
    (item,) = desk.items()
    for by, words in (("", "found"), ("  ", "found"), (CLOCK, "found"), ("x" * 101, "found")):
        with pytest.raises(NotDone, match="a person must be named"):
            desk.close(item.id, by=by, note=words)
    with pytest.raises(NotDone, match="a note is needed"):
        desk.close(item.id, by="A. Ruiz", note=" \n ")
    assert desk.items() == [item]
    closed = desk.close(item.id, by=" A.  Ruiz ", note="taken again at 15:10")
    assert (closed.closed_by, closed.note, closed.open) == (
        "A. Ruiz",
        "taken again at 15:10",
        False,
    )
    with pytest.raises(NotDone, match="was closed already, by A\\. Ruiz"):
        desk.close(item.id, by="B", note="again")
    with pytest.raises(NotDone, match="there is no item 99"):
        desk.assign(99, "B", by="B")
    assert desk.items() == []
    assert desk.items(Filter(open=None)) == desk.items(Filter(open=False)) == [closed]


def test_an_objection_ends_by_its_decision_and_an_alarm_by_governance(
    desk: Worklist, store: Store
) -> None:
    note(store, WorkKind.OBJECTION)
    note(store, WorkKind.ALARM)
    alarm, objection = desk.items()
    for governance in (False, True):
        with pytest.raises(NotDone, match="an objection is decided on its photo's page"):
            desk.close(objection.id, by="A. Ruiz", note="settled", governance=governance)
    with pytest.raises(NotDone, match="an alarm is closed by governance"):
        desk.close(alarm.id, by="A. Ruiz", note="it was me")
    assert len(desk.items()) == 2
    closed = desk.close(alarm.id, by="V. Lind", note="looked into", governance=True)
    assert not closed.open and desk.items() == [objection]


def test_what_was_done_about_an_item_stands_in_its_history(
    desk: Worklist, store: Store, clock: Clock
) -> None:
    note(store, WorkKind.LOST)
    desk.round()
    (item,) = desk.items()
    clock.ms += MINUTE
    assert desk.assign(item.id, "Dr. Osei", by="A. Ruiz").owner == "Dr. Osei"
    clock.ms += MINUTE
    desk.close(item.id, by="Dr. Osei", note="taken again")
    told = [(step.by, step.what, step.note) for step in desk.history(item.id)]
    assert told == [
        (CLOCK, "opened", "why"),
        ("A. Ruiz", "assigned", "Dr. Osei"),
        ("Dr. Osei", "closed", "taken again"),
    ]


def test_what_waits_for_an_hour_is_escalated_once_and_a_missing_site_is_not(
    desk: Worklist, store: Store, clock: Clock
) -> None:
    note(store, WorkKind.HELD)
    note(store, WorkKind.SITE)
    clock.ms = NOW + 60 * MINUTE - 1
    assert desk.round() == 0
    clock.ms += 1
    assert desk.round() == 1
    assert desk.round() == 0
    (item,) = desk.items(Filter(escalated=True))
    assert (item.kind, item.owner, item.escalated_ms) == (WorkKind.HELD, "the officer", clock.ms)
    assert [step.what for step in desk.history(item.id)] == ["opened", "escalated"]
    assert [item.kind for item in desk.items(Filter(escalated=False))] == [WorkKind.SITE]


def test_a_new_occasion_opens_a_closed_item_as_new_and_keeps_its_history(
    desk: Worklist, store: Store, clock: Clock
) -> None:
    assert note(store, WorkKind.LOST)
    desk.round()
    clock.ms += 90 * MINUTE
    assert desk.round() == 1
    (item,) = desk.items()
    for number in (1, 2):
        desk.close(item.id, by="A. Ruiz", note=f"looked at it, {number}")
        assert not note(store, WorkKind.LOST, at_ms=clock.ms, why="more")
        clock.ms += MINUTE
        assert note(store, WorkKind.LOST, at_ms=clock.ms, why="more", again=Again.ALWAYS)
        assert not note(store, WorkKind.LOST, at_ms=clock.ms, why="more", again=Again.ALWAYS)
    assert desk.round() == 0
    (again,) = desk.items()
    assert (again.id, again.why, again.opened_ms, again.note) == (item.id, "more", clock.ms, "")
    assert (again.owner, again.escalated_ms, again.closed_by) == ("sister Ruiz", None, None)
    assert [(step.what, step.note) for step in desk.history(item.id)] == [
        ("opened", "why"),
        ("escalated", "open for 60 min; now the officer"),
        ("closed", "looked at it, 1"),
        ("opened again", "more"),
        ("closed", "looked at it, 2"),
        ("opened again", "more"),
    ]
    clock.ms += 60 * MINUTE
    assert desk.round() == 1


def test_what_may_be_told_twice_opens_a_closed_item_only_in_new_words(
    desk: Worklist, store: Store
) -> None:
    note(store, WorkKind.LOST)
    (item,) = desk.items()
    desk.close(item.id, by="A. Ruiz", note="a known fault")
    assert not note(store, WorkKind.LOST, again=Again.NEW_WORDS)
    assert note(store, WorkKind.LOST, again=Again.NEW_WORDS, why="another fault")
    assert [one.why for one in desk.items()] == ["another fault"]
