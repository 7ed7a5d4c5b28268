"""The durable ledger file: nothing is announced before its entry would survive a power cut.

One file per ledger, ``<ledger id>.wsl``; ``current`` names the one being written. Opening
recovers: a torn tail (a power cut while appending) is cut at the last whole entry and a FAULT
entry says so; a chain that does not hold is left as it is for whoever investigates, and a new
ledger is begun that names the old one's last good head. Nothing is ever rewritten.

``current`` also names the ledger before: a new one is in use once its BOOT entry is whole, and
until then the old one still is.

The uplink reads the same files; ``appliance.tidemark`` tells it how far they are durable.
"""

import logging
import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from appliance import tidemark
from appliance.clock import Clock
from appliance.tidemark import Tidemark
from base.durable import fsync_dir, write_all, write_atomic
from base.errors import WardsealError
from wire import events, shapes
from wire.ledger import (
    GENESIS,
    MAX_FRAME,
    Entry,
    EntryType,
    SignedEntry,
    frame,
    sign_entry,
    verify_file,
)
from wire.signing import PublicKey, Signer

log = logging.getLogger(__name__)

LONGEST: Final = 20_000
"""Entries after which a restart begins a new ledger, so that start-up stays quick."""

_ROTATED: Final = "rotated"


class LedgerUnavailable(WardsealError):
    """The ledger cannot be written, so nothing may happen that it would have to announce."""


@dataclass(frozen=True)
class _Read:
    """What a ledger file held: good entries, their bytes, and what was wrong, in words."""

    entries: tuple[SignedEntry, ...]
    torn: int
    damage: str


