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
    """The kernel's clocks."""

    def monotonic_ns(self) -> int:
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def wall(self, floor_ms: int) -> WallTime:
        now = time.time_ns() // 1_000_000
        if now < floor_ms:
            return WallTime(floor_ms, ClockTrust.FLOOR)
        if _synchronised():
            return WallTime(now, ClockTrust.SYNCED)
        has_rtc = Path("/sys/class/rtc/rtc0").exists()
        return WallTime(now, ClockTrust.RTC if has_rtc else ClockTrust.NONE)


def _synchronised() -> bool:
    """Ask adjtimex(2) whether something disciplines the clock (STA_UNSYNC is clear)."""
    timex = _Timex()
    if ctypes.CDLL(None).adjtimex(ctypes.byref(timex)) < 0:
        return False
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
