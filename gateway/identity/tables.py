"""What the gateway knows of patients: the hospital's side, in its own database and nowhere else."""

from sqlalchemy import BigInteger, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from gateway.tables import HASH, PERSON, PLACE, Base


class PatientRow(Base):
    """A patient; ``number`` is the hospital's record number, given out by ``authority``.

    ``merged_into`` is the record that goes on where this one was merged (HL7 A40).
    """

    __tablename__ = "patients"

    number: Mapped[str] = mapped_column(PERSON, primary_key=True)
    authority: Mapped[str] = mapped_column(String(200), default="")
    family: Mapped[str] = mapped_column(String(100), default="")
    given: Mapped[str] = mapped_column(String(100), default="")
    born: Mapped[str] = mapped_column(String(10), default="")
    sex: Mapped[str] = mapped_column(String(10), default="")
    fhir: Mapped[str] = mapped_column(String(200), default="")
    merged_into: Mapped[str | None] = mapped_column(PERSON)
    changed_ms: Mapped[int] = mapped_column(BigInteger)


class PatientCode(Base):
    """An identifier that a wristband may hold. One value of two patients is a reused band."""

    __tablename__ = "patient_codes"

    value: Mapped[str] = mapped_column(PERSON, primary_key=True)
    patient: Mapped[str] = mapped_column(PERSON, primary_key=True)


class EncounterRow(Base):
    """A stay or visit of a patient."""

    __tablename__ = "encounters"

    number: Mapped[str] = mapped_column(PERSON, primary_key=True)
    patient: Mapped[str] = mapped_column(PERSON, index=True)
    authority: Mapped[str] = mapped_column(String(200), default="")
    fhir: Mapped[str] = mapped_column(String(200), default="")


class MovementRow(Base):
    """One movement, kept once however often it is told. ``moved``: gateway.identity.stays."""

    __tablename__ = "movements"
    __table_args__ = (
        UniqueConstraint("encounter", "at_ms", "moved", "ward", "room", "bed"),
        Index("movements_by_place", "ward", "bed", "at_ms"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    encounter: Mapped[str] = mapped_column(PERSON)
    at_ms: Mapped[int] = mapped_column(BigInteger)
    moved: Mapped[str] = mapped_column(String(10))
    ward: Mapped[str] = mapped_column(PLACE, default="")
    room: Mapped[str] = mapped_column(PLACE, default="")
    bed: Mapped[str] = mapped_column(PLACE, default="")


class MessageRow(Base):
    """A message that was taken in, so that the same one again changes nothing: its SHA-256."""

    __tablename__ = "adt_messages"
    __table_args__ = (Index("adt_messages_by_time", "at_ms"),)

    digest: Mapped[str] = mapped_column(HASH, primary_key=True)
    at_ms: Mapped[int] = mapped_column(BigInteger)


class AssignmentRow(Base):
    """To whom a photo is filed, by whom or what, and why. Never changed: a move adds one.

    ``by`` is the person who decided, empty for the gateway; ``second`` who confirmed a move.
    """

    __tablename__ = "assignments"
    __table_args__ = (Index("assignments_by_patient", "patient"),)

    photo: Mapped[str] = mapped_column(HASH, primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    patient: Mapped[str | None] = mapped_column(PERSON)
    encounter: Mapped[str | None] = mapped_column(PERSON)
    how: Mapped[str] = mapped_column(String(200))
    by: Mapped[str] = mapped_column(PERSON, default="")
    second: Mapped[str] = mapped_column(PERSON, default="")
    reason: Mapped[str] = mapped_column(String(1000), default="")
    at_ms: Mapped[int] = mapped_column(BigInteger)
    site_code: Mapped[str] = mapped_column(String(20), default="")
    site_display: Mapped[str] = mapped_column(String(100), default="")
    site_side: Mapped[str] = mapped_column(String(10), default="")
    site_note: Mapped[str] = mapped_column(String(500), default="")


class MoveRow(Base):
    """A photo that is to go to another patient: asked for by one person, decided by a second.

    ``number`` is the assignment that came of it, once the record systems have been told.
    """

    __tablename__ = "moves"

    id: Mapped[int] = mapped_column(primary_key=True)
    photo: Mapped[str] = mapped_column(HASH, index=True)
    patient: Mapped[str] = mapped_column(PERSON)
    encounter: Mapped[str | None] = mapped_column(PERSON)
    reason: Mapped[str] = mapped_column(String(1000))
    by: Mapped[str] = mapped_column(PERSON)
    asked_ms: Mapped[int] = mapped_column(BigInteger)
    stand: Mapped[str] = mapped_column(String(10), index=True)
    second: Mapped[str] = mapped_column(PERSON, default="")
    decided_ms: Mapped[int | None] = mapped_column(BigInteger)
    number: Mapped[int | None]
