"""Which patient: the whole decision as one pure function of what is known.

The wristband read in the consent window names the patient, and the bed only confirms. A photo is
filed by itself if the band gives one patient, the bed agrees at the time of capture, nobody was
admitted, transferred or discharged there within 15 minutes, and the clock was trusted. Everything
else is for a person, with every reason that there is.

No reason names anybody: reasons go into receipts, logs and onto the device's screen (P9).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.beds import Hung
from gateway.identity.stays import Stay

NEAR_MS: Final = 15 * 60_000
_TRUSTED: Final = ("synced", "rtc")


class Why(StrEnum):
    """Why a person has to say whose photo it is."""

    CLOCK = "the device's clock was not to be trusted"
    NO_BED = "the registry of beds does not say where the device hangs"
    OTHER_BED = "the device shows another bed than the registry has for it"
    NO_BAND = "no wristband was read"
    TWO_BANDS = "more than one wristband was read"
    WRONG_BAND = "the wristband is none of this hospital's"
    UNKNOWN_BAND = "no patient is known by this wristband"
    REUSED_BAND = "the wristband has belonged to more than one patient"
    MERGED = "the patient's record was merged with another"
    NOWHERE = "the patient was in no bed when the photo was taken"
    TWO_BEDS = "the patient was in two beds when the photo was taken"
    OTHER_WARD = "the wristband is of a patient of another ward"
    ANOTHER_BED = "the patient was in another bed"
    SHARED = "more than one patient was in this bed"
    EMPTY = "nobody was in this bed when the photo was taken"
    CHANGED = "somebody was admitted, moved or discharged within 15 minutes of the photo"
    UNSURE = "the FHIR server gives a date without the time for somebody who came or went then"
    RETIRED = "the FHIR server no longer uses the patient's record, and names none that goes on"
    OTHERWISE = "by what is known now it is another patient's, or of another stay"


@dataclass(frozen=True)
class Evidence:
    """What is known of a photo and of the people it could be of.

    ``identifier`` is what the one band holds, None where that is none of this site's. ``named``:
    the patients known by it; ``merged``: those of all patients here whose record was merged into
    another. ``theirs`` are the stays of the named patients, ``here`` those in the device's bed.
    ``said`` is what a source said against its own answer.
    """

    at_ms: int
    clock: str
    bands: int
    identifier: str | None
    shown: str
    hung: Hung | None
    named: tuple[str, ...] = ()
    merged: frozenset[str] = frozenset()
    theirs: tuple[Stay, ...] = ()
    here: tuple[Stay, ...] = ()
    said: tuple[Why, ...] = ()


@dataclass(frozen=True)
class Named:
    """This patient's, in this encounter; ``how`` goes into the record."""

    patient: str
    encounter: str
    how: str


@dataclass(frozen=True)
class Doubtful:
    """A person's to decide. ``likely``: whom he may be shown first, if there is one."""

    why: tuple[Why, ...]
    likely: str | None


@dataclass(frozen=True)
class Rules:
    """``bed_alone``: who has taken on the risk of filing by the bed alone; empty: nobody."""

    bed_alone: str = ""


BY_BAND: Final = "wristband, confirmed by the bed"
BY_BED: Final = "the bed alone"


def decide(evidence: Evidence, rules: Rules) -> Named | Doubtful:
    """Decide whose photo it is."""
    alone = bool(rules.bed_alone) and evidence.bands == 0
    why = (*_device(evidence), *(() if alone else _band(evidence)), *_bed(evidence, alone))
    why = (*why, *evidence.said)
    at = evidence.at_ms
    there = {stay.patient: stay for stay in evidence.here if stay.covers(at)}
    only_there = next(iter(there)) if len(there) == 1 else None
    if why:
        one_named = evidence.named[0] if len(evidence.named) == 1 else None
        return Doubtful(why, one_named or (None if evidence.bands > 1 else only_there))
    if alone:
        assert only_there is not None, "an empty or a shared bed is a reason"
        how = f"{BY_BED}; the risk is {rules.bed_alone}'s"
        return Named(only_there, there[only_there].encounter, how)
    (patient,) = evidence.named
    return Named(patient, there[patient].encounter, BY_BAND)


def _device(evidence: Evidence) -> tuple[Why, ...]:
    """What speaks against the device."""
    found = []
    if evidence.clock not in _TRUSTED:
        found.append(Why.CLOCK)
    if evidence.hung is None:
        found.append(Why.NO_BED)
    elif evidence.shown != evidence.hung.shown:
        found.append(Why.OTHER_BED)
    return tuple(found)


def _band(evidence: Evidence) -> tuple[Why, ...]:
    """What speaks against the wristband, or is unclear about whom it names."""
    if evidence.bands == 0:
        return (Why.NO_BAND,)
    if evidence.bands > 1:
        return (Why.TWO_BANDS,)
    if evidence.identifier is None:
        return (Why.WRONG_BAND,)
    if not evidence.named:
        return (Why.UNKNOWN_BAND,)
    if len(evidence.named) > 1:
        return (Why.REUSED_BAND,)
    return (Why.MERGED,) if evidence.named[0] in evidence.merged else ()


def _bed(evidence: Evidence, alone: bool) -> tuple[Why, ...]:
    """What speaks against the bed: the patient's, and everybody's who was near it."""
    at, found = evidence.at_ms, []
    named = evidence.named[0] if len(evidence.named) == 1 else None
    stays = [stay for stay in evidence.theirs if stay.patient == named]
    if named is not None and not alone and evidence.hung is not None:
        found += _whereabouts([stay for stay in stays if stay.covers(at)], evidence.hung)
    there = {stay.patient for stay in evidence.here if stay.covers(at)}
    if len(there) > 1:
        found.append(Why.SHARED)
    if alone and evidence.hung is not None:
        if not there:
            found.append(Why.EMPTY)
        elif there & evidence.merged:
            found.append(Why.MERGED)
    if any(stay.changes_near(at, NEAR_MS) for stay in (*stays, *evidence.here)):
        found.append(Why.CHANGED)
    return tuple(found)


def _whereabouts(now: list[Stay], hung: Hung) -> list[Why]:
    places = {stay.place for stay in now}
    if not places:
        return [Why.NOWHERE]
    if len(places) > 1:
        return [Why.TWO_BEDS]
    (place,) = places
    if place == hung.place:
        return []
    return [Why.OTHER_WARD if place.ward != hung.place.ward else Why.ANOTHER_BED]
