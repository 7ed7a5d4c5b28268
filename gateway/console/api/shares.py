"""What was given to people outside: looked up, and ended.

Making a share is left to the console: its pass-phrase is for a person's eyes, once.
"""

from typing import Annotated, Final

from fastapi import APIRouter, Query

from gateway.console.api import shapes
from gateway.console.api.asked import Number, Reason, SharesAsked
from gateway.console.api.problems import Problem, documented
from gateway.console.api.rooms import OfPhotos, OfShares, Ours
from gateway.console.api.shapes import of
from gateway.console.audit import What
from gateway.sharing.shares import Filter
from gateway.worklist_desk import NotDone

router: Final = APIRouter(tags=["shares"])


@router.get("/shares")
def find_shares(
    rooms: Ours, caller: OfShares, asked: Annotated[SharesAsked, Query()]
) -> shapes.Shares:
    """Find shares, the newest first."""
    which = Filter(
        recipient=asked.recipient,
        person=asked.person,
        photo=asked.photo or "",
        live=asked.live,
    )
    said = asked.model_dump(exclude_defaults=True, mode="json")
    caller.saw(What.SHARES, " ".join(f"{name}={value}" for name, value in said.items()))
    found = rooms.shares.find(which, limit=asked.limit, before=asked.cursor)
    return shapes.Shares(
        shares=[of(shapes.Share, share) for share in found],
        next=found[-1].id if len(found) == asked.limit else None,
    )


@router.post("/shares/{share}/revocation", responses=documented(404, 409))
def revoke_share(rooms: Ours, caller: OfPhotos, share: Number, said: Reason) -> shapes.Share:
    """End a share: its recipient is asked to destroy the copy."""
    try:
        photo = rooms.shares.get(share).photo
    except NotDone as e:
        raise Problem(404, "There is no such share; /shares lists those that there are.") from e
    with caller.doing(What.SHARE_ENDED, photo):
        ended = rooms.shares.revoke(share, by=caller.name, reason=said.reason)
    return of(shapes.Share, ended)
