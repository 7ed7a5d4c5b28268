"""The hospital's own programs: tokens, and what they ask with."""

import time

import httpx2

from gateway.console.accounts import Person
from gateway.console.api.tokens import Tokens
from gateway.console.roles import Role
from gateway.store import open_sqlite
from tests.console.reception import PEOPLE, Console

API = "/api/v1"


def token_for(
    console: Console,
    label: str,
    owner: str,
    *,
    roles: frozenset[Role] = frozenset(),
    days: int = 1,
    at_ms: int = 0,
) -> str:
    """Make a token in the name of one of the people, at another time if need be."""
    store = open_sqlite(console.hospital.state / "gateway.db")
    now = at_ms or time.time_ns() // 1_000_000
    person = Person(owner, owner.capitalize(), roles or PEOPLE[owner])
    try:
        return Tokens(store=store, clock=lambda: now).make(label, owner=person, days=days)
    finally:
        store.close()


def program(console: Console, token: str) -> httpx2.Client:
    """A program that has a token; it sends no Origin and keeps no cookies."""
    client = httpx2.Client(
        base_url=f"{console.origin}{API}", headers={"authorization": f"Bearer {token}"}, timeout=20
    )
    console.clients.append(client)
    return client
