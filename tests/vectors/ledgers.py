"""Chapter 4: whole ledger files, and countersignatures over them."""

import hashlib

from tests.vectors.entries import BOOT, LEDGER, payload
from tests.vectors.sealing import DEVICE, OTHER_DEVICE, RECEIPT, SigningKey, seed, sign1
from tests.vectors.signed import OK, TYPES
from tests.vectors.writing import Book, Case

CHAIN = "chain failure"
SECOND = 1_000_000_000
STORY: list[tuple[str, dict[str, object]]] = [
    ("BOOT", {"version": "0.1", "why": "first start"}),
    ("KEYSET", {"epoch": 3, "hash": seed("keyset")}),
    (
        "CONSENT",
        {
            "level": "care",
            "basis": "agreed",
            "wording": {"id": "care-1", "language": "en", "hash": seed("wording")},
        },
    ),
    ("INTENT", {"consent": seed("consent"), "level": "care", "basis": "agreed"}),
    ("SEALED", {"intent": seed("intent"), "photo": seed("photo"), "size": 3000}),
    ("WINDOW", {"consent": seed("consent"), "why": "finished", "photos": 1}),
    (
        "RECEIPT",
        {"photo": seed("photo"), "status": "FILED", "number": 1, "receipt": seed("receipt digest")},
    ),
    ("WIPED", {"intent": seed("intent"), "why": "FILED", "photo": seed("photo")}),
    ("BOOT", {"version": "0.1", "why": "start"}),
    ("FAULT", {"code": "no-camera", "why": "no camera answered"}),
]


def frame(raw: bytes) -> bytes:
    return len(raw).to_bytes(4, "big") + raw


def join(raws: list[bytes]) -> bytes:
    return b"".join(map(frame, raws))


def chain(
    changes: dict[int, dict[str, object]] | None = None, key: SigningKey = DEVICE
) -> list[bytes]:
    """The story as raw entries, each naming the one before; ``changes`` to payloads by number."""
    raws: list[bytes] = []
    for n, (type_, body) in enumerate(STORY):
        fields: dict[str, object] = {
            "seq": n,
            "prev": hashlib.sha256(raws[-1]).digest() if raws else bytes(32),
            "boot": BOOT if n < 8 else seed("second boot")[:16],
            "mono_ns": (100 + n if n < 8 else 50 + n) * SECOND,
            "wall_ms": 1767225600000 + 1000 * n,
        }
        raws.append(
            sign1(key, TYPES[0], payload(type_, body, **{**fields, **(changes or {}).get(n, {})}))
        )
    return raws


def relink(raws: list[bytes], start: int, changed: dict[str, object]) -> list[bytes]:
    """The story with entry ``start`` changed and every later one made to fit."""
    return raws[:start] + chain({start: changed})[start:]


