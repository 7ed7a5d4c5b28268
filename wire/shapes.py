"""Frozen dataclasses to CBOR maps and back: each message is declared once, by its fields.

A field's type is its whole rule. The types below carry limits (``Annotated[bytes, Size(32, 32)]``),
so a decoded message needs no second check and a decoder cannot forget one. Writing holds to the
same rules as reading: what could not be read again is never signed or sent.
"""

import re
import types
from collections.abc import Hashable
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
    if not isinstance(value, dict):
        raise FormatError(f"{what} is not a map")
    hints = _hints(cast(Hashable, shape))
    extra = [key for key in value if key not in hints]
    if extra:
        raise FormatError(f"{what} has an unknown field {str(extra[0])[:40]!r}")
    built: dict[str, object] = {}
    for name, kind in hints.items():
        inner = _optional(kind)
        if name not in value:
            if inner is None:
                raise FormatError(f"{what} lacks the field {name!r}")
            built[name] = None
            continue
        built[name] = _into(inner or kind, value[name], f"{what}.{name}")
    return shape(**built)


@cache
def _hints(shape: Hashable) -> dict[str, Any]:
    return get_type_hints(shape, include_extras=True)


def _optional(kind: Any) -> Any:
    """Return X for ``X | None``, else None."""
    if get_origin(kind) in (Union, types.UnionType):
        inner = [arg for arg in get_args(kind) if arg is not types.NoneType]
        if len(inner) == 1 and len(get_args(kind)) == 2:
            return inner[0]
    return None


def _into(kind: Any, value: object, what: str) -> object:
    limit: Size | Range | Matches | None = None
    if get_origin(kind) is Annotated:
        kind, limit = get_args(kind)[:2]
    if get_origin(kind) is tuple:
        if not isinstance(value, (list, tuple)):
            raise FormatError(f"{what} is not a list")
        _limit(limit, value, what)
        item = get_args(kind)[0]
        return tuple(_into(item, one, f"{what}[{i}]") for i, one in enumerate(value))
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        if not isinstance(value, str) or value not in {member.value for member in kind}:
            raise FormatError(f"{what} is {str(value)[:40]!r}, which is not known")
        return kind(value)
    if isinstance(kind, type) and hasattr(kind, "__dataclass_fields__"):
        return from_map(kind, value, what)
    origin = get_origin(kind) or kind
    if type(value) is not origin:
        raise FormatError(f"{what} is not of type {origin.__name__}")
    if isinstance(value, dict) and not all(isinstance(key, str) for key in value):
        raise FormatError(f"{what} has a key that is not text")
    _limit(limit, value, what)
    return value


def _limit(limit: Size | Range | Matches | None, value: Any, what: str) -> None:
    if isinstance(limit, Range) and not limit.least <= value <= limit.most:
        raise FormatError(f"{what} is {value}; allowed are {limit.least} to {limit.most}")
    if isinstance(limit, Size):
        length = len(value.encode(errors="replace")) if isinstance(value, str) else len(value)
        if not limit.least <= length <= limit.most:
            raise FormatError(
                f"{what} has length {length}; allowed are {limit.least} to {limit.most}"
            )
    if isinstance(limit, Matches) and not re.fullmatch(limit.pattern, value):
        raise FormatError(f"{what} is {value[:40]!r}, which is not of the form {limit.pattern}")


def pack(message: Any) -> bytes:
    """Encode one dataclass instance as deterministic CBOR."""
    return cbor.encode(to_map(message))


def unpack(shape: type[T], data: cbor.Buffer, *, limit: int, what: str) -> T:
    """Decode one dataclass instance of at most ``limit`` bytes."""
    return from_map(shape, cbor.decode(data, limit=limit, what=what), what)
