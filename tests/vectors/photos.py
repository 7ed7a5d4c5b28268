"""What the chapters on sealed photos share: three entries, an envelope, and how to ask for it."""

import hashlib

import cbor2

from tests.vectors.entries import BOOT, payload
from tests.vectors.hospital import HYBRID_KEYS, P256_KEYS, keyset
from tests.vectors.sealing import (
    CHACHA,
    DEVICE,
    GATEWAY,
    GATEWAY_P256,
    GCM,
    RECOVERY,
    RECOVERY_P256,
    SealingKey,
    SigningKey,
    content,
    envelope,
    seed,
    sign1,
    stored_wrap,
)
from tests.vectors.shapes_of_spec import (
    COUNT,
    HASH,
    ID16,
    MILLIS,
    SHORT,
    E,
    I,
    List,
    Map,
    Name,
    Opt,
    T,
)
from tests.vectors.signed import OK, TYPES
from tests.vectors.spelling import det
from tests.vectors.writing import Book, Case

RECIPIENT, CONTENT, TYPE = "recipient failure", "content failure", "type failure"
JPEG = bytes.fromhex(
    "ffd8ffe000104a46494600010100000100010000ffdb004300100b0c0e0c0a100e0d0e1211101318281a1816161831"
    "23251d283a333d3c3933383740485c4e404457453738506d51575f626768673e4d71797064785c656763ffc0000b08"
    "0008000801011100ffc40014000100000000000000000000000000000000ffc4001410010000000000000000000000"
    "0000000000ffda0008010100003f003fffd9"
)
SMALL = b"\xff\xd8\xff\xd9"
Fields = dict[str, object]
PRIVATE: Fields = {"bed": "W7-12", "quality": {"blur": 12, "dark": 3}}
CODE = T(1, 100)
PRIVATE_FIELDS: dict[str, object] = {
    "bed": SHORT,
    "quality": Map({}),
    "band": Opt(CODE),
    "bands": Opt(List(CODE, 2, 4)),
    "badge": Opt(CODE),
    "salt": Opt(HASH),
    "label": Opt(Map({})),
}
BAND, BADGE, SALT = "(8018)400638133393500019", "(8017)400638133393500026", seed("salt")
COMMITMENT = hashlib.sha256(det(["wardseal-badge/1", SALT, BADGE])).digest()
ATTESTED: Fields = {**PRIVATE, "band": BAND, "badge": BADGE, "salt": SALT}
MAX_ENVELOPE = 40 * 1024 * 1024
HEADER_FIELDS: dict[str, object] = {
    "device": Name(),
    "boot": ID16,
    "seq": COUNT,
    "consent": HASH,
    "intent": HASH,
    "epoch": I(1, 2**31),
    "keyset": HASH,
    "time_ms": MILLIS,
    "trust": E(("synced", "rtc", "floor", "none")),
    "length": I(1, MAX_ENVELOPE),
    "version": I(1, 1),
}
SECOND = 1_000_000_000

# ---- the three entries -----------------------------------------------------------------------

WORDING: dict[str, object] = {"id": "care-1", "language": "en", "hash": seed("wording")}


CONSENT_BODY: Fields = {"level": "care", "basis": "agreed", "wording": WORDING}


def entry(type_: str, seq: int, body: Fields, key: SigningKey, more: Fields) -> bytes:
    """An entry of one type; ``more`` changes fields of the entry itself."""
    fields = {"seq": seq, "prev": seed(f"prev {seq}"), "mono_ns": (100 + seq) * SECOND, **more}
    return sign1(key, TYPES[0], payload(type_, body, **fields))


def consent(key: SigningKey = DEVICE, body: Fields = CONSENT_BODY, **more: object) -> bytes:
    return entry("CONSENT", 2, body, key, more)


def intent(
    under: bytes, key: SigningKey = DEVICE, body: Fields | None = None, **more: object
) -> bytes:
    """An INTENT under the raw CONSENT entry ``under``."""
    whole = {"consent": digest(under), "level": "care", "basis": "agreed", **(body or {})}
    return entry("INTENT", 3, whole, key, more)


def sealed(
    photo: bytes, of: bytes, key: SigningKey = DEVICE, body: Fields | None = None, **more: object
) -> bytes:
    """A SEALED for the envelope ``photo`` of the raw INTENT entry ``of``."""
    whole = {"intent": digest(of), "photo": digest(photo), "size": len(photo), **(body or {})}
    return entry("SEALED", 4, whole, key, more)


def digest(raw: bytes) -> bytes:
    return hashlib.sha256(raw).digest()


CONSENT = consent()
INTENT = intent(CONSENT)

# ---- the envelope ----------------------------------------------------------------------------

PLAIN = content(PRIVATE, JPEG)


def ws(body: dict[str, object], length: int = len(PLAIN), **changed: object) -> dict[str, object]:
    """The protected header's own map, under the keyset with this body."""
    return {
        "device": "ward-7",
        "boot": BOOT,
        "seq": 3,
        "consent": digest(CONSENT),
        "intent": digest(INTENT),
        "epoch": body["epoch"],
        "keyset": digest(keyset(body)),
        "time_ms": 1767225600000,
        "trust": "synced",
        "length": length,
        "version": 1,
        **changed,
    }


def boxes(*keys: SealingKey, alg: int = GCM) -> list[object]:
    return [stored_wrap(key, alg) for key in keys]


P256_BOXES = boxes(GATEWAY_P256, RECOVERY_P256)
SEALED = {
    "envelope p256": envelope(ws(P256_KEYS), PLAIN, P256_BOXES),
    "envelope p256 chacha": envelope(
        ws(P256_KEYS), PLAIN, boxes(GATEWAY_P256, RECOVERY_P256, alg=CHACHA), alg=CHACHA
    ),
    "envelope hybrid": envelope(ws(HYBRID_KEYS), PLAIN, boxes(GATEWAY, RECOVERY)),
    "envelope hybrid chacha": envelope(
        ws(HYBRID_KEYS), PLAIN, boxes(GATEWAY, RECOVERY, alg=CHACHA), alg=CHACHA
    ),
    "envelope mixed": envelope(ws(HYBRID_KEYS), PLAIN, boxes(GATEWAY, GATEWAY_P256)),
}
OPENED = {"private": PRIVATE, "jpeg": JPEG}
P256 = "envelope p256"


def case(data: bytes, expect: str, why: str, base: str = P256, **given: object) -> Case:
    given = {"key": "gateway-p256", **given}
    if given["key"] is None:
        del given["key"]
    value: dict[str, object] | None = None
    if expect == OK and data == SEALED.get(base):
        value = {"header": cbor2.loads(cbor2.loads(data).value[0])["ws"]}
        if "key" in given:
            value |= OPENED
    return Case("envelope", "up", data, expect, why, base, given, value)


def register(book: Book) -> None:
    """Enter the bases that the chapters on photos change and refer to."""
    for body, name in ((P256_KEYS, "keyset p256"), (HYBRID_KEYS, "keyset hybrid")):
        book.base(name, keyset(body))
    for name, data in SEALED.items():
        book.base(name, data)
