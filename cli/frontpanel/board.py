"""What is to be seen at the moment, by topic, for any number of pages that look at it.

A page that reads slowly misses pictures, never the latest one: the board keeps one state for
each topic and no queue.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from typing import Any, Final

_PATIENCE: Final = 15.0
"""Seconds without news until a line of none is sent, which finds out who has gone."""


class Board:
    """All of it on one event loop; ``left`` is called whenever a page has gone.

    Not only the last one: the next may have come before it is noticed that this one went.
    """

    def __init__(self, left: Callable[[], None] = lambda: None) -> None:
        self._left = left
        self._shown: dict[str, str] = {}
        self._readers: set[asyncio.Event] = set()
        self._closed = False

    @property
    def is_watched(self) -> bool:
        return bool(self._readers)

    def show(self, topic: str, state: dict[str, Any]) -> None:
        """Put a topic's state up."""
        text = json.dumps(state)
        if self._shown.get(topic) != text:
            self._shown[topic] = text
            self._wake()

    def close(self) -> None:
        """End every reader's stream."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        for reader in self._readers:
            reader.set()

    async def read(self) -> AsyncGenerator[str, None]:
        """Yield server-sent events: each topic now, and again whenever it has changed."""
        news = asyncio.Event()
        news.set()
        told: dict[str, str] = {}
        self._readers.add(news)
        try:
            while True:
                try:
                    await asyncio.wait_for(news.wait(), _PATIENCE)
                except TimeoutError:
                    yield ":\n\n"
                    continue
                news.clear()
                if self._closed:
                    return
                for topic, text in self._shown.items():
                    if told.get(topic) != text:
                        told[topic] = text
                        yield f"event: {topic}\ndata: {text}\n\n"
        finally:
            self._readers.discard(news)
            self._left()
