"""One session against arbitrary bytes: whatever a broker says, it ends in words or goes on."""

import ssl
from collections.abc import Iterator
from typing import cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from base.dial import Pipe
from base.mqtt_session import V5, V311, Message, Outgoing, Session, Trouble, Will
from tests.fake_broker import CONNACK_5, CONNACK_311

LARGEST = 4096


class ScriptedPipe(Pipe):
    """A pipe whose other end is a list of pieces, then silence."""

    def __init__(self, pieces: list[bytes]) -> None:
        super().__init__(cast(ssl.SSLSocket, None), largest=LARGEST)
        self._pieces = iter(pieces)
        self._sock = cast(ssl.SSLSocket, self._Line(self._pieces))
        self.sent = bytearray()

    class _Line:
        def __init__(self, pieces: Iterator[bytes]) -> None:
            self._pieces = pieces

        def recv(self, _size: int) -> bytes:
            piece = next(self._pieces, None)
            if piece is None:
                raise ssl.SSLWantReadError
            return piece

        def send(self, data: memoryview) -> int:
            return len(data)

        def setblocking(self, _flag: bool) -> None: ...

        def close(self) -> None: ...


def session(pieces: list[bytes], version: int = V5) -> Session:
    made = Session(
        ScriptedPipe([piece for piece in pieces if piece]),
        host="broker",
        name="bed-1",
        version=version,
        keepalive_seconds=30,
        inbound_window=10,
        largest_inbound=LARGEST,
        largest_outbound=LARGEST,
        subscriptions=[],
        will=Will("ws/v1/bed-1/u/state", b"gone"),
    )
    made.write()
    return made


def read_all(made: Session) -> None:
    for _ in range(200):
        made.read()
        made.write()
        if made.lost is not None or not made.wants_turn:
            return


PUBLISH = b"\x32\x0c\x00\x03a/b\x00\x07\x00data"
PACKETS = st.sampled_from(
    [
        PUBLISH,
        b"\x40\x02\x00\x01",
        b"\x40\x04\x00\x01\x87\x00",
        b"\x90\x04\x00\x01\x00\x87",
        b"\xd0\x00",
        b"\xe0\x02\x8e\x00",
        b"\xe0\x00",
        b"\x50\x02\x00\x01",
        b"\x62\x02\x00\x01",
        b"\x70\x02\x00\x01",
        CONNACK_5,
        CONNACK_311,
        b"\x20\x09\x00\x00\x06\x21\x00\x14\x22\x00\x0a",
    ]
)


@st.composite
def conversations(draw: st.DrawFn) -> list[bytes]:
    """Packets as they should be, with bytes changed, cut out and put in, in pieces of any size."""
    raw = bytearray(b"".join(draw(st.lists(PACKETS | st.binary(max_size=20), max_size=8))))
    for _ in range(draw(st.integers(0, 4))):
        if raw:
            at = draw(st.integers(0, len(raw) - 1))
            raw[at : at + draw(st.integers(0, 2))] = draw(st.binary(max_size=2))
    cuts = sorted(draw(st.lists(st.integers(0, len(raw)), max_size=5)))
    return [bytes(raw[a:b]) for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]


@settings(max_examples=600, deadline=None)
@example(pieces=[b"\x32\x07\x00\x01\x80\x00\x07\x00d"], version=V5, greeted=True)  # no UTF-8
@given(conversations(), st.sampled_from([V5, V311]), st.booleans())
def test_P8_no_bytes_of_a_broker_raise_or_fill_the_memory(
    pieces: list[bytes], version: int, greeted: bool
) -> None:
    greeting = {V5: CONNACK_5, V311: CONNACK_311}[version] if greeted else b""
    made = session([greeting, *pieces], version)
    if made.limits is not None:
        made.send(Outgoing("ws/v1/bed-1/u/up/any", b"x", False, 1, 30))
    read_all(made)
    if made.lost is not None:
        assert made.lost.startswith("broker ")
        assert "\n" not in made.lost
    assert not [event for event in made.happened if isinstance(event, Trouble)]


@given(st.integers(LARGEST + 1, 268_435_455))
def test_P8_a_packet_larger_than_we_hold_ends_the_session_before_it_is_read(size: int) -> None:
    length = bytearray()
    while size:
        size, low = divmod(size, 128)
        length.append(low | (0x80 if size else 0))
    made = session([CONNACK_5, b"\x30" + bytes(length) + bytes(100)])
    read_all(made)
    assert made.lost is not None
    assert "which is more than we hold" in made.lost


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_messages_in_pieces_of_any_size_come_out_whole(size: int) -> None:
    raw = CONNACK_5 + PUBLISH * 100
    made = session([raw[at : at + size] for at in range(0, len(raw), size)])
    for _ in range(100):
        made.read()
    assert list(made.happened) == [Message("a/b", b"data", False)] * 100
