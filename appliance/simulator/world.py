"""What stands in front of the simulated camera, and what is wrong with it: one small TOML file.

``World`` is read by the camera when it opens. ``CameraWorld`` writes it, with the verbs of
somebody who stands beside the device: point it at something, pull its cable, let it hang.
"""

import json
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Final, Literal

from base import settings
from base.durable import write_atomic
from base.errors import ConfigError

SCENES: Final = Path(__file__).parent / "scenes"
DEFAULT_SCENE: Final = "retina.jpg"

Fault = Literal[
    "none",
    "no_camera",
    "tuning_missing",
    "not_permitted",
    "no_memory",
    "no_frames",
    "hangs",
    "stop_blocks",
]


@dataclass(frozen=True)
class World:
    """What the camera meets.

    ``scene``: a file name in ``scenes/``, or a path (relative to the world file). A name that
    ends in ``.yuv`` is a raw I420 frame of the sensor's size, delivered exactly as it is; all
    else is an image that is shown at sensor size, with sensor noise.

    ``fault``: what is wrong. ``after``: frames captured, or for ``no_memory`` buffers found,
    before it goes wrong.
    """

    scene: str = DEFAULT_SCENE
    fault: Fault = "none"
    after: int = 0

    def __post_init__(self) -> None:
        if not self.scene:
            raise ConfigError("scene", "name an image, or a raw frame that ends in .yuv")
        if self.after < 0:
            raise ConfigError("after", "use 0 or more")


def read(path: Path) -> World:
    """Return the world in ``path``; without that file, the default scene and no fault."""
    return settings.load(path, World) if path.exists() else World()


def scene_path(world: World, world_file: Path) -> Path:
    """Return the scene's file: one that comes with the simulator, or one of the caller's."""
    shipped = SCENES / world.scene
    if "/" not in world.scene and shipped.exists():
        return shipped
    return world_file.parent / world.scene


class CameraWorld:
    """Whoever stands beside the device. A change shows when the camera is opened next."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._world = read(path)

    def point_at(self, scene: Path | str) -> None:
        """Put an image, or a raw ``.yuv`` frame, in front of the lens."""
        self._change(replace(self._world, scene=str(scene)))

    def mend(self) -> None:
        """Put everything right again."""
        self._change(replace(self._world, fault="none", after=0))

    def unplug(self) -> None:
        """Pull the ribbon cable: the list of cameras is empty."""
        self._change(replace(self._world, fault="no_camera"))

    def lose_tuning_file(self) -> None:
        """Take the sensor's tuning file away."""
        self._change(replace(self._world, fault="tuning_missing"))

    def lock_away(self) -> None:
        """Take the permission on the camera's device files away."""
        self._change(replace(self._world, fault="not_permitted"))

    def run_out_of_memory(self, *, after: int = 0) -> None:
        """Let allocation fail once ``after`` buffers are found."""
        self._change(replace(self._world, fault="no_memory", after=after))

    def starve(self, *, after: int = 0) -> None:
        """Deliver no more frames after so many captures: the driver's time-out."""
        self._change(replace(self._world, fault="no_frames", after=after))

    def hang(self, *, after: int = 0) -> None:
        """After so many captures the next one never returns."""
        self._change(replace(self._world, fault="hangs", after=after))

    def block_stop(self) -> None:
        """Let the call that stops the camera never return."""
        self._change(replace(self._world, fault="stop_blocks"))

    def _change(self, world: World) -> None:
        # JSON's texts and numbers are TOML's as well.
        lines = [f"{f.name} = {json.dumps(getattr(world, f.name))}\n" for f in fields(world)]
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(self._path, "".join(lines).encode(), durable=False)
        self._world = world
