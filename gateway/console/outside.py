"""Sharing outside: the pages by which a named person shares, ends a share, or gives a lesson.

What may be shared is ``gateway.sharing``'s to say. The pass-phrase stands on one page, which is
kept in no cache and made once; the file is fetched from memory by the session that asked for it.
"""

import math
import re
import secrets
from typing import Any, Final

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from base.errors import WardsealError
from gateway.console.asking import day_of, field, photo_of, sentence
from gateway.console.audit import Audit, What
from gateway.console.holding import Holding
from gateway.console.limits import Limit
from gateway.console.render import Render
from gateway.console.sessions import Visit
from gateway.console.visits import Problem
from gateway.console.work import signature
from gateway.reopening import NotReopened
from gateway.report.making import ReportError
from gateway.sharing.desk import Sharing
from gateway.sharing.pdf import NotEncrypted
from gateway.sharing.redacting import Box, Busy, NotRedacted, Plan
from gateway.sharing.shares import Filter, Form, Shares
from gateway.sharing.teaching import CHECKS, Copy, Teaching
from gateway.worklist_desk import NotDone

_PAGE: Final = 100
_LARGEST_ID: Final = 2**31
_TYPES: Final = {
    "pdf": "application/pdf",
    "html": "text/html; charset=utf-8",
    "jpg": "image/jpeg",
    "dcm": "application/dicom",
}
_EMPTY: Final[dict[str, Any]] = {"to": "", "reason": "", "form": "", "confirmed": ()}
_REFUSED: Final = (NotDone, NotReopened, NotRedacted, NotEncrypted, ReportError)


