"""An event as a DICOM audit message (PS3.15, A.5), which is what ATNA's repositories read. Pure.

A photo is a patient's record here (A.5.3, "Patient Record"), a share an export, a list a query.
The patient stands in it by his number. The schema wants a name beside it, and gets the number
again: nobody reads a patient's name in a system log because of us.
"""

import base64
from datetime import UTC, datetime
from typing import Final
from xml.etree import ElementTree

from gateway.audit.events import Act, Event
from gateway.filing.record import Patient
from gateway.filing.text import plain

Code = tuple[str, str, str]
"""Code, the system it is from, and its meaning."""

_DCM: Final = "DCM"
_RFC3881: Final = "RFC-3881"
_RECORD: Final = ("110110", _DCM, "Patient Record")
_EVENTS: Final[dict[Act, Code]] = {
    Act.CREATE: _RECORD,
    Act.READ: _RECORD,
    Act.UPDATE: _RECORD,
    Act.DESTROY: _RECORD,
    Act.DISCLOSE: ("110106", _DCM, "Export"),
    Act.QUERY: ("110112", _DCM, "Query"),
    Act.SIGN_IN: ("110114", _DCM, "User Authentication"),
    Act.SIGN_OUT: ("110114", _DCM, "User Authentication"),
    Act.REFUSED: ("110113", _DCM, "Security Alert"),
}
_TYPES: Final[dict[Act, Code]] = {
    Act.SIGN_IN: ("110122", _DCM, "Login"),
    Act.SIGN_OUT: ("110123", _DCM, "Logout"),
}
_ACTIONS: Final = {Act.CREATE: "C", Act.READ: "R", Act.UPDATE: "U", Act.DESTROY: "D"}
_LIFE: Final = {
    Act.CREATE: "1",
    Act.READ: "6",
    Act.UPDATE: "3",
    Act.DISCLOSE: "11",
    Act.DESTROY: "15",
}
SUCCESS: Final = "0"
MINOR_FAILURE: Final = "4"
_IN_ERROR: Final = "entered in error"


def outcome(event: Event) -> str:
    """EventOutcomeIndicator."""
    return MINOR_FAILURE if event.act is Act.REFUSED else SUCCESS


def xml(event: Event, *, source: str, host: str) -> bytes:
    """Return the AuditMessage in UTF-8. ``source`` is our AuditSourceID, ``host`` this machine."""
    root = ElementTree.Element("AuditMessage")
    identification = ElementTree.SubElement(
        root,
        "EventIdentification",
        EventActionCode=_ACTIONS.get(event.act, "R" if event.act is Act.DISCLOSE else "E"),
        EventDateTime=datetime.fromtimestamp(event.at_ms / 1000, UTC).isoformat(
            timespec="milliseconds"
        ),
        EventOutcomeIndicator=outcome(event),
    )
    _coded(identification, "EventID", _EVENTS[event.act])
    if event.act in _TYPES:
        _coded(identification, "EventTypeCode", _TYPES[event.act])
    _participants(root, event, source, host)
    _coded_source(root, source)
    _objects(root, event)
    made: bytes = ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True)
    return made


def _participants(root: ElementTree.Element, event: Event, source: str, host: str) -> None:
    person = bool(event.login)
    machine = event.by if event.by not in ("gateway", "console") else source
    reads = event.act in (Act.READ, Act.DISCLOSE)
    role = ("110153", _DCM, "Source Role ID") if reads else ("110150", _DCM, "Application")
    participant = _participant(root, machine, requestor=not person)
    participant.set("NetworkAccessPointID", host if machine == source else machine)
    participant.set("NetworkAccessPointTypeCode", "1")
    _coded(participant, "RoleIDCode", role)
    if person:
        participant = _participant(root, event.login, requestor=True)
        participant.set("UserName", plain(event.name))
    if event.act is Act.DISCLOSE:
        participant = _participant(root, event.recipient, requestor=False)
        _coded(participant, "RoleIDCode", ("110152", _DCM, "Destination Role ID"))
    elif event.place and event.act in (Act.CREATE, Act.UPDATE):
        participant = _participant(root, event.place, requestor=False)
        _coded(participant, "RoleIDCode", ("110152", _DCM, "Destination Role ID"))


def _participant(root: ElementTree.Element, user: str, *, requestor: bool) -> ElementTree.Element:
    return ElementTree.SubElement(
        root,
        "ActiveParticipant",
        UserID=plain(user),
        UserIsRequestor="true" if requestor else "false",
    )


def _coded_source(root: ElementTree.Element, source: str) -> None:
    where = ElementTree.SubElement(root, "AuditSourceIdentification", AuditSourceID=source)
    ElementTree.SubElement(where, "AuditSourceTypeCode", {"csd-code": "4"})


def _objects(root: ElementTree.Element, event: Event) -> None:
    if event.patient is not None:
        number = _number(event.patient)
        whose = _object(root, number, kind="1", role="1")
        _coded(whose, "ParticipantObjectIDTypeCode", ("2", _RFC3881, "Patient Number"))
        ElementTree.SubElement(whose, "ParticipantObjectName").text = number
    if event.photo:
        photo = _object(root, event.key, kind="2", role="3")
        life = "14" if event.what == _IN_ERROR else _LIFE[event.act]
        photo.set("ParticipantObjectDataLifeCycle", life)
        _coded(photo, "ParticipantObjectIDTypeCode", ("9", _RFC3881, "Report Number"))
        ElementTree.SubElement(photo, "ParticipantObjectName").text = "clinical photograph"
        _detail(photo, event)
    elif event.act in (Act.QUERY, Act.READ, Act.REFUSED):
        role = "24" if event.act is Act.QUERY else "13" if event.act is Act.REFUSED else "3"
        about = _object(root, event.what, kind="2", role=role)
        _coded(about, "ParticipantObjectIDTypeCode", ("10", _RFC3881, "Search Criteria"))
        query = base64.b64encode(event.subject.encode("utf-8", "replace")).decode()
        ElementTree.SubElement(about, "ParticipantObjectQuery").text = query


def _object(root: ElementTree.Element, name: str, *, kind: str, role: str) -> ElementTree.Element:
    return ElementTree.SubElement(
        root,
        "ParticipantObjectIdentification",
        ParticipantObjectID=plain(name),
        ParticipantObjectTypeCode=kind,
        ParticipantObjectTypeCodeRole=role,
    )


def _detail(parent: ElementTree.Element, event: Event) -> None:
    """What exactly was done, in our own words, and by which name of ours it is told once."""
    for kind, value in (("wardseal-what", event.what), ("wardseal-event", event.id)):
        coded = base64.b64encode(value.encode()).decode()
        ElementTree.SubElement(parent, "ParticipantObjectDetail", type=kind, value=coded)


def _coded(parent: ElementTree.Element, name: str, code: Code) -> None:
    value, system, meaning = code
    ElementTree.SubElement(
        parent,
        name,
        {"csd-code": value, "codeSystemName": system, "originalText": meaning},
    )


def _number(patient: Patient) -> str:
    """As HL7's CX, the form that IHE asks for: number, and who gives such numbers out."""
    authority = patient.authority
    if authority.startswith("urn:oid:"):
        authority = f"&{authority.removeprefix('urn:oid:')}&ISO"
    elif "://" in authority or authority.startswith("urn:"):
        authority = f"&{authority}&URI"
    return plain(f"{patient.number}^^^{authority}" if authority else patient.number)