class DurableLedger:
    """Append-only, signed, fsynced. ``entries`` holds what opening found, oldest first.

    A photo that is under way is never forgotten: no ledger is rotated while there is one, and
    when damage has ended a ledger, ``entries`` begins with what was sound of it.
    """

    def __init__(
        self,
        directory: Path,
        *,
        mark: Path,
        device: str,
        signer: Signer,
        clock: Clock,
        boot: bytes,
    ) -> None:
        self._directory = directory
        self._mark = mark
        self._device = device
        self._signer = signer
        self._clock = clock
        self._boot = boot
        self._descriptor = -1
        self._length = 0
        self._head: SignedEntry | None = None
        self._ready = False
        self.floor_ms = 0
        self.ledger = b""
        self.entries: tuple[SignedEntry, ...] = ()

    def open(self, version: str) -> None:
        """Recover the current ledger, or begin one, and append BOOT.

        Raises LedgerUnavailable when the disk cannot be written.
        """
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._open(version)
            self._ready = True
        except OSError as e:
            raise LedgerUnavailable(f"the ledger cannot be opened: {e.strerror}") from e

    def _open(self, version: str) -> None:
        found = self._latest()
        if found is None:
            self._begin(b"")
            self.append(events.Boot(version, "first start"))
            return
        current, read = found
        self.entries = (*self._earlier(read.entries), *read.entries)
        last = read.entries[-1] if read.entries else None
        too_long = len(read.entries) >= LONGEST and not _under_way(self.entries)
        if last is None or read.damage or too_long:
            why = read.damage or (_ROTATED if last else "the old ledger was empty")
            previous = events.Previous(current, last.entry.seq, last.digest) if last else None
            self._finish(current)
            self._begin(current)
            self.append(events.Boot(version, shapes.short(why), previous))
            if read.damage:
                self.append(events.Fault("ledger-damaged", shapes.short(read.damage)))
            return
        self.ledger, self._head = current, last
        path = self._path(current)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        self._length = os.fstat(self._descriptor).st_size - read.torn
        if read.torn:
            os.ftruncate(self._descriptor, self._length)
            os.fsync(self._descriptor)
        self.append(events.Boot(version, "restart" if last.entry.boot == self._boot else "start"))
        if read.torn:
            self.append(events.Fault("ledger-torn", f"{read.torn} bytes of a torn entry were cut"))

    def append(self, body: Any) -> SignedEntry:
        """Sign and append one entry (a body of wire.events); it is on disk when this returns.

        Raises LedgerUnavailable; then nothing was appended.
        """
        if self._descriptor < 0:
            raise LedgerUnavailable("the ledger is not open")
        wall = self._clock.wall(self.floor_ms)
        last = self._head
        signed = sign_entry(
            Entry(
                device=self._device,
                ledger=self.ledger,
                seq=last.entry.seq + 1 if last else 0,
                prev=last.digest if last else GENESIS,
                boot=self._boot,
                mono_ns=self._clock.monotonic_ns(),
                wall_ms=wall.ms,
                trust=wall.trust,
                type=events.TYPES[type(body)],
                body=shapes.to_map(body),
            ),
            self._signer,
        )
        data = frame(signed.raw)
        try:
            # A failed append may have left a part behind; each starts at the last good end.
            os.ftruncate(self._descriptor, self._length)
            os.lseek(self._descriptor, self._length, os.SEEK_SET)
            write_all(self._descriptor, data)
            os.fdatasync(self._descriptor)
        except OSError as e:
            # The uplink reads this file: it must not carry away what was not appended.
            with suppress(OSError):
                os.ftruncate(self._descriptor, self._length)
            raise LedgerUnavailable(f"the ledger cannot be written: {e.strerror}") from e
        self._length += len(data)
        self._head = signed
        self._publish()
        return signed

    def _publish(self) -> None:
        """Let the uplink carry what is durable now."""
        try:
            tidemark.write(self._mark, Tidemark(self.ledger, self._length))
        except OSError as e:
            # The next entry says it as well; until then the hospital waits.
            log.warning("the uplink cannot be told of the ledger's growth: %s", e.strerror)

    def keep_checkpoint(self, ledger: bytes, raw: bytes) -> None:
        """Keep the hospital's latest countersignature beside the ledger file that it covers.

        It need not survive a power cut: the hospital gives it again at the next sync.
        """
        path = self._path(ledger)
        if path.exists():
            write_atomic(path.with_suffix(".checkpoint"), raw, mode=0o640, durable=False)

    @property
    def key(self) -> PublicKey:
        """What this device's entries are verified with."""
        return self._signer.public

    @property
    def ready(self) -> bool:
        """Whether ``open`` succeeded, BOOT entry and all."""
        return self._ready

    def check(self) -> None:
        """Raise LedgerUnavailable while an entry would find no place in the directory."""
        probe = self._directory / "probe"
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            write_atomic(probe, bytes(MAX_FRAME))
            probe.unlink()
        except OSError as e:
            raise LedgerUnavailable(f"the ledger cannot be written: {e.strerror}") from e

    def close(self) -> None:
        """Close the file; later appends fail."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _path(self, ledger: bytes) -> Path:
        return self._directory / f"{ledger.hex()}.wsl"

    def _latest(self) -> tuple[bytes, _Read] | None:
        """Return the ledger in use and what it holds; a new one without an entry is not yet."""
        found: tuple[bytes, _Read] | None = None
        for ledger in self._named():
            read = self._read(self._path(ledger))
            found = found or (ledger, read)
            if read.damage:
                break
            if read.entries:
                return ledger, read
        return found

    def _named(self) -> list[bytes]:
        """Return the ledgers that ``current`` names, the newest first."""
        try:
            words = (self._directory / "current").read_text().split()
            ledgers = [bytes.fromhex(word) for word in words]
        except FileNotFoundError:
            return []
        except ValueError:
            return [b""]
        return [ledger if len(ledger) == 16 else b"" for ledger in ledgers[:2]] or [b""]

    def _earlier(self, entries: tuple[SignedEntry, ...]) -> tuple[SignedEntry, ...]:
        """Return what stands in the ledgers that damage has ended, if photos are under way."""
        boot = events.body_of(entries[0].entry) if entries else None
        if not isinstance(boot, events.Boot) or boot.previous is None or boot.why == _ROTATED:
            return ()
        old = self._read(self._path(boot.previous.ledger)).entries[: boot.previous.seq + 1]
        old = (*self._earlier(old), *old)
        return old if _under_way((*old, *entries)) else ()

    def _finish(self, ledger: bytes) -> None:
        """Flush a ledger that nothing more is written to: a panel may have died before it did."""
        with suppress(FileNotFoundError):
            descriptor = os.open(self._path(ledger), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                os.fdatasync(descriptor)
            finally:
                os.close(descriptor)

    def _begin(self, before: bytes) -> None:
        self.ledger = secrets.token_bytes(16)
        self._head, self._length = None, 0
        self._publish()
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._descriptor = os.open(self._path(self.ledger), flags, 0o640)
        fsync_dir(self._directory)
        names = f"{self.ledger.hex()} {before.hex()}".strip()
        write_atomic(self._directory / "current", names.encode(), mode=0o640)

    def _read(self, path: Path) -> _Read:
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return _Read((), 0, "the ledger file that was in use is missing")
        report, torn = verify_file(data, [self._signer.public])
        if not report.problems:
            return _Read(report.entries, torn, "")
        first = report.problems[0]
        sound = report.entries[: first.index]
        return _Read(sound, torn, f"entry {first.index} of the old ledger: {first.what}")


def _under_way(entries: Iterable[SignedEntry]) -> bool:
    """Tell whether there is a photo that is neither wiped nor lost."""
    photos: set[object] = set()
    for signed in entries:
        match signed.entry.type:
            case EntryType.INTENT:
                photos.add(signed.digest)
            case EntryType.WIPED | EntryType.LOST:
                photos.discard(signed.entry.body.get("intent"))
    return bool(photos)
