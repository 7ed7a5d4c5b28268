"""One contract for every camera: the simulated one, the adapter for the real one on a stand-in
for Picamera2, and the real one itself where there is one."""

import importlib.util
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from appliance.camera import Camera, CameraError
from appliance.orders import FaultCode
from appliance.picamera import Picamera2Camera
from appliance.simulator.camera import SimulatedCamera
from appliance.simulator.world import SCENES, CameraWorld
from base.errors import ConfigError, EnvironmentProblem
from tests.appliance.picamera_standin import Device, Module

WIDTH, HEIGHT = 648, 486

NOT_PERMITTED = (
    "the camera's device files may not be opened: add the user to the group video (simulated)"
)

Buffers = Callable[[], list[memoryview]]


def simulated(folder: Path, rotation: int = 0) -> SimulatedCamera:
    return SimulatedCamera(
        rotation=rotation,
        width=WIDTH,
        height=HEIGHT,
        world_file=folder / "world" / "camera.toml",
        production=folder / "production",
    )


def on_standin(module: Module, folder: Path, rotation: int = 0) -> Picamera2Camera:
    (folder / "vc4").mkdir(exist_ok=True)
    (folder / "vc4" / "imx477.json").touch()
    return Picamera2Camera(
        width=WIDTH,
        height=HEIGHT,
        rotation=rotation,
        module=lambda: module,
        tuning=(folder,),
    )


@pytest.fixture(params=["simulated", "picamera2 on a stand-in", "picamera2"])
def camera(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Camera, Buffers]]:
    """A closed camera, and a look at every buffer it has."""
    if request.param == "simulated":
        found = simulated(tmp_path)
        yield found, lambda: [b.view[:] for b in (*found._ring, found._small) if b is not None]
        found.close()
        return
    if request.param == "picamera2 on a stand-in":
        module = Module()
        standin = on_standin(module, tmp_path)
        yield standin, lambda: _mapped(module.devices[0])
        standin.close()
        return
    if importlib.util.find_spec("picamera2") is None:
        pytest.skip("Picamera2 is not installed")
    real = Picamera2Camera(width=WIDTH, height=HEIGHT)
    if problem := real.self_test():
        pytest.skip(str(problem))
    yield real, lambda: _mapped(real._device)
    real.close()


def _mapped(device: Device) -> list[memoryview]:
    return [memoryview(mapped) for mapped in device.allocator.mapped_buffers.values()]


