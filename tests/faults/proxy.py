"""A wire between device and broker that somebody can hold in the hand: pass, swallow, cut."""

import contextlib
import selectors
import socket
import threading
from types import TracebackType
from typing import Self


class Proxy:
    """Forwards one TCP port to another; ``mode`` says what becomes of the bytes.

    "pass" forwards, "swallow" takes everything and forwards nothing (a half-open link: both
    ends believe that it lives), "refuse" hangs up on whoever comes.
    """

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.port = int(self._listener.getsockname()[1])
        self.target = 0
        self.mode = "pass"
        self.forwarded = 0
        self._peers: dict[socket.socket, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._wake, woken = socket.socketpair()
        self._selector.register(woken, selectors.EVENT_READ)
        self._woken = woken
        self._cut_after: int | None = None
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._thread.start()

    def cut(self) -> None:
        """Pull the wire out: every connection ends."""
        self._wake.send(b"c")

    def cut_after(self, count: int) -> None:
        """Pull it out as soon as so many more bytes have passed, whichever way."""
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
        if self.mode == "refuse":
            near.close()
            return
        try:
            far = socket.create_connection(("127.0.0.1", self.target), timeout=5)
        except OSError:
            near.close()
            return
        self._peers |= {near: far, far: near}
        for end in (near, far):
            self._selector.register(end, selectors.EVENT_READ)

    def _forward(self, end: socket.socket) -> None:
        try:
            data = end.recv(65536)
            if data and self.mode == "pass":
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
