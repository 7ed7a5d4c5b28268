"""The question governance is asked most: one bed, one day, four answers, a bundle to take along.

What is answered is gateway.inquiry's.
"""

from collections.abc import Callable
from datetime import date
from typing import Final

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from gateway.beds import Place
from gateway.console.asking import day_of
from gateway.console.audit import Audit, What
from gateway.console.render import Render
from gateway.console.sessions import Visit
from gateway.console.visits import Problem
from gateway.console.work import signature
from gateway.inquiry import Inquiries, Inquiry

_LONGEST: Final = 40


class Bedside:
    """Handlers, each as ``visits.page`` wants it. ``places`` are what the form proposes."""

    def __init__(
        self,
        *,
        render: Render,
        audit: Audit,
        inquiries: Inquiries,
        places: Callable[[], list[Place]],
        today: Callable[[], date],
    ) -> None:
        self._render = render
        self._audit = audit
        self._inquiries = inquiries
        self._places = places
        self._today = today

    def ask(self, request: Request, visit: Visit) -> Response:
        """Show the question, and its answers once bed and day are given."""
        asked = request.query_params
        inquiry = self._inquiry(visit, What.INQUIRY, asked) if asked.get("bed") else None
        return self._render.page(
            request,
            visit,
            "bedside.html",
            inquiry=inquiry,
            ward=asked.get("ward", "")[:_LONGEST],
            bed=asked.get("bed", "")[:_LONGEST],
            day=day_of(asked.get("day", "")) or self._today(),
            places=self._places(),
        )

    def bundle(self, request: Request, visit: Visit) -> Response:
        """Send the answers with everything that verifies them."""
        if not request.query_params.get("bed"):
            raise Problem(400, "Say which bed.")
        inquiry = self._inquiry(visit, What.BUNDLE, request.query_params)
        return Response(
            self._inquiries.bundle(inquiry, by=signature(visit.person)),
            media_type="application/zip",
            headers={"Content-Disposition": 'attachment; filename="wardseal-inquiry.zip"'},
        )

    def _inquiry(self, visit: Visit, what: What, asked: QueryParams) -> Inquiry:
        ward, bed = asked.get("ward", "")[:_LONGEST], asked.get("bed", "")[:_LONGEST]
        day = day_of(asked.get("day", "")) or self._today()
        self._audit.seen(visit.person, what, f"ward={ward or '*'} bed={bed} day={day}")
        return self._inquiries.ask(ward, bed, day)
