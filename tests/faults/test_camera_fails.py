"""The camera fails in every way it can, at a real device whose only simulated part it is.

In the end a photo is taken and filed: what failed has left nothing behind.
"""

import contextlib
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from appliance.simulator.world import CameraWorld
from tests.faults.shift import Shift
from tests.waiting import until
from wire import events

DEADLINE = 1.5


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shift]:
    extra: dict[str, dict[str, object]] = {"camera": {"deadline_seconds": DEADLINE}}
    with Shift(tmp_path_factory.mktemp("camera"), extra) as shift:
        yield shift.begin()
        shift.take_and_file()


@pytest.fixture
def shift(ward: Shift) -> Iterator[Shift]:
    """Nothing is wrong before a test."""
    ward.mark()
    yield ward
    ward.site.world.mend()
    ward.wait_until_dark()
    ward.read_the_screen()


def test_P5_a_camera_that_never_returns_loses_the_photo_aloud(shift: Shift) -> None:
    shift.site.world.hang()
    shift.take()
    shift.nurse.wait_for_words("LOST", "1 PHOTO", "CAMERA", "TAKE AGAIN")
    assert [lost.why for lost in shift.new(events.Lost)] == ["the camera did not deliver in time"]
    assert shift.faults() == [("no_frames", "the camera gave no frames")]
    assert [window.why for window in shift.new(events.Window)] == ["camera-fault"]
    shift.wait_until_dark()


def test_a_camera_without_frames_is_tried_once_more_then_it_is_a_fault(shift: Shift) -> None:
    shift.site.world.starve()
    shift.ask("CAMERA", "FAULT")
    assert shift.logged("panel").count("the darkroom failed: no_frames") == 2
    assert shift.faults() == [("no_frames", "the camera gave no frames")]
    assert len(shift.new(events.Consent)) == 1
    assert not shift.new(events.Intent)


def test_a_camera_that_fails_once_is_mended_by_a_fresh_darkroom(shift: Shift) -> None:
    shift.site.world.starve()
    shift.ask("CARE ONLY")
    shift.wait_for_log("panel", "the darkroom failed: no_frames")
    shift.site.world.mend()
    shift.nurse.wait_until(lambda view: view.ready, "the second darkroom to be ready")
    assert shift.faults() == []
    assert len(shift.new(events.Consent)) == 1
    shift.nurse.finish()


@pytest.mark.parametrize(
    ("fault", "code", "why", "log"),
    [
        (
            CameraWorld.unplug,
            "no_camera",
            "no camera was found",
            "no camera was found: check both ends of its ribbon cable",
        ),
        (
            CameraWorld.lose_tuning_file,
            "tuning_missing",
            "the camera's tuning file is missing",
            "the sensor's tuning file is missing: apt-get install libcamera-ipa",
        ),
        (
            CameraWorld.lock_away,
            "not_permitted",
            "the camera may not be opened by this user",
            "the camera's device files may not be opened: add the user to the group video",
        ),
    ],
)
def test_P1_a_camera_that_is_missing_is_said_before_a_consent_is_asked_for_and_heals(
    shift: Shift, fault: Callable[[CameraWorld], None], code: str, why: str, log: str
) -> None:
    fault(shift.site.world)
    until(lambda: shift.faults() == [(code, why)], 10, "the fault on the ledger")
    view = shift.refused("CAMERA", "FAULT")
    assert not view.open
    assert not view.lamp
    assert not shift.new(events.Consent)
    assert f"no photo can be taken: {log}" in shift.logged("panel")
    shift.site.world.mend()
    shift.wait_for_log("panel", "the camera lacks nothing any more")
    shift.ask("CARE ONLY")
    shift.nurse.finish()
    shift.wait_until_dark()


def test_a_camera_without_memory_is_a_fault_that_is_named(shift: Shift) -> None:
    shift.site.world.run_out_of_memory()
    view = shift.ask("CAMERA", "FAULT")
    assert not view.open
    assert shift.faults() == [("no_memory", "there was no memory for the camera")]
    log = "there is no memory for the camera's frames: Cannot allocate memory"
    assert f"the darkroom failed: no_memory: {log}" in shift.logged("panel")
    assert "Traceback" not in shift.logged("panel")
    shift.wait_until_dark()


def test_P2_a_stop_that_blocks_is_a_fault_and_the_lamp_is_on_until_the_process_is_gone(
    shift: Shift,
) -> None:
    shift.site.world.block_stop()
    shift.nurse.open_window()
    shift.nurse.finish()
    shift.nurse.wait_for_words("CAMERA", "FAULT")
    assert shift.faults() == [("stop_blocked", "the camera's process cannot be ended")]
    shift.wait_until_dark()


def test_P2_a_panel_that_starts_again_lights_the_lamp_while_an_old_darkroom_is_still_there(
    shift: Shift,
) -> None:
    """A stopped process holds its camera as one in D state does, and hears of nothing."""
    shift.nurse.open_window()
    pids = shift.site.keeper.pids("darkroom-").values()
    (seeing,) = [pid for pid in pids if _holds(pid, shift.paths.sealing)]
    os.kill(seeing, signal.SIGSTOP)
    try:
        shift.site.keeper.kill("panel")
        shift.nurse.wait_until_up()
        view = shift.nurse.wait_for_words("CAMERA", "FAULT", seconds=20)
        assert view.lamp
        assert shift.faults() == [("stop_blocked", "the camera's process cannot be ended")]
        assert shift.refused("CAMERA", "FAULT").lamp
        assert len(shift.new(events.Consent)) == 1
    finally:
        os.kill(seeing, signal.SIGCONT)
    shift.wait_until_dark()


def _holds(pid: int, room: Path) -> bool:
    """Whether this process has the folder open: it does from before its camera opens."""
    links = Path(f"/proc/{pid}/fd").iterdir()
    return any(link.readlink() == room for link in links)


def test_P2_a_darkroom_that_cannot_be_killed_keeps_the_lamp_on_and_the_uplink_sending(
    shift: Shift,
) -> None:
    """Whoever holds a process's socket open looks, to the panel, like a process in D state."""
    held: list[socket.socket] = []

    def give(connection: socket.socket) -> None:
        held.append(connection.dup())
        shift.site.device._give_darkroom(connection)

    idle = shift.site.keeper.pids("darkroom-")
    shift.site.keeper.answer(shift.paths.darkroom_socket, give)
    for name in idle:
        shift.site.keeper.kill(name)  # the one that waited is no use: nobody holds its socket
    until(lambda: held, 10, "the next darkroom")
    try:
        shift.nurse.open_window()
        shift.mark()
        assert shift.nurse.capture()
        shift.wait_for_outcome("FILED")
        shift.end_the_window()
        shift.nurse.wait_for_words("CAMERA", "FAULT", seconds=20)
        assert shift.faults() == [("stop_blocked", "the camera's process cannot be ended")]
        view = shift.refused("CAMERA", "FAULT")
        assert view.lamp
        assert not view.open
        assert not shift.new(events.Consent)
    finally:
        shift.site.keeper.answer(shift.paths.darkroom_socket, shift.site.device._give_darkroom)
        for connection in held:
            with contextlib.suppress(OSError):
                connection.close()
    shift.wait_until_dark()
