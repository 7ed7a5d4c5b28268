"""Hears that somebody has decided something, so that the gateway acts at once.

What was decided is in the database; whoever misses the bell finds it in the next round. With SQLite
the bell is a socket beside the database file (base.doorbell), with PostgreSQL a NOTIFY that comes
with the commit to every replica (``Store.begin(rings=True)``). Nothing is polled.
"""

import logging
import os
import selectors
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol

from base import doorbell
from base.errors import WardsealError
from gateway.database import BELL
from gateway.store import Store

if TYPE_CHECKING:
    import psycopg

log = logging.getLogger(__name__)

_AGAIN_SECONDS: Final = 5.0


class _Line(Protocol):
    """What can be waited for."""

    def fileno(self) -> int: ...

    def hush(self) -> bool:
        """Take every ring that has come; True if there was one."""
        ...


class Bell:
    """A thread that waits for the bell. ``heard`` is called on it, and must not wait."""

    def __init__(self, store: Store, heard: Callable[[], None]) -> None:
        self._store = store
        self._heard = heard
        self._end = os.eventfd(0, os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._work, name="bell", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Listen no more."""
        os.eventfd_write(self._end, 1)
        self._thread.join()
        os.close(self._end)

    def _work(self) -> None:
        while True:
            try:
                with self._hung_up() as line:
                    self._heard()  # something may have been decided while nobody listened
                    self._listen(line)
                    return
            except (OSError, WardsealError) as e:
                why = str(e).partition("\n")[0]
                log.warning("the bell: %s; decisions wait for the next round", why)
            with selectors.DefaultSelector() as waiting:
                waiting.register(self._end, selectors.EVENT_READ)
                if waiting.select(_AGAIN_SECONDS):
                    return

    @contextmanager
    def _hung_up(self) -> Iterator[_Line]:
        if self._store.bell is not None:
            bell = doorbell.hang(self._store.bell)
            try:
                yield _Socket(bell)
            finally:
                bell.close()
                self._store.bell.unlink(missing_ok=True)
        else:
            with self._store.listening() as connection:
                yield _Notified(connection)

    def _listen(self, line: _Line) -> None:
        with selectors.DefaultSelector() as waiting:
            waiting.register(self._end, selectors.EVENT_READ)
            waiting.register(line, selectors.EVENT_READ)
            while True:
                ready = [key.fileobj for key, _ in waiting.select()]
                if self._end in ready:
                    return
                if line.hush():
                    self._heard()


class _Socket:
    def __init__(self, bell: socket.socket) -> None:
        self._bell = bell

    def fileno(self) -> int:
        return self._bell.fileno()

    def hush(self) -> bool:
        doorbell.hush(self._bell)
        return True


class _Notified:
    def __init__(self, connection: "psycopg.Connection[tuple[object, ...]]") -> None:
        connection.execute(f"LISTEN {BELL}")
        self._connection = connection

    def fileno(self) -> int:
        return self._connection.fileno()

    def hush(self) -> bool:
        # Ends in an error when the server has gone: then it is called up again.
        return bool(list(self._connection.notifies(timeout=0)))
