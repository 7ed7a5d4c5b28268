"""Puts the console together: which address leads to which handler, and what stands around it."""

import logging
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from base.errors import WardsealError
from gateway.beds import Beds
from gateway.cases import Cases
from gateway.config import LimitSettings, WorklistSettings
from gateway.console.access import Access
from gateway.console.accounts import Accounts
from gateway.console.api import app as api
from gateway.console.api.rooms import Rooms
from gateway.console.api.tokens import Tokens
from gateway.console.audit import Audit
from gateway.console.config import ConsoleConfig
from gateway.console.front import Front
from gateway.console.holding import Holding
from gateway.console.inquiries import Bedside
from gateway.console.ledgers import Ledgers
from gateway.console.limits import Limit
from gateway.console.oidc import Oidc
from gateway.console.outside import Outside
from gateway.console.pages import Pages, today
from gateway.console.photos import Photos
from gateway.console.places import place_of
from gateway.console.questions import Questions
from gateway.console.render import Render
from gateway.console.roles import Area
from gateway.console.sessions import Sessions, Visit
from gateway.console.shield import Shield
from gateway.console.statements import Statements
from gateway.console.streams import Streams
from gateway.console.visits import FAULT, FormHandler, Handler, Problem, Visits
from gateway.console.whose import Whose
from gateway.console.work import Work
from gateway.devices import Registry
from gateway.finding import Finder
from gateway.inquiry import Inquiries
from gateway.lightbox import Lightbox
from gateway.objections import Objections
from gateway.report.making import Style
from gateway.retention import Holds
from gateway.reviews import Reviews
from gateway.sharing.desk import Sharing
from gateway.sharing.shares import Shares
from gateway.sharing.shown import Shown
from gateway.sharing.teaching import Teaching
from gateway.sites import Sites
from gateway.store import Store
from gateway.worklist_desk import Worklist
from wire.signing import PublicKey

log = logging.getLogger(__name__)

ErrorHandler = Callable[[Request, Exception], Response]

STATIC: Final = Path(__file__).parent / "static"
_CLICKS, _CLICK_SECONDS = 200, 0.1
_FILES, _FILE_SECONDS = 10, 30.0
_COPIES, _COPY_SECONDS = 120, 0.5
_GUESSES, _GUESSES_OF_ADDRESS, _GUESS_SECONDS = 8, 64, 30.0
"""A whole hospital may stand behind one address."""


