"""What the audit is told, in order and once, from rows that the console and the gateway write."""

import threading
from collections.abc import Sequence
from typing import Any

from base.errors import WardsealError
from gateway.audit.events import Act, Event
from gateway.audit.tables import Did, Telling, Viewing, done, done_once
from gateway.audit.teller import Teller
from gateway.audit.trail import CLAIM_MS, Trail
from gateway.identity.tables import AssignmentRow, PatientRow
from gateway.sharing.shares import ShareRow
from gateway.store import Store
from gateway.tables import Photo, State, WorkItem

PHOTO = "ab" * 32
NOW = 1_700_000_000_000


def looked(store: Store, at: int, what: str = "photo", subject: str = PHOTO) -> None:
    with store.begin() as session:
        session.add(Viewing(at_ms=NOW + at, login="a.osei", name="Ama", what=what, subject=subject))


def filed(store: Store) -> None:
    """A photo that was A's from the start, and B's a minute later."""
    with store.begin() as session:
        session.add(
            Photo(
                photo=PHOTO,
                device="ward3-bed12",
                ledger="00" * 16,
                seq=2,
                intent="c1" * 32,
                state=State.FILED,
                captured_ms=NOW,
                clock="synced",
                changed_ms=NOW,
            )
        )
        for number, (patient, at) in enumerate((("4711", 0), ("9001", 60_000)), 1):
            session.add(PatientRow(number=patient, family="Muster", changed_ms=NOW))
            session.add(
                AssignmentRow(
                    photo=PHOTO, number=number, patient=patient, how="band", at_ms=NOW + at
                )
            )


class Clock:
    def __init__(self) -> None:
        self.ms = NOW

    def __call__(self) -> int:
        return self.ms


def trail_of(store: Store, name: str = "gateway", clock: Clock | None = None) -> Trail:
    return Trail(name=name, store=store, clock=clock or Clock())


def take_all(trail: Trail, most: int = 100) -> list[Event]:
    found: list[Event] = []
    while (batch := trail.take("log", most)) is not None:
        assert batch.first == len(found) + 1
        found += batch.events
        trail.told("log", batch)
    return found


def test_everything_is_told_in_the_order_in_which_it_happened(store: Store) -> None:
    filed(store)
    looked(store, 30)
    looked(store, 10, "list", "W3")
    with store.begin() as session:
        session.add(
            ShareRow(
                photo=PHOTO,
                recipient="Dr. Meyer",
                reason="second opinion",
                by="B. Ruiz",
                form="pdf",
                digest="00" * 32,
                at_ms=NOW + 20,
            )
        )
        done(session, Did.FILED, PHOTO, "folder", assignment=1, at_ms=NOW + 5)
        done(session, Did.WIPED, PHOTO, "ward3-bed12", assignment=None, at_ms=NOW + 40)
    found = take_all(trail_of(store), most=1)
    acts = [event.act for event in found]
    # A clock that was set back changes no order within one table.
    assert acts == [Act.CREATE, Act.DISCLOSE, Act.READ, Act.QUERY, Act.DESTROY]
    assert trail_of(store).take("log", 10) is None
    assert trail_of(store).waiting("log") == 0
    assert trail_of(store).waiting("another") == 5


def test_who_looked_before_a_move_looked_at_the_first_patient(store: Store) -> None:
    filed(store)
    looked(store, 10)
    looked(store, 70_000)
    looked(store, 80_000, "patient", "9001")
    before, after, page = take_all(trail_of(store))
    assert [event.patient and event.patient.number for event in (before, after, page)] == [
        "4711",
        "9001",
        "9001",
    ]
    assert (before.key, after.key) == (PHOTO, f"{PHOTO}-2")
    assert (page.act, page.photo) == (Act.QUERY, "")


def test_P5_what_is_not_confirmed_is_told_again_under_the_same_names(store: Store) -> None:
    looked(store, 1)
    looked(store, 2)
    first = trail_of(store).take("log", 10)
    again = trail_of(store).take("log", 10)
    assert first is not None
    assert again == first
    assert len({event.id for event in again.events}) == 2


