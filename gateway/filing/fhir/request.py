"""A request to review a photo as a FHIR R4 ServiceRequest. Pure.

Who asks and who is asked are named, and known by how they sign in to the console: the hospital's
own Practitioner resources are not ours to search or to make.
"""

from gateway.filing.fhir.parts import Names, Resource, instant, person, reference
from gateway.filing.record import FIRST, Assignment, key_of
from gateway.filing.settings import FhirSettings
from gateway.filing.text import plain_all
from gateway.reviews import Review


def request_of(
    review: Review, assignment: Assignment, settings: FhirSettings, since: int = FIRST
) -> Resource:
    """Return the resource as the request stands now.

    ``since`` is the first assignment number of the stay that the photo is in: another patient's
    chart gets a request of its own.
    """
    names, patient, encounter = Names(settings.namespace), assignment.patient, assignment.encounter
    # R4 wants a subject; a site that files without knowing the patient says that it does.
    subject = {"display": "not identified"} if patient is None else reference(patient, "Patient")
    photo = {"system": names.photo, "value": key_of(review.photo, assignment.number)}
    made: Resource = {
        "resourceType": "ServiceRequest",
        "identifier": [{"system": names.review, "value": key_of(review.uid, since)}],
        "status": review.status.value,
        "intent": "order",
        "code": {"text": "Review of a clinical photograph"},
        "subject": subject,
        "authoredOn": instant(review.asked_ms),
        "requester": person(review.by, names),
        "performer": [person(review.owner, names)],
        "reasonCode": [{"text": review.question}],
        "supportingInfo": [{"type": settings.photo_as, "identifier": photo}],
    }
    if encounter is not None:
        made["encounter"] = reference(encounter, "Encounter")
    plained: Resource = plain_all(made)
    return plained
