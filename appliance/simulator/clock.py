"""A clock that somebody can set wrong: the device's battery clock, in a small file.

Only its wall time is wrong; CLOCK_BOOTTIME is the kernel's, as no fault of a battery clock can
reach it. A clock that was set wrong is no time service's any more, so its word is worth that of
a battery clock (ClockTrust.RTC) until it is right again. A virtual device's time service is the
machine that it runs on, where its hospital runs too: a clock that is right is in step with the
hospital's, whether or not anything disciplines that machine.
"""

from pathlib import Path

from appliance.clock import SystemClock, WallTime
from appliance.simulator import refuse_production
from base.durable import write_atomic
from base.errors import EnvironmentProblem
from wire.ledger import ClockTrust


class SimulatedClock(SystemClock):
    """The kernel's clocks, the wall's shifted by what ``file`` says. ``production`` as ever."""

    def __init__(self, file: Path, production: Path) -> None:
        refuse_production(production, "the clock")
        super().__init__()
        self._file = file

    def wall(self, floor_ms: int) -> WallTime:
        shift = shift_ms(self._file)
        now = super().wall(0).ms + shift
        if now < floor_ms:
            return WallTime(floor_ms, ClockTrust.FLOOR)
        return WallTime(now, ClockTrust.RTC if shift else ClockTrust.SYNCED)


def set_wrong(file: Path, ms: int) -> None:
    """Let the clock go ``ms`` ahead of the truth, or behind it; 0 sets it right."""
    write_atomic(file, str(ms).encode(), durable=False)


def shift_ms(file: Path) -> int:
    """Return by how much the clock is ahead."""
    try:
        return int(file.read_text())
    except FileNotFoundError:
        return 0
    except (OSError, ValueError) as e:
        raise EnvironmentProblem(f"{file} does not hold a number of milliseconds") from e
