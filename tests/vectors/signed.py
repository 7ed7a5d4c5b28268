"""A good COSE_Sign1, and every way to spoil it; the chapters on signed things share this."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import cbor2

from tests.vectors.sealing import (
    SigningKey,
    other_form,
    protected,
    sign1,
)
from tests.vectors.shapes_of_spec import (
    I,
    right_maps,
    wrong_maps,
)
from tests.vectors.spelling import det, head, misspellings
from tests.vectors.writing import Book, Case

OK, FORMAT, HEADER = "ok", "format failure", "header failure"
TYPE, KEY, SIGNATURE = "type failure", "key failure", "signature failure"
EPOCH, LINK = "epoch failure", "link failure"

TYPES = ("wardseal-ledger-entry", "wardseal-checkpoint", "wardseal-keyset", "wardseal-receipt")
EPOCHS = I(1, 2**31)


@dataclass
class Signed:
    """A good COSE_Sign1 and what it was made of, to be spoiled in every way."""

    kind: str
    way: str
    base: str
    key: SigningKey
    typ: str
    payload: dict[str, object]
    given: dict[str, object]
    raw: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.raw = sign1(self.key, self.typ, self.payload)

    def case(self, data: bytes, expect: str, why: str, **more: object) -> Case:
        given = {**self.given, **more}
        value = cbor2.loads(cbor2.loads(data).value[2]) if data == self.raw else None
        value = value if expect == OK and len(data) < 1024 else None
        return Case(self.kind, self.way, data, expect, why, self.base, given, value)

    def resigned(self, payload: object, expect: str, why: str) -> Case:
        return self.case(sign1(self.key, self.typ, payload), expect, why)

    def parts(self) -> tuple[bytes, bytes, bytes]:
        header, _, content, signature = cbor2.loads(self.raw).value
        return header, content, signature


def basics(book: Book, good: Signed, *, stride: int) -> None:
    """What must hold for any COSE_Sign1, whatever is in it."""
    book.base(good.base, good.raw)
    book.add(good.case(good.raw, OK, "as it should be"))
    for case in (*_torn(good, stride), *_flipped(good, stride)):
        book.add(case)
    for case in (*_built_wrongly(good), *_signed_wrongly(good)):
        book.add(case)


def another_algorithm(book: Book, good: Signed) -> None:
    """What may differ between algorithms: the header and the forms of a signature."""
    book.base(good.base, good.raw)
    book.add(good.case(good.raw, OK, "as it should be"))
    for case in _signed_wrongly(good):
        book.add(case)
    for at in range(len(good.raw) - 64, len(good.raw), 5):
        book.add(_flip(good, at, at % 8, SIGNATURE, "the signature"))


def fields(book: Book, good: Signed, table: dict[str, object]) -> None:
    """Every field at its limits and beyond, each signed as it is."""
    for payload, why in right_maps(table, good.payload):
        book.add(good.resigned(payload, OK, why))
    for payload, why in wrong_maps(table, good.payload):
        book.add(good.resigned(payload, FORMAT, why))


def _torn(good: Signed, stride: int) -> Iterator[Case]:
    raw = good.raw
    for length in sorted({0, 1, 2, 3, len(raw) - 64, len(raw) - 1, *range(5, len(raw), stride)}):
        yield good.case(raw[:length], FORMAT, f"cut after {length} bytes")
    for more in (b"\0", b"\xf6", raw):
        yield good.case(raw + more, FORMAT, f"{len(more)} bytes too many")
    yield good.case(raw[1:], FORMAT, "the first byte is missing")


def _flipped(good: Signed, stride: int) -> Iterator[Case]:
    """One bit changed; what must come of it follows from where it stands."""
    header, content, _ = good.parts()
    starts = {"header": 2 + len(head(2, len(header)))}
    starts["payload"] = starts["header"] + len(header) + 1 + len(head(2, len(content)))
    starts["signature"] = starts["payload"] + len(content) + 2
    kid, typ = header.index(good.key.kid), header.index(good.typ.encode())
    heads = [0, 1, 2, starts["header"] + len(header), starts["signature"] - 2]
    for at in heads:
        for bit in range(8):
            yield _flip(good, at, bit, FORMAT, "an item's head")
    for at in (0, 1, 3, kid - 2, kid - 1, typ - 2, typ - 1):
        for bit in (0, 3, 6):
            yield _flip(good, starts["header"] + at, bit, HEADER, "the header's structure")
    for at in range(0, 32, max(1, stride // 4)):
        yield _flip(good, starts["header"] + kid + at, at % 8, KEY, "the key id")
    for at in range(0, len(good.typ), max(1, stride // 4)):
        yield _flip(good, starts["header"] + typ + at, 7, HEADER, "the type, no longer UTF-8")
        yield _flip(good, starts["header"] + typ + at, at % 7, TYPE, "the type")
    for at in sorted({0, len(content) - 1, *range(0, len(content), stride)}):
        yield _flip(good, starts["payload"] + at, at % 8, SIGNATURE, "the payload")
    for at in sorted({0, 31, 32, 63, *range(0, 64, stride)}):
        yield _flip(good, starts["signature"] + at, at % 8, SIGNATURE, "the signature")


def _flip(good: Signed, at: int, bit: int, expect: str, where: str) -> Case:
    data = bytearray(good.raw)
    data[at] ^= 1 << bit
    return good.case(bytes(data), expect, f"bit {bit} of byte {at}: {where}")


def _built_wrongly(good: Signed) -> Iterator[Case]:
    header, content, signature = good.parts()
    array: list[object] = [header, {}, content, signature]
    for data, why in misspellings(cbor2.CBORTag(18, array)):
        yield good.case(data, FORMAT, f"{why} in the COSE_Sign1")
    for value, why in (
        (cbor2.CBORTag(18, [*array, b""]), "an array of five"),
        (cbor2.CBORTag(18, array[:3]), "an array of three"),
        (cbor2.CBORTag(18, [{}, header, content, signature]), "protected and unprotected swapped"),
        (cbor2.CBORTag(18, [header, {}, None, signature]), "a detached payload"),
        (cbor2.CBORTag(18, [header, {4: good.key.kid}, content, signature]), "an unprotected kid"),
        (cbor2.CBORTag(18, [header, {16: good.typ}, content, signature]), "an unprotected typ"),
        (cbor2.CBORTag(18, [header, [], content, signature]), "unprotected is an array"),
        (cbor2.CBORTag(18, [cbor2.loads(header), {}, content, signature]), "protected not wrapped"),
        (cbor2.CBORTag(18, [header, {}, cbor2.loads(content), signature]), "payload not wrapped"),
        (cbor2.CBORTag(18, cbor2.CBORTag(18, array)), "the tag twice"),
        (cbor2.CBORTag(98, array), "the tag of COSE_Sign"),
        (cbor2.CBORTag(17, array), "the tag of COSE_Mac0"),
        (array, "no tag"),
        ({0: header}, "a map"),
    ):
        yield good.case(det(value), FORMAT, why)


def _signed_wrongly(good: Signed) -> Iterator[Case]:
    key, typ, payload = good.key, good.typ, good.payload
    header, content, signature = good.parts()
    known: dict[object, object] = {1: key.alg, 4: key.kid, 16: typ}
    headers: list[tuple[object, str]] = [
        ({**known, 1: -35}, "the algorithm ES384"),
        ({**known, 1: -37}, "the algorithm PS256"),
        ({**known, 1: 5}, "the algorithm HMAC 256"),
        ({**known, 1: -19}, "the algorithm Ed25519 by its other number"),
        ({**known, 1: "EdDSA"}, "the algorithm by name"),
        ({4: key.kid, 16: typ}, "no algorithm"),
        ({1: key.alg, 16: typ}, "no key id"),
        ({1: key.alg, 4: key.kid}, "no type"),
        ({**known, 2: [16]}, "a critical header"),
        ({**known, 3: 0}, "a content type"),
        ({**known, 5: b"iv"}, "an IV"),
        ({**known, 15: {1: "iss"}}, "CWT claims"),
        ({**known, "x": 0}, "a header of text"),
        ({**known, 16: 61}, "the type as a number"),
        ({**known, 4: key.kid.hex()}, "the key id as text"),
        ([], "an array as header"),
    ]
    for value, why in headers:
        data = sign1(key, typ, payload, header=det(value))
        yield good.case(data, HEADER, f"{why} in the protected header")
    yield good.case(sign1(key, typ, payload, header=b""), HEADER, "an empty protected header")
    for wrong, why in misspellings(known):
        yield good.case(sign1(key, typ, payload, header=wrong), HEADER, f"{why} in the header")
    for other in TYPES:
        if other != typ:
            yield good.case(sign1(key, other, payload), TYPE, f"signed as {other}")
    for other in ("", "wardseal", f"{typ}/2", typ.upper(), f" {typ}"):
        yield good.case(sign1(key, other, payload), TYPE, f"signed as {other!r}")
    for kid, why in ((key.kid[:31], "31 bytes"), (key.kid[:8], "8 bytes"), (b"", "0 bytes")):
        data = sign1(key, typ, payload, header=det({**known, 4: kid}))
        yield good.case(data, KEY, f"a key id of {why}")
    swapped = -7 if key.alg == -8 else -8
    data = sign1(key, typ, payload, header=det({**known, 1: swapped}))
    yield good.case(data, KEY, "the other algorithm under this key's id")
    stranger = SigningKey("stranger")
    yield good.case(sign1(stranger, typ, payload), KEY, "signed by a key that nobody trusts")
    data = sign1(stranger, typ, payload, header=protected(key, typ))
    yield good.case(data, SIGNATURE, "signed by another key under this key's id")
    for data, why in (
        (sign1(key, typ, payload, context="Signature"), "signed as part of a COSE_Sign"),
        (sign1(key, typ, payload, context="CounterSignature"), "signed as a countersignature"),
        (sign1(key, typ, payload, external=b"x"), "signed with external data"),
    ):
        yield good.case(data, SIGNATURE, why)
    for form, why in (
        (other_form(key, signature), "the signature's second form (S + L, or n - s)"),
        (signature[:63], "a signature of 63 bytes"),
        (signature + b"\0", "a signature of 65 bytes"),
        (b"", "a signature of 0 bytes"),
        (bytes(64), "a signature of zeros"),
        (b"\xff" * 64, "a signature of ones"),
        (signature[32:] + signature[:32], "the signature's halves swapped"),
        (key.sign(content), "a signature over the bare payload"),
        (content, "the payload in the signature's place"),
    ):
        made = cbor2.CBORTag(18, [header, {}, content, form])
        yield good.case(det(made), SIGNATURE, why)
    for wrong, why in (
        (b"", "nothing"),
        (det([payload]), "an array"),
        (det(content), "bytes in bytes"),
        (content + b"\0", "a byte too many"),
        (content[:-1], "a byte too few"),
        (det(dict([*payload.items(), (1, 0)])), "a field with a number for a name"),
    ):
        yield good.case(sign1(key, typ, wrong), FORMAT, f"{why} as payload, signed")
    for wrong, why in misspellings(payload):
        yield good.case(sign1(key, typ, wrong), FORMAT, f"{why} in the payload, signed")
