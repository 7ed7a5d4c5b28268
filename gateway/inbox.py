"""Every message from every device, on the loop's thread: what is cheap is done here at once.

Chunks are written where they belong as they come. What needs the database or the keys is done
by others and comes back as an answer: the desk admits photos, answers queries and stores
ledgers; custody opens, files and signs. Nothing from outside is believed here beyond its shape,
and nothing that goes wrong with one message touches another.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from base.errors import FormatError, WardsealError
from gateway.complaints import Complaints
from gateway.custody import Custodian
from gateway.desk import BUSY_SECONDS, DISK_FULL_SECONDS, Desk
from gateway.incoming import Incoming
from gateway.ledgers import Synced
from gateway.receipts import Answer
from gateway.reception import Admitted, Elsewhere, Outcome, Undone
from gateway.transfers import Phase, Transfers
from gateway.withdrawal import Withdrawals
from gateway.workers import Mailbox, Worker
from wire import messages, topics
from wire.messages import (
    Busy,
    Data,
    Fin,
    Init,
    LedgerBatch,
    Nack,
    Query,
    Ready,
    Signed,
    State,
    Unknown,
)
from wire.proof import Proof

log = logging.getLogger(__name__)

_NACK_RANGES: Final = 64


class Inbox:
    """Takes messages one by one. ``send(topic, payload)`` publishes, or drops when offline."""

    def __init__(
        self,
        *,
        name: str,
        credit: int,
        send: Callable[[str, bytes], None],
        desk: Desk,
        custody: Worker,
        mailbox: Mailbox,
        custodian: Custodian,
        withdrawals: Withdrawals,
        transfers: Transfers,
    ) -> None:
        self._name = name
        self._credit = credit
        self._send = send
        self._desk = desk
        self._custody = custody
        self._mailbox = mailbox
        self._custodian = custodian
        self._withdrawals = withdrawals
        self._transfers = transfers
        self._complaints = Complaints(log)

    def heard(self, topic: str, payload: bytes) -> None:
        """Take in one message. Never raises for what is in it."""
        name = topic[:80]
        try:
            place = topics.parse(topic)
            name = place.device
            message = messages.decode(payload)
            self._handler(place.kind, message)(place.device, message)
        except FormatError as e:
            self._complaints.about(name, f"not understood: {e}")

    def _handler(self, kind: str, message: Any) -> Callable[[str, Any], object]:
        """Each kind of message has one topic; on any other it is refused."""
        table: dict[tuple[str, type], Callable[[str, Any], object]] = {
            ("up/any", Init): self._init,
            ("up/any", Query): self._query,
            (f"up/{self._name}", Data): self._data,
            (f"up/{self._name}", Fin): self._fin,
            ("ledger", LedgerBatch): self._ledger,
            ("state", State): self._desk.state,
        }
        handler = table.get((kind, type(message)))
        if handler is None:
            raise FormatError(f"a {type(message).__name__} does not belong on this topic")
        return handler

    # -- a photo's way in -------------------------------------------------------------------------

    def _init(self, device: str, init: Init) -> None:
        transfer = self._transfers.touch(device, init.photo)
        if transfer is not None and transfer.phase is Phase.ASKING:
            return
        if transfer is not None and transfer.phase is Phase.IN_HAND:
            self._ready(device, init, _all_of(init.chunks))
            return
        if transfer is not None and transfer.incoming is not None:
            if (transfer.incoming.chunk, transfer.size) == (init.chunk, init.size):
                self._ready(device, init, transfer.incoming.bitmap)
                return
            self._transfers.release(init.photo)
        taken = init.photo in self._transfers  # by another device: it cannot last
        if taken or not self._transfers.reserve(device, init.photo, init.size):
            self._answer(device, Busy(init.photo, BUSY_SECONDS))
            return

        def then(outcome: Outcome, incoming: Incoming | None) -> None:
            self._asked(device, init, outcome, incoming)

        if not self._desk.admit(device, init, then):
            self._transfers.release(init.photo)
            self._answer(device, Busy(init.photo, BUSY_SECONDS))

    def _asked(self, device: str, init: Init, outcome: Outcome, incoming: Incoming | None) -> None:
        if isinstance(outcome, Admitted) and incoming is not None:
            self._transfers.admit(init.photo, incoming, outcome.proof)
            self._ready(device, init, incoming.bitmap)
            return
        self._transfers.release(init.photo)
        if isinstance(outcome, Undone):
            self.undo(device, outcome.photo)
        elif not isinstance(outcome, (Admitted, Elsewhere)):
            self._answer(device, outcome)

    def _ready(self, device: str, init: Init, have: bytes) -> None:
        self._answer(device, Ready(init.photo, self._name, have, self._credit))

    def _data(self, device: str, data: Data) -> None:
        transfer = self._transfers.touch(device, data.photo)
        if transfer is None or transfer.incoming is None:
            return
        try:
            transfer.incoming.put(data.i, data.bytes)
        except OSError as e:
            log.error("photo %s: a chunk was not written: %s", data.photo.hex(), e.strerror)
            self._transfers.release(data.photo)
            self._answer(device, Busy(data.photo, DISK_FULL_SECONDS))

    def _fin(self, device: str, fin: Fin) -> None:
        transfer = self._transfers.touch(device, fin.photo)
        if transfer is None:
            self._answer(device, Unknown(fin.photo))
            return
        incoming, proof = transfer.incoming, transfer.proof
        if incoming is None or proof is None:
            return
        if missing := incoming.missing(_NACK_RANGES):
            self._answer(device, Nack(fin.photo, missing))
            return
        try:
            if not incoming.whole():
                log.warning("photo %s: what arrived is not this photo", fin.photo.hex())
                self._answer(device, Nack(fin.photo, ((0, incoming.chunks - 1),)))
                return
            incoming.finish()
        except OSError as e:
            log.error("photo %s: it was not read back: %s", fin.photo.hex(), e.strerror)
            self._transfers.release(fin.photo)
            self._answer(device, Busy(fin.photo, DISK_FULL_SECONDS))
            return
        self._transfers.hand_over(fin.photo)
        self._take(incoming.path, proof)

    # -- a photo's way out ------------------------------------------------------------------------

    def take_up(self, device: str, bundle: Path, proof: Proof, *, again: bool) -> None:
        """Go on with a whole photo that lies there: after a crash, or (``again``) to refile it."""
        photo, size = proof.photo, proof.size
        if photo not in self._transfers and self._transfers.reserve(device, photo, size):
            self._transfers.hand_over(photo)
            self._take(bundle, proof, again=again)

    def _take(self, bundle: Path, proof: Proof, *, again: bool = False) -> None:
        def job() -> None:
            answer = None
            try:
                if again:
                    answer = self._custodian.refile(bundle, proof)
                else:
                    answer = self._custodian.take(bundle, proof)
            except (OSError, WardsealError) as e:
                log.error("photo %s: not in custody yet: %s", proof.photo.hex(), e)
            finally:
                self._mailbox.post(lambda: done(answer))

        def done(answer: Answer | None) -> None:
            if answer is not None:
                self._signed(answer)
            self._transfers.release(proof.photo)
            # Only now: until the receipt has left, nothing may compete with it.
            self._custody.submit(self._custodian.rest)

        if not self._custody.submit(job):
            self._transfers.release(proof.photo)

    def undo(self, device: str, photo: str) -> None:
        """Have a withdrawal that is on record carried out; later, if it cannot be now."""

        def job() -> None:
            try:
                answer = self._withdrawals.carry_out(device, photo)
            except WardsealError as e:
                log.error("photo %s: not undone yet: %s", photo, e)
                return
            if answer is not None:
                self._mailbox.post(lambda: self._signed(answer))

        self._custody.submit(job)

    def _signed(self, answer: Answer) -> None:
        """Send a receipt; it also ends a transfer whose photo was undone on its way."""
        photo = bytes.fromhex(answer.photo)
        self._answer(answer.device, Signed(photo, answer.receipt))
        transfer = self._transfers.get(answer.device, photo)
        if transfer is not None and transfer.incoming is not None:
            transfer.incoming.discard()
            self._transfers.release(photo)

    # -- questions and ledgers --------------------------------------------------------------------

    def _query(self, device: str, query: Query) -> None:
        transfer = self._transfers.get(device, query.photo)
        if transfer is not None and transfer.phase is Phase.IN_HAND:
            return  # its receipt is on its way

        def then(answer: Signed | Unknown | None) -> None:
            if answer is not None:
                self._answer(device, answer)

        self._desk.query(device, query, then)

    def _ledger(self, device: str, batch: LedgerBatch) -> None:
        def then(synced: Synced) -> None:
            self._publish(topics.down(device, "ledger"), synced.have)
            for photo in synced.undone:
                self.undo(device, photo)

        self._desk.ledger(device, batch, then)

    def _answer(self, device: str, message: Any) -> None:
        self._publish(topics.down(device, "up"), message)

    def _publish(self, topic: str, message: Any) -> None:
        self._send(topic, messages.encode(message))


def subscriptions(name: str) -> tuple[str, ...]:
    """Return what a gateway of this name hears, from every device."""
    return tuple(topics.all_up(kind) for kind in ("up/any", f"up/{name}", "ledger", "state"))


def _all_of(chunks: int) -> bytes:
    """Return the bitmap that says: every chunk is here."""
    return ((1 << chunks) - 1).to_bytes(-(-chunks // 8), "little")
