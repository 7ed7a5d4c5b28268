"""A photo's life after CAPTURE, as far as the nurse may be told of it.

A photo is TAKEN when CAPTURE was accepted, SEALED when its envelope is on the ledger, then
held back for a few seconds so that UNDO can mean "never sent", then RELEASED, SENT, and at
last FILED or HELD on the hospital's signed word. ``LIFE`` below is that whole life; a report
that it does not list for a photo's stage changes nothing, so that reports may come late,
twice or in any order and the screen still never goes back behind what is proven.

UNDO is a wish beside the stage. A sealed photo that was not released is wiped; a released one
stays "undo sent" until the hospital has acknowledged it, whatever arrives first.

Pure. Times are monotonic nanoseconds.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from appliance import signals
from appliance.hands import SECOND
from appliance.signals import Effect

UNDO_OFFERED: Final = 300 * SECOND
MOST_IN_DARKROOM: Final = 8
MOST_REMEMBERED: Final = 200


class Stage(StrEnum):
    """How far a photo has come; each is shown only when it is true."""

    TAKEN = "TAKEN"
    SEALED = "SEALED"
    RELEASED = "RELEASED"
    SENT = "SENT"
    FILED = "FILED"
    HELD = "HELD"
    REJECTED = "REJECTED"
    UNDONE = "UNDONE"
    LOST = "LOST"


PhotoEvent = (
    signals.Sealed
    | signals.LostPhoto
    | signals.Released
    | signals.Sent
    | signals.Filed
    | signals.Held
    | signals.Rejected
    | signals.Undone
)

_TOLD: Final[dict[Stage, tuple[type[PhotoEvent], ...]]] = {
    Stage.SEALED: (signals.Sealed,),
    Stage.RELEASED: (signals.Released,),
    Stage.SENT: (signals.Sent,),
    Stage.FILED: (signals.Filed,),
    Stage.HELD: (signals.Held,),
    Stage.REJECTED: (signals.Rejected,),
    Stage.UNDONE: (signals.Undone,),
    Stage.LOST: (signals.LostPhoto,),
}

_RECEIPT: Final = (Stage.FILED, Stage.HELD, Stage.REJECTED, Stage.UNDONE)

LIFE: Final[dict[Stage, tuple[Stage, ...]]] = {
    Stage.TAKEN: (Stage.SEALED, Stage.LOST),
    Stage.SEALED: (Stage.RELEASED, Stage.SENT, *_RECEIPT, Stage.LOST),
    Stage.RELEASED: (Stage.SENT, *_RECEIPT, Stage.LOST),
    Stage.SENT: (*_RECEIPT, Stage.LOST),
    Stage.HELD: (Stage.FILED, Stage.UNDONE),
    Stage.FILED: (Stage.UNDONE,),
    Stage.REJECTED: (Stage.FILED, Stage.HELD, Stage.UNDONE),
    # What was lost here may have reached the hospital whole before the power went.
    Stage.LOST: (Stage.FILED, Stage.HELD),
    Stage.UNDONE: (),
}


@dataclass(frozen=True, slots=True)
class Photo:
    """One photo: its number, the window it was taken in, and how far it has come.

    ``nth`` counts within the window. ``due`` is when a sealed photo is released. ``undo`` is
    the nurse's wish, on offer until ``kept_until`` (None: the window is open). ``changed`` is
    when the stage was reached, ``when_ms`` the hospital's wall time.
    """

    n: int
    window: int
    nth: int
    taken: int
    stage: Stage = Stage.TAKEN
    changed: int = 0
    poor: tuple[str, ...] = ()
    undo: bool = False
    due: int | None = None
    kept_until: int | None = None
    when_ms: int = 0

    @property
    def settled(self) -> bool:
        """Nothing more is awaited, and nothing more need be shown."""
        if self.undo:
            return self.stage in (Stage.UNDONE, Stage.LOST)
        return self.stage in (*_RECEIPT, Stage.LOST)

    @property
    def undoable(self) -> bool:
        return not self.undo and self.stage not in (Stage.LOST, Stage.UNDONE)


def tell(photo: Photo, event: PhotoEvent, hold: int) -> tuple[Photo, tuple[Effect, ...]]:
    """Take in a report about this photo; ``hold`` is how long a sealed photo is held back."""
    stage = next((to for to in LIFE[photo.stage] if isinstance(event, _TOLD[to])), None)
    if stage is None:
        return photo, ()
    due = event.at + hold if stage is Stage.SEALED else None
    when = event.when_ms if isinstance(event, signals.Filed | signals.Held) else photo.when_ms
    after = replace(photo, stage=stage, changed=event.at, due=due, when_ms=when)
    if stage is Stage.SEALED and (photo.undo or hold <= 0):
        return release(after)
    return after, ()


def release(photo: Photo) -> tuple[Photo, tuple[Effect, ...]]:
    """Let a sealed photo go: into the outbox, or, when it is to be undone, nowhere."""
    after = replace(photo, due=None)
    if photo.undo:
        return after, (signals.WipeUnsent(photo.n),)
    return after, (signals.Release(photo.n),)


def undo(
    photos: tuple[Photo, ...], ns: tuple[int, ...]
) -> tuple[tuple[Photo, ...], tuple[Effect, ...]]:
    """Wish photos ``ns`` undone: logged first, then those that are still here are wiped."""
    effects: list[Effect] = [signals.LogUndo(ns)]
    after = []
    for photo in photos:
        changed = photo
        if photo.n in ns:
            changed = replace(photo, undo=True)
            # With its timer gone a sealed photo has been let go already.
            if photo.stage is Stage.SEALED and photo.due is not None:
                changed, more = release(changed)
                effects += more
        after.append(changed)
    return tuple(after), tuple(effects)


def undoable(photos: Iterable[Photo], window: int) -> tuple[int, ...]:
    """Return the numbers of the photos of ``window`` that can still be undone, oldest first."""
    return tuple(photo.n for photo in photos if photo.window == window and photo.undoable)


def in_darkroom(photos: Iterable[Photo]) -> int:
    """Return how many photos were taken and are not yet sealed."""
    return sum(photo.stage is Stage.TAKEN for photo in photos)


def unsettled(photos: Iterable[Photo]) -> tuple[Photo, ...]:
    """Return the photos of which something is still awaited."""
    return tuple(photo for photo in photos if not photo.settled)


def shut(photos: Iterable[Photo], at: int) -> tuple[Photo, ...]:
    """Return the photos after their window closed at ``at``: undo is offered for a while."""
    return tuple(
        replace(photo, kept_until=at + UNDO_OFFERED) if photo.kept_until is None else photo
        for photo in photos
    )
