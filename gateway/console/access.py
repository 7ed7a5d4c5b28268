"""Whether somebody is shown a picture: asked by the pages and by the API alike.

After an objection a picture is read with a reason that is on record, and what governance has
restricted it sees alone (gateway.uses says which).
"""

from dataclasses import dataclass

from gateway.console.accounts import Person
from gateway.console.audit import Audit
from gateway.console.photos import Photos
from gateway.console.roles import Role


@dataclass(frozen=True)
class Closed:
    """Why a picture is not shown. ``reason``: it is, once a reason is given."""

    why: str
    reason: bool = False


class Access:
    """Asks the table of uses, and the audit for reasons."""

    def __init__(self, *, photos: Photos, audit: Audit) -> None:
        self._photos = photos
        self._audit = audit

    def closed(self, person: Person, photo: str) -> Closed | None:
        """Return why this person is not shown this photo; None when he is."""
        verdict = self._photos.verdict(photo)
        if verdict is None:
            return None
        if not verdict.may:
            return Closed(f"This picture is not shown: {verdict.why}.")
        if verdict.governance and Role.GOVERNANCE not in person.roles:
            return Closed(
                "Governance has restricted this picture to itself, after the patient objected."
            )
        if verdict.reason and not self._audit.has_said_why(person, photo):
            return Closed("The patient objected: say first why you need to see it.", reason=True)
        return None
