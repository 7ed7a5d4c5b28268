"""A way to the simulated bedside: what stands there can be pressed and looked at from outside.

The panel listens on a Unix socket; each line is one JSON object.

In, what somebody does: ``{"line": "consent", "level": "low"}`` presses (``high`` lets go),
``{"line": "capture", "bounce": 7}`` chatters, ``{"oled": "fail"}`` breaks the screen (``ok``
mends it). Out, at the beginning and after each change, what somebody sees:
``{"screen": base64 of 128 x 64 bits, "answers": true, "words": [...], "lamp": true,
"buzzer": "kept", "open": ..., "ready": ..., "online": ...}``, where ``answers`` tells whether
the screen does. What cannot be done is answered with ``{"error": "..."}``.

Served by the panel's own loop: nothing here waits. Who does not read gets the latest picture
only, however many there were.
"""

import base64
import contextlib
import json
import socket
from dataclasses import dataclass
from pathlib import Path
from selectors import EVENT_READ, EVENT_WRITE, BaseSelector
from typing import Any, Final

from appliance.face import Shown
from appliance.signals import Line
from appliance.simulator.oled import SimulatedPanel
from appliance.simulator.ward import Ward

_LONGEST_LINE: Final = 4096
_VISITORS: Final = 16


@dataclass
class _Visitor:
    connection: socket.socket
    heard: bytes = b""
    saying: bytes = b""
    next: bytes = b""


class Bedside:
    """Listens on ``path`` once it is registered; ``publish`` is the panel's ``watch``."""

    def __init__(self, path: Path, *, ward: Ward, panel: SimulatedPanel) -> None:
        self._ward = ward
        self._panel = panel
        self._visitors: list[_Visitor] = []
        self._seen: dict[str, Any] = {}
        self._last = b""
        self._shown = Shown()
        self._selector: BaseSelector | None = None
        path.unlink(missing_ok=True)
        self._door = socket.socket(socket.AF_UNIX)
        self._door.setblocking(False)
        self._door.bind(str(path))
        self._door.listen(_VISITORS)
        self.publish(Shown())

    def register(self, selector: BaseSelector) -> None:
        """Be served by ``selector``; each key's data is what to call."""
        self._selector = selector
        selector.register(self._door, EVENT_READ, self._enter)

    def publish(self, shown: Shown) -> None:
        """Tell everybody what can be seen now, if it is not what they know."""
        self._shown = shown
        pixels = self._panel.pixels if self._panel.answers else None
        seen = {
            "screen": pixels,
            "answers": self._panel.answers,
            "words": shown.words,
            "lamp": self._ward.lamp_is_lit,
            "buzzer": shown.buzzer,
            "open": shown.open,
            "ready": shown.ready,
            "online": shown.online,
        }
        if seen == self._seen:
            return
        self._seen = seen
        screen = base64.b64encode(pixels or bytes(1024)).decode()
        self._last = json.dumps({**seen, "screen": screen}).encode() + b"\n"
        for visitor in list(self._visitors):
            visitor.next = self._last
            self._say(visitor)

    def close(self) -> None:
        """Send everybody away."""
        for visitor in list(self._visitors):
            self._leave(visitor)
        if self._selector is not None:
            self._selector.unregister(self._door)
        self._door.close()

    def _enter(self) -> None:
        connection, _ = self._door.accept()
        if len(self._visitors) >= _VISITORS or self._selector is None:
            connection.close()
            return
        connection.setblocking(False)
        visitor = _Visitor(connection, next=self._last)
        self._visitors.append(visitor)
        self._selector.register(connection, EVENT_READ, lambda: self._serve(visitor))
        self._say(visitor)

    def _leave(self, visitor: _Visitor) -> None:
        if visitor in self._visitors:
            self._visitors.remove(visitor)
            if self._selector is not None:
                self._selector.unregister(visitor.connection)
            visitor.connection.close()

    def _serve(self, visitor: _Visitor) -> None:
        self._say(visitor)
        try:
            data = visitor.connection.recv(_LONGEST_LINE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        *whole, visitor.heard = (visitor.heard + data).split(b"\n")
        if not data or len(visitor.heard) > _LONGEST_LINE:
            self._leave(visitor)
            return
        for line in whole:
            try:
                self._do(json.loads(line))
            except (ValueError, TypeError, KeyError, RecursionError) as e:
                visitor.saying += json.dumps({"error": f"not understood: {e}"}).encode() + b"\n"
                self._say(visitor)

    def _do(self, wish: dict[str, Any]) -> None:
        match wish:
            case {"line": str(line), "level": "low"}:
                self._ward.press(Line(line))
            case {"line": str(line), "level": "high"}:
                self._ward.release(Line(line))
            case {"line": str(line), "bounce": int(edges)} if 0 < edges <= 1000:
                self._ward.bounce(Line(line), edges)
            case {"oled": "fail" | "ok" as state}:
                self._panel.answers = state == "ok"
                self.publish(self._shown)
            case _:
                raise ValueError("no such thing can be done here")

    def _say(self, visitor: _Visitor) -> None:
        """Send what can be sent; the rest when there is room, and only the latest picture."""
        with contextlib.suppress(BlockingIOError):
            while visitor.saying or visitor.next:
                if not visitor.saying:
                    visitor.saying, visitor.next = visitor.next, b""
                try:
                    sent = visitor.connection.send(visitor.saying)
                except BlockingIOError:
                    break
                except OSError:
                    self._leave(visitor)
                    return
                visitor.saying = visitor.saying[sent:]
        if self._selector is not None and visitor in self._visitors:
            waiting = EVENT_WRITE if visitor.saying else 0
            key = self._selector.get_key(visitor.connection)
            self._selector.modify(visitor.connection, EVENT_READ | waiting, key.data)