class Files:
    """Enters cases of ledger files, all changed from one good file."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.raws = chain()
        self.data = join(self.raws)
        book.base("ledger", self.data)

    def case(self, data: bytes, expect: str, why: str, value: object, **given: object) -> None:
        given = {"keys": ["device"], **given}
        self.book.add(Case("ledger", "up", data, expect, why, "ledger", given, value))

    def good(self, raws: list[bytes], why: str, rest: bytes = b"", **given: object) -> None:
        head = hashlib.sha256(raws[-1]).digest() if raws else None
        value = {"entries": len(raws), "head": head, "torn": len(rest)}
        self.case(join(raws) + rest, OK, why, value, **given)

    def bad(self, raws: list[bytes] | bytes, at: int, why: str, **given: object) -> None:
        data = raws if isinstance(raws, bytes) else join(raws)
        self.case(data, CHAIN, why, {"first": at}, **given)


def write(book: Book) -> None:
    files = Files(book)
    _torn(files)
    _edited(files)
    _well_linked(files)
    _countersigned(files)


def _torn(files: Files) -> None:
    raws, data = files.raws, files.data
    files.good(raws, "ten entries")
    files.good([], "an empty file")
    for n in range(1, 10):
        files.good(raws[:n], "the end is cut off: a chain cannot show it")
    for n in (0, 1, 5, 9):
        whole = frame(raws[n])
        for more in (1, 3, 4, 5, 100, len(whole) - 1):
            files.good(raws[:n], f"power was cut {more} bytes into entry {n}", whole[:more])
    files.good(raws, "four zero bytes behind the last entry", bytes(4))
    files.good(raws, "a length that cannot be behind the last entry", b"\xff" * 4)
    files.good(raws, "as much as one torn entry can be", b"\xff" * 4100)
    files.bad(data + b"\xff" * 4101, 10, "more than one torn entry can be")
    for n in range(2):
        damaged = join(raws[:n]) + b"\xff\xff\xff\xff" + join(raws[n:])[4:] + data
        why = f"entry {n}'s length is damaged: nothing may be cut off here"
        files.bad(damaged, n, why)


def _edited(files: Files) -> None:
    raws, bad = files.raws, files.bad
    another = chain({m: {"ledger": seed("another ledger")[:16]} for m in range(10)})
    foreign = chain(key=OTHER_DEVICE)
    for n in range(10):
        for at in (len(raws[n]) // 2, len(raws[n]) - 40):
            edited = bytearray(raws[n])
            edited[at] ^= 4
            bad([*raws[:n], bytes(edited), *raws[n + 1 :]], n, f"a bit of entry {n} is changed")
        bad([*raws[: n + 1], *raws[n:]], n + 1, f"entry {n} stands there twice")
        bad([*raws[:n], foreign[n], *raws[n + 1 :]], n, f"entry {n} is signed by another key")
    for n in range(9):
        bad([*raws[:n], *raws[n + 1 :]], n, f"entry {n} is taken out")
        swapped = [*raws[:n], raws[n + 1], raws[n], *raws[n + 2 :]]
        bad(swapped, n, f"entries {n} and {n + 1} are swapped")
    for n in range(1, 9):
        bad([*raws[:n], another[n], *raws[n + 1 :]], n, f"entry {n} is another ledger's")
        rewritten = chain({n: {"wall_ms": 5}})[n]
        why = f"entry {n} is rewritten with the device's own key"
        bad([*raws[:n], rewritten, *raws[n + 1 :]], n + 1, why)
    for n in range(1, 5):
        bad(raws[n:], 0, f"the first {n} entries are missing")


def _well_linked(files: Files) -> None:
    """Files whose every entry names the one before, with one field changed."""
    wrong: list[tuple[int, dict[str, object], str]] = [
        (0, {"seq": 1}, "the first entry is number 1"),
        (0, {"prev": seed("x")}, "the first entry continues something"),
        (4, {"seq": 5}, "a number is left out"),
        (4, {"seq": 3}, "a number comes twice"),
        (4, {"prev": bytes(32)}, "an entry continues nothing"),
        (4, {"prev": seed("x")}, "an entry continues what is not there"),
        (4, {"ledger": seed("another ledger")[:16]}, "one entry of another ledger"),
        (4, {"device": "ward-8"}, "one entry of another device"),
        (4, {"mono_ns": 1}, "monotonic time runs backwards within a boot"),
        (4, {"type": "PUBLISH"}, "a type that is not known"),
    ]
    for n, changed, why in wrong:
        files.bad(relink(files.raws, n, changed), n, why)
    right: list[tuple[int, dict[str, object], str]] = [
        (4, {"wall_ms": 0, "trust": "none"}, "wall time steps back: clocks do"),
        (8, {"mono_ns": 0}, "monotonic time starts anew after a boot"),
        (4, {"mono_ns": 103 * SECOND}, "two entries in one instant"),
    ]
    for n, changed, why in right:
        files.good(relink(files.raws, n, changed), why)


def _countersigned(files: Files) -> None:
    """The same files beside a countersignature over entry 7."""
    raws = files.raws

    def countersign(name: str, **changed: object) -> str:
        body = {
            "device": "ward-7",
            "ledger": LEDGER,
            "seq": 7,
            "head": hashlib.sha256(raws[7]).digest(),
            "time_ms": 1767225700000,
            **changed,
        }
        files.book.base(name, sign1(RECEIPT, TYPES[1], body))
        return name

    right = countersign("checkpoint 7")
    files.good(raws, "everything countersigned is there", checkpoint=right)
    files.good(raws[:8], "it ends where it was countersigned", checkpoint=right)
    for n in (1, 4, 7):
        files.bad(raws[:n], n, f"an older copy of {n} entries is put back", checkpoint=right)
    files.bad(b"", 0, "an empty file", checkpoint=right)
    rewritten = relink(raws, 5, {"wall_ms": 5})
    why = "everything from entry 5 on is rewritten with the device's own key, and fits"
    files.bad(rewritten, 7, why, checkpoint=right)
    rewritten = relink(raws, 8, {"wall_ms": 5})
    why = "rewritten behind the countersigned entry: not found, as promised"
    files.good(rewritten, why, checkpoint=right)
    wrong: list[tuple[str, dict[str, object], int]] = [
        ("checkpoint of another ledger", {"ledger": seed("another ledger")[:16]}, 0),
        ("checkpoint of another device", {"device": "ward-8"}, 0),
        ("checkpoint of another head", {"head": seed("x")}, 7),
        ("checkpoint beyond the end", {"seq": 10}, 10),
    ]
    for name, changed, at in wrong:
        files.bad(raws, at, name, checkpoint=countersign(name, **changed))
