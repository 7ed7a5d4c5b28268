"""``wardseal token``: which programs may ask the API, made, listed and revoked."""

import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from gateway.console import config as configuration
from gateway.console.accounts import Person
from gateway.console.api.tokens import Token, Tokens
from gateway.console.roles import Role
from gateway.database import engine_for
from gateway.store import Store


def make(arguments: Namespace) -> int:
    """Make a token; it alone goes to standard output. Raises WardsealError."""
    roles = frozenset(Role(role) for role in arguments.role)
    owner = Person(arguments.owner, arguments.name, roles)
    with _tokens(arguments.config) as tokens:
        token = tokens.make(arguments.label, owner=owner, days=arguments.days)
    print(token)
    print(
        f"{arguments.label} may ask the API for {arguments.days} days, in the name of"
        f" {arguments.name}. The token is shown this once: keep it where only that program reads",
        file=sys.stderr,
    )
    return 0


def list_(arguments: Namespace) -> int:
    """Show every token there is or was. Raises WardsealError."""
    with _tokens(arguments.config) as tokens:
        found = tokens.all()
    for token in found:
        roles = ",".join(sorted(token.owner.roles))
        print(
            f"{token.label:<32}  {_stands(token):<24}  {roles:<21}  used {_day(token.used_ms):<10}"
            f"  {token.owner.name} ({token.owner.login})"
        )
    if not found:
        print("no program has a token; wardseal token make gives it one", file=sys.stderr)
    return 0


def revoke(arguments: Namespace) -> int:
    """End a token now. Raises WardsealError."""
    with _tokens(arguments.config) as tokens:
        tokens.revoke(arguments.label)
    print(f"{arguments.label} is refused from now on")
    return 0


def _stands(token: Token) -> str:
    if token.revoked_ms is not None:
        return f"revoked {_day(token.revoked_ms)}"
    return f"{'until' if token.holds(_now_ms()) else 'ended'} {_day(token.expires_ms)}"


def _day(ms: int | None) -> str:
    return "never" if ms is None else f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d}"


@contextmanager
def _tokens(config_file: Path) -> Iterator[Tokens]:
    config = configuration.load(config_file)
    store = Store(engine_for(config.store.url, config.paths.state / "gateway.db"))
    try:
        yield Tokens(store=store, clock=_now_ms)
    finally:
        store.close()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
