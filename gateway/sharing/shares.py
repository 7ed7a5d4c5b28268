"""What went outside, to whom and why, and what ended it.

A row for each file, never deleted. An objection (on the device or told), a move to another
patient, or a person ends a share: the row says when and why, in the very transaction that enters
what ended it. A file that has left cannot be called back by software. So an item on the worklist
names who has it, belongs to whoever gave it out, and is closed by a named person with what came
of asking.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import BigInteger, Index, Select, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from gateway.audit.tables import audited
from gateway.identity.tables import AssignmentRow, MoveRow
from gateway.receipts import clip
from gateway.store import Store
from gateway.tables import HASH, PERSON, Base, Photo, Undo, WorkItem, WorkKind
from gateway.uses import Standing, Use, may
from gateway.worklist_desk import CLOCK, NotDone, named, step, worded

MOST: Final = 500


class Form(StrEnum):
    """What the recipient gets. The first two open with a pass-phrase alone.

    The others are teaching copies: nothing is in them that says who it is.
    """

    PDF = "pdf"
    HTML = "html"
    JPEG = "jpg"
    DICOM = "dcm"


@audited
class ShareRow(Base):
    """A photo that was shared outside; never deleted. ``digest``: SHA-256 of the file.

    ``use`` is a word of ``gateway.uses``, ``patient`` whose photo it was then. ``confirmed`` is
    what a person has looked for in a teaching copy and not found, and what was taken out first.
    ``item`` is the worklist's, once the copy is to be destroyed.
    """

    __tablename__ = "shares"
    __table_args__ = (Index("shares_by_time", "at_ms"), Index("shares_by_patient", "patient"))

    id: Mapped[int] = mapped_column(primary_key=True)
    photo: Mapped[str] = mapped_column(HASH, index=True)
    recipient: Mapped[str] = mapped_column(String(200))
    reason: Mapped[str] = mapped_column(String(1000))
    by: Mapped[str] = mapped_column(PERSON)
    form: Mapped[str] = mapped_column(String(8))
    digest: Mapped[str] = mapped_column(HASH)
    at_ms: Mapped[int] = mapped_column(BigInteger)
    use: Mapped[str] = mapped_column(String(24), default=Use.REFERRAL.value)
    patient: Mapped[str | None] = mapped_column(PERSON)
    confirmed: Mapped[str] = mapped_column(String(400), default="")
    revoked_ms: Mapped[int | None] = mapped_column(BigInteger)
    revoked_by: Mapped[str] = mapped_column(PERSON, default="")
    revoked_why: Mapped[str] = mapped_column(String(1000), default="")
    item: Mapped[int | None]


@dataclass(frozen=True)
class Share:
    """A share as people see it; fields as in ``ShareRow``.

    ``answer`` is what came of asking for the copy to be destroyed, ``answered_by`` who says so.
    """

    id: int
    photo: str
    recipient: str
    reason: str
    by: str
    form: Form
    digest: str
    at_ms: int
    use: str
    patient: str | None
    confirmed: str
    revoked_ms: int | None
    revoked_by: str
    revoked_why: str
    item: int | None
    owner: str
    answer: str
    answered_by: str
    answered_ms: int | None

    @property
    def live(self) -> bool:
        return self.revoked_ms is None


@dataclass(frozen=True)
class Filter:
    """Which shares; what is None or empty does not matter.

    ``recipient``, ``person`` (who shared it): a part of the name. ``day``: in UTC.
    """

    day: date | None = None
    recipient: str = ""
    person: str = ""
    photo: str = ""
    patient: str = ""
    live: bool | None = None
    use: str = ""


ALL: Final = Filter()


class Shares:
    """What console, API and shell call; ``clock`` gives milliseconds since 1970 UTC."""

    def __init__(self, *, store: Store, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock

    def find(
        self, which: Filter = ALL, *, limit: int = 100, before: int | None = None
    ) -> list[Share]:
        """Return shares, newest first. ``before``: go on below this id (the last one's)."""
        query = _where(_joined(), which)
        if before is not None:
            query = query.where(ShareRow.id < before)
        with self._store.read() as session:
            rows = session.execute(query.order_by(ShareRow.id.desc()).limit(min(limit, MOST)))
            return [_share(row, item) for row, item in rows]

    def get(self, share: int) -> Share:
        """Return one. Raises NotDone."""
        with self._store.read() as session:
            return _get(session, share)

    def of(self, photo: str) -> list[Share]:
        """Return what was shared of a photo, oldest first."""
        with self._store.read() as session:
            return of(session, photo)

    def revoke(self, share: int, *, by: str, reason: str) -> Share:
        """End a share by hand: its recipient is to be asked to destroy it. Raises NotDone."""
        by, reason = named(by), worded(reason, "a reason")
        with self._store.begin() as session:
            row = session.get(ShareRow, share, with_for_update=True)
            if row is None:
                raise NotDone("there is no such share")
            if row.revoked_ms is not None:
                raise NotDone("this share has ended already")
            _end(session, row, by=by, why=reason, at=self._clock())
            session.flush()
            return _get(session, share)


def of(session: Session, photo: str) -> list[Share]:
    """Return what was shared of a photo, oldest first, in a transaction of the caller's."""
    query = _joined().where(ShareRow.photo == photo).order_by(ShareRow.id)
    return [_share(row, item) for row, item in session.execute(query)]


def stop(session: Session, photo: str, why: str, *, at: int, by: str = CLOCK) -> int:
    """End every share of a photo, with what ended it in words; return how many there were.

    In the caller's transaction, which enters what ended them.
    """
    live = select(ShareRow).where(ShareRow.photo == photo, ShareRow.revoked_ms.is_(None))
    rows = list(session.scalars(live.order_by(ShareRow.id).with_for_update()))
    for row in rows:
        _end(session, row, by=by, why=why, at=at)
    return len(rows)


def fit(session: Session, photo: str, use: Use, *, lock: bool = False) -> Photo:
    """Return a photo that may be used for this now. Raises NotDone.

    With ``lock`` nothing can end it until the caller's transaction has; without, it is a look.
    """
    row = session.get(Photo, photo, with_for_update=lock or None)
    if row is None:
        raise NotDone("there is no such photo")
    verdict = may(use, Standing.of(row))
    if not verdict.may:
        raise NotDone(f"this photo must not be shared: {verdict.why}")
    undone = select(Undo.intent).where(
        Undo.device == row.device, (Undo.intent == row.intent) | (Undo.photo == photo)
    )
    if session.execute(undone.limit(1)).first() is not None:
        raise NotDone("this photo must not be shared: the patient objected")
    moving = select(MoveRow.id).where(
        MoveRow.photo == photo, MoveRow.stand.in_(("asked", "confirmed"))
    )
    if session.execute(moving.limit(1)).first() is not None:
        raise NotDone(
            "this photo must not be shared while it is asked to be moved to another patient"
        )
    return row


def whose(session: Session, photo: str) -> str | None:
    """Return the number of the patient to whom a photo is filed."""
    query = (
        select(AssignmentRow.patient)
        .where(AssignmentRow.photo == photo)
        .order_by(AssignmentRow.number.desc())
    )
    return session.scalars(query.limit(1)).first()


def _end(session: Session, row: ShareRow, *, by: str, why: str, at: int) -> None:
    row.revoked_ms, row.revoked_by, row.revoked_why = at, by, clip(why, 1000)
    photo = session.get(Photo, row.photo)
    day = datetime.fromtimestamp(row.at_ms / 1000, UTC).date()
    note = f"ask {row.recipient} for the copy to be destroyed ({row.form}, shared {day}): {why}"
    item = WorkItem(
        kind=WorkKind.SHARED.value,
        device="" if photo is None else photo.device,
        subject=f"{row.photo} share {row.id}",
        why=clip(note, 400),
        opened_ms=at,
        about_ms=row.at_ms,
        ward="" if photo is None else photo.ward,
        bed="" if photo is None else photo.bed,
        patient=row.patient,
        owner=row.by,
    )
    session.add(item)
    session.flush()
    row.item = item.id
    step(session, item, by=by, what="share ended", note=why, at=at)


def _joined() -> Select[ShareRow, WorkItem]:
    return select(ShareRow, WorkItem).outerjoin(WorkItem, WorkItem.id == ShareRow.item)


def _where(query: Select[ShareRow, WorkItem], which: Filter) -> Select[ShareRow, WorkItem]:
    if which.day is not None:
        begin = datetime.combine(which.day, datetime.min.time(), UTC)
        query = query.where(
            ShareRow.at_ms >= int(begin.timestamp() * 1000),
            # In milliseconds: the last day that there is has no day after it.
            ShareRow.at_ms < int(begin.timestamp() * 1000) + 86_400_000,
        )
    if which.recipient:
        query = query.where(ShareRow.recipient.icontains(which.recipient, autoescape=True))
    if which.person:
        query = query.where(ShareRow.by.icontains(which.person, autoescape=True))
    if which.photo:
        query = query.where(ShareRow.photo == which.photo)
    if which.patient:
        query = query.where(ShareRow.patient == which.patient)
    if which.use:
        query = query.where(ShareRow.use == which.use)
    if which.live is not None:
        ended = ShareRow.revoked_ms.is_not(None)
        query = query.where(~ended if which.live else ended)
    return query


def _get(session: Session, share: int) -> Share:
    found = session.execute(_joined().where(ShareRow.id == share)).first()
    if found is None:
        raise NotDone("there is no such share")
    return _share(found[0], found[1])


def _share(row: ShareRow, item: WorkItem | None) -> Share:
    closed = item is not None and item.closed_ms is not None
    return Share(
        id=row.id,
        photo=row.photo,
        recipient=row.recipient,
        reason=row.reason,
        by=row.by,
        form=Form(row.form),
        digest=row.digest,
        at_ms=row.at_ms,
        use=row.use,
        patient=row.patient,
        confirmed=row.confirmed,
        revoked_ms=row.revoked_ms,
        revoked_by=row.revoked_by,
        revoked_why=row.revoked_why,
        item=row.item,
        owner="" if item is None else item.owner or "",
        answer=item.note if item is not None and closed else "",
        answered_by=(item.closed_by or "") if item is not None and closed else "",
        answered_ms=None if item is None else item.closed_ms,
    )
