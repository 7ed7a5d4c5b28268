"""The real camera: libcamera through Picamera2, which is touched in this file only.

Configured once in a life: full size and a small stream, YUV 4:2:0, sYCC (JFIF's full range),
no raw stream, two buffers, and no frame kept back (``queue=False``), so that a photo is one
that arrived after CAPTURE. Frames are used where they are, through ``MappedArray(write=True)``;
``make_array`` and ``make_buffer`` would copy. Both streams of a request are zeroed before it
goes back, and every mapped buffer once more when the camera has stopped.

Exposure, white balance and focus are ``metering``'s; what it needs of each frame is the
metadata. A camera that hangs upside down is turned by the sensor itself (``rotation``).

Proven on Picamera2's programming interface as of 0.3.36; on a Pi by the image's own tests.
"""

import errno
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Final

from appliance.camera import CameraError
from appliance.frame import YUV420, Frame, Layout
from appliance.metering import Metering
from appliance.orders import FaultCode
from base.memory import wipe

_SMALL: Final = (1024, 768)
_RING: Final = 2
_MAIN, _LORES = "main", "lores"
_SETTLES_WITHIN: Final = 1.5
"""Seconds that exposure and colour may take; after that a photo is taken as it is."""
_TUNING: Final = (
    Path("/usr/share/libcamera/ipa/rpi"),
    Path("/usr/local/share/libcamera/ipa/rpi"),
)
_NOT_INSTALLED: Final = "Picamera2 is not installed: apt-get install python3-picamera2"
_NO_TUNING: Final = (
    "the sensors' tuning files are missing, so libcamera shows no camera:"
    " apt-get install libcamera-ipa"
)
_NO_CAMERA: Final = (
    "no camera was found: check both ends of its ribbon cable, and camera_auto_detect=1 in"
    " /boot/firmware/config.txt"
)
_NOT_PERMITTED: Final = (
    "the camera's device files may not be opened: add the user to the group video"
)
_NO_MEMORY: Final = (
    "there is no memory for the camera's frames: give the kernel more of it with"
    " dtoverlay=vc4-kms-v3d,cma-256 in /boot/firmware/config.txt"
)


def picamera2_module() -> Any:
    """Import Picamera2; nothing is opened by that."""
    import picamera2

    return picamera2


