"""Puts the API together, and writes its description (OpenAPI 3.1) from the same types."""

import json
import re
from typing import Any, Final

from fastapi import Depends, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import Response
from starlette.routing import Mount

from gateway.console.api import bedside, evidence, holds, photos, problems, shares, work
from gateway.console.api.gate import DOCUMENT, Gate
from gateway.console.api.problems import Fault, ProblemDetails, documented
from gateway.console.api.rooms import SCHEME, Rooms
from gateway.console.api.tokens import Tokens
from gateway.console.limits import Limit

PREFIX: Final = "/api/v1"
_ABOUT: Final = """\
What the console does, for the hospital's own programs: docs/howto/api.md.

Every answer that shows something is in the audit before it leaves, in the name of the token's
owner. What is decided here is carried out by the gateway at once, as soon as it runs. Errors are
application/problem+json (RFC 9457), and `detail` says what to do.
"""
_ALWAYS: Final = documented(400, 401, 403, 413, 422, 429, 503)


def build(rooms: Rooms, *, tokens: Tokens, limit: Limit) -> FastAPI:
    """Return the application, to be mounted at ``PREFIX``."""
    app = _routes()
    app.state.rooms = rooms
    app.add_middleware(Gate, tokens=tokens, limit=limit)
    described = text()

    @app.get(DOCUMENT, include_in_schema=False)
    def description() -> Response:
        return Response(described, media_type="application/json")

    return app


def mounted(app: FastAPI) -> Mount:
    """Return where it is in the console: whatever begins with ``PREFIX``, line feeds and all."""
    mount = Mount(PREFIX, app)
    # Starlette's own pattern ends at a line feed, and the console's pages would answer.
    mount.path_regex = re.compile(mount.path_regex.pattern, re.DOTALL)
    return mount


def text() -> str:
    """Return the description as it is served and kept in docs/api."""
    return json.dumps(describe(), indent=1, ensure_ascii=False) + "\n"


def describe() -> dict[str, Any]:
    """Return the API's description."""
    found = get_openapi(
        title="Wardseal",
        version="1",
        openapi_version="3.1.0",
        description=_ABOUT,
        routes=_routes().routes,
        servers=[{"url": PREFIX}],
    )
    schemas = found["components"]["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for model in (Fault, ProblemDetails):
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schema.pop("$defs", None)
        schemas[model.__name__] = schema
    return found


def _routes() -> FastAPI:
    app = FastAPI(
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    problems.install(app)
    for room in (photos, work, shares, evidence, bedside, holds):
        app.include_router(
            room.router,
            responses=_ALWAYS,
            dependencies=[Depends(SCHEME)],
            generate_unique_id_function=lambda route: route.name,
        )
    return app
