"""A patient objects after the device's five minutes, and governance decides what comes of it.

Told to the hospital, an objection does exactly what UNDO on the device does: it is put on record
as a withdrawal, and the gateway carries that out (gateway.withdrawal): every record system notes
it, secondary uses and shares end from the moment it is entered, and UNDONE is signed, with the
reason that it was told. The device's ledger gets no entry: nobody pressed anything.

However it came, an objection to a photo that was filed waits for governance, which keeps the care
copy with a reason, restricts it to itself, or has it erased where the law says so, on the word of
two people. A litigation hold forbids erasure. Erased is: entered in error in every record system
(the folder and the stores delete the picture), every copy of the gateway's destroyed; the ledger
and this history stay, and an item names what only a record system's own keeper can delete.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlalchemy import BigInteger, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from gateway import retention, uses, worklist
from gateway.receipts import clip
from gateway.sharing import shares
from gateway.store import Store
from gateway.tables import HASH, PERSON, Base, Photo, State, Undo, WorkKind
from gateway.worklist_desk import NotDone, end, named, open_items, same_person, step, worded

LONGEST_WHY: Final = 400
OPEN: Final = "open"


class Decision(StrEnum):
    """What governance makes of an objection; the words stand on the photo, too."""

    KEPT = uses.KEPT
    RESTRICTED = uses.RESTRICTED
    ERASED = uses.ERASED


class Stage(StrEnum):
    """How far an objection has come."""

    OPEN = "open"
    SECOND = "second person"
    DECIDED = "decided"
    DONE = "done"


class ObjectionRow(Base):
    """An objection; never deleted. ``device``: pressed there, and not told to the hospital.

    ``said_by`` and ``said_ms`` are who said it, and when, as the person ``by`` wrote it down.
    ``law`` is what an erasure rests on, ``second`` who confirmed it.
    """

    __tablename__ = "objections"

    id: Mapped[int] = mapped_column(primary_key=True)
    photo: Mapped[str] = mapped_column(HASH, index=True)
    device: Mapped[bool]
    said_by: Mapped[str] = mapped_column(String(200), default="")
    said_ms: Mapped[int] = mapped_column(BigInteger)
    words: Mapped[str] = mapped_column(String(1000), default="")
    by: Mapped[str] = mapped_column(PERSON, default="")
    at_ms: Mapped[int] = mapped_column(BigInteger)
    stage: Mapped[str] = mapped_column(String(16), index=True)
    decision: Mapped[str] = mapped_column(String(12), default="")
    reason: Mapped[str] = mapped_column(String(1000), default="")
    law: Mapped[str] = mapped_column(String(200), default="")
    decided_by: Mapped[str] = mapped_column(PERSON, default="")
    decided_ms: Mapped[int | None] = mapped_column(BigInteger)
    second: Mapped[str] = mapped_column(PERSON, default="")
    second_ms: Mapped[int | None] = mapped_column(BigInteger)


@dataclass(frozen=True)
class Objection:
    """An objection as people see it; fields as in ``ObjectionRow``."""

    id: int
    photo: str
    device: bool
    said_by: str
    said_ms: int
    words: str
    by: str
    at_ms: int
    stage: Stage
    decision: str
    reason: str
    law: str
    decided_by: str
    decided_ms: int | None
    second: str
    second_ms: int | None


class Objections:
    """What console and API call; ``clock`` gives milliseconds since 1970 UTC."""

    def __init__(self, *, store: Store, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock

    def object(self, photo: str, *, said_by: str, said_ms: int, words: str, by: str) -> Objection:
        """Enter that the patient, or who speaks for him, has objected. Raises NotDone."""
        by, said_by, words = named(by), named(said_by, "who said it"), words.strip()
        now = self._clock()
        if said_ms > now:
            raise NotDone("it cannot have been said later than now")
        with self._store.begin(rings=True) as session:
            row = session.get(Photo, photo, with_for_update=True)
            if row is None:
                raise NotDone("there is no such photo")
            if row.state == State.REJECTED or row.objection == Decision.ERASED:
                raise NotDone("this photo is not kept: there is nothing to object to")
            if row.objection == OPEN or _waiting(session, photo):
                raise NotDone("an objection is on record, and waits for governance")
            if row.state == State.UNDONE and not row.objection:
                raise NotDone("UNDO was pressed on the device; governance is asked by itself")
            self._withdraw(session, row, now)
            shares.stop(session, photo, "the patient objected", at=now, by=by)
            objection = ObjectionRow(
                photo=photo,
                device=False,
                said_by=said_by,
                said_ms=said_ms,
                words=clip(words, 1000),
                by=by,
                at_ms=now,
                stage=Stage.OPEN,
            )
            session.add(objection)
            session.flush()
            ask_governance(session, row, f"{said_by} objected: {words or 'no reason given'}", now)
            return _objection(objection)

    def _withdraw(self, session: Session, row: Photo, now: int) -> None:
        row.changed_ms = now
        if row.objection != Decision.RESTRICTED:
            # What governance has restricted stays so until governance says otherwise.
            row.objection = OPEN
        if session.get(Undo, (row.device, row.intent)) is None:
            session.add(
                Undo(
                    device=row.device,
                    intent=row.intent,
                    photo=row.photo,
                    at_ms=now,
                    done=False,
                    told=True,
                )
            )

    def decide(
        self, objection: int, decision: Decision, *, reason: str, by: str, law: str = ""
    ) -> Objection:
        """Decide, as governance. An erasure waits for a second person. Raises NotDone."""
        by, reason, law = named(by), worded(reason, "a reason"), " ".join(law.split())
        with self._store.begin(rings=True) as session:
            row = _row(session, objection)
            if row.stage != Stage.OPEN:
                raise NotDone("this objection is decided, or waits for a second person")
            row.decision, row.reason = decision.value, reason
            row.decided_by, row.decided_ms = by, self._clock()
            if decision is not Decision.ERASED:
                self._settle(session, row, by)
                return _objection(row)
            if not law:
                raise NotDone("name the law, or the order, by which it must be erased")
            _refuse_if_held(session, row.photo)
            row.law, row.stage = clip(law, 200), Stage.SECOND
            for item in open_items(session, row.photo, (WorkKind.OBJECTION,)):
                note = f"{reason} ({row.law})"
                step(session, item, by=by, what="erasure asked", note=note, at=self._clock())
            return _objection(row)

    def confirm(self, objection: int, *, confirm: bool, second: str) -> Objection:
        """Confirm or refuse an erasure, as somebody else than who asked. Raises NotDone."""
        second = named(second, "a second person")
        with self._store.begin(rings=True) as session:
            row = _row(session, objection)
            if row.stage != Stage.SECOND:
                raise NotDone("no erasure of this photo waits for a second person")
            if same_person(second, row.decided_by):
                raise NotDone("a second person is needed: who asks for an erasure cannot confirm")
            if not confirm:
                for item in open_items(session, row.photo, (WorkKind.OBJECTION,)):
                    note = f"asked by {row.decided_by}: {row.reason}"
                    at = self._clock()
                    step(session, item, by=second, what="erasure refused", note=note, at=at)
                row.decision, row.reason, row.law = "", "", ""
                row.decided_by, row.decided_ms, row.stage = "", None, Stage.OPEN
                return _objection(row)
            _refuse_if_held(session, row.photo)
            row.second, row.second_ms = second, self._clock()
            self._settle(session, row, second)
            return _objection(row)

    def _settle(self, session: Session, row: ObjectionRow, by: str) -> None:
        erased = row.decision == Decision.ERASED
        row.stage = Stage.DECIDED if erased else Stage.DONE
        photo = session.get_one(Photo, row.photo, with_for_update=True)
        photo.objection, photo.changed_ms = row.decision, self._clock()
        for item in open_items(session, row.photo, (WorkKind.OBJECTION,)):
            law = f" ({row.law}; asked by {row.decided_by})" if erased else ""
            note = f"{row.decision}: {row.reason}{law}"
            end(session, item, by=by, note=note, at=self._clock())

    def of(self, photo: str) -> list[Objection]:
        """Return the objections to a photo, oldest first."""
        query = select(ObjectionRow).where(ObjectionRow.photo == photo).order_by(ObjectionRow.id)
        with self._store.read() as session:
            return [_objection(row) for row in session.scalars(query)]

    def get(self, objection: int) -> Objection:
        """Return one. Raises NotDone."""
        with self._store.read() as session:
            row = session.get(ObjectionRow, objection)
            if row is None:
                raise NotDone("there is no such objection")
            return _objection(row)


def ask_governance(session: Session, photo: Photo, why: str, now: int) -> None:
    """Put an objection before governance, once more if it has decided about another."""
    worklist.note(
        session,
        WorkKind.OBJECTION,
        device=photo.device,
        subject=photo.photo,
        why=why,
        at_ms=now,
        about_ms=photo.captured_ms,
        again=worklist.Again.ALWAYS,
    )


def _refuse_if_held(session: Session, photo: str) -> None:
    if retention.on_hold(session, photo):
        raise NotDone("a litigation hold keeps this photo: lift the hold first, or do not erase")


def _waiting(session: Session, photo: str) -> bool:
    waits = select(ObjectionRow.id).where(
        ObjectionRow.photo == photo,
        ObjectionRow.stage.in_((Stage.OPEN, Stage.SECOND, Stage.DECIDED)),
    )
    return session.execute(waits.limit(1)).first() is not None


def _row(session: Session, objection: int) -> ObjectionRow:
    row = session.get(ObjectionRow, objection, with_for_update=True)
    if row is None:
        raise NotDone("there is no such objection")
    return row


def _objection(row: ObjectionRow) -> Objection:
    return Objection(
        id=row.id,
        photo=row.photo,
        device=row.device,
        said_by=row.said_by,
        said_ms=row.said_ms,
        words=row.words,
        by=row.by,
        at_ms=row.at_ms,
        stage=Stage(row.stage),
        decision=row.decision,
        reason=row.reason,
        law=row.law,
        decided_by=row.decided_by,
        decided_ms=row.decided_ms,
        second=row.second,
        second_ms=row.second_ms,
    )
