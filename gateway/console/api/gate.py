"""Before anything is read of a request: whose token it carries, and whether he asks too often.

Only ``Authorization: Bearer`` opens the API. The console's cookie does not, so no page of another
site can make a browser do anything here, and no form needs a secret. A token that is wrong is
told from one that has ended by nobody.
"""

from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from base.errors import WardsealError
from gateway.console.api.problems import answer, unavailable
from gateway.console.api.tokens import Token, Tokens
from gateway.console.limits import Limit

DOCUMENT: Final = "/openapi.json"
LARGEST: Final = 64 * 1024
_CALLER: Final = "caller"
_LONGEST: Final = 200


class Gate:
    """ASGI middleware around the API; ``limit`` counts by token."""

    def __init__(self, app: ASGIApp, *, tokens: Tokens, limit: Limit) -> None:
        self._app = app
        self._tokens = tokens
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through with its token in ``scope``, or turn it away."""
        if scope["type"] != "http" or _path(scope) == DOCUMENT:
            await self._app(scope, receive, send)
            return
        refusal = await self._refused(scope)
        await (refusal or self._app)(scope, _bounded(receive), send)

    async def _refused(self, scope: Scope) -> Response | None:
        kind, _, secret = Headers(scope=scope).get("authorization", "").partition(" ")
        token = None
        if kind.lower() == "bearer" and 0 < len(secret) <= _LONGEST:
            try:
                token = await run_in_threadpool(self._tokens.find, secret)
            except WardsealError as e:
                return unavailable("looking a token up", e)
        if token is None:
            return answer(
                401,
                "Send Authorization: Bearer TOKEN with a token that was neither revoked nor has"
                " ended; wardseal token make makes one.",
                headers={"WWW-Authenticate": "Bearer"},
            )
        wait = self._limit.take(token.label)
        if wait:
            seconds = int(wait) + 1
            words = f"Ask again in {seconds} s; webhooks tell what happens without asking."
            return answer(429, words, headers={"Retry-After": str(seconds)})
        scope.setdefault("state", {})[_CALLER] = token
        return None


def _bounded(receive: Receive) -> Receive:
    """Stop reading a request that is longer than any of ours, whatever its header says."""
    length = 0

    async def bounded() -> Message:
        nonlocal length
        message = await receive()
        length += len(message.get("body", b""))
        if length > LARGEST:
            raise HTTPException(413, f"A request has at most {LARGEST} bytes.")
        return message

    return bounded


def token_of(scope: Scope) -> Token:
    """Return the token that the gate has let through."""
    token: Token = scope["state"][_CALLER]
    return token


def _path(scope: Scope) -> str:
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))
