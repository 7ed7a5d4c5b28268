"""Frozen dataclasses to CBOR maps and back: each message is declared once, by its fields.

A field's type is its whole rule. The types below carry limits (``Annotated[bytes, Size(32, 32)]``),
so a decoded message needs no second check and a decoder cannot forget one. Writing holds to the
same rules as reading: what could not be read again is never signed or sent.
"""

import re
import types
from collections.abc import Callable, Hashable
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from base.errors import FormatError
from wire import cbor

T = TypeVar("T")


@dataclass(frozen=True)
class Size:
    """A byte string, text (in UTF-8 bytes) or list of ``least`` to ``most`` bytes or items."""

    least: int
    most: int


@dataclass(frozen=True)
class Range:
    """An integer from ``least`` to ``most``."""

    least: int
    most: int


@dataclass(frozen=True)
class Matches:
    """Text that matches ``pattern`` whole."""

    pattern: str


Hash = Annotated[bytes, Size(32, 32)]
Id16 = Annotated[bytes, Size(16, 16)]
Count = Annotated[int, Range(0, 2**53)]
Millis = Annotated[int, Range(0, 2**53)]
ShortText = Annotated[str, Size(0, 200)]
SignedBytes = Annotated[bytes, Size(1, 8192)]


def to_map(message: Any) -> dict[str, object]:
    """Return a dataclass instance as the map that goes over the wire; None fields are left out.

    Raises FormatError for a value that ``from_map`` would refuse.
    """
    found = _map_of(message)
    from_map(type(message), found, type(message).__name__)
    return found


def short(text: str) -> str:
    """Return as much of ``text`` as fits into a ShortText (200 bytes of UTF-8)."""
    return text.encode(errors="replace")[:200].decode(errors="ignore")


def _map_of(message: Any) -> dict[str, object]:
    found: dict[str, object] = {}
    for field in fields(message):
        value = getattr(message, field.name)
        if value is not None:
            found[field.name] = _out(value)
    return found


def _out(value: Any) -> object:
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, (list, tuple)):
        return [_out(item) for item in value]
    if hasattr(value, "__dataclass_fields__"):
        return _map_of(value)
    return value


def from_map(shape: type[T], value: object, what: str) -> T:
    """Build ``shape`` from a decoded map; any deviation is a FormatError that names the field."""
    built: T = _reader(cast(Hashable, shape))(value, what)
    return built


Read = Callable[[Any, str], Any]
"""Checks one decoded value, named ``what`` in an error, and returns it as its field holds it."""


@cache
def _reader(kind: Any) -> Read:
    """Return what reads a value of this type; a declaration is looked at once, not per message."""
    limit: Size | Range | Matches | None = None
    if get_origin(kind) is Annotated:
        kind, limit = get_args(kind)[:2]
    origin = get_origin(kind) or kind
    if origin is tuple:
        return _list_reader(get_args(kind)[0], limit)
    if issubclass(origin, StrEnum):
        return _word_reader(origin)
    if hasattr(origin, "__dataclass_fields__"):
        return _map_reader(origin)
    return _plain_reader(origin, limit)


def _map_reader(shape: Any) -> Read:
    hints = get_type_hints(shape, include_extras=True)
    inner = {name: _optional(kind) for name, kind in hints.items()}
    readers = {name: _reader(inner[name] or kind) for name, kind in hints.items()}
    missing_allowed = {name: None for name, kind in inner.items() if kind is not None}

    def read(value: Any, what: str) -> Any:
        if not isinstance(value, dict):
            raise FormatError(f"{what} is not a map")
        for key in value:
            if key not in readers:
                raise FormatError(f"{what} has an unknown field {str(key)[:40]!r}")
        built = dict(missing_allowed)
        for name, reader in readers.items():
            if name in value:
                built[name] = reader(value[name], f"{what}.{name}")
            elif name not in missing_allowed:
                raise FormatError(f"{what} lacks the field {name!r}")
        return shape(**built)

    return read


def _optional(kind: Any) -> Any:
    """Return X for ``X | None``, else None."""
    if get_origin(kind) in (Union, types.UnionType):
        inner = [arg for arg in get_args(kind) if arg is not types.NoneType]
        if len(inner) == 1 and len(get_args(kind)) == 2:
            return inner[0]
    return None


def _list_reader(item: Any, limit: Size | Range | Matches | None) -> Read:
    reader = _reader(item)

    def read(value: Any, what: str) -> Any:
        if not isinstance(value, (list, tuple)):
            raise FormatError(f"{what} is not a list")
        _check(limit, value, what)
        return tuple(reader(one, f"{what}[{i}]") for i, one in enumerate(value))

    return read


def _word_reader(words: type[StrEnum]) -> Read:
    known = {member.value: member for member in words}

    def read(value: Any, what: str) -> Any:
        if not isinstance(value, str) or value not in known:
            raise FormatError(f"{what} is {str(value)[:40]!r}, which is not known")
        return known[value]

    return read


def _plain_reader(kind: type, limit: Size | Range | Matches | None) -> Read:
    def read(value: Any, what: str) -> Any:
        if type(value) is not kind:
            raise FormatError(f"{what} is not of type {kind.__name__}")
        if isinstance(value, dict) and not all(isinstance(key, str) for key in value):
            raise FormatError(f"{what} has a key that is not text")
        _check(limit, value, what)
        return value

    return read


def _check(limit: Size | Range | Matches | None, value: Any, what: str) -> None:
    match limit:
        case Range(least, most) if not least <= value <= most:
            raise FormatError(f"{what} is {value}; allowed are {least} to {most}")
        case Size(least, most):
            length = len(value.encode(errors="replace")) if isinstance(value, str) else len(value)
            if not least <= length <= most:
                raise FormatError(f"{what} has length {length}; allowed are {least} to {most}")
        case Matches(pattern) if not re.fullmatch(pattern, value):
            raise FormatError(f"{what} is {value[:40]!r}, which is not of the form {pattern}")


def pack(message: Any) -> bytes:
    """Encode one dataclass instance as deterministic CBOR."""
    return cbor.encode(to_map(message))


def unpack(shape: type[T], data: cbor.Buffer, *, limit: int, what: str) -> T:
    """Decode one dataclass instance of at most ``limit`` bytes."""
    return from_map(shape, cbor.decode(data, limit=limit, what=what), what)
