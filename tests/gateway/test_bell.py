"""What people decide is carried out at once: by a socket with SQLite, by NOTIFY with PostgreSQL."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.bell import Bell
from gateway.cases import Cases
from gateway.database import engine_for
from gateway.filing.cabinet import nobody
from gateway.store import Store
from tests.gateway.databases import Server
from tests.gateway.hospital import Hospital
from tests.gateway.ward import SHOWN
from tests.waiting import until
from wire.envelope import Private
from wire.messages import Status

SOON = 5.0
"""Seconds; the gateway's own round comes every thirty, and the tests' hospital has none."""


@pytest.fixture
def cases(ward: Hospital) -> Iterator[Cases]:
    """As the console has it: another store on the same database."""
    store = Store(engine_for(ward.url, ward.state / "gateway.db"))
    yield Cases(store=store, clock=lambda: time.time_ns() // 1_000_000)
    store.close()


def test_a_held_photo_that_is_resolved_is_filed_without_waiting_for_a_round(
    ward: Hospital, cases: Cases
) -> None:
    device = ward.enrol()
    photo = device.photo(private=Private(bed=SHOWN, quality={}))
    assert ward.receive(device, photo).status == Status.HELD
    cases.resolve(photo.hex, patient="4711", encounter="E-1", by="B. Ruiz", reason="I was there")

    def filed() -> bool:
        return any(receipt.status == Status.FILED for receipt in ward.receipts(photo))

    ward.until(filed, SOON, "FILED")


def test_a_move_is_carried_out_as_soon_as_a_second_person_confirms_it(
    ward: Hospital, cases: Cases
) -> None:
    device = ward.enrol()
    photo = device.photo(private=Private(bed=SHOWN, quality={}, band="4711"))
    assert ward.receive(device, photo).status == Status.FILED
    move = cases.ask_to_move(
        photo.hex, patient="815", encounter="E-2", by="A. Osei", reason="the other bed"
    )
    cases.decide(move.id, confirm=True, second="B. Ruiz")

    def moved() -> bool:
        return bool(list(ward.record.glob(f"*/{photo.hex}-2.json")))

    ward.until(moved, SOON, "the move")


def test_every_ring_is_heard_by_every_replica(store: Store) -> None:
    heard = [threading.Semaphore(0), threading.Semaphore(0)]
    replicas = heard if store.dialect == "postgresql" else heard[:1]
    bells = [Bell(store, one.release) for one in replicas]
    for bell in bells:
        bell.start()
    for one in replicas:
        assert one.acquire(timeout=SOON)  # what was decided while nobody listened
    for _ in range(3):
        with store.begin(rings=True):
            pass
        for one in replicas:
            assert one.acquire(timeout=SOON)
    with store.begin():
        pass
    for one in replicas:
        assert not one.acquire(timeout=0.2)  # a view is no decision
    for bell in bells:
        bell.stop()


def test_a_bell_that_hangs_nowhere_costs_time_and_nothing_else(tmp_path: Path) -> None:
    """Unix sockets have short names: with a folder that is too deep there is no bell."""
    deep = tmp_path / ("x" * 120)
    deep.mkdir()
    store = Store(engine_for("", deep / "gateway.db"))
    heard = threading.Event()
    bell = Bell(store, heard.set)
    bell.start()
    with store.begin(rings=True) as session:
        nobody(session, "ab", None)
    assert not heard.is_set()
    bell.stop()
    store.close()


def test_a_server_that_was_restarted_is_called_up_again(tmp_path: Path) -> None:
    server = Server().start()
    try:
        store = Store(engine_for(server.database(), tmp_path / "none"))
        heard = threading.Semaphore(0)
        bell = Bell(store, heard.release)
        bell.start()
        assert heard.acquire(timeout=SOON)
        server.stop()
        server.start()

        def rings() -> bool:
            with store.begin(rings=True):
                pass
            return heard.acquire(timeout=1)

        until(rings, 30, "the bell")
        bell.stop()
        store.close()
    finally:
        server.close()
