"""What a route is given: who asks, and the rooms that answer."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Request
from fastapi.security import HTTPBearer
from sqlalchemy.orm import Session

from gateway.cases import Cases
from gateway.console.access import Access
from gateway.console.accounts import Person
from gateway.console.api.gate import token_of
from gateway.console.api.problems import Problem
from gateway.console.api.tokens import Token
from gateway.console.audit import Audit, What
from gateway.console.ledgers import Ledgers
from gateway.console.photos import Photos
from gateway.console.questions import Questions
from gateway.console.roles import MAY, Area
from gateway.console.work import signature
from gateway.devices import Device
from gateway.finding import Finder
from gateway.inquiry import Inquiries
from gateway.lightbox import Lightbox
from gateway.objections import Objections
from gateway.retention import Holds
from gateway.reviews import Reviews
from gateway.sharing.shares import Shares
from gateway.sites import Sites
from gateway.store import Store
from gateway.worklist_desk import Worklist


@dataclass(frozen=True, kw_only=True)
class Rooms:
    """Everything that the API calls; the console's own pages call the same."""

    store: Store
    audit: Audit
    access: Access
    finder: Finder
    photos: Photos
    cases: Cases
    sites: Sites
    objections: Objections
    reviews: Reviews
    shares: Shares
    worklist: Worklist
    ledgers: Ledgers
    questions: Questions
    inquiries: Inquiries
    holds: Holds
    lightbox: Lightbox
    devices: Callable[[], list[Device]]


@dataclass(frozen=True)
class Caller:
    """The person in whose name a token asks."""

    token: Token
    audit: Audit

    @property
    def person(self) -> Person:
        return self.token.owner

    @property
    def name(self) -> str:
        """How he stands in what is written down."""
        return signature(self.person)

    def saw(self, what: What, subject: str, note: str = "") -> None:
        """Write it down before it is answered. Raises StoreError."""
        by = self._by_token
        self.audit.seen(self.person, what, subject, f"{note} ({by})" if note else by)

    def doing(
        self, what: What, subject: str | Callable[[Session], str]
    ) -> AbstractContextManager[None]:
        """Write down what is done within, together with it. Raises StoreError."""
        return self.audit.doing(self.person, what, subject, self._by_token)

    @property
    def _by_token(self) -> str:
        return f"by the token {self.token.label}"


def rooms(request: Request) -> Rooms:
    """Return what the application was built with."""
    found: Rooms = request.app.state.rooms
    return found


class May:
    """Lets those in whose roles open ``area``; anybody with a token when it is None."""

    def __init__(self, area: Area | None) -> None:
        self._area = area

    def __call__(self, request: Request) -> Caller:
        caller = Caller(token_of(request.scope), rooms(request).audit)
        if self._area is not None and not MAY[self._area] & caller.person.roles:
            caller.saw(What.REFUSED, request.url.path)
            roles = " or ".join(sorted(MAY[self._area]))
            raise Problem(
                403, f"Make a token with the role {roles}; this one does not open {self._area}."
            )
        return caller


SCHEME: Final = HTTPBearer(
    auto_error=False, scheme_name="token", description="made by `wardseal token make`"
)
Ours = Annotated[Rooms, Depends(rooms)]
Anybody = Annotated[Caller, Depends(May(None))]
OfPhotos = Annotated[Caller, Depends(May(Area.PHOTOS))]
OfWorklist = Annotated[Caller, Depends(May(Area.WORKLIST))]
OfLedgers = Annotated[Caller, Depends(May(Area.LEDGERS))]
OfQuestions = Annotated[Caller, Depends(May(Area.QUESTIONS))]
OfDevices = Annotated[Caller, Depends(May(Area.DEVICES))]
OfShares = Annotated[Caller, Depends(May(Area.SHARES))]
OfDecisions = Annotated[Caller, Depends(May(Area.DECISIONS))]
