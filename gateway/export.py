"""Everything that the gateway knows of one patient, for himself or for who asks in his name.

A folder: ``export.json`` says what there is (photos with their consents, uses, record systems,
moves, who looked at them in the console), ``ledger/`` holds the signed entries that stand behind
each photo, to be verified without us, and ``photos/`` the pictures whose sealed copies are still
here. Where one is not, the record systems have it: their references stand in the JSON.
"""

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from base.durable import write_all
from base.errors import EnvironmentProblem
from base.memory import Buffer
from gateway.audit.tables import Viewing
from gateway.filing.record import Assignment
from gateway.identity import census
from gateway.identity.identify import assigned, current
from gateway.identity.tables import AssignmentRow, MoveRow
from gateway.lookers import EXPORTED
from gateway.objections import ObjectionRow
from gateway.reopening import NotReopened, Reopener
from gateway.sharing import shares
from gateway.sites import BodySiteRow
from gateway.store import Store
from gateway.tables import Filing, LedgerEntry, Photo, Stand, WorkItem
from gateway.uses import Standing, Use, may
from gateway.worklist_desk import NotDone

_ENTRY_TYPES: Final = ("CONSENT", "INTENT", "SEALED", "UNDO")
_NEAR: Final = 2000
"""How many entries away a photo's own may be: an UNDO may come much later."""


@dataclass(frozen=True)
class Exported:
    """How many photos there are, and how many of them could be opened here."""

    photos: int
    opened: int


