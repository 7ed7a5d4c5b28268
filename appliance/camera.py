"""The camera as the darkroom sees it: opened once in a life, wiped when closed.

``Picamera2Camera`` in ``picamera.py`` is the real adapter, ``SimulatedCamera`` in
``simulator/camera.py`` stands beside it, and both pass the same contract tests. What they hand
over is in ``frame.py``.
"""

from typing import Protocol

from appliance.frame import Frame
from appliance.orders import FaultCode
from base.errors import WardsealError


class CameraError(WardsealError):
    """The camera cannot do what it was asked; ``code`` is for the panel, the text for people."""

    def __init__(self, code: FaultCode, why: str) -> None:
        super().__init__(why)
        self.code = code


class Camera(Protocol):
    """One camera for one life. Times are seconds; every failure is a CameraError.

    A call may outlive its ``seconds``, even for ever, when a driver hangs. Whoever calls keeps
    a deadline of its own and ends the process.
    """

    def self_test(self) -> CameraError | None:
        """Return what is missing, without opening the camera; None: all well. May be repeated."""
        ...

    def prepare(self) -> None:
        """Do what is slow and needs no consent: imports. The camera stays closed."""
        ...

    def open(self) -> None:
        """Configure, allocate, start streaming. Once in a life."""
        ...

    def wait_ready(self, seconds: float) -> None:
        """Return when frames arrive, or raise NO_FRAMES."""
        ...

    def view(self, seconds: float) -> Frame:
        """Return the next small frame, for the viewfinder."""
        ...

    def capture(self, seconds: float) -> Frame:
        """Return the next frame at full size."""
        ...

    def close(self) -> None:
        """Stop, zero every buffer, let the camera go; later calls do nothing."""
        ...
