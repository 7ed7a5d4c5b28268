"""CONSENT and CAPTURE: from copper to events.

gpiozero calls back in a thread of its own for each edge. The callback only notes the edge with
its time and wakes the panel's loop through a socket; all thinking is done in the loop, so a
slow disk never costs a release.

A contact bounces. An edge counts when the line has been quiet for ``QUIET`` after it; what it
counted as is then checked against the pin itself, because a queue of edges can overflow and a
pin cannot. The event carries the time of the edge, not that of the thought. A line that stays
down, or never comes to rest, for ``STUCK`` is reported once; its coming up ends that.

Times are nanoseconds of ``clock``. Nothing here knows what a press means.
"""

import contextlib
import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from appliance import signals
from appliance.pins import Factory, checked
from appliance.signals import Event, Line

QUIET: Final = 20_000_000
STUCK: Final = 30_000_000_000
_EDGES: Final = 512

_DOWN: Final[dict[Line, type[Event]]] = {
    Line.CONSENT: signals.ConsentDown,
    Line.CAPTURE: signals.CaptureDown,
}
_UP: Final[dict[Line, type[Event]]] = {
    Line.CONSENT: signals.ConsentUp,
    Line.CAPTURE: signals.CaptureUp,
}


@dataclass(slots=True)
class Contact:
    """One debounced line. ``down`` is what has been told; ``edge`` has not settled yet.

    ``restless`` is when the contact last began to move; ``since`` when it last went down.
    """

    line: Line
    down: bool
    since: int
    edge: tuple[int, bool] | None = None
    restless: int = 0
    stuck: bool = False

    def moved(self, at: int, down: bool) -> list[Event]:
        """Take in an edge; return what the one before it has settled to."""
        told = self.settled(at, None)
        if self.edge is None:
            self.restless = at
        self.edge = (at, down)
        return told

    def settled(self, now: int, really: bool | None) -> list[Event]:
        """Return what has happened by ``now``; ``really`` is the pin, where it can be asked."""
        events: list[Event] = []
        if self.edge is not None and now - self.edge[0] >= QUIET:
            at, down = self.edge
            self.edge = None
            down = down if really is None else really
            # A contact that was restless for too long ends that by coming to rest, too.
            if down != self.down or (self.stuck and not down):
                self.down, self.since = down, at
                events.append((_DOWN if down else _UP)[self.line](at))
                self.stuck = self.stuck and down
        since = self.restless if self.edge is not None else self.since
        if (self.down or self.edge is not None) and not self.stuck and now - since >= STUCK:
            self.stuck = True
            events.append(signals.Stuck(now, self.line))
        return events

    def deadline(self) -> int | None:
        """When to look again without a further edge."""
        if self.edge is not None:
            return self.edge[0] + QUIET
        return self.since + STUCK if self.down and not self.stuck else None


class Buttons:
    """Both buttons on one factory, between their pins and ground, with the pins' pull-ups.

    The panel's loop waits for ``fileno`` and for ``deadline``, and takes ``events``.
    """

    def __init__(
        self,
        factory: Factory,
        *,
        consent_pin: int,
        capture_pin: int,
        clock: Callable[[], int],
    ) -> None:
        # Imported here: a screen or a gateway that is tested alone needs no gpiozero.
        from gpiozero import DigitalInputDevice

        self._clock = clock
        self._edges: deque[tuple[int, Line, bool]] = deque(maxlen=_EDGES)
        self._woken, self._wake = socket.socketpair()
        self._woken.setblocking(False)
        self._wake.setblocking(False)
        pins = {Line.CONSENT: consent_pin, Line.CAPTURE: capture_pin}
        # Not gpiozero's Button: it debounces by a clock of its own and starts a thread to hold.
        self._devices: dict[Line, Any] = {
            line: DigitalInputDevice(pin, pull_up=True, pin_factory=checked(factory))
            for line, pin in pins.items()
        }
        self._contacts = {
            line: Contact(line, bool(device.is_active), clock())
            for line, device in self._devices.items()
        }
        for line, device in self._devices.items():
            device.when_activated = partial(self._edge, line, True)
            device.when_deactivated = partial(self._edge, line, False)

    def _edge(self, line: Line, down: bool) -> None:
        self._edges.append((self._clock(), line, down))
        with contextlib.suppress(BlockingIOError):  # it is awake already
            self._wake.send(b"!")

    def fileno(self) -> int:
        return self._woken.fileno()

    def events(self) -> list[Event]:
        """Return what happened since the last call, in its order."""
        with contextlib.suppress(BlockingIOError):
            while self._woken.recv(4096):
                pass
        events: list[Event] = []
        while self._edges:
            at, line, down = self._edges.popleft()
            events += self._contacts[line].moved(at, down)
        now = self._clock()
        for line, contact in self._contacts.items():
            events += contact.settled(now, bool(self._devices[line].is_active))
        return sorted(events, key=lambda event: event.at)

    def is_down(self, line: Line) -> bool:
        """Whether a button is down, as far as has been told."""
        return self._contacts[line].down

    def deadline(self) -> int | None:
        """Return when ``events`` may have something to say without a further edge."""
        due = [contact.deadline() for contact in self._contacts.values()]
        return min((at for at in due if at is not None), default=None)

    def close(self) -> None:
        """Let the pins go."""
        for device in self._devices.values():
            device.close()
        self._woken.close()
        self._wake.close()
