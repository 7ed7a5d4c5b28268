"""Templates, and how times and ids are written in them. Everything is escaped by default."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from gateway.console.roles import Area, areas_of
from gateway.console.sessions import Visit

TEMPLATES: Final = Path(__file__).parent / "templates"
_PATHS: Final = {
    Area.PHOTOS: "/",
    Area.WORKLIST: "/worklist",
    Area.LEDGERS: "/ledgers",
    Area.QUESTIONS: "/questions",
    Area.SHARES: "/shares",
    Area.DEVICES: "/devices",
}


class Render:
    """Fills templates; ``site`` stands on every page."""

    def __init__(self, *, site: str) -> None:
        self._site = site
        self._environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters["moment"] = moment
        self._environment.filters["clock"] = clock
        self._environment.filters["short"] = short
        self._environment.filters["day"] = lambda ms: moment(ms)[:10]
        self._environment.globals["link"] = link

    def page(
        self, request: Request, visit: Visit, name: str, *, status: int = 200, **values: Any
    ) -> HTMLResponse:
        """Return a page for somebody who is signed in."""
        menu = [(area, _PATHS[area]) for area in areas_of(visit.person.roles) if area in _PATHS]
        return self._fill(name, request, status=status, visit=visit, menu=menu, **values)

    def home(self, visit: Visit) -> str:
        """Return where the console begins for a person: the first area that is theirs."""
        return next(_PATHS[area] for area in areas_of(visit.person.roles) if area in _PATHS)

    def outside(
        self, request: Request, name: str, *, status: int = 200, **values: Any
    ) -> HTMLResponse:
        """Return a page for anybody."""
        return self._fill(name, request, status=status, visit=None, menu=[], **values)

    def _fill(
        self, name: str, request: Request, *, status: int = 200, **values: Any
    ) -> HTMLResponse:
        template = self._environment.get_template(name)
        text = template.render(site=self._site, path=request.url.path, **values)
        return HTMLResponse(text, status_code=status)


def moment(ms: int) -> str:
    """``2026-11-25 14:03:12 UTC``; a time no calendar knows is said to be none."""
    try:
        return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return "no usable time"


def clock(ms: int) -> str:
    """``14:03``."""
    return moment(ms)[11:16]


def short(text: str) -> str:
    """Enough of a hash to tell it from others by eye."""
    return text[:12]


def link(path: str, **query: object) -> str:
    """A path with its query; empty values stay, they mean "all"."""
    return f"{path}?{urlencode(query)}" if query else path
