"""What is told late: every photo that a change could touch is looked at again.

A change is what differs between the stays that an encounter amounted to before something was told
and those it amounts to after that: its patients, its beds, from the first moment that differs to
the last. What is taken back is a change like any other, and what is told twice is none. For each
photo of these patients or beds in that time, and a quarter of an hour around it, the decision is
made anew from what is known now. Where it differs from the photo's assignment, or is doubtful, a
person looks at it (worklist, kind ``identity``): whoever decided, the rules or a person, did not
know of the change. Every photo in a record that was merged away, or is out of use, is a person's.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Select, exists, or_, select
from sqlalchemy.orm import Session, aliased

from gateway import worklist
from gateway.beds import Hung, Place
from gateway.filing.record import Patient
from gateway.identity import census
from gateway.identity.decision import (
    BY_BED,
    NEAR_MS,
    Doubtful,
    Evidence,
    Rules,
    Why,
    decide,
)
from gateway.identity.fhir_stays import Span
from gateway.identity.stays import Stay
from gateway.identity.tables import AssignmentRow
from gateway.tables import Filing, Photo, Stand, State, WorkKind
from gateway.worklist import Again

_LATE: Final = "told after this photo was assigned"


@dataclass(frozen=True)
class Change:
    """Whose stays in which beds are others than before, and when; ``to_ms`` None: until now.

    ``unsure``: when they came or went, where that is not known to the minute.
    """

    patients: frozenset[str]
    places: frozenset[Place]
    from_ms: int
    to_ms: int | None
    unsure: tuple[Span, ...] = ()

    def but_for(self, unsure: Sequence[Span]) -> "Change":
        """Return the same, as right as a source says that it is."""
        ends = [span.high for span in unsure]
        return replace(
            self,
            from_ms=min([self.from_ms, *(span.low for span in unsure)]),
            to_ms=None if self.to_ms is None else max([self.to_ms, *ends]),
            unsure=tuple(unsure),
        )


@dataclass(frozen=True)
class _Look:
    """A photo to look at again, why, and what a source said against its own answer."""

    photo: Photo
    whose: AssignmentRow
    again: Again
    said: tuple[Why, ...] = ()


class Before:
    """How encounters stood before a transaction told more of them. Make it first of all."""

    def __init__(self, session: Session) -> None:
        census.in_turn(session)
        self._session = session
        self._stays: dict[str, list[Stay]] = {}
        self._unsure: dict[str, tuple[Span, ...]] = {}
        self._merged: list[Change] = []
        self._records: dict[str, list[tuple[Again, tuple[Why, ...]]]] = {}

    def keep(self, *encounters: str) -> None:
        """Remember how encounters stand; to be called before anything is told of them."""
        new = [one for one in dict.fromkeys(encounters) if one not in self._stays]
        self._stays |= census.stays_during(self._session, new)

    def unsure(self, encounter: str, spans: tuple[Span, ...]) -> None:
        """Note that what is told of an encounter is right but for these times."""
        self._unsure[encounter] = spans

    def merge(self, *, survivor: Patient, prior: str, at_ms: int) -> None:
        """Take in that a record goes on as another: its photos are a person's.

        The survivor's are where the other's stays speak against them.
        """
        stays = census.stays_by(self._session, (prior,))
        news = census.merge(self._session, survivor=survivor, prior=prior, at_ms=at_ms)
        again = Again.ALWAYS if news else Again.NEVER
        self._records.setdefault(prior, []).append((again, ()))
        if news:
            change = change_of((), stays)
            if change is not None:
                patients = frozenset({survivor.number})
                self._merged.append(replace(change, patients=patients, places=frozenset()))

    def retire(self, record: str) -> None:
        """Note that a source no longer uses a record, as it says at every look-up."""
        self._records.setdefault(record, []).append((Again.NEW_WORDS, (Why.RETIRED,)))

    def look_again(self, at_ms: int) -> None:
        """Put photos that what was told makes doubtful before a person."""
        looks: dict[str, _Look] = {}
        for look in self._looks():
            known = looks.get(look.photo.photo, look)
            looks[look.photo.photo] = replace(
                look,
                again=max(look.again, known.again, key=lambda again: again.value),
                said=tuple(dict.fromkeys((*known.said, *look.said))),
            )
        for look in looks.values():
            doubt = _doubt(self._session, look)
            if doubt is not None:
                _note(self._session, look, doubt, at_ms)

    def _looks(self) -> Iterator[_Look]:
        for change in (*self._changes(), *self._merged):
            for query in _near(change):
                for photo, whose in self._session.execute(query).all():
                    near = any(span.holds(photo.captured_ms, NEAR_MS) for span in change.unsure)
                    yield _Look(photo, whose, Again.ALWAYS, (Why.UNSURE,) if near else ())
        for record, causes in self._records.items():
            theirs = _assigned().where(AssignmentRow.patient == record)
            for photo, whose in self._session.execute(theirs).all():
                yield from (_Look(photo, whose, *cause) for cause in causes)

    def _changes(self) -> Iterator[Change]:
        now = census.stays_during(self._session, list(self._stays))
        for encounter, stays in self._stays.items():
            # That a record goes on as another moves nobody.
            before = [
                replace(stay, patient=census.survivor_of(self._session, stay.patient))
                for stay in stays
            ]
            change = change_of(before, now[encounter])
            if change is not None:
                yield change.but_for(self._unsure.get(encounter, ()))


def change_of(before: Iterable[Stay], after: Iterable[Stay]) -> Change | None:
    """Return what differs between an encounter's stays then and now; None: nothing does."""
    edges = _edges(before) ^ _edges(after)
    if not edges:
        return None
    times = [at_ms for _, _, at_ms in edges if at_ms is not None]
    return Change(
        patients=frozenset(patient for patient, _, _ in edges),
        places=frozenset(place for _, (place, _), _ in edges),
        from_ms=min(times),
        to_ms=max(times) if len(times) == len(edges) else None,
    )


