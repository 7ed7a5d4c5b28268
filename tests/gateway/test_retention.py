"""Copies go when their days are over, and a litigation hold keeps them until it is lifted."""

import pytest

from gateway import retention
from gateway.identity.tables import AssignmentRow
from gateway.retention import Kept, Retention
from gateway.store import Filing, Photo, Stand, State, Store
from gateway.worklist_desk import NotDone

DAY = 86_400_000
NOW = 1_700_000_000_000
OLD, FRESH, HELD, BUSY = ("a" * 64, "b" * 64, "c" * 64, "d" * 64)


def photo(name: str, state: State, age_days: int) -> Photo:
    return Photo(
        photo=name,
        device="dev-1",
        ledger="aa",
        seq=1,
        intent=name,
        state=state,
        captured_ms=NOW,
        clock="synced",
        changed_ms=NOW - age_days * DAY,
    )


@pytest.fixture
def kept(store: Store) -> Retention:
    with store.begin() as session:
        session.add_all(
            [
                photo(OLD, State.FILED, 30),
                photo(FRESH, State.FILED, 29),
                photo(HELD, State.HELD, 400),
                photo(BUSY, State.UNDONE, 400),
                Filing(
                    photo=BUSY,
                    sink="folder",
                    assignment=1,
                    wanted=Stand.OBJECTION,
                    stand=Stand.FILED,
                    keeper="gateway",
                ),
                AssignmentRow(photo=OLD, number=1, patient="4711", how="band", at_ms=NOW),
                AssignmentRow(photo=OLD, number=2, patient="815", how="moved", at_ms=NOW),
            ]
        )
    return Retention(store=store, days=30, clock=lambda: NOW)


def goes(store: Store) -> list[str]:
    with store.begin() as session:
        names = [OLD, FRESH, HELD, BUSY, "e" * 64]
        return retention.over(session, names, days=30, now_ms=NOW)


def test_only_what_is_settled_and_old_goes(store: Store, kept: Retention) -> None:
    assert goes(store) == [OLD]
    assert kept.of(OLD) == Kept(NOW, on_hold=False)
    assert kept.of(FRESH) == Kept(NOW + DAY, on_hold=False)
    assert kept.of(HELD) == Kept(None, on_hold=False)


@pytest.mark.parametrize("what", [{"photo": OLD}, {"patient": "4711"}, {"patient": "815"}])
def test_a_hold_keeps_it_until_a_named_person_lifts_it(
    store: Store, kept: Retention, what: dict[str, str]
) -> None:
    hold = kept.hold(by="legal", reason="claim 12/26", **what)
    assert goes(store) == []
    assert kept.of(OLD) == Kept(None, on_hold=True)
    with pytest.raises(NotDone, match="must be named"):
        kept.lift(hold.id, by="", reason="over")
    with pytest.raises(NotDone, match="a reason is needed"):
        kept.lift(hold.id, by="legal", reason=" ")
    assert kept.holds() == [hold]
    assert kept.lift(hold.id, by="legal", reason="settled").lifted_ms == NOW
    assert goes(store) == [OLD]
    assert kept.holds() == [] and len(kept.holds(lifted=True)) == 1
    with pytest.raises(NotDone, match="lifted already"):
        kept.lift(hold.id, by="legal", reason="again")


def test_a_hold_on_somebody_else_keeps_nothing(store: Store, kept: Retention) -> None:
    kept.hold(patient="9", by="legal", reason="claim")
    kept.hold(photo=FRESH, by="legal", reason="claim")
    assert goes(store) == [OLD]
    for wrong in ({}, {"photo": OLD, "patient": "9"}, {"photo": "f" * 64}):
        with pytest.raises(NotDone):
            kept.hold(by="legal", reason="claim", **wrong)
