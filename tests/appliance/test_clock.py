"""What the wall clock is worth where the kernel may not be asked: in the panel's sandbox."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from appliance.clock import SystemClock, boot_id
from appliance.simulator.clock import SimulatedClock, set_wrong
from base.errors import EnvironmentProblem
from wire.ledger import ClockTrust

# Python started so that adjtimex(2) answers EPERM, as under ProtectClock=; libseccomp does it.
ASK = """
import ctypes, errno, pathlib, sys
seccomp = ctypes.CDLL("libseccomp.so.2")
seccomp.seccomp_init.restype = ctypes.c_void_p
seccomp.seccomp_init.argtypes = [ctypes.c_uint32]
seccomp.seccomp_load.argtypes = [ctypes.c_void_p]
seccomp.seccomp_rule_add.argtypes = [
    ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint
]
rules = seccomp.seccomp_init(0x7FFF0000)  # SCMP_ACT_ALLOW
for name in (b"adjtimex", b"clock_adjtime"):
    number = seccomp.seccomp_syscall_resolve_name(name)
    assert seccomp.seccomp_rule_add(rules, 0x00050000 | errno.EPERM, number, 0) == 0
assert seccomp.seccomp_load(rules) == 0
from appliance.clock import SystemClock
print(SystemClock(pathlib.Path(sys.argv[1])).wall(int(sys.argv[2])).trust)
"""


def trust(timesync: Path, floor_ms: int = 0) -> str:
    """The clock's worth, asked in a process that may not ask the kernel."""
    asked = subprocess.run(
        [sys.executable, "-P", "-c", ASK, str(timesync), str(floor_ms)],
        capture_output=True,
        text=True,
        check=True,
    )
    return asked.stdout.strip()


@pytest.fixture
def timesync(tmp_path: Path) -> Path:
    path = tmp_path / "synchronized"
    path.touch()
    return path


def test_a_clock_that_the_time_service_set_lately_is_synced(timesync: Path) -> None:
    assert trust(timesync) == "synced"


@pytest.mark.parametrize("seconds", [-10 * 3600, 3600])
def test_a_word_of_long_ago_or_of_the_future_is_worth_nothing(timesync: Path, seconds: int) -> None:
    at = time.time() + seconds
    os.utime(timesync, (at, at))
    assert trust(timesync) in {"rtc", "none"}


def test_without_a_time_service_the_clock_is_not_synced(tmp_path: Path) -> None:
    assert trust(tmp_path / "nothing") in {"rtc", "none"}


def test_a_clock_before_what_the_hospital_has_signed_is_raised_to_that(timesync: Path) -> None:
    assert trust(timesync, 2**45) == "floor"
    assert SystemClock(timesync).wall(2**45).ms == 2**45


def test_time_since_boot_never_runs_backwards() -> None:
    clock = SystemClock()
    times = [clock.monotonic_ns() for _ in range(1000)]
    assert times == sorted(times)


@pytest.mark.parametrize("text", ["", "not a boot id", "00" * 15, "00" * 17])
def test_what_is_no_boot_id_is_refused_with_its_path(tmp_path: Path, text: str) -> None:
    path = tmp_path / "boot_id"
    path.write_text(text)
    with pytest.raises(EnvironmentProblem, match="does not hold a boot id"):
        boot_id(path)


def test_a_boot_id_is_read_with_and_without_dashes(tmp_path: Path) -> None:
    path = tmp_path / "boot_id"
    for text in ("00112233-4455-6677-8899-aabbccddeeff\n", "00112233445566778899aabbccddeeff"):
        path.write_text(text)
        assert boot_id(path).hex() == "00112233445566778899aabbccddeeff"


@pytest.mark.parametrize("years", [10, -10])
def test_a_battery_clock_that_was_set_wrong_is_worth_that_and_moves_no_timer(
    tmp_path: Path, years: int
) -> None:
    clock, truth = SimulatedClock(tmp_path / "clock", tmp_path / "production"), SystemClock()
    shift = years * 365 * 86_400_000
    set_wrong(tmp_path / "clock", shift)
    assert abs(clock.wall(0).ms - truth.wall(0).ms - shift) < 5000
    assert clock.wall(0).trust is ClockTrust.RTC
    floor = truth.wall(0).ms
    assert (clock.wall(floor).trust is ClockTrust.FLOOR) == (years < 0)
    assert clock.wall(floor).ms >= floor
    assert abs(clock.monotonic_ns() - truth.monotonic_ns()) < 5_000_000_000
    set_wrong(tmp_path / "clock", 0)
    assert clock.wall(0).trust is ClockTrust.SYNCED


def test_a_simulated_clock_refuses_a_production_image_and_a_file_of_words(tmp_path: Path) -> None:
    clock = SimulatedClock(tmp_path / "clock", tmp_path / "production")
    (tmp_path / "clock").write_text("noon")
    with pytest.raises(EnvironmentProblem, match="does not hold a number of milliseconds"):
        clock.wall(0)
    (tmp_path / "production").touch()
    with pytest.raises(EnvironmentProblem, match="the clock is only simulated"):
        SimulatedClock(tmp_path / "clock", tmp_path / "production")
