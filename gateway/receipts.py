"""The hospital's signed word on a photo, kept as it was given.

A receipt lets a device destroy the only other copy, so it is signed in the same transaction
that records what it says: there is no receipt without a record, and after a crash the same
bytes are sent again. Only when its key is out of use since (gateway.keyring.retiring) is a receipt
signed once more, since no device might believe the old one. Numbers rise per photo, so that UNDONE
replaces FILED in any order of arrival.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from gateway.tables import ReceiptRow, rows_of
from gateway.webhooks.outbox import Announce, to_nobody
from gateway.webhooks.settings import Happening
from wire import messages, shapes
from wire.messages import TYP_RECEIPT, Receipt, Status
from wire.signing import Signer, untrusted

_LONGEST_REASON = 200
_HIGHEST: Final = select(func.max(ReceiptRow.number)).where(ReceiptRow.photo == bindparam("photo"))
_KEEP: Final = rows_of(ReceiptRow)
_HAPPENED: Final[dict[Status, Happening]] = {
    Status.FILED: "filed",
    Status.HELD: "held",
    Status.REJECTED: "rejected",
    Status.UNDONE: "undone",
}


@dataclass(frozen=True)
class Answer:
    """A receipt for ``device`` about ``photo`` (hex), as it was signed."""

    device: str
    photo: str
    receipt: bytes


class Receipts:
    """Signs with the receipt key; ``clock`` gives milliseconds since 1970 UTC.

    ``announce`` is told of each, in the same transaction.
    """

    def __init__(
        self, *, signer: Signer, clock: Callable[[], int], announce: Announce = to_nobody
    ) -> None:
        self._signer = signer
        self._clock = clock
        self._announce = announce

    def issue(
        self,
        session: Session,
        *,
        device: str,
        photo: str,
        status: Status,
        reason: str = "",
        refs: tuple[str, ...] = (),
    ) -> bytes:
        """Sign the next receipt for a photo and store it in ``session``'s transaction."""
        number = (session.scalar(_HIGHEST, {"photo": photo}) or 0) + 1
        receipt = Receipt(
            device=device,
            photo=bytes.fromhex(photo),
            status=status,
            number=number,
            time_ms=self._clock(),
            reason=clip(reason, _LONGEST_REASON),
            refs=refs,
        )
        raw = self._keep(session, receipt)
        self._announce(session, _HAPPENED[status], device=device, photo=photo, number=number)
        return raw

    def standing(self, session: Session, device: str, photo: str) -> ReceiptRow | None:
        """Return the last receipt for a photo, by a key that is in use; None if there is none."""
        row = _latest(session, device, photo)
        if row is None:
            return None
        kid, said = untrusted(row.raw, typ=TYP_RECEIPT)
        if kid == self._signer.public.kid:
            return row
        again = shapes.from_map(Receipt, said, "receipt")
        self._keep(session, replace(again, number=row.number + 1, time_ms=self._clock()))
        return _latest(session, device, photo)

    def _keep(self, session: Session, receipt: Receipt) -> bytes:
        raw = messages.sign_receipt(receipt, self._signer)
        row = {"number": receipt.number, "device": receipt.device, "status": receipt.status.value}
        session.execute(_KEEP, {**row, "photo": receipt.photo.hex(), "raw": raw})
        return raw


def _latest(session: Session, device: str, photo: str) -> ReceiptRow | None:
    return session.scalars(
        select(ReceiptRow)
        .where(ReceiptRow.photo == photo, ReceiptRow.device == device)
        .order_by(ReceiptRow.number.desc())
        .limit(1)
    ).first()


def clip(text: str, most: int) -> str:
    """Cut ``text`` to ``most`` bytes of UTF-8, at a character's end."""
    return text.encode()[:most].decode(errors="ignore")
