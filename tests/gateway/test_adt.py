"""HL7 v2 ADT over a real MLLP line: every message is answered, and none names anybody in a log."""

import asyncio
import gc
import logging
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from zoneinfo import ZoneInfo

import hl7
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from base.errors import ConfigError, FormatError
from cli import pki
from gateway.beds import Place
from gateway.identity import adt, census
from gateway.identity.adt import Adt, Merge
from gateway.identity.census import Told
from gateway.identity.feed import Feed
from gateway.identity.mllp import AdtLine, LineFiles
from gateway.identity.stays import Stay
from gateway.store import Store, open_sqlite
from neighbours.adt import send
from wire.hpke import SuiteName

READER = Adt("MRN", ZoneInfo("Europe/Berlin"), ("GS",))
EIGHT = 1_772_348_400_000  # 2026-03-01T08:00 in Berlin
MINUTE = 60_000


def message(
    event: str,
    *,
    at: str = "202603010800",
    patient: str = "4711^^^MRN~998^^^GS~X^^^ELSE",
    name: str = "Osei^Ama",
    bed: str = "W3^^12",
    encounter: str = "E1^^^HIS",
    mrg: str = "",
    control: str = "C1",
) -> str:
    lines = [
        f"MSH|^~\\&|HIS|ST-MARY|WARDSEAL||{at}||ADT^{event}|{control}|P|2.5",
        f"EVN||{at}",
        f"PID|1||{patient}||{name}||19610402|F",
        f"MRG|{mrg}" if mrg else f"PV1|1|I|{bed}" + "|" * 16 + encounter,
    ]
    return "\r".join(lines) + "\r"


def read(*events: str) -> list[Told | Merge | None]:
    return [READER.read(adt.parse(event.encode())) for event in events]


def stays(store: Store, *events: str) -> tuple[Stay, ...]:
    feed = Feed(store=store, clock=lambda: EIGHT)
    for told in read(*events):
        assert told is not None
        feed.take(told)
    with store.read() as session:
        return census.stays_by(session, ["4711"])


BED, AWAY = Place("W3", "12"), Place("W4", "1")


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Store]:
    """One database is enough for what is about messages."""
    store = open_sqlite(tmp_path / "adt.db")
    yield store
    store.close()


def test_an_admission_a_transfer_and_a_discharge_are_two_stays(store: Store) -> None:
    found = stays(
        store,
        message("A01"),
        message("A02", at="202603011000", bed="W4^^1"),
        message("A03", at="202603011200"),
    )
    hours = [EIGHT, EIGHT + 120 * MINUTE, EIGHT + 240 * MINUTE]
    assert found == (
        Stay("4711", "E1", BED, hours[0], hours[1]),
        Stay("4711", "E1", AWAY, hours[1], hours[2]),
    )
    with store.read() as session:
        patient = census.patient(session, "4711")
        assert patient is not None
        assert (patient.family, patient.given, patient.born, patient.sex) == (
            "Osei",
            "Ama",
            "1961-04-02",
            "female",
        )
        assert census.known_by(session, "998") == census.known_by(session, "4711") == ("4711",)
        assert census.known_by(session, "X") == ()
        assert census.occupant(session, BED, EIGHT + MINUTE) == "4711"


def test_messages_may_come_doubled_and_out_of_order(bare: Store) -> None:
    first, second = message("A01"), message("A02", at="202603011000", bed="W4^^1")
    expected = stays(bare, first, second)
    assert stays(bare, second, first, second, first) == expected


def test_what_is_taken_back_did_not_happen(bare: Store) -> None:
    transfer = message("A02", at="202603011000", bed="W4^^1")
    assert [stay.place for stay in stays(bare, message("A01"), transfer, message("A12"))] == [BED]
    ended = stays(bare, message("A03", at="202603011200"), message("A13"))
    assert [stay.to_ms for stay in ended] == [None]
    assert stays(bare, message("A11")) == ()


def test_a_cancellation_told_twice_takes_back_one_transfer_and_what_it_took_back_stays_so(
    store: Store,
) -> None:
    first = message("A02", at="202603010900", bed="W3^^13")
    second = message("A02", at="202603011000", bed="W4^^1")
    back = message("A12", at="202603011005")
    found = stays(store, message("A01"), first, second, back, back, second)
    assert [(stay.place.bed, stay.to_ms is None) for stay in found] == [("12", False), ("13", True)]
    again = message("A02", at="202603011000", bed="W4^^1", control="C2")
    assert [stay.place for stay in stays(store, again)][-1] == AWAY  # entered anew


