"""Provenance: where a photo in the record came from, and who changed what stands there. Pure.

originate   the photo: who attested, which device, the ledger entries it rests on; one that was
            moved here also says by whom, why, and from where
nullify     the photo that was in the wrong chart: by whom, why, and where it stands now
revise      an objection, or a photo that stands anew because more is known of it
deidentify  a teaching copy of the photo that left: who made it and said what is not in it, when,
            and its SHA-256; who got it is not said

FHIR R4 gives a Provenance no identifier, so that of a copy is a tag (``meta.tag``), as an
AuditEvent's is.
"""

import base64
from dataclasses import dataclass

from gateway.filing.base import Filed
from gateway.filing.fhir import codes
from gateway.filing.fhir.codes import Coding, concept
from gateway.filing.fhir.parts import (
    Names,
    Resource,
    entry_of,
    instant,
    person,
    staff_of,
    when,
)
from gateway.filing.record import FIRST, Assignment, Record, key_of
from gateway.filing.settings import FhirSettings
from gateway.filing.text import plain_all
from gateway.sharing.copies import TeachingCopy


@dataclass(frozen=True)
class Change:
    """What becomes of a filed photo. ``why``, where no person gave a reason."""

    filed: Filed
    activity: Coding
    why: str
    at_ms: int


def originated(
    record: Record, targets: list[str], device: str, settings: FhirSettings, now_ms: int
) -> Resource:
    """Return the Provenance of a photo that is being filed."""
    names, staff = Names(settings.namespace), staff_of(record, settings)
    whom = [(codes.AUTHOR, staff)] if staff else []
    whom += [(codes.ASSEMBLER, {"reference": device}), *_people(record.assignment, names)]
    entries = [record.proof.get(name) for name in ("consent", "intent", "sealed")]
    digest = {"identifier": {"system": "urn:ietf:rfc:6920", "value": _ni(record.jpeg_sha256)}}
    entities = [
        {"role": "source", "what": what}
        for what in [*(entry_of(names, entry) for entry in entries if entry), digest]
    ]
    if record.assignment.number > FIRST:
        before = key_of(record.photo, record.assignment.number - 1)
        entities.append({"role": "revision", "what": _photo(before, settings)})
    return {
        "resourceType": "Provenance",
        "target": [{"reference": target} for target in targets],
        **when("occurredDateTime", record),
        "recorded": instant(now_ms),
        "activity": concept(codes.ORIGINATE),
        **_reason(record.assignment.reason),
        "agent": [{"type": concept(kind), "who": who} for kind, who in whom],
        "entity": entities,
    }


def provenance_of(change: Change, targets: list[str], settings: FhirSettings) -> Resource:
    """Return the Provenance of ``targets``, which are on the server and have been changed."""
    names, onward = Names(settings.namespace), change.filed.next
    whom = [] if onward is None else _people(onward, names)
    made: Resource = {
        "resourceType": "Provenance",
        "target": [{"reference": target} for target in targets],
        "occurredDateTime": instant(change.at_ms),
        "recorded": instant(change.at_ms),
        "activity": concept(change.activity),
        **_reason((onward.reason if onward is not None else "") or change.why),
        "agent": [
            {"type": concept(kind), "who": who}
            for kind, who in [*whom, (codes.ASSEMBLER, _gateway(settings))]
        ],
    }
    if onward is not None:
        now = key_of(change.filed.photo, onward.number)
        made["entity"] = [{"role": "revision", "what": _photo(now, settings)}]
    plained: Resource = plain_all(made)
    return plained


def copied(copy: TeachingCopy, targets: list[str], settings: FhirSettings, now_ms: int) -> Resource:
    """Return the Provenance of a teaching copy of ``targets``, which are on the server.

    The copy itself is in no record. So the photo is the target, and the copy, by its hash, what
    was derived.
    """
    names = Names(settings.namespace)
    whom = [(codes.PERFORMER, person(copy.by, names)), (codes.ASSEMBLER, _gateway(settings))]
    file = {
        "identifier": {"system": "urn:ietf:rfc:6920", "value": _ni(copy.digest)},
        "display": f"teaching copy ({copy.form}): {copy.confirmed}",
    }
    made: Resource = plain_all(
        {
            "resourceType": "Provenance",
            "meta": {"tag": [copy_tag(copy, settings)]},
            "target": [{"reference": target} for target in targets],
            "occurredDateTime": instant(copy.at_ms),
            "recorded": instant(now_ms),
            "activity": concept(codes.DEIDENTIFY),
            "reason": [concept(codes.PURPOSES["teaching"])],
            "agent": [{"type": concept(kind), "who": who} for kind, who in whom],
            "entity": [{"role": "derivation", "what": file}],
        }
    )
    return made


def copy_tag(copy: TeachingCopy, settings: FhirSettings) -> Coding:
    """Under which tag the server has the Provenance of this copy."""
    return {"system": Names(settings.namespace).copy, "code": copy.uid}


def _gateway(settings: FhirSettings) -> Resource:
    return {"display": f"Wardseal gateway, {settings.name}"}


def _people(assignment: Assignment, names: Names) -> list[tuple[Coding, Resource]]:
    """Who decided, and who confirmed it."""
    named = ((codes.PERFORMER, assignment.by), (codes.VERIFIER, assignment.second))
    return [(kind, person(who, names)) for kind, who in named if who]


def _reason(words: str) -> Resource:
    return {"reason": [{"text": words}]} if words else {}


def _photo(key: str, settings: FhirSettings) -> Resource:
    identifier = {"system": Names(settings.namespace).photo, "value": key}
    return {"type": settings.photo_as, "identifier": identifier}


def _ni(sha256: str) -> str:
    """A hash as a name (RFC 6920)."""
    raw = base64.urlsafe_b64encode(bytes.fromhex(sha256)).rstrip(b"=").decode()
    return f"ni:///sha-256;{raw}"
