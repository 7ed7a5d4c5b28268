"""How the log calls an address: by its route, for an address itself may name a patient (P9)."""

from starlette.requests import Request
from starlette.routing import Match


def place_of(request: Request) -> str:
    """Return the method and the template of an address, such as ``GET /patients/{number}``."""
    route = request.scope.get("route")  # FastAPI puts it there, Starlette does not
    if route is None:
        matching = (r for r in request.app.routes if r.matches(request.scope)[0] is not Match.NONE)
        route = next(matching, None)
    return f"{request.method} {getattr(route, 'path', 'an unknown address')}"
