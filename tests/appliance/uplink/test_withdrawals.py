"""A withdrawn photo is asked about until the device's own ledger shows the acknowledgement."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.uplink.withdrawals import MOST, Withdrawals
from wire import events, ledger, shapes
from wire.ledger import Entry
from wire.messages import Query
from wire.signing import Ed25519Signer

PHOTO, OTHER = b"p" * 32, b"q" * 32
SIGNER = Ed25519Signer(bytes(32))


def entry(body: events.Undo | events.ReceiptSeen) -> bytes:
    """A ledger entry as the panel writes it, but for its place in the chain."""
    made = Entry(
        device="bed-1",
        ledger=bytes(16),
        seq=0,
        prev=bytes(32),
        boot=bytes(16),
        mono_ns=0,
        wall_ms=0,
        trust=ledger.ClockTrust.NONE,
        type=events.TYPES[type(body)],
        body=shapes.to_map(body),
    )
    return ledger.sign_entry(made, SIGNER).raw


def undo(photo: bytes | None) -> bytes:
    return entry(events.Undo(bytes(32), photo))


def receipt(photo: bytes, status: str) -> bytes:
    return entry(events.ReceiptSeen(photo, status, 2, bytes(32)))


@pytest.fixture
def withdrawals() -> Withdrawals:
    return Withdrawals()


def test_P5_a_withdrawal_is_asked_about_ever_later_until_the_receipt_is_on_the_ledger(
    withdrawals: Withdrawals,
) -> None:
    withdrawals.seen(undo(PHOTO))
    now, waits = 100.0, []
    for _ in range(8):
        due = withdrawals.deadline(now)
        assert due is not None
        waits.append(due - now)
        now = due
        assert withdrawals.pull(now) == Query(PHOTO)
        assert withdrawals.pull(now) is None
    assert waits == [15, 30, 60, 120, 240, 480, 900, 900]
    withdrawals.seen(receipt(PHOTO, "FILED"))  # that is not the answer
    assert PHOTO in withdrawals
    withdrawals.seen(receipt(OTHER, "UNDONE"))
    assert PHOTO in withdrawals
    withdrawals.seen(receipt(PHOTO, "UNDONE"))
    assert PHOTO not in withdrawals
    assert withdrawals.deadline(now) is None


def test_a_photo_that_no_gateway_knows_is_asked_about_once_a_connection(
    withdrawals: Withdrawals,
) -> None:
    withdrawals.seen(undo(PHOTO))
    withdrawals.deadline(0.0)
    assert withdrawals.pull(15.0) == Query(PHOTO)
    withdrawals.unknown(PHOTO)
    assert withdrawals.deadline(20.0) is None
    assert withdrawals.pull(1e9) is None
    withdrawals.online()
    withdrawals.deadline(100.0)
    assert withdrawals.pull(115.0) == Query(PHOTO)


def test_what_a_lost_connection_may_have_cost_is_asked_about_soon_after(
    withdrawals: Withdrawals,
) -> None:
    withdrawals.seen(undo(PHOTO))
    assert withdrawals.deadline(0.0) == 15.0
    withdrawals.online()
    assert withdrawals.deadline(20.0) == 23.0
    assert withdrawals.pull(23.0) == Query(PHOTO)
    assert withdrawals.deadline(23.0) == 29.0


def test_a_withdrawal_before_sealing_names_no_photo_and_asks_nothing(
    withdrawals: Withdrawals,
) -> None:
    withdrawals.seen(undo(None))
    assert withdrawals.deadline(0.0) is None


def test_a_ledger_full_of_withdrawals_is_bounded(withdrawals: Withdrawals) -> None:
    for n in range(MOST + 50):
        withdrawals.seen(undo(n.to_bytes(32, "big")))
    assert sum(n.to_bytes(32, "big") in withdrawals for n in range(MOST + 50)) == MOST


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_no_entry_raises(before: bytes, after: bytes) -> None:
    Withdrawals().seen(before + b"UNDO" + after)
