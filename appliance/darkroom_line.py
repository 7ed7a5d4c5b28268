"""The panel's end of a darkroom: connected ahead of time, opened for one consent, then dead.

The darkroom's process ends when the panel hangs up. Its end of the connection is closed by the
kernel after its memory is gone, so end of file here *is* the proof that nothing of the photo is
left in it. While it does not come, the darkroom is not counted as ended, however dead it looks.
"""

import logging
import os
import signal
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from selectors import EVENT_READ, BaseSelector
from typing import Final

from appliance import orders
from base.errors import WardsealError

log = logging.getLogger(__name__)

_SECOND: Final = 1_000_000_000
_RECONNECT_NS: Final = _SECOND // 2
_HANGUP_NS: Final = 2 * _SECOND


class Phase(Enum):
    """Where the darkroom stands, as far as this end can tell."""

    ABSENT = "absent"
    STARTING = "starting"
    IDLE = "idle"
    OPEN = "open"
    ENDING = "ending"


class DarkroomLine:
    """Keeps one darkroom waiting, and hands its reports on.

    ``report`` is called with each message of an open darkroom, ``ended`` once it is gone,
    ``overdue`` with words when a deadline passed (the process is then killed). Call ``tick``
    at ``deadline`` (monotonic nanoseconds).
    """

    def __init__(
        self,
        socket_path: Path,
        selector: BaseSelector,
        *,
        now: Callable[[], int],
        report: Callable[[orders.Report], None],
        ended: Callable[[], None],
        overdue: Callable[[str], None],
    ) -> None:
        self._path = socket_path
        self._selector = selector
        self._now = now
        self._report = report
        self._ended = ended
        self._overdue = overdue
        self._line: orders.Line | None = None
        self._pid: int | None = None
        self._waiting_order: orders.Open | None = None
        self._patience_ns = 0
        self._due: dict[str, int] = {}
        self.phase = Phase.ABSENT

    @property
    def in_use(self) -> bool:
        """Whether a darkroom has, or is about to get, a consent."""
        return self.phase in (Phase.OPEN, Phase.ENDING) or self._waiting_order is not None

    @property
    def deadline(self) -> int | None:
        """When ``tick`` has something to do next."""
        return min(self._due.values(), default=None)

    def connect(self) -> None:
        """Ask for a darkroom, to have it waiting."""
        self._due.pop("connect", None)
        if self._line is not None:
            return
        try:
            self._line = orders.Line.connect(self._path, timeout=1.0)
        except OSError as e:
            log.debug("no darkroom yet: %s", e)
            self._due["connect"] = self._now() + _RECONNECT_NS
            return
        self.phase = Phase.STARTING
        self._selector.register(self._line, EVENT_READ, self._readable)

    def open(self, order: orders.Open, seconds: float) -> None:
        """Give the waiting darkroom its consent; at once, or as soon as it is idle.

        It has ``seconds`` to be idle, and from then on as many to be ready.
        """
        self._patience_ns = int(seconds * _SECOND)
        self._due["ready"] = self._now() + self._patience_ns
        if self.phase is Phase.IDLE:
            self.phase = Phase.OPEN
            self._send(order)
        else:
            self._waiting_order = order
            self.connect()

    def capture(self, order: orders.Capture, seconds: float) -> None:
        """Order a frame; Sealed, Refused or Fault must come within ``seconds``."""
        self._due["capture"] = self._now() + int(seconds * _SECOND)
        self._send(order)

    def captured(self, pending: bool) -> None:
        """A capture was answered; ``pending``: another one is still awaited."""
        if not pending:
            self._due.pop("capture", None)

    def hang_up(self) -> None:
        """End the darkroom's life; ``ended`` follows when it is really gone."""
        self._waiting_order = None
        self._due.pop("ready", None)
        self._due.pop("capture", None)
        if self.phase is not Phase.OPEN:
            if self.phase is not Phase.ENDING:
                self._ended()
            return
        assert self._line is not None
        self.phase = Phase.ENDING
        self._due["hang-up"] = self._now() + _HANGUP_NS
        self._line.hang_up()

    def kill(self) -> None:
        """Kill the process. The watchdog of its unit does where this user may not."""
        if self._pid is None:
            return
        if Path(f"/proc/self/task/{self._pid}").exists():
            log.error("the darkroom gave the panel's own number for its process")
            return
        try:
            os.kill(self._pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError) as e:
            log.warning("darkroom %d cannot be killed from here: %s", self._pid, e)

    def tick(self) -> None:
        """Act on every deadline that has passed."""
        now = self._now()
        for name in [name for name, due in self._due.items() if due <= now]:
            del self._due[name]
            if name == "connect":
                self.connect()
                continue
            self.kill()
            if name == "ready" and self.phase is Phase.STARTING:
                self._abandon()
            if name == "hang-up":
                # Killed and still there: in the kernel's hands. Ask again until it is gone.
                self._due["hang-up"] = now + _HANGUP_NS
            else:
                self._overdue(f"the camera did not answer in time ({name})")

    def close(self) -> None:
        """Hang up for good, when the panel itself ends."""
        if self._line is not None:
            self._selector.unregister(self._line)
            self._line.close()
            self._line = None

    def _send(self, order: orders.Order) -> None:
        assert self._line is not None
        try:
            self._line.send(order)
        except OSError as e:
            # Its end of file is on the way and tells the rest.
            log.warning("the darkroom does not take orders: %s", e)

    def _readable(self) -> None:
        assert self._line is not None
        try:
            report = self._line.receive()
        except ConnectionError:
            report = None
        except (WardsealError, OSError) as e:
            log.error("the darkroom says something unknown: %s", e)
            self.kill()
            return
        match report:
            case None:
                self._gone()
            case orders.Idle(pid=pid) if self.phase is Phase.STARTING:
                self._pid = pid
                self._report(report)
                self._now_idle()
            case orders.Idle():
                # Believed, it would be counted as closed while its camera may be on.
                log.error("the darkroom says once more that it is idle")
                self.kill()
            case orders.Ready():
                self._due.pop("ready", None)
                self._report(report)
            case orders.Open() | orders.Capture():
                log.error("the darkroom sent an order")
                self.kill()
            case _:
                self._report(report)

    def _now_idle(self) -> None:
        self.phase = Phase.IDLE
        if self._waiting_order is not None:
            order, self._waiting_order = self._waiting_order, None
            self.phase = Phase.OPEN
            self._due["ready"] = self._now() + self._patience_ns
            self._send(order)

    def _abandon(self) -> None:
        """Leave a process that does not start: it has had no consent. The next is another one."""
        if self._line is not None:
            self._selector.unregister(self._line)
            self._line.close()
        self._line, self._pid = None, None
        self.phase = Phase.ABSENT
        self._due["connect"] = self._now()

    def _gone(self) -> None:
        assert self._line is not None
        was = self.phase
        self._selector.unregister(self._line)
        self._line.close()
        self._line, self._pid = None, None
        self.phase = Phase.ABSENT
        waiting = self._waiting_order
        self._due.pop("hang-up", None)
        if waiting is None:
            self._due.pop("ready", None)
            self._due.pop("capture", None)
        self._due["connect"] = self._now() + (0 if was is Phase.ENDING else _RECONNECT_NS)
        if was in (Phase.OPEN, Phase.ENDING):
            self._ended()
