"""The audit's questions look at the newest entries of all devices, not of the first in a list."""

from typing import Any, Final

from sqlalchemy import insert

from gateway import ledgers
from gateway.console.questions import _LOOKED_AT, Questions
from gateway.store import Store
from gateway.tables import LedgerEntry
from tests.gateway.bedside import CAPTURED_MS, Device
from wire import events

WORDING: Final = events.Wording("W1", "en", bytes(32))


def emergency(name: str, at_ms: int) -> dict[str, Any]:
    """One consent by another basis, as a row; the later it was stored the later it was said."""
    no_keyset: Any = None
    said = events.Consent(events.Level.CARE, events.Basis.EMERGENCY, WORDING)
    signed = Device(name, no_keyset).draft(said, wall_ms=CAPTURED_MS + at_ms)
    return ledgers.row(signed, chained=True, at_ms=at_ms)


def test_what_a_device_at_the_end_of_the_alphabet_signed_is_not_left_out(store: Store) -> None:
    busy = emergency("aaa", 1)
    many = [{**busy, "seq": n, "digest": f"{n:064x}"} for n in range(_LOOKED_AT + 1)]
    with store.begin() as session:
        session.execute(insert(LedgerEntry), [*many, emergency("zzz", 2)])
    questions = Questions(store=store, clock=lambda: 3)
    asked = questions.named("without-consent")
    assert asked is not None
    assert questions.answer(asked)[0].device == "zzz"