def test_a_bed_that_an_update_mentions_counts_and_after_the_discharge_it_does_not(
    bare: Store,
) -> None:
    found = stays(
        bare,
        message("A01"),
        message("A08", at="202603010900", bed="W4^^1"),
        message("A03", at="202603011000"),
        message("A08", at="202603011100", bed="W3^^12"),
    )
    assert [stay.place for stay in found] == [BED, AWAY]
    assert found[-1].to_ms == EIGHT + 120 * MINUTE


def test_a_merge_keeps_the_old_number_known_as_merged(store: Store) -> None:
    feed = Feed(store=store, clock=lambda: EIGHT)
    told = read(message("A01"), message("A40", patient="5000^^^MRN", mrg="4711^^^MRN"))
    assert told[1] == Merge(told[1].survivor, "4711")  # type: ignore[union-attr]
    for one in told:
        assert one is not None
        feed.take(one)
    with store.read() as session:
        assert census.merged(session, ["4711", "5000"]) == {"4711"}
        assert census.survivor_of(session, "4711") == "5000"
        assert [stay.patient for stay in census.stays_by(session, ["5000"])] == ["5000"]
        assert census.known_by(session, "998") == ("4711",)


def test_times_are_the_sites_unless_they_say_otherwise() -> None:
    (told,) = read(message("A02", at="20260301080000.123+0000"))
    assert isinstance(told, Told)
    assert told.movements[0].at_ms == EIGHT + 60 * MINUTE


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (message("A01", patient="4711^^^ELSE"), "PID-3: needs exactly one identifier of MRN"),
        (message("A01", patient="1^^^MRN~2^^^MRN"), "PID-3: needs exactly one identifier of MRN"),
        (message("A01", patient=""), "PID-3: needs exactly one identifier of MRN"),
        (message("A01", patient=f"{'4' * 101}^^^MRN"), "PID-3: is longer than 100 characters"),
        (message("A01", encounter=""), "PV1-19: the encounter has no number"),
        (message("A01", bed=f"{'W' * 41}^^1"), "PV1-3: a part is longer than 40 characters"),
        (message("A01", at="20260301"), "EVN-2: is no time with hours and minutes"),
        (message("A01", at="202613010800"), "EVN-2: is no time with hours and minutes"),
        (message("A01", at=""), "EVN-2: there is no time"),
        (message("A40", mrg="X^^^ELSE"), "MRG-1: needs exactly one identifier of MRN"),
        (message("A01").replace("ADT^", "ORU^"), "MSH-9: only ADT messages are taken here"),
    ],
)
def test_P10_what_cannot_be_used_is_named_by_its_field(text: str, says: str) -> None:
    with pytest.raises(FormatError) as caught:
        read(text)
    assert says in str(caught.value)
    assert "4711" not in str(caught.value)


@given(st.binary(max_size=300))
def test_P10_any_bytes_are_a_message_or_refused_in_words(data: bytes) -> None:
    for start in (b"", b"MSH|^~\\&|", message("A01").encode()[:120]):
        try:
            READER.read(adt.parse(start + data))
        except FormatError as e:
            assert str(e)