class Outside:
    """Handlers, each as ``visits.page`` or ``visits.form`` wants it.

    ``makes`` slows one person's files down: each costs a processor a second. ``copies`` does so
    with pictures that are made anew, also only to be looked at, and nothing gives a try back.
    """

    def __init__(
        self,
        *,
        render: Render,
        audit: Audit,
        sharing: Sharing,
        teaching: Teaching,
        shares: Shares,
        holding: Holding,
        makes: Limit,
        copies: Limit,
    ) -> None:
        self._render = render
        self._audit = audit
        self._sharing = sharing
        self._teaching = teaching
        self._shares = shares
        self._holding = holding
        self._makes = makes
        self._copies = copies

    # -- for a referral ---------------------------------------------------------------------------

    def form(self, request: Request, visit: Visit) -> Response:
        """Show what would be shared, and ask with whom and why."""
        return self._form(request, visit, {}, "")

    def _form(
        self, request: Request, visit: Visit, given: dict[str, str], words: str, status: int = 200
    ) -> Response:
        photo = photo_of(request)
        self._audit.seen(visit.person, What.PHOTO, photo)
        try:
            facts = self._sharing.facts(photo)
        except _REFUSED as e:
            raise Problem(409, sentence(e)) from e
        return self._render.page(
            request,
            visit,
            "share.html",
            status=status,
            photo=photo,
            facts=facts,
            given=_EMPTY | given,
            words=words,
            once=secrets.token_hex(16),
            shares=self._shares.of(photo),
        )

    def share(self, request: Request, visit: Visit, form: FormData) -> Response:
        """Make the file, and show its pass-phrase, once."""
        photo, once = photo_of(request), field(form, "once")
        given = {name: field(form, name) for name in ("to", "reason", "form")}
        if given["form"] not in ("pdf", "html"):
            raise Problem(400, "Choose a PDF or a web page.")
        self._begin(visit, once)
        try:
            made = self._sharing.share(
                photo,
                to=given["to"],
                reason=given["reason"],
                by=signature(visit.person),
                form=Form(given["form"]),
            )
        except NotDone as e:
            self._again(visit, once)
            return self._form(request, visit, given, sentence(e), 409)
        except _REFUSED as e:
            self._again(visit, once)
            raise Problem(409, sentence(e)) from e
        token = self._holding.put(visit.person.login, made.id, made.name, made.file)
        return self._render.page(
            request,
            visit,
            "shared.html",
            share=self._shares.get(made.id),
            phrase=made.phrase,
            token=token,
            called=made.name,
            size=len(made.file),
        )

    def file(self, request: Request, visit: Visit) -> Response:
        """Send a finished file to who made it; that it was shared is written down already."""
        held = self._holding.get(visit.person.login, str(request.path_params["token"]))
        if held is None:
            raise Problem(404, "This file is not kept any more. Share it again; the list has both.")
        if not self._shares.get(held.share).live:
            raise Problem(410, "This share has ended, so its file does not leave any more.")
        return Response(
            held.data,
            media_type=_TYPES[held.name.rpartition(".")[2]],
            headers={"Content-Disposition": f'attachment; filename="{held.name}"'},
        )

    # -- for teaching -----------------------------------------------------------------------------

    def lesson(self, request: Request, visit: Visit) -> Response:
        """Show the copy as it would leave; take out more of it, or the last part back."""
        asked = request.query_params
        plan = _plan(asked.get("keep", ""), asked.get("black", ""))
        words = ""
        if asked.get("do"):
            try:
                plan = _changed(plan, asked["do"], [asked.get(n, "") for n in ("x", "y", "w", "h")])
            except NotRedacted as e:
                words = sentence(e)
        return self._lesson(request, visit, plan, {}, words)

    def _lesson(
        self,
        request: Request,
        visit: Visit,
        plan: Plan,
        given: dict[str, Any],
        words: str,
    ) -> Response:
        photo = photo_of(request)
        self._audit.seen(visit.person, What.PHOTO, photo)
        copy = self._copy(visit, photo, plan)
        return self._render.page(
            request,
            visit,
            "teaching.html",
            status=409 if words else 200,
            photo=photo,
            copy=copy,
            plan=plan,
            checks=CHECKS,
            given=_EMPTY | given,
            words=words,
            once=secrets.token_hex(16),
        )

    def lesson_picture(self, request: Request, visit: Visit) -> Response:
        """Send the copy that would leave."""
        photo = photo_of(request)
        asked = request.query_params
        plan = _plan(asked.get("keep", ""), asked.get("black", ""))
        self._audit.seen(visit.person, What.PICTURE, photo)
        return Response(self._copy(visit, photo, plan).picture.jpeg, media_type="image/jpeg")

    def give(self, request: Request, visit: Visit, form: FormData) -> Response:
        """Give the copy away, on the word of who has looked at it."""
        photo, once = photo_of(request), field(form, "once")
        plan = _plan(field(form, "keep"), field(form, "black"))
        given: dict[str, Any] = {name: field(form, name) for name in ("to", "reason", "form")}
        given["confirmed"] = {name for name in CHECKS if form.get(f"no-{name}") == "yes"}
        if given["form"] not in ("jpg", "dcm"):
            raise Problem(400, "Choose a JPEG or a DICOM file.")
        self._take_copy(visit)
        self._begin(visit, once)
        try:
            made = self._teaching.give(
                photo,
                plan,
                looked_at=field(form, "digest"),
                confirmed=given["confirmed"],
                to=given["to"],
                reason=given["reason"],
                by=signature(visit.person),
                form=Form(given["form"]),
            )
        except NotDone as e:
            self._again(visit, once)
            return self._lesson(request, visit, plan, given, sentence(e))
        except _REFUSED as e:
            self._again(visit, once)
            raise _refused(e) from e
        token = self._holding.put(visit.person.login, made.id, made.name, made.file)
        return self._render.page(
            request,
            visit,
            "shared.html",
            share=self._shares.get(made.id),
            phrase="",
            token=token,
            called=made.name,
            size=len(made.file),
        )

    def _copy(self, visit: Visit, photo: str, plan: Plan) -> Copy:
        self._take_copy(visit)
        try:
            return self._teaching.copy(photo, plan)
        except _REFUSED as e:
            raise _refused(e) from e

    def _take_copy(self, visit: Visit) -> None:
        wait = self._copies.take(visit.person.login)
        if wait:
            raise Problem(
                429, f"That were many copies in a short time. Try again in {math.ceil(wait)} s."
            )

    # -- all of them ------------------------------------------------------------------------------

    def list(self, request: Request, visit: Visit) -> Response:
        """Show what was shared, by day, recipient and person."""
        asked = request.query_params
        words = {name: asked.get(name, "")[:100] for name in ("day", "recipient", "person")}
        state = asked.get("state", "")
        if state not in ("", "live", "ended"):
            raise Problem(400, "There is no such state.")
        which = Filter(
            day=day_of(words["day"]),
            recipient=words["recipient"].strip(),
            person=words["person"].strip(),
            live=None if not state else state == "live",
        )
        before = _number(asked.get("before", "")) or None
        self._audit.seen(visit.person, What.SHARES, str(request.url.query))
        found = self._shares.find(which, limit=_PAGE, before=before)
        return self._render.page(
            request,
            visit,
            "shares.html",
            shares=found,
            asked=words,
            state=state,
            more=found[-1].id if len(found) == _PAGE else None,
        )

    def revoke(self, request: Request, visit: Visit, form: FormData) -> Response:
        """End a share by hand."""
        share = _number(str(request.path_params["share"]))
        if not share:
            raise Problem(404, "There is no such share.")
        try:
            of = self._shares.get(share).photo
            with self._audit.doing(visit.person, What.SHARE_ENDED, of):
                ended = self._shares.revoke(
                    share, by=signature(visit.person), reason=field(form, "reason")
                )
        except NotDone as e:
            raise Problem(409, sentence(e)) from e
        return RedirectResponse(f"/worklist/{ended.item}", 303)

    def _begin(self, visit: Visit, once: str) -> None:
        if not re.fullmatch(r"[0-9a-f]{32}", once):
            raise Problem(400, "The form is not whole. Go back, reload, try again.")
        wait = self._makes.take(visit.person.login)
        if wait:
            raise Problem(429, f"That were many files in a short time. Try again in {wait:.0f} s.")
        if not self._holding.first(once):
            raise Problem(
                409,
                "This was shared already; a pass-phrase is shown once. If it was not written down,"
                " end that share and share the photo again.",
            )

    def _again(self, visit: Visit, once: str) -> None:
        """Nothing came of it: it counts for nothing, and the form may be sent again."""
        self._makes.give_back(visit.person.login)
        self._holding.again(once)


def _changed(plan: Plan, do: str, numbers: list[str]) -> Plan:
    """Return a plan with one part more taken out, or without the last one."""
    if do == "undo":
        return Plan(plan.keep, plan.black[:-1]) if plan.black else Plan()
    if do == "reset":
        return Plan()
    box = Box.of(",".join(numbers))
    if do == "keep":
        return Plan(box, plan.black)
    if do == "black":
        return Plan.of(str(plan.keep or ""), f"{plan.blacked};{box}")
    raise NotRedacted("choose what is done with this part")


def _plan(keep: str, black: str) -> Plan:
    try:
        return Plan.of(keep, black)
    except NotRedacted as e:
        raise Problem(400, sentence(e)) from e


def _refused(error: WardsealError) -> Problem:
    return Problem(429 if isinstance(error, Busy) else 409, sentence(error))


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 11 and int(text) < _LARGEST_ID else 0
