"""What went wrong, as ``application/problem+json`` (RFC 9457), in words that say what to do."""

import logging
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from base.errors import WardsealError
from gateway.console.places import place_of
from gateway.worklist_desk import NotDone

log = logging.getLogger(__name__)

MEDIA: Final = "application/problem+json"
_URN: Final = "urn:wardseal:problem:"
_LONGEST: Final = 200
KINDS: Final = {
    400: ("bad-request", "The request cannot be read"),
    401: ("no-token", "A token is needed"),
    403: ("not-allowed", "Not allowed"),
    404: ("not-found", "There is no such thing"),
    405: ("no-such-method", "This address does not do that"),
    409: ("not-done", "It was not done"),
    413: ("too-large", "The request is too large"),
    422: ("not-understood", "Something in the request is not as it must be"),
    429: ("too-many", "Too many requests at once"),
    503: ("not-now", "It cannot be done now"),
}


class Fault(BaseModel):
    """One thing that is wrong in a request: where, such as ``query.day``, and what."""

    where: str
    what: str


class ProblemDetails(BaseModel):
    """RFC 9457. ``detail`` says what to do; ``type`` is for programs to branch on."""

    type: str = Field(examples=["urn:wardseal:problem:not-done"])
    title: str
    status: int
    detail: str
    errors: list[Fault] = Field(default_factory=list)


class Problem(Exception):
    """Ends a request. ``kind`` tells problems of one status apart."""

    def __init__(
        self, status: int, detail: str, *, kind: str = "", headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.kind = kind
        self.headers = headers


def answer(
    status: int,
    detail: str,
    *,
    kind: str = "",
    errors: list[Fault] | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """Return a problem as it is sent."""
    usual, title = KINDS.get(status, ("http", "It was not done"))
    details = ProblemDetails(
        type=f"{_URN}{kind or usual}",
        title=title,
        status=status,
        detail=detail,
        errors=errors or [],
    )
    return JSONResponse(details.model_dump(), status, headers=headers, media_type=MEDIA)


def unavailable(place: str, error: Exception) -> JSONResponse:
    """Say that it is not the caller's fault, and to the log whose it is."""
    log.error("%s: %s", place, error)
    words = "Try again in a minute; the gateway's administrator sees why in the console's log."
    return answer(503, words, headers={"Retry-After": "60"})


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return how these statuses stand in the API's description."""
    schema = {"$ref": f"#/components/schemas/{ProblemDetails.__name__}"}
    return {
        status: {"description": KINDS[status][1], "content": {MEDIA: {"schema": schema}}}
        for status in statuses
    }


def install(app: FastAPI) -> None:
    """Have every way to fail end in such an answer."""

    def problem(_request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return answer(error.status, error.detail, kind=error.kind, headers=error.headers)

    def not_done(_request: Request, error: Exception) -> Response:
        text = str(error)
        return answer(409, f"{text[0].upper()}{text[1:]}.")

    def not_understood(_request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        faults = [
            Fault(where=".".join(map(str, one["loc"]))[:_LONGEST], what=one["msg"][:_LONGEST])
            for one in error.errors()
        ]
        words = (
            "Mend what errors name, and send it again; /api/v1/openapi.json says what is allowed."
        )
        return answer(422, words, errors=faults)

    def http(_request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        words = {
            400: "Send one JSON object in UTF-8.",
            404: "Look the address up in /api/v1/openapi.json.",
            405: "The Allow header names what this address does.",
        }
        headers = dict(error.headers or {})
        return answer(
            error.status_code, words.get(error.status_code, error.detail), headers=headers
        )

    def fault(request: Request, error: Exception) -> Response:
        return unavailable(place_of(request), error)

    app.add_exception_handler(Problem, problem)
    app.add_exception_handler(NotDone, not_done)
    app.add_exception_handler(RequestValidationError, not_understood)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(WardsealError, fault)
