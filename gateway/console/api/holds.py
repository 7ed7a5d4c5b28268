"""Litigation holds: listed, set, lifted."""

from typing import Annotated, Final

from fastapi import APIRouter, Query

from gateway.console.api import shapes
from gateway.console.api.asked import HoldsAsked, Name, Number, PhotoId, Reason
from gateway.console.api.problems import documented
from gateway.console.api.rooms import OfDecisions, Ours
from gateway.console.api.shapes import of
from gateway.console.audit import What
from gateway.retention import kept_by

router: Final = APIRouter(tags=["holds"])


@router.get("/holds")
def holds(
    rooms: Ours, caller: OfDecisions, asked: Annotated[HoldsAsked, Query()]
) -> list[shapes.Hold]:
    """List the holds that hold, the newest first; with `lifted` the others, too."""
    caller.saw(What.HOLDS, "all")
    return [of(shapes.Hold, hold) for hold in rooms.holds.holds(lifted=asked.lifted)]


@router.post("/photos/{photo}/holds", status_code=201, responses=documented(409))
def hold_photo(rooms: Ours, caller: OfDecisions, photo: PhotoId, said: Reason) -> shapes.Hold:
    """Keep a photo until the hold is lifted."""
    with caller.doing(What.HOLD, photo):
        made = rooms.holds.hold(photo=photo, by=caller.name, reason=said.reason)
    return of(shapes.Hold, made)


@router.post("/patients/{number}/holds", status_code=201, responses=documented(409))
def hold_patient(rooms: Ours, caller: OfDecisions, number: Name, said: Reason) -> shapes.Hold:
    """Keep everything of a patient until the hold is lifted."""
    with caller.doing(What.HOLD, number):
        made = rooms.holds.hold(patient=number, by=caller.name, reason=said.reason)
    return of(shapes.Hold, made)


@router.post("/holds/{hold}/lifting", responses=documented(409))
def lift_hold(rooms: Ours, caller: OfDecisions, hold: Number, said: Reason) -> shapes.Hold:
    """End a hold; the reason stays with it."""
    with caller.doing(What.HOLD, lambda session: kept_by(session, hold)):
        lifted = rooms.holds.lift(hold, by=caller.name, reason=said.reason)
    return of(shapes.Hold, lifted)
