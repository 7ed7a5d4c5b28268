"""A record as FHIR R4 resources, and the transaction that creates them. Pure.

    Device             the appliance, unless the server has it
    Binary             the JPEG, and the PDF report where wanted
    Consent            one per purpose, if the patient or a representative agreed (IHE PCF);
                       best interests are no granted consent
    DocumentReference  the photo (or Media for the JPEG and DocumentReference for the report)
    Provenance         who, with which device, and the ledger entries it all rests on
    AuditEvent         IHE BALP create

What a device or a label said goes into text and values only. References are to resources of
the same transaction, to what the hospital's own systems have named, or by identifier.
"""

import base64
import hashlib
import uuid
from typing import Final
from urllib.parse import quote

from gateway.filing.fhir import codes
from gateway.filing.fhir.audit import created
from gateway.filing.fhir.codes import concept
from gateway.filing.fhir.parts import (
    Names,
    Resource,
    entry_of,
    instant,
    reference,
    staff_of,
    when,
)
from gateway.filing.fhir.provenance import originated
from gateway.filing.record import Record
from gateway.filing.settings import FhirSettings
from gateway.filing.text import plain_all

AGREED: Final = {"agreed": "patient", "proxy": "representative"}


def transaction(
    record: Record, report: bytes | None, device: str | None, settings: FhirSettings, now_ms: int
) -> Resource:
    """Return the Bundle. ``report`` is the PDF, ``device`` what the server calls the Device.

    Where the server has no Device yet, it is created in the same transaction.
    """
    names = Names(settings.namespace)
    entries: list[Resource] = []

    def add(resource: Resource, if_none: str | None = None) -> str:
        url = f"urn:uuid:{_uuid(record, resource['resourceType'], len(entries))}"
        request = {"method": "POST", "url": resource["resourceType"]}
        if if_none is not None:
            request["ifNoneExist"] = f"identifier={quote(if_none, safe=':|')}"
        # Base64 is plain, and looking at every character of a photo's takes longer than the rest.
        fit = resource if resource["resourceType"] == "Binary" else plain_all(resource)
        entries.append({"fullUrl": url, "resource": fit, "request": request})
        return url

    if device is None:
        device = add(device_of(record, names), f"{names.device}|{record.device}")
    jpeg = _attachment(add(_binary("image/jpeg", record.jpeg)), "image/jpeg", record.jpeg)
    jpeg |= {"title": "photo", **when("creation", record)}
    attachments = [jpeg]
    if report is not None:
        pdf = _attachment(add(_binary("application/pdf", report)), "application/pdf", report)
        attachments.append(pdf | {"title": "report"})
    consents = [
        add(made, f"{names.consent}|{made['identifier'][0]['value']}")
        for made in _consents(record, names, settings)
    ]
    targets = []
    if settings.photo_as == "Media":
        photo = _media(record, jpeg, device, names)
        targets.append(add(photo, f"{names.photo}|{record.key}"))
        attachments = attachments[1:]
    if attachments:
        of_report = settings.photo_as == "Media"
        key = f"{record.key}.pdf" if of_report else record.key
        page = _document(
            record,
            settings,
            key=key,
            attachments=attachments,
            consents=consents,
            device=device,
            now_ms=now_ms,
        )
        targets.append(add(page, f"{names.photo}|{key}"))
    add(originated(record, targets, device, settings, now_ms))
    patient = record.assignment.patient
    whose = None if patient is None else reference(patient, "Patient")
    add(created(whose, targets, settings, now_ms))
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def device_of(record: Record, names: Names) -> Resource:
    """Return the Device resource of the appliance; it names no person."""
    return {
        "resourceType": "Device",
        "identifier": [{"system": names.device, "value": record.device}],
        "status": "active",
        "serialNumber": record.device,
        "deviceName": [{"name": "Wardseal", "type": "model-name"}],
        "type": concept(codes.CAMERA),
    }


def denial(consent: Resource, at_ms: int) -> Resource:
    """Return the Consent that says no from now on, in place of one that said yes."""
    kept: Resource = {
        name: consent[name]
        for name in ("scope", "category", "patient", "performer", "organization", "policy")
        if name in consent
    }
    identifier = consent["identifier"][0]
    return {
        "resourceType": "Consent",
        "identifier": [{**identifier, "value": f"{identifier['value']}.denied"}],
        "status": "active",
        **kept,
        "dateTime": instant(at_ms),
        "provision": {**consent.get("provision", {}), "type": "deny"},
    }


def _uuid(record: Record, kind: str, number: int) -> uuid.UUID:
    """The same record always has the same names within its transaction."""
    return uuid.uuid5(uuid.NAMESPACE_OID, f"{record.key}/{kind}/{number}")


def _binary(kind: str, data: bytes | memoryview) -> Resource:
    return {
        "resourceType": "Binary",
        "contentType": kind,
        "data": base64.b64encode(data).decode(),
    }


