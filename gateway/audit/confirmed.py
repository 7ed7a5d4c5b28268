"""One way TLS whose end the other side confirms: it has read all of it, and took our certificate.

Syslog acknowledges nothing. Only a server that has read everything can answer our close_notify
with its own, as RFC 5425 (4.4) demands; and one that refuses our certificate says so, in TLS 1.3,
only after our handshake is over, when what we had to say is on its way already.

SSL_shutdown, and with it ``SSLSocket.unwrap``, calls any alert the end that it waited for, a fatal
"bad certificate" as well. So the answer is read as data would be, where OpenSSL tells the two
apart; which it does not let anybody do with a plain ``SSLSocket`` whose end is under way.
"""

import contextlib
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import TypeVar

_PIECE = 64 * 1024
T = TypeVar("T")


class Unconfirmed(OSError):
    """The other side ended the connection without the answer that says it has read everything."""


def send(line: socket.socket, context: ssl.SSLContext, host: str, pieces: Sequence[bytes]) -> None:
    """Send ``pieces`` and return when the server has confirmed them. Raises OSError."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=host)

    def carry(step: Callable[[], T]) -> T:
        while True:
            try:
                done = step()
            except ssl.SSLWantReadError:
                _flush(line, outgoing)
                got = line.recv(_PIECE)
                if not got:
                    raise Unconfirmed from None
                incoming.write(got)
            else:
                _flush(line, outgoing)
                return done

    carry(tls.do_handshake)
    try:
        for piece in pieces:
            tls.write(piece)
            _flush(line, outgoing)
        with contextlib.suppress(ssl.SSLWantReadError):
            tls.unwrap()  # our close_notify; there is nothing to be read yet
        _flush(line, outgoing)
        carry(lambda: tls.read(1))
    except ssl.SSLZeroReturnError:
        return
    except ConnectionError as e:
        raise Unconfirmed from e
    raise Unconfirmed


def _flush(line: socket.socket, outgoing: ssl.MemoryBIO) -> None:
    if outgoing.pending:
        line.sendall(outgoing.read())
