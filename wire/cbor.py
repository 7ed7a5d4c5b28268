"""Deterministic CBOR (RFC 8949 section 4.2.1), strictly: one value has one encoding.

``cbor2`` does the work. What is added here is refusal: input is decoded, encoded again and
compared, so a longer head, an indefinite length, an unsorted or doubled key, trailing bytes
or an unknown tag can never be a second spelling of something that was signed or hashed.

``cbor2``'s canonical order is the length-first order of RFC 7049. It is the same as RFC
8949's bytewise order as long as a map's keys are text, or integers that fit in one byte
(-24 to 23); ``encode`` holds every map to that.
"""

import io
from typing import Final

import cbor2

from base.errors import FormatError

Buffer = bytes | bytearray | memoryview

MAX_DEPTH: Final = 12
"""Nesting allowed in any message of ours; the deepest (a keyset) needs five."""


def encode(value: object) -> bytes:
    """Return the one encoding of ``value``: ints, bytes, text, bools, None, lists, maps, tags.

    Raises FormatError for a value that has no place in our formats (floats among them).
    """
    _check(value, MAX_DEPTH)
    return cbor2.dumps(value, canonical=True)


def decode(data: Buffer, *, limit: int, what: str) -> object:
    """Decode ``data``, at most ``limit`` bytes long; ``what`` names it in the error's text."""
    if len(data) > limit:
        raise FormatError(f"{what} is {len(data)} bytes long; at most {limit} are allowed")
    raw = bytes(data)
    try:
        value = cbor2.loads(raw)
        again = encode(value)
    except FormatError as e:
        raise FormatError(f"{what} is not what the format allows: {e}") from e
    except (cbor2.CBORError, ValueError, TypeError, OverflowError, RecursionError) as e:
        raise FormatError(f"{what} is not CBOR: {e}") from None
    if again != raw:
        raise FormatError(f"{what} is not deterministic CBOR (RFC 8949 section 4.2.1)")
    return value


def decode_first(data: Buffer, *, limit: int, what: str) -> tuple[object, int]:
    """Decode the first value in ``data`` and return it with its length in bytes."""
    with io.BytesIO(bytes(data[:limit])) as stream:
        try:
            value = cbor2.CBORDecoder(stream).decode()
        except (cbor2.CBORError, ValueError, TypeError, OverflowError, RecursionError) as e:
            raise FormatError(f"{what} is not CBOR: {e}") from None
    length = len(encode(value))
    return decode(data[:length], limit=limit, what=what), length


def _check(value: object, depth: int) -> None:
    if depth == 0:
        raise FormatError("nested too deeply")
    match value:
        case None | bool() | int() | str() | bytes():
            return
        case list() | tuple():
            for item in value:
                _check(item, depth - 1)
        case dict():
            for key, item in value.items():
                if not isinstance(key, str) and not (type(key) is int and -24 <= key <= 23):
                    raise FormatError(f"the key {key!r} is neither text nor a one-byte integer")
                _check(item, depth - 1)
        case cbor2.CBORTag():
            _check(value.value, depth - 1)
        case _:
            raise FormatError(f"a {type(value).__name__} has no place here")


# Heads by hand: an envelope's ciphertext is megabytes that must neither be copied nor decoded.

BYTES: Final = 2
TEXT: Final = 3
ARRAY: Final = 4
MAP: Final = 5
TAG: Final = 6


def head(major: int, argument: int) -> bytes:
    """Return the shortest head for major type ``major`` (RFC 8949 section 3)."""
    first = major << 5
    if argument < 24:
        return bytes([first | argument])
    for extra, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if argument < 1 << (8 * size):
            return bytes([first | extra]) + argument.to_bytes(size, "big")
    raise FormatError("a length above 2**64 has no encoding")


class Reader:
    """Reads heads and byte strings from a buffer in place, without copying their content."""

    def __init__(self, data: Buffer, what: str) -> None:
        self.view = memoryview(data).cast("B").toreadonly()
        self.at = 0
        self.what = what

    def head(self, major: int) -> int:
        """Read one head of type ``major`` and return its argument; it must be the shortest."""
        view, at = self.view, self.at
        if at >= len(view):
            raise FormatError(f"{self.what} ends too early")
        extra = view[at] & 31
        size = {24: 1, 25: 2, 26: 4, 27: 8}.get(extra, 0)
        if extra > 27 or view[at] >> 5 != major or at + 1 + size > len(view):
            raise FormatError(f"{self.what} is not what the format says at byte {at}")
        argument = int.from_bytes(view[at + 1 : at + 1 + size], "big") if size else extra
        if head(major, argument) != view[at : at + 1 + size]:
            raise FormatError(f"{self.what} is not deterministic CBOR at byte {at}")
        self.at = at + 1 + size
        return argument

    def expect(self, major: int, argument: int) -> None:
        """Read one head that must carry exactly ``argument``."""
        at = self.at
        if self.head(major) != argument:
            raise FormatError(f"{self.what} is not what the format says at byte {at}")

    def bytes(self, limit: int) -> memoryview:
        """Read one byte string of at most ``limit`` bytes; the result is a view, not a copy."""
        length = self.head(BYTES)
        if length > limit:
            raise FormatError(f"{self.what} has a part of {length} bytes; {limit} are allowed")
        return self.take(length)

    def take(self, length: int) -> memoryview:
        """Read ``length`` bytes of content whose head has been read."""
        if length > len(self.view) - self.at:
            raise FormatError(f"{self.what} ends too early")
        self.at += length
        return self.view[self.at - length : self.at]

    def rest(self) -> memoryview:
        """Return what has not been read yet, and end."""
        rest = self.view[self.at :]
        self.at = len(self.view)
        return rest
