"""The darkroom as a process: what a camera that fails looks like from outside."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.darkroom import Exit
from appliance.orders import Fault, FaultCode, Idle, Open
from appliance.simulator.world import CameraWorld
from base.memory import ALLOCATOR_ENV
from tests.appliance.bedside import Bedside
from tests.waiting import until

DEADLINE = 2.5
"""Seconds; long enough for a camera to open on a busy machine."""

SHORTEST = 0.5
"""The least that a camera may be given; half a second of grace comes on top of it."""

SLOW = """
import pathlib, time
here = pathlib.Path(__file__).parent
(here / "loading").touch()
while not (here / "loaded").exists():
    time.sleep(0.01)
class Picamera2:
    def global_camera_info():
        raise RuntimeError("slow")
"""


@pytest.fixture
def hasty(tmp_path: Path) -> Bedside:
    """A device with a small sensor and little patience with it."""
    return Bedside(tmp_path, size=(1014, 760), deadline_seconds=DEADLINE)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (CameraWorld.unplug, FaultCode.NO_CAMERA),
        (CameraWorld.lose_tuning_file, FaultCode.TUNING_MISSING),
        (CameraWorld.lock_away, FaultCode.NOT_PERMITTED),
        (CameraWorld.run_out_of_memory, FaultCode.NO_MEMORY),
        (CameraWorld.starve, FaultCode.NO_FRAMES),
    ],
)
def test_a_camera_that_does_not_start_is_a_fault_and_ends_the_darkroom(
    hasty: Bedside, fault: Callable[[CameraWorld], None], code: FaultCode
) -> None:
    fault(hasty.world)
    with hasty.start() as life:
        life.expect(Idle)
        life.line.send(Open(hasty.consent().raw, hasty.keyset.raw))
        found = life.expect(Fault)
        assert (found.code, found.n) == (code, None)
        assert life.ended() == Exit.CAMERA_FAULT
    assert list(hasty.sealing.iterdir()) == []


def test_a_self_test_that_hangs_is_reported_by_the_watchdog_before_any_consent(
    hasty: Bedside,
) -> None:
    hasty.world.hang_when_asked()
    with hasty.start() as life:
        assert life.expect(Fault) == Fault(FaultCode.NO_CAMERA, "the camera's self-test hangs")
        assert life.ended() == Exit.HUNG


def test_a_picamera2_that_takes_long_to_load_is_not_taken_for_a_camera_that_hangs(
    tmp_path: Path,
) -> None:
    bedside = Bedside(tmp_path, size=(1014, 760), deadline_seconds=SHORTEST)
    settings = bedside.config.read_text()
    bedside.config.write_text(settings.replace('"simulated"', '"picamera2"'))
    library = tmp_path / "library"
    library.mkdir()
    (library / "picamera2.py").write_text(SLOW)
    with bedside.start(environment={**ALLOCATOR_ENV, "PYTHONPATH": str(library)}) as life:
        until((library / "loading").exists, 20, "the library to be asked for")
        begun = time.monotonic()
        until(lambda: time.monotonic() - begun > 3 * SHORTEST, 20, "the camera's deadline to pass")
        (library / "loaded").touch()
        idle = life.expect(Idle)
        assert (idle.missing, idle.why) == (FaultCode.NO_CAMERA, "libcamera does not start: slow")
        assert life.end() == Exit.ENDED


def test_P5_a_camera_that_stops_delivering_loses_its_photo_aloud(hasty: Bedside) -> None:
    hasty.world.starve(after=1)
    with hasty.start() as life:
        consent = hasty.open(life)
        hasty.take(life, consent)
        n = hasty.order(life, consent)
        assert life.expect(Fault) == Fault(FaultCode.NO_FRAMES, "no frame came within 2.5 s", n)
        assert life.ended() == Exit.CAMERA_FAULT
    assert len(list(hasty.sealing.iterdir())) == 1


def test_P5_a_camera_that_hangs_is_reported_by_the_watchdog_which_ends_the_darkroom(
    hasty: Bedside,
) -> None:
    hasty.world.hang(after=1)
    with hasty.start() as life:
        consent = hasty.open(life)
        hasty.take(life, consent)
        started = time.monotonic()
        n = hasty.order(life, consent)
        assert life.expect(Fault) == Fault(
            FaultCode.NO_FRAMES, "the camera did not deliver in time", n
        )
        assert life.ended() == Exit.HUNG
        assert time.monotonic() - started > DEADLINE


def test_P2_a_stop_that_blocks_is_reported_before_the_panel_loses_patience(
    hasty: Bedside,
) -> None:
    hasty.world.block_stop()
    with hasty.start() as life:
        hasty.open(life)
        started = time.monotonic()
        life.line.hang_up()
        assert life.expect(Fault) == Fault(
            FaultCode.STOP_BLOCKED, "the camera cannot be stopped", None
        )
        assert time.monotonic() - started < 2
        assert life.ended() == Exit.HUNG
