"""Litigation holds: listed, set, lifted."""

from typing import Annotated, Final

from fastapi import APIRouter, Query

from gateway.console.api import shapes
from gateway.console.api.asked import Holding, HoldsAsked, Number, Reason
from gateway.console.api.problems import documented
from gateway.console.api.rooms import OfDecisions, Ours
from gateway.console.api.shapes import of
from gateway.console.audit import What

router: Final = APIRouter(tags=["holds"])


@router.get("/holds")
def holds(
    rooms: Ours, caller: OfDecisions, asked: Annotated[HoldsAsked, Query()]
) -> list[shapes.Hold]:
    """List the holds that hold, the newest first; with `lifted` the others, too."""
    caller.saw(What.HOLDS, "all")
    return [of(shapes.Hold, hold) for hold in rooms.holds.holds(lifted=asked.lifted)]


@router.post("/holds", status_code=201, responses=documented(409))
def hold(rooms: Ours, caller: OfDecisions, said: Holding) -> shapes.Hold:
    """Keep a photo, or everything of a patient, until the hold is lifted."""
    made = rooms.holds.hold(
        photo=said.photo, patient=said.patient, by=caller.name, reason=said.reason
    )
    caller.saw(What.HOLD, said.photo or said.patient or "")
    return of(shapes.Hold, made)


@router.post("/holds/{number}/lifting", responses=documented(409))
def lift_hold(rooms: Ours, caller: OfDecisions, number: Number, said: Reason) -> shapes.Hold:
    """End a hold; the reason stays with it."""
    lifted = rooms.holds.lift(number, by=caller.name, reason=said.reason)
    caller.saw(What.HOLD, lifted.photo or lifted.patient or "")
    return of(shapes.Hold, lifted)