def test_a_photo_is_yuv_420_of_full_size_in_padded_rows(camera: tuple[Camera, Buffers]) -> None:
    eye, _ = camera
    eye.prepare()
    eye.open()
    eye.wait_ready(5)
    with eye.capture(5) as frame:
        assert (frame.format, frame.width, frame.height) == ("YUV420", WIDTH, HEIGHT)
        assert len(frame.planes) == len(frame.strides) == 3
        for plane, stride, width, height in zip(
            frame.planes,
            frame.strides,
            (WIDTH, WIDTH // 2, WIDTH // 2),
            (HEIGHT, HEIGHT // 2, HEIGHT // 2),
            strict=True,
        ):
            assert stride >= width
            assert stride % 64 == 0
            assert len(plane) == stride * height
            assert not plane.readonly
        assert any(frame.luma)


def test_P3_a_frame_that_is_left_is_zero_and_its_planes_are_closed(
    camera: tuple[Camera, Buffers],
) -> None:
    eye, _ = camera
    eye.open()
    with eye.capture(5) as frame:
        held = frame._buffer[:]
        assert any(held)
    assert not any(held)
    with pytest.raises(ValueError, match="released"):
        frame.luma[0]


def test_P3_a_frame_is_wiped_when_its_use_fails(camera: tuple[Camera, Buffers]) -> None:
    eye, _ = camera
    eye.open()
    held: list[memoryview] = []

    def use() -> None:
        with eye.capture(5) as frame:
            held.append(frame._buffer[:])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        use()
    assert not any(held[0])


def test_the_small_frame_is_small_and_wiped_like_the_large_one(
    camera: tuple[Camera, Buffers],
) -> None:
    eye, _ = camera
    eye.open()
    with eye.view(5) as frame:
        assert (frame.width, frame.height) == (1024, 768)
        assert any(frame.luma)
        held = frame.luma[:]
    assert not any(held)


def test_P3_closing_wipes_every_buffer(camera: tuple[Camera, Buffers]) -> None:
    eye, buffers = camera
    eye.open()
    with eye.view(5), eye.capture(5):
        pass
    held = buffers()
    for buffer in held:
        buffer[:5] = b"frame"
    eye.close()
    eye.close()
    assert len(held) >= 3
    assert not any(any(buffer) for buffer in held)


def test_a_camera_is_opened_once_in_a_life(camera: tuple[Camera, Buffers]) -> None:
    eye, _ = camera
    eye.open()
    with pytest.raises(CameraError, match="opened once in this life"):
        eye.open()


def test_P2_a_closed_camera_gives_no_frame(camera: tuple[Camera, Buffers]) -> None:
    eye, _ = camera
    with pytest.raises(CameraError, match="the camera is not open"):
        eye.capture(1)
    eye.open()
    eye.close()
    with pytest.raises(CameraError, match="the camera is not open"):
        eye.view(1)


def test_a_well_camera_passes_its_self_test(camera: tuple[Camera, Buffers]) -> None:
    assert camera[0].self_test() is None


# The simulated camera alone


def test_no_two_photos_of_a_scene_are_alike(tmp_path: Path) -> None:
    eye = simulated(tmp_path)
    eye.open()
    lumas = []
    for _ in range(2):
        with eye.capture(1) as frame:
            lumas.append(bytes(frame.luma[frame.strides[0] * 100 :][:WIDTH]))
    eye.close()
    different = sum(a != b for a, b in zip(*lumas, strict=True))
    assert different > WIDTH * 0.8
    assert max(abs(a - b) for a, b in zip(*lumas, strict=True)) <= 30


@pytest.mark.parametrize("scene", ["retina.jpg", "coffee.png"])
def test_the_shipped_scenes_are_there(scene: str) -> None:
    assert (SCENES / scene).is_file()


def test_a_raw_frame_is_delivered_exactly_as_it_is(tmp_path: Path) -> None:
    raw = os.urandom(WIDTH * HEIGHT * 3 // 2)
    (tmp_path / "frame.yuv").write_bytes(raw)
    CameraWorld(tmp_path / "world" / "camera.toml").point_at(tmp_path / "frame.yuv")
    eye = simulated(tmp_path)
    eye.open()
    with eye.capture(1) as frame:
        rows = []
        for plane, stride, width in zip(
            frame.planes, frame.strides, (WIDTH, WIDTH // 2, WIDTH // 2), strict=True
        ):
            for start in range(0, len(plane), stride):
                rows.append(bytes(plane[start : start + width]))
                assert not any(plane[start + width : start + stride])
    with eye.view(1) as small:
        assert small.luma[0] == raw[0]
        assert small.luma[small.strides[0]] == raw[HEIGHT // small.height * WIDTH]
    eye.close()
    assert b"".join(rows) == raw


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("short.yuv", b"xyz", "has 3 bytes; a raw I420 frame of 648 x 486 has 472392"),
        ("words.png", b"not a picture", "is not an image that can be shown"),
        ("away.png", None, "cannot be read: "),
        ("away.yuv", None, "cannot be read: No such file or directory"),
    ],
)
def test_P10_a_scene_that_cannot_be_shown_is_named(
    tmp_path: Path, name: str, content: bytes | None, words: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    CameraWorld(tmp_path / "world" / "camera.toml").point_at(tmp_path / name)
    eye = simulated(tmp_path)
    with pytest.raises(CameraError) as error:
        eye.open()
    assert str(error.value).startswith(f"the scene {tmp_path / name} {words}")
    eye.close()


def test_P10_an_unknown_setting_in_the_world_file_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "world").mkdir()
    (tmp_path / "world" / "camera.toml").write_text('scen = "retina.jpg"\n')
    eye = simulated(tmp_path)
    assert "scene" in str(eye.self_test())
    with pytest.raises(CameraError, match="scene"):
        eye.open()


def test_a_simulated_camera_refuses_to_run_on_a_production_image(tmp_path: Path) -> None:
    (tmp_path / "production").touch()
    with pytest.raises(EnvironmentProblem) as error:
        simulated(tmp_path)
    assert str(error.value) == (
        f"the camera is only simulated, and this is a production image ({tmp_path}/production"
        " exists). Set camera.adapter and hardware.adapter to the real parts"
    )


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        (
            CameraWorld.unplug,
            FaultCode.NO_CAMERA,
            "no camera was found: check both ends of its ribbon cable (simulated)",
        ),
        (
            CameraWorld.lose_tuning_file,
            FaultCode.TUNING_MISSING,
            "the sensor's tuning file is missing: apt-get install libcamera-ipa (simulated)",
        ),
        (
            CameraWorld.lock_away,
            FaultCode.NOT_PERMITTED,
            NOT_PERMITTED,
        ),
        (
            CameraWorld.run_out_of_memory,
            FaultCode.NO_MEMORY,
            "there is no memory for the camera's frames: Cannot allocate memory",
        ),
    ],
)
def test_what_is_wrong_is_named_when_the_camera_opens(
    tmp_path: Path, fault: Callable[[CameraWorld], None], code: FaultCode, words: str
) -> None:
    world = CameraWorld(tmp_path / "world" / "camera.toml")
    fault(world)
    eye = simulated(tmp_path)
    told = eye.self_test()
    assert (told and (told.code, str(told))) == (
        (code, words) if code is not FaultCode.NO_MEMORY else None
    )
    with pytest.raises(CameraError) as error:
        eye.open()
    assert (error.value.code, str(error.value)) == (code, words)
    eye.close()
    world.mend()
    assert simulated(tmp_path).self_test() is None


def test_memory_can_run_out_at_any_buffer(tmp_path: Path) -> None:
    world = CameraWorld(tmp_path / "world" / "camera.toml")
    for found in range(3):
        world.run_out_of_memory(after=found)
        eye = simulated(tmp_path)
        with pytest.raises(CameraError):
            eye.open()
        eye.close()
    world.run_out_of_memory(after=3)
    eye = simulated(tmp_path)
    eye.open()
    eye.close()


def test_a_starved_camera_says_so_after_its_time_out(tmp_path: Path) -> None:
    CameraWorld(tmp_path / "world" / "camera.toml").starve(after=1)
    eye = simulated(tmp_path)
    eye.open()
    with eye.capture(0.01):
        pass
    with pytest.raises(CameraError) as error:
        eye.capture(0.01)
    assert error.value.code is FaultCode.NO_FRAMES
    assert str(error.value) == "no frame came within 0.01 s"
    eye.close()


def _level(eye: SimulatedCamera, x: float, y: float) -> int:
    """The luma of the viewfinder at a part of its width and height."""
    with eye.view(0.01) as small:
        return small.luma[int(y * small.height) * small.strides[0] + int(x * small.width)]


def test_what_is_held_into_the_view_shows_in_the_next_frame_and_leaves_with_the_hand(
    tmp_path: Path,
) -> None:
    for name, colour in (("black", 0), ("white", 255), ("grey", 128)):
        Image.new("L", (WIDTH, HEIGHT), colour).save(tmp_path / f"{name}.png")
    world = CameraWorld(tmp_path / "world" / "camera.toml")
    world.point_at(tmp_path / "black.png")
    eye = simulated(tmp_path)
    eye.open()
    assert _level(eye, 0.1, 0.9) < 40
    world.hold(tmp_path / "white.png", tmp_path / "grey.png")
    assert _level(eye, 0.1, 0.9) > 220, "the first at the lower left"
    assert 100 < _level(eye, 0.9, 0.9) < 160, "the second at the lower right"
    assert _level(eye, 0.1, 0.1) < 40 and _level(eye, 0.5, 0.75) < 40, "nothing elsewhere"
    world.point_at(tmp_path / "grey.png")
    assert 100 < _level(eye, 0.1, 0.1) < 160, "another scene behind what is held"
    world.hold()
    assert 100 < _level(eye, 0.1, 0.9) < 160
    eye.close()


def test_P10_nobody_holds_five_things(tmp_path: Path) -> None:
    world = CameraWorld(tmp_path / "world" / "camera.toml")
    with pytest.raises(ConfigError, match="held: nobody can hold more than 4 things at once"):
        world.hold(*[tmp_path / "card.png"] * 5)


def test_a_cable_that_is_pulled_while_the_camera_is_on_is_silence(tmp_path: Path) -> None:
    world = CameraWorld(tmp_path / "world" / "camera.toml")
    eye = simulated(tmp_path)
    eye.open()
    world.unplug()
    for look in (eye.view, eye.capture):
        with pytest.raises(CameraError) as error:
            look(0.01)
        assert error.value.code is FaultCode.NO_FRAMES
    world.mend()
    assert _level(eye, 0.5, 0.5)
    eye.close()


# The adapter for Picamera2 alone


@pytest.fixture
def module() -> Iterator[Module]:
    yield Module()
    Device.absent, Device.broken, Device.silent = False, None, False


def test_P3_all_of_a_request_is_zero_before_it_goes_back(module: Module, tmp_path: Path) -> None:
    eye = on_standin(module, tmp_path)
    eye.open()
    for take in (eye.view, eye.capture):
        with take(1):
            pass
    device = module.devices[0]
    assert {request.released for request in device.requests} == {1}
    for seen in device.seen_at_release:
        assert not any(seen["main"])
        assert not any(seen["lores"])
    eye.close()


def test_P3_frames_nobody_asked_for_are_wiped_after_the_stop(
    module: Module, tmp_path: Path
) -> None:
    eye = on_standin(module, tmp_path)
    eye.open()
    held = _mapped(module.devices[0])
    eye.close()
    assert module.devices[0].calls == ["start", "stop", "close"]
    assert not any(any(buffer) for buffer in held)
    assert len(module.devices[0].allocator.synced) == 4


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (
            RuntimeError("failed to allocate capture buffers"),
            FaultCode.NO_MEMORY,
            "there is no mem",
        ),
        (OSError(12, "Cannot allocate memory"), FaultCode.NO_MEMORY, "there is no memory"),
        (PermissionError(13, "denied"), FaultCode.NOT_PERMITTED, "the camera's device files may"),
        (RuntimeError("odd"), FaultCode.NO_CAMERA, "the camera does not start: odd"),
    ],
)
def test_libcamera_s_errors_become_words(
    module: Module, tmp_path: Path, error: Exception, code: FaultCode, words: str
) -> None:
    Device.broken = error
    eye = on_standin(module, tmp_path)
    with pytest.raises(CameraError) as caught:
        eye.open()
    assert caught.value.code is code
    assert str(caught.value).startswith(words)
    eye.close()


