"""What governance and fleet ask for: ledgers, audit questions, devices, webhooks."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import StringConstraints

from gateway.console.api import shapes
from gateway.console.api.asked import EntriesAsked
from gateway.console.api.problems import Problem, documented
from gateway.console.api.rooms import Anybody, OfDevices, OfLedgers, OfQuestions, Ours, Rooms
from gateway.console.api.shapes import at, of
from gateway.console.audit import What
from gateway.console.ledgers import PAGE, Head
from gateway.console.questions import Question
from gateway.console.roles import areas_of

router: Final = APIRouter()
DeviceId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,32}$")]
LedgerId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
_NONE: Final = documented(404)
_FILE: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    },
    **_NONE,
}


@router.get("/me", tags=["token"])
def me(caller: Anybody) -> shapes.Me:
    """Tell whose token this is, what it opens, and until when."""
    return shapes.Me(
        token=caller.token.label,
        login=caller.person.login,
        name=caller.person.name,
        roles=sorted(caller.person.roles),
        opens=[area.value for area in areas_of(caller.person.roles)],
        expires=at(caller.token.expires_ms),
    )


@router.get("/ledgers", tags=["ledgers"])
def ledgers(rooms: Ours, caller: OfLedgers) -> list[shapes.Head]:
    """List the ledgers that the hospital has."""
    caller.saw(What.LEDGERS, "all")
    return [of(shapes.Head, head) for head in rooms.ledgers.heads()]


@router.get("/ledgers/{device}/{ledger}", tags=["ledgers"], responses=_NONE)
def one_ledger(rooms: Ours, caller: OfLedgers, device: DeviceId, ledger: LedgerId) -> shapes.Ledger:
    """Verify a whole ledger now."""
    head = _head(rooms, device, ledger)
    caller.saw(What.LEDGER, f"{device} {ledger}")
    verdict = rooms.ledgers.verify(head)
    key = next((each.key for each in rooms.devices() if each.id == device), None)
    return shapes.Ledger(
        head=of(shapes.Head, head),
        holds=not verdict.problems,
        problems=list(verdict.problems),
        waiting=rooms.ledgers.count_unchained(head),
        public_key=key.encode().hex() if key else "",
    )


@router.get("/ledgers/{device}/{ledger}/entries", tags=["ledgers"], responses=_NONE)
def entries(
    rooms: Ours,
    caller: OfLedgers,
    device: DeviceId,
    ledger: LedgerId,
    asked: Annotated[EntriesAsked, Query()],
) -> shapes.Lines:
    """Tell entries in words, 200 at a time, each signature checked now."""
    head = _head(rooms, device, ledger)
    caller.saw(What.LEDGER, f"{device} {ledger} from {asked.first}")
    lines = rooms.ledgers.lines(head, asked.first) if asked.first < head.entries else []
    after = asked.first + PAGE
    return shapes.Lines(
        entries=[of(shapes.Line, line, entry=line.seq, clock=line.trust) for line in lines],
        next=after if after < head.entries else None,
    )


@router.get(
    "/ledgers/{device}/{ledger}/file",
    tags=["ledgers"],
    response_class=StreamingResponse,
    responses=_FILE,
)
def ledger_file(
    rooms: Ours, caller: OfLedgers, device: DeviceId, ledger: LedgerId
) -> StreamingResponse:
    """Send a ledger as a file for `wardseal ledger verify`."""
    head = _head(rooms, device, ledger)
    caller.saw(What.LEDGER_FILE, f"{device} {ledger}")
    return StreamingResponse(rooms.ledgers.file(head), media_type="application/octet-stream")


@router.get("/questions", tags=["audit"])
def questions(rooms: Ours, caller: OfQuestions) -> list[shapes.Question]:
    """List the questions of the audit."""
    caller.saw(What.QUESTIONS, "all")
    return [of(shapes.Question, each) for each in rooms.questions.all]


@router.get("/questions/{name}", tags=["audit"], responses=_NONE)
def answers(rooms: Ours, caller: OfQuestions, name: DeviceId) -> shapes.Answered:
    """Ask one of them."""
    question: Question | None = rooms.questions.named(name)
    if question is None:
        raise Problem(404, "There is no such question; /questions lists those that there are.")
    caller.saw(What.QUESTIONS, name)
    return shapes.Answered(
        question=of(shapes.Question, question),
        found=[
            of(shapes.Finding, row, photo=row.photo or None)
            for row in rooms.questions.answer(question)
        ],
    )


@router.get("/devices", tags=["devices"])
def devices(rooms: Ours, caller: OfDevices) -> list[shapes.Device]:
    """List the registered devices and what each last said of itself."""
    caller.saw(What.DEVICES, "all")
    seen = rooms.photos.presences()
    return [
        of(
            shapes.Device,
            device,
            online=seen[device.id].online if device.id in seen else None,
            heard=at(seen[device.id].at_ms) if device.id in seen else None,
        )
        for device in rooms.devices()
    ]


@router.get("/webhooks", tags=["devices"])
def webhooks(rooms: Ours, caller: OfDevices) -> list[shapes.Webhook]:
    """Tell how it stands with the receivers of webhooks."""
    caller.saw(What.DEVICES, "webhooks")
    return [of(shapes.Webhook, hook) for hook in rooms.photos.hooks()]


def _head(rooms: Rooms, device: str, ledger: str) -> Head:
    head = rooms.ledgers.head(device, ledger)
    if head is None:
        raise Problem(404, "There is no such ledger; /ledgers lists those that there are.")
    return head
