"""A deadline for calls that may never return.

A camera driver that hangs takes the calling thread with it. The watchdog is another thread:
when a deadline passes it bites, and a bite is the end of the process.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Watchdog:
    """Watches one thing at a time."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._due: float | None = None
        self._bite: Callable[[], None] | None = None
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    @contextmanager
    def limit(self, seconds: float, bite: Callable[[], None]) -> Iterator[None]:
        """Call ``bite`` in the watchdog's thread unless the block is left in time."""
        self._set(time.monotonic() + seconds, bite)
        try:
            yield
        finally:
            self._set(None, None)

    def _set(self, due: float | None, bite: Callable[[], None] | None) -> None:
        with self._changed:
            self._due, self._bite = due, bite
            self._changed.notify()

    def _watch(self) -> None:
        with self._changed:
            while True:
                left = None if self._due is None else self._due - time.monotonic()
                if left is not None and left <= 0 and self._bite is not None:
                    bite, self._due, self._bite, left = self._bite, None, None, None
                    bite()
                self._changed.wait(left)
