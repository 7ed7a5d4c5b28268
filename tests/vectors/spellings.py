"""Chapter 1: deterministic CBOR, keys, topics."""

import cbor2

from tests.vectors.sealing import (
    DEVICE,
    GATEWAY,
    GATEWAY_P256,
    HYBRID,
    RECOVERY_P256,
    TPM_DEVICE,
    seed,
)
from tests.vectors.spelling import det, head, misspellings
from tests.vectors.writing import Book, Case

OK, FORMAT = "ok", "format failure"

RIGHT = [
    0, 23, 24, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**53, 2**64 - 1,
    -1, -24, -25, -256, -257, -(2**32), -(2**64),
    b"", b"x" * 23, b"x" * 24, b"x" * 256, "", "z" * 24, "ä", "\U0001f4f7", "\0",
    True, False, None, [], [[]], {}, {0: 1}, {-1: 1, 1: 1}, {"": 0}, {"a": 0, "b": 1, "aa": 2},
    {1: 0, 23: 0, -1: 0, -24: 0, "": 0, "z": 0, "aa": 0}, [1, [2, [3, [4]]]],
    cbor2.CBORTag(18, [b"", {}, b"", b""]),
]  # fmt: skip

WRONG = {
    "": "nothing at all",
    "1c": "reserved additional information 28",
    "1d": "reserved additional information 29",
    "1e": "reserved additional information 30",
    "1f": "an integer of indefinite length",
    "1800": "0 in two bytes",
    "1817": "23 in two bytes",
    "1900ff": "255 in three bytes",
    "1a0000ffff": "65535 in five bytes",
    "1b00000000ffffffff": "2**32 - 1 in nine bytes",
    "3817": "-24 in two bytes",
    "3900ff": "-256 in three bytes",
    "18": "a head that ends too early",
    "1b00000000": "a head that ends too early",
    "41": "a byte string that ends too early",
    "5bffffffffffffffff": "a byte string of 2**64 - 1 bytes",
    "7bffffffffffffffff00": "a text of 2**64 - 1 bytes",
    "9bffffffffffffffff": "an array of 2**64 - 1 items",
    "bbffffffffffffffff": "a map of 2**64 - 1 pairs",
    "9a00ffffff00": "an array of 16,777,215 items in six bytes",
    "0000": "two values",
    "a10000ff": "something after the map",
    "ff": "a break without a beginning",
    "5f4100ff": "a byte string of indefinite length",
    "7f6161ff": "a text of indefinite length",
    "9fff": "an array of indefinite length",
    "bfff": "a map of indefinite length",
    "61ff": "text that is not UTF-8",
    "62c080": "text with an overlong NUL",
    "63eda080": "text with half a surrogate pair",
    "64f4908080": "text beyond U+10FFFF",
    "f90000": "a half float",
    "fa00000000": "a single float",
    "fb0000000000000000": "a double float",
    "f97e00": "not a number",
    "f7": "undefined",
    "e0": "simple value 0",
    "f3": "simple value 19",
    "f820": "simple value 32",
    "f814": "false in two bytes",
    "a2616100616100": "a key twice",
    "a2616200616100": "keys out of order",
    "a262616100616200": "a longer key first",
    "a220000100": "-1 before 1",
    "a2616100": "a map that ends too early",
    "a1181800": "a key above 23",
    "a1381800": "a key below -24",
    "a1410000": "bytes as a key",
    "a1f500": "true as a key",
    "a1f600": "null as a key",
    "a18000": "an array as a key",
    "a1a000": "a map as a key",
    "a1f93c0000": "a float as a key",
    "c074323031332d30332d32315432303a30343a30305a": "a date (tag 0)",
    "c11a514b67b0": "a time (tag 1)",
    "c249010000000000000000": "a bignum (tag 2)",
    "c349010000000000000000": "a negative bignum (tag 3)",
    "c48221196ab3": "a decimal fraction (tag 4)",
    "c5821b7fffffffffffffff01": "a bigfloat that overflows a decimal library (tag 5)",
    "d74401020304": "expected base16 (tag 23)",
    "d818456449455446": "embedded CBOR (tag 24)",
    "d9010080": "a string reference namespace (tag 256)",
    "d81c8100": "a shareable value (tag 28)",
    "d81c81d81d00": "an array that contains itself (tags 28, 29)",
    "d81e820103": "a rational number (tag 30)",
    "d823645b612d7a": "a regular expression (tag 35)",
    "d8246346726f": "a MIME message (tag 36)",
    "d825500123456789abcdef0123456789abcdef": "a UUID (tag 37)",
    "d9010280": "a set (tag 258)",
    "d9d9f700": "self-described CBOR (tag 55799)",
    "d8603800": "COSE_Encrypt's tag where no envelope is due",
    "d8128440a04040": "COSE_Sign1's tag in two bytes",
}


