"""A line to a real server that can be made to fail: HTTP requests pass through it, or do not.

Each fault befalls the next request of its method and is then used up.

    error     the server never hears of it; 503
    half      the server does it; the answer breaks off in the middle
    silence   the server does it; the answer never comes
    twice     the server gets it twice; the first answer is lost
    hang up   the server never hears of it; the connection ends, as one that was kept too long
    slow      the answer takes ``seconds``
"""

import contextlib
import http.client
import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

FAULTS = ("error", "half", "silence", "twice")


class FaultyLine:
    """Listens in front of ``host:port``, on the port ``here`` or any that is free."""

    def __init__(self, host: str, port: int, *, here: int = 0) -> None:
        self._to = (host, port)
        self._faults: deque[tuple[str, str]] = deque()
        self.seconds = 0.0
        self.seen: list[tuple[str, str]] = []
        self._over = threading.Event()
        line = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                with contextlib.suppress(ConnectionError):
                    super().handle_one_request()

            def log_message(self, *_: Any) -> None: ...

            def do_any(self) -> None:
                line._pass(self)

            do_GET = do_POST = do_PUT = do_DELETE = do_any  # noqa: N815  # its caller's names

        self._server = ThreadingHTTPServer(("127.0.0.1", here), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def fail(self, method: str, fault: str) -> None:
        """Let the next request of this method that has no fault yet meet this one."""
        self._faults.append((method, fault))

    def close(self) -> None:
        self._over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _pass(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("content-length", 0)))
        self.seen.append((handler.command, handler.path))
        fault = ""
        if self._faults and self._faults[0][0] == handler.command:
            fault = self._faults.popleft()[1]
        if fault == "error":
            handler.send_response(503)
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        if fault == "hang up":
            handler.close_connection = True
            return
        if fault == "twice":
            self._ask(handler, body)
        status, headers, content = self._ask(handler, body)
        time.sleep(self.seconds)
        if fault == "silence":
            self._over.wait(30)
            handler.close_connection = True
            return
        handler.send_response(status)
        for name, value in headers:
            if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        half = len(content) // 2 if fault == "half" else len(content)
        handler.wfile.write(content[:half])
        handler.wfile.flush()
        if fault == "half":
            handler.close_connection = True

    def _ask(
        self, handler: BaseHTTPRequestHandler, body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(*self._to, timeout=30)
        try:
            headers = {
                name: value
                for name, value in handler.headers.items()
                if name.lower() not in ("host", "connection", "accept-encoding")
            }
            connection.request(handler.command, handler.path, body=body, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()
