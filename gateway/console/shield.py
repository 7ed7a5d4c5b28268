"""What stands around every answer: whose name it may be asked under, and what browsers may do.

* ``Host`` must be the console's own name, or a name somebody else controls could be pointed here
  (DNS rebinding)
* what changes anything must come from the console's own pages (``Origin``); a program that asks
  the API has no page, but a page of another site that does is turned away as well
* the page may load nothing from elsewhere and run no script but the console's own file
  (Content Security Policy 3), may not be framed, and is kept in no cache
"""

from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_SAFE: Final = ("GET", "HEAD")
_PROGRAMS: Final = "/api/"
"""No cookie opens anything there."""


class Shield:
    """ASGI middleware around the whole console."""

    def __init__(self, app: ASGIApp, *, origin: str) -> None:
        self._app = app
        self._origin = origin
        self._host = urlsplit(origin).netloc
        self._secure = origin.startswith("https://")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or turn it away."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)

        async def armoured(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._arm(MutableHeaders(scope=message))
            await send(message)

        if headers.get("host") != self._host:
            refusal = PlainTextResponse(f"This is the console of {self._origin}.", 421)
            await refusal(scope, receive, armoured)
        elif scope["method"] not in _SAFE and not self._ours(scope, headers.get("origin")):
            refusal = PlainTextResponse("This came from another site and was not done.", 403)
            await refusal(scope, receive, armoured)
        else:
            await self._app(scope, receive, armoured)

    def _ours(self, scope: Scope, origin: str | None) -> bool:
        return origin == self._origin or (origin is None and scope["path"].startswith(_PROGRAMS))

    def _arm(self, headers: MutableHeaders) -> None:
        headers["Content-Security-Policy"] = _POLICY
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Referrer-Policy"] = "same-origin"
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
        headers["Cross-Origin-Resource-Policy"] = "same-origin"
        headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=()"
        headers.setdefault("Cache-Control", "no-store")
        if self._secure:
            headers["Strict-Transport-Security"] = "max-age=31536000"
