"""The worklist: what waits for a person, and what a named person does about it."""

from typing import Annotated, Final

from fastapi import APIRouter, Query

from gateway.console.api import shapes
from gateway.console.api.asked import Assignment, Closing, ItemsAsked, Number
from gateway.console.api.problems import Problem, documented
from gateway.console.api.rooms import OfWorklist, Ours, Rooms
from gateway.console.api.shapes import of
from gateway.console.audit import What
from gateway.console.work import about, decides
from gateway.worklist_desk import Filter, Item, NotDone

router: Final = APIRouter(tags=["worklist"])
_REFUSED: Final = documented(404, 409)


@router.get("/worklist")
def find_items(
    rooms: Ours, caller: OfWorklist, asked: Annotated[ItemsAsked, Query()]
) -> shapes.Items:
    """Find items, the newest first; ``counts`` are of all open ones."""
    which = Filter(
        kinds=(asked.kind,) if asked.kind else (),
        ward=asked.ward,
        owner=asked.owner,
        open=asked.open,
    )
    said = asked.model_dump(exclude_defaults=True, mode="json")
    caller.saw(What.WORKLIST, " ".join(f"{name}={value}" for name, value in said.items()))
    items = rooms.worklist.items(which, limit=asked.limit, before=asked.cursor)
    return shapes.Items(
        items=[_item(item) for item in items],
        counts={kind.value: number for kind, number in rooms.worklist.counts().items()},
        next=items[-1].id if len(items) == asked.limit else None,
    )


@router.get("/worklist/{item}", responses=documented(404))
def one_item(rooms: Ours, caller: OfWorklist, item: Number) -> shapes.ItemStory:
    """Tell one item and its history."""
    found = _find(rooms, item)
    caller.saw(What.WORKLIST, about(found))
    history = [of(shapes.Done, step) for step in rooms.worklist.history(item)]
    return shapes.ItemStory(item=_item(found), history=history)


@router.post("/worklist/{item}/assignment", responses=_REFUSED)
def assign(rooms: Ours, caller: OfWorklist, item: Number, said: Assignment) -> shapes.Item:
    """Take an item, or hand it over."""
    found = _find(rooms, item)
    owner = said.owner or caller.name
    with caller.doing(What.ASSIGNED, about(found)):
        done = rooms.worklist.assign(item, owner, by=caller.name, note=said.note)
    return _item(done)


@router.post("/worklist/{item}/closing", responses=_REFUSED)
def close(rooms: Ours, caller: OfWorklist, item: Number, said: Closing) -> shapes.Item:
    """End an item, with a note that says how. An alarm is for governance to close; an objection
    ends as it is decided.
    """
    found = _find(rooms, item)
    with caller.doing(What.CLOSED, about(found)):
        done = rooms.worklist.close(
            item, by=caller.name, note=said.note, governance=decides(caller.person)
        )
    return _item(done)


def _find(rooms: Rooms, item: int) -> Item:
    try:
        return rooms.worklist.get(item)
    except NotDone as e:
        raise Problem(404, "There is no such item; /worklist lists those that there are.") from e


def _item(item: Item) -> shapes.Item:
    return of(shapes.Item, item, kind=item.kind.value)