def _attachment(url: str, kind: str, data: bytes | memoryview) -> Resource:
    # FHIR R4 defines Attachment.hash as SHA-1; the SHA-256 that counts is in Provenance.
    sha1 = hashlib.sha1(data, usedforsecurity=False).digest()
    return {
        "contentType": kind,
        "url": url,
        "size": len(data),
        "hash": base64.b64encode(sha1).decode(),
    }


def _subject(record: Record, name: str = "subject") -> Resource:
    patient = record.assignment.patient
    return {} if patient is None else {name: reference(patient, "Patient")}


def _consents(record: Record, names: Names, settings: FhirSettings) -> list[Resource]:
    """One per purpose, if there is a patient who can have given it."""
    patient = record.assignment.patient
    if patient is None or record.basis not in AGREED:
        return []
    whose = reference(patient, "Patient")
    agreed = whose if record.basis == "agreed" else {"display": "representative of the patient"}
    wording = record.wording
    uri = f"{_part(wording['id'])}:{_part(wording['language'])}:{wording['sha256']}"
    purposes = ("care", "teaching") if record.level == "teaching" else ("care",)
    return [
        {
            "resourceType": "Consent",
            "identifier": [{"system": names.consent, "value": f"{record.key}.{purpose}"}],
            "status": "active",
            "scope": concept(codes.PRIVACY),
            "category": [concept(codes.CONSENT_CATEGORY)],
            "patient": whose,
            **when("dateTime", record),
            "performer": [agreed],
            **_organization(settings, "organization", many=True),
            "sourceReference": {
                "type": "DocumentReference",
                **entry_of(names, record.proof.get("consent")),
            },
            "policy": [{"uri": f"{names.namespace}:wording:{uri}"}],
            "provision": {"type": "permit", "purpose": [dict(codes.PURPOSES[purpose])]},
        }
        for purpose in purposes
    ]


def _part(text: str) -> str:
    """A part of a URN: what a device wrote cannot make another URN of it."""
    return "".join(c if (c.isascii() and c.isalnum()) or c in "-._" else "-" for c in text)


def _organization(settings: FhirSettings, name: str, *, many: bool = False) -> Resource:
    if not settings.organization:
        return {}
    whose: Resource = {"display": settings.organization}
    if settings.organization.startswith("Organization/"):
        whose = {"reference": settings.organization}
    return {name: [whose] if many else whose}


def _document(
    record: Record,
    settings: FhirSettings,
    *,
    key: str,
    attachments: list[Resource],
    consents: list[str],
    device: str,
    now_ms: int,
) -> Resource:
    staff = staff_of(record, settings)
    whose = record.assignment
    context: Resource = {}
    if whose.encounter is not None:
        context["encounter"] = [reference(whose.encounter, "Encounter")]
    period = when("start", record)
    if period:
        context["period"] = period
    if consents:
        context["related"] = [{"reference": url} for url in consents]
    return {
        "resourceType": "DocumentReference",
        "identifier": [{"system": Names(settings.namespace).photo, "value": key}],
        "status": "current",
        "docStatus": "final",
        "type": concept(codes.PHOTO),
        **_subject(record),
        "date": instant(now_ms),
        "author": [*([staff] if staff else []), {"reference": device}],
        **_organization(settings, "custodian"),
        "description": _description(record),
        "securityLabel": [concept(codes.RESTRICTED)],
        "content": [{"attachment": attachment} for attachment in attachments],
        **({"context": context} if context else {}),
    }


def _description(record: Record) -> str:
    site = record.assignment.site
    parts = [f"Clinical photograph, bed {record.bed}"]
    if site is not None:
        parts.append(" ".join(part for part in (site.side, site.display) if part))
    label = record.read_label
    if label is not None and label.code is not None:
        parts.append(f"label {label.code}")
    if record.badge is None:
        parts.append("unattested: no badge was read")
    if record.assignment.note:
        parts.append(record.assignment.note)
    return "; ".join(parts)


def _media(record: Record, jpeg: Resource, device: str, names: Names) -> Resource:
    whose, site = record.assignment, record.assignment.site
    body: Resource = {}
    if site is not None:
        coding: codes.Coding = {"system": codes.SNOMED, "code": site.code, "display": site.display}
        words = " ".join(part for part in (site.side, site.display) if part)
        body = {"bodySite": {"coding": [coding], "text": words}}
    if whose.note:
        body["note"] = [{"text": whose.note}]
    encounter = whose.encounter
    return {
        "resourceType": "Media",
        "meta": {"security": [dict(codes.RESTRICTED)]},
        "identifier": [{"system": names.photo, "value": record.key}],
        "status": "completed",
        "type": concept(codes.IMAGE),
        "modality": concept(codes.PHOTOGRAPHY),
        **_subject(record),
        **({} if encounter is None else {"encounter": reference(encounter, "Encounter")}),
        **when("createdDateTime", record),
        **body,
        "device": {"reference": device},
        "height": record.height,
        "width": record.width,
        "content": jpeg,
    }
