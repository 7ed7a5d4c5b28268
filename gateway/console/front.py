"""Signing in and out, and the stream that tells open pages that something has changed."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gateway.console.accounts import Accounts, Person
from gateway.console.audit import Audit, What
from gateway.console.limits import Limit
from gateway.console.oidc import Oidc
from gateway.console.render import Render
from gateway.console.sessions import Sessions, Visit
from gateway.console.streams import LOOK_SECONDS, Stream, Streams
from gateway.console.visits import Problem, Visits

_STREAM_SECONDS: Final = 600.0
"""Browsers come back by themselves; a stream that outlives its session must not go on."""


class Front:
    """What can be reached without a session, and how one begins and ends."""

    def __init__(
        self,
        *,
        render: Render,
        sessions: Sessions,
        visits: Visits,
        accounts: Accounts,
        oidc: Oidc | None,
        audit: Audit,
        guesses: Limit,
        addresses: Limit,
        streams: Streams,
        secure: bool,
    ) -> None:
        self._render = render
        self._sessions = sessions
        self._visits = visits
        self._accounts = accounts
        self._oidc = oidc
        self._audit = audit
        self._guesses = guesses
        self._addresses = addresses
        self._streams = streams
        self._secure = secure

    async def sign_in(self, request: Request) -> Response:
        """Show the form, or take it."""
        if request.method == "POST":
            async with request.form(max_files=0, max_fields=8) as form:
                return await run_in_threadpool(self._taken, request, form)
        return await run_in_threadpool(self._form, request, request.query_params.get("next", "/"))

    def _form(self, request: Request, target: str, words: str = "", status: int = 200) -> Response:
        return self._render.outside(
            request,
            "sign_in.html",
            status=status,
            words=words,
            next=inside(target),
            oidc=self._oidc is not None,
            local=self._accounts.any(),
        )

    def _taken(self, request: Request, form: FormData) -> Response:
        login, password = str(form.get("login", ""))[:64], str(form.get("password", ""))[:1024]
        target = inside(str(form.get("next", "/")))
        address = request.client.host if request.client else ""
        # By name and address together: guessing from elsewhere locks nobody out of the ward.
        known = f"{login} from {address}"
        wait = max(self._guesses.take(known), self._addresses.take(address))
        if wait:
            words = f"Too many attempts. Try again in {int(wait) + 1} s."
            return self._form(request, target, words, 429)
        person = self._accounts.check(login, password)
        if person is None:
            return self._form(request, target, "Name or password is wrong.", 403)
        self._guesses.give_back(known)
        self._addresses.give_back(address)
        return self._begun(person, target)

    def _begun(self, person: Person, target: str) -> Response:
        self._audit.seen(person, What.SIGN_IN, "")
        visit = self._sessions.begin(person)
        answer = RedirectResponse(self._render.home(visit) if target == "/" else target, 303)
        answer.set_cookie(
            self._visits.cookie,
            visit.token,
            httponly=True,
            secure=self._secure,
            samesite="lax",
            path="/",
        )
        return answer

    async def oidc_begin(self, request: Request) -> Response:
        """Go to the hospital's own sign-in."""
        if self._oidc is None:
            raise Problem(404, "There is no such page.")
        request.session["next"] = inside(request.query_params.get("next", "/"))
        return await self._oidc.begin(request)

    async def oidc_finish(self, request: Request) -> Response:
        """Come back from it."""
        if self._oidc is None:
            raise Problem(404, "There is no such page.")
        person = await self._oidc.finish(request)
        target = inside(str(request.session.pop("next", "/")))
        return await run_in_threadpool(self._begun, person, target)

    def sign_out(self, request: Request, visit: Visit, form: FormData) -> Response:
        """End the session."""
        self._audit.seen(visit.person, What.SIGN_OUT, "")
        self._sessions.end(visit.token)
        answer = RedirectResponse("/sign-in", 303)
        answer.delete_cookie(self._visits.cookie, path="/")
        # A ward's PC is everybody's: what an older console or a proxy let the browser keep goes.
        answer.headers["Clear-Site-Data"] = '"cache"'
        return answer

    async def events(self, request: Request) -> Response:
        """Server-sent events (HTML, section 9.2): one whenever a list might look different."""
        token = request.cookies.get(self._visits.cookie, "")

        def find() -> Visit | None:
            return self._sessions.find(token, touch=False) if token else None

        visit = await run_in_threadpool(find)
        if visit is None:
            raise Problem(401, "Please sign in again.")
        login = visit.person.login
        if not self._streams.take(login):
            raise Problem(429, "Too many pages are open; this one is brought up to date later.")

        async def stream() -> AsyncIterator[str]:
            known = None
            ends = asyncio.get_running_loop().time() + _STREAM_SECONDS
            yield "retry: 2000\n\n"
            while asyncio.get_running_loop().time() < ends:
                if await run_in_threadpool(find) is None:
                    yield "event: signed-out\ndata: {}\n\n"
                    return
                now = await self._streams.version()
                if now != known:
                    known = now
                    yield f"event: version\ndata: {json.dumps(now)}\n\n"
                await asyncio.sleep(LOOK_SECONDS)

        return Stream(stream(), lambda: self._streams.give_back(login))


def inside(target: str) -> str:
    """Return where to go after signing in: a path of the console's own, else its first page."""
    parts = urlsplit(target)
    plain = target.startswith("/") and not target.startswith(("//", "/\\"))
    printable = target.isascii() and target.isprintable() and "\\" not in target
    return target if plain and printable and not parts.netloc and len(target) < 500 else "/"
