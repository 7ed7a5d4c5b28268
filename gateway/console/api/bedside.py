"""One bed on one day: who photographed, with what attested, who looked, was it shared."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response

from gateway.console.api import shapes
from gateway.console.api.asked import BedAsked
from gateway.console.api.rooms import Caller, OfQuestions, Ours, Rooms
from gateway.console.api.shapes import of
from gateway.console.audit import What
from gateway.inquiry import Answer, Inquiry
from gateway.lookers import WrongChart

router: Final = APIRouter(tags=["audit"])
Asked = Annotated[BedAsked, Query()]
_ZIP: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}}
}


@router.get("/bedside")
def bedside(rooms: Ours, caller: OfQuestions, asked: Asked) -> shapes.Bedside:
    """Answer for one bed and one day, each signature behind it checked now."""
    found = _ask(rooms, caller, What.INQUIRY, asked)
    return shapes.Bedside(
        ward=found.ward,
        bed=found.bed,
        day=found.day,
        photos=[_answer(each) for each in found.answers],
        more=found.more,
    )


@router.get("/bedside/bundle", response_class=Response, responses=_ZIP)
def bundle(rooms: Ours, caller: OfQuestions, asked: Asked) -> Response:
    """Send the same as a ZIP file that verifies without the hospital."""
    found = _ask(rooms, caller, What.BUNDLE, asked)
    return Response(
        rooms.inquiries.bundle(found, by=caller.name),
        media_type="application/zip",
        headers={"Content-Disposition": 'attachment; filename="wardseal-inquiry.zip"'},
    )


def _ask(rooms: Rooms, caller: Caller, what: What, asked: BedAsked) -> Inquiry:
    caller.saw(what, f"ward={asked.ward or '*'} bed={asked.bed} day={asked.day}")
    return rooms.inquiries.ask(asked.ward, asked.bed, asked.day)


def _answer(answer: Answer) -> shapes.Answer:
    return of(
        shapes.Answer,
        answer,
        badge_proven=answer.proven,
        entries=[shapes.Behind(entry=seq, type=kind) for seq, kind in answer.entries],
        looked=[of(shapes.Looked, each) for each in answer.looked],
        wrong_charts=[_chart(each) for each in answer.wrong_charts],
        shares=[of(shapes.Share, each) for each in answer.shares],
    )


def _chart(chart: WrongChart) -> shapes.WrongChart:
    return of(
        shapes.WrongChart,
        chart,
        since=shapes.at(chart.from_ms),
        until=shapes.at(chart.to_ms),
        lookers=[of(shapes.Looked, each) for each in chart.lookers],
    )
