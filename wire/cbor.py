"""Deterministic CBOR (RFC 8949 section 4.2.1), strictly: one value has one encoding.

Whatever comes from outside is read by ``Reader``, which knows only what our formats use:
integers of 64 bits, byte and text strings, arrays, maps, true, false, null and the tags of
COSE. A longer head, an indefinite length, an unsorted or doubled key, a float, another tag or
trailing bytes is refused where it stands, so there is never a second spelling of something
that was signed or hashed. General decoders do more than we want before anyone is
authenticated: they compile regular expressions, expand shared references, overflow decimals.

Written values go through ``cbor2``, an independent implementation that the reader is tested
against. Its canonical order is the length-first order of RFC 7049; that is RFC 8949's bytewise
order as long as a map's keys are text or integers of one byte (-24 to 23), and nothing else is
allowed here as a key.
"""

from typing import Final

import cbor2

from base.errors import FormatError

Buffer = bytes | bytearray | memoryview

MAX_DEPTH: Final = 12
"""Nesting allowed in any message of ours; the deepest (a keyset) needs five."""

MAX_ITEMS: Final = 4096
"""Values allowed in one message, so that a megabyte of empty lists costs no more than a photo."""

UINT: Final = 0
NEGATIVE: Final = 1
BYTES: Final = 2
TEXT: Final = 3
ARRAY: Final = 4
MAP: Final = 5
TAG: Final = 6
SIMPLE: Final = 7

TAGS: Final = frozenset({18})
"""COSE_Sign1. COSE_Encrypt (96) is taken apart head by head, without decoding its content."""

_SIMPLE_VALUES: Final[dict[int, bool | None]] = {20: False, 21: True, 22: None}
# Additional information -> bytes that follow, and the least argument that needs so many.
_LONG: Final = {24: (1, 24), 25: (2, 1 << 8), 26: (4, 1 << 16), 27: (8, 1 << 32)}


def encode(value: object) -> bytes:
    """Return the one encoding of ``value``: ints, bytes, text, bools, None, lists, maps, tags.

    Raises FormatError for a value that has no place in our formats (floats among them).
    """
    if _count(value, MAX_DEPTH) > MAX_ITEMS:
        raise FormatError(f"more than {MAX_ITEMS} values in one message")
    try:
        return cbor2.dumps(value, canonical=True)
    except UnicodeEncodeError as e:
        raise FormatError("text with half a surrogate pair has no encoding") from e


def decode(data: Buffer, *, limit: int, what: str) -> object:
    """Decode ``data``, at most ``limit`` bytes long; ``what`` names it in the error's text."""
    if len(data) > limit:
        raise FormatError(f"{what} is {len(data)} bytes long; at most {limit} are allowed")
    reader = Reader(data, what)
    value = reader.value()
    reader.end()
    return value


def _count(value: object, depth: int) -> int:
    """Return how many values are in ``value``, itself included."""
    if depth == 0:
        raise FormatError("nested too deeply")
    match value:
        case None | bool() | str() | bytes():
            return 1
        case int():
            if not -(1 << 64) <= value < 1 << 64:
                raise FormatError("an integer beyond 64 bits has no place here")
            return 1
        case list() | tuple() if type(value) in (list, tuple):
            return 1 + sum(_count(item, depth - 1) for item in value)
        case dict():
            for key in value:
                if type(key) is not str and not (type(key) is int and -24 <= key <= 23):
                    raise FormatError(f"the key {key!r} is neither text nor a one-byte integer")
            return 1 + len(value) + sum(_count(item, depth - 1) for item in value.values())
        case cbor2.CBORTag():
            if value.tag not in TAGS:
                raise FormatError(f"the tag {value.tag} has no place here")
            return 1 + _count(value.value, depth - 1)
        case _:
            raise FormatError(f"a {type(value).__name__} has no place here")


