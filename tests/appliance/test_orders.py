import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance import orders
from appliance.orders import (
    Capture,
    Fault,
    FaultCode,
    Idle,
    Line,
    Message,
    Open,
    Ready,
    Refused,
    Sealed,
    Verdict,
    View,
)
from base.errors import FormatError
from base.memory import Buffer
from wire import cbor

COUNT = st.integers(0, 2**53)
TEXT = st.text(max_size=50)
SIGNED = st.binary(min_size=1, max_size=8192)
FIGURES = st.dictionaries(TEXT, COUNT, max_size=16)
HEADER = st.dictionaries(TEXT, COUNT | TEXT | st.binary(max_size=64), min_size=1, max_size=32)
MESSAGES: st.SearchStrategy[Message] = st.one_of(
    st.builds(Open, SIGNED, st.binary(min_size=1, max_size=9000)),
    st.builds(Capture, SIGNED, HEADER, st.none() | SIGNED),
    st.builds(Idle, st.integers(1, 2**31)),
    st.builds(Ready, COUNT),
    st.builds(Verdict, COUNT, st.tuples(TEXT, TEXT), FIGURES),
    st.builds(Sealed, COUNT, TEXT, COUNT, FIGURES),
    st.builds(Refused, TEXT, st.none() | COUNT),
    st.builds(Fault, st.sampled_from(FaultCode), TEXT, st.none() | COUNT),
)


@pytest.fixture
def ends() -> Iterator[tuple[Line, Line]]:
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with Line(a) as one, Line(b) as other:
        yield one, other


@given(MESSAGES)
def test_every_message_arrives_as_it_was_sent(message: Message) -> None:
    assert orders.decode(orders.encode(message)) == message


@given(st.binary(max_size=200))
def test_P10_bytes_that_are_no_order_are_a_format_error(data: bytes) -> None:
    with pytest.raises(FormatError, match="order"):
        orders.decode(data)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (["develop", {}], "an order between panel and darkroom is of no known kind"),
        (["idle", {}], "the order 'idle' lacks the field 'pid'"),
        (["idle", {"pid": 1, "uid": 0}], "the order 'idle' has an unknown field 'uid'"),
        (["ready", {"open_ms": "soon"}], "the order 'ready'.open_ms is not of type int"),
        (
            ["fault", {"code": "bored", "why": ""}],
            "the order 'fault'.code is 'bored', which is not",
        ),
    ],
)
def test_a_wrong_order_is_named(value: list[object], words: str) -> None:
    with pytest.raises(FormatError) as error:
        orders.decode(cbor.encode(value))
    assert str(error.value).startswith(words)


def test_messages_cross_the_line_whole_and_in_order(ends: tuple[Line, Line]) -> None:
    panel, darkroom = ends
    sent: list[Message] = [Open(b"c" * 4000, b"k" * 9000), Capture(b"i", {"device": "d"})]
    for order in sent:
        panel.send(order)
    assert [darkroom.receive(), darkroom.receive()] == sent


def test_a_view_is_received_in_place_and_wiped_with_the_next_message(
    ends: tuple[Line, Line],
) -> None:
    panel, darkroom = ends
    with Buffer(orders.VIEW_BYTES) as bits:
        bits.view[:] = bytes(range(256)) * 4
        assert darkroom.offer_view(bits.view)
    darkroom.send(Ready(1))
    view = panel.receive()
    assert isinstance(view, View)
    held = view.bits
    assert bytes(held) == bytes(range(256)) * 4
    assert panel.receive() == Ready(1)
    assert bytes(held[-256:]) == bytes(256)


def test_a_panel_that_is_behind_loses_views_and_holds_nobody_up(ends: tuple[Line, Line]) -> None:
    panel, darkroom = ends
    bits = memoryview(bytearray(orders.VIEW_BYTES))
    sent = 0
    while darkroom.offer_view(bits):
        sent += 1
        assert sent < 10_000
    for _ in range(sent):
        assert isinstance(panel.receive(), View)
    assert darkroom.offer_view(bits)


def test_hanging_up_is_heard_and_the_last_words_still_arrive(ends: tuple[Line, Line]) -> None:
    panel, darkroom = ends
    panel.hang_up()
    assert darkroom.receive() is None
    darkroom.send(Fault(FaultCode.STOP_BLOCKED, "the camera cannot be stopped"))
    assert isinstance(panel.receive(), Fault)
    darkroom.close()
    assert panel.receive() is None


def test_P2_leaving_ends_nothing_that_the_end_of_the_process_does_not_end(
    ends: tuple[Line, Line],
) -> None:
    panel, darkroom = ends
    process = socket.socket(fileno=darkroom.fileno())  # who has the descriptor until it is gone
    darkroom.leave()
    panel.settimeout(0.05)
    with pytest.raises(TimeoutError):
        panel.receive()
    process.close()
    assert panel.receive() is None


def test_a_packet_that_is_too_long_is_refused(ends: tuple[Line, Line]) -> None:
    panel, darkroom = ends
    panel._connection.send(bytes(orders.MAX_ORDER + 1))
    with pytest.raises(FormatError, match="is over 65536 bytes"):
        darkroom.receive()
    with pytest.raises(FormatError, match="the order 'capture' is 65"):
        panel.send(Capture(b"i", {"device": bytes(orders.MAX_ORDER)}))


def test_another_kind_of_socket_is_refused() -> None:
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with a, b, pytest.raises(FormatError, match="SOCK_SEQPACKET"):
        Line(a)
