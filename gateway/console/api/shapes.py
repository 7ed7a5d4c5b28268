"""What the API answers. Times are ISO 8601 in UTC; a time no calendar knows is null.

Programs should not mind new fields: they may come at any time, as may new words in an enumeration
of states. What is here stays as it is within /api/v1.
"""

from datetime import UTC, date, datetime
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict


class Shape(BaseModel):
    """An answer, or a part of one."""

    model_config = ConfigDict(frozen=True)


S = TypeVar("S", bound=Shape)


class Me(Shape):
    """Whose token it is, what it opens, and until when."""

    token: str
    login: str
    name: str
    roles: list[str]
    opens: list[str]
    expires: datetime | None


class Listed(Shape):
    """One photo. ``reason``: why it is held or was rejected. ``width_mm``: with a label's scale."""

    id: str
    device: str
    state: str
    reason: str
    level: str
    basis: str
    attested: bool
    objection: str
    captured: datetime | None
    clock: str
    filed: datetime | None
    changed: datetime | None
    ward: str
    room: str
    bed: str
    label: str
    poor: bool
    width: int
    height: int
    width_mm: float | None


class Photos(Shape):
    """A page, the newest first. ``total`` stops at 10000; ``next``: the cursor of what is older."""

    photos: list[Listed]
    total: int
    next: str | None


class Filed(Shape):
    """How a photo stands in one record system under one assignment."""

    system: str
    assignment: int
    stands: str
    wanted: str
    reference: str | None
    filed: datetime | None
    attempts: int
    problem: str


class Step(Shape):
    """A line of a photo's story; ``proof``: SHA-256 of what was signed, where it was."""

    at: datetime | None
    who: str
    what: str
    detail: str
    proof: str


class Assigned(Shape):
    """To whom a photo was filed; the last one holds."""

    number: int
    patient: str | None
    encounter: str | None
    how: str
    by: str
    second: str
    reason: str
    at: datetime | None


class Move(Shape):
    """A photo's way to another patient."""

    id: int
    photo: str
    patient: str
    encounter: str | None
    reason: str
    by: str
    asked: datetime | None
    stands: str
    second: str
    decided: datetime | None


class SiteSaid(Shape):
    """What a person said that a photo shows."""

    code: str
    display: str
    side: str
    note: str
    by: str
    at: datetime | None
    told: str


class Objection(Shape):
    """An objection, and what governance made of it."""

    id: int
    on_device: bool
    said_by: str
    said: datetime | None
    words: str
    by: str
    stage: str
    decision: str
    reason: str
    law: str
    decided_by: str
    decided: datetime | None
    second: str


class Review(Shape):
    """A request to look at a photo; ``item`` is on the worklist."""

    id: int
    item: int
    by: str
    owner: str
    question: str
    asked: datetime | None
    status: str
    note: str


class Share(Shape):
    """A photo given to somebody outside. ``item``: somebody asks there for the copy's end."""

    id: int
    photo: str
    recipient: str
    reason: str
    by: str
    form: str
    digest: str
    at: datetime | None
    use: str
    revoked: datetime | None
    revoked_by: str
    revoked_why: str
    item: int | None
    answer: str


class Shares(Shape):
    """A page of shares, the newest first."""

    shares: list[Share]
    next: int | None


class Picture(Shape):
    """Whether the picture is shown to this token's owner, and why not."""

    shown: bool
    reason_needed: bool
    why: str


class Photo(Shape):
    """One photo and its whole story."""

    photo: Listed
    wording: str
    ledger: str
    entry: int
    picture: Picture
    filings: list[Filed]
    story: list[Step]
    assignments: list[Assigned]
    moves: list[Move]
    sites: list[SiteSaid]
    objections: list[Objection]
    reviews: list[Review]
    shares: list[Share]


class Patient(Shape):
    """One patient as the hospital has told us, and his photos, the newest first."""

    number: str
    family: str
    given: str
    born: str
    merged_into: str | None
    photos: list[Listed]
    next: str | None


