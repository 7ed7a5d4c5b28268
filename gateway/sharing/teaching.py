"""Teaching copies: made anew from pixels, looked at by a named person, and entered as a share.

A person says four times that something is not in the picture, having looked at exactly the copy
that leaves: its SHA-256 goes with what he says, and the copy is made again from the same plan,
which gives the same bytes, or nothing leaves.
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from gateway.identity.identify import assigned
from gateway.sharing import deidentified
from gateway.sharing.desk import FILE, Opened, Sharing, one_line
from gateway.sharing.redacting import Plan, Redacted, redact
from gateway.sharing.shares import Form, ShareRow, fit, whose
from gateway.store import Store
from gateway.uses import Use
from gateway.worklist_desk import NotDone, named, worded

CHECKS: Final = {
    "face": "no face, and no part of one",
    "band": "no wristband, no label with a name or number",
    "tattoo": "no tattoo, scar or jewellery that tells who it is",
    "name": "no name, date or number anywhere in it",
}
"""What a person looks for, each said by itself."""


@dataclass(frozen=True)
class Copy:
    """A copy to be looked at; ``digest`` is its SHA-256."""

    picture: Redacted
    plan: Plan

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.picture.jpeg).hexdigest()


@dataclass(frozen=True)
class Given:
    """A teaching copy that may leave."""

    id: int
    file: bytes
    form: Form

    @property
    def name(self) -> str:
        return f"{FILE}-{self.id}.{self.form}"


class Teaching:
    """``opened`` lends photos, of at most ``pixels``; ``sharing`` enters what leaves."""

    def __init__(
        self,
        *,
        store: Store,
        opened: Opened,
        sharing: Sharing,
        pixels: int,
    ) -> None:
        self._store = store
        self._opened = opened
        self._sharing = sharing
        self._pixels = pixels

    def copy(self, photo: str, plan: Plan) -> Copy:
        """Make the copy that a person is to look at.

        Raises NotDone, NotReopened or NotRedacted.
        """
        with self._store.read() as session:
            row, assignment = fit(session, photo, Use.TEACHING), assigned(session, photo, None)
        with self._opened(row, assignment) as record:
            return Copy(redact(record.jpeg, plan, pixels=self._pixels), plan)

    def give(
        self,
        photo: str,
        plan: Plan,
        *,
        looked_at: str,
        confirmed: Collection[str],
        to: str,
        reason: str,
        by: str,
        form: Form,
    ) -> Given:
        """Make the copy again and enter it: ``looked_at`` is the digest that a person has seen.

        Raises NotDone, NotReopened or NotRedacted.
        """
        by, to = named(by), one_line(named(to, "a recipient"))
        reason = one_line(worded(reason, "a reason"))
        if form not in (Form.JPEG, Form.DICOM):
            raise NotDone("a teaching copy is a jpg or a dcm")
        missing = [words for name, words in CHECKS.items() if name not in confirmed]
        if missing:
            raise NotDone(f"look at the copy and say of it: {'; '.join(missing)}")
        with self._store.read() as session:
            patient = whose(session, photo)
        made = self.copy(photo, plan)
        if made.digest != looked_at:
            raise NotDone("this is not the copy that was looked at: look at it again")
        picture = made.picture
        file = picture.jpeg
        if form is Form.DICOM:
            file = deidentified.teaching(picture.jpeg, picture.width, picture.height)
        row = ShareRow(
            photo=photo,
            recipient=to,
            reason=reason,
            by=by,
            form=form.value,
            digest=hashlib.sha256(file).hexdigest(),
            use=Use.TEACHING.value,
            patient=patient,
            confirmed=f"no {', no '.join(CHECKS)}; {plan.words}",
        )
        return Given(self._sharing.enter(row), file, form)
