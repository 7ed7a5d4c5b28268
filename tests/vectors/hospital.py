"""Chapter 2: what the hospital signs: receipts, countersignatures, keysets."""

from tests.vectors.sealing import (
    DEVICE,
    FLEET,
    GATEWAY,
    GATEWAY_P256,
    OTHER_ROOT,
    RECEIPT,
    RECOVERY,
    RECOVERY_P256,
    ROOT,
    STRANGER,
    TPM_RECEIPT,
    SigningKey,
    seed,
    sign1,
)
from tests.vectors.shapes_of_spec import COUNT, HASH, ID16, MILLIS, SHORT, B, E, List, Name, T
from tests.vectors.signed import (
    EPOCH,
    EPOCHS,
    FORMAT,
    KEY,
    LINK,
    OK,
    TYPES,
    Signed,
    another_algorithm,
    basics,
    fields,
)
from tests.vectors.spelling import det
from tests.vectors.writing import Book


def write(book: Book) -> None:
    _receipts(book)
    _checkpoints(book)
    _keysets(book)


STATUSES = ("FILED", "HELD", "REJECTED", "UNDONE")
RECEIPT_FIELDS: dict[str, object] = {
    "device": Name(),
    "photo": HASH,
    "status": E(STATUSES),
    "number": EPOCHS,
    "time_ms": MILLIS,
    "reason": SHORT,
    "refs": List(T(1, 200), 0, 16),
}
RECEIPT_BODY: dict[str, object] = {
    "device": "ward-7",
    "photo": seed("photo"),
    "status": "FILED",
    "number": 1,
    "time_ms": 1767225600000,
    "reason": "",
    "refs": ["folder:2026-01-01/0001.jpg"],
}


def _receipts(book: Book) -> None:
    given: dict[str, object] = {"keys": ["receipt", "p256-receipt"]}
    good = Signed("receipt", "down", "receipt", RECEIPT, TYPES[3], RECEIPT_BODY, given)
    basics(book, good, stride=40)
    fields(book, good, RECEIPT_FIELDS)
    tpm = Signed("receipt", "down", "receipt ES256", TPM_RECEIPT, TYPES[3], RECEIPT_BODY, given)
    another_algorithm(book, tpm)
    for refs, expect, why in (
        (["x"] * 16, OK, "16 references"),
        (["x"] * 17, FORMAT, "17 references"),
        (["~ !"], OK, "a reference with the outermost characters"),
        (["x" * 200], OK, "a reference of 200 characters"),
        (["x" * 201], FORMAT, "a reference of 201 characters"),
        ([""], FORMAT, "an empty reference"),
        (["a\nb"], FORMAT, "a reference with a line break"),
        (["a\0"], FORMAT, "a reference with NUL"),
        (["a\x7f"], FORMAT, "a reference with DEL"),
        (["\u202egpj.exe"], FORMAT, "a reference that turns the reading direction"),
        (["ä"], FORMAT, "a reference that is not ASCII"),
        ([b"x"], FORMAT, "a reference of bytes"),
        ([1], FORMAT, "a reference that is a number"),
        ([["x"]], FORMAT, "a reference that is an array"),
    ):
        book.add(good.resigned({**RECEIPT_BODY, "refs": refs}, expect, why))
    for key, why in (
        (DEVICE, "the device signs its own receipt"),
        (ROOT, "the root key signs a receipt"),
        (FLEET, "a fleet key signs a receipt"),
    ):
        book.add(good.case(sign1(key, TYPES[3], RECEIPT_BODY), KEY, why))
    for device, expect in (("ward-7", OK), ("ward-8", LINK), ("ward-77", LINK), ("ward-", LINK)):
        why = f"a receipt for ward-7 reaches {device}"
        book.add(good.case(good.raw, expect, why, device=device))


CHECKPOINT_FIELDS: dict[str, object] = {
    "device": Name(),
    "ledger": ID16,
    "seq": COUNT,
    "head": HASH,
    "time_ms": MILLIS,
}
CHECKPOINT_BODY: dict[str, object] = {
    "device": "ward-7",
    "ledger": seed("ledger")[:16],
    "seq": 41,
    "head": seed("head"),
    "time_ms": 1767225600000,
}


def _checkpoints(book: Book) -> None:
    given: dict[str, object] = {"keys": ["receipt"]}
    good = Signed("checkpoint", "down", "checkpoint", RECEIPT, TYPES[1], CHECKPOINT_BODY, given)
    basics(book, good, stride=64)
    fields(book, good, CHECKPOINT_FIELDS)
    data = sign1(DEVICE, TYPES[1], CHECKPOINT_BODY)
    book.add(good.case(data, KEY, "the device countersigns its own ledger"))
    for device, expect in (("ward-7", OK), ("ward-8", LINK)):
        why = f"a countersignature for ward-7 reaches {device}"
        book.add(good.case(good.raw, expect, why, device=device))


