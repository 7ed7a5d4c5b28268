"""The durable ledger file: nothing is announced before its entry would survive a power cut.

One file per ledger, ``<ledger id>.wsl``; ``current`` names the one being written. Opening
recovers: a torn tail (a power cut while appending) is cut at the last whole entry and a FAULT
entry says so; a chain that does not hold is left as it is for whoever investigates, and a new
ledger is begun that names the old one's last good head. Nothing is ever rewritten.
"""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from appliance.clock import Clock
from base.durable import fsync_dir, write_all, write_atomic
from base.errors import WardsealError
from wire import events, shapes
from wire.ledger import (
    GENESIS,
    Entry,
    SignedEntry,
    frame,
    sign_entry,
    verify_file,
)
from wire.signing import Signer

LONGEST: Final = 20_000
"""Entries after which a restart begins a new ledger, so that start-up stays quick."""


class LedgerUnavailable(WardsealError):
    """The ledger cannot be written, so nothing may happen that it would have to announce."""


@dataclass(frozen=True)
class _Read:
    """What a ledger file held: good entries, their bytes, and what was wrong, in words."""

    entries: tuple[SignedEntry, ...]
    torn: int
    damage: str


class DurableLedger:
    """Append-only, signed, fsynced. ``entries`` holds what opening found, oldest first."""

    def __init__(
        self, directory: Path, *, device: str, signer: Signer, clock: Clock, boot: bytes
    ) -> None:
        self._directory = directory
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
        current = self._current()
        if current is None:
            self._begin()
            self.append(events.Boot(version, "first start"))
            return
        read = self._read(self._path(current))
        self.entries = read.entries
        last = read.entries[-1] if read.entries else None
        if last is None or read.damage or len(read.entries) >= LONGEST:
            why = read.damage or ("rotated" if last else "the old ledger was empty")
            previous = events.Previous(current, last.entry.seq, last.digest) if last else None
            self._begin()
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
            raise LedgerUnavailable(f"the ledger cannot be written: {e.strerror}") from e
        self._length += len(data)
        self._head = signed
        return signed

    def keep_checkpoint(self, ledger: bytes, raw: bytes) -> None:
        """Keep the hospital's latest countersignature beside the ledger file that it covers.

        It need not survive a power cut: the hospital gives it again at the next sync.
        """
        path = self._path(ledger)
        if path.exists():
            write_atomic(path.with_suffix(".checkpoint"), raw, mode=0o640, durable=False)

    @property
    def ready(self) -> bool:
        """Whether ``open`` succeeded, BOOT entry and all."""
        return self._ready

    def check(self) -> None:
        """Raise LedgerUnavailable while the directory cannot be written."""
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            write_atomic(self._directory / "probe", b"")
        except OSError as e:
            raise LedgerUnavailable(f"the ledger cannot be written: {e.strerror}") from e

    def close(self) -> None:
        """Close the file; later appends fail."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _path(self, ledger: bytes) -> Path:
        return self._directory / f"{ledger.hex()}.wsl"

    def _current(self) -> bytes | None:
        try:
            ledger = bytes.fromhex((self._directory / "current").read_text().strip())
        except FileNotFoundError:
            return None
        except ValueError:
            return b""
        return ledger if len(ledger) == 16 else b""

    def _begin(self) -> None:
        self.ledger = secrets.token_bytes(16)
        self._head, self._length = None, 0
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._descriptor = os.open(self._path(self.ledger), flags, 0o640)
        fsync_dir(self._directory)
        write_atomic(self._directory / "current", self.ledger.hex().encode(), mode=0o640)

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
