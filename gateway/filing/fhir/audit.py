"""AuditEvents by IHE's Basic Audit Log Patterns (BALP 1.1): create, read, disclose, destroy. Pure.

    create    PatientCreate, in the same transaction as the photo itself
    read      PatientRead; a list, a patient's page or a question: PatientQuery, Query
    update    PatientUpdate: an objection, or a photo that was in the wrong chart
    disclose  PrivacyDisclosure.Source: a photo that was shared outside
    destroy   PatientDelete: the device's copy, or the gateway's, was wiped

Where no patient is known it is the pattern without one, and a disclosure says that it follows
none. FHIR R4 gives an AuditEvent no identifier, so ours is a tag (``meta.tag``), by which a server
is asked for it, and by which it creates one only if it has none.
"""

import base64
import socket
from typing import Any, Final

from gateway.audit.events import Act, Event
from gateway.filing.fhir import codes
from gateway.filing.fhir.codes import Coding, concept
from gateway.filing.fhir.parts import Names, Resource, instant, reference
from gateway.filing.settings import FhirSettings
from gateway.filing.text import plain_all

_LONGEST: Final = 200
_FAILED: Final = "4"
_RESTFUL: Final[dict[Act, tuple[str, str, tuple[Coding, ...]]]] = {
    Act.CREATE: ("Create", "C", (codes.CREATE,)),
    Act.READ: ("Read", "R", (codes.READ,)),
    Act.UPDATE: ("Update", "U", (codes.UPDATE,)),
    Act.QUERY: ("Query", "E", (codes.SEARCH,)),
    Act.DESTROY: ("Delete", "D", (codes.DELETE, codes.DESTROY)),
}
_SECURITY: Final[dict[Act, tuple[Coding, tuple[Coding, ...]]]] = {
    Act.SIGN_IN: (codes.AUTHENTICATION, (codes.LOGIN,)),
    Act.SIGN_OUT: (codes.AUTHENTICATION, (codes.LOGOUT,)),
    Act.REFUSED: (codes.SECURITY_ALERT, ()),
}


def tag_of(event: Event, settings: FhirSettings) -> Coding:
    """Under which tag the server has this event."""
    return {"system": Names(settings.namespace).audit, "code": event.id}


def audit_event(event: Event, settings: FhirSettings) -> Resource:
    """Return the AuditEvent of something that happened here."""
    resource = {**_kind(event), **_whole(event, settings)}
    resource["meta"] = {**resource.get("meta", {}), "tag": [tag_of(event, settings)]}
    made: Resource = plain_all({"resourceType": "AuditEvent", **resource})
    return made


def created(
    patient: Resource | None, targets: list[str], settings: FhirSettings, now_ms: int
) -> Resource:
    """Return the AuditEvent of the transaction that it stands in; ``targets``: what that makes."""
    profile = codes.BALP_CREATE if patient is None else codes.BALP_PATIENT_CREATE
    entities = [_entity({"reference": target}, codes.RESOURCE) for target in targets]
    if patient is not None:
        entities.insert(0, _person(patient))
    gateway = _gateway(settings)
    return {
        "resourceType": "AuditEvent",
        "meta": {"profile": [profile]},
        "type": dict(codes.REST_EVENT),
        "subtype": [dict(codes.CREATE)],
        "action": "C",
        "recorded": instant(now_ms),
        "outcome": "0",
        "agent": [
            _agent(codes.SOURCE, gateway, requestor=True),
            _agent(codes.DESTINATION, {"display": settings.url}, network=_address(settings.url)),
        ],
        "source": {"observer": gateway},
        "entity": entities,
    }


def _kind(event: Event) -> Resource:
    """Profile, type, subtype and action."""
    if event.act in _RESTFUL:
        name, action, subtypes = _RESTFUL[event.act]
        whose = "Patient" if event.patient is not None else ""
        return {
            "meta": {"profile": [f"{codes.BALP}{whose}{name}"]},
            "type": dict(codes.REST_EVENT),
            "subtype": [dict(one) for one in subtypes],
            "action": action,
        }
    if event.act is Act.DISCLOSE:
        profile = [f"{codes.BALP}PrivacyDisclosure.Source"]
        return {
            **({} if event.patient is None else {"meta": {"profile": profile}}),
            "type": dict(codes.EXPORT),
            "subtype": [dict(codes.DISCLOSE)],
            "action": "R",
        }
    kind, subtypes = _SECURITY[event.act]
    subtype = {"subtype": [dict(one) for one in subtypes]} if subtypes else {}
    return {"type": dict(kind), **subtype, "action": "E"}


