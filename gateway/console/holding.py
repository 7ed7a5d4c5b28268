"""Finished files, until the browser that asked for them has fetched them: in memory, nowhere else.

They are sealed, or name nobody; the pass-phrase is never here. A restart forgets them, and the
person shares again.
"""

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

SECONDS: Final = 600.0
_MOST_BYTES: Final = 128 * 1024 * 1024
_MOST_USED: Final = 10_000


@dataclass(frozen=True)
class HeldFile:
    """A file and its name; ``owner`` is the only login that may fetch it, while ``share`` lives."""

    owner: str
    share: int
    name: str
    data: bytes
    until: float


class Holding:
    """``clock`` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._files: dict[str, HeldFile] = {}
        self._used: dict[str, None] = {}
        self._lock = threading.Lock()

    def put(self, owner: str, share: int, name: str, data: bytes) -> str:
        """Keep a file for ten minutes, or until newer ones need the room; return its token."""
        token = secrets.token_hex(16)
        with self._lock:
            self._forget()
            self._files[token] = HeldFile(owner, share, name, data, self._clock() + SECONDS)
            while len(self._files) > 1 and self._bytes() > _MOST_BYTES:
                del self._files[next(iter(self._files))]
        return token

    def get(self, owner: str, token: str) -> HeldFile | None:
        """Return a file to whom it belongs."""
        with self._lock:
            self._forget()
            found = self._files.get(token)
        return found if found is not None and found.owner == owner else None

    def first(self, once: str) -> bool:
        """Tell whether a form is sent for the first time: a reloaded page sends it again."""
        with self._lock:
            if once in self._used:
                return False
            self._used[once] = None
            if len(self._used) > _MOST_USED:
                del self._used[next(iter(self._used))]
            return True

    def again(self, once: str) -> None:
        """Nothing came of it: the form may be sent again."""
        with self._lock:
            self._used.pop(once, None)

    def _bytes(self) -> int:
        return sum(len(held.data) for held in self._files.values())

    def _forget(self) -> None:
        now = self._clock()
        for token in [token for token, held in self._files.items() if held.until < now]:
            del self._files[token]
