"""All photos under way: one transfer for each file in the outbox, and whose turn it is.

Oldest first, and few at a time, so that a photo is finished before the next one is begun; but
a photo that waits for its time (refused, or nobody there) never stands in the way of others.
With a photo's first receipt the hospital has a place again, and the oldest that it was too busy
for asks at once.
"""

import logging
from dataclasses import dataclass
from typing import Final

from appliance.uplink.outbox import Outbox
from appliance.uplink.transfer import Phase, Piece, Reply, Send, Transfer
from wire import messages
from wire.messages import Data, Fin, Init, Query
from wire.reasons import Reason

log = logging.getLogger(__name__)

AT_ONCE: Final = 2
"""Photos asking or sending at the same time: the second asks while the first is being sent."""


@dataclass(frozen=True)
class Parcel:
    """One message to publish on ``up/<to>``, and whose it is when the broker answers."""

    transfer: Transfer
    what: Init | Query | Piece | Fin
    to: str
    payload: bytes


class Photos:
    """The transfers of everything in the outbox."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._transfers: dict[bytes, Transfer] = {}
        self._chunk: int | None = None  # None: offline

    def look(self, now: float) -> None:
        """Take in what is new in the outbox, forget what is gone."""
        lying = self._outbox.photos()
        for photo in set(self._transfers) - set(lying):
            del self._transfers[photo]
        for photo in lying:
            if photo not in self._transfers and (found := self._outbox.open(photo)) is not None:
                transfer = Transfer(photo, found.size, found.entries)
                if self._chunk is not None:
                    transfer.online(now, self._chunk)
                self._transfers[photo] = transfer

    def online(self, now: float, chunk: int) -> None:
        """Take up everything; ``chunk`` bytes fit into a message, 0 when the broker is no use."""
        self._chunk = chunk
        for transfer in self._transfers.values():
            transfer.online(now, chunk)

    def offline(self) -> None:
        self._chunk = None
        for transfer in self._transfers.values():
            transfer.offline()

    def heard(self, message: Reply, now: float) -> bool:
        """Take in a gateway's word; False when it is about no photo that lies here."""
        transfer = self._transfers.get(message.photo)
        if transfer is not None:
            first = Phase.RESTING not in transfer.marks
            transfer.heard(message, now)
            if first and Phase.RESTING in transfer.marks:
                _log_times(transfer)
                self._next_please(now)
        return transfer is not None

    def _next_please(self, now: float) -> None:
        for transfer in self._transfers.values():
            if transfer.next_please(now):
                return

    def sent(self) -> list[bytes]:
        """Return the photos that the hospital's side has been given whole."""
        return [photo for photo, transfer in self._transfers.items() if transfer.sent]

    def refused(self) -> Reason | None:
        """Return why nothing is taken of some photo here: what is wrong with the device first."""
        said = [t.refusal for t in self._transfers.values() if t.refusal is not None]
        return min(said, key=list(Reason).index, default=None)

    def deadline(self, now: float) -> float | None:
        """When ``pull`` may have something to say without any message heard before."""
        due = (transfer.deadline() for transfer in self._whose_turn(now))
        return min((at for at in due if at is not None), default=None)

    def pull(self, now: float) -> Parcel | None:
        """Return the next message to publish, None when there is none now."""
        for transfer in self._whose_turn(now):
            while (send := transfer.pull(now)) is not None:
                payload = self._payload(transfer, send)
                if payload is None:  # wiped: signed for, or undone
                    self._transfers.pop(transfer.photo, None)
                    break
                return Parcel(transfer, send.what, send.to or "any", payload)
        return None

    def _payload(self, transfer: Transfer, send: Send) -> bytes | None:
        what = send.what
        if not isinstance(what, Piece):
            return messages.encode(what)
        piece = self._outbox.piece(transfer.photo, what.offset, what.length)
        return None if piece is None else messages.encode(Data(transfer.photo, what.i, piece))

    def _whose_turn(self, now: float) -> list[Transfer]:
        """Everything that only waits for its time, and the first few of those that do not."""
        busy = 0
        turn = []
        for transfer in self._transfers.values():
            due = transfer.deadline()
            idle = transfer.sent or not (transfer.busy or (due is not None and due <= now))
            busy += not idle
            if idle or busy <= AT_ONCE:
                turn.append(transfer)
        return turn


def _log_times(transfer: Transfer) -> None:
    """Say how long each step took, once per photo, for whoever looks for lost time."""
    marks = transfer.marks
    begun = marks[Phase.ASKING]
    steps = ((Phase.SENDING, "ready"), (Phase.FINISHING, "sent"), (Phase.RESTING, "receipt"))
    told = [f"{word} {(marks[at] - begun) * 1000:.0f} ms" for at, word in steps if at in marks]
    log.info("photo %s: after init: %s", transfer.photo.hex(), ", ".join(told))
