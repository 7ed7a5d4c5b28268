"""Sharing one photo with one named person outside: checked, logged, then made.

The row is written before anything leaves, and says who shared what with whom and why, and which
file it was (SHA-256). The pass-phrase is in no row and no log: it is shown once, and told to the
recipient by another way than the file.
"""

import hashlib
import unicodedata
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, Protocol

from gateway.filing.record import Assignment, Record
from gateway.identity.identify import assigned
from gateway.report.making import Style, describe, make_report
from gateway.sharing import html, pdf, phrase
from gateway.sharing.shares import Form, ShareRow, fit, whose
from gateway.store import Store
from gateway.tables import Photo
from gateway.uses import Use
from gateway.worklist_desk import NotDone, named, worded

TITLE: Final = "A photograph for you"
FILE: Final = "photograph"
"""What a shared file is called: nothing of whom it shows, whose it is or who gets it."""


class Opened(Protocol):
    """Lends a photo as a record: from its sealed copy, or from the picture laid out for people.

    Raises NotReopened.
    """

    def __call__(
        self, photo: Photo, assignment: Assignment, /
    ) -> AbstractContextManager[Record]: ...


@dataclass(frozen=True)
class Shared:
    """The file, and the pass-phrase that must go another way; ``id`` is the row's."""

    id: int
    file: bytes
    phrase: str
    form: Form

    @property
    def name(self) -> str:
        return f"{FILE}-{self.id}.{self.form}"


class Sharing:
    """``opened`` lends photos; ``clock`` gives milliseconds since 1970 UTC."""

    def __init__(
        self, *, store: Store, opened: Opened, style: Style, clock: Callable[[], int]
    ) -> None:
        self._store = store
        self._opened = opened
        self._style = style
        self._clock = clock

    def facts(self, photo: str) -> list[tuple[str, str]]:
        """Return what would be shared beside the picture. Raises NotDone or NotReopened."""
        row, assignment, _ = self._look(photo)
        with self._opened(row, assignment) as record:
            return [(name, text) for name, text in describe(record, self._style)["facts"]]

    def share(self, photo: str, *, to: str, reason: str, by: str, form: Form) -> Shared:
        """Make the file. Raises NotDone, NotReopened, ReportError or NotEncrypted."""
        by, to = named(by), one_line(named(to, "a recipient"))
        reason = one_line(worded(reason, "a reason"))
        if form not in (Form.PDF, Form.HTML):
            raise NotDone("share it as pdf or html; the others are for teaching copies")
        row, assignment, patient = self._look(photo)
        words = phrase.make()
        with self._opened(row, assignment) as record:
            if form is Form.PDF:
                file = pdf.encrypt(make_report(record, self._style), words)
            else:
                facts = dict(describe(record, self._style)["facts"])
                file = html.encrypt(record.jpeg, facts, words, title=TITLE)
        made = ShareRow(
            photo=photo,
            recipient=to,
            reason=reason,
            by=by,
            form=form.value,
            digest=hashlib.sha256(file).hexdigest(),
            use=Use.REFERRAL.value,
            patient=patient,
        )
        return Shared(self.enter(made), file, words, form)

    def enter(self, made: ShareRow) -> int:
        """Write down a share whose file is made and has not left; return its id. Raises NotDone.

        Consent may have been withdrawn, or the photo moved, while the file was being made: what
        is entered here was still allowed, and whatever comes after finds it and ends it.
        """
        use = Use(made.use)
        with self._store.read() as session:
            device = fit(session, made.photo, use).device
        with self._store.begin(device=device) as session:
            fit(session, made.photo, use, lock=True)
            if whose(session, made.photo) != made.patient:
                raise NotDone("the photo was moved to another patient meanwhile")
            made.at_ms = self._clock()
            session.add(made)
            session.flush()
            return made.id

    def _look(self, photo: str) -> tuple[Photo, Assignment, str | None]:
        with self._store.read() as session:
            row = fit(session, photo, Use.REFERRAL)
            return row, assigned(session, photo, None), whose(session, photo)


def one_line(text: str) -> str:
    """Return a name or reason without what could make it look like something else.

    Marks that turn the direction of writing, and control characters, are taken out
    (Unicode UAX #9; categories Cc and Cf).
    """
    kept = "".join(
        " " if char.isspace() else char
        for char in text
        if char.isspace() or unicodedata.category(char) not in ("Cc", "Cf")
    )
    kept = " ".join(kept.split())
    if not kept:
        raise NotDone("write it in letters: nothing of it can be read")
    return kept
