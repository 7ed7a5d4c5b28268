"""What somebody owes: a photo that does not come, a reason, a badge, a body site."""

import time

import pytest
from sqlalchemy import select

from gateway.database import engine_for
from gateway.owed import UNSENT_MS, Owed
from gateway.store import Store
from gateway.tables import Photo, State, WorkItem, WorkKind
from gateway.worklist_desk import Filter
from tests.gateway.bedside import Device, jpeg
from tests.gateway.hospital import Hospital
from wire import events

NOW = 1_700_000_000_000


def later(hospital: Hospital, store: Store, ms: int) -> None:
    """Look around as if so much time had passed."""
    now = time.time_ns() // 1_000_000 + ms
    Owed(store=store, clock=lambda: now).round()


@pytest.fixture
def beside(hospital: Hospital) -> Store:
    """Another store on the hospital's database."""
    return Store(engine_for(hospital.url, hospital.state / "gateway.db"))


def kinds(hospital: Hospital) -> list[WorkKind]:
    return [item.kind for item in hospital._house.worklist.items()]


def test_P5_a_photo_that_is_sealed_and_does_not_come_is_on_the_worklist_after_ten_minutes(
    hospital: Hospital, device: Device, beside: Store
) -> None:
    photo = device.photo()
    hospital.sync(device, device.batch())
    later(hospital, beside, UNSENT_MS - 60_000)
    assert kinds(hospital) == []
    later(hospital, beside, UNSENT_MS)
    (item,) = hospital._house.worklist.items()
    assert (item.kind, item.photo) == (WorkKind.UNSENT, photo.hex)
    assert item.about_ms == photo.sealed.entry.wall_ms
    later(hospital, beside, UNSENT_MS)
    assert len(kinds(hospital)) == 1
    beside.close()


def test_P5_a_photo_that_the_device_lost_is_told_once_with_its_time(
    hospital: Hospital, device: Device, beside: Store
) -> None:
    photo = device.photo()
    device.write(events.Lost(photo.intent.digest, "power", photo.id))
    hospital.sync(device, device.batch())
    later(hospital, beside, UNSENT_MS)
    (item,) = hospital._house.worklist.items()
    assert (item.kind, item.photo) == (WorkKind.LOST, photo.hex)
    assert item.about_ms == photo.intent.entry.wall_ms
    beside.close()


def test_a_photo_that_came_or_was_undone_is_not_waited_for(
    hospital: Hospital, device: Device, beside: Store
) -> None:
    come, undone = device.photo(), device.photo(jpeg(seed=1))
    hospital.sync(device, device.batch())
    hospital.receive(device, come)
    device.undo(undone)
    hospital.sync(device, device.batch(len(device.entries) - 1))
    later(hospital, beside, UNSENT_MS)
    assert WorkKind.UNSENT not in kinds(hospital)
    beside.close()


def test_P5_a_transfer_that_came_to_no_end_is_told_as_well(
    hospital: Hospital, device: Device, beside: Store
) -> None:
    photo = device.photo(jpeg(320, 240))
    hospital.ask(device, photo)
    later(hospital, beside, UNSENT_MS)
    (item,) = hospital._house.worklist.items(Filter(kinds=(WorkKind.UNSENT,)))
    assert item.photo == photo.hex
    beside.close()


@pytest.mark.parametrize(
    ("basis", "has", "owed"),
    [
        ("agreed", (True, True), set()),
        ("agreed", (False, True), {WorkKind.UNATTESTED}),
        ("agreed", (True, False), {WorkKind.SITE}),
        ("emergency", (True, True), {WorkKind.REASON}),
        ("no-capacity", (True, True), {WorkKind.REASON}),
        ("proxy", (False, False), {WorkKind.REASON, WorkKind.UNATTESTED, WorkKind.SITE}),
    ],
)
def test_what_a_filed_photo_lacks_is_told_in_words(
    store: Store, basis: str, has: tuple[bool, bool], owed: set[WorkKind]
) -> None:
    with store.begin() as session:
        session.add(
            Photo(
                photo="a" * 64,
                device="dev-1",
                ledger="aa",
                seq=1,
                intent="a" * 64,
                state=State.FILED,
                captured_ms=NOW,
                clock="synced",
                changed_ms=NOW,
                level="care",
                basis=basis,
                attested=has[0],
                sited=has[1],
            )
        )
    desk = Owed(store=store, clock=lambda: NOW)
    desk.round()
    desk.round()
    with store.read() as session:
        found = [WorkKind(row.kind) for row in session.scalars(select(WorkItem))]
    assert set(found) == owed and len(found) == len(owed)
