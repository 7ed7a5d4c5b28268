"""The wall clock steps by years: timers do not care, and the ledger says what a time is worth."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from appliance import session, signals
from appliance.clock import WallTime
from appliance.ledger import DurableLedger
from tests.appliance.ward import DEVICE, WORDING
from wire import events
from wire.ledger import ClockTrust, read_frames, verify_chain
from wire.signing import Ed25519Signer

NOW = 1_800_000_000_000
TEN_YEARS = 10 * 365 * 86_400_000
SECOND = 1_000_000_000


@dataclass
class Clock:
    """A clock whose wall time can be set; it is worth nothing, as without any time service."""

    wall_ms: int = NOW
    monotonic: int = 5 * SECOND

    def monotonic_ns(self) -> int:
        self.monotonic += SECOND
        return self.monotonic

    def wall(self, floor_ms: int) -> WallTime:
        if self.wall_ms < floor_ms:
            return WallTime(floor_ms, ClockTrust.FLOOR)
        return WallTime(self.wall_ms, ClockTrust.NONE)


@pytest.mark.parametrize("years", [TEN_YEARS, -TEN_YEARS])
def test_a_clock_that_steps_by_ten_years_either_way_changes_what_an_entry_says_and_nothing_else(
    tmp_path: Path, years: int
) -> None:
    clock, signer = Clock(), Ed25519Signer(os.urandom(32))
    ledger = DurableLedger(
        tmp_path,
        mark=tmp_path / "mark",
        device=DEVICE,
        signer=signer,
        clock=clock,
        boot=bytes(16),
    )
    ledger.open("test")
    ledger.floor_ms = NOW - 1000  # the latest time that the hospital has signed
    granted = events.Consent(events.Level.CARE, events.Basis.AGREED, WORDING)
    ledger.append(granted)
    clock.wall_ms += years
    stepped = ledger.append(granted).entry
    clock.wall_ms -= years
    ledger.append(granted)
    ledger.close()

    raws, good = read_frames((tmp_path / f"{ledger.ledger.hex()}.wsl").read_bytes())
    report = verify_chain(raws, [signer.public])
    assert not report.problems
    assert good == (tmp_path / f"{ledger.ledger.hex()}.wsl").stat().st_size
    times = [signed.entry.mono_ns for signed in report.entries]
    assert times == sorted(set(times)), "their order is that of the monotonic clock"
    if years < 0:
        assert (stepped.wall_ms, stepped.trust) == (NOW - 1000, ClockTrust.FLOOR)
    else:
        assert (stepped.wall_ms, stepped.trust) == (NOW + TEN_YEARS, ClockTrust.NONE)


def test_a_step_of_the_wall_clock_moves_no_timer() -> None:
    """The session hears of no other time than the monotonic one, so there is none to step."""
    state = session.resume(at=0, release_seconds=5, next_n=1, photos=(), lost=(), undone=())
    state, _ = session.step(state, signals.ConsentDown(SECOND))
    state, _ = session.step(state, signals.ConsentUp(SECOND + SECOND // 10))
    state, _ = session.step(state, signals.CameraReady(2 * SECOND))
    assert state.window is not None
    # A receipt carries the hospital's wall time; however wrong, no deadline moves.
    after = [
        session.step(state, signals.Filed(3 * SECOND, 99, when))[0]
        for when in (0, NOW - TEN_YEARS, NOW, NOW + TEN_YEARS)
    ]
    assert len({session.next_deadline(each) for each in after}) == 1
    assert all(each.window == state.window for each in after)
