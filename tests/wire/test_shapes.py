from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from base.errors import FormatError
from wire import shapes
from wire.shapes import Matches, Range, Size


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True)
class Inner:
    n: Annotated[int, Range(0, 9)]


@dataclass(frozen=True)
class Sample:
    """A field of every kind."""

    raw: Annotated[bytes, Size(1, 3)]
    text: Annotated[str, Size(0, 4)]
    code: Annotated[str, Matches("[a-z]{1,3}")]
    flag: bool
    colour: Colour
    inner: Inner
    many: Annotated[tuple[Inner, ...], Size(0, 2)]
    facts: Annotated[dict[str, object], Size(0, 2)]
    maybe: Annotated[bytes, Size(1, 3)] | None = None


GOOD = Sample(b"x", "ab", "abc", True, Colour.RED, Inner(3), (Inner(1), Inner(2)), {"a": 1})


def unpack(value: dict[str, object]) -> Sample:
    return shapes.from_map(Sample, value, "sample")


def test_a_message_comes_back_as_it_was() -> None:
    assert shapes.unpack(Sample, shapes.pack(GOOD), limit=1000, what="sample") == GOOD
    with_more = Sample(**{**vars(GOOD), "maybe": b"y"})
    assert shapes.unpack(Sample, shapes.pack(with_more), limit=1000, what="sample") == with_more


def test_a_field_that_is_none_is_left_out_and_never_null() -> None:
    assert "maybe" not in shapes.to_map(GOOD)
    with pytest.raises(FormatError, match=r"^sample\.maybe is not of type bytes$"):
        unpack({**shapes.to_map(GOOD), "maybe": None})


WRONG: list[tuple[str, Any, str]] = [
    ("raw", b"", "sample.raw has length 0; allowed are 1 to 3"),
    ("raw", b"xxxx", "sample.raw has length 4; allowed are 1 to 3"),
    ("raw", "x", "sample.raw is not of type bytes"),
    ("text", "äää", "sample.text has length 6; allowed are 0 to 4"),
    ("code", "ABC", "sample.code is 'ABC', which is not of the form [a-z]{1,3}"),
    ("code", "abc\n", "sample.code is 'abc\\n', which is not of the form [a-z]{1,3}"),
    ("flag", 1, "sample.flag is not of type bool"),
    ("colour", "blue", "sample.colour is 'blue', which is not known"),
    ("colour", ["red"], "sample.colour is \"['red']\", which is not known"),
    ("inner", {}, "sample.inner lacks the field 'n'"),
    ("inner", [3], "sample.inner is not a map"),
    ("inner", {"n": 10}, "sample.inner.n is 10; allowed are 0 to 9"),
    ("inner", {"n": True}, "sample.inner.n is not of type int"),
    ("many", [{"n": 1}] * 3, "sample.many has length 3; allowed are 0 to 2"),
    ("many", [{"n": 1}, {"n": -1}], "sample.many[1].n is -1; allowed are 0 to 9"),
    ("many", {}, "sample.many is not a list"),
    ("facts", {1: 2}, "sample.facts has a key that is not text"),
    ("facts", {"a": 1, "b": 2, "c": 3}, "sample.facts has length 3; allowed are 0 to 2"),
]


@pytest.mark.parametrize(("name", "value", "message"), WRONG)
def test_a_wrong_field_is_named_with_what_is_allowed(name: str, value: Any, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        unpack({**shapes.to_map(GOOD), name: value})
    assert str(caught.value) == message


def test_unknown_and_missing_fields_are_named() -> None:
    fields = shapes.to_map(GOOD)
    with pytest.raises(FormatError, match=r"^sample has an unknown field 'new'$"):
        unpack({**fields, "new": 1})
    del fields["raw"]
    with pytest.raises(FormatError, match=r"^sample lacks the field 'raw'$"):
        unpack(fields)
    with pytest.raises(FormatError, match=r"^sample is not a map$"):
        shapes.from_map(Sample, [], "sample")


@pytest.mark.parametrize(
    ("name", "value"),
    [("raw", b""), ("text", "abcde"), ("code", ""), ("inner", Inner(10)), ("facts", {1: 1})],
)
def test_what_could_not_be_read_is_not_written_either(name: str, value: Any) -> None:
    with pytest.raises(FormatError, match=f"Sample.{name}"):
        shapes.to_map(Sample(**{**vars(GOOD), name: value}))


@given(st.text(max_size=300))
def test_any_text_can_be_cut_to_a_short_text(text: str) -> None:
    cut = shapes.short(text)
    assert len(cut.encode()) <= 200
    assert text.startswith(cut)
    if len(text.encode()) <= 200:
        assert cut == text


def test_half_a_surrogate_pair_becomes_a_question_mark() -> None:
    assert shapes.short("\ud800x") == "?x"
