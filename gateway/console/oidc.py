"""Signing in with the hospital's own accounts: OpenID Connect, authorization code flow with PKCE.

Authlib speaks the protocol (discovery, state, nonce, RFC 7636, ID token validation). What is
ours is small: a person is who the ID token says, with the roles that the groups in it have here,
and nobody whose groups have none comes in.
"""

import hashlib
import re
from typing import Any, Final

from authlib.common.errors import AuthlibBaseError
from authlib.integrations.starlette_client import OAuth
from httpx2 import HTTPError
from starlette.requests import Request
from starlette.responses import Response

from base.keyfiles import read_secret
from gateway.console.accounts import OIDC as PREFIX
from gateway.console.accounts import Person
from gateway.console.config import OidcSettings
from gateway.console.visits import Problem

_SCOPE: Final = "openid profile email groups"
_LONGEST: Final = 100
_PLAIN: Final = re.compile(r"[A-Za-z0-9._@|:+/=-]{1,48}")
_HASHED: Final = 48


class Oidc:
    """One provider. ``callback`` is the console's own address for the answer."""

    def __init__(self, settings: OidcSettings, *, callback: str) -> None:
        self._settings = settings
        self._callback = callback
        secret = read_secret(settings.secret, "oidc.secret").decode().strip()
        registry = OAuth()
        registry.register(
            name="hospital",
            client_id=settings.client_id,
            client_secret=secret,
            server_metadata_url=f"{settings.issuer.rstrip('/')}/.well-known/openid-configuration",
            client_kwargs={"scope": _SCOPE, "code_challenge_method": "S256", "timeout": 10},
        )
        self._client: Any = registry.create_client("hospital")

    async def begin(self, request: Request) -> Response:
        """Send the browser to the provider."""
        try:
            answer: Response = await self._client.authorize_redirect(request, self._callback)
        except (HTTPError, AuthlibBaseError, ValueError, KeyError) as e:
            raise _unreachable() from e
        return answer

    async def finish(self, request: Request) -> Person:
        """Return who came back. Raises Problem."""
        try:
            token = await self._client.authorize_access_token(request)
        except HTTPError as e:
            raise _unreachable() from e
        except (AuthlibBaseError, ValueError, KeyError) as e:
            raise Problem(403, "The hospital's sign-in did not confirm you. Try again.") from e
        return self._person(dict(token.get("userinfo") or {}))

    def _person(self, claims: dict[str, Any]) -> Person:
        subject = claims.get("sub")
        if not isinstance(subject, str) or not subject:
            raise Problem(403, "The hospital's sign-in did not say who you are.")
        login = login_of(subject)
        name = name_of(claims, login)
        groups = claims.get(self._settings.groups_claim)
        named = [str(group) for group in groups] if isinstance(groups, list) else []
        roles = self._settings.roles_of(named)
        if not roles:
            raise Problem(403, "You are signed in, but none of your groups has a role here.")
        return Person(login, name, roles)


def login_of(subject: str) -> str:
    """Return how somebody is told apart here: by ``sub``, which no provider gives twice.

    ``preferred_username`` may be changed and given to another (OpenID Connect Core, 5.7). The
    prefix keeps clear of local accounts. What is longer than a signature holds of it, or could
    end a signature early, stands as its SHA-256.
    """
    if not _PLAIN.fullmatch(subject):
        subject = hashlib.sha256(subject.encode("utf-8", "surrogatepass")).hexdigest()[:_HASHED]
    return f"{PREFIX}{subject}"


def name_of(claims: dict[str, Any], login: str) -> str:
    """Return what people read: a name, else what he signs in with, else ``login``."""
    return _shown(claims.get("name")) or _shown(claims.get("preferred_username")) or login


def _shown(claim: object) -> str:
    """Return a name as people read it; empty when nothing in it can be read."""
    text = " ".join(str(claim or "").split())  # a line feed parts words, too
    printable = "".join(letter for letter in text if letter.isprintable())
    return " ".join(printable.split())[:_LONGEST]


def _unreachable() -> Problem:
    return Problem(502, "The hospital's sign-in cannot be reached. Try again in a minute.")
