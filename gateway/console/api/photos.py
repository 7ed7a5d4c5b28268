"""Photos: found, looked at, and what people say and decide of them."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from fastapi.responses import FileResponse

from gateway import body
from gateway.console.api import shapes
from gateway.console.api.asked import (
    Answer,
    Asking,
    Deciding,
    Name,
    Number,
    Objecting,
    PhotoId,
    PhotosAsked,
    Reason,
    Site,
    Whose,
)
from gateway.console.api.problems import Problem, documented
from gateway.console.api.rooms import Anybody, Caller, OfDecisions, OfPhotos, Ours, Rooms
from gateway.console.api.shapes import of
from gateway.console.audit import What
from gateway.finding import Wanted
from gateway.identity.tables import PatientRow
from gateway.series import width_mm
from gateway.tables import Photo

router: Final = APIRouter(tags=["photos"])
_NONE: Final = documented(404)
_REFUSED: Final = documented(404, 409)
_JPEG: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}},
    **documented(404),
}


@router.get("/photos")
def find_photos(
    rooms: Ours, caller: OfPhotos, asked: Annotated[PhotosAsked, Query()]
) -> shapes.Photos:
    """Find photos, the newest first."""
    first, last = (asked.day, asked.day) if asked.day else (asked.first, asked.last)
    if first and last and first > last:
        raise Problem(422, "Let first be the earlier day; day stands alone.")
    wanted = Wanted(
        first,
        last,
        ward=asked.ward,
        bed=asked.bed,
        device=asked.device,
        level=asked.level or "",
        state=asked.state or "",
        patient=asked.patient,
        older=asked.cursor or "",
    )
    caller.saw(What.LIST, wanted.words())
    found = rooms.finder.page(wanted, size=asked.limit)
    return shapes.Photos(
        photos=[listed(row) for row in found.photos], total=found.total, next=found.older or None
    )


@router.get("/photos/{photo}", responses=_NONE)
def one_photo(rooms: Ours, caller: OfPhotos, photo: PhotoId) -> shapes.Photo:
    """Tell one photo and its whole story."""
    caller.saw(What.PHOTO, photo)
    story = rooms.photos.story(photo)
    if story is None:
        raise _no_photo()
    row, closed = _row(rooms, photo), rooms.access.closed(caller.person, photo)
    here = rooms.lightbox.picture(photo).is_file()
    why = closed.why if closed else "" if here else "It is not here any more; the record has it."
    return shapes.Photo(
        photo=listed(row),
        wording=story.wording,
        ledger=story.ledger,
        entry=story.seq,
        picture=shapes.Picture(
            shown=not why, reason_needed=closed is not None and closed.reason, why=why
        ),
        filings=[of(shapes.Filed, f, system=f.sink, stands=f.stand) for f in story.filings],
        story=[of(shapes.Step, step) for step in story.steps],
        assignments=[of(shapes.Assigned, one) for one in rooms.cases.assignments(photo)],
        moves=[_move(one) for one in rooms.cases.moves(photo)],
        sites=[of(shapes.SiteSaid, one) for one in rooms.sites.history(photo)],
        objections=[_objection(one) for one in rooms.objections.of(photo)],
        reviews=[of(shapes.Review, one) for one in rooms.reviews.of(photo)],
        shares=[of(shapes.Share, one) for one in rooms.shares.of(photo)],
    )


@router.get("/photos/{photo}/picture", response_class=FileResponse, responses=_JPEG)
def picture(rooms: Ours, caller: OfPhotos, photo: PhotoId) -> FileResponse:
    """Send the photo itself, as the device took it. After an objection give a reason first."""
    return _picture(rooms, caller, photo, small=False)


@router.get("/photos/{photo}/small", response_class=FileResponse, responses=_JPEG)
def small(rooms: Ours, caller: OfPhotos, photo: PhotoId) -> FileResponse:
    """Send a small picture, for lists."""
    return _picture(rooms, caller, photo, small=True)


@router.post("/photos/{photo}/reason", status_code=204, responses=_NONE)
def give_reason(rooms: Ours, caller: OfPhotos, photo: PhotoId, said: Reason) -> None:
    """Say why a photo must be seen after an objection; it is shown for fifteen minutes."""
    _row(rooms, photo)
    caller.saw(What.REASON, photo, said.reason)


@router.post("/photos/{photo}/resolve", status_code=204, responses=_REFUSED)
def resolve(rooms: Ours, caller: OfPhotos, photo: PhotoId, said: Whose) -> None:
    """Say whose a HELD photo is. The gateway files it at once: `photo.filed`."""
    _row(rooms, photo)
    with caller.doing(What.RESOLVED, photo):
        rooms.cases.resolve(
            photo,
            patient=said.patient,
            encounter=said.encounter,
            by=caller.name,
            reason=said.reason,
        )


@router.post("/photos/{photo}/moves", status_code=201, responses=_REFUSED)
def ask_to_move(rooms: Ours, caller: OfPhotos, photo: PhotoId, said: Whose) -> shapes.Move:
    """Ask for a filed photo to be moved to another patient; a second person decides."""
    _row(rooms, photo)
    with caller.doing(What.MOVE_ASKED, photo):
        move = rooms.cases.ask_to_move(
            photo,
            patient=said.patient,
            encounter=said.encounter,
            by=caller.name,
            reason=said.reason,
        )
    return _move(move)


@router.post("/photos/{photo}/moves/{move}/decision", responses=_REFUSED)
def decide_move(
    rooms: Ours, caller: OfPhotos, photo: PhotoId, move: Number, said: Answer
) -> shapes.Move:
    """Confirm or refuse a move, as another person than who asked for it."""
    if move not in [one.id for one in rooms.cases.moves(photo)]:
        raise Problem(404, "This photo has no such move; the photo itself lists them.")
    with caller.doing(What.MOVE_DECIDED, photo):
        decided = rooms.cases.decide(move, confirm=said.confirm, second=caller.name)
    return _move(decided)


@router.post("/photos/{photo}/sites", status_code=201, responses=_REFUSED)
def say_site(rooms: Ours, caller: OfPhotos, photo: PhotoId, said: Site) -> shapes.SiteSaid:
    """Say which part of the body a photo shows, on which side, and what is worth noting."""
    _row(rooms, photo)
    with caller.doing(What.SITE, photo):
        made = rooms.sites.say(
            photo, code=said.code, side=said.side, note=said.note, by=caller.name
        )
    return of(shapes.SiteSaid, made)


@router.post("/photos/{photo}/objections", status_code=201, responses=_REFUSED)
def enter_objection(
    rooms: Ours, caller: OfPhotos, photo: PhotoId, said: Objecting
) -> shapes.Objection:
    """Enter that the patient objected: it withdraws consent, as UNDO on the device does."""
    _row(rooms, photo)
    with caller.doing(What.OBJECTION, photo):
        made = rooms.objections.object(
            photo,
            said_by=said.said_by,
            said_ms=int(said.said.timestamp() * 1000),
            words=said.words,
            by=caller.name,
        )
    return _objection(made)


@router.post("/photos/{photo}/objections/{objection}/decision", responses=_REFUSED)
def decide_objection(
    rooms: Ours, caller: OfDecisions, photo: PhotoId, objection: Number, said: Deciding
) -> shapes.Objection:
    """Decide what becomes of a photo whose patient objected. Erasing waits for a second person."""
    _of_photo(rooms, photo, objection)
    with caller.doing(What.DECISION, photo):
        made = rooms.objections.decide(
            objection, said.decision, reason=said.reason, by=caller.name, law=said.law
        )
    return _objection(made)


@router.post("/photos/{photo}/objections/{objection}/erasure", responses=_REFUSED)
def confirm_erasure(
    rooms: Ours, caller: OfDecisions, photo: PhotoId, objection: Number, said: Answer
) -> shapes.Objection:
    """Confirm or refuse an erasure, as another person than who asked for it."""
    _of_photo(rooms, photo, objection)
    with caller.doing(What.DECISION, photo):
        made = rooms.objections.confirm(objection, confirm=said.confirm, second=caller.name)
    return _objection(made)


@router.post("/photos/{photo}/reviews", status_code=201, responses=_REFUSED)
def ask_for_review(rooms: Ours, caller: OfPhotos, photo: PhotoId, said: Asking) -> shapes.Review:
    """Ask somebody to look at a filed photo."""
    _row(rooms, photo)
    with caller.doing(What.REVIEW, photo):
        made = rooms.reviews.ask(photo, owner=said.owner, question=said.question, by=caller.name)
    return of(shapes.Review, made)


@router.post("/photos/{photo}/reviews/{review}/revocation", responses=_REFUSED)
def revoke_review(
    rooms: Ours, caller: OfPhotos, photo: PhotoId, review: Number, said: Reason
) -> shapes.Review:
    """Take a request back."""
    if review not in [one.id for one in rooms.reviews.of(photo)]:
        raise Problem(404, "This photo has no such request; the photo itself lists them.")
    with caller.doing(What.REVIEW, photo):
        made = rooms.reviews.revoke(review, by=caller.name, note=said.reason)
    return of(shapes.Review, made)


@router.get("/patients/{number}", responses=_NONE)
def patient(rooms: Ours, caller: OfPhotos, number: Name) -> shapes.Patient:
    """Tell a patient, and his newest photos; /photos?patient= goes on from there."""
    caller.saw(What.PATIENT, number)
    with rooms.store.read() as session:
        row = session.get(PatientRow, number)
    if row is None:
        raise Problem(404, "The hospital has told us of no patient with this number.")
    found = rooms.finder.page(Wanted(patient=number))
    photos = [listed(each) for each in found.photos]
    return of(shapes.Patient, row, photos=photos, next=found.older or None)


@router.get("/body-parts")
def body_parts(_caller: Anybody) -> list[shapes.BodyPart]:
    """List the parts of the body that a photo may show."""
    return [of(shapes.BodyPart, part) for part in body.PARTS]


def listed(row: Photo) -> shapes.Listed:
    """Return a photo as it stands in a list."""
    return of(shapes.Listed, row, id=row.photo, width_mm=width_mm(row))


def _picture(rooms: Rooms, caller: Caller, photo: str, *, small: bool) -> FileResponse:
    if closed := rooms.access.closed(caller.person, photo):
        kind = "reason-needed" if closed.reason else ""
        how = " POST it to reason beside this address." if closed.reason else ""
        raise Problem(403, closed.why + how, kind=kind)
    path = rooms.lightbox.small(photo) if small else rooms.lightbox.picture(photo)
    caller.saw(What.PICTURE, photo)
    if not path.is_file():
        raise Problem(404, "This picture is not here any more, or never was; the record has it.")
    return FileResponse(path, media_type="image/jpeg")


def _row(rooms: Rooms, photo: str) -> Photo:
    with rooms.store.read() as session:
        row = session.get(Photo, photo)
    if row is None:
        raise _no_photo()
    return row


def _of_photo(rooms: Rooms, photo: str, objection: int) -> None:
    if objection not in [one.id for one in rooms.objections.of(photo)]:
        raise Problem(404, "This photo has no such objection; the photo itself lists them.")


def _no_photo() -> Problem:
    return Problem(404, "There is no such photo; /photos lists those that there are.")


def _move(move: Any) -> shapes.Move:
    return of(shapes.Move, move, stands=move.stand.value)


def _objection(objection: Any) -> shapes.Objection:
    return of(shapes.Objection, objection, on_device=objection.device)