def test_another_row_under_an_old_number_has_another_name(store: Store) -> None:
    """As after an older backup was put back: it is not taken for what was told before."""
    looked(store, 1)
    (old,) = take_all(trail_of(store))
    with store.begin() as session:
        session.delete(session.get_one(Viewing, 1))
        session.delete(session.get_one(Telling, "log"))
        session.flush()
        session.add(Viewing(id=1, at_ms=NOW + 9, login="x", name="X", what="photo", subject=PHOTO))
    (new,) = take_all(trail_of(store))
    assert new.id != old.id


def test_one_replica_at_a_time_tells_a_receiver(store: Store) -> None:
    looked(store, 1)
    clock = Clock()
    one, other = trail_of(store, "one", clock), trail_of(store, "other", clock)
    batch = one.take("log", 10)
    assert batch is not None
    assert other.take("log", 10) is None
    clock.ms += CLAIM_MS + 1
    taken = other.take("log", 10)
    assert taken == batch
    # The first one was only slow: what it says late moves no mark of the other's.
    one.told("log", batch)
    assert trail_of(store, "other", clock).waiting("log") == 1
    other.told("log", taken)
    assert trail_of(store).waiting("log") == 0


def test_P5_a_row_that_is_committed_late_is_not_passed_over(store: Store) -> None:
    """PostgreSQL gives a number out before its row is committed."""
    written, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        with store.begin() as session:
            session.add(Viewing(at_ms=NOW, login="s", name="S", what="photo", subject="slow"))
            session.flush()
            written.set()
            go_on.wait(10)

    writer = threading.Thread(target=slow)
    writer.start()
    assert written.wait(10)
    found: list[Event] = []
    quick = threading.Thread(target=lambda: looked(store, 1, subject="quick"))
    quick.start()
    if store.dialect == "postgresql":
        quick.join(10)  # who looks waits for nobody
        assert not quick.is_alive()
    reader = threading.Thread(target=lambda: found.extend(take_all(trail_of(store))))
    reader.start()
    go_on.set()
    for thread in (writer, quick, reader):
        thread.join(20)
    found += take_rest(store, len(found))
    assert [event.subject for event in found] == ["slow", "quick"]


def take_rest(store: Store, told: int) -> list[Event]:
    batch = trail_of(store).take("log", 100)
    if batch is None:
        return []
    assert batch.first == told + 1
    return list(batch.events)


def test_what_may_be_seen_twice_is_written_down_once(store: Store) -> None:
    for _ in range(2):
        with store.begin() as session:
            done_once(session, Did.REMOVED, PHOTO, "gateway", at_ms=NOW)
    (event,) = take_all(trail_of(store))
    assert (event.act, event.by, event.place) == (Act.DESTROY, "gateway", "gateway")


# -- the teller -----------------------------------------------------------------------------------


class Away(WardsealError):
    pass


class Log:
    """A receiver that can be away; shipped ones are proved elsewhere."""

    name = "log"

    def __init__(self) -> None:
        self.got: list[Event] = []
        self.away = False

    def wants(self, event: Event) -> bool:
        return event.act is not Act.QUERY

    def tell(self, events: Sequence[Event], first: int) -> None:
        if self.away:
            raise Away("log: nothing answers")
        self.got += events


def alarms(store: Store) -> list[Any]:
    with store.read() as session:
        return [(item.subject, item.why) for item in session.query(WorkItem)]


def test_P5_a_receiver_that_is_away_loses_nothing_and_after_a_while_a_person_hears_of_it(
    store: Store,
) -> None:
    filed(store)
    clock, log = Clock(), Log()
    teller = Teller(receiver=log, trail=trail_of(store, clock=clock), store=store, clock=clock)
    looked(store, 1)
    looked(store, 2, "list", "W3")
    log.away = True
    assert not teller.round()
    assert alarms(store) == []
    clock.ms += 15 * 60_000
    looked(store, 3)
    assert not teller.round()
    since = "2023-11-14 22:13 UTC"
    ((subject, why),) = alarms(store)
    assert subject == f"audit to log, {since}"
    assert why == f"3 audit records wait since {since}: log: nothing answers"
    log.away = False
    while teller.round():
        pass
    assert [event.at_ms - NOW for event in log.got] == [1, 3]
    assert alarms(store) == [(subject, "it has been told everything again")]
