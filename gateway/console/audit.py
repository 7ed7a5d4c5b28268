"""Every view is written down before it is shown, every act together with it: no row, no page.

A photo whose patient objected is looked at with a reason. The row that holds the reason is what
opens the picture, for this person and for a while.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.console.accounts import Person
from gateway.console.tables import Viewing
from gateway.identity.identify import current
from gateway.store import Store

REASON_HOLDS_MS: Final = 15 * 60_000
_DAY_MS: Final = 24 * 60 * 60_000
_LATELY: Final = 2_000


class What(StrEnum):
    """What somebody saw or did."""

    LIST = "list"
    PHOTO = "photo"
    PICTURE = "picture"
    SMALL = "small picture"
    REASON = "reason"
    PATIENT = "patient"
    WORKLIST = "worklist"
    LEDGERS = "ledgers"
    LEDGER = "ledger"
    LEDGER_FILE = "ledger file"
    QUESTIONS = "questions"
    DEVICES = "devices"
    INQUIRY = "inquiry"
    BUNDLE = "bundle"
    SITE = "site said"
    OBJECTION = "objection entered"
    DECISION = "objection decided"
    REVIEW = "review asked"
    RESOLVED = "photo assigned"
    MOVE_ASKED = "move asked"
    MOVE_DECIDED = "move decided"
    ASSIGNED = "item assigned"
    CLOSED = "item closed"
    HOLD = "hold"
    HOLDS = "holds"
    SHARES = "shares"
    SHARE_ENDED = "share ended"
    SIGN_IN = "sign-in"
    SIGN_OUT = "sign-out"
    REFUSED = "refused"


class Audit:
    """Writes viewings; ``clock`` gives milliseconds since 1970 UTC."""

    def __init__(self, *, store: Store, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock

    def seen(self, person: Person, what: What, subject: str, note: str = "") -> None:
        """Write one down. ``subject``: a photo's id, a filter, a ledger. Raises StoreError."""
        with self._store.begin() as session:
            session.add(self._row(person, what, subject, note))

    @contextmanager
    def doing(
        self, person: Person, what: What, subject: str | Callable[[Session], str], note: str = ""
    ) -> Iterator[None]:
        """Write down what is done within, in the very transaction that does it.

        What is refused by an error is not written down. ``subject`` may be looked up there.
        """

        def add(session: Session) -> None:
            about = subject if isinstance(subject, str) else subject(session)
            session.add(self._row(person, what, about, note))

        with self._store.along(add):
            yield

    def seen_small(self, person: Person, photo: str) -> None:
        """Write down that a small picture is shown: once a day for each chart that it is in.

        A list shows sixty, and shows them again whenever it changes. Of a power cut's last second
        such rows may be missing; the page that they stand in is written down for good before.
        """
        now = self._clock()
        with self._store.read() as session:
            chart = current(session, photo)
            since = max(now - now % _DAY_MS, chart.at_ms if chart is not None else 0)
            there = select(Viewing.id).where(
                Viewing.subject == photo,
                Viewing.login == person.login,
                Viewing.what == What.SMALL.value,
                Viewing.at_ms >= since,
            )
            if session.execute(there.limit(1)).first() is not None:
                return
        with self._store.begin(durable=False) as session:
            session.add(self._row(person, What.SMALL, photo, ""))

    def _row(self, person: Person, what: What, subject: str, note: str) -> Viewing:
        return Viewing(
            at_ms=self._clock(),
            login=person.login,
            name=person.name,
            what=what.value,
            subject=subject[:200],
            note=note[:1000],
        )

    def people(self) -> list[str]:
        """Return who has been here lately, as they sign, to be proposed in forms."""
        lately = select(Viewing.name, Viewing.login).order_by(Viewing.id.desc()).limit(_LATELY)
        with self._store.read() as session:
            return sorted({f"{name} ({login})" for name, login in session.execute(lately)})

    def has_said_why(self, person: Person, photo: str) -> bool:
        """Tell whether this person has given a reason for this photo a moment ago."""
        given = select(Viewing.id).where(
            Viewing.subject == photo,
            Viewing.login == person.login,
            Viewing.what == What.REASON.value,
            Viewing.at_ms > self._clock() - REASON_HOLDS_MS,
        )
        with self._store.read() as session:
            return session.execute(given.limit(1)).first() is not None
