"""Finds out whose photo it is, writes it down, and says it to the record systems.

The decision itself is gateway.identity.decision. What was decided, by the rules or by a person,
is an assignment: the photo's first, and one more for each move to another patient.
"""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from base.errors import WardsealError
from gateway.beds import Beds, Hung, Place
from gateway.filing.record import FIRST, Assignment, Site
from gateway.identity import census
from gateway.identity.codes import identifier_in
from gateway.identity.decision import Doubtful, Evidence, Named, Rules, Why, decide
from gateway.identity.tables import AssignmentRow
from gateway.opening import Doubt
from wire.envelope import Private
from wire.proof import Proof

log = logging.getLogger(__name__)


class Unreachable(WardsealError):
    """A source of patients does not answer; the photo waits, HELD, until it does."""


class Source(Protocol):
    """A source that is asked when a photo comes, such as a FHIR server."""

    def refresh(
        self, identifier: str | None, place: Place | None, at_ms: int, /
    ) -> tuple[Why, ...]:
        """Bring the census up to date about a wristband and a bed. Raises Unreachable.

        Returns what speaks against filing by it at that moment, and no census could hold.
        """
        ...


class Identity(Protocol):
    """What custody asks."""

    def ask(self, private: Private, proof: Proof) -> tuple[Why, ...]:
        """Ask sources outside, before any transaction. Raises Unreachable."""
        ...

    def name(
        self, session: Session, private: Private, proof: Proof, said: tuple[Why, ...]
    ) -> list[Doubt]:
        """Assign the photo to its patient; or say why a person has to. ``said``: by ``ask``."""
        ...

    def hung(self, proof: Proof) -> Hung | None:
        """Say where the device hung when the photo was taken."""
        ...


class Nobody:
    """``identity = "none"``: photos are filed without knowing the patient, and say so."""

    def __init__(self, beds: Beds) -> None:
        self._beds = beds

    def ask(self, private: Private, proof: Proof) -> tuple[Why, ...]:
        """There is nobody to ask."""
        return ()

    def name(
        self, session: Session, private: Private, proof: Proof, said: tuple[Why, ...]
    ) -> list[Doubt]:
        return []

    def hung(self, proof: Proof) -> Hung | None:
        return _hung(self._beds, proof)


@dataclass(frozen=True)
class ByBand:
    """The wristband names, the bed confirms. ``clock`` gives milliseconds since 1970 UTC."""

    beds: Beds
    pattern: "re.Pattern[str]"
    rules: Rules
    clock: Callable[[], int]
    sources: tuple[Source, ...] = ()

    def ask(self, private: Private, proof: Proof) -> tuple[Why, ...]:
        hung, at_ms = self.hung(proof), proof.intent.entry.wall_ms
        place = None if hung is None else hung.place
        identifier = self._identifier(private)
        asked = [source.refresh(identifier, place, at_ms) for source in self.sources]
        return tuple(why for said in asked for why in said)

    def name(
        self, session: Session, private: Private, proof: Proof, said: tuple[Why, ...]
    ) -> list[Doubt]:
        photo = proof.photo.hex()
        census.in_turn(session)
        before = current(session, photo)
        if before is not None and before.by:
            return []  # a person has decided
        decision = decide(self._evidence(session, private, proof, said), self.rules)
        if isinstance(decision, Doubtful):
            return [Doubt(str(why), patient=decision.likely) for why in decision.why]
        if before is None:
            session.add(_first(photo, decision, self.clock()))
            session.flush()
        elif (before.patient, before.encounter) != (decision.patient, decision.encounter):
            # A record system may have it under the first one already.
            return [Doubt(str(Why.OTHERWISE), patient=decision.patient)]
        return []

    def hung(self, proof: Proof) -> Hung | None:
        return _hung(self.beds, proof)

    def _identifier(self, private: Private) -> str | None:
        return identifier_in(private.band, self.pattern) if private.band else None

    def _evidence(
        self, session: Session, private: Private, proof: Proof, said: tuple[Why, ...]
    ) -> Evidence:
        entry, hung = proof.intent.entry, self.hung(proof)
        identifier = self._identifier(private)
        named = census.known_by(session, identifier) if identifier else ()
        here = census.stays_in(session, hung.place, entry.wall_ms) if hung else ()
        return Evidence(
            at_ms=entry.wall_ms,
            clock=entry.trust.value,
            bands=len(private.bands) if private.bands else int(private.band is not None),
            identifier=identifier,
            shown=private.bed,
            hung=hung,
            named=named,
            merged=census.merged(session, {*named, *(stay.patient for stay in here)}),
            theirs=census.stays_by(session, named),
            here=here,
            said=said,
        )


def _hung(beds: Beds, proof: Proof) -> Hung | None:
    entry = proof.intent.entry
    return beds.at(entry.device, entry.wall_ms)


def _first(photo: str, named: Named, at_ms: int) -> AssignmentRow:
    return AssignmentRow(
        photo=photo,
        number=FIRST,
        patient=named.patient,
        encounter=named.encounter,
        how=named.how,
        at_ms=at_ms,
    )


def current(session: Session, photo: str) -> AssignmentRow | None:
    """Return a photo's assignment with the highest number, if it has any."""
    highest = select(func.max(AssignmentRow.number)).where(AssignmentRow.photo == photo)
    number = session.scalar(highest)
    return None if number is None else session.get(AssignmentRow, (photo, number))


def assigned(session: Session, photo: str, number: int | None) -> Assignment:
    """Look up to whom a photo is filed: under ``number``, or now (gateway.filing.cabinet)."""
    row = session.get(AssignmentRow, (photo, number)) if number else current(session, photo)
    if row is None:
        return Assignment(number or FIRST)
    site = Site(row.site_code, row.site_display, row.site_side) if row.site_code else None
    return Assignment(
        number=row.number,
        patient=census.patient(session, row.patient) if row.patient else None,
        encounter=census.encounter(session, row.encounter) if row.encounter else None,
        site=site,
        note=row.site_note,
        how=row.how,
        by=row.by,
        second=row.second,
        reason=row.reason,
    )
