"""The census: patients, their wristbands, encounters and movements, as the hospital tells them.

Every source (ADT, FHIR, CSV) writes here, and identity reads only here. Whatever is told twice
is known once, and the order of telling does not matter: see gateway.identity.stays.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from gateway.beds import Place
from gateway.database import take_turns
from gateway.filing.record import Encounter, Patient
from gateway.identity.stays import Moved, Movement, Stay, stays_of
from gateway.identity.tables import EncounterRow, MessageRow, MovementRow, PatientCode, PatientRow

_LONGEST_CHAIN = 32
_TURN = "the census"
_AT_ONCE = 500
_AGAIN_MS = 30 * 86_400_000
"""A sender that had no answer sends a message again within this time."""
_HORIZON_MS = 400 * 86_400_000
"""A bed is looked at so far back: whoever came earlier and never moved since is not found."""


@dataclass(frozen=True)
class Told:
    """What one message, line or resource says; whatever it does not say is left alone.

    ``codes``: identifiers that a wristband may hold, besides the record number. ``cancelled``: the
    last movement of this kind did not happen; ``annulled``: none of the encounter did. ``digest``
    is the SHA-256 of the whole message, if it was one: that one again says nothing new.
    """

    patient: Patient
    codes: tuple[str, ...] = ()
    encounter: Encounter | None = None
    movements: tuple[Movement, ...] = ()
    cancelled: Moved | None = None
    annulled: bool = False
    digest: str = ""


def in_turn(session: Session) -> None:
    """Wait until no other transaction changes the census or decides by it: call it first.

    Otherwise a change that is taken in while a photo is assigned would know nothing of the
    photo, and the decision nothing of the change.
    """
    take_turns(session.connection(), _TURN)


def remember(session: Session, told: Told, *, at_ms: int) -> None:
    """Take in what a source says."""
    if told.digest and _known(session, told.digest, at_ms):
        return
    _patient(session, told.patient, at_ms)
    for code in {told.patient.number, *told.codes}:
        if session.get(PatientCode, (code, told.patient.number)) is None:
            session.add(PatientCode(value=code, patient=told.patient.number))
    if told.encounter is None:
        return
    row = session.get(EncounterRow, told.encounter.number)
    if row is None:
        row = EncounterRow(number=told.encounter.number, patient=told.patient.number)
        session.add(row)
    row.patient = survivor_of(session, told.patient.number)
    row.authority = told.encounter.authority or row.authority or ""
    row.fhir = told.encounter.fhir or row.fhir or ""
    session.flush()
    if told.annulled or told.cancelled is not None:
        _take_back(session, row.number, told.cancelled)
    known = _movements(session, [row.number]).get(row.number, [])
    for movement in told.movements:
        if movement not in known:
            session.add(_row(row.number, movement))
    session.flush()


def replace(session: Session, encounter: str, movements: Iterable[Movement]) -> None:
    """Put a whole history in the place of what was known: FHIR tells it all each time."""
    for row in session.scalars(select(MovementRow).where(MovementRow.encounter == encounter)):
        session.delete(row)
    session.flush()
    session.add_all(_row(encounter, movement) for movement in dict.fromkeys(movements))
    session.flush()


def merge(session: Session, *, survivor: Patient, prior: str, at_ms: int) -> bool:
    """Note that the record ``prior`` goes on as ``survivor`` (HL7 A40), with its encounters.

    False if that was known.
    """
    _patient(session, survivor, at_ms)
    if prior == survivor.number:
        return False
    row = session.get(PatientRow, prior)
    if row is None:
        row = PatientRow(number=prior, authority=survivor.authority, changed_ms=at_ms)
        session.add(row)
        session.add(PatientCode(value=prior, patient=prior))
    news = row.merged_into != survivor.number
    row.merged_into, row.changed_ms = survivor.number, at_ms
    for encounter in session.scalars(select(EncounterRow).where(EncounterRow.patient == prior)):
        encounter.patient = survivor.number
    session.flush()
    return news


def known_by(session: Session, identifier: str) -> tuple[str, ...]:
    """Return the record numbers of everybody who has or had a wristband with this identifier."""
    query = select(PatientCode.patient).where(PatientCode.value == identifier)
    return tuple(session.scalars(query.order_by(PatientCode.patient)))


def merged(session: Session, patients: Iterable[str]) -> frozenset[str]:
    """Return those whose record was merged into another."""
    query = select(PatientRow.number).where(
        PatientRow.number.in_(list(patients)), PatientRow.merged_into.is_not(None)
    )
    return frozenset(session.scalars(query))


def survivor_of(session: Session, patient: str) -> str:
    """Return the record that goes on: itself, or what it was merged into in the end."""
    for _ in range(_LONGEST_CHAIN):
        row = session.get(PatientRow, patient)
        if row is None or row.merged_into is None:
            break
        patient = row.merged_into
    return patient


def kin(session: Session, patients: Iterable[str]) -> frozenset[str]:
    """Return these record numbers, and all that merges have ever made one record with them."""
    known = set(patients)
    new = known
    while new:
        into = select(PatientRow.merged_into).where(
            PatientRow.number.in_(new), PatientRow.merged_into.is_not(None)
        )
        prior = select(PatientRow.number).where(PatientRow.merged_into.in_(new))
        found = {number for number in session.scalars(into) if number is not None}
        new = (found | set(session.scalars(prior))) - known
        known = known | new
    return frozenset(known)


def stays_by(session: Session, patients: Iterable[str]) -> tuple[Stay, ...]:
    """Return every stay of these patients."""
    query = select(EncounterRow.number, EncounterRow.patient).where(
        EncounterRow.patient.in_(list(patients))
    )
    return _stays(session, dict(iter(session.execute(query))))


def stays_during(session: Session, encounters: Sequence[str]) -> dict[str, list[Stay]]:
    """Return the stays of each encounter; none of one that is not known."""
    found: dict[str, list[Stay]] = {encounter: [] for encounter in encounters}
    for first in range(0, len(encounters), _AT_ONCE):
        some = encounters[first : first + _AT_ONCE]
        query = select(EncounterRow.number, EncounterRow.patient)
        known = dict(iter(session.execute(query.where(EncounterRow.number.in_(some)))))
        for stay in _stays(session, known):
            found[stay.encounter].append(stay)
    return found


def stays_in(session: Session, place: Place, at_ms: int) -> tuple[Stay, ...]:
    """Return the stays in a bed, up to a little after a moment."""
    visited = (
        select(EncounterRow.number, EncounterRow.patient)
        .join(MovementRow, MovementRow.encounter == EncounterRow.number)
        .where(
            MovementRow.ward == place.ward,
            MovementRow.room == place.room,
            MovementRow.bed == place.bed,
            MovementRow.at_ms > at_ms - _HORIZON_MS,
        )
    )
    found = dict(iter(session.execute(visited)))
    return tuple(stay for stay in _stays(session, found) if stay.place == place)


def occupant(session: Session, place: Place, at_ms: int) -> str | None:
    """Return the record number of the patient in a bed, if it was exactly one."""
    there = {stay.patient for stay in stays_in(session, place, at_ms) if stay.covers(at_ms)}
    return there.pop() if len(there) == 1 else None


def patient(session: Session, number: str) -> Patient | None:
    """Return a patient as record systems are told of him."""
    row = session.get(PatientRow, number)
    if row is None:
        return None
    return Patient(row.number, row.authority, row.family, row.given, row.born, row.sex, row.fhir)


def patient_by(session: Session, fhir: str) -> Patient | None:
    """Return the patient whom a FHIR server has under this reference, such as Patient/17."""
    query = select(PatientRow.number).where(PatientRow.fhir == fhir).order_by(PatientRow.number)
    number = session.scalars(query.limit(1)).first()
    return None if number is None else patient(session, number)


def encounter(session: Session, number: str) -> Encounter | None:
    """Return an encounter as record systems are told of it."""
    row = session.get(EncounterRow, number)
    return None if row is None else Encounter(row.number, row.authority, row.fhir)


def encounters_of(session: Session, number: str) -> tuple[str, ...]:
    """Return the numbers of a patient's encounters."""
    query = select(EncounterRow.number).where(EncounterRow.patient == number)
    return tuple(session.scalars(query.order_by(EncounterRow.number)))


