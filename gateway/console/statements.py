"""What named people say about a photo: its body site, an objection, a decision, a request, a hold.

Forms only; what can be said is the rooms' to say (gateway.sites, objections, reviews), and their
words come on to the page. Each is in the audit besides standing in the photo's story.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

from sqlalchemy.orm import Session
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gateway.console.asking import field, photo_of, sentence
from gateway.console.audit import Audit, What
from gateway.console.sessions import Visit
from gateway.console.visits import Problem
from gateway.console.work import signature
from gateway.objections import Decision, Objections
from gateway.retention import Hold, Holds, kept_by
from gateway.reviews import Reviews
from gateway.sites import Sites
from gateway.worklist_desk import NotDone

_LONGEST_ID: Final = 9


class Statements:
    """Handlers, each as ``visits.form`` wants it."""

    def __init__(
        self,
        *,
        audit: Audit,
        sites: Sites,
        objections: Objections,
        reviews: Reviews,
        holds: Holds,
    ) -> None:
        self._audit = audit
        self._sites = sites
        self._objections = objections
        self._reviews = reviews
        self._holds = holds

    def site(self, request: Request, visit: Visit, form: FormData) -> Response:
        """Say which part of the body it shows, on which side, and what is worth noting.

        The label's own words come as one choice, ``code/side``.
        """
        photo = photo_of(request)
        code, _, side = field(form, "part").partition("/")
        return self._said(
            photo,
            visit,
            What.SITE,
            lambda: self._sites.say(
                photo,
                code=code,
                side=side or field(form, "side"),
                note=field(form, "note"),
                by=signature(visit.person),
            ),
        )

    def objected(self, request: Request, visit: Visit, form: FormData) -> Response:
        """Enter that the patient, or who speaks for him, objected."""
        photo, said_ms = photo_of(request), _moment(field(form, "when"))
        return self._said(
            photo,
            visit,
            What.OBJECTION,
            lambda: self._objections.object(
                photo,
                said_by=field(form, "who"),
                said_ms=said_ms,
                words=field(form, "words"),
                by=signature(visit.person),
            ),
        )

    def decide(self, request: Request, visit: Visit, form: FormData) -> Response:
        """Decide what becomes of a photo whose patient objected."""
        photo, objection = self._objection(request)
        asked = field(form, "decision")
        if asked not in set(Decision):
            raise Problem(400, "Choose whether it is kept, restricted or erased.")
        return self._said(
            photo,
            visit,
            What.DECISION,
            lambda: self._objections.decide(
                objection,
                Decision(asked),
                reason=field(form, "reason"),
                by=signature(visit.person),
                law=field(form, "law"),
            ),
        )

    def confirm(self, request: Request, visit: Visit, form: FormData) -> Response:
        """Confirm or refuse an erasure, as the second person."""
        photo, objection = self._objection(request)
        return self._said(
            photo,
            visit,
            What.DECISION,
            lambda: self._objections.confirm(
                objection,
                confirm=field(form, "answer") == "confirm",
                second=signature(visit.person),
            ),
        )

    def review(self, request: Request, visit: Visit, form: FormData) -> Response:
        """Ask somebody to look at it."""
        photo = photo_of(request)
        return self._said(
            photo,
            visit,
            What.REVIEW,
            lambda: self._reviews.ask(
                photo,
                owner=field(form, "owner"),
                question=field(form, "question"),
                by=signature(visit.person),
            ),
        )

    def revoke(self, request: Request, visit: Visit, form: FormData) -> Response:
        """Take a request back."""
        photo, number = photo_of(request), str(request.path_params["review"])
        open_ones = {str(review.id): review.id for review in self._reviews.of(photo)}
        if number not in open_ones:
            raise Problem(404, "There is no such request.")
        return self._said(
            photo,
            visit,
            What.REVIEW,
            lambda: self._reviews.revoke(
                open_ones[number], by=signature(visit.person), note=field(form, "note")
            ),
        )

    def hold(self, request: Request, visit: Visit, form: FormData) -> Response:
        """Put a litigation hold on a photo, or on a patient."""
        number = request.path_params.get("number")
        photo = photo_of(request) if number is None else None
        patient = None if number is None else str(number)[:100]
        return self._held(
            visit,
            photo or patient or "",
            lambda: self._holds.hold(
                photo=photo,
                patient=patient,
                by=signature(visit.person),
                reason=field(form, "reason"),
            ),
        )

    def lift(self, request: Request, visit: Visit, form: FormData) -> Response:
        """End a litigation hold."""
        number = str(request.path_params["hold"])
        if not number.isdecimal() or len(number) > _LONGEST_ID:
            raise Problem(404, "There is no such hold.")
        return self._held(
            visit,
            lambda session: kept_by(session, int(number)),
            lambda: self._holds.lift(
                int(number), by=signature(visit.person), reason=field(form, "reason")
            ),
        )

    def _held(
        self, visit: Visit, subject: str | Callable[[Session], str], act: Callable[[], Hold]
    ) -> Response:
        try:
            with self._audit.doing(visit.person, What.HOLD, subject):
                hold = act()
        except NotDone as e:
            raise Problem(409, sentence(e)) from e
        about = hold.photo or hold.patient or ""
        room = "photos" if hold.photo else "patients"
        return RedirectResponse(f"/{room}/{quote(about, safe='')}", 303)

    def _objection(self, request: Request) -> tuple[str, int]:
        photo, number = photo_of(request), str(request.path_params["objection"])
        known = {str(objection.id): objection.id for objection in self._objections.of(photo)}
        if number not in known:
            raise Problem(404, "There is no such objection.")
        return photo, known[number]

    def _said(self, photo: str, visit: Visit, what: What, say: Callable[[], object]) -> Response:
        try:
            with self._audit.doing(visit.person, what, photo):
                say()
        except NotDone as e:
            raise Problem(409, sentence(e)) from e
        return RedirectResponse(f"/photos/{photo}", 303)


def _moment(text: str) -> int:
    """Read what ``datetime-local`` sends, in UTC as every time of the console."""
    try:
        return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)
    except (ValueError, OverflowError) as e:
        raise Problem(400, "Say when it was said, like 2026-11-25T14:03.") from e
