"""Asking for the hospital's word on withdrawn photos until the ledger shows that it has come.

UNDO travels on the ledger, and its acknowledgement is a signed receipt: until that is there the
screen says ``UNDO SENT``. A photo that has been wiped has no transfer any more that would ask for
a lost receipt, so it is asked for here. What is open is read from the ledger's own entries (UNDO
without a RECEIPT of status UNDONE), unverified: a lie among them costs a question.
"""

from dataclasses import dataclass
from typing import Final

from base.errors import WardsealError
from wire import events, ledger, shapes, signing
from wire.messages import Query, Status

FIRST_SECONDS: Final = 15.0  # the receipt usually comes by itself
AGAIN_SECONDS: Final = 3.0  # but not one that was sent while nobody was connected
LONGEST_SECONDS: Final = 900.0
MOST: Final = 256
NEVER: Final = float("inf")


@dataclass
class _Question:
    """When to ask next (not yet laid down: None), and how long after that."""

    due: float | None = None
    pause: float = FIRST_SECONDS


class Withdrawals:
    """The photos whose withdrawal the hospital has not acknowledged on this device's ledger."""

    def __init__(self) -> None:
        self._open: dict[bytes, _Question] = {}

    def __contains__(self, photo: bytes) -> bool:
        return photo in self._open

    def seen(self, raw: bytes) -> None:
        """Take in one ledger entry, in its order; all but UNDO and its answer mean nothing here."""
        if b"UNDO" not in raw:  # cheap, and all that most entries ever cost
            return
        try:
            _, untrusted = signing.untrusted(raw, typ=ledger.TYP_ENTRY)
            body = events.body_of(shapes.from_map(ledger.Entry, untrusted, "entry"))
        except WardsealError:
            return
        if isinstance(body, events.Undo) and body.photo and len(self._open) < MOST:
            self._open[body.photo] = _Question()
        elif isinstance(body, events.ReceiptSeen) and body.status == Status.UNDONE:
            self._open.pop(body.photo, None)

    def unknown(self, photo: bytes) -> None:
        """Note that a gateway knows no such photo: it was never sent. Do not ask for now."""
        if photo in self._open:
            self._open[photo].due = NEVER

    def online(self) -> None:
        """Begin again, soon: the receipt may have come while nobody was here to take it."""
        self._open = {photo: _Question(pause=AGAIN_SECONDS) for photo in self._open}

    def deadline(self, now: float) -> float | None:
        """When ``pull`` may have something to say."""
        for question in self._open.values():
            if question.due is None:
                question.due = now + question.pause
        due = min((q.due for q in self._open.values() if q.due is not None), default=NEVER)
        return None if due == NEVER else due

    def pull(self, now: float) -> Query | None:
        """Return the next question that is due."""
        for photo, question in self._open.items():
            if question.due is not None and question.due <= now:
                question.pause = min(2 * question.pause, LONGEST_SECONDS)
                question.due = now + question.pause
                return Query(photo)
        return None
