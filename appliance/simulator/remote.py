"""Hands and eyes at a simulated bedside, from another process: for the demo and the tests.

``Remote`` presses and lets go, and ``view`` is what can be seen now. When the device loses its
power the view goes dark, and comes back by itself when the device does.
"""

import base64
import contextlib
import json
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from base.errors import WardsealError

T = TypeVar("T")

_POLL: Final = 0.01
_DARK: Final = bytes(1024)


class BedsideError(WardsealError):
    """The simulated device does not answer, or not in time."""


@dataclass(frozen=True)
class View:
    """What somebody beside the device sees; ``picture``: 128 x 64 bits, row by row.

    ``open``: a consent window is; ``ready``: the camera is; ``screen``: the OLED answers;
    ``alive``: the device does.
    """

    words: tuple[str, ...] = ()
    lamp: bool = False
    buzzer: str = ""
    open: bool = False
    ready: bool = False
    online: bool = False
    picture: bytes = _DARK
    screen: bool = True
    alive: bool = False

    @classmethod
    def told(cls, line: bytes) -> Self:
        """Return what one line of the bedside says; BedsideError when that is a complaint."""
        told: dict[str, Any] = json.loads(line)
        if "error" in told:
            raise BedsideError(f"the simulated ward says: {told['error']}")
        return cls(
            words=tuple(told["words"]),
            lamp=told["lamp"],
            buzzer=told["buzzer"],
            open=told["open"],
            ready=told["ready"],
            online=told["online"],
            picture=base64.b64decode(told["screen"]),
            screen=told["answers"],
            alive=True,
        )


class Remote:
    """One visitor at the bedside socket ``path``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._socket: socket.socket | None = None
        self._heard = b""
        self._view = View()

    @classmethod
    def connect(cls, path: Path, seconds: float) -> Self:
        """Return a visitor once the device answers; BedsideError after ``seconds``."""
        remote = cls(path)
        remote.reconnect(seconds)
        return remote

    def reconnect(self, seconds: float = 30.0) -> None:
        """Wait until the device answers (again)."""
        self.close()
        self._until(lambda: self.view.alive or None, seconds, "the device to answer")

    @property
    def view(self) -> View:
        """What can be seen now."""
        if self._socket is None:
            self._try_to_connect()
        while self._socket is not None:
            try:
                data = self._socket.recv(65536)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            if not data:
                self.close()
                break
            *whole, self._heard = (self._heard + data).split(b"\n")
            for line in whole:
                self._view = View.told(line)
        return self._view

    def press(self, line: str) -> None:
        """Press ``consent`` or ``capture`` down."""
        self._do({"line": line, "level": "low"})

    def release(self, line: str) -> None:
        """Let it go."""
        self._do({"line": line, "level": "high"})

    def hold(self, line: str, seconds: float) -> None:
        """Press, wait, let go."""
        self.press(line)
        time.sleep(seconds)
        self.release(line)

    def bounce(self, line: str, edges: int) -> None:
        """Let a contact chatter."""
        self._do({"line": line, "bounce": edges})

    def break_screen(self) -> None:
        """Let the screen stop answering."""
        self._do({"oled": "fail"})

    def mend_screen(self) -> None:
        """Let it answer again."""
        self._do({"oled": "ok"})

    def wait_words(self, predicate: Callable[[tuple[str, ...]], bool], timeout: float) -> View:
        """Return the first view whose words please ``predicate``; BedsideError after a while."""
        return self._until(
            lambda: self.view if predicate(self.view.words) else None, timeout, "other words"
        )

    def wait_word(self, word: str, timeout: float) -> View:
        """Return the first view with ``word`` among its lines."""
        return self.wait_words(lambda words: word in words, timeout)

    def _until(self, ask: Callable[[], T | None], seconds: float, what: str) -> T:
        deadline = time.monotonic() + seconds
        while (found := ask()) is None:
            if time.monotonic() >= deadline:
                raise BedsideError(
                    f"waited {seconds:g} s in vain for {what};"
                    f" the screen says {' / '.join(self._view.words) or 'nothing'}"
                )
            time.sleep(_POLL)
        return found

    def _try_to_connect(self) -> None:
        attempt = socket.socket(socket.AF_UNIX)
        try:
            attempt.connect(str(self._path))
        except OSError:
            attempt.close()
            return
        attempt.setblocking(False)
        self._socket = attempt

    def _do(self, wish: dict[str, object]) -> None:
        if self._socket is None:
            self._try_to_connect()
        if self._socket is None:
            raise BedsideError("the device is off: nobody answers at its bedside")
        try:
            self._socket.sendall(json.dumps(wish).encode() + b"\n")
        except OSError as e:
            self.close()
            raise BedsideError("the device has just gone off") from e

    def close(self) -> None:
        """Go away; ``view`` and the verbs come back by themselves."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.close()
        self._socket, self._heard, self._view = None, b"", View()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