def laughs(levels: int, width: int) -> bytes:
    """Shared references that double back: 212 bytes that expand to millions of values."""
    out = head(4, levels)
    for level in range(levels):
        item = b"\x00" if level == 0 else b"\xd8\x1d" + bytes([level - 1])
        out += b"\xd8\x1c" + head(4, width) + item * width
    return out


def write(book: Book) -> None:
    for value in RIGHT:
        book.add(Case("cbor", "both", det(value), OK, f"the shortest form of {value!r}"[:60]))
    for text, why in WRONG.items():
        book.add(Case("cbor", "both", bytes.fromhex(text), FORMAT, why))
    for value in ([0, 1], {"a": 24, "b": b"ab"}, ["text", b"bytes", {"k": [255]}]):
        for data, why in misspellings(value):
            book.add(Case("cbor", "both", data, FORMAT, why))
    for depth, expect in ((11, OK), (12, FORMAT), (300, FORMAT)):
        data = b"\x81" * depth + b"\x00"
        why = f"a value inside {depth} arrays; 11 are allowed"
        book.add(Case("cbor", "both", data, expect, why))
        data = b"\xa1\x00" * depth + b"\x00"
        why = f"a value inside {depth} maps; 11 are allowed"
        book.add(Case("cbor", "both", data, expect, why))
    for count, expect in ((4095, OK), (4096, FORMAT)):
        data = head(4, count) + b"\x80" * count
        why = f"{count + 1} values; 4096 are allowed"
        book.add(Case("cbor", "both", data, expect, why))
    book.add(Case("cbor", "both", laughs(7, 10), FORMAT, "shared references, ten to the seventh"))
    for limit, expect in ((11, OK), (10, FORMAT)):
        why = f"11 bytes where {limit} are allowed"
        book.add(Case("cbor", "both", det(b"0123456789"), expect, why, given={"limit": limit}))
    _keys(book)
    _topics(book)


def _keys(book: Book) -> None:
    _verification_keys(book)
    _recipient_keys(book)
    _private_keys(book)