class Item(Shape):
    """One thing that waits for a person."""

    id: int
    kind: str
    why: str
    device: str
    photo: str | None
    ward: str
    bed: str
    patient: str | None
    owner: str | None
    opened: datetime | None
    about: datetime | None
    escalated: datetime | None
    closed: datetime | None
    closed_by: str | None
    note: str


class Items(Shape):
    """A page of the worklist, the newest first."""

    items: list[Item]
    counts: dict[str, int]
    next: int | None


class Done(Shape):
    """What was done about an item."""

    at: datetime | None
    by: str
    what: str
    note: str


class ItemStory(Shape):
    """An item and its history, oldest first."""

    item: Item
    history: list[Done]


class Head(Shape):
    """How far the hospital has a ledger."""

    device: str
    ledger: str
    entries: int
    digest: str
    begun: datetime | None


class Ledger(Shape):
    """A ledger, verified from its first entry while it was asked for."""

    head: Head
    holds: bool
    problems: list[str]
    waiting: int
    public_key: str


class Line(Shape):
    """One entry in words; ``wrong``: what does not hold about it."""

    entry: int
    at: datetime | None
    clock: str
    type: str
    what: str
    digest: str
    wrong: str


class Lines(Shape):
    """Entries of a ledger; ``next``: ask for ``first`` from here on."""

    entries: list[Line]
    next: int | None


class Question(Shape):
    """A question of the audit."""

    name: str
    title: str
    why: str


class Finding(Shape):
    """One answer to a question."""

    at: datetime | None
    device: str
    what: str
    photo: str | None


class Answered(Shape):
    """A question with its answers, at most 500 of them."""

    question: Question
    found: list[Finding]


class Device(Shape):
    """A registered device and what it last said of itself."""

    id: str
    status: str
    note: str
    online: bool | None
    heard: datetime | None


class Webhook(Shape):
    """How it stands with a receiver of webhooks."""

    name: str
    waiting: int
    oldest: datetime | None
    delivered: datetime | None
    problem: str


class Hold(Shape):
    """A litigation hold on a photo or a patient; it holds while ``lifted`` is null."""

    id: int
    photo: str | None
    patient: str | None
    by: str
    reason: str
    at: datetime | None
    lifted_by: str | None
    lifted: datetime | None


class Looked(Shape):
    """Somebody looked at a photo; ``note``: why, if that was asked."""

    at: datetime | None
    name: str
    login: str
    what: str
    note: str


class WrongChart(Shape):
    """A chart that a photo was in by mistake, and who saw it there."""

    patient: str
    since: datetime | None
    until: datetime | None
    lookers: list[Looked]


class Behind(Shape):
    """A signed entry that stands behind an answer."""

    entry: int
    type: str


class Answer(Shape):
    """What is known of one photo. ``badge_proven``: the badge opens what the device signed."""

    photo: str
    device: str
    ledger: str
    at: datetime | None
    clock: str
    state: str
    objection: str
    level: str
    basis: str
    wording: str
    badge: str
    badge_proven: bool
    patient: str
    entries: list[Behind]
    looked: list[Looked]
    wrong_charts: list[WrongChart]
    shares: list[Share]


class Bedside(Shape):
    """The photos of one bed on one day, oldest first; ``more``: there are more than 200."""

    ward: str
    bed: str
    day: date
    photos: list[Answer]
    more: bool


class BodyPart(Shape):
    """A part of the body, coded in SNOMED CT."""

    code: str
    display: str


def at(ms: int | None) -> datetime | None:
    """Return a time in milliseconds since 1970 UTC as a moment."""
    if ms is None:
        return None
    try:
        return datetime.fromtimestamp(ms / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def of(shape: type[S], source: Any, **other: Any) -> S:
    """Fill a shape from an object's attributes; ``x_ms`` of the object becomes ``x``."""
    values = dict(other)
    for name in shape.model_fields:
        if name not in values:
            values[name] = (
                getattr(source, name)
                if hasattr(source, name)
                else at(getattr(source, f"{name}_ms"))
            )
    return shape(**values)
