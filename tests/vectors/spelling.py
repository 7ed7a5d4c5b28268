"""CBOR written by hand: rightly, and wrongly in one chosen way.

Nothing here comes from the product, so the vectors are a second reading of docs/spec/, made with
``cbor2`` and ``cryptography`` alone.
"""

import struct
from collections.abc import Iterator

import cbor2

TWISTS = {
    "long array head": "an array's length is spelled longer than it need be",
    "long map head": "a map's length is spelled longer than it need be",
    "long integer": "an integer is spelled longer than it need be",
    "long bytes head": "a byte string's length is spelled longer than it need be",
    "long text head": "a text's length is spelled longer than it need be",
    "endless array": "an array has indefinite length",
    "endless map": "a map has indefinite length",
    "chunked bytes": "a byte string is in chunks of indefinite number",
    "chunked text": "a text is in chunks of indefinite number",
    "keys reversed": "a map's keys are not in bytewise order",
    "key twice": "a map has the same key twice",
    "half float": "an integer is spelled as a half-precision float",
    "double float": "an integer is spelled as a double-precision float",
    "bignum": "an integer is spelled as a bignum (tag 2)",
    "tagged text": "a text is tagged as a date (tag 0)",
    "tagged bytes": "a byte string is tagged as embedded CBOR (tag 24)",
    "simple": "a map holds the simple value 99",
    "undefined": "a map holds the value undefined",
}


def det(value: object) -> bytes:
    """Deterministic CBOR by cbor2."""
    return cbor2.dumps(value, canonical=True)


def head(major: int, argument: int, size: int | None = None) -> bytes:
    """A head with ``size`` bytes of argument; None = the shortest."""
    if size is None:
        size = next(s for s in (0, 1, 2, 4, 8) if argument < (24 if s == 0 else 1 << 8 * s))
    if size == 0:
        return bytes([major << 5 | argument])
    return bytes([major << 5 | {1: 24, 2: 25, 4: 26, 8: 27}[size]]) + argument.to_bytes(size, "big")


def _longer(argument: int) -> int:
    return next(s for s in (1, 2, 4, 8) if argument < (24 if s == 1 else 1 << 4 * s))


class _Speller:
    """Writes deterministic CBOR, but spells the first value that ``twist`` fits in that way."""

    def __init__(self, twist: str) -> None:
        self.twist = twist
        self.used = False

    def _now(self, *twists: str) -> bool:
        if self.used or self.twist not in twists:
            return False
        self.used = True
        return True

    def write(self, value: object) -> bytes:
        match value:
            case None | bool():
                return det(value)
            case int():
                return self._int(value)
            case bytes():
                if self._now("long bytes head"):
                    return head(2, len(value), _longer(len(value))) + value
                if self._now("chunked bytes"):
                    return b"\x5f" + det(value[:1]) + det(value[1:]) + b"\xff"
                if self._now("tagged bytes"):
                    return b"\xd8\x18" + det(value)
                return det(value)
            case str():
                raw = value.encode()
                if self._now("long text head"):
                    return head(3, len(raw), _longer(len(raw))) + raw
                if self._now("chunked text"):
                    return b"\x7f" + det(value) + b"\xff"
                if self._now("tagged text"):
                    return b"\xc0" + det(value)
                return det(value)
            case list() | tuple():
                return self._array(list(value))
            case dict():
                return self._map(value)
            case cbor2.CBORTag():
                return head(6, value.tag) + self.write(value.value)
        raise TypeError(type(value))

    def _int(self, value: int) -> bytes:
        if value >= 0 and self._now("long integer"):
            return head(0, value, _longer(value))
        if abs(value) < 2048 and self._now("half float"):
            return b"\xf9" + struct.pack(">e", value)
        if self._now("double float"):
            return b"\xfb" + struct.pack(">d", value)
        if value >= 0 and self._now("bignum"):
            return b"\xc2" + det(value.to_bytes(8, "big"))
        return det(value)

    def _array(self, value: list[object]) -> bytes:
        if self._now("endless array"):
            return b"\x9f" + b"".join(map(self.write, value)) + b"\xff"
        long = self._now("long array head")
        start = head(4, len(value), _longer(len(value)) if long else None)
        return start + b"".join(map(self.write, value))

    def _map(self, value: dict[object, object]) -> bytes:
        keys = sorted(value, key=det)
        if len(keys) > 1 and self._now("keys reversed"):
            keys.reverse()
        twice = bool(keys) and self._now("key twice")
        start, end = head(5, len(keys) + twice), b""
        if self._now("endless map"):
            start, end = b"\xbf", b"\xff"
        elif self._now("long map head"):
            start = head(5, len(keys), _longer(len(keys)))
        odd = b""
        if keys and self._now("simple"):
            odd = b"\xf8\x63"
        elif keys and self._now("undefined"):
            odd = b"\xf7"
        pairs = []
        for key in keys:
            name = det(key)
            item = odd if odd and key == keys[-1] else self.write(value[key])
            pairs.append(name + item)
            if twice and key == keys[-1]:
                pairs.append(name + item)
        return start + b"".join(pairs) + end


def misspellings(value: object) -> Iterator[tuple[bytes, str]]:
    """Every wrong spelling of ``value`` that applies to it, with the reason."""
    right = det(value)
    for twist, reason in TWISTS.items():
        speller = _Speller(twist)
        wrong = speller.write(value)
        if speller.used and wrong != right:
            yield wrong, reason