KEYSET_FIELDS: dict[str, object] = {
    "epoch": EPOCHS,
    "not_after_ms": MILLIS,
    "recipients": List(B(1, 2048), 1, 4),
    "receipt_keys": List(B(1, 256), 1, 4),
    "fleet_keys": List(B(1, 256), 0, 4),
}


def keyset_body(epoch: int, *recipients: bytes) -> dict[str, object]:
    return {
        "epoch": epoch,
        "not_after_ms": 1893456000000,
        "recipients": list(recipients),
        "receipt_keys": [RECEIPT.cose],
        "fleet_keys": [FLEET.cose],
    }


HYBRID_KEYS = keyset_body(3, GATEWAY.cose, RECOVERY.cose)
P256_KEYS = keyset_body(4, GATEWAY_P256.cose, RECOVERY_P256.cose)


def keyset(body: dict[str, object]) -> bytes:
    return sign1(ROOT, TYPES[2], body)


def _keysets(book: Book) -> None:
    given: dict[str, object] = {"keys": ["root"]}
    good = Signed("keyset", "down", "keyset p256", ROOT, TYPES[2], P256_KEYS, given)
    basics(book, good, stride=48)
    fields(book, good, KEYSET_FIELDS)
    hybrid = Signed("keyset", "down", "keyset hybrid", ROOT, TYPES[2], HYBRID_KEYS, given)
    book.base(hybrid.base, hybrid.raw)
    book.add(hybrid.case(hybrid.raw, OK, "hybrid keys"))
    for key, why in (
        (OTHER_ROOT, "another hospital's root"),
        (RECEIPT, "a receipt key signs a keyset"),
        (FLEET, "a fleet key signs a keyset"),
        (DEVICE, "the device signs its own keyset"),
    ):
        book.add(good.case(sign1(key, TYPES[2], P256_KEYS), KEY, why))
    recipients = [GATEWAY_P256.cose, RECOVERY_P256.cose]
    bad_point = det({1: 2, -1: 1, -2: seed("x"), -3: seed("y")})
    for changed, expect, why in (
        ({"recipients": [GATEWAY.cose, GATEWAY_P256.cose]}, OK, "two suites side by side"),
        ({"recipients": recipients[:1]}, OK, "one recipient"),
        ({"recipients": recipients[::-1]}, OK, "the recipients in another order"),
        ({"recipients": recipients * 2}, FORMAT, "each recipient twice"),
        ({"recipients": recipients[:1] * 2}, FORMAT, "a recipient twice"),
        ({"recipients": [*recipients, bad_point]}, FORMAT, "a recipient that is not on its curve"),
        ({"recipients": [*recipients, RECEIPT.cose]}, FORMAT, "a receipt key among recipients"),
        ({"recipients": [*recipients, b"\xa0"]}, FORMAT, "an empty key among recipients"),
        ({"recipients": [GATEWAY_P256.private_cose]}, FORMAT, "a private key among recipients"),
        ({"receipt_keys": []}, FORMAT, "no receipt key"),
        ({"receipt_keys": [RECEIPT.cose] * 2}, FORMAT, "a receipt key twice"),
        ({"receipt_keys": [TPM_RECEIPT.cose, RECEIPT.cose]}, OK, "two receipt keys"),
        ({"receipt_keys": [GATEWAY.cose]}, FORMAT, "a recipient among receipt keys"),
        ({"receipt_keys": [bad_point]}, FORMAT, "a receipt key that is not on its curve"),
        ({"fleet_keys": []}, OK, "no fleet key"),
        ({"fleet_keys": [FLEET.cose] * 2}, FORMAT, "a fleet key twice"),
        ({"fleet_keys": [FLEET.cose.hex()]}, FORMAT, "a fleet key as text"),
    ):
        book.add(good.resigned({**P256_KEYS, **changed}, expect, why))
    five = [SigningKey(f"receipt {n}").cose for n in range(5)]
    for count, expect in ((4, OK), (5, FORMAT)):
        payload = {**P256_KEYS, "receipt_keys": five[:count]}
        book.add(good.resigned(payload, expect, f"{count} receipt keys"))
    more = [*recipients, GATEWAY.cose, RECOVERY.cose, STRANGER.cose]
    for count, expect in ((4, OK), (5, FORMAT)):
        payload = {**P256_KEYS, "recipients": more[:count]}
        book.add(good.resigned(payload, expect, f"{count} recipients"))
    follows = {"follows": good.base}
    for epoch, expect in ((5, OK), (2**31, OK), (4, EPOCH), (3, EPOCH), (1, EPOCH)):
        body = keyset_body(epoch, GATEWAY_P256.cose)
        why = f"another keyset of epoch {epoch} offered where epoch 4 is in force"
        book.add(good.case(keyset(body), expect, why, **follows))
    book.add(good.case(good.raw, OK, "the keyset in force offered again", **follows))
    book.add(good.case(hybrid.raw, EPOCH, "an older keyset put back", **follows))
