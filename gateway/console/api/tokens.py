"""Bearer tokens (RFC 6750): which program may ask, with whose roles, until when.

A token is 256 random bits; the database has its SHA-256, and needs no slower hash, for nobody
guesses such a number. Its owner is a person: what a program does with it stands in his name, in
the audit and wherever a named person is needed. So he is never the second person to himself.
"""

import hashlib
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import BigInteger, String, select
from sqlalchemy.orm import Mapped, mapped_column

from base.errors import WardsealError
from gateway.console.accounts import Person
from gateway.console.roles import Role
from gateway.store import Store
from gateway.tables import HASH, PERSON, Base

PREFIX: Final = "wardseal_"
LONGEST_DAYS: Final = 730
_DAY_MS: Final = 86_400_000
_LABEL: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}\Z")
_LONGEST: Final = 80
_NOTED_MS: Final = 60_000
"""How exactly it is known when a token was last used; each use need not be a write."""


class BadToken(WardsealError):
    """The token cannot be made, or revoked, as it was asked for."""


class TokenRow(Base):
    """A token; never deleted, so that what it did can always be told."""

    __tablename__ = "api_tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    label: Mapped[str] = mapped_column(String(32), unique=True)
    hash: Mapped[str] = mapped_column(HASH, unique=True)
    login: Mapped[str] = mapped_column(PERSON)
    name: Mapped[str] = mapped_column(PERSON)
    roles: Mapped[str] = mapped_column(String(100))
    made_ms: Mapped[int] = mapped_column(BigInteger)
    expires_ms: Mapped[int] = mapped_column(BigInteger)
    revoked_ms: Mapped[int | None] = mapped_column(BigInteger)
    used_ms: Mapped[int | None] = mapped_column(BigInteger)


@dataclass(frozen=True)
class Token:
    """A token as people see it. ``label``: what it is for; ``owner`` answers for it."""

    label: str
    owner: Person
    made_ms: int
    expires_ms: int
    revoked_ms: int | None
    used_ms: int | None

    def holds(self, now_ms: int) -> bool:
        """Tell whether it opens anything."""
        return self.revoked_ms is None and now_ms < self.expires_ms


class Tokens:
    """All tokens; ``clock`` gives milliseconds since 1970 UTC."""

    def __init__(self, *, store: Store, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock

    def make(self, label: str, *, owner: Person, days: int) -> str:
        """Make a token and return it, this once. Raises BadToken."""
        if not _LABEL.match(label):
            raise BadToken(f"the label {label!r}: use a-z, 0-9 and '-', 32 at the most")
        for text in (owner.login, owner.name):
            if not text.isprintable() or not 1 <= len(text.strip()) <= _LONGEST:
                raise BadToken("the owner's login and name: 1 to 80 printable characters each")
        if not owner.roles:
            raise BadToken("name at least one role")
        if not 1 <= days <= LONGEST_DAYS:
            raise BadToken(f"a token lasts 1 to {LONGEST_DAYS} days")
        token, now = PREFIX + secrets.token_urlsafe(32), self._clock()
        with self._store.begin() as session:
            if session.scalars(select(TokenRow).where(TokenRow.label == label)).first():
                raise BadToken(f"there is, or was, a token {label!r}: take another label")
            session.add(
                TokenRow(
                    label=label,
                    hash=_hash(token),
                    login=owner.login,
                    name=owner.name,
                    roles=",".join(sorted(owner.roles)),
                    made_ms=now,
                    expires_ms=now + days * _DAY_MS,
                )
            )
        return token

    def all(self) -> list[Token]:
        """Return every token there is or was, by label."""
        with self._store.read() as session:
            return [_token(r) for r in session.scalars(select(TokenRow).order_by(TokenRow.label))]

    def revoke(self, label: str) -> None:
        """End a token now. Raises BadToken."""
        with self._store.begin() as session:
            row = session.scalars(select(TokenRow).where(TokenRow.label == label)).first()
            if row is None:
                raise BadToken(f"there is no token {label!r}; wardseal token list names them")
            if row.revoked_ms is not None:
                raise BadToken(f"the token {label!r} is revoked already")
            row.revoked_ms = self._clock()

    def find(self, token: str) -> Token | None:
        """Return a token that holds, and note its use."""
        now, mine = self._clock(), select(TokenRow).where(TokenRow.hash == _hash(token))
        with self._store.read() as session:
            row = session.scalars(mine).first()
        if row is None or not (found := _token(row)).holds(now):
            return None
        if row.used_ms is None or now - row.used_ms >= _NOTED_MS:
            with self._store.begin(durable=False) as session:
                session.get_one(TokenRow, row.id).used_ms = now
        return found


def _token(row: TokenRow) -> Token:
    roles = frozenset(Role(role) for role in row.roles.split(","))
    return Token(
        label=row.label,
        owner=Person(row.login, row.name, roles),
        made_ms=row.made_ms,
        expires_ms=row.expires_ms,
        revoked_ms=row.revoked_ms,
        used_ms=row.used_ms,
    )


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
