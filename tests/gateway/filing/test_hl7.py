"""The HL7 sink against a real receiver: one report per message, acknowledged by name."""

import base64
from collections.abc import Callable, Iterator
from typing import Any

import hl7
import pytest

from base.errors import ConfigError
from gateway.filing.base import FilingError, Sink
from gateway.filing.hl7 import Hl7
from gateway.filing.record import Assignment
from gateway.filing.settings import Hl7Settings
from gateway.filing.text import plain
from gateway.report.making import Style
from tests.gateway.filing.hl7_peer import Receiver
from tests.gateway.filing.photos import (
    AT_MS,
    HOSTILE,
    OTHER,
    PHOTO,
    filed_of,
    hostile,
    picture,
    record,
)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    started = Receiver()
    yield started
    started.close()


@pytest.fixture
def sink(receiver: Receiver) -> Hl7:
    settings = Hl7Settings(
        host="127.0.0.1", port=receiver.port, receiving=("RECORDS", "ST|EX"), timeout_seconds=2
    )
    return Hl7(settings, Style(), lambda: AT_MS)


def field(message: hl7.Message, segment: str, number: int) -> str:
    """A whole field, as it was sent."""
    return str(message[segment][0][number])


def segments(message: hl7.Message) -> list[str]:
    return [str(segment[0]) for segment in message]


def test_the_report_is_sent_as_one_document_of_the_patient(receiver: Receiver, sink: Hl7) -> None:
    as_sink: Sink = sink
    reference = as_sink.file(record())
    as_sink.read_back(record(), reference)
    (message,) = receiver.messages
    assert segments(message) == ["MSH", "EVN", "PID", "PV1", "TXA", "OBX", "OBX"]
    assert str(message.segments("OBX")[1]) == (
        "OBX|2|CE|39111-0^Body site^LN||76853006^left Heel structure^SCT||||||F"
    )
    assert field(message, "MSH", 9) == "MDM^T02^MDM_T02"
    assert (message["PID.F3.R1.C1"], message["PID.F3.R1.C5"]) == ("4711", "MR")
    assert field(message, "PID", 5) == "Muster^Erika"
    assert (field(message, "PID", 7), field(message, "PID", 8)) == ("19500102", "F")
    assert message["PV1.F19.R1.C1"] == "V-99"
    assert (field(message, "TXA", 12), field(message, "TXA", 19)) == (f"{PHOTO}^WARDSEAL", "AV")
    assert field(message, "TXA", 4) == "20231114221320+0000"
    kind, subtype, coding, data = (message[f"OBX.F5.R1.C{n}"] for n in (2, 3, 4, 5))
    assert (kind, subtype, coding) == ("application", "pdf", "Base64")
    pdf = base64.b64decode(data)
    assert pdf.startswith(b"%PDF-")
    assert picture() in pdf
    assert reference == f"MDM/{message['MSH.F10']}"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("AE", r"hl7 refused the message \(AE\)"),
        ("CR", r"hl7 refused the message \(CR\)"),
        ("silence", "hl7 did not answer in time"),
        ("lost", "its answer breaks off"),
        ("garbage", "no HL7"),
        ("another", "hl7 acknowledged another message"),
    ],
)
def test_P5_what_is_not_acknowledged_is_not_filed_and_sent_again_as_the_same(
    receiver: Receiver, sink: Hl7, answer: str, words: str
) -> None:
    receiver.answers = [answer]
    with pytest.raises(FilingError, match=words):
        sink.file(record())
    sink.file(record())
    first, second = receiver.messages
    assert str(first) == str(second)  # by its control id a receiver knows it again


def test_P5_a_receiver_that_is_not_there_is_said(free_port: Callable[[], int]) -> None:
    settings = Hl7Settings(host="127.0.0.1", port=free_port())
    with pytest.raises(FilingError, match="hl7 cannot be reached: Connection refused"):
        Hl7(settings, Style(), lambda: AT_MS).file(record())


def test_a_moved_photo_is_cancelled_at_a_and_sent_once_for_b(receiver: Receiver, sink: Hl7) -> None:
    at_a, at_b = record(), record(assignment=OTHER)
    first = sink.file(at_a)
    sink.file(at_b)
    sink.correct(filed_of(at_a, first), AT_MS)
    _, to_b, cancelled = receiver.messages
    assert (to_b["PID.F3.R1.C1"], to_b["TXA.F12.R1.C1"]) == ("9001", f"{PHOTO}-2")
    assert cancelled["MSH.F9.R1.C2"] == "T11"
    assert (cancelled["PID.F3.R1.C1"], cancelled["TXA.F12.R1.C1"]) == ("4711", PHOTO)
    assert field(cancelled, "TXA", 19) == "CA"


def test_an_objection_makes_the_document_very_restricted(receiver: Receiver, sink: Hl7) -> None:
    sink.undo(filed_of(record(), sink.file(record())), AT_MS)
    told = receiver.messages[-1]
    assert (told["MSH.F9.R1.C2"], field(told, "TXA", 18)) == ("T03", "V")


def test_what_was_perhaps_never_sent_may_be_unknown_to_the_receiver(
    receiver: Receiver, sink: Hl7
) -> None:
    receiver.answers = ["AE", "AE"]
    sink.correct(filed_of(record(), None), AT_MS)
    with pytest.raises(FilingError, match="refused"):
        sink.correct(filed_of(record(), "MDM/X"), AT_MS)


@pytest.mark.parametrize("evil", HOSTILE)
def test_injection_no_delimiter_of_others_delimits_anything(
    receiver: Receiver, sink: Hl7, evil: str
) -> None:
    sink.file(hostile(evil))
    (message,) = receiver.messages
    assert segments(message) == ["MSH", "EVN", "PID", "PV1", "TXA", "OBX", "OBX"]
    shown = plain(evil)
    number = message.unescape(str(message["PID"][0][3][0][0]))
    assert number == shown
    assert len(message["PID"][0][3][0]) == 5
    assert field(message, "TXA", 12) == f"{PHOTO}^WARDSEAL"


def test_nobody_and_no_time_are_said_as_such(receiver: Receiver, sink: Hl7) -> None:
    sink.file(record(assignment=Assignment(), clock="none"))
    (message,) = receiver.messages
    assert (field(message, "PID", 3), field(message, "TXA", 4)) == ('""', "")


@pytest.mark.parametrize(
    ("settings", "setting"),
    [
        ({"host": "engine.example", "port": 2575}, "ca"),
        ({"host": "127.0.0.1", "port": 0}, "port"),
        ({"host": "127.0.0.1", "port": 1, "timeout_seconds": 0}, "timeout_seconds"),
        ({"host": "127.0.0.1", "port": 1, "name": "a b"}, "name"),
    ],
)
def test_P10_a_wrong_setting_is_named(settings: dict[str, Any], setting: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Hl7Settings(**settings)
    assert caught.value.setting == setting
