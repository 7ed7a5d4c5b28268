"""A visitor at the simulated bedside who never goes away: eyes that are told, hands that press.

``Remote`` looks when it is asked; a page wants to be told at once, so this one reads the same
socket on the server's event loop. A device without power is dark, and pressing its buttons does
nothing.
"""

import asyncio
import base64
import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from appliance.lights import PATTERNS
from appliance.signals import Line
from appliance.simulator.remote import BedsideError, View

_KNOCKS_AGAIN: Final = 0.1
_ANSWERS_WITHIN: Final = 2.0
_FINGER: Final = 0.06
"""Seconds: no finger goes down and up faster, and no contact rests sooner (20 ms)."""


class Visitor:
    """``seen`` hears of every view; ``run`` until it is cancelled."""

    def __init__(self, path: Path, seen: Callable[[View], None]) -> None:
        self._path = path
        self._seen = seen
        self.view = View()
        self._news = asyncio.Event()
        self._writer: asyncio.StreamWriter | None = None
        self._locks = {line: asyncio.Lock() for line in Line}
        self._down: set[Line] = set()
        self._moved = dict.fromkeys(Line, 0.0)

    async def run(self) -> None:
        """Look, for ever; come back when the device does."""
        while True:
            self._take(View())
            with contextlib.suppress(OSError):
                reader, self._writer = await asyncio.open_unix_connection(self._path)
                try:
                    while line := await reader.readline():
                        with contextlib.suppress(BedsideError):
                            self._take(View.told(line))
                finally:
                    self._writer.close()
                    self._writer = None
                    self._down.clear()
            await asyncio.sleep(_KNOCKS_AGAIN)

    async def move(self, line: Line, *, down: bool) -> None:
        """Press a button down or let it go, no faster than a finger; once more means nothing."""
        async with self._locks[line]:
            if (line in self._down) == down:
                return
            clock = asyncio.get_running_loop().time
            await asyncio.sleep(max(0.0, self._moved[line] + _FINGER - clock()))
            await self._do({"line": line, "level": "low" if down else "high"})
            self._moved[line] = clock()
            if down:
                self._down.add(line)
            else:
                self._down.discard(line)

    async def let_go(self) -> None:
        """Take both hands away."""
        for line in Line:
            await self.move(line, down=False)

    async def set_screen(self, *, works: bool) -> None:
        """Break the screen, or mend it; return when the bedside says that it is so."""
        await self._do({"oled": "ok" if works else "fail"})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ANSWERS_WITHIN):
                while self.view.alive and self.view.screen != works:
                    self._news.clear()
                    await self._news.wait()

    def _take(self, view: View) -> None:
        self.view = view
        self._news.set()
        self._seen(view)

    async def _do(self, wish: dict[str, object]) -> None:
        """Say one line at the bedside; nobody hears it while the device is off."""
        if self._writer is not None:
            with contextlib.suppress(OSError):
                self._writer.write(json.dumps(wish).encode() + b"\n")
                await self._writer.drain()


def as_json(view: View) -> dict[str, Any]:
    """A view as the page has it; ``picture`` in base64, ``sound`` in milliseconds on and off."""
    return {
        "words": view.words,
        "lamp": view.lamp,
        "buzzer": view.buzzer,
        "sound": next((p for name, p in PATTERNS.items() if name == view.buzzer), ()),
        "open": view.open,
        "ready": view.ready,
        "online": view.online,
        "screen": view.screen,
        "alive": view.alive,
        "picture": base64.b64encode(view.picture).decode(),
    }
