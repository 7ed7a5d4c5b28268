"""Who is signed in. The browser holds a random token, the database its hash.

A session ends by itself: after some minutes without a click, and after some hours anyway. A
forged form finds no session that fits it: each has a second secret, which stands in every form
(OWASP CSRF Prevention, synchronizer token) and which no other site can read.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import delete, or_

from gateway.console.accounts import OIDC, Person
from gateway.console.config import SessionSettings
from gateway.console.roles import Role
from gateway.console.tables import SignedIn
from gateway.store import Store

_MINUTE: Final = 60_000
_HOUR: Final = 60 * _MINUTE


@dataclass(frozen=True)
class Visit:
    """A request's session. ``csrf`` must come back with everything that changes something."""

    person: Person
    csrf: str
    token: str

    def owns(self, csrf: str) -> bool:
        """Tell whether a form was made by this very session."""
        return hmac.compare_digest(csrf.encode(), self.csrf.encode())


class Sessions:
    """All sessions; ``clock`` gives milliseconds since 1970 UTC.

    ``local`` knows a local account as it is now: one that was removed is signed out with its next
    click, and a role that was taken opens nothing any more.
    """

    def __init__(
        self,
        *,
        store: Store,
        settings: SessionSettings,
        clock: Callable[[], int],
        local: Callable[[str], Person | None],
    ) -> None:
        self._local = local
        self._store = store
        self._idle = settings.idle_minutes * _MINUTE
        self._longest = settings.longest_hours * _HOUR
        self._clock = clock

    def begin(self, person: Person) -> Visit:
        """Sign a person in; old sessions of anybody are swept out on the way."""
        now = self._clock()
        visit = Visit(person, secrets.token_hex(32), secrets.token_urlsafe(32))
        with self._store.begin() as session:
            session.execute(
                delete(SignedIn).where(
                    or_(
                        SignedIn.seen_ms < now - self._idle,
                        SignedIn.begun_ms < now - self._longest,
                    )
                )
            )
            session.add(
                SignedIn(
                    token=_hash(visit.token),
                    login=person.login,
                    name=person.name,
                    roles=",".join(sorted(person.roles)),
                    csrf=visit.csrf,
                    begun_ms=now,
                    seen_ms=now,
                )
            )
        return visit

    def find(self, token: str, *, touch: bool) -> Visit | None:
        """Return the session of a token that still holds. ``touch``: a click, not a clock."""
        now = self._clock()
        with self._store.begin() if touch else self._store.read() as session:
            row = session.get(SignedIn, _hash(token))
            if row is None:
                return None
            if now - row.seen_ms > self._idle or now - row.begun_ms > self._longest:
                return None
            if touch:
                row.seen_ms = now
            roles = frozenset(Role(role) for role in row.roles.split(","))
            person, csrf = Person(row.login, row.name, roles), row.csrf
        if not person.login.startswith(OIDC):
            known = self._local(person.login)
            if known is None:
                return None
            person = known
        return Visit(person, csrf, token)

    def end(self, token: str) -> None:
        """Sign out."""
        with self._store.begin() as session:
            session.execute(delete(SignedIn).where(SignedIn.token == _hash(token)))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
