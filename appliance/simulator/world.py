"""What stands in front of the simulated camera, and what is wrong with it: one small TOML file.

``World`` is read by the camera when it opens, and again when the file has changed: who looks
through the viewfinder sees the scene change. ``CameraWorld`` writes it, with the verbs of
somebody who stands beside the device: point it at something, lay a label into the scene, hold a
wristband before it, pull its cable, let it hang.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from base import settings
from base.durable import write_atomic
from base.errors import ConfigError

SCENES: Final = Path(__file__).parent / "scenes"
DEFAULT_SCENE: Final = "retina.jpg"
MOST_HELD: Final = 4

Fault = Literal[
    "none",
    "no_camera",
    "tuning_missing",
    "not_permitted",
    "no_memory",
    "no_frames",
    "test_hangs",
    "hangs",
    "stop_blocks",
]


@dataclass(frozen=True)
class Laid:
    """Something flat that lies in the scene, such as a label beside a wound, seen in perspective.

    ``picture``: an image, as a path like that of a scene; where it is transparent the scene
    shows. ``x``, ``y``: where its middle is, from the view's upper left corner, in parts of its
    width and height. ``width``: its own width, in parts of the view's. ``turned``: degrees
    clockwise. ``tilted``: degrees by which its right edge is farther away than its left one.
    """

    picture: str
    x: float = 0.5
    y: float = 0.5
    width: float = 0.25
    turned: float = 0.0
    tilted: float = 0.0

    def __post_init__(self) -> None:
        for place in ("x", "y"):
            if not -1 <= getattr(self, place) <= 2:
                raise ConfigError(place, "use -1 to 2; 0 to 1 is in the view")
        if not 0.005 <= self.width <= 2:
            raise ConfigError("width", "use 0.005 to 2 of the view's width")
        if not -80 <= self.tilted <= 80:
            raise ConfigError("tilted", "use -80 to 80 degrees")


@dataclass(frozen=True)
class World:
    """What the camera meets.

    ``scene``: a file name in ``scenes/``, or a path (relative to the world file). A name that
    ends in ``.yuv`` is a raw I420 frame of the sensor's size, delivered exactly as it is; all
    else is an image that is shown at sensor size, with sensor noise.

    ``held``: pictures that somebody holds into the view, as paths like that of a scene; the
    first at the lower left, the next at the lower right, and so on. ``laid``: what lies in the
    scene, the uppermost last. Neither shows before a raw frame.

    ``fault``: what is wrong. ``after``: frames captured, or for ``no_memory`` buffers found,
    before it goes wrong.
    """

    scene: str = DEFAULT_SCENE
    held: tuple[str, ...] = ()
    laid: tuple[Laid, ...] = ()
    fault: Fault = "none"
    after: int = 0

    def __post_init__(self) -> None:
        if not self.scene:
            raise ConfigError("scene", "name an image, or a raw frame that ends in .yuv")
        if len(self.held) > MOST_HELD:
            raise ConfigError("held", f"nobody can hold more than {MOST_HELD} things at once")
        if self.after < 0:
            raise ConfigError("after", "use 0 or more")


def read(path: Path) -> World:
    """Return the world in ``path``; without that file, the default scene and no fault."""
    return settings.load(path, World) if path.exists() else World()


def stamp(path: Path) -> tuple[int, int]:
    """Return what is another one after each change of the file (each is a new file, in time)."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return 0, 0
    return found.st_mtime_ns, found.st_ino


def scene_path(world: World, world_file: Path) -> Path:
    """Return the scene's file: one that comes with the simulator, or one of the caller's."""
    return _found(world.scene, world_file)


def held_paths(world: World, world_file: Path) -> tuple[Path, ...]:
    """Return the files of what is held into the view."""
    return tuple(_found(name, world_file) for name in world.held)


def laid_paths(world: World, world_file: Path) -> tuple[tuple[Laid, Path], ...]:
    """Return what lies in the scene, with its files."""
    return tuple((laid, _found(laid.picture, world_file)) for laid in world.laid)


def _found(name: str, world_file: Path) -> Path:
    shipped = SCENES / name
    return shipped if "/" not in name and shipped.exists() else world_file.parent / name


class CameraWorld:
    """Whoever stands beside the device. A change shows in the next frame."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._world = read(path)

    def point_at(self, scene: Path | str) -> None:
        """Put an image, or a raw ``.yuv`` frame, in front of the lens."""
        self._change(replace(self._world, scene=str(scene)))

    def hold(self, *pictures: Path) -> None:
        """Hold these into the view, and nothing else."""
        self._change(replace(self._world, held=tuple(map(str, pictures))))

    def lay(
        self,
        picture: Path | str,
        *,
        x: float = 0.5,
        y: float = 0.5,
        width: float = 0.25,
        turned: float = 0.0,
        tilted: float = 0.0,
    ) -> None:
        """Lay a picture down in the scene (``Laid``), on top of what is there."""
        laid = Laid(str(picture), x, y, width, turned, tilted)
        self._change(replace(self._world, laid=(*self._world.laid, laid)))

    def clear_away(self) -> None:
        """Take away everything that lies in the scene."""
        self._change(replace(self._world, laid=()))

    @property
    def world(self) -> World:
        """What there is to meet now."""
        return self._world

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

    def hang_when_asked(self) -> None:
        """Let the question which cameras there are never be answered."""
        self._change(replace(self._world, fault="test_hangs"))

    def hang(self, *, after: int = 0) -> None:
        """After so many captures the next one never returns."""
        self._change(replace(self._world, fault="hangs", after=after))

    def block_stop(self) -> None:
        """Let the call that stops the camera never return."""
        self._change(replace(self._world, fault="stop_blocks"))

    def _change(self, world: World) -> None:
        lines = _lines(world, "scene", "held", "fault", "after")
        for laid in world.laid:
            lines += ["[[laid]]\n", *_lines(laid, *vars(laid))]
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(self._path, "".join(lines).encode(), durable=False)
        self._world = world


def _lines(of: object, *names: str) -> list[str]:
    # JSON's texts and numbers are TOML's as well.
    return [f"{name} = {json.dumps(getattr(of, name))}\n" for name in names]
