"""The gateway's own tables, the same models on SQLite and PostgreSQL.

Hashes and ids are lower-case hex, times are milliseconds since 1970 UTC. Of patients there are
record numbers here; their names are in gateway.identity.census. How the tables change from one
version to the next is in gateway.migrations.
"""

from enum import StrEnum
from typing import Final, cast

from sqlalchemy import (
    BigInteger,
    Index,
    Insert,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
    insert,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

HASH: Final = String(64)
ID16: Final = String(32)
NAME: Final = String(32)
PLACE: Final = String(40)
PERSON: Final = String(100)


class State(StrEnum):
    """Where a photo stands; each but ARRIVING has a receipt that says so."""

    ARRIVING = "arriving"
    FILED = "filed"
    HELD = "held"
    REJECTED = "rejected"
    UNDONE = "undone"


class WorkKind(StrEnum):
    """Why a person must look at something."""

    HELD = "held"
    REJECTED = "rejected"
    LOST = "lost"
    UNSENT = "unsent"
    UNATTESTED = "unattested"
    REASON = "reason"
    SITE = "site"
    IDENTITY = "identity"
    UNFILED = "unfiled"
    OBJECTION = "objection"
    REVIEW = "review"
    SHARED = "shared"
    ALARM = "alarm"


class Base(DeclarativeBase):
    """All tables of the gateway."""


class Photo(Base):
    """One photo, from its accepted ``init`` on.

    ``claimed_by`` is the replica that takes it in, until ``claimed_until_ms``. ``seq`` is the
    number of its INTENT entry on ``ledger``. ``refile``: HELD, and to be tried again. From the
    moment it is in custody: ``level`` and ``basis`` of its consent; ``attested``, with a badge;
    ``sited``, its body site is known; where the device hung. ``asked``: what a filed photo still
    lacks is on the worklist. ``label``: the words of the label in the picture, ``nm_per_px`` its
    scale; ``poor``, the device's verdict. ``badge`` opens, with ``badge_salt``, the commitment
    on the ledger (wire.attestation). ``objection``: ``gateway.objections.Standing``.
    """

    __tablename__ = "photos"
    __table_args__ = (
        Index("photos_by_intent", "device", "intent"),
        Index("photos_by_capture", "captured_ms"),
        Index("photos_by_change", "changed_ms"),
        Index("photos_by_place", "ward", "bed", "captured_ms"),
        Index("photos_not_asked", "asked", "state"),
        Index("photos_by_state", "state", "captured_ms"),
        Index("photos_by_level", "level", "captured_ms"),
        Index("photos_by_device", "device", "captured_ms"),
    )

    photo: Mapped[str] = mapped_column(HASH, primary_key=True)
    device: Mapped[str] = mapped_column(NAME)
    ledger: Mapped[str] = mapped_column(ID16)
    seq: Mapped[int] = mapped_column(BigInteger)
    intent: Mapped[str] = mapped_column(HASH)
    state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(String(200), default="")
    captured_ms: Mapped[int] = mapped_column(BigInteger)
    clock: Mapped[str] = mapped_column(String(16))
    changed_ms: Mapped[int] = mapped_column(BigInteger)
    claimed_by: Mapped[str | None] = mapped_column(NAME)
    claimed_until_ms: Mapped[int] = mapped_column(BigInteger, default=0)
    refile: Mapped[bool] = mapped_column(default=False)
    level: Mapped[str] = mapped_column(String(16), default="")
    basis: Mapped[str] = mapped_column(String(16), default="")
    attested: Mapped[bool] = mapped_column(default=False)
    sited: Mapped[bool] = mapped_column(default=False)
    ward: Mapped[str] = mapped_column(PLACE, default="")
    room: Mapped[str] = mapped_column(PLACE, default="")
    bed: Mapped[str] = mapped_column(PLACE, default="")
    filed_ms: Mapped[int | None] = mapped_column(BigInteger)
    asked: Mapped[bool] = mapped_column(default=False)
    width: Mapped[int] = mapped_column(default=0)
    height: Mapped[int] = mapped_column(default=0)
    label: Mapped[str] = mapped_column(String(40), default="")
    nm_per_px: Mapped[int | None]
    poor: Mapped[bool] = mapped_column(default=False)
    badge: Mapped[str] = mapped_column(PERSON, default="")
    badge_salt: Mapped[str] = mapped_column(HASH, default="")
    objection: Mapped[str] = mapped_column(String(12), default="")


class Stand(StrEnum):
    """How a photo stands in one record system, or how it is to stand there."""

    WAITING = "waiting"
    FILED = "filed"
    OBJECTION = "objection recorded"
    REPLACED = "replaced"
    IN_ERROR = "entered in error"


class Filing(Base):
    """A photo, under one assignment, in one record system.

    ``stand`` is what is known to be so, ``wanted`` what is to be; where they differ, the replica
    ``keeper``, which has the sealed copy, has something to do, at ``due_ms`` at the earliest.
    ``attempts`` counts what was begun since the last success: with none, the record system
    cannot have anything of what is wanted. ``problem``: why the last attempt failed.
    """

    __tablename__ = "filings"
    __table_args__ = (Index("filings_due", "sink", "keeper", "due_ms"),)

    photo: Mapped[str] = mapped_column(HASH, primary_key=True)
    sink: Mapped[str] = mapped_column(NAME, primary_key=True)
    assignment: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    wanted: Mapped[str] = mapped_column(String(20))
    stand: Mapped[str] = mapped_column(String(20))
    reference: Mapped[str | None] = mapped_column(String(200))
    filed_ms: Mapped[int | None] = mapped_column(BigInteger)
    objection_ms: Mapped[int | None] = mapped_column(BigInteger)
    corrected_ms: Mapped[int | None] = mapped_column(BigInteger)
    keeper: Mapped[str] = mapped_column(NAME)
    attempts: Mapped[int] = mapped_column(default=0)
    due_ms: Mapped[int | None] = mapped_column(BigInteger)
    problem: Mapped[str] = mapped_column(String(400), default="")


class ReceiptRow(Base):
    """A receipt as it was signed; ``number`` rises with every receipt for the same photo."""

    __tablename__ = "receipts"

    photo: Mapped[str] = mapped_column(HASH, primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    device: Mapped[str] = mapped_column(NAME)
    status: Mapped[str] = mapped_column(String(16))
    raw: Mapped[bytes] = mapped_column(LargeBinary)


_ASKED_ABOUT: Final = "type IN ('CONSENT', 'INTENT', 'WINDOW')"


class LedgerEntry(Base):
    """An entry that a device signed. Two digests for one number prove equivocation.

    ``chained`` is false for one that came ahead with a photo and is not yet part of the chain.
    ``stored_ms``: when the hospital got it, by its own clock.
    """

    __tablename__ = "ledger_entries"
    __table_args__ = (
        # A device has few of them among many, and whoever rotates keys asks for all.
        Index(
            "keysets_in_force",
            "device",
            sqlite_where=text("type = 'KEYSET'"),
            postgresql_where=text("type = 'KEYSET'"),
        ),
        # What the audit's questions read, the newest first, of all devices together.
        Index(
            "entries_by_time",
            "type",
            "stored_ms",
            sqlite_where=text(_ASKED_ABOUT),
            postgresql_where=text(_ASKED_ABOUT),
        ),
    )

    device: Mapped[str] = mapped_column(NAME, primary_key=True)
    ledger: Mapped[str] = mapped_column(ID16, primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    digest: Mapped[str] = mapped_column(HASH, primary_key=True)
    type: Mapped[str] = mapped_column(String(16))
    raw: Mapped[bytes] = mapped_column(LargeBinary)
    chained: Mapped[bool]
    stored_ms: Mapped[int] = mapped_column(BigInteger)


class LedgerHead(Base):
    """How far a device's ledger is stored and verified without a gap: ``next`` entries."""

    __tablename__ = "ledger_heads"

    device: Mapped[str] = mapped_column(NAME, primary_key=True)
    ledger: Mapped[str] = mapped_column(ID16, primary_key=True)
    next: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[str] = mapped_column(HASH)
    begun_ms: Mapped[int] = mapped_column(BigInteger)


class Undo(Base):
    """Consent was withdrawn for the photo of this INTENT. Never deleted: it outlives the photo.

    ``done`` once the UNDONE receipt is signed, or when there is nothing to sign for. ``told``:
    the patient told the hospital, and no device has signed it.
    """

    __tablename__ = "undos"

    device: Mapped[str] = mapped_column(NAME, primary_key=True)
    intent: Mapped[str] = mapped_column(HASH, primary_key=True)
    photo: Mapped[str | None] = mapped_column(HASH, index=True)
    at_ms: Mapped[int] = mapped_column(BigInteger)
    done: Mapped[bool] = mapped_column(index=True)
    told: Mapped[bool] = mapped_column(default=False)


class Expected(Base):
    """A photo that a device's ledger says is sealed, and that has not come yet."""

    __tablename__ = "expected"

    photo: Mapped[str] = mapped_column(HASH, primary_key=True)
    device: Mapped[str] = mapped_column(NAME)
    taken_ms: Mapped[int] = mapped_column(BigInteger)
    heard_ms: Mapped[int] = mapped_column(BigInteger, index=True)


class WorkItem(Base):
    """Something a person must look at; only a named person closes it, with a ``note``.

    ``about_ms`` is when it happened, ``ward`` and ``bed`` where, as the hospital's registry of
    beds says; ``patient`` is the number of the patient who it likely is about, if anybody.
    """

    __tablename__ = "worklist"
    __table_args__ = (
        UniqueConstraint("kind", "device", "subject"),
        Index("worklist_open", "closed_ms", "kind"),
        Index("worklist_subject", "subject"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    device: Mapped[str] = mapped_column(NAME)
    subject: Mapped[str] = mapped_column(String(120))
    why: Mapped[str] = mapped_column(String(400))
    opened_ms: Mapped[int] = mapped_column(BigInteger)
    about_ms: Mapped[int | None] = mapped_column(BigInteger)
    ward: Mapped[str] = mapped_column(PLACE, default="")
    bed: Mapped[str] = mapped_column(PLACE, default="")
    patient: Mapped[str | None] = mapped_column(PERSON)
    owner: Mapped[str | None] = mapped_column(PERSON)
    escalated_ms: Mapped[int | None] = mapped_column(BigInteger)
    closed_ms: Mapped[int | None] = mapped_column(BigInteger)
    closed_by: Mapped[str | None] = mapped_column(PERSON)
    note: Mapped[str] = mapped_column(String(1000), default="")


class WorkStep(Base):
    """What a person, or the clock, did about an item; never changed."""

    __tablename__ = "work_steps"

    id: Mapped[int] = mapped_column(primary_key=True)
    item: Mapped[int] = mapped_column(index=True)
    at_ms: Mapped[int] = mapped_column(BigInteger)
    by: Mapped[str] = mapped_column(PERSON)
    what: Mapped[str] = mapped_column(String(16))
    note: Mapped[str] = mapped_column(String(1000), default="")


class Presence(Base):
    """What a device last said of itself on ``u/state``."""

    __tablename__ = "presence"

    device: Mapped[str] = mapped_column(NAME, primary_key=True)
    online: Mapped[bool]
    boot: Mapped[str] = mapped_column(ID16)
    session: Mapped[int] = mapped_column(BigInteger)
    at_ms: Mapped[int] = mapped_column(BigInteger)


def rows_of(model: type[Base]) -> Insert:
    """Return what puts rows into a table as they are, for where a nurse waits.

    It is prepared once; the objects of the ORM would be looked after one by one.
    """
    return insert(cast(Table, model.__table__))
