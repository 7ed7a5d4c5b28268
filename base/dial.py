"""Making one TLS connection without ever blocking the loop that waits for it.

``Dial`` walks from name to TCP to TLS in small steps, each taken when the selector says so; its
result is a ``Pipe``, which is what the MQTT library is given in place of a socket. Only the name
lookup may block, for as long as the machine's resolver allows.

The pipe exists for three reasons. It remembers the error that ended it, which the MQTT library
only logs. It refuses a packet larger than we are willing to hold, because under MQTT 3.1.1 a
client has no way to tell the broker. And it moves whole buffers: the MQTT library reads its
headers byte by byte and copies the unsent rest of a packet after every 16 KiB TLS record.
"""

import contextlib
import errno
import os
import selectors
import socket
import ssl

_GOODBYE_SECONDS = 0.5
RECORD = 16384  # the largest TLS record (RFC 8446, section 5.1): one SSL_read yields no more


class PacketTooLarge(ConnectionError):
    """The other side announced a packet larger than we are willing to hold."""


class Pipe:
    """An established, non-blocking TLS connection in the shape the MQTT library expects.

    ``drained`` is true when the last read found nothing more, neither in the kernel nor inside
    OpenSSL: only then may a selector be trusted to tell of more. ``failure`` is what ended it.
    """

    def __init__(self, sock: ssl.SSLSocket, *, largest: int) -> None:
        self._sock = sock
        self._largest = largest
        self._spare = b""
        self._at = 0
        self.drained = True
        self.failure: OSError | None = None
        self.said_goodbye = False

    def recv(self, size: int) -> bytes:
        """Up to ``size`` bytes; SSLWantReadError when there are none, b"" at the end."""
        if size > self._largest:
            self.failure = PacketTooLarge(f"a packet of {size} bytes")
            raise self.failure
        if self._at == len(self._spare):
            try:
                self._spare = self._sock.recv(RECORD)
            except ssl.SSLWantReadError:
                self.drained = True
                raise
            except ssl.SSLWantWriteError:
                raise
            except OSError as error:
                self.failure = error
                raise
            self._at = 0
        if self._at == 0 and size >= len(self._spare):
            self._at = len(self._spare)
            return self._spare
        piece = self._spare[self._at : self._at + size]
        self._at += len(piece)
        return piece

    def send(self, data: bytes | bytearray) -> int:
        """Send as much as the kernel takes and return its length; SSLWantWriteError for none."""
        sent = 0
        with memoryview(data) as view:
            while sent < len(view):
                try:
                    with view[sent:] as rest:
                        sent += self._sock.send(rest)
                except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
                    if sent == 0:
                        raise
                    break
                except OSError as error:
                    self.failure = self._last_words() or error
                    raise
        return sent

    def _last_words(self) -> OSError | None:
        """The alert that says why we cannot send any more, if one has arrived."""
        try:
            self._sock.recv(RECORD)
        except ssl.SSLWantReadError:
            return None
        except ssl.SSLError as alert:
            return alert
        except OSError:
            return None
        return None

    def fileno(self) -> int:
        return self._sock.fileno()

    def setblocking(self, flag: bool) -> None:
        self._sock.setblocking(flag)

    def pending(self) -> int:
        return len(self._spare) - self._at + self._sock.pending()

    def close(self) -> None:
        """Close; after a goodbye wait a moment for the other side to have read it.

        What lies here unread would make the kernel send a reset, and the goodbye be lost with it.
        """
        if self.said_goodbye:
            with contextlib.suppress(OSError):
                self._sock.settimeout(_GOODBYE_SECONDS)
                self._sock.shutdown(socket.SHUT_WR)  # from here on the bytes are raw
                while self._sock.recv(RECORD):
                    pass
        self._sock.close()


class Dial:
    """One attempt to reach ``host``: every address it has, the first that answers wins."""

    def __init__(
        self, host: str, port: int, context: ssl.SSLContext, *, unacknowledged_seconds: int
    ) -> None:
        self._host = host
        self._context = context
        self._unacknowledged_ms = unacknowledged_seconds * 1000
        self._addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        self._tcp: socket.socket | None = None
        self._tls: ssl.SSLSocket | None = None
        self.interest = selectors.EVENT_WRITE
        self._next_address(None)

    def fileno(self) -> int:
        """The descriptor to wait for now; it may be another one after every step."""
        sock = self._tls or self._tcp
        return sock.fileno() if sock is not None else -1

    def step(self, *, largest: int) -> Pipe | None:
        """Go as far as possible without waiting: a Pipe when TLS stands, None to wait again.

        ``interest`` then says what for. Raises OSError (ssl.SSLError among them) when it is over.
        """
        if self._tls is None:
            assert self._tcp is not None
            code = self._tcp.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                self._next_address(OSError(code, os.strerror(code)))
                return None
            self._tls = self._context.wrap_socket(
                self._tcp, server_hostname=self._host, do_handshake_on_connect=False
            )
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self.interest = selectors.EVENT_READ
            return None
        except ssl.SSLWantWriteError:
            self.interest = selectors.EVENT_WRITE
            return None
        pipe = Pipe(self._tls, largest=largest)
        self._tls = self._tcp = None
        return pipe

    def close(self) -> None:
        """Give up; harmless after success."""
        for sock in (self._tls, self._tcp):
            if sock is not None:
                sock.close()
        self._tls = self._tcp = None

    def _next_address(self, last: OSError | None) -> None:
        # The failed socket is closed last: the next one must not get its number, or a selector
        # would take it for the one it already watches.
        failed, self._tcp = self._tcp, None
        try:
            self._tcp = self._first_that_starts(last)
        finally:
            if failed is not None:
                failed.close()
        self.interest = selectors.EVENT_WRITE

    def _first_that_starts(self, last: OSError | None) -> socket.socket:
        while self._addresses:
            family, kind, protocol, _, address = self._addresses.pop(0)
            sock = socket.socket(family, kind, protocol)
            sock.setblocking(False)
            # Without this every acknowledgement waits up to 40 ms for the next one.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # A link whose other end is gone keeps taking our bytes: the kernel gives up for us.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, self._unacknowledged_ms)
            code = sock.connect_ex(address)
            if code in (0, errno.EINPROGRESS):
                return sock
            sock.close()
            last = OSError(code, os.strerror(code))
        raise last if last is not None else OSError(errno.EHOSTUNREACH, "no address")
