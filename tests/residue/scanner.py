"""Looks for what is left of a photo in running processes and in files, from outside.

It is given the secrets themselves and reads every mapping of a process (``/proc/<pid>/mem``),
every file that a process holds open although it has no name, and every file below given folders.

Large secrets (a raw frame, a JPEG): all 16-byte windows of the secret, at every offset, are known
to it; memory is looked at in aligned blocks of 16 bytes. Any run of 31 bytes of the secret
contains such a block, so none is missed. Windows of fewer than 8 different bytes (a black wall, a
padding) say nothing and do not count, neither as found nor as looked for.

Small secrets (keys): every 8 bytes of them are searched for at every address, because freed
memory often loses its first 16 bytes to the allocator.

A scan that could not read what it had to is an error, not a clean result. So is one that does
not even find the process's own command line, which is in its memory for certain.
"""

import contextlib
import os
import signal
import stat
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.waiting import until

BLOCK = 16
LEAST_DIFFERENT = 8
SMALL = 64
PIECE = 16 * 1024 * 1024
PAGE = os.sysconf("SC_PAGE_SIZE")
UNREADABLE = ("[vvar]", "[vvar_vclock]", "[vsyscall]")
"""The kernel's own pages for clocks, the same in every process; not to be read from outside."""

_BITS = 27
_MIX = np.uint64(0x9E3779B97F4A7C15)
_MIX2 = np.uint64(0xC2B2AE3D27D4EB4F)


class ScanError(Exception):
    """Something could not be looked at, so nothing can be said about it."""


@dataclass
class Findings:
    """What was found: windows of each secret, and where the first few of them are."""

    windows: Counter[str] = field(default_factory=Counter)
    places: list[str] = field(default_factory=list)
    bytes_read: int = 0

    def add(self, name: str, count: int, place: str) -> None:
        self.windows[name] += count
        if len(self.places) < 20:
            self.places.append(f"{name}: {count} windows in {place}")

    def __str__(self) -> str:
        found = "; ".join(self.places) or "nothing"
        return f"{found} ({self.bytes_read / 1e6:.0f} MB looked at)"


class Scanner:
    """Give it the secrets by name, then let it look as often as needed."""

    def __init__(self, secrets: Mapping[str, bytes | memoryview]) -> None:
        self._small: dict[str, list[bytes]] = {}
        self._large: dict[str, _Windows] = {}
        for name, secret in secrets.items():
            if len(secret) <= SMALL:
                data = bytes(secret)
                self._small[name] = [data[i : i + 8] for i in range(0, len(data) - 7, 8)]
            else:
                self._large[name] = _Windows(secret)

    def share(self, name: str) -> float:
        """How much of a large secret's windows say something, 0 to 1."""
        return self._large[name].share

    def process(self, pid: int) -> Findings:
        """Look through one process; it is stopped meanwhile."""
        findings = Findings()
        witness = Path(f"/proc/{pid}/cmdline").read_bytes()
        with _stopped(pid):
            seen = False
            for place, data in _memory(pid):
                seen = seen or witness in data
                findings.bytes_read += len(data)
                self._look(data, f"process {pid}, {place}", findings)
            for path in _nameless_files(pid):
                self._file(path, findings)
        if not witness or not seen:
            raise ScanError(f"not even the command line of process {pid} was seen in its memory")
        return findings

    def files(self, *folders: Path) -> Findings:
        """Look through every file below ``folders``; a file that goes away is not there."""
        findings = Findings()
        for folder in folders:
            for path in sorted(folder.rglob("*")):
                with contextlib.suppress(FileNotFoundError):
                    if stat.S_ISREG(path.lstat().st_mode):
                        self._file(path, findings)
        return findings

    def data(self, data: bytes) -> Findings:
        """Look through bytes, which must begin on a 16-byte boundary of whatever they are from."""
        findings = Findings(bytes_read=len(data))
        self._look(data, "the data", findings)
        return findings

    def _file(self, path: Path, findings: Findings) -> None:
        # Files have no alignment that a copy would keep, so 16 starts are looked at.
        data = path.read_bytes()
        findings.bytes_read += len(data)
        for shift in range(BLOCK if self._large else 1):
            self._look(data[shift:], f"{path} + {shift}", findings, small=shift == 0)

    def _look(self, data: bytes, place: str, findings: Findings, *, small: bool = True) -> None:
        if small:
            for name, needles in self._small.items():
                count = sum(needle in data for needle in needles)
                if count:
                    findings.add(name, count, place)
        if len(data) >= BLOCK and self._large:
            blocks = _blocks(np.frombuffer(data, dtype=np.uint8))
            blocks = blocks[blocks[:, 0] != blocks[:, 1]]  # most of what is empty or even
            for name, windows in self._large.items():
                count = windows.count(blocks)
                if count:
                    findings.add(name, count, place)


