"""A request to review a photo as a FHIR R4 ServiceRequest. Pure.

Who asks and who is asked are named, and known by how they sign in to the console: the hospital's
own Practitioner resources are not ours to search or to make.
"""

import re
from typing import Final

from gateway.filing.fhir.parts import Names, Resource, instant, reference
from gateway.filing.record import Assignment, key_of
from gateway.filing.settings import FhirSettings
from gateway.filing.text import plain_all
from gateway.reviews import Review

_PERSON: Final = re.compile(r"(?P<name>.*\S) \((?P<login>[^()]+)\)")


def request_of(review: Review, assignment: Assignment, settings: FhirSettings) -> Resource:
    """Return the resource as the request stands now."""
    names, patient, encounter = Names(settings.namespace), assignment.patient, assignment.encounter
    # R4 wants a subject; a site that files without knowing the patient says that it does.
    subject = {"display": "not identified"} if patient is None else reference(patient, "Patient")
    photo = {"system": names.photo, "value": key_of(review.photo, assignment.number)}
    made: Resource = {
        "resourceType": "ServiceRequest",
        "identifier": [{"system": names.review, "value": review.uid}],
        "status": review.status.value,
        "intent": "order",
        "code": {"text": "Review of a clinical photograph"},
        "subject": subject,
        "authoredOn": instant(review.asked_ms),
        "requester": _person(review.by, names),
        "performer": [_person(review.owner, names)],
        "reasonCode": [{"text": review.question}],
        "supportingInfo": [{"type": settings.photo_as, "identifier": photo}],
    }
    if encounter is not None:
        made["encounter"] = reference(encounter, "Encounter")
    plained: Resource = plain_all(made)
    return plained


def _person(signature: str, names: Names) -> Resource:
    """``Jo Doe (j.doe)`` by name and login; any other words as they are."""
    found = _PERSON.fullmatch(signature)
    if found is None:
        return {"type": "Practitioner", "display": signature or "nobody"}
    identifier = {"system": names.person, "value": found["login"]}
    return {"type": "Practitioner", "identifier": identifier, "display": found["name"]}
