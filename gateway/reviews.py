"""Somebody asks a named person to look at a photo, and is told when that is done.

The request stands on the owner's worklist until it is closed there; where it is open, who owns it
by now, and how it ended is the item's to say, so there are no two truths. The FHIR servers have it
as a ServiceRequest (gateway.filing.errands): active, completed when the item is closed, revoked
when whoever asked takes it back.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import BigInteger, String, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from gateway.receipts import clip
from gateway.store import Store
from gateway.tables import HASH, ID16, NAME, PERSON, Base, Photo, State, WorkItem, WorkKind
from gateway.worklist_desk import NotDone, end, named, step, worded

TO_TELL: Final = "active "
"""What was told, where that does not hold any more."""


class Status(StrEnum):
    """How a request stands, in FHIR's words."""

    ACTIVE = "active"
    COMPLETED = "completed"
    REVOKED = "revoked"


class ReviewRow(Base):
    """A request; never deleted. ``uid`` is what record systems know it by, ``item`` its task."""

    __tablename__ = "reviews"

    id: Mapped[int] = mapped_column(primary_key=True)
    uid: Mapped[str] = mapped_column(ID16, unique=True)
    photo: Mapped[str] = mapped_column(HASH, index=True)
    item: Mapped[int] = mapped_column(index=True)
    by: Mapped[str] = mapped_column(PERSON)
    question: Mapped[str] = mapped_column(String(1000))
    asked_ms: Mapped[int] = mapped_column(BigInteger)
    revoked: Mapped[bool] = mapped_column(default=False)


class ReviewTold(Base):
    """What a record system was last told of a request; ``told`` is its words (``Review.says``)."""

    __tablename__ = "reviews_told"

    review: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    sink: Mapped[str] = mapped_column(NAME, primary_key=True)
    told: Mapped[str] = mapped_column(String(200), default="")
    attempts: Mapped[int] = mapped_column(default=0)
    due_ms: Mapped[int] = mapped_column(BigInteger, default=0)
    problem: Mapped[str] = mapped_column(String(400), default="")


@dataclass(frozen=True)
class Review:
    """A request as people and record systems see it. ``closed_by`` and ``note``: how it ended."""

    id: int
    uid: str
    photo: str
    item: int
    by: str
    owner: str
    question: str
    asked_ms: int
    status: Status
    closed_by: str
    closed_ms: int | None
    note: str

    @property
    def says(self) -> str:
        """What a record system must be told again when it changes."""
        return f"{self.status} {self.owner}"[:200]


class Reviews:
    """What console and API call; ``clock`` gives milliseconds since 1970 UTC."""

    def __init__(self, *, store: Store, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock

    def ask(self, photo: str, *, owner: str, question: str, by: str) -> Review:
        """Ask ``owner`` to look at a photo. Raises NotDone."""
        by, owner = named(by), named(owner, "who is asked")
        question = worded(question, "a question")
        now, uid = self._clock(), secrets.token_hex(16)
        with self._store.begin(rings=True) as session:
            row = session.get(Photo, photo)
            if row is None:
                raise NotDone("there is no such photo")
            if row.state != State.FILED:
                raise NotDone(f"only a filed photo is reviewed; this one is {row.state}")
            item = WorkItem(
                kind=WorkKind.REVIEW.value,
                device=row.device,
                subject=f"{photo} {uid}",
                why=clip(f"{by} asks: {question}", 400),
                opened_ms=now,
                about_ms=row.captured_ms,
                ward=row.ward,
                bed=row.bed,
                owner=owner,
            )
            session.add(item)
            session.flush()
            step(session, item, by=by, what="asked", note=f"{owner}: {question}", at=now)
            review = ReviewRow(
                uid=uid, photo=photo, item=item.id, by=by, question=question, asked_ms=now
            )
            session.add(review)
            session.flush()
            return _review(review, item)

    def revoke(self, review: int, *, by: str, note: str) -> Review:
        """Take a request back, with a reason. Raises NotDone."""
        return self._finish(review, by=by, note=note, revoked=True)

    def complete(self, review: int, *, by: str, note: str) -> Review:
        """Say that it is done and what came of it, as closing its item does. Raises NotDone."""
        return self._finish(review, by=by, note=note, revoked=False)

    def _finish(self, review: int, *, by: str, note: str, revoked: bool) -> Review:
        with self._store.begin(rings=True) as session:
            row = session.get(ReviewRow, review, with_for_update=True)
            if row is None:
                raise NotDone("there is no such request")
            item = session.get_one(WorkItem, row.item, with_for_update=True)
            if item.closed_ms is not None:
                raise NotDone(f"this request was closed already, by {item.closed_by}")
            end(session, item, by=by, note=note, at=self._clock())
            row.revoked = revoked
            return _review(row, item)

    def of(self, photo: str) -> list[Review]:
        """Return the requests about a photo, oldest first."""
        query = (
            select(ReviewRow, WorkItem)
            .join(WorkItem, WorkItem.id == ReviewRow.item)
            .where(ReviewRow.photo == photo)
            .order_by(ReviewRow.id)
        )
        with self._store.read() as session:
            return [_review(row, item) for row, item in session.execute(query)]


def untold(session: Session, sink: str, now_ms: int, *, most: int) -> list[Review]:
    """Return requests of which a record system has to be told something, and may be now."""
    query = (
        select(ReviewRow, WorkItem, ReviewTold)
        .join(WorkItem, WorkItem.id == ReviewRow.item)
        .outerjoin(ReviewTold, (ReviewTold.review == ReviewRow.id) & (ReviewTold.sink == sink))
        .where(or_(ReviewTold.told.is_(None), ReviewTold.told.like("active %")))
        .where(or_(ReviewTold.due_ms.is_(None), ReviewTold.due_ms <= now_ms))
        .order_by(ReviewRow.id)
    )
    found = []
    rows: Any = session.execute(query)
    for row, item, told in rows:
        review = _review(row, item)
        if told is None or told.told != review.says:
            found.append(review)
        if len(found) == most:
            break
    return found


def tell_anew(session: Session, photo: str) -> None:
    """Have record systems told again, in the transaction that files a photo anew.

    Those that ended as well: they stand in a chart, too.
    """
    session.get(Photo, photo, with_for_update=True)  # nobody writes down meanwhile what was told
    about = select(ReviewRow.id).where(ReviewRow.photo == photo)
    for row in session.scalars(select(ReviewTold).where(ReviewTold.review.in_(about))):
        row.told, row.attempts, row.due_ms = TO_TELL, 0, 0


def _review(row: ReviewRow, item: WorkItem) -> Review:
    status = Status.ACTIVE
    if item.closed_ms is not None:
        status = Status.REVOKED if row.revoked else Status.COMPLETED
    return Review(
        id=row.id,
        uid=row.uid,
        photo=row.photo,
        item=item.id,
        by=row.by,
        owner=item.owner or "",
        question=row.question,
        asked_ms=row.asked_ms,
        status=status,
        closed_by=item.closed_by or "",
        closed_ms=item.closed_ms,
        note=item.note,
    )
