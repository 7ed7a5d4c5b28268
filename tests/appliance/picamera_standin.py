"""Picamera2 and libcamera without hardware, as far as the real adapter uses them.

What matters here is who owns memory: real shared mappings behind descriptors, buffers that go
round in requests, frames that keep coming into buffers nobody looks at, and mappings that stay
readable after ``stop``.
"""

import contextlib
import mmap
import os
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, ClassVar, Self

import numpy as np

ALIGN = 64


class Allocator:
    """Picamera2's DmaAllocator: mappings by frame buffer."""

    def __init__(self) -> None:
        self.mapped_buffers: dict[str, mmap.mmap] = {}
        self.synced: list[str] = []

    @contextlib.contextmanager
    def sync(self, allocator: "Allocator", buffer: str, write: bool) -> Iterator[mmap.mmap]:
        assert allocator is self
        assert write
        self.synced.append(buffer)
        yield self.mapped_buffers[buffer]


class Request:
    """Picamera2's CompletedRequest: one buffer of each stream."""

    def __init__(self, device: "Device", number: int) -> None:
        self.device = device
        self.number = number
        self.released = 0

    def get_metadata(self) -> dict[str, Any]:
        return self.device.metadata()

    def release(self) -> None:
        self.released += 1
        self.device.seen_at_release.append(
            {s: bytes(self.device.buffer(s, self.number)) for s in self.device.streams}
        )


class Device:
    """One Picamera2 object."""

    absent = False
    broken: Exception | None = None
    silent = False
    camera_controls: ClassVar[dict[str, tuple[object, ...]]] = dict.fromkeys(
        ("AeEnable", "AwbEnable", "ExposureTime", "AnalogueGain", "ColourGains"), ()
    )

    def __init__(self) -> None:
        self.allocator = Allocator()
        self.streams: dict[str, Any] = {}
        self.next = 0
        self.requests: list[Request] = []
        self.seen_at_release: list[dict[str, bytes]] = []
        self.calls: list[str] = []
        self.controls: list[dict[str, Any]] = []
        self.wanted: dict[str, Any] = {}
        self.settles_after = 4

    def set_controls(self, controls: dict[str, Any]) -> None:
        assert controls.keys() <= self.camera_controls.keys(), "a control it does not have"
        self.controls.append(controls)

    def metadata(self) -> dict[str, Any]:
        """Exposure and colour move until the camera has seen so many frames."""
        seen = min(self.next, self.settles_after)
        return {
            "AeLocked": seen == self.settles_after,
            "ColourGains": (1 + seen / 10, 2.0),
            "ExposureTime": 1000 * seen,
            "AnalogueGain": 1.5,
            "Lux": 400.0,
        }

    @staticmethod
    def global_camera_info() -> list[dict[str, object]]:
        return [] if Device.absent else [{"Model": "imx477", "Num": 0}]

    def create_still_configuration(self, **wanted: Any) -> dict[str, Any]:
        assert wanted["raw"] is None
        return {**wanted, "raw": {"format": "SRGGB12"}}

    def configure(self, wanted: dict[str, Any]) -> None:
        assert wanted["raw"] is None, "a raw stream is one more copy of the picture"
        self.wanted = wanted
        if Device.broken is not None:
            raise Device.broken
        for name in ("main", "lores"):
            width, height = wanted[name]["size"]
            stride = -(-width // (2 * ALIGN)) * 2 * ALIGN
            self.streams[name] = {**wanted[name], "stride": stride}
            for number in range(wanted["buffer_count"]):
                descriptor = os.memfd_create(f"{name}-{number}")
                size = stride * height * 3 // 2
                os.ftruncate(descriptor, size)
                self.allocator.mapped_buffers[f"{name}-{number}"] = mmap.mmap(descriptor, size)
                os.close(descriptor)

    def camera_configuration(self) -> dict[str, Any]:
        return self.streams

    def buffer(self, stream: str, number: int) -> mmap.mmap:
        return self.allocator.mapped_buffers[f"{stream}-{number}"]

    def expose_all(self) -> None:
        """Frames keep coming, into every buffer that is not held."""
        for mapped in self.allocator.mapped_buffers.values():
            mapped[:] = os.urandom(4096) * (len(mapped) // 4096) + b"\x77" * (len(mapped) % 4096)

    def start(self) -> None:
        self.calls.append("start")
        self.expose_all()

    def capture_request(self, wait: float) -> Request:
        assert wait > 0
        if Device.silent:
            raise TimeoutError
        self.expose_all()
        request = Request(self, self.next % 2)
        self.next += 1
        self.requests.append(request)
        return request

    def cancel_all_and_flush(self) -> None:
        self.calls.append("cancel")

    def stop(self) -> None:
        self.expose_all()
        self.calls.append("stop")

    def close(self) -> None:
        self.calls.append("close")
        assert self.calls.index("stop") < self.calls.index("close")


class MappedArray:
    """A frame in place, as a numpy array."""

    def __init__(self, request: Request, stream: str, reshape: bool, write: bool) -> None:
        assert not reshape
        assert write
        self._mapped = request.device.buffer(stream, request.number)

    def __enter__(self) -> Self:
        self.array = np.frombuffer(self._mapped, dtype=np.uint8)
        return self

    def __exit__(self, *_: object) -> None:
        del self.array


class Module:
    """What ``import picamera2`` returns."""

    MappedArray = MappedArray
    libcamera = SimpleNamespace(Transform=SimpleNamespace)

    def __init__(self) -> None:
        self.devices: list[Device] = []
        module = self

        class Picamera2(Device):
            def __init__(self) -> None:
                super().__init__()
                module.devices.append(self)

        self.Picamera2 = Picamera2
