"""How long the gateway keeps its own copies, and what a litigation hold keeps longer.

The record is the master. The gateway's sealed copies and the pictures that were opened for the
console go ``limits.keep_sealed_days`` after a photo was filed or undone, unless something is still
to be done with it. A litigation hold, on a photo or on a patient, keeps them until a named person
lifts it; it is looked up in the very transaction that decides what goes. A hold on a patient is
one on every record that merges have made one with his, whichever was merged into which.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import BigInteger, ColumnElement, String, exists, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from gateway.identity import census
from gateway.identity.tables import AssignmentRow, PatientRow
from gateway.store import Store
from gateway.tables import HASH, PERSON, Base, Filing, Photo, State
from gateway.worklist_desk import NotDone, named, worded

_DAY_MS: Final = 86_400_000


class HoldRow(Base):
    """A litigation hold on a photo or on everything of a patient; never deleted."""

    __tablename__ = "litigation_holds"

    id: Mapped[int] = mapped_column(primary_key=True)
    photo: Mapped[str | None] = mapped_column(HASH, index=True)
    patient: Mapped[str | None] = mapped_column(PERSON, index=True)
    by: Mapped[str] = mapped_column(PERSON)
    reason: Mapped[str] = mapped_column(String(1000))
    at_ms: Mapped[int] = mapped_column(BigInteger)
    lifted_by: Mapped[str | None] = mapped_column(PERSON)
    lifted_why: Mapped[str] = mapped_column(String(1000), default="")
    lifted_ms: Mapped[int | None] = mapped_column(BigInteger)


@dataclass(frozen=True)
class Hold:
    """A hold as people see it; it holds while ``lifted_ms`` is None."""

    id: int
    photo: str | None
    patient: str | None
    by: str
    reason: str
    at_ms: int
    lifted_by: str | None
    lifted_ms: int | None


@dataclass(frozen=True)
class Kept:
    """Until when the gateway's own copies of a photo stay. None: not settled, or on hold."""

    until_ms: int | None
    on_hold: bool


