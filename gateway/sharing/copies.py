"""Teaching copies that left, for the record systems that know where things come from.

A copy is in no record: what a record system is told is that one was made of a photo that it has,
by whom and when, and the copy's SHA-256 (gateway.filing.errands). Who got it is not the chart's
to know; the list of shares and the audit say it.
"""

from dataclasses import dataclass

from sqlalchemy import BigInteger, String, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from gateway.sharing.shares import Form, ShareRow
from gateway.tables import NAME, Base, Filing, Stand
from gateway.uses import Use


class CopyTold(Base):
    """How far a record system has been told of a teaching copy; ``share`` is the row's id."""

    __tablename__ = "copies_told"

    share: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    sink: Mapped[str] = mapped_column(NAME, primary_key=True)
    told: Mapped[bool] = mapped_column(default=False)
    attempts: Mapped[int] = mapped_column(default=0)
    due_ms: Mapped[int] = mapped_column(BigInteger, default=0)
    problem: Mapped[str] = mapped_column(String(400), default="")


@dataclass(frozen=True)
class TeachingCopy:
    """A copy that left. ``digest``: its SHA-256 in hex; ``confirmed`` as in ``ShareRow``.

    ``number``: of the assignment under which the record system has the photo.
    """

    share: int
    photo: str
    number: int
    by: str
    form: Form
    digest: str
    confirmed: str
    at_ms: int

    @property
    def uid(self) -> str:
        """What record systems know it by."""
        return f"{self.photo}.{self.share}"


def untold(session: Session, sink: str, now_ms: int, *, most: int) -> list[TeachingCopy]:
    """Return copies of photos that a record system has, of which it has to be told, and may be.

    A photo that was in the wrong chart is one that it has once it stands in the right one.
    """
    wrong = Stand.IN_ERROR.value
    # For each copy by itself: copies are few, photos many.
    there = (
        select(func.max(Filing.assignment))
        .where(Filing.photo == ShareRow.photo, Filing.sink == sink, Filing.filed_ms.is_not(None))
        .where(Filing.stand != wrong, Filing.wanted != wrong)
        .correlate(ShareRow)
        .scalar_subquery()
    )
    query = (
        select(ShareRow, there)
        .outerjoin(CopyTold, (CopyTold.share == ShareRow.id) & (CopyTold.sink == sink))
        .where(ShareRow.use == Use.TEACHING.value, there.is_not(None))
        .where(CopyTold.told.is_(None) | (~CopyTold.told & (CopyTold.due_ms <= now_ms)))
        .order_by(ShareRow.id)
        .limit(most)
    )
    return [
        TeachingCopy(
            share=row.id,
            photo=row.photo,
            number=number,
            by=row.by,
            form=Form(row.form),
            digest=row.digest,
            confirmed=row.confirmed,
            at_ms=row.at_ms,
        )
        for row, number in session.execute(query)
    ]
