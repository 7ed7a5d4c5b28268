"""A panel in this process, with its real ledger, spool and mailbox, and the test as its darkroom.

The test presses buttons by events, answers the panel's orders over a real SEQPACKET socket with
real envelopes, and puts letters into the mailbox as the uplink would.
"""

import os
import socket
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from selectors import DefaultSelector

from appliance import orders, signals
from appliance.clock import SystemClock
from appliance.config import (
    ApplianceConfig,
    BrokerSettings,
    DeviceSettings,
    WindowSettings,
)
from appliance.custody import Recovered
from appliance.desk import Parts
from appliance.panel import Panel
from appliance.post import LinkState, Post
from appliance.session import State
from appliance.signals import Event
from base import doorbell
from tests.appliance.ward import DEVICE, WORDING, Ward
from wire import shapes


class Fingers:
    """Buttons that the test presses."""

    def __init__(self) -> None:
        self._woken, self._wake = socket.socketpair()
        self._pressed: list[Event] = []

    def fileno(self) -> int:
        return self._woken.fileno()

    def events(self) -> list[Event]:
        found, self._pressed = self._pressed, []
        return found

    def deadline(self) -> int | None:
        return None

    def close(self) -> None:
        self._woken.close()
        self._wake.close()

    def do(self, kind: type[Event]) -> None:
        self._pressed.append(kind(time.clock_gettime_ns(time.CLOCK_BOOTTIME)))


class Eyes:
    """A screen and a lamp that the test looks at."""

    def __init__(self) -> None:
        self.works = True
        self.broken = False
        self.lit = False
        self.shown: State | None = None
        self.heard: list[signals.Buzzer] = []
        self.views: list[bytes] = []

    def show(self, state: State) -> None:
        self.shown = state

    def prove(self) -> None:
        self.broken = not self.works

    def view(self, bits: memoryview) -> None:
        self.views.append(bytes(bits))

    def lamp(self, on: bool) -> None:
        self.lit = on

    def buzz(self, pattern: signals.Buzzer) -> None:
        self.heard.append(pattern)

    def deadline(self) -> int | None:
        return None

    def tick(self) -> None:
        return None


class Rig:
    """One panel; ``until`` turns it until something is so."""

    def __init__(
        self, folder: Path, *, release_seconds: float = 0.0, not_after_ms: int = 2**50
    ) -> None:
        self.ward = Ward(folder, not_after_ms=not_after_ms)
        self._release_seconds = release_seconds
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(str(self.ward.paths.darkroom_socket))
        self._listener.listen(4)
        self._letters = 0
        self._lines: list[orders.Line] = []
        self.start(Recovered((), (), ()))

    def start(self, recovered: Recovered, trouble: str = "") -> None:
        """Start the panel over what the ward's folders hold."""
        ward = self.ward
        self.fingers, self.eyes = Fingers(), Eyes()
        config = ApplianceConfig(
            device=DeviceSettings(id=DEVICE, bed="Bed 12"),
            broker=BrokerSettings(host="localhost"),
            paths=ward.paths,
            window=WindowSettings(release_seconds=self._release_seconds),
        )
        self._selector = DefaultSelector()
        self.panel = Panel(
            Parts(
                config=config,
                clock=SystemClock(),
                ledger=ward.ledger,
                spool=ward.spool,
                post=Post(ward.paths.mailbox, DEVICE),
                custodian=ward.custodian,
                keyset=ward.trusted,
                hands=self.fingers,
                face=self.eyes,
                wording=WORDING,
            ),
            self._selector,
            recovered,
            trouble,
        )

    def close(self) -> None:
        """End the panel and every connection that the test held."""
        self.panel.close()
        self._listener.close()
        for line in self._lines:
            line.close()
        self.fingers.close()

    def until(self, done: Callable[[], object], what: str, seconds: float = 10.0) -> None:
        """Turn the panel until ``done``, which must come to pass within ``seconds``."""
        deadline = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < deadline, f"waited in vain for {what}"
            self.fingers._wake.send(b"!")
            self.panel.turn()
            self.fingers._woken.recv(64)

    @property
    def state(self) -> State:
        return self.panel.state

    def bodies(self, kind: type) -> list[object]:
        """The ledger's entries of one type."""
        return [body for body in self.ward.bodies() if isinstance(body, kind)]

    def connect_darkroom(self) -> orders.Line:
        """Answer the panel's connection, as systemd would, and report idle."""
        self.panel.prepare()
        connection, _ = self._listener.accept()
        connection.settimeout(5)
        line = orders.Line(connection)
        self._lines.append(line)
        line.send(orders.Idle(os.getpid()))
        return line

    def press_consent(self) -> None:
        self.fingers.do(signals.ConsentDown)
        self.fingers.do(signals.ConsentUp)

    def press_capture(self) -> None:
        self.fingers.do(signals.CaptureDown)
        self.fingers.do(signals.CaptureUp)

    def open_window(self) -> orders.Line:
        """Press CONSENT and let the darkroom become ready."""
        darkroom = self.connect_darkroom()
        self.press_consent()
        self.until(lambda: self.state.window, "the window to open")
        order = darkroom.receive()
        assert isinstance(order, orders.Open)
        darkroom.send(orders.Ready(5))
        self.until(lambda: self.state.darkroom == "READY", "the camera to be ready")
        return darkroom

    def take_photo(self, darkroom: orders.Line) -> bytes:
        """Press CAPTURE, let the darkroom seal, and return the envelope."""
        known = len(self.state.photos)
        self.press_capture()
        self.until(lambda: len(self.state.photos) > known, "the photo to be taken")
        order = darkroom.receive()
        assert isinstance(order, orders.Capture)
        photo = self.ward.register.get(self.state.photos[-1].n)
        assert photo is not None
        data = self.ward.seal(photo)
        darkroom.send(orders.Verdict(photo.seq, (), {}))
        darkroom.send(orders.Sealed(photo.seq, f"{photo.seq}.cose", len(data), {}))
        return data

    def stop_window(self) -> None:
        """Let another wristband appear, which closes a window at any time."""
        self.panel.tell(signals.OtherBand(self._now()))
        self.until(lambda: self.state.window is None, "the window to close")

    def choose_teaching(self) -> None:
        """Hold CONSENT, step to +TEACHING in the window's menu, and choose it."""
        self.fingers.do(signals.ConsentDown)
        self.until(lambda: self.state.menu, "the menu")
        self.fingers.do(signals.ConsentUp)
        while not self._offered("+TEACHING"):
            at = self.state.menu
            self.press_consent()
            self.until(partial(self._moved_on, at), "the next item")
        self.press_capture()
        self.until(lambda: self.state.menu is None, "the choice")

    def _offered(self, item: str) -> bool:
        return self.state.menu is not None and self.state.menu.item == item

    def _moved_on(self, before: object) -> bool:
        return self.state.menu is not before

    @staticmethod
    def _now() -> int:
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def letter(self, kind: str, raw: bytes) -> None:
        """Put a letter into the mailbox, as the uplink does."""
        self._letters += 1
        (self.ward.paths.mailbox / f"{kind}.{self._letters:08d}.msg").write_bytes(raw)
        doorbell.ring(self.ward.paths.panel_bell)

    def online(self, *sent: bytes) -> None:
        """Let the uplink say that it is connected."""
        raw = shapes.pack(LinkState(True, sent))
        (self.ward.paths.mailbox / "link").write_bytes(raw)
        doorbell.ring(self.ward.paths.panel_bell)
