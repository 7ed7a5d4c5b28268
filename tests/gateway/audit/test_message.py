"""DICOM audit messages: the standard's structure, whatever they hold, and no patient's name."""

import base64
from pathlib import Path

import pytest
from lxml import etree

from gateway.audit import message
from gateway.audit.events import Act, Event
from tests.gateway.audit.happenings import ALL, EVENTS
from tests.gateway.filing.photos import PATIENT, PHOTO

SCHEMA = etree.RelaxNG(etree.parse(Path(__file__).parent / "dicom-audit.rng"))


def read(event: Event) -> etree._Element:
    raw = message.xml(event, source="wardseal gateway", host="hospital-1")
    return etree.fromstring(raw)


@pytest.mark.parametrize("event", ALL.values(), ids=ALL.keys())
def test_every_message_has_the_structure_of_dicom(event: Event) -> None:
    root = read(event)
    assert SCHEMA.validate(root), SCHEMA.error_log


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS.keys())
def test_P9_no_patient_s_name_stands_in_a_message(event: Event) -> None:
    raw = message.xml(event, source="wardseal gateway", host="hospital-1").decode()
    for word in (PATIENT.family, PATIENT.given, PATIENT.born):
        assert word not in raw
        assert base64.b64encode(word.encode()).decode() not in raw


@pytest.mark.parametrize(
    ("act", "code", "action", "life"),
    [
        (Act.CREATE, "110110", "C", "1"),
        (Act.READ, "110110", "R", "6"),
        (Act.UPDATE, "110110", "U", "14"),
        (Act.DISCLOSE, "110106", "R", "11"),
        (Act.DESTROY, "110110", "D", "15"),
    ],
)
def test_what_was_done_to_a_photo_is_said_in_the_standard_s_codes(
    act: Act, code: str, action: str, life: str
) -> None:
    root = read(EVENTS[act.value])
    assert root.xpath("string(//EventID/@csd-code)") == code
    assert root.xpath("string(//EventIdentification/@EventActionCode)") == action
    patient, photo = root.findall("ParticipantObjectIdentification")
    assert patient.get("ParticipantObjectID") == "4711^^^&1.2.3&ISO"
    assert photo.get("ParticipantObjectID") == PHOTO
    assert photo.get("ParticipantObjectDataLifeCycle") == life
    assert len(root.xpath("ActiveParticipant[@UserIsRequestor='true']")) == 1


def test_a_person_who_looked_is_named_and_so_is_who_was_shown_it() -> None:
    root = read(EVENTS["disclose"])
    users = [one.get("UserID") for one in root.findall("ActiveParticipant")]
    assert users == ["wardseal gateway", "a.osei", "Dr. A. Meyer, Clinic"]
    assert root.xpath("string(ActiveParticipant[@UserID='a.osei']/@UserName)") == "Ama Osei"
    assert "second opinion" not in etree.tostring(root).decode()


def test_who_was_refused_is_a_failure() -> None:
    assert read(EVENTS["refused"])[0].get("EventOutcomeIndicator") == "4"
    assert read(EVENTS["sign-in"])[0].get("EventOutcomeIndicator") == "0"
