"""Every code that the FHIR sink writes, in one table, with where it comes from.

Validators check structure and constraints, none of them these bindings; a test holds each
resource to this table.
"""

from typing import Final

Coding = dict[str, str]

LOINC: Final = "http://loinc.org"
SNOMED: Final = "http://snomed.info/sct"
DICOM: Final = "http://dicom.nema.org/resources/ontology/DCM"
ACT_REASON: Final = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
CONFIDENTIALITY: Final = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
ACT_CODE: Final = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
DATA_OPERATION: Final = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"
PARTICIPANT: Final = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
AUDIT_TYPE: Final = "http://terminology.hl7.org/CodeSystem/audit-event-type"
OBJECT_TYPE: Final = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
OBJECT_ROLE: Final = "http://terminology.hl7.org/CodeSystem/object-role"
PARTICIPATION: Final = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
LIFECYCLE: Final = "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle"
REST: Final = "http://hl7.org/fhir/restful-interaction"

PHOTO: Final[Coding] = {
    "system": LOINC,
    "code": "72170-4",
    "display": "Photographic image Unspecified body region Document",
}
CONSENT_CATEGORY: Final[Coding] = {
    "system": LOINC,
    "code": "59284-0",
    "display": "Consent Document",
}
PRIVACY: Final[Coding] = {
    "system": "http://terminology.hl7.org/CodeSystem/consentscope",
    "code": "patient-privacy",
    "display": "Privacy Consent",
}
PURPOSES: Final[dict[str, Coding]] = {
    "care": {"system": ACT_REASON, "code": "TREAT", "display": "treatment"},
    "teaching": {"system": ACT_REASON, "code": "TRAIN", "display": "training"},
}
RESTRICTED: Final[Coding] = {"system": CONFIDENTIALITY, "code": "R", "display": "restricted"}
VERY_RESTRICTED: Final[Coding] = {
    "system": CONFIDENTIALITY,
    "code": "V",
    "display": "very restricted",
}
IMAGE: Final[Coding] = {
    "system": "http://terminology.hl7.org/CodeSystem/media-type",
    "code": "image",
    "display": "Image",
}
PHOTOGRAPHY: Final[Coding] = {
    "system": DICOM,
    "code": "XC",
    "display": "External-camera Photography",
}
CAMERA: Final[Coding] = {"system": SNOMED, "code": "706767009", "display": "Patient data recorder"}
SIDES: Final[dict[str, Coding]] = {
    "left": {"system": SNOMED, "code": "7771000", "display": "Left"},
    "right": {"system": SNOMED, "code": "24028007", "display": "Right"},
    "both": {"system": SNOMED, "code": "51440002", "display": "Right and left"},
}
ORIGINATE: Final[Coding] = {"system": DATA_OPERATION, "code": "CREATE", "display": "create"}
AUTHOR: Final[Coding] = {"system": PARTICIPANT, "code": "author", "display": "Author"}
ASSEMBLER: Final[Coding] = {"system": PARTICIPANT, "code": "assembler", "display": "Assembler"}
REST_EVENT: Final[Coding] = {"system": AUDIT_TYPE, "code": "rest", "display": "RESTful Operation"}
CREATE: Final[Coding] = {"system": REST, "code": "create", "display": "create"}
SOURCE: Final[Coding] = {"system": DICOM, "code": "110153", "display": "Source Role ID"}
DESTINATION: Final[Coding] = {"system": DICOM, "code": "110152", "display": "Destination Role ID"}
PERSON: Final[Coding] = {"system": OBJECT_TYPE, "code": "1", "display": "Person"}
THING: Final[Coding] = {"system": OBJECT_TYPE, "code": "2", "display": "System Object"}
PATIENT: Final[Coding] = {"system": OBJECT_ROLE, "code": "1", "display": "Patient"}
RESOURCE: Final[Coding] = {"system": OBJECT_ROLE, "code": "4", "display": "Domain Resource"}
APPLICATION: Final[Coding] = {"system": DICOM, "code": "110150", "display": "Application"}
EXPORT: Final[Coding] = {"system": DICOM, "code": "110106", "display": "Export"}
SECURITY_ALERT: Final[Coding] = {"system": DICOM, "code": "110113", "display": "Security Alert"}
AUTHENTICATION: Final[Coding] = {
    "system": DICOM,
    "code": "110114",
    "display": "User Authentication",
}
LOGIN: Final[Coding] = {"system": DICOM, "code": "110122", "display": "Login"}
LOGOUT: Final[Coding] = {"system": DICOM, "code": "110123", "display": "Logout"}
READ: Final[Coding] = {"system": REST, "code": "read", "display": "read"}
UPDATE: Final[Coding] = {"system": REST, "code": "update", "display": "update"}
DELETE: Final[Coding] = {"system": REST, "code": "delete", "display": "delete"}
SEARCH: Final[Coding] = {"system": REST, "code": "search", "display": "search"}
DISCLOSE: Final[Coding] = {
    "system": LIFECYCLE,
    "code": "disclose",
    "display": "Disclose Record Lifecycle Event",
}
DESTROY: Final[Coding] = {
    "system": LIFECYCLE,
    "code": "destroy",
    "display": "Destroy/Delete Record Lifecycle Event",
}
# The code system's own spelling.
DEIDENTIFY: Final[Coding] = {
    "system": LIFECYCLE,
    "code": "deidentify",
    "display": "De-Identify (Anononymize) Record Lifecycle Event",
}
REPORT: Final[Coding] = {"system": OBJECT_ROLE, "code": "3", "display": "Report"}
QUERY: Final[Coding] = {"system": OBJECT_ROLE, "code": "24", "display": "Query"}
SECURITY: Final[Coding] = {"system": OBJECT_ROLE, "code": "13", "display": "Security Resource"}
RECIPIENT: Final[Coding] = {
    "system": PARTICIPATION,
    "code": "IRCP",
    "display": "information recipient",
}
SENDER: Final[Coding] = {
    "system": PARTICIPATION,
    "code": "AUT",
    "display": "author (originator)",
}
CUSTODIAN: Final[Coding] = {"system": PARTICIPANT, "code": "custodian", "display": "Custodian"}
PERFORMER: Final[Coding] = {"system": PARTICIPANT, "code": "performer", "display": "Performer"}
VERIFIER: Final[Coding] = {"system": PARTICIPANT, "code": "verifier", "display": "Verifier"}
AMEND: Final[Coding] = {"system": DATA_OPERATION, "code": "UPDATE", "display": "revise"}
NULLIFY: Final[Coding] = {"system": DATA_OPERATION, "code": "NULLIFY", "display": "nullify"}
BALP: Final = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."
BALP_CREATE: Final = f"{BALP}Create"
BALP_PATIENT_CREATE: Final = f"{BALP}PatientCreate"


def concept(coding: Coding) -> dict[str, object]:
    """A CodeableConcept of one coding."""
    return {"coding": [dict(coding)]}
