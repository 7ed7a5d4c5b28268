"""Sharing one photo with one named person outside: checked, logged, then made.

The row is written before anything leaves, and says who shared what with whom and why, and which
file it was (SHA-256). The pass-phrase is in no row and no log: it is shown once, and told to the
recipient by another way than the file.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlalchemy import BigInteger, String, select
from sqlalchemy.orm import Mapped, mapped_column

from base.memory import Buffer
from gateway.audit.tables import audited
from gateway.identity.identify import assigned
from gateway.reopening import Reopener
from gateway.report.making import Style, describe, make_report
from gateway.sharing import html, pdf, phrase
from gateway.store import HASH, PERSON, Base, Photo, Store
from gateway.uses import Standing, Use, may
from gateway.worklist_desk import NotDone, named, worded

TITLE: Final = "A photograph for you"


class Form(StrEnum):
    """What the recipient gets; both open with the pass-phrase alone."""

    PDF = "pdf"
    HTML = "html"


@audited
class ShareRow(Base):
    """A photo that was shared outside; never deleted. ``digest``: SHA-256 of the file."""

    __tablename__ = "shares"

    id: Mapped[int] = mapped_column(primary_key=True)
    photo: Mapped[str] = mapped_column(HASH, index=True)
    recipient: Mapped[str] = mapped_column(String(200))
    reason: Mapped[str] = mapped_column(String(1000))
    by: Mapped[str] = mapped_column(PERSON)
    form: Mapped[str] = mapped_column(String(8))
    digest: Mapped[str] = mapped_column(HASH)
    at_ms: Mapped[int] = mapped_column(BigInteger)


@dataclass(frozen=True)
class Shared:
    """The file, and the pass-phrase that must go another way."""

    file: bytes
    phrase: str


class Sharing:
    """``room`` is where a photo is opened; ``clock`` gives milliseconds since 1970 UTC."""

    def __init__(
        self,
        *,
        store: Store,
        reopener: Reopener,
        room: Buffer,
        style: Style,
        clock: Callable[[], int],
    ) -> None:
        self._store = store
        self._reopener = reopener
        self._room = room
        self._style = style
        self._clock = clock

    def share(self, photo: str, *, to: str, reason: str, by: str, form: Form) -> Shared:
        """Make the file. Raises NotDone, NotReopened, ReportError or NotEncrypted."""
        by, to, reason = named(by), named(to, "a recipient"), worded(reason, "a reason")
        with self._store.read() as session:
            row = session.get(Photo, photo)
            if row is None:
                raise NotDone("there is no such photo")
            whose = assigned(session, photo, None)
        _check(row)
        words = phrase.make()
        with self._reopener.reopen(row, whose, self._room) as record:
            if form is Form.PDF:
                file = pdf.encrypt(make_report(record, self._style), words)
            else:
                facts = dict(describe(record, self._style)["facts"])
                file = html.encrypt(record.jpeg, facts, words, title=TITLE)
        with self._store.begin(device=row.device) as session:
            # Consent may have been withdrawn while the file was being made.
            _check(session.get_one(Photo, photo))
            session.add(
                ShareRow(
                    photo=photo,
                    recipient=to,
                    reason=reason,
                    by=by,
                    form=form.value,
                    digest=hashlib.sha256(file).hexdigest(),
                    at_ms=self._clock(),
                )
            )
        return Shared(file, words)

    def of(self, photo: str) -> list[ShareRow]:
        """Return what was shared of a photo, oldest first."""
        query = select(ShareRow).where(ShareRow.photo == photo).order_by(ShareRow.id)
        with self._store.read() as session:
            return list(session.scalars(query))


def _check(row: Photo) -> None:
    verdict = may(Use.REFERRAL, Standing.of(row))
    if not verdict.may:
        raise NotDone(f"this photo must not be shared: {verdict.why}")
