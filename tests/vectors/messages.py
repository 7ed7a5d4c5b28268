"""Chapter 8: the messages of a transfer, of ledger synchronisation, and of state."""

from tests.vectors.sealing import seed
from tests.vectors.shapes_of_spec import (
    COUNT,
    HASH,
    ID16,
    SHORT,
    B,
    Flag,
    I,
    List,
    Name,
    Opt,
    right_maps,
    wrong_maps,
)
from tests.vectors.signed import FORMAT, OK
from tests.vectors.spelling import det, head, misspellings
from tests.vectors.writing import Book, Case

MAX_ENVELOPE = 40 * 1024 * 1024
MAX_CHUNKS = 2560
INDEX = I(0, MAX_CHUNKS - 1)
SIGNED = B(1, 8192)

FIELDS: dict[str, tuple[str, dict[str, object]]] = {
    "init": (
        "up",
        {
            "photo": HASH,
            "size": I(1, MAX_ENVELOPE),
            "chunk": I(16384, 1048576),
            "consent": SIGNED,
            "intent": SIGNED,
            "sealed": SIGNED,
        },
    ),
    "query": ("up", {"photo": HASH}),
    "data": ("up", {"photo": HASH, "i": INDEX, "bytes": B(1, 1048576)}),
    "fin": ("up", {"photo": HASH}),
    "batch": (
        "up",
        {"ledger": ID16, "first": COUNT, "entries": List(B(1, 4096), 0, 64)},
    ),
    "state": ("up", {"online": Flag(), "boot": ID16, "session": COUNT}),
    "ready": (
        "down",
        {"photo": HASH, "to": Name(gateway=True), "have": B(0, 320), "credit": I(1, 256)},
    ),
    "nack": ("down", {"photo": HASH, "ranges": List(List(INDEX, 2, 2), 1, 256)}),
    "busy": ("down", {"photo": HASH, "seconds": I(1, 3600)}),
    "refused": ("down", {"photo": HASH, "reason": SHORT}),
    "unknown": ("down", {"photo": HASH}),
    "receipt": ("down", {"photo": HASH, "receipt": SIGNED}),
    "have": ("down", {"ledger": ID16, "next": COUNT, "checkpoint": Opt(SIGNED)}),
}
SAMPLES: dict[str, object] = {
    "photo": seed("photo"),
    "size": 3_800_000,
    "chunk": 98304,
    "consent": b"consent entry",
    "intent": b"intent entry",
    "sealed": b"sealed entry",
    "i": 38,
    "bytes": b"thirty-two bytes of ciphertext...",
    "ledger": seed("ledger")[:16],
    "first": 7,
    "entries": [b"one entry", b"the next"],
    "online": True,
    "boot": seed("boot")[:16],
    "session": 2,
    "to": "gw-1",
    "have": b"\x07\x80",
    "credit": 8,
    "ranges": [[0, 3], [17, 17]],
    "seconds": 10,
    "reason": "no such device",
    "receipt": b"a signed receipt",
    "next": 12,
    "checkpoint": b"a countersignature",
}