def _verification_keys(book: Book) -> None:
    for key in (DEVICE, TPM_DEVICE):
        book.base(f"key {key.name}", key.cose)
        value = {"alg": key.alg, "kid": key.kid}
        why = "a verification key"
        book.add(Case("public-key", "both", key.cose, OK, why, f"key {key.name}", value=value))
        for data, why in misspellings(cbor2.loads(key.cose)):
            book.add(Case("public-key", "both", data, FORMAT, why, f"key {key.name}"))
    x, y = cbor2.loads(TPM_DEVICE.cose)[-2], cbor2.loads(TPM_DEVICE.cose)[-3]
    wrong: list[tuple[object, str]] = [
        ({1: 1, -1: 6, -2: seed("x")[:31]}, "an Ed25519 key of 31 bytes"),
        ({1: 1, -1: 6, -2: seed("x") + b"x"}, "an Ed25519 key of 33 bytes"),
        ({1: 1, -1: 4, -2: seed("x")}, "an X25519 key"),
        ({1: 1, -1: 7, -2: seed("x")}, "the curve Ed448"),
        ({1: True, -1: 6, -2: seed("x")}, "key type true"),
        ({1: 4, -1: seed("x")}, "a symmetric key"),
        ({1: 1, 3: -8, -1: 6, -2: seed("x")}, "a parameter beyond the required ones"),
        ({1: 1, -1: 6, -2: seed("x"), -4: seed("y")}, "a private key"),
        ({1: 2, -1: 1, -2: x, -3: True}, "a compressed point"),
        ({1: 2, -1: 2, -2: x, -3: y}, "the curve P-384"),
        ({1: 2, -1: 1, -2: y, -3: x}, "a point that is not on P-256"),
        ({1: 2, -1: 1, -2: bytes(32), -3: bytes(32)}, "the point 0, 0"),
        ({1: 2, -1: 1, -2: x[:31], -3: x[31:] + y}, "64 bytes split in the wrong place"),
        ({1: 2, -1: 1, -2: b"\xff" * 32, -3: y}, "an x above the field's prime"),
        ([1, 6, seed("x")], "an array"),
    ]
    for bad, why in wrong:
        book.add(Case("public-key", "both", det(bad), FORMAT, why))


def _recipient_keys(book: Book) -> None:
    for key in (GATEWAY, GATEWAY_P256):
        book.base(f"key {key.name}", key.cose)
        book.base(f"private key {key.name}", key.private_cose)
        value = {"alg": key.alg, "kid": key.kid}
        why = "a recipient's key"
        book.add(Case("recipient-key", "both", key.cose, OK, why, f"key {key.name}", value=value))
        for data, why in misspellings(cbor2.loads(key.cose)):
            book.add(Case("recipient-key", "both", data, FORMAT, why, f"key {key.name}"))
        base = f"private key {key.name}"
        why = "a recipient's private key"
        book.add(Case("private-key", "none", key.private_cose, OK, why, base, value=value))
    raw = cbor2.loads(GATEWAY.cose)[-1]
    x, y = cbor2.loads(GATEWAY_P256.cose)[-2], cbor2.loads(GATEWAY_P256.cose)[-3]
    base = "key gateway"
    wrong: list[tuple[object, str]] = [
        ({1: 7, 3: HYBRID, -1: raw[:-1]}, "a byte short"),
        ({1: 7, 3: HYBRID, -1: raw + b"\0"}, "a byte long"),
        ({1: 7, 3: HYBRID, -1: raw[32:]}, "the ML-KEM half alone, cut"),
        (
            {1: 7, 3: HYBRID, -1: b"\xff" * 1184 + raw[1184:]},
            "ML-KEM coefficients above the modulus",
        ),
        ({1: 7, 3: 53, -1: raw}, "a hybrid key that says P-256"),
        ({1: 7, 3: HYBRID + 1, -1: raw}, "a suite that is not known"),
        ({1: 7, -1: raw}, "no suite at all"),
        ({1: 7, 2: b"name", 3: HYBRID, -1: raw}, "a parameter beyond the required ones"),
    ]
    for bad, why in wrong:
        book.add(Case("recipient-key", "down", det(bad), FORMAT, why, base))
    base = "key gateway-p256"
    wrong = [
        ({1: 2, -1: 1, -2: y, -3: x}, "a point that is not on P-256"),
        ({1: 2, -1: 1, -2: bytes(32), -3: bytes(32)}, "the point 0, 0"),
        ({1: 2, -1: 3, -2: x, -3: y}, "the curve P-521"),
        ({1: 2, -1: 1, -2: x, -3: y[:31]}, "a coordinate of 31 bytes"),
        ({1: 2, -1: 1, -2: x[:31], -3: x[31:] + y}, "64 bytes split in the wrong place"),
        ({1: 2, -1: 1, -2: x, -3: True}, "a compressed point"),
        ({1: 1, -1: 6, -2: x}, "a key that verifies"),
    ]
    for bad, why in wrong:
        book.add(Case("recipient-key", "down", det(bad), FORMAT, why, base))


