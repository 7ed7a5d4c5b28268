"""Copies go when their days are over, and a litigation hold keeps them until it is lifted."""

import os
from pathlib import Path

import pytest
from sqlalchemy import select

from gateway import retention
from gateway.audit.tables import Deed
from gateway.filing.record import Patient
from gateway.forgetting import Forgetting
from gateway.identity import census
from gateway.identity.tables import AssignmentRow, PatientRow
from gateway.lightbox import Lightbox
from gateway.retention import Kept, Retention
from gateway.store import Store
from gateway.tables import Filing, Photo, Stand, State
from gateway.vault import Vault
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
    with store.begin() as session:
        session.add(PatientRow(number="9", changed_ms=NOW))
    kept.hold(patient="9", by="legal", reason="claim")
    kept.hold(photo=FRESH, by="legal", reason="claim")
    assert goes(store) == [OLD]
    for wrong in ({}, {"photo": OLD, "patient": "9"}, {"photo": "f" * 64}, {"patient": "4712"}):
        with pytest.raises(NotDone):
            kept.hold(by="legal", reason="claim", **wrong)


def test_a_hold_on_a_number_that_nobody_has_is_refused_in_words(kept: Retention) -> None:
    with pytest.raises(NotDone, match="no patient has the record number 4712"):
        kept.hold(patient="4712", by="legal", reason="claim")
    assert kept.holds() == []


@pytest.mark.parametrize("held", ["4700", "4690", "4705", "4711"])
def test_a_hold_holds_whichever_record_was_merged_into_which(
    store: Store, kept: Retention, held: str
) -> None:
    with store.begin() as session:
        for prior, survivor in (("4690", "4700"), ("4711", "4700"), ("4705", "4690")):
            census.merge(session, survivor=Patient(survivor), prior=prior, at_ms=NOW)
    hold = kept.hold(patient=held, by="legal", reason="claim")
    assert goes(store) == []
    assert kept.of(OLD).on_hold
    assert kept.keeping(OLD) == kept.on_patient("4711") == kept.on_patient("4700") == [hold]
    assert kept.on_patient("815") == []
    kept.lift(hold.id, by="legal", reason="settled")
    assert goes(store) == [OLD]


class Slow(Vault):
    """While the first copy is destroyed, the court's letter about the others comes."""

    letter: Retention | None = None

    def destroy(self, photo: str) -> None:
        super().destroy(photo)
        for other in (OLD, FRESH):
            if self.letter is not None and self.path(other).exists():
                self.letter.hold(photo=other, by="legal", reason="claim")


def test_a_hold_that_comes_while_copies_go_keeps_those_that_are_left(
    store: Store, kept: Retention, tmp_path: Path
) -> None:
    vault = Slow(tmp_path, Lightbox(tmp_path / "opened"))
    vault.letter = kept
    for name in (OLD, FRESH):
        vault.path(name).write_bytes(b"sealed")
        os.utime(vault.path(name), (0, 0))
    with store.begin() as session:
        session.get_one(Photo, FRESH).changed_ms = 0
    forgetting = Forgetting(name="gateway", store=store, vault=vault, days=30)
    forgetting.round()
    (left,) = vault.all()
    with store.begin() as session:
        deeds = list(session.scalars(select(Deed.photo)))
    assert deeds == [name for name in (OLD, FRESH) if name != left]
    forgetting.round()
    assert vault.all() == [left]
