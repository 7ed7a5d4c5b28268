"""What somebody still owes: a photo that does not come, a badge, a reason, a body site.

A device's ledger says what it has sealed, so the hospital knows of a photo before, or without,
seeing it. What was filed and lacks something is put on the worklist a little after filing, not
while a nurse waits for it.
"""

import logging
from collections.abc import Callable
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from gateway import worklist
from gateway.store import Store
from gateway.tables import Expected, Photo, State, Undo, WorkKind
from wire.events import Basis, Sealed
from wire.ledger import SignedEntry

log = logging.getLogger(__name__)

UNSENT_MS: Final = 10 * 60_000
_AT_ONCE: Final = 200
_UNSENT: Final = "sealed on the device, and not here after 10 minutes"
_UNATTESTED: Final = "no badge was read: filed for care, and for no other use"
_SITE: Final = "nobody has said which part of the body it shows"
_REASONS: Final = {
    Basis.EMERGENCY: "taken as an emergency: the reason belongs into the notes",
    Basis.NO_CAPACITY: "taken without capacity to consent: the reason belongs into the notes",
    Basis.PROXY: "consented by a representative: who it was belongs into the notes",
}


def expect(session: Session, signed: SignedEntry, body: Sealed, *, at_ms: int) -> None:
    """Note that a photo is to come, unless it is here."""
    photo = body.photo.hex()
    if session.get(Photo, photo) is None and session.get(Expected, photo) is None:
        session.add(
            Expected(
                photo=photo,
                device=signed.entry.device,
                taken_ms=signed.entry.wall_ms,
                heard_ms=at_ms,
            )
        )


def lost(session: Session, photo: str | None) -> None:
    """It is not to come any more: its loss is on the worklist."""
    if photo is not None:
        session.execute(delete(Expected).where(Expected.photo == photo))


class Owed:
    """Looks around now and then; ``clock`` gives milliseconds since 1970 UTC."""

    def __init__(self, *, store: Store, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock

    def round(self) -> None:
        """Put on the worklist what is owed by now."""
        now = self._clock()
        with self._store.begin() as session:
            self._not_come(session, now)
            self._stuck(session, now)
        with self._store.begin() as session:
            self._lacking(session, now)

    def _not_come(self, session: Session, now: int) -> None:
        come = select(Photo.photo).where(Photo.state != State.ARRIVING)
        undone = select(Undo.photo).where(Undo.photo.is_not(None))
        session.execute(
            delete(Expected).where(Expected.photo.in_(come) | Expected.photo.in_(undone)),
            execution_options={"synchronize_session": False},
        )
        late = select(Expected).where(Expected.heard_ms <= now - UNSENT_MS).limit(_AT_ONCE)
        for row in session.scalars(late):
            _note(session, WorkKind.UNSENT, row, _UNSENT, now)
            session.delete(row)

    def _stuck(self, session: Session, now: int) -> None:
        """Transfers that were begun and have come to no end."""
        stuck = select(Photo).where(
            Photo.state == State.ARRIVING, Photo.changed_ms <= now - UNSENT_MS
        )
        for row in session.scalars(stuck.limit(_AT_ONCE)):
            _note(session, WorkKind.UNSENT, row, _UNSENT, now)

    def _lacking(self, session: Session, now: int) -> None:
        filed = select(Photo).where(Photo.asked.is_(False), Photo.state == State.FILED)
        for row in session.scalars(filed.limit(_AT_ONCE)):
            lacking = {
                WorkKind.UNATTESTED: "" if row.attested else _UNATTESTED,
                WorkKind.REASON: _REASONS.get(Basis(row.basis), "") if row.basis else "",
                WorkKind.SITE: "" if row.sited else _SITE,
            }
            for kind, why in lacking.items():
                if why:
                    _note(session, kind, row, why, now)
            row.asked = True


def _note(session: Session, kind: WorkKind, row: Expected | Photo, why: str, now: int) -> None:
    taken = row.captured_ms if isinstance(row, Photo) else row.taken_ms
    worklist.note(
        session,
        kind,
        device=row.device,
        subject=row.photo,
        why=why,
        at_ms=now,
        about_ms=taken,
    )
