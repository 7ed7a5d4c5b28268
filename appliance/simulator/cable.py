"""The network cable between device and broker, for somebody to hold in the hand.

It forwards one TCP port of this machine to another, byte for byte, and can be pulled, cut in the
middle of a photo, or go dead while both ends believe that it lives. The demo's front panel and
the tests pull this one.
"""

import contextlib
import selectors
import socket
import threading
from types import TracebackType
from typing import Final, Self

_PIECE: Final = 1 << 16
_CONNECTS_WITHIN: Final = 5.0


class Cable:
    """Leads from ``port`` to ``target``, a port to be set before anybody connects."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.port = int(self._listener.getsockname()[1])
        self.target = 0
        self.pulled = False
        self.forwarded = 0
        self._dead = False
        self._peers: dict[socket.socket, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._wake, self._woken = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._cut_after: int | None = None
        self._thread = threading.Thread(target=self._run, name="cable", daemon=True)
        self._thread.start()

    def pull(self) -> None:
        """Pull it out and leave it out: every connection ends, and no new one is made."""
        self.pulled = True
        self.cut()

    def plug_in(self) -> None:
        """Put it back, whole."""
        self.pulled = self._dead = False

    def go_dead(self) -> None:
        """Swallow everything from now on: a half-open line, which both ends believe to live."""
        self._dead = True

    def cut(self) -> None:
        """Break every connection once; new ones may be made at once."""
        self._wake.send(b"c")

    def cut_after(self, count: int) -> None:
        """Break as soon as so many more bytes have passed, whichever way."""
        self._cut_after = self.forwarded + count

    def close(self) -> None:
        self._wake.send(b"q")
        self._thread.join()
        for end in (self._listener, self._wake, self._woken):
            end.close()
        self._selector.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _run(self) -> None:
        while True:
            for key, _ in self._selector.select():
                end = key.fileobj
                assert isinstance(end, socket.socket)
                if end is self._listener:
                    self._accept()
                elif end is self._woken:
                    told = end.recv(16)
                    self._drop(*self._peers)
                    if b"q" in told:
                        return
                elif end in self._peers:
                    self._forward(end)

    def _accept(self) -> None:
        near, _ = self._listener.accept()
        if self.pulled:
            near.close()
            return
        try:
            far = socket.create_connection(("127.0.0.1", self.target), timeout=_CONNECTS_WITHIN)
        except OSError:
            near.close()
            return
        self._peers |= {near: far, far: near}
        for end in (near, far):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(end, selectors.EVENT_READ)

    def _forward(self, end: socket.socket) -> None:
        try:
            data = end.recv(_PIECE)
            if data and not self._dead:
                self._peers[end].sendall(data)
                self.forwarded += len(data)
        except OSError:
            data = b""
        if self._cut_after is not None and self.forwarded >= self._cut_after:
            self._cut_after = None
            self._drop(*self._peers)
        elif not data:
            self._drop(end)

    def _drop(self, *ends: socket.socket) -> None:
        for end in ends:
            other = self._peers.pop(end, None)
            if other is None:
                continue
            self._peers.pop(other, None)
            for gone in (end, other):
                with contextlib.suppress(KeyError):
                    self._selector.unregister(gone)
                gone.close()