def _edges(stays: Iterable[Stay]) -> set[tuple[str, tuple[Place, bool], int | None]]:
    """Who (patient) came into a bed (True) or left it, and when; None: is still there."""
    found: set[tuple[str, tuple[Place, bool], int | None]] = set()
    for stay in stays:
        found.add((stay.patient, (stay.place, True), stay.from_ms))
        found.add((stay.patient, (stay.place, False), stay.to_ms))
    return found


def _near(change: Change) -> Iterator[Select[Photo, AssignmentRow]]:
    """One question for the patients and one for each bed: an index answers each of them."""
    query = _assigned().where(Photo.captured_ms >= change.from_ms - NEAR_MS)
    if change.to_ms is not None:
        query = query.where(Photo.captured_ms <= change.to_ms + NEAR_MS)
    yield query.where(AssignmentRow.patient.in_(change.patients))
    for one in change.places:
        yield query.where(Photo.ward == one.ward, Photo.room == one.room, Photo.bed == one.bed)


def _assigned() -> Select[Photo, AssignmentRow]:
    """Photos that are in a chart or may come into one, each with its last assignment."""
    later = aliased(AssignmentRow)
    in_a_chart = exists().where(
        Filing.photo == Photo.photo, Filing.stand.in_((Stand.FILED, Stand.OBJECTION))
    )
    return (
        select(Photo, AssignmentRow)
        .join(AssignmentRow, AssignmentRow.photo == Photo.photo)
        .where(
            AssignmentRow.patient.is_not(None),
            ~exists().where(
                later.photo == AssignmentRow.photo, later.number > AssignmentRow.number
            ),
            or_(Photo.state.in_((State.ARRIVING, State.HELD, State.FILED)), in_a_chart),
        )
    )


def _doubt(session: Session, look: _Look) -> Doubtful | None:
    """Say why the assignment would not be made now; None: it would.

    The wristband is sealed in the photo: that it named this patient is what the assignment says.
    """
    photo, whose = look.photo, look.whose
    assert whose.patient is not None, "asked for so"
    at_ms, alone = photo.captured_ms, whose.how.startswith(BY_BED)
    if census.merged(session, (whose.patient,)):
        return Doubtful((Why.MERGED,), census.survivor_of(session, whose.patient))
    hung = Hung(Place(photo.ward, photo.bed, photo.room), "", 0) if photo.ward else None
    named = () if alone else (whose.patient,)
    here = census.stays_in(session, hung.place, at_ms) if hung else ()
    evidence = Evidence(
        at_ms=at_ms,
        clock="synced",
        bands=len(named),
        identifier=whose.patient,
        shown="",
        hung=hung,
        named=named,
        merged=census.merged(session, {stay.patient for stay in here}),
        theirs=census.stays_by(session, named),
        here=here,
        said=look.said,
    )
    decision = decide(evidence, Rules(bed_alone="as before" if alone else ""))
    if isinstance(decision, Doubtful):
        return decision
    encounter = whose.encounter or decision.encounter  # a person need not say which
    if (decision.patient, decision.encounter) == (whose.patient, encounter):
        return None
    return Doubtful((Why.OTHERWISE,), decision.patient)


def _note(session: Session, look: _Look, doubt: Doubtful, at_ms: int) -> None:
    photo = look.photo
    worklist.note(
        session,
        WorkKind.IDENTITY,
        device=photo.device,
        subject=photo.photo,
        why=f"{_LATE}: {'; '.join(doubt.why)}",
        at_ms=at_ms,
        about_ms=photo.captured_ms,
        patient=doubt.likely,
        again=look.again,
    )
