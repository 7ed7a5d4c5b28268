"""Saying what is wrong with what came in, without letting anybody fill the log with it."""

import logging
import time
from collections.abc import Callable
from typing import Final

EVERY_SECONDS: Final = 10.0
_MOST_NAMES: Final = 1000


class Complaints:
    """Logs one complaint about the same name in ten seconds, and counts the others."""

    def __init__(self, log: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._last: dict[str, tuple[float, int]] = {}

    def about(self, name: str, why: str) -> None:
        """Complain about ``name``, a device's or a topic's."""
        now = self._clock()
        said, unsaid = self._last.get(name, (now - EVERY_SECONDS, 0))
        if now - said < EVERY_SECONDS:
            self._last[name] = (said, unsaid + 1)
            return
        if len(self._last) >= _MOST_NAMES:
            self._last.clear()
        more = f" ({unsaid} others before it)" if unsaid else ""
        self._log.warning("%r: %s%s", name, why, more)
        self._last[name] = (now, 0)
