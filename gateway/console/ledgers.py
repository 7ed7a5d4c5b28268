"""A device's ledger as the hospital has it, verified while it is shown."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sqlalchemy import func, select

from base.errors import FormatError, VerificationError
from gateway.evidence import KeyOf
from gateway.store import Store
from gateway.tables import LedgerEntry, LedgerHead
from wire.ledger import frame, open_entry, verify_chain
from wire.ledger_words import Numbers, meaning
from wire.signing import PublicKey

PAGE: Final = 200
_BATCH: Final = 2_000


@dataclass(frozen=True)
class Head:
    """How far the hospital has a ledger: ``entries`` without a gap."""

    device: str
    ledger: str
    entries: int
    digest: str
    begun_ms: int


@dataclass(frozen=True)
class Line:
    """One entry in words. ``wrong``: what does not hold about it."""

    seq: int
    at_ms: int
    trust: str
    type: str
    what: str
    digest: str
    wrong: str = ""


@dataclass(frozen=True)
class Verdict:
    """What a verification of the whole ledger found; it holds when ``problems`` is empty."""

    entries: int
    problems: tuple[str, ...]


class Ledgers:
    """Reads the store. ``key_of(device)``: the registered public key, None for a stranger."""

    def __init__(self, *, store: Store, key_of: KeyOf) -> None:
        self._store = store
        self._key_of = key_of

    def heads(self) -> list[Head]:
        """Return every ledger, the newest first."""
        with self._store.read() as session:
            rows = session.scalars(
                select(LedgerHead).order_by(LedgerHead.device, LedgerHead.begun_ms.desc())
            )
            return [Head(r.device, r.ledger, r.next, r.digest, r.begun_ms) for r in rows]

    def head(self, device: str, ledger: str) -> Head | None:
        """Return one ledger's head; None when there is no such ledger."""
        with self._store.read() as session:
            row = session.get(LedgerHead, (device, ledger))
            if row is None:
                return None
            return Head(row.device, row.ledger, row.next, row.digest, row.begun_ms)

    def lines(self, head: Head, first: int) -> list[Line]:
        """Return up to ``PAGE`` entries from number ``first`` on, each signature checked now."""
        key = self._key_of(head.device)
        numbers = Numbers()
        return [
            _line(seq, raw, key, numbers)
            for seq, raw in self._raws(head, first, min(first + PAGE, head.entries))
        ]

    def verify(self, head: Head) -> Verdict:
        """Check every signature, number and link from the first entry to the head."""
        key = self._key_of(head.device)
        if key is None:
            return Verdict(0, (f"the device {head.device} is not registered: there is no key",))
        last, count, problems = None, 0, []
        for batch in self._batches(head):
            report = verify_chain(batch, (key,), after=last)
            problems += [f"entry {count + p.index}: {p.what}" for p in report.problems]
            count += len(batch)
            last = report.head
            if problems:
                break
        if not problems and count != head.entries:
            problems.append(f"{head.entries - count} of {head.entries} entries are missing")
        if not problems and last is not None and last.digest.hex() != head.digest:
            problems.append("the last entry is not the one that was countersigned")
        return Verdict(count, tuple(problems))

    def file(self, head: Head) -> Iterator[bytes]:
        """Return the ledger as a file that ``wardseal ledger verify`` reads, piece by piece."""
        for batch in self._batches(head):
            yield b"".join(frame(raw) for raw in batch)

    def whole(self, device: str, ledger: str) -> Iterator[bytes]:
        """Return a ledger's file by its name; nothing if the hospital has none of it yet."""
        head = self.head(device, ledger)
        return iter(()) if head is None else self.file(head)

    def count_unchained(self, head: Head) -> int:
        """Return how many entries came ahead with a photo and wait for those before them."""
        with self._store.read() as session:
            return (
                session.scalar(
                    select(func.count())
                    .select_from(LedgerEntry)
                    .where(LedgerEntry.device == head.device, LedgerEntry.ledger == head.ledger)
                    .where(LedgerEntry.chained.is_(False))
                )
                or 0
            )

    def _batches(self, head: Head) -> Iterator[list[bytes]]:
        for first in range(0, head.entries, _BATCH):
            found = [raw for _, raw in self._raws(head, first, min(first + _BATCH, head.entries))]
            if not found:
                return
            yield found

    def _raws(self, head: Head, first: int, end: int) -> list[tuple[int, bytes]]:
        with self._store.read() as session:
            rows = session.execute(
                select(LedgerEntry.seq, LedgerEntry.raw)
                .where(LedgerEntry.device == head.device, LedgerEntry.ledger == head.ledger)
                .where(LedgerEntry.seq >= first, LedgerEntry.seq < end)
                .where(LedgerEntry.chained.is_(True))
                .order_by(LedgerEntry.seq)
            )
            return [(seq, raw) for seq, raw in rows]


def _line(seq: int, raw: bytes, key: PublicKey | None, numbers: Numbers) -> Line:
    if key is None:
        return Line(seq, 0, "", "", "", "", "there is no key to check it with")
    try:
        signed = open_entry(raw, (key,))
    except (FormatError, VerificationError) as e:
        return Line(seq, 0, "", "", "", "", str(e))
    entry = signed.entry
    numbers.add(signed.digest, entry.seq)
    return Line(
        seq=entry.seq,
        at_ms=entry.wall_ms,
        trust=entry.trust.value,
        type=entry.type.value,
        what=meaning(entry, numbers),
        digest=signed.digest.hex(),
    )