def build(config: ConsoleConfig, store: Store) -> Starlette:
    """Return the application."""
    registry = Registry(config.paths.devices)
    registry.check()

    def key_of(device: str) -> PublicKey | None:
        found = registry.find(device)
        return found.key if found else None

    render = Render(site=config.site)
    audit = Audit(store=store, clock=_now_ms)
    accounts = Accounts(config.paths.accounts)
    sessions = Sessions(store=store, settings=config.session, clock=_now_ms, local=accounts.find)
    visits = Visits(
        sessions=sessions,
        audit=audit,
        limit=Limit(_CLICKS, _CLICK_SECONDS, time.monotonic),
        cookie="__Host-wardseal" if config.web.secure else "wardseal",
    )
    reviews = Reviews(store=store, clock=_now_ms)
    photos = Photos(store=store, key_of=key_of, reviews=reviews)
    callback = f"{config.web.origin}/oidc/callback"
    front = Front(
        render=render,
        sessions=sessions,
        visits=visits,
        accounts=accounts,
        oidc=Oidc(config.oidc, callback=callback) if config.oidc else None,
        audit=audit,
        guesses=Limit(_GUESSES, _GUESS_SECONDS, time.monotonic),
        addresses=Limit(_GUESSES_OF_ADDRESS, _GUESS_SECONDS, time.monotonic),
        streams=Streams(photos.version, time.monotonic),
        secure=config.web.secure,
    )
    cases = Cases(store=store, clock=_now_ms)
    sites = Sites(store=store, clock=_now_ms)
    objections = Objections(store=store, clock=_now_ms)
    holds = Holds(store=store, clock=_now_ms)
    beds = Beds(config.paths.beds)
    ledgers = Ledgers(store=store, key_of=key_of)
    lightbox = Lightbox(config.paths.state / "opened")
    shown = Shown(store=store, lightbox=lightbox, key_of=key_of)
    style = Style(organization=config.site)
    sharing = Sharing(store=store, opened=shown, style=style, clock=_now_ms)
    shares = Shares(store=store, clock=_now_ms)
    outside = Outside(
        render=render,
        audit=audit,
        sharing=sharing,
        teaching=Teaching(
            store=store,
            opened=shown,
            sharing=sharing,
            pixels=LimitSettings().megapixels * 1_000_000,
        ),
        shares=shares,
        holding=Holding(time.monotonic),
        makes=Limit(_FILES, _FILE_SECONDS, time.monotonic),
        copies=Limit(_COPIES, _COPY_SECONDS, time.monotonic),
    )
    finder = Finder(store)
    questions = Questions(store=store, clock=_now_ms)
    worklist = Worklist(
        store=store,
        beds=beds,
        settings=WorklistSettings(),
        clock=_now_ms,
    )
    access = Access(photos=photos, audit=audit)
    inquiries = Inquiries(store=store, key_of=key_of, ledger_file=ledgers.whole, clock=_now_ms)
    programs = api.build(
        Rooms(
            store=store,
            audit=audit,
            access=access,
            finder=finder,
            photos=photos,
            cases=cases,
            sites=sites,
            objections=objections,
            reviews=reviews,
            shares=shares,
            worklist=worklist,
            ledgers=ledgers,
            questions=questions,
            inquiries=inquiries,
            holds=holds,
            lightbox=lightbox,
            devices=registry.all,
        ),
        tokens=Tokens(store=store, clock=_now_ms),
        limit=Limit(config.api.at_once, 1 / config.api.per_second, time.monotonic),
    )
    pages = Pages(
        render=render,
        audit=audit,
        photos=photos,
        finder=finder,
        places=beds.places,
        sites=sites,
        objections=objections,
        reviews=reviews,
        holds=holds,
        access=access,
        ledgers=ledgers,
        questions=questions,
        lightbox=lightbox,
        cases=cases,
        devices=registry.all,
        today=today,
    )
    work = Work(
        render=render,
        audit=audit,
        worklist=worklist,
        lightbox=lightbox,
    )
    middleware = [Middleware(Shield, origin=config.web.origin)]
    if config.oidc is not None:
        # Holds state and nonce while the browser is at the provider; nothing lives in it longer.
        middleware.append(
            Middleware(
                SessionMiddleware,
                secret_key=secrets.token_hex(32),
                session_cookie="wardseal-oidc",
                max_age=600,
                same_site="lax",
                https_only=config.web.secure,
            )
        )
    return Starlette(
        routes=[
            api.mounted(programs),
            *_routes(
                front=front,
                visits=visits,
                pages=pages,
                work=work,
                whose=Whose(
                    render=render,
                    audit=audit,
                    store=store,
                    cases=cases,
                    holds=holds,
                    shares=shares,
                    lightbox=lightbox,
                ),
                says=Statements(
                    audit=audit, sites=sites, objections=objections, reviews=reviews, holds=holds
                ),
                outside=outside,
                bedside=Bedside(
                    render=render,
                    audit=audit,
                    inquiries=inquiries,
                    places=beds.places,
                    today=today,
                ),
            ),
        ],
        middleware=middleware,
        exception_handlers={
            Problem: _problem(render),
            404: _missing(render),
            405: _missing(render),
            WardsealError: _fault(render),
        },
    )


