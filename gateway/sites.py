"""A person says which part of the body a photo shows, on which side, and what is worth noting.

What was said is a row that is never changed; the last one holds. It closes what the worklist asks
for at once, in the name of who said it. The record systems get it as they get every correction:
the photo is filed anew under its next assignment number, to the same patient and with the site,
and only when that stands is the one before it replaced (gateway.filing.cabinet). So a record that
cannot be edited (a DICOM archive, an HL7 receiver) says the same as one that can.

That needs the sealed copy. Where it is gone already, what was said stands here and in the photo's
story, and an item on the worklist says that the record systems do not have it.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlalchemy import BigInteger, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from gateway import body, worklist
from gateway.filing.cabinet import Cabinet
from gateway.filing.record import FIRST
from gateway.identity.identify import current
from gateway.identity.tables import AssignmentRow
from gateway.receipts import clip
from gateway.store import Store
from gateway.tables import HASH, PERSON, Base, Photo, State, WorkKind
from gateway.vault import Vault
from gateway.worklist_desk import NotDone, end, named, open_items

log = logging.getLogger(__name__)

NOTE_LENGTH: Final = 500
_GONE: Final = (
    "its body site was said after the sealed copy had gone: the record systems must be told by hand"
)


class Told(StrEnum):
    """Whether the record systems know what was said."""

    WAITING = "waiting"
    DONE = "done"
    NOT_POSSIBLE = "not possible"


class BodySiteRow(Base):
    """What a person said of a photo. ``number``: the assignment that carries it, ``told``: Told."""

    __tablename__ = "body_sites"

    id: Mapped[int] = mapped_column(primary_key=True)
    photo: Mapped[str] = mapped_column(HASH, index=True)
    code: Mapped[str] = mapped_column(String(20))
    display: Mapped[str] = mapped_column(String(100))
    side: Mapped[str] = mapped_column(String(10))
    note: Mapped[str] = mapped_column(String(NOTE_LENGTH))
    by: Mapped[str] = mapped_column(PERSON)
    at_ms: Mapped[int] = mapped_column(BigInteger)
    told: Mapped[str] = mapped_column(String(16), index=True)
    number: Mapped[int | None]


@dataclass(frozen=True)
class Said:
    """One statement, as people see it."""

    photo: str
    code: str
    display: str
    side: str
    note: str
    by: str
    at_ms: int
    told: Told
    number: int | None

    @property
    def words(self) -> str:
        """Return ``left Heel``, or nothing where only a note was made."""
        return " ".join(word for word in (self.side, self.display) if word)


class Sites:
    """What console and API call; ``clock`` gives milliseconds since 1970 UTC."""

    def __init__(self, *, store: Store, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock

    def say(self, photo: str, *, code: str, side: str, note: str, by: str) -> Said:
        """Say what a photo shows. Raises NotDone.

        ``code`` is one of ``gateway.body``; empty leaves the site as it is and adds the note.
        """
        by, note = named(by), note.strip()
        part = body.part(code) if code else None
        if code and part is None:
            raise NotDone("there is no such part of the body in the list")
        if side not in body.SIDES:
            raise NotDone(f"the side is one of {', '.join(filter(None, body.SIDES))}, or empty")
        if part is None and (side or not note):
            raise NotDone("choose a part of the body, or write a note")
        if len(note) > NOTE_LENGTH:
            raise NotDone(f"a note has at most {NOTE_LENGTH} characters")
        with self._store.begin(rings=True) as session:
            row = session.get(Photo, photo, with_for_update=True)
            if row is None:
                raise NotDone("there is no such photo")
            if row.state not in (State.FILED, State.HELD, State.UNDONE):
                raise NotDone(f"this photo is {row.state}: nobody can see what it shows")
            before = last(session, photo)
            if part is None:
                shown = (before.code, before.display, before.side) if before else ("", "", "")
            else:
                shown = (part.code, part.display, side)
            if before is not None and (*shown, note) == (
                before.code,
                before.display,
                before.side,
                before.note,
            ):
                raise NotDone("that is what was said already")
            said = BodySiteRow(
                photo=photo,
                code=shown[0],
                display=shown[1],
                side=shown[2],
                note=note,
                by=by,
                at_ms=self._clock(),
                told=Told.WAITING,
            )
            session.add(said)
            if shown[0]:
                row.sited = True
                for item in open_items(session, photo, (WorkKind.SITE,)):
                    words = " ".join(word for word in (shown[2], shown[1]) if word)
                    end(session, item, by=by, note=words, at=self._clock())
            session.flush()
            return _said(said)

    def history(self, photo: str) -> list[Said]:
        """Return everything that was said of a photo, oldest first: the last one holds."""
        query = select(BodySiteRow).where(BodySiteRow.photo == photo).order_by(BodySiteRow.id)
        with self._store.read() as session:
            return [_said(row) for row in session.scalars(query)]


class SiteFiler:
    """The gateway's part: hands what was said to the record systems, in its round."""

    def __init__(
        self, *, store: Store, cabinet: Cabinet, vault: Vault, clock: Callable[[], int]
    ) -> None:
        self._store = store
        self._cabinet = cabinet
        self._vault = vault
        self._clock = clock

    def round(self) -> int:
        """Have everything that waits filed with its site; return how many photos there were."""
        done = 0
        with self._store.begin() as session:
            waiting = (
                select(BodySiteRow)
                .join(Photo, Photo.photo == BodySiteRow.photo)
                .where(BodySiteRow.told == Told.WAITING)
                .where(Photo.state.in_((State.FILED, State.UNDONE)))
                .order_by(BodySiteRow.id)
            )
            newest: dict[str, BodySiteRow] = {}
            for row in session.scalars(waiting.with_for_update(skip_locked=True)):
                # Of several that wait, the last one holds; the others are history.
                if (older := newest.get(row.photo)) is not None:
                    older.told, older.number = Told.DONE, None
                newest[row.photo] = row
            for row in newest.values():
                done += self._tell(session, row)
        if done:
            self._cabinet.wake()
        return done

    def _tell(self, session: Session, row: BodySiteRow) -> bool:
        photo = session.get_one(Photo, row.photo)
        if photo.objection == "erased" or photo.filed_ms is None:
            row.told = Told.NOT_POSSIBLE
            return False
        if not self._vault.path(row.photo).exists():
            if not self._cabinet.keeps(session, row.photo):
                return False  # another replica has it
            row.told = Told.NOT_POSSIBLE
            worklist.note(
                session,
                WorkKind.UNFILED,
                device=photo.device,
                subject=f"{row.photo} site",
                why=_GONE,
                at_ms=self._clock(),
                about_ms=photo.captured_ms,
                again=worklist.Again.ALWAYS,
            )
            return False
        before = current(session, row.photo)
        row.number = (FIRST if before is None else before.number) + 1
        session.add(
            AssignmentRow(
                photo=row.photo,
                number=row.number,
                patient=None if before is None else before.patient,
                encounter=None if before is None else before.encounter,
                how="none: filed without knowing the patient" if before is None else before.how,
                by=row.by,
                reason=clip(f"body site: {_words(row) or 'a note'}", 1000),
                at_ms=self._clock(),
                site_code=row.code,
                site_display=row.display,
                site_side=row.side,
                site_note=row.note,
            )
        )
        session.flush()
        self._cabinet.move(session, row.photo, row.number)
        row.told = Told.DONE
        log.info("photo %s: filed anew with its body site", row.photo)
        return True


def last(session: Session, photo: str) -> BodySiteRow | None:
    """Return what holds of a photo, if anybody has said anything."""
    query = select(BodySiteRow).where(BodySiteRow.photo == photo).order_by(BodySiteRow.id.desc())
    return session.scalars(query.limit(1)).first()


def _words(row: BodySiteRow) -> str:
    return " ".join(word for word in (row.side, row.display) if word)


def _said(row: BodySiteRow) -> Said:
    return Said(
        photo=row.photo,
        code=row.code,
        display=row.display,
        side=row.side,
        note=row.note,
        by=row.by,
        at_ms=row.at_ms,
        told=Told(row.told),
        number=row.number,
    )