def _whole(event: Event, settings: FhirSettings) -> Resource:
    refused = event.act is Act.REFUSED
    observer = _gateway(settings)
    return {
        "recorded": instant(event.at_ms),
        "outcome": _FAILED if refused else "0",
        "outcomeDesc": event.what,
        **_purpose(event),
        "agent": _agents(event, settings),
        "source": {"observer": observer, "site": settings.organization or "Wardseal"},
        "entity": _entities(event, settings),
    }


def _purpose(event: Event) -> Resource:
    if not event.reason:
        return {}
    coding = {"coding": [dict(codes.PURPOSES["care"])]} if event.act is Act.DISCLOSE else {}
    return {"purposeOfEvent": [{**coding, "text": event.reason}]}


def _agents(event: Event, settings: FhirSettings) -> list[Resource]:
    gateway, person = _gateway(settings), bool(event.login)
    by = gateway if event.by == "gateway" else {"display": f"Wardseal {event.by}"}
    here = _address(socket.gethostname() or "gateway", "1")
    match event.act:
        case Act.READ:
            pair = [(codes.DESTINATION, by, here), (codes.SOURCE, gateway, here)]
        case Act.DISCLOSE:
            whom = {"display": event.recipient}
            out = {"address": "a file that was handed over"}
            pair = [(codes.SOURCE, gateway, here), (codes.DESTINATION, whom, out)]
        case Act.DESTROY:
            machine = _address(event.place, "1")
            pair = [(codes.APPLICATION, by, machine), (codes.CUSTODIAN, by, machine)]
        case Act.CREATE | Act.UPDATE:
            there = {"display": event.place}
            pair = [(codes.SOURCE, by, here), (codes.DESTINATION, there, {"address": event.place})]
        case Act.QUERY:
            pair = [(codes.SOURCE, by, here), (codes.DESTINATION, gateway, here)]
        case _:
            pair = [(codes.APPLICATION, by, here)]
    # Somebody has to have asked for it: a person, or else the machine that comes first.
    agents = [
        _agent(kind, who, requestor=not person and at == 0, network=network)
        for at, (kind, who, network) in enumerate(pair)
    ]
    if person:
        identifier = {"system": Names(settings.namespace).person, "value": event.login}
        who = {"type": "Practitioner", "identifier": identifier, "display": event.name}
        role = codes.SENDER if event.act is Act.DISCLOSE else codes.RECIPIENT
        agents.append(_agent(role, who, requestor=True, name=event.name))
    return agents


def _agent(
    kind: Coding,
    who: Resource,
    *,
    requestor: bool = False,
    network: Resource | None = None,
    name: str = "",
) -> Resource:
    agent: Resource = {"type": concept(kind), "who": who, "requestor": requestor}
    if name:
        return agent | {"name": name}
    return agent | {"network": network or _address(socket.gethostname() or "gateway", "1")}


def _address(address: str, kind: str = "5") -> Resource:
    return {"address": address, "type": kind}


def _gateway(settings: FhirSettings) -> Resource:
    return {"display": f"Wardseal gateway, {settings.name}"}


def _entities(event: Event, settings: FhirSettings) -> list[Resource]:
    entities: list[Resource] = []
    if event.patient is not None:
        entities.append(_person(reference(event.patient, "Patient")))
    if event.photo:
        identifier = {"system": Names(settings.namespace).photo, "value": event.key}
        what: Resource = {"type": settings.photo_as, "identifier": identifier}
        role = codes.REPORT if event.act is Act.DISCLOSE else codes.RESOURCE
        entities.append(_entity(what, role))
    elif event.act is Act.QUERY:
        asked = base64.b64encode((event.subject or event.what).encode("utf-8", "replace"))
        query: dict[str, Any] = {"type": dict(codes.THING), "role": dict(codes.QUERY)}
        entities.append(query | {"query": asked.decode(), "description": event.what})
    elif event.act is Act.READ:
        entities.append(_entity({"display": f"{event.what} {event.subject}"}, codes.REPORT))
    elif event.act is Act.REFUSED:
        entities.append(_entity({"display": event.subject[:_LONGEST]}, codes.SECURITY))
    return entities


def _entity(what: Resource, role: Coding) -> Resource:
    return {"what": what, "type": dict(codes.THING), "role": dict(role)}


def _person(patient: Resource) -> Resource:
    return {"what": patient, "type": dict(codes.PERSON), "role": dict(codes.PATIENT)}
