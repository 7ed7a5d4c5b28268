"""Bringing the ledger to the hospital until the hospital has signed for its head.

The uplink reads the ledger's files and carries entries; it can neither write nor sign one. It
carries what is durable and no more (``appliance.tidemark``): an entry that the hospital has must
survive a power cut here. The hospital says how many it has (``LedgerHave``), and everything after
that is sent, in batches, one at a time. That question is asked anew on every connection, so
nothing needs remembering.

A device that began a new ledger has older ones too. The hospital expects a new one to go on from
the head of the last, so the older one goes first, unless the hospital will not take it.

When the hospital has more entries than the file, the file is an old copy (a restored card, say).
The uplink cannot judge that; it shows its newest entry, and the hospital sees the contradiction.
"""

import logging
import os
import re
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance import tidemark
from wire.ledger import read_frames
from wire.messages import MAX_BATCH, LedgerBatch, LedgerHave

log = logging.getLogger(__name__)

ANSWER_SECONDS: Final = 10.0
GATHER_SECONDS: Final = 0.5  # one press makes several entries: they travel together
LONGEST_PAUSE_SECONDS: Final = 300.0
_PIECE: Final = 256 * 1024
_NAME: Final = re.compile(r"([0-9a-f]{32})\.wsl")


class LedgerFile:
    """Where each whole entry of one ledger file stands; the entries themselves stay on disk."""

    def __init__(self, path: Path, seen: Callable[[bytes], None]) -> None:
        self._path = path
        self._seen = seen
        self._starts = array("Q")
        self._end = 0  # of the last whole frame

    @property
    def count(self) -> int:
        """Whole entries seen so far."""
        return len(self._starts)

    def look(self, most: int | None = None) -> bool:
        """Take in what was appended, of the first ``most`` bytes (None: all) at most.

        False when the file became shorter than it was.
        """
        size = self._path.stat().st_size
        size = size if most is None else min(size, most)
        if size < self._end:
            self._starts, self._end = array("Q"), 0
            return False
        with self._path.open("rb") as file:
            while self._end < size:
                file.seek(self._end)
                raws, used = read_frames(file.read(min(_PIECE, size - self._end)))
                if not used:
                    break  # torn, or still being written
                at = self._end
                for raw in raws:
                    self._starts.append(at)
                    self._seen(raw)
                    at += 4 + len(raw)
                self._end = at
        return True

    def entries(self, first: int, most_bytes: int) -> tuple[bytes, ...]:
        """Return entries from number ``first``: as many as a batch may hold, at least one."""
        last = min(first + MAX_BATCH, self.count)
        while last > first + 1 and self._start(last) - self._starts[first] > most_bytes:
            last -= 1
        start = self._starts[first]
        with self._path.open("rb") as file:
            raws, _ = read_frames(os.pread(file.fileno(), self._start(last) - start, start))
        return tuple(raws)

    def _start(self, n: int) -> int:
        return self._starts[n] if n < self.count else self._end


