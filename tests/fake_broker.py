"""Peers that a real broker cannot be made to be: old, broken, silent or hostile ones."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from base.tls import TlsFiles

Script = Callable[[ssl.SSLSocket, int], None]

CONNACK_5 = b"\x20\x03\x00\x00\x00"
CONNACK_311 = b"\x20\x02\x00\x00"


def read_packet(line: ssl.SSLSocket) -> tuple[int, bytes]:
    """Return one MQTT packet's first byte and the rest after its length; b"" at the end."""
    first = line.recv(1)
    if not first:
        return 0, b""
    length, shift = 0, 0
    while True:
        byte = line.recv(1)[0]
        length |= (byte & 127) << shift
        shift += 7
        if not byte & 128:
            break
    body = b""
    while len(body) < length:
        piece = line.recv(length - len(body))
        if not piece:
            break
        body += piece
    return first[0], body


class FakeBroker:
    """A TLS server whose every connection is handled by ``script(line, number)``, in threads."""

    def __init__(self, port: int, files: TlsFiles, script: Script, **tls: ssl.TLSVersion) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.maximum_version = tls.get("maximum", ssl.TLSVersion.TLSv1_3)
        self._context.load_cert_chain(files.certificate, files.key)
        self._context.load_verify_locations(files.ca)
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._script = script
        self._server = socket.create_server(("127.0.0.1", port))
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.connections = 0

    def __enter__(self) -> Self:
        self._spawn(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for line in self._open:
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
            line.close()
        for thread in self._threads:
            thread.join(timeout=10)
            assert not thread.is_alive(), "a script of the fake broker hangs"

    def _spawn(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                raw, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            self._spawn(self._serve, raw, self.connections)

    def _serve(self, raw: socket.socket, number: int) -> None:
        self._open.append(raw)
        with contextlib.suppress(OSError, IndexError):
            line = self._context.wrap_socket(raw, server_side=True)
            self._open.append(line)
            self._script(line, number)
            line.close()
        raw.close()


class Proxy:
    """A TCP line to a broker that can be made to swallow everything, both ways."""

    def __init__(self, port: int, target: int) -> None:
        self._target = target
        self._server = socket.create_server(("127.0.0.1", port))
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self.black_hole = False

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for line in self._open:
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(timeout=10)
        for line in self._open:
            line.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._target))
            self._open += [near, far]
            for source, sink in ((near, far), (far, near)):
                thread = threading.Thread(target=self._pump, args=(source, sink), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if not self.black_hole:
                    sink.sendall(data)
            if not self.black_hole:
                sink.shutdown(socket.SHUT_WR)