def write(book: Book) -> None:
    for kind, (way, table) in FIELDS.items():
        good = {name: SAMPLES[name] for name in table}
        base = f"message {kind}"
        book.base(base, det([kind, good]))

        def add(data: bytes, expect: str, why: str, value: object = None) -> None:
            book.add(Case("message", way, data, expect, f"{kind}: {why}", base, value=value))  # noqa: B023

        add(book.bases[base], OK, "as it should be", [kind, good])
        for body, why in right_maps(table, good):
            add(det([kind, body]), OK, why)
        for body, why in wrong_maps(table, good):
            add(det([kind, body]), FORMAT, why)
        for data, why in misspellings([kind, good]):
            add(data, FORMAT, why)
        data = book.bases[base]
        for length in range(0, len(data), max(1, len(data) // 6)):
            add(data[:length], FORMAT, f"cut after {length} bytes")
        add(data + b"\0", FORMAT, "a byte too many")
        for value, why in (
            ([kind, good, None], "three parts"),
            ([kind], "no fields"),
            ([good, kind], "name and fields swapped"),
            ([kind.upper(), good], "the name in another case"),
            ([kind.encode(), good], "the name as bytes"),
            ([kind, list(good.values())], "the fields in an array"),
            ([kind, det(good)], "the fields wrapped"),
            ({kind: good}, "a map"),
        ):
            add(det(value), FORMAT, why)
    _particular(book)


def _particular(book: Book) -> None:
    def add(way: str, value: object, expect: str, why: str) -> None:
        data = det(value)
        assert isinstance(value, list)
        base = f"message {value[0]}" if value[0] in FIELDS else ""
        book.add(Case("message", way, data, expect, f"{value[0]}: {why}", base))

    photo, ledger = SAMPLES["photo"], SAMPLES["ledger"]
    for kind in ("", "publish", "init2", "Init", "cmd"):
        add("both", [kind, {"photo": photo}], FORMAT, "a kind that is not known")
    nacks: list[tuple[object, str, str]] = [
        ([[0, 0]], OK, "one chunk"),
        ([[0, 2559]], OK, "every chunk"),
        ([[5, 4]], OK, "a range that ends before it begins; the device starts over"),
        ([[n, n] for n in range(256)], OK, "256 ranges"),
        ([[n, n] for n in range(257)], FORMAT, "257 ranges"),
        ([[0]], FORMAT, "a range of one number"),
        ([[0, 1, 2]], FORMAT, "a range of three numbers"),
        ([[]], FORMAT, "an empty range"),
        ([0, 1], FORMAT, "numbers in place of ranges"),
        ([[0, 2560]], FORMAT, "a chunk beyond the largest photo"),
        ([[-1, 0]], FORMAT, "a chunk before the first"),
        ([[0, True]], FORMAT, "true as a number"),
    ]
    for ranges, expect, why in nacks:
        add("down", ["nack", {"photo": photo, "ranges": ranges}], expect, why)
    batches: list[tuple[object, str, str]] = [
        ([], OK, "no entries: the question what the hospital has"),
        ([b"x"] * 64, OK, "64 entries"),
        ([b"x"] * 65, FORMAT, "65 entries"),
        ([b""], FORMAT, "an empty entry"),
        (["x"], FORMAT, "an entry of text"),
        ([[b"x"]], FORMAT, "an entry in an array"),
        ([None], FORMAT, "an entry that is null"),
    ]
    for entries, expect, why in batches:
        add("up", ["batch", {"ledger": ledger, "first": 0, "entries": entries}], expect, why)
    for length, expect in ((4096, OK), (4097, FORMAT)):
        value = ["batch", {"ledger": ledger, "first": 0, "entries": [bytes(length)]}]
        add("up", value, expect, f"an entry of {length} bytes")
    for length, expect in ((8192, OK), (8193, FORMAT)):
        value = ["receipt", {"photo": photo, "receipt": bytes(length)}]
        add("down", value, expect, f"a receipt of {length} bytes")
    for length, expect in ((320, OK), (321, FORMAT)):
        value = ["ready", {"photo": photo, "to": "gw-1", "have": bytes(length), "credit": 1}]
        add("down", value, expect, f"a bitmap of {length} bytes")
    start = head(4, 2) + det("data") + head(5, 3) + det("i") + b"\0" + det("bytes")
    for promised in (1, 2**20, 2**32, 2**63, 2**64 - 1):
        data = start + head(2, promised)
        why = f"data: {promised} bytes of chunk promised, none there"
        book.add(Case("message", "up", data, FORMAT, why, "message data"))
    for promised in (2**16, 2**32, 2**64 - 1):
        data = head(4, 2) + det("nack") + head(5, 2) + det("photo") + det(photo)
        data += det("ranges") + head(4, promised)
        why = f"nack: {promised} ranges promised, none there"
        book.add(Case("message", "down", data, FORMAT, why, "message nack"))
