"""UNDO: consent was withdrawn, before, while or after the photo is filed.

It is pressed on a device, or told to the hospital (gateway.objections). The UNDO entry comes with
the device's ledger, the photo by its own way, in any order. So the withdrawal is a row of its own
that is never deleted: whoever takes a photo on, files it or signs for it looks there first, in
the same transaction. Here it is carried out: the record systems note the objection, the row says
so, what came into no record is destroyed, *then* UNDONE is signed.
"""

import logging
from collections.abc import Callable
from typing import Final

from sqlalchemy import ColumnElement, and_, bindparam, or_, select
from sqlalchemy.orm import Session

from gateway import retention, worklist
from gateway.audit.tables import Did, done_once
from gateway.filing.cabinet import Cabinet
from gateway.receipts import Answer, Receipts
from gateway.store import Store
from gateway.tables import Photo, State, Undo, WorkKind
from gateway.vault import Vault
from gateway.worklist import Again
from wire.messages import Status

log = logging.getLogger(__name__)


_TOLD: Final = "the patient told the hospital"
_ON_RECORD: Final = (
    select(Undo.intent)
    .where(
        Undo.device == bindparam("device"),
        or_(Undo.intent == bindparam("intent"), Undo.photo == bindparam("photo")),
    )
    .limit(1)
)


def on_record(session: Session, device: str, intent: str, photo: str) -> bool:
    """Tell whether an UNDO of this device names this INTENT or this photo (both hex)."""
    found = session.execute(_ON_RECORD, {"device": device, "intent": intent, "photo": photo})
    return found.first() is not None


class Withdrawals:
    """Carries out what is on record; ``name`` is this replica's."""

    def __init__(
        self,
        *,
        name: str,
        store: Store,
        cabinet: Cabinet,
        vault: Vault,
        receipts: Receipts,
        clock: Callable[[], int],
    ) -> None:
        self._name = name
        self._store = store
        self._cabinet = cabinet
        self._vault = vault
        self._receipts = receipts
        self._clock = clock

    def carry_out(self, device: str, photo: str) -> Answer | None:
        """Undo one photo; the same answer however often it is asked.

        None when there is nothing to answer yet: another replica has the photo in its hands and
        will see the withdrawal; or a record system's follower has to mark it first, and this is
        asked for again when it has; or the photo is another device's, for ever. Raises
        FilingError while a required record system cannot note the objection.
        """
        with self._cabinet.in_hand(photo) as mine:
            with self._store.begin(device=device) as session:
                row = session.get(Photo, photo)
                if row is not None and row.device != device:
                    self._refuse(session, device, photo)
                    return None
                if row is not None and self._elsewhere(row):
                    return None
                marked = [] if row is None else self._cabinet.object(session, row, mine=mine)
            for sink, filed in marked:
                sink.undo(filed, self._clock())
            with self._store.begin(device=device) as session:
                row = session.get(Photo, photo, with_for_update=True)
                settled = self._cabinet.objected(session, photo, marked)
                goes = settled and self._goes(session, device, photo, row)
                receipt = self._sign(session, device, photo) if settled and not goes else b""
            if goes:
                # It is on record by now that it goes. After a crash all of this is done again.
                self._vault.destroy(photo)
                with self._store.begin(device=device) as session:
                    receipt = self._sign(session, device, photo)
        if not settled:
            self._cabinet.wake()
            return None
        log.info("photo %s: undone", photo)
        return Answer(device, photo, receipt)

    def _goes(self, session: Session, device: str, photo: str, row: Photo | None) -> bool:
        """Write down that it is undone; True when the gateway's copy is to be destroyed first.

        What came into the record keeps its copy, like any other; so does what a litigation hold
        is on. The rest goes, and that is said before it is done. Until then the withdrawal is
        not carried out.
        """
        if row is None or self._signed(session, device, photo) is not None:
            return False
        goes = (
            row.state != State.FILED
            and row.filed_ms is None
            and not retention.on_hold(session, photo)
        )
        row.state, row.changed_ms, row.claimed_by = State.UNDONE, self._clock(), None
        if goes:
            done_once(session, Did.REMOVED, photo, self._name, at_ms=self._clock())
            for undo in session.scalars(select(Undo).where(_about(device, row.intent, photo))):
                undo.photo, undo.done = photo, False
        return goes

    def _sign(self, session: Session, device: str, photo: str) -> bytes:
        """Sign, once, that it is undone; the withdrawal is carried out."""
        row = session.get(Photo, photo)
        intent = row.intent if row is not None else ""
        undos = list(session.scalars(select(Undo).where(_about(device, intent, photo))))
        for undo in undos:
            undo.done = True
        known = self._signed(session, device, photo)
        if known is not None:
            return known
        why = _TOLD if any(undo.told for undo in undos) else ""
        return self._receipts.issue(
            session, device=device, photo=photo, status=Status.UNDONE, reason=why
        )

    def _signed(self, session: Session, device: str, photo: str) -> bytes | None:
        known = self._receipts.standing(session, device, photo)
        return known.raw if known is not None and known.status == Status.UNDONE else None

    def unfinished(self) -> list[tuple[str, str]]:
        """Return (device, photo) of withdrawals that are on record and not carried out."""
        pending = select(Undo.device, Undo.photo).where(Undo.done.is_(False)).limit(100)
        with self._store.begin() as session:
            return [(device, photo) for device, photo in session.execute(pending) if photo]

    def _elsewhere(self, row: Photo) -> bool:
        return (
            row.state == State.ARRIVING
            and row.claimed_by not in (None, self._name)
            and row.claimed_until_ms > self._clock()
        )

    def _refuse(self, session: Session, device: str, photo: str) -> None:
        """A device may withdraw its own photos only."""
        worklist.note(
            session,
            WorkKind.ALARM,
            device=device,
            subject=photo,
            why="the device signed an UNDO for a photo of another device",
            at_ms=self._clock(),
            again=Again.NEW_WORDS,
        )
        for undo in session.scalars(select(Undo).where(_about(device, "", photo))):
            undo.done = True


def _about(device: str, intent: str, photo: str) -> ColumnElement[bool]:
    return and_(Undo.device == device, or_(Undo.intent == intent, Undo.photo == photo))