def _routes(
    *,
    front: Front,
    visits: Visits,
    pages: Pages,
    work: Work,
    whose: Whose,
    outside: Outside,
    says: Statements,
    bedside: Bedside,
) -> list[Route | Mount]:
    def get(path: str, area: Area, handler: Handler, *, click: bool = True) -> Route:
        return Route(path, visits.page(area, handler, click=click), methods=["GET"])

    def post(path: str, area: Area | None, handler: FormHandler) -> Route:
        return Route(path, visits.form(area, handler), methods=["POST"])

    return [
        get("/", Area.PHOTOS, pages.photos),
        get("/photos/{photo}", Area.PHOTOS, pages.photo),
        get("/photos/{photo}/picture.jpg", Area.PHOTOS, pages.picture),
        get("/photos/{photo}/small.jpg", Area.PHOTOS, pages.small, click=False),
        post("/photos/{photo}/reason", Area.PHOTOS, pages.why),
        post("/photos/{photo}/resolve", Area.PHOTOS, whose.resolve),
        post("/photos/{photo}/move", Area.PHOTOS, whose.move),
        post("/photos/{photo}/moves/{move}", Area.PHOTOS, whose.decide),
        post("/photos/{photo}/site", Area.PHOTOS, says.site),
        post("/photos/{photo}/objections", Area.PHOTOS, says.objected),
        post("/photos/{photo}/objections/{objection}/decision", Area.DECISIONS, says.decide),
        post("/photos/{photo}/objections/{objection}/erasure", Area.DECISIONS, says.confirm),
        post("/photos/{photo}/reviews", Area.PHOTOS, says.review),
        post("/photos/{photo}/reviews/{review}/revoke", Area.PHOTOS, says.revoke),
        post("/photos/{photo}/holds", Area.DECISIONS, says.hold),
        post("/patients/{number}/holds", Area.DECISIONS, says.hold),
        post("/holds/{hold}/lift", Area.DECISIONS, says.lift),
        get("/photos/{photo}/share", Area.PHOTOS, outside.form),
        post("/photos/{photo}/share", Area.PHOTOS, outside.share),
        get("/photos/{photo}/teaching", Area.PHOTOS, outside.lesson),
        get("/photos/{photo}/teaching.jpg", Area.PHOTOS, outside.lesson_picture),
        post("/photos/{photo}/teaching", Area.PHOTOS, outside.give),
        get("/shares", Area.SHARES, outside.list),
        get("/shares/file/{token}", Area.PHOTOS, outside.file),
        post("/shares/{share}/revoke", Area.PHOTOS, outside.revoke),
        get("/patients/{number}", Area.PHOTOS, whose.patient),
        get("/worklist", Area.WORKLIST, work.list),
        get("/worklist/{item}", Area.WORKLIST, work.item),
        post("/worklist/{item}/assign", Area.WORKLIST, work.assign),
        post("/worklist/{item}/close", Area.WORKLIST, work.close),
        get("/ledgers", Area.LEDGERS, pages.ledgers),
        get("/ledgers/{device}/{ledger}", Area.LEDGERS, pages.ledger),
        get("/ledgers/{device}/{ledger}/file", Area.LEDGERS, pages.ledger_file),
        get("/questions", Area.QUESTIONS, pages.questions),
        get("/questions/bed", Area.QUESTIONS, bedside.ask),
        get("/questions/bed/wardseal-inquiry.zip", Area.QUESTIONS, bedside.bundle),
        get("/devices", Area.DEVICES, pages.devices),
        Route("/sign-in", front.sign_in, methods=["GET", "POST"]),
        post("/sign-out", None, front.sign_out),
        Route("/oidc/begin", front.oidc_begin, methods=["GET"]),
        Route("/oidc/callback", front.oidc_finish, methods=["GET"]),
        Route("/events", front.events, methods=["GET"]),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]


def _problem(render: Render) -> ErrorHandler:
    def handle(request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return _said(render, request, error.status, error.words)

    return handle


def _missing(render: Render) -> ErrorHandler:
    def handle(request: Request, _error: Exception) -> Response:
        return _said(render, request, 404, "There is no such page.")

    return handle


def _fault(render: Render) -> ErrorHandler:
    def handle(request: Request, error: Exception) -> Response:
        log.error("%s: %s", place_of(request), error)
        return _said(render, request, 503, FAULT)

    return handle


def _said(render: Render, request: Request, status: int, words: str) -> Response:
    if request.url.path == "/events":
        return JSONResponse({"error": words}, status)
    visit: Visit | None = getattr(request.state, "visit", None)
    if visit is not None:
        return render.page(request, visit, "problem.html", status=status, words=words)
    return render.outside(request, "problem.html", status=status, words=words)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
