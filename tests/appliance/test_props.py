"""What lies in the simulated scene: where it comes to lie, and what it covers."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from appliance.camera import CameraError
from appliance.frame import Layout
from appliance.simulator import props, scene
from appliance.simulator.camera import SimulatedCamera
from appliance.simulator.world import CameraWorld, Laid
from base.errors import ConfigError
from base.memory import Buffer

LAYOUT = Layout.padded(1014, 760)


def seen(laid: Laid, picture: Path) -> NDArray[np.uint8]:
    """The luma of a frame of a black scene with one thing in it."""
    black = picture.with_name("black.png")
    Image.new("L", (400, 300)).save(black)
    shown = scene.load(black, LAYOUT, laid=[(laid, picture)])
    with Buffer(LAYOUT.size) as buffer:
        shown.expose(buffer.view, LAYOUT)
        luma = np.frombuffer(bytes(buffer.view[: LAYOUT.stride * LAYOUT.height]), dtype=np.uint8)
    shown.close()
    return luma.reshape(LAYOUT.height, LAYOUT.stride)[:, : LAYOUT.width]


@pytest.fixture
def white(tmp_path: Path) -> Path:
    path = tmp_path / "white.png"
    Image.new("L", (300, 200), 255).save(path)
    return path


def test_a_thing_lies_where_and_as_large_as_it_was_said(white: Path) -> None:
    bright = seen(Laid(str(white), x=0.4, y=0.5, width=0.3), white) > 128
    ys, xs = np.nonzero(bright)
    assert abs(xs.mean() + 0.5 - 0.4 * 1014) < 0.2
    assert abs(ys.mean() + 0.5 - 0.5 * 760) < 0.2
    assert abs(bright.sum() / (304.2 * 202.8) - 1) < 0.01


def test_a_tilted_and_turned_thing_covers_what_geometry_says(white: Path) -> None:
    laid = Laid(str(white), width=0.3, turned=30, tilted=50)
    bright = seen(laid, white) > 128
    to = np.array(props.corners(laid, 200 / 300, LAYOUT))
    x, y = to[:, 0], to[:, 1]
    area = abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
    assert abs(bright.sum() / area - 1) < 0.01
    right, left = np.linalg.norm(to[1] - to[2]), np.linalg.norm(to[0] - to[3])
    assert right < 0.85 * left


@pytest.mark.parametrize(("x", "y"), [(0, 0), (1, 1), (0, 1), (-0.5, 0.5), (0.5, 2)])
def test_a_thing_may_reach_out_of_the_picture(white: Path, x: float, y: float) -> None:
    bright = (seen(Laid(str(white), x=x, y=y, width=0.3), white) > 128).sum()
    inside = (x in (0, 1)) and (y in (0, 1))
    assert abs(bright - (304.2 * 202.8 / 4 if inside else 0)) < 200


def test_the_scene_shows_where_a_thing_is_transparent(tmp_path: Path) -> None:
    glass = tmp_path / "glass.png"
    Image.new("RGBA", (10, 10), (255, 255, 255, 0)).save(glass)
    assert seen(Laid(str(glass), width=0.5), glass).max() < 48


def camera(folder: Path) -> SimulatedCamera:
    return SimulatedCamera(
        width=648,
        height=486,
        world_file=folder / "world" / "camera.toml",
        production=folder / "production",
    )


def middle(eye: SimulatedCamera) -> int:
    with eye.view(1) as frame:
        return frame.luma[384 * frame.strides[0] + 512]


def test_what_is_laid_and_cleared_away_shows_in_an_open_camera(tmp_path: Path, white: Path) -> None:
    world = CameraWorld(tmp_path / "world" / "camera.toml")
    world.point_at("retina.jpg")
    eye = camera(tmp_path)
    eye.open()
    before = middle(eye)
    assert before < 180
    world.lay(white, width=0.2, x=0.1)
    assert middle(eye) == before
    world.lay(white, width=0.2)
    assert middle(eye) > 200
    world.clear_away()
    assert middle(eye) == before
    eye.close()


def test_what_is_held_is_in_front_of_what_lies_there(tmp_path: Path, white: Path) -> None:
    Image.new("L", (400, 300)).save(tmp_path / "black.png")
    world = CameraWorld(tmp_path / "world" / "camera.toml")
    world.lay(white, width=2)
    world.hold(tmp_path / "black.png")
    eye = camera(tmp_path)
    eye.open()
    with eye.view(1) as frame:
        stride = frame.strides[0]
        assert frame.luma[stride * 700 + 100] < 48
        assert frame.luma[stride * 100 + 100] > 200
    eye.close()


@pytest.mark.parametrize(
    ("content", "words"), [(None, "cannot be read"), (b"words", "is not an image")]
)
def test_P10_what_cannot_lie_there_is_named(
    tmp_path: Path, content: bytes | None, words: str
) -> None:
    label = tmp_path / "label.png"
    if content is not None:
        label.write_bytes(content)
    CameraWorld(tmp_path / "world" / "camera.toml").lay(label)
    eye = camera(tmp_path)
    with pytest.raises(CameraError) as error:
        eye.open()
    assert str(error.value).startswith(f"{label}, which is to lie in the scene, {words}")
    eye.close()


@pytest.mark.parametrize(("setting", "value"), [("x", 3), ("width", 0), ("tilted", 90)])
def test_P10_what_cannot_lie_so_is_refused(
    tmp_path: Path, white: Path, setting: str, value: float
) -> None:
    with pytest.raises(ConfigError, match=setting):
        CameraWorld(tmp_path / "camera.toml").lay(white, **{setting: value})


def test_the_world_file_keeps_what_lies_there(tmp_path: Path, white: Path) -> None:
    path = tmp_path / "camera.toml"
    CameraWorld(path).lay('a "label".png', turned=10)
    again = CameraWorld(path)
    again.lay(white)
    assert [laid.picture for laid in again.world.laid] == ['a "label".png', str(white)]
