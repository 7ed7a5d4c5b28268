"""What FILED does not wait for follows by itself, and an UNDO waits for all that has the photo."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from gateway.cases import Cases
from gateway.database import engine_for
from gateway.filing.base import FilingError
from gateway.filing.waiting import LONGEST_MS, SHORTEST_MS, Patience, wait_ms
from gateway.store import Store
from gateway.tables import WorkKind
from gateway.worklist_desk import Filter
from tests.gateway.bedside import Device, Photo
from tests.gateway.filing.hl7_peer import Receiver
from tests.gateway.hospital import Hospital
from tests.gateway.test_cases import BANDED
from tests.gateway.ward import furnish
from wire.messages import Status


class Warehouse:
    """A record system of the storage sink's that can be taken away and brought back."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def take_away(self) -> None:
        if self.root.exists():
            self.root.rename(self.root.with_suffix(".away"))
        self.root.write_text("no folder")

    def bring_back(self) -> None:
        self.root.unlink()
        away = self.root.with_suffix(".away")
        if away.exists():
            away.rename(self.root)

    def page(self, photo: Photo) -> dict[str, Any]:
        (path,) = self.root.glob(f"*/{photo.hex}.json")
        found: dict[str, Any] = json.loads(path.read_bytes())
        return found


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "warehouse")


@pytest.fixture
def hospital(tmp_path: Path, warehouse: Warehouse) -> Iterator[Hospital]:
    store = {
        "name": "warehouse",
        "service": "fs",
        "content": "opened",
        "bucket": str(warehouse.root),
        "region": "here",
        "regions": ["here"],
    }
    opened = Hospital(tmp_path, {"[storage]": store}).open()
    yield opened
    opened.close()


@pytest.fixture
def device(hospital: Hospital) -> Device:
    return hospital.enrol()


def row(hospital: Hospital, photo: Photo) -> Any:
    query = "select stand, wanted, attempts, problem from filings where photo = :photo"
    (found,) = hospital.rows(f"{query} and sink = 'warehouse'", photo=photo.hex)
    return found


def becomes(hospital: Hospital, photo: Photo, stand: str) -> None:
    hospital.until(lambda: row(hospital, photo).stand == stand, 20, stand)


def fails(hospital: Hospital, photo: Photo) -> Any:
    return hospital.until(
        lambda: row(hospital, photo) if row(hospital, photo).problem else None, 20, "a problem"
    )


def time_passes(hospital: Hospital, *, attempts: int = 1) -> None:
    """So much that everything is due, after so many failures in vain."""
    engine = create_engine(f"sqlite:///{hospital.state / 'gateway.db'}")
    with engine.begin() as connection:
        connection.execute(
            text("update filings set due_ms = 1, problem = '', attempts = :n where due_ms > 0"),
            {"n": attempts},
        )
    engine.dispose()


def test_what_is_not_waited_for_follows(
    hospital: Hospital, device: Device, warehouse: Warehouse
) -> None:
    photo = device.photo()
    (reference,) = hospital.receive(device, photo).refs
    assert reference.startswith("folder:")
    becomes(hospital, photo, "filed")
    (path,) = warehouse.root.glob(f"*/{photo.hex}.jpg")
    assert path.read_bytes() == photo.jpeg


def test_P5_a_record_system_that_is_away_delays_nobody_and_gets_the_photo_later(
    hospital: Hospital, device: Device, warehouse: Warehouse
) -> None:
    warehouse.take_away()
    photo = device.photo()
    assert hospital.receive(device, photo).status == Status.FILED
    assert fails(hospital, photo).problem.startswith("warehouse: warehouse did not take it")
    assert not any("warehouse" in why for _, _, why in hospital.worklist())

    def told() -> Any:
        # Again, for an attempt that was under way writes down its own number afterwards.
        time_passes(hospital, attempts=4)
        return hospital.worklist()

    ((kind, subject, why),) = hospital.until(told, 20, "an item on the worklist")
    assert (kind, subject) == ("unfiled", photo.hex)
    assert why.startswith("warehouse: ")
    fails(hospital, photo)  # the last of these attempts has been told, too
    desk, unfiled = hospital._house.worklist, Filter(kinds=(WorkKind.UNFILED,))
    (item,) = desk.items(unfiled)
    desk.close(item.id, by="A. Ruiz", note="they work on it")
    time_passes(hospital, attempts=6)
    fails(hospital, photo)
    assert not desk.items(unfiled), "the same failure is told at every attempt"

    def again() -> Any:
        time_passes(hospital, attempts=4)
        return desk.items(unfiled)

    assert hospital.until(again, 20, "the item again")[0].id == item.id
    warehouse.bring_back()
    hospital.reopen()
    time_passes(hospital)
    becomes(hospital, photo, "filed")
    assert warehouse.page(photo)["status"] == "filed"