def head(major: int, argument: int) -> bytes:
    """Return the shortest head for major type ``major`` (RFC 8949 section 3)."""
    first = major << 5
    if 0 <= argument < 24:
        return bytes([first | argument])
    for extra, (size, least) in _LONG.items():
        if least <= argument < 1 << (8 * size):
            return bytes([first | extra]) + argument.to_bytes(size, "big")
    raise FormatError("a length below 0 or above 2**64 has no encoding")


class Reader:
    """Reads values from a buffer in place; only what is asked for is copied.

    An envelope's ciphertext is megabytes: ``head`` and ``bytes`` step over it without a copy.
    ``value`` returns whole values as Python objects, as ``encode`` takes them.
    """

    def __init__(self, data: Buffer, what: str) -> None:
        self.view = memoryview(data).cast("B").toreadonly()
        self.at = 0
        self.what = what
        self._left = MAX_ITEMS

    def head(self, major: int) -> int:
        """Read one head of type ``major`` and return its argument; it must be the shortest."""
        at = self.at
        found, argument = self._head()
        if found != major:
            raise FormatError(f"{self.what} is not what the format says at byte {at}")
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

    def end(self) -> None:
        """Nothing may be left."""
        if self.at != len(self.view):
            raise FormatError(f"{self.what} has {len(self.view) - self.at} bytes too many")

    def value(self, depth: int = MAX_DEPTH) -> object:
        """Read one value, whatever it is, with everything in it."""
        start = self.at
        major, argument = self._head()
        self._left -= 1
        if self._left < 0:
            raise FormatError(f"{self.what} has more than {MAX_ITEMS} values")
        if depth == 0:
            raise FormatError(f"{self.what} is nested too deeply")
        match major:
            case 0:
                return argument
            case 1:
                return -1 - argument
            case 2:
                return bytes(self.take(argument))
            case 3:
                return self._text(argument)
            case 4:
                return [self.value(depth - 1) for _ in range(self._fits(argument))]
            case 5:
                return self._map(self._fits(argument), depth - 1)
            case 6 if argument in TAGS:
                return cbor2.CBORTag(argument, self.value(depth - 1))
            case 7 if argument in _SIMPLE_VALUES:
                return _SIMPLE_VALUES[argument]
        raise FormatError(f"{self.what} has a value of a kind that has no place here at {start}")

    def _head(self) -> tuple[int, int]:
        view, at = self.view, self.at
        if at >= len(view):
            raise FormatError(f"{self.what} ends too early")
        first = view[at]
        major, argument = first >> 5, first & 31
        self.at = at + 1
        if argument < 24:
            return major, argument
        size, least = _LONG.get(argument, (0, 0))
        if not size or major == SIMPLE:
            raise FormatError(
                f"{self.what} has an indefinite length, a float or a reserved head at byte {at}"
            )
        argument = int.from_bytes(self.take(size), "big")
        if argument < least:
            raise FormatError(f"{self.what} is not deterministic CBOR at byte {at}")
        return major, argument

    def _fits(self, count: int) -> int:
        """Every item takes a byte at least: no head may promise more than there is."""
        if count > len(self.view) - self.at:
            raise FormatError(f"{self.what} ends too early")
        return count

    def _text(self, length: int) -> str:
        at = self.at
        try:
            return str(self.take(length), "utf-8")
        except UnicodeDecodeError:
            raise FormatError(f"{self.what} has text that is not UTF-8 at byte {at}") from None

    def _map(self, pairs: int, depth: int) -> dict[object, object]:
        found: dict[object, object] = {}
        last = b""
        for _ in range(pairs):
            at = self.at
            key = self.value(1)
            encoded = bytes(self.view[at : self.at])
            if type(key) is not str and not (type(key) is int and len(encoded) == 1):
                raise FormatError(f"{self.what} has a key that is not allowed at byte {at}")
            if encoded <= last:
                raise FormatError(f"{self.what} has keys out of order or twice at byte {at}")
            last = encoded
            found[key] = self.value(depth)
        return found
