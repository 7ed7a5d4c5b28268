import time
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from base.errors import FormatError
from tests.wire.strategies import changed
from wire import cbor

KEYS = st.text(max_size=30) | st.integers(-24, 23)
INTEGERS = st.integers(-(2**64), 2**64 - 1)
SCALARS = st.one_of(st.none(), st.booleans(), INTEGERS, st.text(), st.binary(max_size=300))
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)


def decode(data: cbor.Buffer) -> object:
    return cbor.decode(data, limit=1 << 20, what="value")


def same(one: object, two: object) -> bool:
    """Equal, and of the same types: True is not 1."""
    return repr(one) == repr(two) if not isinstance(one, dict) else one == two


def by_cbor2(data: bytes) -> tuple[bool, object]:
    """What an independent decoder says: does it hold one value of ours, spelled in one way?"""
    try:
        value = cbor2.loads(data)
        return cbor.encode(value) == data, value
    except Exception:  # noqa: BLE001 - it raises what the libraries behind it raise
        return False, None


@given(VALUES)
def test_whatever_is_written_is_read_back(value: object) -> None:
    data = cbor.encode(value)
    assert data == cbor2.dumps(value, canonical=True)
    assert decode(data) == value
    assert decode(bytearray(data)) == value
    assert decode(memoryview(data)) == value


@given(st.binary(max_size=60))
def test_arbitrary_bytes_are_read_as_an_independent_decoder_reads_them(data: bytes) -> None:
    ours, value = by_cbor2(data)
    if ours:
        assert same(decode(data), value)
    else:
        with pytest.raises(FormatError):
            decode(data)


@given(st.data())
def test_a_changed_encoding_is_another_value_or_none(data: st.DataObject) -> None:
    good = cbor.encode(data.draw(VALUES))
    bad = data.draw(changed(good))
    try:
        value = decode(bad)
    except FormatError:
        return
    assert cbor.encode(value) == bad
    assert (bad == good) == (by_cbor2(good)[1] == value and cbor.encode(value) == good)


def test_shared_references_are_refused_at_once_not_expanded() -> None:
    """212 bytes took a general decoder, and comparing what it made, 3.4 s; 300 would take hours."""
    bomb = bytes([0x8A])
    for level in range(10):
        item = b"\0" if level == 0 else bytes([0xD8, 0x1D, level - 1])
        bomb += b"\xd8\x1c\x8a" + item * 10
    begun = time.monotonic()
    with pytest.raises(FormatError, match="no place here"):
        decode(bomb)
    assert time.monotonic() - begun < 1


@pytest.mark.parametrize(
    "text",
    [
        "c5821b7fffffffffffffff01",  # decimal.Overflow, from cbor2
        "d81e820100",  # a rational with a denominator of 0
        "d823625b61",  # a regular expression that does not compile
        "d81c81d81d00",  # a list that contains itself
        "d8256101",  # a UUID of text
        "d9010281f6",  # a set
    ],
)
def test_tags_are_refused_before_anybody_acts_on_them(text: str) -> None:
    with pytest.raises(FormatError, match="no place here"):
        decode(bytes.fromhex(text))


@pytest.mark.parametrize("opening", [b"\x81", b"\xa1\x00", b"\xd2"])
def test_nesting_is_refused_at_its_limit_however_deep_it_goes_on(opening: bytes) -> None:
    assert decode(opening * (cbor.MAX_DEPTH - 1) + b"\x00") is not None
    with pytest.raises(FormatError, match="nested too deeply"):
        decode(opening * cbor.MAX_DEPTH + b"\x00")
    with pytest.raises(FormatError, match="nested too deeply"):
        decode(opening * 400_000)


@pytest.mark.parametrize("opening", ["5b", "7b", "9b", "bb"])
def test_a_promise_of_more_than_there_is_costs_nothing(opening: str) -> None:
    for promise in ("ffffffffffffffff", "7fffffffffffffff", "0000000100000000"):
        with pytest.raises(FormatError, match="ends too early"):
            decode(bytes.fromhex(opening + promise) + b"\0" * 100)


def test_a_megabyte_of_empty_lists_is_refused_after_a_few_thousand() -> None:
    data = cbor.head(cbor.ARRAY, 1_000_000) + b"\x80" * 1_000_000
    begun = time.monotonic()
    with pytest.raises(FormatError, match="more than 4096 values"):
        decode(data)
    assert time.monotonic() - begun < 1


def test_what_is_too_long_is_refused_unread() -> None:
    message = "value is 3 bytes long; at most 2 are allowed"
    with pytest.raises(FormatError, match=f"^{message}$"):
        cbor.decode(b"\x42ab", limit=2, what="value")


@pytest.mark.parametrize(
    "value",
    [
        1.0,
        {1, 2},
        2**64,
        -(2**64) - 1,
        "\ud800",
        {"\ud800": 0},
        {24: 0},
        {-25: 0},
        {True: 0},
        {b"x": 0},
        {None: 0},
        cbor2.CBORTag(0, ""),
        cbor2.CBORTag(96, []),
        cbor2.undefined,
        cbor2.CBORSimpleValue(99),
        bytearray(b"x"),
        memoryview(b"x"),
        object(),
        [[[[[[[[[[[[0]]]]]]]]]]]],
        [0] * 4096,
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_could_not_be_read_back_is_not_written(value: object) -> None:
    with pytest.raises(FormatError):
        cbor.encode(value)


@given(st.integers(0, 2**64 - 1), st.integers(0, 6))
def test_heads_are_the_shortest(argument: int, major: int) -> None:
    head = cbor.head(major, argument)
    reader = cbor.Reader(head, "head")
    assert reader.head(major) == argument
    reader.end()
    if major == cbor.UINT:
        assert head == cbor2.dumps(argument)


@pytest.mark.parametrize("argument", [-1, 2**64])
def test_there_is_no_head_for_what_does_not_fit(argument: int) -> None:
    with pytest.raises(FormatError):
        cbor.head(cbor.BYTES, argument)


def test_the_reader_hands_out_views_and_copies_nothing() -> None:
    data = bytearray(cbor.encode([b"x" * 1000, 7]))
    reader = cbor.Reader(data, "message")
    reader.expect(cbor.ARRAY, 2)
    view = reader.bytes(1000)
    assert view.readonly
    data[10] = ord("y")
    assert view.tobytes().count(b"y") == 1
    assert reader.value() == 7
    reader.end()


@given(st.binary(max_size=40))
def test_the_reader_raises_nothing_but_format_errors(data: bytes) -> None:
    def head(reader: cbor.Reader) -> None:
        reader.head(cbor.ARRAY)
        reader.expect(cbor.UINT, 5)

    def parts(reader: cbor.Reader) -> None:
        reader.bytes(16)
        reader.bytes(16)
        reader.end()

    for read in (head, parts, cbor.Reader.value):
        try:
            read(cbor.Reader(data, "vector"))
        except FormatError as e:
            assert str(e).startswith("vector ")