def _patient(session: Session, said: Patient, at_ms: int) -> None:
    row = session.get(PatientRow, said.number)
    if row is None:
        row = PatientRow(number=said.number, changed_ms=at_ms)
        session.add(row)
    for name in ("authority", "family", "given", "born", "sex", "fhir"):
        setattr(row, name, getattr(said, name) or getattr(row, name) or "")
    row.changed_ms = at_ms
    session.flush()


def _known(session: Session, digest: str, at_ms: int) -> bool:
    """Tell whether this very message was taken in before; now it is.

    A transfer taken back twice would take back the one before it, too; a transfer told again
    after it was taken back would be in force again.
    """
    session.execute(delete(MessageRow).where(MessageRow.at_ms < at_ms - _AGAIN_MS))
    if session.get(MessageRow, digest) is not None:
        return True
    session.add(MessageRow(digest=digest, at_ms=at_ms))
    session.flush()
    return False


def _take_back(session: Session, encounter: str, moved: Moved | None) -> None:
    """Forget the last movement of a kind; None: all of them."""
    query = select(MovementRow).where(MovementRow.encounter == encounter)
    if moved is not None:
        query = query.where(MovementRow.moved == moved.value)
    rows = list(session.scalars(query.order_by(MovementRow.at_ms, MovementRow.id)))
    for row in rows if moved is None else rows[-1:]:
        session.delete(row)
    session.flush()


def _row(encounter: str, movement: Movement) -> MovementRow:
    return MovementRow(
        encounter=encounter,
        at_ms=movement.at_ms,
        moved=movement.moved.value,
        ward=movement.place.ward,
        room=movement.place.room,
        bed=movement.place.bed,
    )


def _movements(session: Session, encounters: Iterable[str]) -> dict[str, list[Movement]]:
    query = select(MovementRow).where(MovementRow.encounter.in_(list(encounters)))
    found: dict[str, list[Movement]] = {}
    for row in session.scalars(query.order_by(MovementRow.at_ms, MovementRow.id)):
        place = Place(row.ward, row.bed, row.room)
        found.setdefault(row.encounter, []).append(Movement(row.at_ms, Moved(row.moved), place))
    return found


def _stays(session: Session, patients: dict[str, str]) -> tuple[Stay, ...]:
    """``patients``: encounter number -> record number."""
    return tuple(
        stay
        for number, movements in _movements(session, patients).items()
        for stay in stays_of(patients[number], number, movements)
    )