@given(st.text(st.characters(codec="utf-8"), max_size=40), st.sampled_from(["|", "^", "\\", "~"]))
def test_injection_a_value_full_of_delimiters_stays_a_value(value: str, mark: str) -> None:
    name = f"{mark}{value}{mark}"
    for c, escaped in {
        "\\": "\\E\\",
        "|": "\\F\\",
        "^": "\\S\\",
        "&": "\\T\\",
        "~": "\\R\\",
    }.items():
        name = name.replace(c, escaped) if c == "\\" else name
    name = "".join({"|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\"}.get(c, c) for c in name)
    name = "".join(c for c in name if c.isprintable())
    (told,) = read(message("A01", name=name))
    assert isinstance(told, Told)
    assert told.patient.number == "4711"
    assert all(c.isprintable() for c in told.patient.family)


# -- the line --------------------------------------------------------------------------------------


@pytest.fixture
def line(bare: Store) -> Iterator[AdtLine]:
    feed = Feed(store=bare, clock=lambda: EIGHT)
    opened = AdtLine(host="127.0.0.1", port=0, reader=READER, feed=feed, tls=None, encoding="utf-8")
    opened.start()
    yield opened
    opened.stop()


def said(answer: hl7.Message) -> tuple[str, str]:
    return str(answer.segment("MSA")[1]), str(answer.segment("MSA")[2])


def test_every_message_is_answered_in_order_and_is_in_the_database_before(
    line: AdtLine, bare: Store, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        answers = send(
            line.port,
            message("A01", control="C1"),
            message("A01", encounter="", control="C2"),
            message("A01", control="C3").replace("ADT^", "ORU^"),
            message("A60", control="C4"),
            "nonsense",
        )
    assert [said(answer) for answer in answers] == [
        ("AA", "C1"),
        ("AE", "C2"),
        ("AR", "C3"),
        ("AA", "C4"),
        ("AE", ""),
    ]
    assert str(answers[1].segment("ERR")[8]) == "PV1-19: the encounter has no number"
    assert str(answers[0].segment("MSH")[9]) == "ACK^A01^ACK"
    with bare.read() as session:
        assert len(census.stays_by(session, ["4711"])) == 1
    for secret in ("4711", "Osei", "998", "E1^", "W3"):
        assert secret not in caplog.text


def test_P9_a_database_that_fails_is_a_nak_and_says_nothing_of_the_patient(
    line: AdtLine, bare: Store, caplog: pytest.LogCaptureFixture
) -> None:
    with bare.begin() as session:
        session.execute(text("alter table patients rename to away"))
    with caplog.at_level(logging.INFO):
        (answer,) = send(line.port, message("A01"))
    assert said(answer) == ("AE", "C1")
    assert "send it again" in str(answer)
    assert "4711" not in caplog.text and "Osei" not in caplog.text
    with bare.begin() as session:
        session.execute(text("alter table away rename to patients"))
    assert said(send(line.port, message("A01"))[0]) == ("AA", "C1")


def test_what_is_no_mllp_closes_that_line_and_no_other(line: AdtLine) -> None:
    async def go() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", line.port)
        writer.write(b"GET / HTTP/1.1\r\n\x1c\r")
        await writer.drain()
        left = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        return left

    assert asyncio.run(go()) == b""
    assert said(send(line.port, message("A01"))[0]) == ("AA", "C1")


def test_whoever_is_let_in_as_the_line_stops_is_shown_out(bare: Store) -> None:
    feed = Feed(store=bare, clock=lambda: EIGHT)
    for waiting in range(40):
        line = AdtLine(
            host="127.0.0.1", port=0, reader=READER, feed=feed, tls=None, encoding="utf-8"
        )
        line.start()
        callers = [socket.create_connection(("127.0.0.1", line.port)) for _ in range(waiting % 4)]
        line.stop()
        for caller in callers:
            with caller, suppress(ConnectionResetError):
                caller.settimeout(10)
                assert caller.recv(1) == b""
    gc.collect()  # a socket that was forgotten would say so here


def test_a_port_that_is_taken_is_named(line: AdtLine, bare: Store) -> None:
    feed = Feed(store=bare, clock=lambda: EIGHT)
    second = AdtLine(
        host="127.0.0.1", port=line.port, reader=READER, feed=feed, tls=None, encoding="utf-8"
    )
    with pytest.raises(ConfigError, match=r"adt\.port.*cannot be used"):
        second.start()


def test_P8_with_tls_nobody_without_a_certificate_says_who_lies_where(
    bare: Store, tmp_path: Path
) -> None:

    site = pki.init(tmp_path / "site", site="test", suite=SuiteName.P256)
    own = site.gateway
    feed = Feed(store=bare, clock=lambda: EIGHT)
    files = LineFiles(site.broker / "tls.crt", site.broker / "tls.key", site.broker / "ca.crt")
    line = AdtLine(host="127.0.0.1", port=0, reader=READER, feed=feed, tls=files, encoding="utf-8")
    line.start()
    try:
        context = ssl.create_default_context(cafile=str(own / "ca.crt"))
        with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
            send(line.port, message("A01"), ssl=context, server_hostname="localhost")
        context.load_cert_chain(own / "tls.crt", own / "tls.key")
        answers = send(line.port, message("A01"), ssl=context, server_hostname="localhost")
        assert said(answers[0]) == ("AA", "C1")
    finally:
        line.stop()
