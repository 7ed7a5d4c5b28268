"""Time as the ledger needs it: one clock that never runs backwards, one that may be wrong.

Timers and order come from CLOCK_BOOTTIME (it goes on through suspend and restarts of a
process). Wall time comes with how much it is worth. A Pi without a battery clock wakes up in
the past; ``floor`` is the latest time that the hospital has signed, and wall time before it
is raised to it and marked so.
"""

import ctypes
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from base.errors import EnvironmentProblem
from wire.ledger import ClockTrust

_STA_UNSYNC: Final = 0x0040

_TIMESYNC: Final = Path("/run/systemd/timesync/synchronized")
"""systemd-timesyncd touches it whenever it has set the clock right."""

_DRIFTED_SECONDS: Final = 9 * 60 * 60
"""After this without a word from a time server the kernel calls the clock wrong as well."""


class _Timex(ctypes.Structure):
    """The start of ``struct timex``; the kernel writes well less than the rest."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 448),
    )


@dataclass(frozen=True)
class WallTime:
    """Milliseconds since 1970 UTC, and their worth."""

    ms: int
    trust: ClockTrust


class Clock(Protocol):
    """What a role needs to know about time."""

    def monotonic_ns(self) -> int:
        """Nanoseconds since boot, never running backwards."""
        ...

    def wall(self, floor_ms: int) -> WallTime:
        """The wall time, not before ``floor_ms``."""
        ...


class SystemClock:
    """The kernel's clocks; ``timesync``: the file that a time service keeps touching."""

    def __init__(self, timesync: Path = _TIMESYNC) -> None:
        self._timesync = timesync

    def monotonic_ns(self) -> int:
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def wall(self, floor_ms: int) -> WallTime:
        now = time.time_ns() // 1_000_000
        if now < floor_ms:
            return WallTime(floor_ms, ClockTrust.FLOOR)
        disciplined = _kernel_says_synchronised()
        if disciplined is None:
            disciplined = self._touched_lately(now)
        if disciplined:
            return WallTime(now, ClockTrust.SYNCED)
        has_rtc = Path("/sys/class/rtc/rtc0").exists()
        return WallTime(now, ClockTrust.RTC if has_rtc else ClockTrust.NONE)

    def _touched_lately(self, now_ms: int) -> bool:
        try:
            age = now_ms / 1000 - self._timesync.stat().st_mtime
        except OSError:
            return False
        return 0 <= age <= _DRIFTED_SECONDS


def _kernel_says_synchronised() -> bool | None:
    """Ask adjtimex(2) whether something disciplines the clock (STA_UNSYNC is clear).

    None when it may not be asked: a sandbox that keeps a role from setting the clock (systemd's
    ProtectClock=) takes the whole call away, its harmless half too.
    """
    timex = _Timex()
    if ctypes.CDLL(None).adjtimex(ctypes.byref(timex)) < 0:
        return None
    return not timex.status & _STA_UNSYNC


def boot_id(path: Path) -> bytes:
    """Return the 16 bytes that name this boot (random(4), ``/proc/sys/kernel/random/boot_id``)."""
    try:
        raw = bytes.fromhex(path.read_text().strip().replace("-", ""))
    except (OSError, ValueError) as e:
        raise EnvironmentProblem(f"{path} does not hold a boot id") from e
    if len(raw) != 16:
        raise EnvironmentProblem(f"{path} does not hold a boot id")
    return raw
