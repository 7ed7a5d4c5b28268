"""A ledger file as it lies on the disk: its entries, where each begins, and what follows them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from cli.terminal import read_file
from wire import shapes, signing
from wire.ledger import MAX_ENTRY, TYP_ENTRY, Entry, read_frames

_LARGEST: Final = 1 << 30
"""About two million entries. A device begins a new file long before that."""


@dataclass(frozen=True)
class LedgerFile:
    """``raws``: the entries, none of them checked; ``offsets``: the byte where each begins."""

    path: Path
    raws: tuple[bytes, ...]
    offsets: tuple[int, ...]
    good: int
    tail: bytes

    @cached_property
    def index(self) -> Mapping[bytes, int]:
        """Where an entry stands, by its digest; of two equal ones, the first."""
        found: dict[bytes, int] = {}
        for i, raw in enumerate(self.raws):
            found.setdefault(hashlib.sha256(raw).digest(), i)
        return found

    @property
    def size(self) -> int:
        return self.good + len(self.tail)

    @property
    def torn(self) -> bool:
        """Whether what follows the last entry can be the beginning of one that was cut off."""
        length = int.from_bytes(self.tail[:4], "big")
        return bool(self.tail) and (len(self.tail) < 4 or 0 < length <= MAX_ENTRY)

    @property
    def after_entries(self) -> str:
        """Say what follows the last whole entry; "" when nothing does."""
        if not self.tail:
            return ""
        if self.torn:
            return (
                f"a torn tail: {len(self.tail)} bytes of an entry whose rest is missing, as a power"
                " cut leaves it (the device cuts it off at its next start and says so)"
            )
        return f"{len(self.tail)} bytes that are no entry: damaged, or not a ledger"


def read_ledger(path: Path) -> LedgerFile:
    """Read a ledger; UsageError or FormatError when there is no such file, or it is too large."""
    data = read_file(path, limit=_LARGEST, what="a ledger")
    raws, good = read_frames(data)
    offsets: list[int] = []
    at = 0
    for raw in raws:
        offsets.append(at)
        at += 4 + len(raw)
    return LedgerFile(path, tuple(raws), tuple(offsets), good, data[good:])


def unverified(raw: bytes) -> Entry:
    """Return what an entry says of itself, whoever signed it, if anybody did."""
    _, untrusted_payload = signing.untrusted(raw, typ=TYP_ENTRY)
    return shapes.from_map(Entry, untrusted_payload, "ledger entry")