class _Windows:
    """All 16-byte windows of a secret, as 64-bit hashes: a table of bits first, then exact."""

    def __init__(self, secret: bytes | memoryview) -> None:
        data = np.frombuffer(secret, dtype=np.uint8)
        starts = [_blocks(data[start:]) for start in range(BLOCK)]
        sample = np.concatenate([blocks[::100] for blocks in starts])
        self.share = float(np.mean(_distinctive(sample)))
        self._known = np.concatenate([_hash(blocks) for blocks in starts])
        self._known.sort()
        self._table = np.zeros(1 << _BITS, dtype=np.bool_)
        self._table[_place(self._known)] = True

    def count(self, blocks: "NDArray[np.uint64]") -> int:
        """Return how many of these blocks are distinctive windows of the secret."""
        hashes = _hash(blocks)
        maybe = self._table[_place(hashes)]
        hashes, blocks = hashes[maybe], blocks[maybe]
        at = np.searchsorted(self._known, hashes)
        at[at == len(self._known)] = 0
        found = blocks[self._known[at] == hashes]
        return int(np.count_nonzero(_distinctive(found))) if len(found) else 0


def _blocks(data: "NDArray[Any]") -> "NDArray[np.uint64]":
    """Cut into blocks of 16 bytes, each as two numbers; what is left over is left out."""
    return data[: len(data) // BLOCK * BLOCK].view(np.uint64).reshape(-1, 2)


def _place(hashes: "NDArray[np.uint64]") -> "NDArray[np.int64]":
    return (hashes >> np.uint64(64 - _BITS)).astype(np.int64)


def _hash(pairs: "NDArray[np.uint64]") -> "NDArray[np.uint64]":
    mixed = pairs[:, 0] * _MIX
    mixed ^= mixed >> np.uint64(29)
    mixed += pairs[:, 1]
    mixed *= _MIX2
    mixed ^= mixed >> np.uint64(32)
    result: NDArray[np.uint64] = mixed * _MIX
    return result


def _distinctive(pairs: "NDArray[np.uint64]") -> "NDArray[Any]":
    """Tell which windows have at least 8 different bytes among their 16."""
    ordered = np.sort(np.ascontiguousarray(pairs).view(np.uint8).reshape(-1, BLOCK), axis=1)
    different = 1 + np.count_nonzero(np.diff(ordered, axis=1), axis=1)
    chosen: NDArray[Any] = different >= LEAST_DIFFERENT
    return chosen


@contextlib.contextmanager
def _stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        until(lambda: _state(pid) in "tT", 5, f"process {pid} to stop")
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _state(pid: int) -> str:
    text = Path(f"/proc/{pid}/stat").read_text()
    return text[text.rindex(")") + 2]


def _memory(pid: int) -> Iterator[tuple[str, bytes]]:
    """Yield every part of a process's memory that it has ever touched, as (where, bytes)."""
    try:
        memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
        pagemap = os.open(f"/proc/{pid}/pagemap", os.O_RDONLY)
    except PermissionError as e:
        raise ScanError(f"the memory of process {pid} may only be read by root") from e
    try:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            addresses, _, _, _, _, *names = line.split(maxsplit=5)
            name = names[0] if names else "anonymous memory"
            if name in UNREADABLE:
                continue
            first, last = (int(address, 16) for address in addresses.split("-"))
            for start, end in _touched(pagemap, first, last):
                for at in range(start, end, PIECE):
                    size = min(PIECE, end - at)
                    data = os.pread(memory, size, at)
                    if len(data) != size:
                        raise ScanError(f"{size - len(data)} bytes of {name} could not be read")
                    yield f"{name} at {at:x}", data
    finally:
        os.close(memory)
        os.close(pagemap)


def _touched(pagemap: int, first: int, last: int) -> Iterator[tuple[int, int]]:
    """Yield the runs of pages that are in RAM or in swap (proc_pid_pagemap(5), bits 63, 62)."""
    raw = os.pread(pagemap, (last - first) // PAGE * 8, first // PAGE * 8)
    if len(raw) != (last - first) // PAGE * 8:
        raise ScanError(f"the page map at {first:x} could not be read")
    there = np.concatenate(([0], np.frombuffer(raw, dtype=np.uint64) >> np.uint64(62) != 0, [0]))
    edges = np.flatnonzero(np.diff(there.astype(np.int8)))
    for start, end in edges.reshape(-1, 2):
        yield first + int(start) * PAGE, first + int(end) * PAGE


def _nameless_files(pid: int) -> Iterator[Path]:
    """Yield regular files that the process has open and that no folder shows: memfds, unlinked."""
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            status = descriptor.stat()
            if stat.S_ISREG(status.st_mode) and status.st_nlink == 0:
                yield descriptor


def tmpfs_mounts() -> list[Path]:
    """Every tmpfs of this machine that can be entered."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    return [Path(m[1]) for m in mounts if m[2] == "tmpfs" and os.access(m[1], os.R_OK | os.X_OK)]
