"""Hypothesis strategies made from the declarations themselves: every message at its limits."""

import string
from enum import StrEnum
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from wire.shapes import Matches, Range, Size

T = TypeVar("T")
LARGEST = 300
"""Bytes or items above which a drawn value would only be slow."""

NAMES = st.text(string.ascii_lowercase + string.digits + "-", min_size=1, max_size=32)
MAPS = st.dictionaries(
    st.text(max_size=8),
    st.one_of(st.integers(0, 2**53), st.text(max_size=8), st.booleans()),
    max_size=16,
)


def any_of(shape: type[T], **given: st.SearchStrategy[Any]) -> st.SearchStrategy[T]:
    """Any valid instance of one of our frozen dataclasses, with the fields ``given``."""
    hints = get_type_hints(shape, include_extras=True)
    return st.builds(shape, **{name: _any(kind) for name, kind in hints.items()} | given)


def _any(kind: Any) -> st.SearchStrategy[Any]:
    limit = None
    if get_origin(kind) is Annotated:
        kind, limit = get_args(kind)[:2]
    inner = [arg for arg in get_args(kind) if arg is not type(None)]
    if len(inner) < len(get_args(kind)):
        return st.none() | _any(inner[0])
    origin = get_origin(kind) or kind
    if origin is tuple:
        return _tuples(_any(inner[0]), limit)
    if origin is dict:
        return MAPS
    if issubclass(origin, StrEnum):
        return st.sampled_from(list(origin))
    if hasattr(origin, "__dataclass_fields__"):
        return any_of(origin)
    return _plain(origin, limit)


def _tuples(item: st.SearchStrategy[Any], limit: Any) -> st.SearchStrategy[Any]:
    least, most = (limit.least, min(limit.most, 8)) if isinstance(limit, Size) else (0, 8)
    return st.lists(item, min_size=least, max_size=most).map(tuple)


def _plain(kind: type, limit: Any) -> st.SearchStrategy[Any]:
    if kind is bool:
        return st.booleans()
    if kind is int:
        assert isinstance(limit, Range)
        return st.integers(limit.least, limit.most)
    if kind is bytes:
        assert isinstance(limit, Size)
        return st.binary(min_size=limit.least, max_size=min(limit.most, LARGEST))
    assert kind is str
    if isinstance(limit, Matches):
        return st.from_regex(limit.pattern, fullmatch=True)
    assert isinstance(limit, Size)
    text = st.text(min_size=limit.least, max_size=limit.most)
    return text.filter(lambda drawn: limit.least <= len(drawn.encode()) <= limit.most)


def changed(data: bytes) -> st.SearchStrategy[bytes]:
    """``data`` with one thing done to it: a bit, a byte, a piece cut out, put in or doubled."""
    places = st.integers(0, max(len(data) - 1, 0))
    return st.one_of(
        st.builds(lambda at, bit: _flip(data, at, bit), places, st.integers(0, 7)),
        st.builds(lambda at: data[:at], places),
        st.builds(lambda more: data + more, st.binary(min_size=1, max_size=20)),
        st.builds(lambda at, more: data[:at] + more + data[at:], places, st.binary(max_size=20)),
        st.builds(lambda at, to: data[:at] + data[to:], places, places),
        st.builds(lambda at, more: data[:at] + more + data[at + len(more) :], places, st.binary()),
        st.builds(lambda at, to: data[: max(at, to)] + data[min(at, to) :], places, places),
    )


def _flip(data: bytes, at: int, bit: int) -> bytes:
    if not data:
        return b"\0"
    return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]
