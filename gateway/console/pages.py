"""The pages themselves: a request in, what was asked for looked up, a template filled.

Every view is written into the audit before anything of it leaves.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, Final

from starlette.datastructures import FormData, QueryParams
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response, StreamingResponse

from base.errors import FormatError
from gateway import body
from gateway.beds import Place
from gateway.cases import Cases
from gateway.console.access import Access
from gateway.console.asking import photo_of
from gateway.console.audit import Audit, What
from gateway.console.ledgers import PAGE as LEDGER_PAGE
from gateway.console.ledgers import Head, Ledgers
from gateway.console.photos import Photos, listed
from gateway.console.questions import Questions
from gateway.console.render import Render
from gateway.console.roles import Role
from gateway.console.sessions import Visit
from gateway.console.visits import Problem
from gateway.devices import Device
from gateway.finding import COUNTED, Finder, Wanted
from gateway.lightbox import Lightbox
from gateway.objections import Objections
from gateway.retention import Holds
from gateway.reviews import Reviews
from gateway.series import ruler
from gateway.sites import Sites
from gateway.tables import State
from wire.events import Level
from wire.label import Code

_LARGEST_PAGE: Final = 1_000_000


class Pages:
    """Handlers for GET, each as ``visits.page`` wants it. ``today`` gives the date in UTC."""

    def __init__(
        self,
        *,
        render: Render,
        audit: Audit,
        photos: Photos,
        finder: Finder,
        places: Callable[[], list[Place]],
        sites: Sites,
        objections: Objections,
        reviews: Reviews,
        holds: Holds,
        access: Access,
        ledgers: Ledgers,
        questions: Questions,
        lightbox: Lightbox,
        cases: Cases,
        devices: Callable[[], list[Device]],
        today: Callable[[], date],
    ) -> None:
        self._render = render
        self._audit = audit
        self._photos = photos
        self._finder = finder
        self._places = places
        self._sites = sites
        self._objections = objections
        self._reviews = reviews
        self._holds = holds
        self._access = access
        self._ledgers = ledgers
        self._questions = questions
        self._lightbox = lightbox
        self._cases = cases
        self._devices = devices
        self._today = today

    # -- photos -----------------------------------------------------------------------------------

    def photos(self, request: Request, visit: Visit) -> Response:
        """Show a page of photos, today's unless asked otherwise."""
        wanted = self._wanted(request.query_params)
        self._audit.seen(visit.person, What.LIST, wanted.words())
        found = self._finder.page(wanted)
        return self._render.page(
            request,
            visit,
            "photos.html",
            photos=[listed(row) for row in found.photos],
            shown=self._lightbox.shown,
            found=found,
            counted=COUNTED,
            wanted=wanted,
            today=self._today(),
            devices=[device.id for device in self._devices()],
            places=self._places(),
            states=[state.value for state in State],
            levels=[level.value for level in Level],
        )

    def photo(self, request: Request, visit: Visit) -> Response:
        """Show one photo and its whole story."""
        photo = photo_of(request)
        self._audit.seen(visit.person, What.PHOTO, photo)
        story = self._photos.story(photo)
        if story is None:
            raise Problem(404, "There is no such photo.")
        closed = self._access.closed(visit.person, photo)
        return self._render.page(
            request,
            visit,
            "photo.html",
            story=story,
            seen=self._lightbox.picture(photo).is_file(),
            closed=closed is not None and closed.reason,
            barred=closed.why if closed is not None and not closed.reason else "",
            governance=Role.GOVERNANCE in visit.person.roles,
            ruler=ruler(story.photo.width, story.photo.width_mm),
            assignments=self._cases.assignments(photo),
            moves=self._cases.moves(photo),
            parts=body.PARTS,
            sides=body.SIDES,
            on_label=_on_label(story.photo.label),
            said=self._sites.history(photo),
            objections=self._objections.of(photo),
            reviews=self._reviews.of(photo),
            people=self._audit.people(),
            holds=self._holds.keeping(photo),
            now=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M"),
        )

    def why(self, request: Request, visit: Visit, form: FormData) -> Response:
        """Take the reason for which somebody reads a photo after an objection."""
        photo, reason = photo_of(request), str(form.get("reason", "")).strip()
        if not reason:
            raise Problem(400, "Say in a few words why you need to see it.")
        self._audit.seen(visit.person, What.REASON, photo, reason)
        return RedirectResponse(f"/photos/{photo}", 303)

    def _may_see(self, visit: Visit, photo: str) -> None:
        if closed := self._access.closed(visit.person, photo):
            raise Problem(403, closed.why)

    def picture(self, request: Request, visit: Visit) -> Response:
        """Send the photo itself, as the device took it."""
        photo = photo_of(request)
        self._may_see(visit, photo)
        self._audit.seen(visit.person, What.PICTURE, photo)
        return _jpeg(self._lightbox.picture(photo))

    def small(self, request: Request, visit: Visit) -> Response:
        """Send the small one, as lists show it."""
        photo = photo_of(request)
        self._may_see(visit, photo)
        self._audit.seen_small(visit.person, photo)
        return _jpeg(self._lightbox.small(photo))

    def _wanted(self, asked: QueryParams) -> Wanted:
        try:
            return Wanted.of(dict(asked), today=self._today())
        except FormatError as e:
            raise Problem(400, str(e)) from e

    # -- ledgers ----------------------------------------------------------------------------------

    def ledgers(self, request: Request, visit: Visit) -> Response:
        """Show which ledgers there are."""
        self._audit.seen(visit.person, What.LEDGERS, "all")
        return self._render.page(request, visit, "ledgers.html", heads=self._ledgers.heads())

    def ledger(self, request: Request, visit: Visit) -> Response:
        """Show a ledger in words, verified from its first entry while it is shown."""
        head = self._head(request)
        self._audit.seen(visit.person, What.LEDGER, f"{head.device} {head.ledger}")
        last_page = max(0, (head.entries - 1) // LEDGER_PAGE)
        number = min(last_page, _number(request.query_params.get("page", str(last_page))))
        key = next((d.key for d in self._devices() if d.id == head.device), None)
        return self._render.page(
            request,
            visit,
            "ledger.html",
            head=head,
            lines=self._ledgers.lines(head, number * LEDGER_PAGE),
            verdict=self._ledgers.verify(head),
            unchained=self._ledgers.count_unchained(head),
            key=key.encode().hex() if key else "",
            number=number,
            last_page=last_page,
        )

    def ledger_file(self, request: Request, visit: Visit) -> Response:
        """Send a ledger as a file, to be verified without this machine."""
        head = self._head(request)
        self._audit.seen(visit.person, What.LEDGER_FILE, f"{head.device} {head.ledger}")
        name = f"{head.device}-{head.ledger}.wsl"
        return StreamingResponse(
            self._ledgers.file(head),
            media_type="application/octet-stream",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    def _head(self, request: Request) -> Head:
        device, ledger = request.path_params["device"], request.path_params["ledger"]
        head = self._ledgers.head(device, ledger)
        if head is None:
            raise Problem(404, "There is no such ledger.")
        return head

    # -- questions and devices --------------------------------------------------------------------

    def questions(self, request: Request, visit: Visit) -> Response:
        """Show the questions, and the answer to one."""
        asked = request.query_params.get("ask", "")
        question = self._questions.named(asked)
        if asked and question is None:
            raise Problem(404, "There is no such question.")
        self._audit.seen(visit.person, What.QUESTIONS, asked or "all")
        rows = self._questions.answer(question) if question else []
        return self._render.page(
            request,
            visit,
            "questions.html",
            questions=self._questions.all,
            question=question,
            rows=rows,
        )

    def devices(self, request: Request, visit: Visit) -> Response:
        """Show the registered devices and what each last said of itself."""
        self._audit.seen(visit.person, What.DEVICES, "all")
        return self._render.page(
            request,
            visit,
            "devices.html",
            devices=self._devices(),
            presences=self._photos.presences(),
            epochs=self._photos.epochs(),
            hooks=self._photos.hooks(),
        )


def _on_label(words: str) -> dict[str, str]:
    """What the label in the picture says, and what it means: ``code/side``, empty if unknown."""
    if not words:
        return {}
    try:
        code = Code.of(words)
    except FormatError:
        return {"words": words, "means": ""}
    part, side = body.of_label(code.site, code.side)
    return {"words": words, "means": f"{part.code}/{side}" if part else "", "side": side}


def _jpeg(path: Any) -> Response:
    if not path.is_file():
        raise Problem(404, "This picture is not here any more; the record has it.")
    # Kept in no cache, as everything is (Shield): the next look asks again, and is in the audit.
    return FileResponse(path, media_type="image/jpeg")


def _number(text: str) -> int:
    return min(int(text), _LARGEST_PAGE) if text.isdecimal() and len(text) < 10 else 0


def today() -> date:
    """Return the date in UTC, as photos are listed."""
    return datetime.now(UTC).date()
