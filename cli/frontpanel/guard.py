"""Who may come in: a page of ours, on this machine, that was opened with this run's address.

Any page in the same browser can send requests to 127.0.0.1, and with a name of its own that it
points there (DNS rebinding) it could read the answers. So the first part of every path is a
token of this run, the Host must be the one we printed, and whatever changes something must say
that it comes from our own page. What goes out forbids the browser everything that the page does
not need: no script but our files, no foreign picture, no frame around it, nothing kept.
"""

import hmac
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HARMLESS: Final = ("GET", "HEAD")
_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}


class Guard:
    """Lets requests for ``/token/...`` on 127.0.0.1:``port`` through to ``app``, as ``/...``."""

    def __init__(self, app: ASGIApp, *, port: int, token: str) -> None:
        self._app = app
        self._token = token.encode()
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self._origins = {f"http://{host}" for host in self._hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        if refusal := self._refusal(scope):
            await refusal(scope, receive, sealed)
            return
        inside = scope["path"].split("/", 2)[2]
        await self._app({**scope, "path": f"/{inside}", "raw_path": None}, receive, sealed)

    def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        headers = Headers(scope=scope)
        if headers.get("host") not in self._hosts:
            return PlainTextResponse("This page answers to 127.0.0.1 only.", 421)
        _, first, *rest = scope["path"].split("/", 2)
        if not rest or not hmac.compare_digest(first.encode(), self._token):
            return PlainTextResponse("Open the address that ./demo has printed.", 404)
        if not self._is_ours(scope["method"], headers):
            return PlainTextResponse("Only this page's own buttons count.", 403)
        return None

    def _is_ours(self, method: str, headers: Headers) -> bool:
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if origin is not None and origin not in self._origins:
            return False
        if method not in _HARMLESS:
            return origin is not None
        return site in (None, "same-origin", "none") or headers.get("sec-fetch-mode") == "navigate"
