"""Tell the service manager how we are: started, still making progress, ending (sd_notify(3)).

The protocol is one datagram of ``NAME=value`` lines to the socket that ``NOTIFY_SOCKET`` names.
Without that variable (a shell, a test, the demo) nothing is sent and nothing is missing.

A watchdog is only worth what feeds it. A thread that pings on its own would go on pinging
beside a loop that hangs, so there is none: whoever owns a loop calls ``Pulse.beat`` when a turn
has really been completed, and a loop that completes none is killed and started afresh.
"""

import logging
import os
import socket
import time
from collections.abc import Callable, Mapping
from typing import Final, overload

log = logging.getLogger(__name__)

_MICROSECONDS: Final = 1_000_000


class Notifier:
    """The way to the service manager, as ``environ`` names it; no way at all is fine too."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        path = environ.get("NOTIFY_SOCKET", "")
        if path[:1] not in {"", "/", "@"}:
            # Other transports (vsock) are for whole machines, not for a service.
            log.warning("NOTIFY_SOCKET=%s is of a kind not spoken here", path)
            path = ""
        # "@" stands for the zero byte of a name that is in no file system (unix(7)).
        self._address = "\0" + path[1:] if path.startswith("@") else path
        self._environ = environ

    def send(self, **fields: object) -> bool:
        """Send ``NAME=value`` for each of ``fields`` in one datagram; False when it did not go.

        Never raises and never waits: a service manager that is busy must not hold up a ward.
        A line break in a value would be another field, so it becomes a space.
        """
        if not self._address:
            return False
        lines = [f"{name}={str(value).replace(chr(10), ' ')}" for name, value in fields.items()]
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way:
            way.setblocking(False)
            try:
                way.sendto("\n".join(lines).encode(), self._address)
            except OSError as error:
                log.debug("the service manager does not hear us: %s", error.strerror)
                return False
        return True

    def watchdog_seconds(self) -> float | None:
        """After how long without a sign of life we are killed; None when nobody watches.

        ``WATCHDOG_PID`` says whom the variable is meant for; a child would inherit it too.
        """
        if self._environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
            return None
        try:
            microseconds = int(self._environ["WATCHDOG_USEC"])
        except (KeyError, ValueError):
            return None
        return microseconds / _MICROSECONDS if microseconds > 0 else None


class Pulse:
    """Proof of progress for one loop. The first beat says that the role is ready.

    ``longest_turn``: seconds that one turn may rightly take. Where that is more than half of
    what the unit allows, more is asked for, so that a setting never gets an honest role killed.
    Times are seconds of ``clock``.
    """

    def __init__(
        self,
        notifier: Notifier | None = None,
        *,
        longest_turn: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._notifier = Notifier() if notifier is None else notifier
        self._clock = clock
        self._ready = False
        self._next = clock()
        watched = self._notifier.watchdog_seconds()
        if watched is not None and watched < 2 * longest_turn:
            watched = 2 * longest_turn
            self._notifier.send(WATCHDOG_USEC=round(watched * _MICROSECONDS))
        self._watched = watched

    def beat(self) -> None:
        """Say that a turn was completed; to be called after each, it sends as often as due."""
        if not self._ready:
            self._ready = self._notifier.send(READY=1)
        now = self._clock()
        if self._watched is not None and now >= self._next:
            # A beat that was lost is made up for by the next turn's.
            sent = self._notifier.send(WATCHDOG=1)
            self._next = now + self._watched / 10 if sent else now

    @overload
    def patience(self, seconds: float) -> float: ...

    @overload
    def patience(self, seconds: float | None) -> float | None: ...

    def patience(self, seconds: float | None) -> float | None:
        """Shorten a wait to a quarter of the watchdog's time.

        The turn after it may then take half of that time, and a beat that was not due yet a
        tenth, and there is still some left. ``seconds`` is what the loop would wait by itself,
        None for ever.
        """
        if self._watched is None:
            return seconds
        return self._watched / 4 if seconds is None else min(seconds, self._watched / 4)

    def say(self, words: str) -> None:
        """Show ``words`` in ``systemctl status``; no patient, no staff, no photo in them."""
        self._notifier.send(STATUS=words)

    def stop(self) -> None:
        """Say that the loop has ended on purpose and the rest is clearing up."""
        self._notifier.send(STOPPING=1)
