"""Receivers are told of what became of a photo: nothing lost, signed, in order for each photo."""

import time
from contextlib import suppress

from sqlalchemy import text

from gateway.database import engine_for
from gateway.store import Store, StoreError
from gateway.webhooks.outbox import KEPT_DAYS, ORPHANED_DAYS, Outbox, hooks_of
from tests.gateway.bedside import Device, jpeg
from tests.gateway.hospital import Hospital
from tests.gateway.webhooks.receiver import Receiver
from tests.gateway.webhooks.telling import arrived, configured, settings, told
from wire.messages import Status

DAY_MS = 86_400_000


def test_filed_and_undone_are_told_with_ids_only(
    telling: Hospital, receiver: Receiver, device: Device
) -> None:
    photo = device.photo()
    telling.receive(device, photo)
    told(telling, receiver, photo, "photo.filed")
    device.undo(photo)
    telling.sync(device, device.batch())
    told(telling, receiver, photo, "photo.filed", "photo.undone")
    (_, filed), (_, undone) = receiver.got
    assert filed["data"] == {"photo": photo.hex, "device": device.name, "receipt": 1}
    assert undone["data"]["receipt"] == 2
    assert set(filed) == {"type", "timestamp", "data"}
    assert receiver.raw[0][0]["content-type"] == "application/json"
    arrived(telling)


def test_held_and_rejected_are_told_and_why_stays_here(
    telling: Hospital, receiver: Receiver, device: Device
) -> None:
    bad = device.photo(damage=lambda sealed: sealed[:-40])
    assert telling.receive(device, bad).status is Status.REJECTED
    told(telling, receiver, bad, "photo.rejected")
    held = device.photo(b"no JPEG")
    assert telling.receive(device, held).status is Status.HELD
    told(telling, receiver, held, "photo.held")
    assert all(set(body["data"]) == {"photo", "device", "receipt"} for _, body in receiver.got)


def test_a_receiver_is_told_only_what_it_asked_for(
    hospital: Hospital, receiver: Receiver, device: Device
) -> None:
    hospital.write_config(settings(hospital.folder, receiver, events=["undone"]))
    hospital.reopen()
    photo = device.photo()
    hospital.receive(device, photo)
    device.undo(photo)
    hospital.sync(device, device.batch())
    told(hospital, receiver, photo, "photo.undone")
    assert len(hospital.rows("select 1 from webhook_outbox")) == 1


def test_one_event_that_is_refused_keeps_its_photo_waiting_and_no_other(
    telling: Hospital, receiver: Receiver, device: Device
) -> None:
    receiver.faults.extend(["refused", "refused"])
    first, second = device.photo(jpeg(seed=1)), device.photo(jpeg(seed=2))
    telling.receive(device, first)
    telling.until(lambda: not receiver.faults, 20, "two refusals")
    device.undo(first)
    telling.sync(device, device.batch())
    telling.receive(device, second)
    told(telling, receiver, second, "photo.filed")
    assert receiver.told(first.hex) == [], "UNDONE does not overtake FILED"
    waiting = telling.rows(
        "select problem from webhook_outbox where delivered_ms is null order by id"
    )
    assert [row[0] for row in waiting] == ["webhook answered POST with 400", ""]


def test_what_the_database_does_not_take_is_not_told(
    hospital: Hospital, receiver: Receiver, device: Device
) -> None:
    hooks = configured(hospital, receiver)
    rung: list[str] = []
    outbox = Outbox(hooks, clock=lambda: 0, ring=rung.append)
    store = Store(engine_for(hospital.url, hospital.state / "gateway.db"))
    with suppress(StoreError), store.begin() as session:
        outbox.announce(session, "filed", device="d", photo="0" * 64, number=1)
        session.execute(text("select no_such_column"))
    assert rung == [] and hospital.rows("select 1 from webhook_outbox") == []
    with store.begin() as session:
        outbox.announce(session, "filed", device="d", photo="0" * 64, number=1)
    assert rung == ["webhook"]
    store.close()


def test_what_was_delivered_is_forgotten_and_what_waits_is_not(
    hospital: Hospital, receiver: Receiver
) -> None:
    hooks = configured(hospital, receiver)
    now = begun = time.time_ns() // 1_000_000
    outbox = Outbox(hooks, clock=lambda: now, ring=lambda _: None)
    store = Store(engine_for(hospital.url, hospital.state / "gateway.db"))
    with store.begin() as session:
        outbox.announce(session, "filed", device="d", photo="0" * 64, number=1)
        outbox.announce(session, "undone", device="d", photo="0" * 64, number=2)
    hospital.change("update webhook_outbox set delivered_ms = :t where id = 1", t=begun + 5)
    hospital.change("update webhook_outbox set problem = 'it is away' where id = 2")
    now = begun + KEPT_DAYS * DAY_MS
    outbox.forget(store)
    assert len(hospital.rows("select 1 from webhook_outbox")) == 2
    now += 5
    outbox.forget(store)
    with store.read() as session:
        (hook,) = hooks_of(session)
    assert (hook.name, hook.waiting, hook.oldest_ms, hook.problem) == (
        "webhook",
        1,
        begun,
        "it is away",
    )
    nobodys = Outbox((), clock=lambda: now, ring=lambda _: None)
    nobodys.forget(store)
    assert len(hospital.rows("select 1 from webhook_outbox")) == 1
    now = begun + ORPHANED_DAYS * DAY_MS
    nobodys.forget(store)
    assert hospital.rows("select 1 from webhook_outbox") == []
    store.close()