class Exporter:
    """``looked(session, photo)`` tells who looked at a photo, one mapping for each time.

    ``wrongly(session, photo, patient)`` tells who saw it in this patient's chart by mistake.
    """

    def __init__(
        self,
        *,
        store: Store,
        reopener: Reopener,
        room: Buffer,
        looked: Callable[[Session, str], list[dict[str, Any]]],
        wrongly: Callable[[Session, str, str], list[dict[str, Any]]],
    ) -> None:
        self._store = store
        self._reopener = reopener
        self._room = room
        self._looked = looked
        self._wrongly = wrongly

    def export(self, patient: str, folder: Path, *, by: str) -> Exported:
        """Write the folder, which must not exist. Raises NotDone for a patient nobody knows.

        That ``by`` takes all of it along is in the audit before anything is written.
        """
        if folder.exists():
            raise EnvironmentProblem(f"{folder} exists already; give a new name")
        with self._store.read() as session:
            known = census.patient(session, patient)
            if known is None:
                raise NotDone("no patient with this number is known here")
            ever = select(AssignmentRow.photo).where(AssignmentRow.patient == patient).distinct()
            photos = sorted(session.scalars(ever))
            rows = [session.get_one(Photo, photo) for photo in photos]
            about = {
                "wardseal-export": 1,
                "patient": asdict(known),
                "encounters": census.encounters_of(session, patient),
                "photos": [self._photo(session, row, patient) for row in rows],
            }
            entries = {row.photo: self._entries(session, row) for row in rows}
            whose = {row.photo: assigned(session, row.photo, None) for row in rows}
        with self._store.begin() as session:
            at_ms = time.time_ns() // 1_000_000
            for subject in (patient, *photos):
                taken = Viewing(at_ms=at_ms, login=by, name=by, what=EXPORTED, subject=subject)
                session.add(taken)
        folder.mkdir(mode=0o700, parents=True)
        for photo, raws in entries.items():
            for name, raw in raws.items():
                _write(folder / "ledger" / f"{photo}.{name}.cose", raw)
        opened = sum(
            self._picture(row, whose[row.photo], folder)
            for row in rows
            if _patient_of(whose[row.photo]) == patient
        )
        _write(folder / "export.json", json.dumps(about, indent=1, ensure_ascii=False).encode())
        return Exported(len(rows), opened)

    def _photo(self, session: Session, row: Photo, patient: str) -> dict[str, Any]:
        now = current(session, row.photo)
        filings = session.scalars(select(Filing).where(Filing.photo == row.photo))
        moves = session.scalars(select(MoveRow).where(MoveRow.photo == row.photo))
        work = session.scalars(select(WorkItem).where(WorkItem.subject == row.photo))
        standing = Standing.of(row)
        return {
            "photo": row.photo,
            "state": row.state,
            "captured_ms": row.captured_ms,
            "filed_ms": row.filed_ms,
            "device": row.device,
            "ward": row.ward,
            "bed": row.bed,
            "consent": {"level": row.level, "basis": row.basis, "attested": row.attested},
            "uses": {use.value: may(use, standing).may for use in Use},
            # One that was moved away says so, and not to whom: that is somebody else's.
            "this_patients_now": now is not None and now.patient == patient,
            "record_systems": [
                {
                    "system": filing.sink,
                    "assignment": filing.assignment,
                    "stand": Stand(filing.stand).value,
                    "reference": filing.reference,
                }
                for filing in filings
                if _is_of(session, row.photo, filing.assignment, patient)
            ],
            "moves": [
                {"asked_ms": move.asked_ms, "decided_ms": move.decided_ms, "stand": move.stand}
                for move in moves
            ],
            "worklist": [
                {"kind": item.kind, "why": item.why, "opened_ms": item.opened_ms} for item in work
            ],
            # What was shared as somebody else's, before a move, is somebody else's to know.
            "shared": [
                {
                    "with": share.recipient,
                    "why": share.reason,
                    "use": share.use,
                    "form": share.form.value,
                    "at_ms": share.at_ms,
                    "sha256": share.digest,
                    "ended_ms": share.revoked_ms,
                    "ended_why": share.revoked_why,
                    "answer": share.answer,
                }
                for share in shares.of(session, row.photo)
                if share.patient == patient
            ],
            "looked_at": self._looked(session, row.photo),
            "seen_in_this_chart_by_mistake": self._wrongly(session, row.photo, patient),
            "body_site": [
                {"code": said.code, "display": said.display, "side": said.side, "note": said.note}
                for said in session.scalars(
                    select(BodySiteRow)
                    .where(BodySiteRow.photo == row.photo)
                    .order_by(BodySiteRow.id)
                )
            ],
            "objections": [
                {"said_by": one.said_by, "said_ms": one.said_ms, "decision": one.decision}
                for one in session.scalars(
                    select(ObjectionRow)
                    .where(ObjectionRow.photo == row.photo)
                    .order_by(ObjectionRow.id)
                )
            ],
        }

    def _entries(self, session: Session, row: Photo) -> dict[str, bytes]:
        """The signed entries of the photo's window: consent, intent, seal, withdrawal."""
        query = select(LedgerEntry).where(
            LedgerEntry.device == row.device,
            LedgerEntry.ledger == row.ledger,
            LedgerEntry.type.in_(_ENTRY_TYPES),
            LedgerEntry.seq.between(row.seq - _NEAR, row.seq + _NEAR),
        )
        entries = list(session.scalars(query.order_by(LedgerEntry.seq)))
        named = bytes.fromhex(row.intent), bytes.fromhex(row.photo)
        intent = next((entry for entry in entries if entry.digest == row.intent), None)
        found: dict[str, bytes] = {}
        for entry in entries:
            behind = intent is not None and bytes.fromhex(entry.digest) in intent.raw
            if entry is intent or behind or any(part in entry.raw for part in named):
                found[entry.type.lower()] = entry.raw
        return found

    def _picture(self, row: Photo, assignment: Assignment, folder: Path) -> bool:
        try:
            with self._reopener.reopen(row, assignment, self._room) as record:
                _write(folder / "photos" / f"{row.photo}.jpg", record.jpeg)
        except NotReopened:
            return False
        return True


def _patient_of(assignment: Assignment) -> str | None:
    return None if assignment.patient is None else assignment.patient.number


def _is_of(session: Session, photo: str, number: int, patient: str) -> bool:
    row = session.get(AssignmentRow, (photo, number))
    return row is not None and row.patient == patient


def _write(path: Path, data: bytes | memoryview) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    try:
        write_all(descriptor, memoryview(data))
    finally:
        os.close(descriptor)