def test_what_picamera2_met_is_said_and_not_that_it_met_something(
    module: Module, tmp_path: Path
) -> None:
    Device.broken = RuntimeError("Camera __init__ sequence did not complete.")
    Device.broken.__cause__ = RuntimeError("no such device")
    eye = on_standin(module, tmp_path)
    with pytest.raises(CameraError, match="the camera does not start: no such device"):
        eye.open()


def test_an_empty_list_of_cameras_is_told_apart_from_a_missing_tuning_file(
    module: Module, tmp_path: Path
) -> None:
    Device.absent = True
    eye = on_standin(module, tmp_path)
    assert str(eye.self_test()).startswith(
        "no camera was found: check both ends of its ribbon cable"
    )
    (tmp_path / "vc4" / "imx477.json").unlink()
    assert str(eye.self_test()).startswith("the sensors' tuning files are missing")
    with pytest.raises(CameraError) as error:
        eye.open()
    assert error.value.code is FaultCode.TUNING_MISSING


def test_a_time_out_is_no_frames_and_leaves_no_job_behind(module: Module, tmp_path: Path) -> None:
    eye = on_standin(module, tmp_path)
    eye.open()
    Device.silent = True
    with pytest.raises(CameraError, match=r"no frame came within 0\.5 s") as error:
        eye.capture(0.5)
    assert error.value.code is FaultCode.NO_FRAMES
    assert module.devices[0].calls[-1] == "cancel"
    eye.close()