def _private_keys(book: Book) -> None:
    private = cbor2.loads(GATEWAY_P256.private_cose)
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    hybrid = cbor2.loads(GATEWAY.private_cose)
    for base, value, why in (
        ("private key gateway-p256", {**private, -4: bytes(32)}, "the scalar 0"),
        (
            "private key gateway-p256",
            {**private, -4: order.to_bytes(32, "big")},
            "the curve's order",
        ),
        ("private key gateway-p256", {**private, -4: RECOVERY_P256.secret}, "another key's half"),
        ("private key gateway-p256", {**private, -4: private[-4][1:]}, "31 bytes"),
        ("private key gateway", {**hybrid, -2: RECOVERY_P256.secret}, "another key's half"),
        ("private key gateway", {**hybrid, -2: hybrid[-2] + b"\0"}, "a seed of 33 bytes"),
        ("private key gateway", cbor2.loads(GATEWAY.cose), "a public key"),
        ("private key gateway", {**hybrid, 2: b"name"}, "a parameter beyond the required ones"),
    ):
        book.add(Case("private-key", "none", det(value), FORMAT, why, base))


def _topics(book: Book) -> None:
    up = ("state", "vitals", "twin", "ledger", "csr", "up/any", "up/gw-1", "cmd/17")
    down = ("twin", "ledger", "cert", "keyset", "up", "cmd/17")
    for way, kinds in (("u", up), ("d", down)):
        for device in ("ward-7", "0", "x" * 32):
            for kind in kinds:
                topic = f"ws/v1/{device}/{way}/{kind}"
                value = {"device": device, "direction": way, "kind": kind}
                why = "a topic of this system"
                direction = {"u": "up", "d": "down"}[way]
                book.add(Case("topic", direction, topic.encode(), OK, why, value=value))
    names = ["", "x" * 33, "Ward-7", "ward_7", "ward.7", "..", ".", "a b", "a+", "+", "#", "_all",
             "a\0", "å", "a\n", "$SYS", "%u"]  # fmt: skip
    for name in names:
        for topic in (f"ws/v1/{name}/u/state", f"ws/v1/ward-7/u/up/{name}"):
            why = f"the name {name!r}"
            book.add(Case("topic", "up", topic.encode(), FORMAT, why))
    for topic, why in (
        ("", "nothing"),
        ("/", "a slash"),
        ("ws/v1", "the root alone"),
        ("ws/v2/ward-7/u/state", "another version"),
        ("WS/v1/ward-7/u/state", "another case"),
        ("/ws/v1/ward-7/u/state", "a leading slash"),
        ("ws/v1/ward-7/u/state/", "a trailing slash"),
        ("ws/v1/ward-7/x/state", "neither up nor down"),
        ("ws/v1/ward-7/u/keyset", "a kind that only the hospital writes"),
        ("ws/v1/ward-7/d/state", "a kind that only the device writes"),
        ("ws/v1/ward-7/u/up", "no gateway named"),
        ("ws/v1/ward-7/d/up/any", "a level too many"),
        ("ws/v1/ward-7/u/cmd", "no command named"),
        ("ws/v1/ward-7/u/cmd/", "an empty command id"),
        ("ws/v1/ward-7/u/up/any/x", "a level too many"),
        ("ws/v1/ward-7/u/up/../x", "a path that climbs"),
        ("ws/v1/ward-7/u/#", "a subscription"),
        ("ws/v1/+/u/state", "a subscription"),
        ("ws/v1/ward-7/u/cmd/+", "a subscription"),
        ("ws/v1/ward-7/u/nothing", "a kind that is not known"),
        ("$share/gateway/ws/v1/ward-7/u/state", "a shared subscription"),
        ("ws/v1/_all/d/manifest", "the fleet's topic, which no device's parser takes"),
    ):
        book.add(Case("topic", "both", topic.encode(), FORMAT, why))
