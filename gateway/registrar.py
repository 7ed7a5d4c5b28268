"""The gateway's part of an objection: governance is asked, and what it had erased is erased.

It does what ``gateway.objections`` has written down. An erasure is done again until nothing is left
of it to do: a crash may come anywhere, and a litigation hold makes it wait.
"""

import logging
from collections.abc import Callable
from typing import Final

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from gateway import retention, worklist
from gateway.audit.tables import Did, done_once
from gateway.filing.cabinet import Cabinet
from gateway.objections import LONGEST_WHY, OPEN, Decision, ObjectionRow, Stage, ask_governance
from gateway.receipts import clip
from gateway.store import Store
from gateway.tables import Filing, Photo, Stand, State, Undo, WorkKind
from gateway.vault import Vault
from gateway.worklist_desk import end, open_items

log = logging.getLogger(__name__)

_AT_ONCE: Final = 200


class Registrar:
    """The gateway's part: asks governance about every objection, and has erasures done."""

    def __init__(
        self, *, store: Store, cabinet: Cabinet, vault: Vault, clock: Callable[[], int]
    ) -> None:
        self._store = store
        self._cabinet = cabinet
        self._vault = vault
        self._clock = clock

    def round(self) -> None:
        """Look around once."""
        with self._store.begin() as session:
            self._pressed(session)
            self._never_filed(session)
        if self._erase():
            self._cabinet.wake()
        with self._store.begin() as session:
            self._erased(session)

    def _pressed(self, session: Session) -> None:
        """What was undone on a device after it was filed is governance's to decide."""
        undone = select(Photo).where(
            Photo.state == State.UNDONE, Photo.objection == "", Photo.filed_ms.is_not(None)
        )
        now = self._clock()
        for photo in session.scalars(undone.limit(_AT_ONCE)):
            pressed = session.get(Undo, (photo.device, photo.intent))
            session.add(
                ObjectionRow(
                    photo=photo.photo,
                    device=True,
                    said_ms=photo.changed_ms if pressed is None else pressed.at_ms,
                    at_ms=now,
                    stage=Stage.OPEN,
                )
            )
            photo.objection = OPEN
            ask_governance(session, photo, "UNDO was pressed on the device", now)

    def _never_filed(self, session: Session) -> None:
        """What no record ever had is destroyed with the withdrawal: nothing to decide."""
        told = (
            select(ObjectionRow)
            .join(Photo, Photo.photo == ObjectionRow.photo)
            .join(Undo, and_(Undo.device == Photo.device, Undo.intent == Photo.intent))
            .where(ObjectionRow.stage == Stage.OPEN, ObjectionRow.device.is_(False))
            .where(Photo.state == State.UNDONE, Photo.filed_ms.is_(None), Undo.done)
        )
        for row in session.scalars(told.limit(_AT_ONCE)):
            if retention.on_hold(session, row.photo):
                continue  # its sealed copy is kept, so there is something to decide
            photo = session.get_one(Photo, row.photo)
            row.stage, row.decision = Stage.DONE, Decision.ERASED
            row.reason = "it had come into no record"
            photo.objection = Decision.ERASED
            for item in open_items(session, row.photo, (WorkKind.OBJECTION, WorkKind.HELD)):
                note = "destroyed: it had come into no record"
                end(session, item, by=row.by, note=note, at=self._clock())

    def _erase(self) -> bool:
        """Done again until ``_erased`` has seen the end of it: a crash may come anywhere."""
        decided = (
            select(ObjectionRow.photo)
            .join(Photo, Photo.photo == ObjectionRow.photo)
            .where(ObjectionRow.stage == Stage.DECIDED, Photo.state == State.UNDONE)
        )
        any_gone = False
        with self._store.begin(durable=False) as session:
            photos = list(session.scalars(decided.limit(_AT_ONCE)))
        for photo in photos:
            with self._store.begin() as session:
                if retention.on_hold(session, photo):
                    continue  # put on after the decision; it waits
                mine = self._cabinet.keeps(session, photo)
                if mine:
                    # Said first, and lasting: what is destroyed cannot be said afterwards.
                    name = self._cabinet.name
                    done_once(session, Did.REMOVED, photo, name, at_ms=self._clock())
                self._cabinet.erase(session, photo)
            if mine:
                self._vault.destroy(photo)
            any_gone = True
        return any_gone

    def _erased(self, session: Session) -> None:
        """Once no record system has it as a photo any more: say what is left to do by hand."""
        unfinished = select(Filing.photo).where(Filing.stand != Stand.IN_ERROR)
        done = select(ObjectionRow).where(
            ObjectionRow.stage == Stage.DECIDED, ObjectionRow.photo.not_in(unfinished)
        )
        for row in session.scalars(done.limit(_AT_ONCE)):
            photo = session.get_one(Photo, row.photo)
            if photo.state != State.UNDONE or retention.on_hold(session, row.photo):
                continue
            if not self._cabinet.keeps(session, row.photo):
                continue  # whoever has the sealed copy says so, having destroyed it
            row.stage = Stage.DONE
            photo.badge, photo.badge_salt, photo.changed_ms = "", "", self._clock()
            left = self._cabinet.left(session, row.photo)
            if left:
                why = f"erased; only marked in error, for its keeper to delete: {'; '.join(left)}"
                worklist.note(
                    session,
                    WorkKind.UNFILED,
                    device=photo.device,
                    subject=f"{row.photo} erased",
                    why=clip(why, LONGEST_WHY),
                    at_ms=self._clock(),
                    about_ms=photo.captured_ms,
                )
            log.info("photo %s: erased", row.photo)