@dataclass
class LedgerSync:
    """How far one ledger is known to have come. Pure: time and counts are told to it."""

    ledger: bytes
    count: int = 0
    have: int | None = None
    covered: bool = False
    refused: bool = False  # the hospital does not take what comes next
    _due: float = 0.0
    _sent: int | None = None  # entries were sent from here, and no answer has come yet
    _shown: int = -1  # our newest entry was shown to a hospital that has more
    _pause: float = ANSWER_SECONDS
    _unheard: int = 0

    def online(self, now: float) -> None:
        """Begin with the question what the hospital has."""
        self.have, self._sent, self._due, self._pause = None, None, now, ANSWER_SECONDS

    def grew(self, count: int, now: float) -> None:
        """The file holds so many whole entries now."""
        if count != self.count:
            self.count = count
            self.covered = False
            if self.have is not None and self._sent is None:
                self._due = now + GATHER_SECONDS

    def deadline(self) -> float | None:
        """When ``pull`` may have something to say; None when all is said."""
        return None if self._done() else self._due

    def pull(self, now: float) -> int | None:
        """Return the number of the first entry to send now, ``count`` for the bare question."""
        if now < self._due or self._done():
            return None
        self._due = now + ANSWER_SECONDS
        if self.have is None or self._sent is not None or self.have == self.count:
            self.have, self._sent = None, None
            return self.count
        if self.have > self.count:
            self._shown = self.count
        self._sent = min(self.have, max(0, self.count - 1))
        return self._sent

    def heard(self, message: LedgerHave, now: float) -> None:
        """Take in the hospital's word; whether its signature holds is the panel's to say."""
        self.refused = self._sent is not None and message.next <= self._sent
        self.have, self._sent, self._unheard = message.next, None, 0
        self.covered = message.checkpoint is not None and message.next == self.count
        if self.refused:  # no use in hurrying
            self._due = now + self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)
        else:
            self._pause = ANSWER_SECONDS
            self._due = now if message.next != self.count else now + ANSWER_SECONDS

    def not_taken(self, now: float) -> None:
        """Nobody heard the last batch; soon somebody may."""
        self._due = now + min(2.0**self._unheard, ANSWER_SECONDS)
        self._unheard = min(self._unheard + 1, 10)

    @property
    def settled(self) -> bool:
        """There is no use in waiting for this one before a newer one is sent."""
        return self.refused or self._done()

    def _done(self) -> bool:
        if self.have is None:
            return self.count == 0
        return self.covered or (self.have > self.count and self._shown == self.count)


class Ledgers:
    """Every ledger of this device: the one being written, and those it began before."""

    def __init__(self, directory: Path, mark: Path, seen: Callable[[bytes], None]) -> None:
        self._directory = directory
        self._mark = mark
        self._seen = seen
        self._files: dict[bytes, LedgerFile] = {}
        self.syncs: dict[bytes, LedgerSync] = {}

    def look(self, now: float) -> None:
        """Take in new files and new entries; nothing before the panel has said what is durable."""
        durable = tidemark.read(self._mark)
        if durable is None:
            return
        try:
            paths = sorted(self._directory.glob("*.wsl"), key=_written)
        except OSError as error:
            log.warning("the ledgers cannot be read: %s", error.strerror)
            return
        for path in paths:
            match = _NAME.fullmatch(path.name)
            if match is None:
                continue
            ledger = bytes.fromhex(match[1])
            if ledger not in self._files:
                self._files[ledger] = LedgerFile(path, self._seen)
                self.syncs[ledger] = LedgerSync(ledger)
                self.syncs[ledger].online(now)
            self._look_at(ledger, durable.length if ledger == durable.ledger else None, now)

    def _look_at(self, ledger: bytes, most: int | None, now: float) -> None:
        file, sync = self._files[ledger], self.syncs[ledger]
        try:
            if not file.look(most):
                log.warning("ledger %s… became shorter", ledger.hex()[:8])
                sync.online(now)
                file.look(most)
        except OSError as error:
            log.warning("ledger %s… cannot be read: %s", ledger.hex()[:8], error.strerror)
            return
        sync.grew(file.count, now)

    def online(self, now: float) -> None:
        for sync in self.syncs.values():
            sync.online(now)

    def deadline(self) -> float | None:
        """When ``pull`` may have something to say; None when all is said."""
        due = (sync.deadline() for sync in self._in_turn())
        return min((at for at in due if at is not None), default=None)

    def pull(self, now: float, largest: int) -> LedgerBatch | None:
        """Return the next batch to publish, of at most ``largest`` encoded bytes."""
        for sync in self._in_turn():
            first = sync.pull(now)
            if first is None:
                continue
            entries: tuple[bytes, ...] = ()
            if first < sync.count:
                try:
                    # Each entry has a head of its own in the batch, up to 3 bytes.
                    most = largest - 128 - 3 * MAX_BATCH
                    entries = self._files[sync.ledger].entries(first, most)
                except OSError as error:
                    log.warning("a ledger cannot be read: %s", error.strerror)
                    continue
            return LedgerBatch(sync.ledger, first, entries)
        return None

    def _in_turn(self) -> Iterator[LedgerSync]:
        """Oldest first, up to the one that has to be waited for."""
        for sync in self.syncs.values():
            yield sync
            if not sync.settled:
                return


def _written(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
