"""The way from a request to a page: who is it, may they, and is the form their own.

Every handler is wrapped once, with the area it belongs to. It is called on a worker thread,
with the request, the visit and (for POST) the form, and returns a response.
"""

import logging
import traceback
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from base.errors import WardsealError
from gateway.console.audit import Audit, What
from gateway.console.limits import Limit
from gateway.console.places import place_of
from gateway.console.roles import MAY, Area
from gateway.console.sessions import Sessions, Visit

Handler = Callable[[Request, Visit], Response]
FormHandler = Callable[[Request, Visit, FormData], Response]
Endpoint = Callable[[Request], Awaitable[Response]]

log = logging.getLogger(__name__)

FAULT: Final = "The console cannot do this now; the gateway's administrator sees why in its log."
_LARGEST_FORM: Final = 64 * 1024


class Problem(Exception):
    """What goes wrong with a request, in words for the person who made it."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status
        self.words = words


class Visits:
    """Wraps handlers. ``cookie`` is the session cookie's name."""

    def __init__(self, *, sessions: Sessions, audit: Audit, limit: Limit, cookie: str) -> None:
        self._sessions = sessions
        self._audit = audit
        self._limit = limit
        self.cookie = cookie

    def page(self, area: Area | None, handler: Handler, *, click: bool = True) -> Endpoint:
        """For GET. ``click``: whether it shows that the person is still there."""

        async def endpoint(request: Request) -> Response:
            return await run_in_threadpool(self._page, request, area, handler, click)

        return endpoint

    def form(self, area: Area | None, handler: FormHandler) -> Endpoint:
        """For POST: the form must carry its session's own secret."""

        async def endpoint(request: Request) -> Response:
            length = request.headers.get("content-length", "")
            if not length.isdigit() or int(length) > _LARGEST_FORM:
                raise Problem(413, "The form is too large.")
            async with request.form(max_files=0, max_fields=64) as form:
                return await run_in_threadpool(self._form, request, area, handler, form)

        return endpoint

    def _page(self, request: Request, area: Area | None, handler: Handler, click: bool) -> Response:
        visit = self._visit(request, click=click)
        if visit is None:
            if not click:
                raise Problem(401, "Please sign in again.")
            target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            return RedirectResponse(f"/sign-in?next={quote(target, safe='')}", 303)
        return self._handled(request, visit, area, lambda: handler(request, visit))

    def _form(
        self, request: Request, area: Area | None, handler: FormHandler, form: FormData
    ) -> Response:
        visit = self._visit(request, click=True)
        if visit is None:
            raise Problem(401, "You have been signed out meanwhile. Please sign in and try again.")
        if not visit.owns(str(form.get("csrf", ""))):
            raise Problem(403, "This form is not from your session. Go back, reload, try again.")
        return self._handled(request, visit, area, lambda: handler(request, visit, form))

    def _handled(
        self, request: Request, visit: Visit, area: Area | None, handle: Callable[[], Response]
    ) -> Response:
        request.state.visit = visit  # what goes wrong is told with the person's own menu
        try:
            self._check(request, visit, area)
            return handle()
        except (Problem, WardsealError, HTTPException):
            raise
        except Exception as e:  # noqa: BLE001
            # Whatever it is. Where it happened, and not in which words: they may name a patient.
            where = "".join(traceback.format_tb(e.__traceback__))
            log.error("%s: %s\n%s", place_of(request), type(e).__name__, where)
            raise Problem(500, FAULT) from None

    def _visit(self, request: Request, *, click: bool) -> Visit | None:
        token = request.cookies.get(self.cookie)
        return self._sessions.find(token, touch=click) if token else None

    def _check(self, request: Request, visit: Visit, area: Area | None) -> None:
        wait = self._limit.take(visit.person.login)
        if wait:
            raise Problem(429, f"Too many requests at once. Try again in {wait:.0f} s.")
        if area is not None and not MAY[area] & visit.person.roles:
            self._audit.seen(visit.person, What.REFUSED, request.url.path)
            raise Problem(403, f"Your roles do not open {area.value}. Governance can change that.")
