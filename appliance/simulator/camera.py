"""A camera without hardware: real photographs at sensor size, and every way a camera can fail.

It keeps to the real one's habits: two frame buffers in turn, the same padding, the same wipe.
What it sees and what is wrong with it is read from the world file when it opens, and again
before a frame when that file has changed.
"""

import errno
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from appliance.camera import CameraError
from appliance.frame import Frame, Layout
from appliance.orders import FaultCode
from appliance.simulator import refuse_production, scene, world
from base.errors import ConfigError
from base.memory import Buffer

_RING: Final = 2
_SMALL: Final = Layout.padded(1024, 768)

_MISSING: Final = {
    "no_camera": (
        FaultCode.NO_CAMERA,
        "no camera was found: check both ends of its ribbon cable (simulated)",
    ),
    "tuning_missing": (
        FaultCode.TUNING_MISSING,
        "the sensor's tuning file is missing: apt-get install libcamera-ipa (simulated)",
    ),
    "not_permitted": (
        FaultCode.NOT_PERMITTED,
        "the camera's device files may not be opened: add the user to the group video (simulated)",
    ),
}


class SimulatedCamera:
    """Shows the world file's scene. ``production``: the marker of an image it must not run on.

    It stands upright, so that with a ``rotation`` of 180 degrees it shows the world upside down.
    """

    def __init__(
        self,
        *,
        width: int,
        height: int,
        world_file: Path,
        production: Path,
        rotation: int = 0,
    ) -> None:
        refuse_production(production, "the camera")
        self._layout = Layout.padded(width, height)
        self._world_file = world_file
        self._rotation = rotation
        self._world = world.World()
        self._stamp = (0, 0)
        self._tested: tuple[int, int] | None = None
        self._found: world.World | ConfigError = self._world
        self._scene: scene.Scene | None = None
        self._ring: list[Buffer] = []
        self._small: Buffer | None = None
        self._taken = 0
        self._opened = False

    def self_test(self) -> CameraError | None:
        found = self._read_to_test()
        if isinstance(found, ConfigError):
            return CameraError(FaultCode.NO_CAMERA, str(found))
        if found.fault == "test_hangs":
            _for_ever()
        if found.fault in _MISSING:
            return CameraError(*_MISSING[found.fault])
        path = world.scene_path(found, self._world_file)
        if not path.is_file():
            return CameraError(FaultCode.NO_CAMERA, f"the scene {path} is missing")
        return None

    def _read_to_test(self) -> world.World | ConfigError:
        """Read the world file if it has changed: an idle darkroom asks every other second."""
        stamp = world.stamp(self._world_file)
        if stamp != self._tested:
            try:
                self._found = world.read(self._world_file)
            except ConfigError as e:
                self._found = e
            self._tested = stamp
        return self._found

    def prepare(self) -> None:
        """Nothing: numpy and Pillow take memory, so they wait until a camera opens."""

    def open(self) -> None:
        if self._opened:
            raise CameraError(FaultCode.NO_CAMERA, "the camera was opened once in this life")
        self._opened = True
        self._read_world()
        if self._world.fault in _MISSING:
            raise CameraError(*_MISSING[self._world.fault])
        try:
            self._small = self._allocate(_SMALL.size)
            for _ in range(_RING):
                self._ring.append(self._allocate(self._layout.size))
            self._look()
        except OSError as e:
            why = f"there is no memory for the camera's frames: {e.strerror}"
            raise CameraError(FaultCode.NO_MEMORY, why) from e

    def _read_world(self) -> None:
        self._stamp = world.stamp(self._world_file)
        try:
            self._world = world.read(self._world_file)
        except ConfigError as e:
            raise CameraError(FaultCode.NO_CAMERA, str(e)) from e

    def _look(self) -> None:
        path = world.scene_path(self._world, self._world_file)
        held = world.held_paths(self._world, self._world_file)
        laid = world.laid_paths(self._world, self._world_file)
        try:
            self._scene = scene.load(path, self._layout, held, laid, self._rotation)
        except scene.SceneError as e:
            raise CameraError(FaultCode.NO_CAMERA, str(e)) from e

    def _look_again(self) -> None:
        """See what has changed since the last frame, if anything has."""
        if self._scene is None or world.stamp(self._world_file) == self._stamp:
            return
        before = self._world
        self._read_world()
        after = replace(self._world, fault=before.fault, after=before.after)
        if after != before:
            self._scene.close()
            self._scene = None
            self._look()

    def wait_ready(self, seconds: float) -> None:
        with self.view(seconds):
            pass

    def view(self, seconds: float) -> Frame:
        self._look_again()
        shown, buffer = self._scene, self._small
        if shown is None or buffer is None:
            raise CameraError(FaultCode.NO_CAMERA, "the camera is not open")
        if self._world.after == 0:
            self._fail_to_deliver(seconds)
        return _filled(shown.glance, buffer, _SMALL)

    def capture(self, seconds: float) -> Frame:
        self._look_again()
        if self._scene is None:
            raise CameraError(FaultCode.NO_CAMERA, "the camera is not open")
        if self._taken >= self._world.after:
            self._fail_to_deliver(seconds)
            if self._world.fault == "hangs":
                _for_ever()
        buffer = self._ring[self._taken % _RING]
        self._taken += 1
        return _filled(self._scene.expose, buffer, self._layout)

    def close(self) -> None:
        shown, self._scene = self._scene, None
        if shown is not None and self._world.fault == "stop_blocks":
            _for_ever()
        for buffer in self._ring:
            buffer.close()
        self._ring = []
        if self._small is not None:
            self._small.close()
        if shown is not None:
            shown.close()

    def _allocate(self, size: int) -> Buffer:
        found = len(self._ring) + (self._small is not None)
        if self._world.fault == "no_memory" and found >= self._world.after:
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
        buffer = Buffer(size)
        buffer.wipe()  # finds its pages now, as a DMA heap does
        return buffer

    def _fail_to_deliver(self, seconds: float) -> None:
        # A cable that is pulled while the camera is on: the driver knows of nothing but silence.
        if self._world.fault in ("no_frames", "no_camera"):
            threading.Event().wait(seconds)
            raise CameraError(FaultCode.NO_FRAMES, f"no frame came within {round(seconds, 2):g} s")


def _filled(fill: Callable[[memoryview, Layout], None], buffer: Buffer, layout: Layout) -> Frame:
    try:
        fill(buffer.view, layout)
    except scene.SceneError as e:
        buffer.wipe()
        raise CameraError(FaultCode.NO_FRAMES, str(e)) from e
    return Frame(buffer.view[:], layout)


def _for_ever() -> None:
    """A driver's call that does not come back."""
    while True:
        threading.Event().wait()