def test_exposure_and_colour_are_held_before_the_first_photo(
    module: Module, tmp_path: Path
) -> None:
    eye = on_standin(module, tmp_path)
    eye.open()
    device = module.devices[0]
    assert device.controls == [{"AeEnable": True, "AwbEnable": True}]
    eye.wait_ready(1)
    seen = len(device.requests)
    (held,) = device.controls[1:]
    assert held == {
        "AeEnable": False,
        "AwbEnable": False,
        "ExposureTime": 4000,
        "AnalogueGain": 1.5,
        "ColourGains": (1.4, 2.0),
    }
    with eye.capture(1):
        pass
    assert len(device.requests) == seen + 1, "nothing is waited for any more"
    eye.close()


def test_a_photo_is_taken_as_it_is_when_the_light_does_not_settle(
    module: Module, tmp_path: Path
) -> None:
    eye = on_standin(module, tmp_path)
    eye.open()
    module.devices[0].settles_after = 10**9
    with eye.capture(0.05) as frame:
        assert any(frame.luma)
    eye.close()


@pytest.mark.parametrize("rotation", [0, 180])
def test_a_camera_upside_down_is_turned_and_never_mirrored(
    module: Module, tmp_path: Path, rotation: int
) -> None:
    eye = on_standin(module, tmp_path, rotation)
    eye.open()
    transform = module.devices[0].wanted.get("transform")
    flips = (False, False) if transform is None else (transform.hflip, transform.vflip)
    assert flips == (rotation == 180,) * 2
    eye.close()