class Holds:
    """What console, API and shell call; ``clock`` gives milliseconds since 1970 UTC."""

    def __init__(self, *, store: Store, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock

    def hold(
        self, *, photo: str | None = None, patient: str | None = None, by: str, reason: str
    ) -> Hold:
        """Keep a photo, or all of a patient's, until the hold is lifted. Raises NotDone."""
        if (photo is None) == (patient is None):
            raise NotDone("a hold is on one photo or on one patient")
        row = HoldRow(
            photo=photo,
            patient=patient,
            by=named(by),
            reason=worded(reason, "a reason"),
            at_ms=self._clock(),
        )
        with self._store.begin() as session:
            if photo is not None and session.get(Photo, photo) is None:
                raise NotDone("there is no such photo")
            if patient is not None and not _known(session, patient):
                raise NotDone(
                    f"no patient has the record number {patient}: look it up, spell it so"
                )
            session.add(row)
            session.flush()
            return _hold(row)

    def lift(self, hold: int, *, by: str, reason: str) -> Hold:
        """End a hold. Raises NotDone."""
        with self._store.begin() as session:
            row = session.get(HoldRow, hold, with_for_update=True)
            if row is None or row.lifted_ms is not None:
                raise NotDone("there is no such hold, or it was lifted already")
            row.lifted_by, row.lifted_why = named(by), worded(reason, "a reason")
            row.lifted_ms = self._clock()
            return _hold(row)

    def holds(self, *, lifted: bool = False) -> list[Hold]:
        """Return the holds that hold, newest first; with ``lifted`` the others, too."""
        query = select(HoldRow).order_by(HoldRow.id.desc())
        if not lifted:
            query = query.where(HoldRow.lifted_ms.is_(None))
        with self._store.read() as session:
            return [_hold(row) for row in session.scalars(query)]

    def keeping(self, photo: str) -> list[Hold]:
        """Return the holds that keep a photo: its own, and those on whose it is or ever was."""
        assigned = select(AssignmentRow.patient).where(
            AssignmentRow.photo == photo, AssignmentRow.patient.is_not(None)
        )
        with self._store.read() as session:
            theirs = census.kin(session, (p for p in session.scalars(assigned) if p is not None))
            query = select(HoldRow).where(
                HoldRow.lifted_ms.is_(None),
                or_(HoldRow.photo == photo, HoldRow.patient.in_(theirs)),
            )
            return [_hold(row) for row in session.scalars(query.order_by(HoldRow.id))]

    def on_patient(self, patient: str) -> list[Hold]:
        """Return the holds on everything of a patient."""
        with self._store.read() as session:
            query = select(HoldRow).where(
                HoldRow.lifted_ms.is_(None),
                HoldRow.patient.in_(census.kin(session, (patient,))),
            )
            return [_hold(row) for row in session.scalars(query.order_by(HoldRow.id))]


class Retention(Holds):
    """Holds, and how long copies stay without one: ``days``."""

    def __init__(self, *, store: Store, days: int, clock: Callable[[], int]) -> None:
        super().__init__(store=store, clock=clock)
        self._days = days

    def of(self, photo: str) -> Kept:
        """Say until when the gateway keeps its copies of a photo. Raises NotDone."""
        with self._store.read() as session:
            row = session.get(Photo, photo)
            if row is None:
                raise NotDone("there is no such photo")
            held = on_hold(session, photo)
            settled = row.state in (State.FILED, State.UNDONE)
            until = row.changed_ms + self._days * _DAY_MS if settled and not held else None
            return Kept(until, held)


def on_hold(session: Session, photo: str) -> bool:
    """Tell whether a hold keeps a photo's copies."""
    held = _held(session)
    return bool(session.scalar(select(held).where(Photo.photo == photo)))


def kept_by(session: Session, hold: int) -> str:
    """Return what a hold is on: a photo, or a patient's number; empty if there is no such hold."""
    row = session.get(HoldRow, hold)
    return "" if row is None else row.photo or row.patient or ""


def over(session: Session, photos: Iterable[str], *, days: int, now_ms: int) -> list[str]:
    """Return those of ``photos`` whose copies may go.

    One that the database says nothing of (an older copy of it put back, say) stays.
    """
    unfinished = exists().where(Filing.photo == Photo.photo, Filing.wanted != Filing.stand)
    query = select(Photo.photo).where(
        Photo.photo.in_(list(photos)),
        Photo.state.in_((State.FILED, State.UNDONE)),
        Photo.changed_ms <= now_ms - days * _DAY_MS,
        ~unfinished,
        ~_held(session),
    )
    return list(session.scalars(query))


def _known(session: Session, patient: str) -> bool:
    """Tell whether the census has heard of a patient, or a photo was ever given to him."""
    given = select(AssignmentRow.photo).where(AssignmentRow.patient == patient).limit(1)
    if session.get(PatientRow, patient) is not None:
        return True
    return session.execute(given).first() is not None


def _held(session: Session) -> ColumnElement[bool]:
    """Tell whether a hold is on ``Photo``, or on a patient whose it is or ever was."""
    holds = HoldRow.lifted_ms.is_(None)
    on = select(HoldRow.patient).where(holds, HoldRow.patient.is_not(None)).distinct()
    patients = census.kin(session, (p for p in session.scalars(on) if p is not None))
    return or_(
        exists().where(holds, HoldRow.photo == Photo.photo),
        exists().where(AssignmentRow.photo == Photo.photo, AssignmentRow.patient.in_(patients)),
    )


def _hold(row: HoldRow) -> Hold:
    return Hold(
        row.id,
        row.photo,
        row.patient,
        row.by,
        row.reason,
        row.at_ms,
        row.lifted_by,
        row.lifted_ms,
    )
