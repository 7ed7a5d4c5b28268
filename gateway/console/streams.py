"""Open pages waiting to hear that something has changed: so many a person, one look for all.

What changed is the same for everybody. The store is asked once a second, however many wait.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

MOST: Final = 8
"""Of one login: more than a browser opens to one host (six, by HTTP/1.1), on a second PC too."""
LOOK_SECONDS: Final = 1.0


class Streams:
    """Used on the event loop alone. ``clock`` is monotonic, in seconds."""

    def __init__(self, version: Callable[[], str], clock: Callable[[], float]) -> None:
        self._look = version
        self._clock = clock
        self._open: Counter[str] = Counter()
        self._known: tuple[str, float] | None = None
        self._looking = asyncio.Lock()

    def take(self, login: str) -> bool:
        """Count one more stream of a login, or tell that it has enough."""
        if self._open[login] >= MOST:
            return False
        self._open[login] += 1
        return True

    def give_back(self, login: str) -> None:
        """One has ended."""
        self._open[login] -= 1
        if not self._open[login]:
            del self._open[login]

    async def version(self) -> str:
        """Return what changes whenever a list might look different, at most a second old."""
        async with self._looking:
            if self._known is None or self._clock() - self._known[1] >= LOOK_SECONDS:
                self._known = (await run_in_threadpool(self._look), self._clock())
            return self._known[0]


class Stream(StreamingResponse):
    """Events for one page; ``ended`` is called however it ends, also before its first byte."""

    def __init__(self, events: AsyncIterator[str], ended: Callable[[], None]) -> None:
        super().__init__(events, media_type="text/event-stream")
        self._ended = ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._ended()