class Picamera2Camera:
    """``rotation``: 180 when the camera hangs upside down, else 0.

    ``module``: returns Picamera2's module; ``tuning``: folders with tuning files below.
    """

    def __init__(
        self,
        *,
        width: int,
        height: int,
        rotation: int = 0,
        module: Callable[[], Any] = picamera2_module,
        tuning: tuple[Path, ...] = _TUNING,
    ) -> None:
        self._size = (width, height)
        self._rotation = rotation
        self._metering = Metering(())
        self._module = module
        self._tuning = tuning
        self._device: Any = None
        self._layouts: dict[str, Layout] = {}
        self._opened = False

    def self_test(self) -> CameraError | None:
        try:
            cameras = self._module().Picamera2.global_camera_info()
        except ImportError:
            return CameraError(FaultCode.NO_CAMERA, _NOT_INSTALLED)
        except PermissionError:
            return CameraError(FaultCode.NOT_PERMITTED, _NOT_PERMITTED)
        except (OSError, RuntimeError) as e:
            return CameraError(FaultCode.NO_CAMERA, f"libcamera does not start: {e}")
        return None if cameras else self._absent()

    def prepare(self) -> None:
        """Import Picamera2, numpy and libcamera, which takes a second or two on a Pi."""
        with suppress(ImportError):
            self._module()

    def open(self) -> None:
        if self._opened:
            raise CameraError(FaultCode.NO_CAMERA, "the camera was opened once in this life")
        self._opened = True
        try:
            library = self._module().Picamera2
            if not library.global_camera_info():
                raise self._absent()
            self._device = library()
            self._configure()
            self._metering = Metering(self._device.camera_controls)
            self._device.set_controls(self._metering.begin())
            self._device.start()
        except ImportError as e:
            raise CameraError(FaultCode.NO_CAMERA, _NOT_INSTALLED) from e
        except PermissionError as e:
            raise CameraError(FaultCode.NOT_PERMITTED, _NOT_PERMITTED) from e
        except (OSError, RuntimeError) as e:
            if getattr(e, "errno", None) == errno.ENOMEM or "allocate" in str(e):
                raise CameraError(FaultCode.NO_MEMORY, _NO_MEMORY) from e
            # Picamera2 says "__init__ sequence did not complete"; what it met is the cause.
            why = e.__cause__ or e
            raise CameraError(FaultCode.NO_CAMERA, f"the camera does not start: {why}") from e

    def _configure(self) -> None:
        streams = {
            _MAIN: {"format": YUV420, "size": self._size},
            _LORES: {"format": YUV420, "size": _SMALL},
        }
        wanted = self._device.create_still_configuration(
            **streams, raw=None, buffer_count=_RING, queue=False, display=None, encode=None
        )
        # Not every version of Picamera2 leaves the raw stream out when it is told to.
        wanted["raw"] = None
        if self._rotation:
            # Both flips are half a turn; one alone would be a mirror.
            wanted["transform"] = self._module().libcamera.Transform(hflip=True, vflip=True)
        self._device.configure(wanted)
        given = self._device.camera_configuration()
        for stream in streams:
            width, height = given[stream]["size"]
            self._layouts[stream] = Layout(width, height, given[stream]["stride"])
        full = self._layouts[_MAIN]
        if given[_MAIN]["format"] != YUV420 or (full.width, full.height) != self._size:
            raise CameraError(
                FaultCode.NO_CAMERA,
                f"the camera delivers {given[_MAIN]['format']} of {full.width} x {full.height};"
                " set camera.width and camera.height to the sensor's size",
            )

    def _absent(self) -> CameraError:
        if not any(found.is_dir() and any(found.glob("*/*.json")) for found in self._tuning):
            return CameraError(FaultCode.TUNING_MISSING, _NO_TUNING)
        return CameraError(FaultCode.NO_CAMERA, _NO_CAMERA)

    def wait_ready(self, seconds: float) -> None:
        """The first frame must come in time; then the light has a while to settle."""
        with self.view(seconds):
            pass
        self._settle(seconds)

    def _settle(self, seconds: float) -> None:
        due = time.monotonic() + min(_SETTLES_WITHIN, seconds / 2)
        while not self._metering.settled and time.monotonic() < due:
            with self.view(seconds):
                pass

    def view(self, seconds: float) -> Frame:
        return self._frame(_LORES, seconds)

    def capture(self, seconds: float) -> Frame:
        self._settle(seconds)
        return self._frame(_MAIN, seconds)

    def _frame(self, stream: str, seconds: float) -> Frame:
        if self._device is None:
            raise CameraError(FaultCode.NO_CAMERA, "the camera is not open")
        try:
            request = self._device.capture_request(wait=seconds)
        except TimeoutError as e:
            self._device.cancel_all_and_flush()
            raise CameraError(
                FaultCode.NO_FRAMES,
                f"no frame came within {round(seconds, 2):g} s: check the ribbon cable",
            ) from e
        with ExitStack() as undo:
            undo.callback(request.release)
            if changed := self._metering.see(request.get_metadata()):
                self._device.set_controls(changed)
            for other in (_MAIN, _LORES):
                if other != stream:
                    undo.callback(self._wipe, request, other)
            mapped = undo.enter_context(self._map(request, stream))
            return Frame(memoryview(mapped.array), self._layouts[stream], undo.pop_all().close)
        raise AssertionError("unreachable")

    def _map(self, request: Any, stream: str) -> Any:
        return self._module().MappedArray(request, stream, reshape=False, write=True)

    def _wipe(self, request: Any, stream: str) -> None:
        with self._map(request, stream) as mapped:
            wipe(memoryview(mapped.array))

    def close(self) -> None:
        device, self._device = self._device, None
        if device is None:
            return
        device.stop()
        # Frames that nobody asked for are still in the ring.
        allocator = device.allocator
        for buffer, mapped in list(allocator.mapped_buffers.items()):
            with allocator.sync(allocator, buffer, True):
                wipe(mapped)
        device.close()
