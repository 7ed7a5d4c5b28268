"""Cases, and how they are kept: a base and what to change in it, one JSON object per line."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path

HERE = Path(__file__).parent
WORTHWHILE = 9
"""Bytes in common that are shorter to leave than to spell out in two edits."""
BASES, CASES, KEYS = HERE / "bases.json", HERE / "cases.jsonl", HERE / "keys.json"


@dataclass
class Case:
    """One input, who reads it with what (``given``), and what must come of it."""

    kind: str
    way: str
    data: bytes
    expect: str
    why: str
    base: str = ""
    given: dict[str, object] = field(default_factory=dict)
    value: object = None


class Book:
    """Every base and every case, in the order in which they were entered."""

    def __init__(self) -> None:
        self.bases: dict[str, bytes] = {"": b""}
        self.cases: list[Case] = []

    def base(self, name: str, data: bytes) -> bytes:
        assert self.bases.setdefault(name, data) == data, name
        return data

    def add(self, case: Case) -> None:
        assert case.base in self.bases, case.base
        self.cases.append(case)

    def lines(self) -> Iterator[str]:
        """First what most cases of a kind have in common, then the cases, as JSON.

        They are numbered within their kind, and the same input is not asked twice.
        """
        usual = {kind: self._usual(kind) for kind in sorted({case.kind for case in self.cases})}
        yield json.dumps({"usual": usual}, separators=(",", ":"))
        numbers: dict[str, int] = {}
        seen: set[str] = set()
        for case in self.cases:
            asked = json.dumps([case.kind, case.data.hex(), case.given], sort_keys=True)
            if asked in seen:
                continue
            seen.add(asked)
            numbers[case.kind] = numbers.get(case.kind, 0) + 1
            record: dict[str, object] = {
                "id": f"{case.kind}-{numbers[case.kind]:04d}",
                "way": case.way,
                "given": case.given,
                "expect": case.expect,
                "why": case.why,
                "base": case.base,
                "edits": edits(self.bases[case.base], case.data),
                "sha256": hashlib.sha256(case.data).hexdigest()[:8],
            }
            if case.value is not None:
                record["value"] = plain(case.value)
            for name, value in usual[case.kind].items():
                if record[name] == value:
                    del record[name]
            yield json.dumps(record, separators=(",", ":"))

    def _usual(self, kind: str) -> dict[str, object]:
        found: dict[str, object] = {}
        for name in ("way", "given", "base"):
            texts = Counter(
                json.dumps(getattr(case, name)) for case in self.cases if case.kind == kind
            )
            found[name] = json.loads(texts.most_common(1)[0][0])
        return found


def edits(base: bytes, data: bytes) -> list[list[object]]:
    """Edits ``[at, take out, put in]`` that make ``data`` of ``base``, last place first.

    In this order no edit moves the place of another, so ``at`` always counts in the base. A fourth
    number says how often to put it in.
    """
    start, end = _in_common(base, data)
    matcher = SequenceMatcher(
        None, base[start : len(base) - end], data[start : len(data) - end], autojunk=False
    )
    blocks = [(0, 0, start)]
    for a, b, size in matcher.get_matching_blocks():
        if size >= WORTHWHILE:
            blocks.append((start + a, start + b, size))
    made: list[list[object]] = []
    at_base = at_data = 0
    for a, b, size in (*blocks, (len(base) - end, len(data) - end, end)):
        if (at_base, at_data) != (a, b):
            made.extend(_short(at_base, a - at_base, data[at_data:b]))
        at_base, at_data = a + size, b + size
    return made[::-1]


def _short(at: int, out: int, into: bytes) -> list[list[object]]:
    """One edit as it is, or cut in three around a byte or two that are repeated many times."""
    found = re.search(rb"(?s)(.{1,2}?)\1{40,}", into)
    if found is None:
        return [[at, out, into.hex()]]
    times = (found.end() - found.start()) // len(found[1])
    parts: list[list[object]] = [[at, 0, found[1].hex(), times]]
    if found.start():
        parts.insert(0, [at, 0, into[: found.start()].hex()])
    if into[found.end() :] or out:
        parts.append([at, out, into[found.end() :].hex()])
    return parts


def _in_common(base: bytes, data: bytes) -> tuple[int, int]:
    """How many bytes are the same at the beginning, and how many more at the end."""
    shorter = min(len(base), len(data))
    start = next((i for i in range(shorter) if base[i] != data[i]), shorter)
    end = 0
    while end < shorter - start and base[-1 - end] == data[-1 - end]:
        end += 1
    return start, end


def plain(value: object) -> object:
    """A CBOR value as JSON: byte strings become lower-case hexadecimal."""
    match value:
        case bytes():
            return value.hex()
        case list() | tuple():
            return [plain(item) for item in value]
        case dict():
            return {str(key): plain(item) for key, item in value.items()}
    return value


def files(book: Book, keys: Iterable[dict[str, str]]) -> dict[Path, str]:
    """The text of every generated file."""
    bases = {name: data.hex() for name, data in book.bases.items() if name}
    return {
        KEYS: json.dumps(list(keys), indent=1) + "\n",
        BASES: json.dumps(bases, indent=1) + "\n",
        CASES: "".join(line + "\n" for line in book.lines()),
    }
