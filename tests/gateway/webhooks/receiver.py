"""An integrator's receiver: a real HTTP server that verifies what it gets, and may misbehave.

Each fault befalls one request and is then used up.

    error      500, nothing kept
    refused    400, nothing kept
    redirect   302 to another path of this server, nothing kept
    half       kept; the answer breaks off in the middle of its body
    garbage    kept; what comes back is no HTTP
    silence    kept; the answer never comes
    endless    kept; 200 and a body without end
"""

import base64
import contextlib
import hashlib
import hmac
import json
import threading
from collections import deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

FAULTS = ("error", "refused", "redirect", "half", "garbage", "silence", "endless")


class Receiver:
    """Listens on loopback. ``got``: (id, body) of each request that it took, in order."""

    def __init__(self, key: bytes) -> None:
        self.key = key
        self.got: list[tuple[str, dict[str, Any]]] = []
        self.raw: list[tuple[dict[str, str], bytes]] = []
        self.paths: list[str] = []
        self.faults: deque[str] = deque()
        self.away = False
        self.on_request: Callable[[], None] | None = None
        self._over = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None: ...

            def do_POST(self) -> None:
                with contextlib.suppress(ConnectionError):
                    receiver._taken(self)

            do_GET = do_POST  # noqa: N815  # its caller's name

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hook"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self) -> None:
        self._over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def told(self, photo: str) -> list[str]:
        """What it was told of a photo, in order, repetitions left out."""
        seen: dict[str, str] = {}
        for id_, body in self.got:
            if body["data"]["photo"] == photo:
                seen.setdefault(id_, body["type"])
        return list(seen.values())

    def _taken(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("content-length", 0)))
        self.paths.append(f"{request.command} {request.path}")
        fault = self.faults.popleft() if self.faults else "error" if self.away else ""
        if fault in ("error", "refused", "redirect"):
            request.send_response({"error": 500, "refused": 400, "redirect": 302}[fault])
            request.send_header("Location", "/elsewhere")
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        headers = {name.lower(): value for name, value in request.headers.items()}
        self._verify(headers, body)
        self.raw.append((headers, body))
        self.got.append((headers["webhook-id"], json.loads(body)))
        if self.on_request is not None:
            self.on_request()
        if fault == "silence":
            self._over.wait(60)
            request.close_connection = True
            return
        if fault == "garbage":
            request.wfile.write(b"\x00\x01 no HTTP\r\n\r\n")
            request.close_connection = True
            return
        request.send_response(200)
        length = {"half": 10, "endless": 10**9}.get(fault, 2)
        request.send_header("Content-Length", str(length))
        request.end_headers()
        request.wfile.write(b"ok")
        while fault == "endless" and not self._over.is_set():
            request.wfile.write(bytes(65536))
        request.close_connection = fault != ""

    def _verify(self, headers: dict[str, str], body: bytes) -> None:
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        wanted = base64.b64encode(hmac.new(self.key, signed, hashlib.sha256).digest()).decode()
        assert f"v1,{wanted}" in headers["webhook-signature"].split(" ")
