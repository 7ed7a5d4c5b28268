"""What requests and forms say, read in one way by every page."""

import re
from datetime import date
from typing import Final

from starlette.datastructures import FormData
from starlette.requests import Request

from base.errors import WardsealError
from gateway.console.visits import Problem

LONGEST: Final = 1000
_PHOTO: Final = re.compile(r"[0-9a-f]{64}\Z")


def photo_of(request: Request) -> str:
    """Return the photo (hex) that a path names. Raises Problem."""
    photo = str(request.path_params["photo"])
    if not _PHOTO.match(photo):
        raise Problem(404, "There is no such photo.")
    return photo


def field(form: FormData, name: str) -> str:
    """Return what was typed into a field, at most ``LONGEST`` characters; empty if nothing was."""
    return str(form.get(name, "")).strip()[:LONGEST]


def day_of(text: str) -> date | None:
    """Return a day as browsers send it; None if there is none. Raises Problem."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as e:
        raise Problem(400, "The day must be like 2026-11-25.") from e


def sentence(error: WardsealError) -> str:
    """Return what cannot be done as a sentence."""
    text = str(error)
    return f"{text[0].upper()}{text[1:]}."