def test_the_simulated_camera_turned_round_shows_the_same_picture_turned(tmp_path: Path) -> None:
    Image.new("L", (WIDTH, HEIGHT)).save(tmp_path / "black.png")
    Image.new("L", (WIDTH, HEIGHT), 255).save(tmp_path / "white.png")
    world = CameraWorld(tmp_path / "world" / "camera.toml")
    world.point_at(tmp_path / "black.png")
    world.lay(tmp_path / "white.png", x=0.2, y=0.3, width=0.1)
    for rotation, bright in ((0, (0.2, 0.3)), (180, (0.8, 0.7))):
        eye = simulated(tmp_path, rotation)
        eye.open()
        for x, y in ((0.2, 0.3), (0.8, 0.3), (0.2, 0.7), (0.8, 0.7)):
            assert (_level(eye, x, y) > 200) == ((x, y) == bright)
        eye.close()


def test_without_picamera2_the_package_is_named(tmp_path: Path) -> None:
    def absent() -> object:
        raise ImportError

    eye = Picamera2Camera(width=WIDTH, height=HEIGHT, module=absent, tuning=(tmp_path,))
    eye.prepare()
    words = "Picamera2 is not installed: apt-get install python3-picamera2"
    assert str(eye.self_test()) == words
    with pytest.raises(CameraError, match=words):
        eye.open()
