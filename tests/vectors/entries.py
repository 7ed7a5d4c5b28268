"""Chapter 3: ledger entries, and what each type's body holds."""

from tests.vectors.sealing import DEVICE, OTHER_DEVICE, RECEIPT, TPM_DEVICE, seed, sign1
from tests.vectors.shapes_of_spec import (
    COUNT,
    HASH,
    ID16,
    MILLIS,
    SHORT,
    E,
    I,
    Map,
    Name,
    Opt,
    T,
    right_maps,
    wrong_maps,
)
from tests.vectors.signed import FORMAT, KEY, OK, TYPES, Signed, another_algorithm, basics, fields
from tests.vectors.spelling import misspellings
from tests.vectors.writing import Book

LEVEL = E(("care", "teaching"))
BASIS = E(("agreed", "emergency", "no-capacity", "proxy"))
WORDING: dict[str, object] = {"id": T(1, 16), "language": T(2, 8), "hash": HASH}
PREVIOUS: dict[str, object] = {"ledger": ID16, "seq": COUNT, "head": HASH}

BODIES: dict[str, dict[str, object]] = {
    "BOOT": {"version": SHORT, "why": SHORT, "previous": Opt(Map(PREVIOUS))},
    "CONSENT": {"level": LEVEL, "basis": BASIS, "wording": Map(WORDING)},
    "ATTEST": {"consent": HASH, "commitment": HASH},
    "INTENT": {"consent": HASH, "level": LEVEL, "basis": BASIS, "attest": Opt(HASH)},
    "SEALED": {"intent": HASH, "photo": HASH, "size": COUNT},
    "UNDO": {"intent": HASH, "photo": Opt(HASH)},
    "WINDOW": {"consent": HASH, "why": SHORT, "photos": COUNT},
    "RECEIPT": {
        "photo": HASH,
        "status": SHORT,
        "number": COUNT,
        "receipt": HASH,
        "reason": Opt(SHORT),
    },
    "WIPED": {"intent": HASH, "why": SHORT, "photo": Opt(HASH)},
    "LOST": {"intent": HASH, "why": SHORT, "photo": Opt(HASH)},
    "FAULT": {"code": SHORT, "why": SHORT},
    "KEYSET": {"epoch": COUNT, "hash": HASH},
}

ENTRY_FIELDS: dict[str, object] = {
    "device": Name(),
    "ledger": ID16,
    "seq": COUNT,
    "prev": HASH,
    "boot": ID16,
    "mono_ns": I(0, 2**63),
    "wall_ms": MILLIS,
    "trust": E(("synced", "rtc", "floor", "none")),
    "body": Map({}),
}
LEDGER, BOOT = seed("ledger")[:16], seed("boot")[:16]


def good_body(type_: str) -> dict[str, object]:
    """A body of this type with every field, optional ones included."""
    samples: dict[str, object] = {
        "version": "0.1",
        "why": "start",
        "previous": {"ledger": seed("older")[:16], "seq": 7, "head": seed("older head")},
        "level": "care",
        "basis": "agreed",
        "wording": {"id": "care-1", "language": "en", "hash": seed("wording")},
        "consent": seed("consent"),
        "commitment": seed("commitment"),
        "attest": seed("commitment"),
        "intent": seed("intent"),
        "photo": seed("photo"),
        "size": 3_800_000,
        "photos": 2,
        "status": "FILED",
        "number": 1,
        "receipt": seed("receipt digest"),
        "reason": "revoked",
        "code": "no-camera",
        "epoch": 3,
        "hash": seed("keyset"),
    }
    return {name: samples[name] for name in BODIES[type_]}


def payload(type_: str, body: dict[str, object], **changed: object) -> dict[str, object]:
    """An entry's payload."""
    return {
        "device": "ward-7",
        "ledger": LEDGER,
        "seq": 12,
        "prev": seed("prev"),
        "boot": BOOT,
        "mono_ns": 86_400_000_000_000,
        "wall_ms": 1767225600000,
        "trust": "synced",
        "type": type_,
        "body": body,
        **changed,
    }


def write(book: Book) -> None:
    given: dict[str, object] = {"keys": ["device", "tpm-device"]}
    consent = payload("CONSENT", good_body("CONSENT"))
    good = Signed("entry", "up", "entry CONSENT", DEVICE, TYPES[0], consent, given)
    basics(book, good, stride=10)
    fields(book, good, ENTRY_FIELDS)
    tpm = Signed("entry", "up", "entry CONSENT ES256", TPM_DEVICE, TYPES[0], consent, given)
    another_algorithm(book, tpm)
    for type_, body in BODIES.items():
        _bodies(book, type_, body, given)
    for type_ in ("CLOCK", "CONFIG", "COMMAND"):
        why = f"{type_} has no body in this version"
        book.add(good.resigned(payload(type_, {}), FORMAT, why))
    for wrong in ("", "consent", "PUBLISH", "CONSENT ", 1, None, b"CONSENT"):
        book.add(good.resigned({**consent, "type": wrong}, FORMAT, f"the type {wrong!r}"))
    for type_ in BODIES:
        if type_ != "CONSENT":
            why = f"a CONSENT's body in an entry of type {type_}"
            book.add(good.resigned({**consent, "type": type_}, FORMAT, why))
    for level in ("publication", "research", "CARE", "care ", ""):
        body = {**good_body("CONSENT"), "level": level}
        book.add(good.resigned(payload("CONSENT", body), FORMAT, f"the level {level!r}"))
    long = payload("FAULT", {"code": "x", "why": "y"}, extra="z" * 4096)
    book.add(good.resigned(long, FORMAT, "an entry of more than 4096 bytes"))
    for name in ("patient", "mrn", "badge", "band"):
        body = {**good_body("CONSENT"), name: "1234567"}
        why = f"a body that holds a {name}: no field is taken that is not in the table"
        book.add(good.resigned(payload("CONSENT", body), FORMAT, why))
    for key, why in ((OTHER_DEVICE, "another device's key"), (RECEIPT, "a receipt key")):
        book.add(good.case(sign1(key, TYPES[0], consent), KEY, f"{why} signs an entry"))


def _bodies(book: Book, type_: str, table: dict[str, object], given: dict[str, object]) -> None:
    body = good_body(type_)
    base = f"entry {type_}"
    good = Signed("entry", "up", base, DEVICE, TYPES[0], payload(type_, body), given)
    book.base(base, good.raw)
    book.add(good.case(good.raw, OK, f"a {type_} entry"))
    for wrong, why in right_maps(table, body):
        book.add(good.resigned(payload(type_, wrong), OK, f"{type_}: {why}"))
    for wrong, why in wrong_maps(table, body):
        book.add(good.resigned(payload(type_, wrong), FORMAT, f"{type_}: {why}"))
    for name, inner in (("wording", WORDING), ("previous", PREVIOUS)):
        found = body.get(name)
        if not isinstance(found, dict):
            continue
        for wrong, why in right_maps(inner, found):
            changed = {**body, name: wrong}
            book.add(good.resigned(payload(type_, changed), OK, f"{type_}.{name}: {why}"))
        for wrong, why in wrong_maps(inner, found):
            changed = {**body, name: wrong}
            book.add(good.resigned(payload(type_, changed), FORMAT, f"{type_}.{name}: {why}"))
    if type_ == "BOOT":
        for data, why in misspellings(payload(type_, body)):
            book.add(good.resigned(data, FORMAT, f"{type_}: {why}"))