def test_P5_undone_is_signed_only_when_every_record_system_has_noted_it(
    hospital: Hospital, device: Device, warehouse: Warehouse
) -> None:
    photo = device.photo()
    hospital.receive(device, photo)
    becomes(hospital, photo, "filed")
    warehouse.take_away()
    device.undo(photo)
    hospital.sync(device, device.batch())
    assert fails(hospital, photo).wanted == "objection recorded"
    assert hospital.page(photo)["status"] == "objection recorded"
    assert [receipt.status for receipt in hospital.receipts(photo)] == [Status.FILED]
    warehouse.bring_back()
    time_passes(hospital)

    def undone() -> bool:
        return any(receipt.status == Status.UNDONE for receipt in hospital.receipts(photo))

    hospital.until(undone, 20, "UNDONE")
    assert warehouse.page(photo)["status"] == "objection recorded"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    started = Receiver()
    yield started
    started.close()


def test_P9_a_move_during_an_attempt_does_not_wait_for_what_failed(
    tmp_path: Path, receiver: Receiver
) -> None:
    receiver.answers = ["AE", "held"]  # after a second failure it waits for a quarter of a minute
    system = {"host": "127.0.0.1", "port": receiver.port}
    with ExitStack() as stack:
        ward = stack.enter_context(closing(furnish(Hospital(tmp_path), **{"[hl7]": system}).open()))
        store = stack.enter_context(closing(Store(engine_for("", ward.state / "gateway.db"))))
        device = ward.enrol()
        photo = device.photo(private=BANDED)
        ward.receive(device, photo)
        ward.until(lambda: len(receiver.messages) == 2, 20, "the second attempt")
        cases = Cases(store=store, clock=lambda: time.time_ns() // 1_000_000)
        move = cases.ask_to_move(photo.hex, patient="815", encounter=None, by="A", reason="swapped")
        cases.decide(move.id, confirm=True, second="B")

        def first() -> Any:
            ward.look_around()
            query = "select wanted, stand from filings where sink = 'hl7' and assignment = 1"
            return ward.rows(query)[0]

        ward.until(lambda: first().wanted == "entered in error", 10, "the move")
        receiver.let_go()
        soon = SHORTEST_MS / 1000 - 2
        ward.until(lambda: first().stand == "entered in error", soon, "the record system to know")


def test_the_sealed_copy_stays_until_everybody_has_the_photo(
    hospital: Hospital, device: Device, warehouse: Warehouse
) -> None:
    warehouse.take_away()
    photo = device.photo()
    hospital.receive(device, photo)
    fails(hospital, photo)
    sealed = hospital.state / "sealed" / f"{photo.hex}.wardseal"
    os.utime(sealed, (0, 0))
    hospital.look_around()
    hospital.sync(device, device.batch())  # behind the look around, on the same desk
    assert sealed.exists()


def test_a_record_system_that_fails_slowly_is_left_alone_for_twice_as_long() -> None:
    now = [100.0]
    patience = Patience(lambda: now[0], slow=3)

    def ask(sink: str, seconds: float) -> None:
        with patience.with_(sink):
            now[0] += seconds
            raise FilingError(f"{sink} did not answer in time")

    def asked(sink: str, seconds: float) -> str:
        with pytest.raises(FilingError) as caught:
            ask(sink, seconds)
        return str(caught.value)

    for _ in range(3):
        assert asked("dicom", 2.9) == "dicom did not answer in time"
    assert asked("fhir", 30) == "fhir did not answer in time"
    for later in (0, 59):
        now[0] += later
        assert asked("fhir", 0).endswith("did not answer in time; it is left alone for a while")
    assert asked("dicom", 0) == "dicom did not answer in time"
    now[0] += 1
    with patience.with_("fhir"):
        pass


def test_waiting_grows_and_is_never_the_same_for_all() -> None:
    assert wait_ms(1) == 0
    for attempts in range(2, 60):
        waits = {wait_ms(attempts) for _ in range(50)}
        assert SHORTEST_MS <= min(waits) <= max(waits) <= LONGEST_MS
        assert len(waits) > 1
