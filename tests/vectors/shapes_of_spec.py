"""The fields of docs/spec/ as small tables, and every way in which one field can be wrong."""

from collections.abc import Iterator
from dataclasses import dataclass

MISSING = object()
JSON_SAFE = 2**53


@dataclass(frozen=True)
class B:
    """A byte string."""

    least: int
    most: int


@dataclass(frozen=True)
class T:
    """A text; sizes in bytes of UTF-8."""

    least: int
    most: int


@dataclass(frozen=True)
class I:  # noqa: E742
    """An integer."""

    least: int
    most: int


@dataclass(frozen=True)
class E:
    """One of some words."""

    words: tuple[str, ...]


@dataclass(frozen=True)
class Name:
    """A device's name, or with ``any`` reserved a gateway's."""

    gateway: bool = False


@dataclass(frozen=True)
class Flag:
    """True or false."""


@dataclass(frozen=True)
class Opt:
    """A field that may be left out."""

    kind: object


@dataclass(frozen=True)
class Map:
    """A map with these fields."""

    fields: dict[str, object]


@dataclass(frozen=True)
class List:
    """An array of so many of one kind."""

    kind: object
    least: int
    most: int


HASH, ID16, COUNT, MILLIS, SHORT = B(32, 32), B(16, 16), I(0, JSON_SAFE), I(0, JSON_SAFE), T(0, 200)
BIG = 600
"""Bytes above which a maximum is not spelled out in a vector."""


def wrong_values(kind: object) -> Iterator[tuple[object, str]]:
    """Values that a field of this kind must not have, with the reason."""
    match kind:
        case Opt(inner):
            yield from wrong_values(inner)
            return
        case B() | T():
            yield from _wrong_strings(kind)
        case I(least, most):
            yield least - 1, f"is {least - 1}"
            yield most + 1, f"is {most + 1}"
            yield "1", "is text, not an integer"
            yield True, "is true, not an integer"
        case E(words):
            yield words[0].upper() if words[0].islower() else words[0].lower(), "has another case"
            yield "", "is empty"
            yield 0, "is an integer, not one of the words"
        case Name(gateway):
            for bad in ("", "x" * 33, "Ward-1", "a/b", "a+", "#", "..", "a\0", "a.b", "a_b", "å"):
                yield bad, f"is {bad!r}"
            if gateway:
                yield "any", "is the reserved name 'any'"
        case Flag():
            yield 1, "is 1, not true"
        case Map():
            yield [], "is an array, not a map"
        case List(_, least, most):
            if least:
                yield [], "is empty"
            yield {}, "is a map, not an array"
    yield None, "is null"


def _wrong_strings(kind: B | T) -> Iterator[tuple[object, str]]:
    least, most = kind.least, kind.most
    one = b"x" if isinstance(kind, B) else "x"
    if least:
        yield one * (least - 1), f"has {least - 1} bytes"
    if most <= BIG:
        yield one * (most + 1), f"has {most + 1} bytes"
    if isinstance(kind, T):
        yield "ä" * (most // 2 + 1), f"has over {most} bytes of UTF-8"
        yield b"x" * max(least, 1), "is bytes, not text"
    else:
        yield "x" * max(least, 1), "is text, not bytes"


def right_values(kind: object) -> Iterator[tuple[object, str]]:
    """The outermost values that a field of this kind may have."""
    match kind:
        case Opt(inner):
            yield from right_values(inner)
        case B(least, most):
            yield bytes(least), f"has {least} bytes"
            if least < most <= BIG:
                yield bytes(most), f"has {most} bytes"
        case T(least, most):
            yield "x" * least, f"has {least} bytes"
            yield "ä" * (most // 2), f"has {most // 2 * 2} bytes of UTF-8"
        case I(least, most):
            yield least, f"is {least}"
            yield most, f"is {most}"
        case E(words):
            for word in words:
                yield word, f"is {word!r}"
        case Name():
            yield "0", "is one character"
            yield "x" * 32, "is 32 characters"
            yield "-", "is a hyphen"
        case Flag():
            yield False, "is false"


def wrong_maps(
    fields: dict[str, object], good: dict[str, object]
) -> Iterator[tuple[dict[str, object], str]]:
    """Every map that differs from ``good`` in one field that is then wrong."""
    for name, kind in fields.items():
        if not isinstance(kind, Opt):
            yield {k: v for k, v in good.items() if k != name}, f"{name} is missing"
        for value, reason in wrong_values(kind):
            yield {**good, name: value}, f"{name} {reason}"
    yield {**good, "extra": 0}, "there is a field that this version does not know"


def right_maps(
    fields: dict[str, object], good: dict[str, object]
) -> Iterator[tuple[dict[str, object], str]]:
    """``good`` with each field at each of its limits, and without each that may be left out."""
    for name, kind in fields.items():
        if isinstance(kind, Opt) and name in good:
            yield {k: v for k, v in good.items() if k != name}, f"{name} is left out"
        for value, reason in right_values(kind):
            if good.get(name, MISSING) != value:
                yield {**good, name: value}, f"{name} {reason}"
