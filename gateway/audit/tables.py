"""The rows that the audit is told from, and how far each receiver has been told.

Who looked (``viewings``), what was shared (``shares``), what the gateway itself did (``deeds``):
each table only ever grows, and a receiver's mark says up to which row of each it has been told.

A mark is honest only if no row can turn up below it. SQLite writes one transaction after the
other. On PostgreSQL a number is given out before its row is committed; so whoever adds a row
stands in line, sharing, and whoever reads the line waits until nobody is in it.
"""

from enum import StrEnum
from typing import TypeVar

from sqlalchemy import BigInteger, Connection, Index, String, event, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from gateway import database
from gateway.tables import HASH, NAME, Base

_LINE = "audit"
Model = TypeVar("Model", bound=type[Base])


def audited(model: Model) -> Model:
    """Make a table one that the audit is told from: its rows are added standing in line."""

    def stand(_mapper: object, connection: Connection, _row: object) -> None:
        database.stand_in_line(connection, _LINE)

    event.listen(model, "before_insert", stand)
    return model


def line_ends(session: Session) -> None:
    """Wait until everybody who adds rows has done so; nobody adds any until the end of this."""
    database.wait_for_line(session.connection(), _LINE)


@audited
class Viewing(Base):
    """Somebody looked at something: ``what`` is a word of ``gateway.console.audit``.

    ``note``: why, where a reason was needed. The console never deletes one.
    """

    __tablename__ = "viewings"
    __table_args__ = (Index("viewings_by_subject", "subject"), Index("viewings_by_time", "at_ms"))

    id: Mapped[int] = mapped_column(primary_key=True)
    at_ms: Mapped[int] = mapped_column(BigInteger)
    login: Mapped[str] = mapped_column(String(100))
    name: Mapped[str] = mapped_column(String(100))
    what: Mapped[str] = mapped_column(String(24))
    subject: Mapped[str] = mapped_column(String(200))
    note: Mapped[str] = mapped_column(String(1000), default="")


class Did(StrEnum):
    """What the gateway did, or has seen to be done."""

    FILED = "filed"
    OBJECTION = "objection recorded"
    REPLACED = "replaced"
    IN_ERROR = "entered in error"
    WIPED = "wiped on the device"
    REMOVED = "sealed copy removed"


@audited
class Deed(Base):
    """One thing that was done to a photo. ``place``: the record system, device or replica."""

    __tablename__ = "deeds"

    id: Mapped[int] = mapped_column(primary_key=True)
    at_ms: Mapped[int] = mapped_column(BigInteger)
    did: Mapped[str] = mapped_column(String(24))
    photo: Mapped[str] = mapped_column(HASH, index=True)
    assignment: Mapped[int | None]
    place: Mapped[str] = mapped_column(NAME)


class Telling(Base):
    """How far a receiver has been told, row by row of each table; ``told``: how many in all.

    One replica at a time tells it: ``keeper``, until ``until_ms``.
    """

    __tablename__ = "tellings"

    receiver: Mapped[str] = mapped_column(String(40), primary_key=True)
    viewings: Mapped[int] = mapped_column(BigInteger, default=0)
    shares: Mapped[int] = mapped_column(BigInteger, default=0)
    deeds: Mapped[int] = mapped_column(BigInteger, default=0)
    told: Mapped[int] = mapped_column(BigInteger, default=0)
    keeper: Mapped[str] = mapped_column(NAME, default="")
    until_ms: Mapped[int] = mapped_column(BigInteger, default=0)


def done(
    session: Session, did: Did, photo: str, place: str, *, assignment: int | None, at_ms: int
) -> None:
    """Write down what was done, in the transaction that knows of it."""
    deed = Deed(at_ms=at_ms, did=did.value, photo=photo, assignment=assignment, place=place)
    session.add(deed)


def done_once(session: Session, did: Did, photo: str, place: str, *, at_ms: int) -> None:
    """The same for what may be seen again after a crash."""
    same = select(Deed.id).where(Deed.photo == photo, Deed.did == did.value, Deed.place == place)
    if session.execute(same.limit(1)).first() is None:
        done(session, did, photo, place, assignment=None, at_ms=at_ms)
