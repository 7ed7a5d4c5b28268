"""Signing in with the hospital's own accounts: OpenID Connect, authorization code flow with PKCE.

Authlib speaks the protocol (discovery, state, nonce, RFC 7636, ID token validation). What is
ours is small: a person is who the ID token says, with the roles that the groups in it have here,
and nobody whose groups have none comes in.
"""

from typing import Any, Final

from authlib.common.errors import AuthlibBaseError
from authlib.integrations.starlette_client import OAuth
from httpx2 import HTTPError
from starlette.requests import Request
from starlette.responses import Response

from base.keyfiles import read_secret
from gateway.console.accounts import Person
from gateway.console.config import OidcSettings
from gateway.console.visits import Problem

_SCOPE: Final = "openid profile email groups"
_LONGEST: Final = 100


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
        login = str(claims.get("preferred_username") or subject)[:_LONGEST]
        name = str(claims.get("name") or login)[:_LONGEST]
        groups = claims.get(self._settings.groups_claim)
        named = [str(group) for group in groups] if isinstance(groups, list) else []
        roles = self._settings.roles_of(named)
        if not roles:
            raise Problem(403, "You are signed in, but none of your groups has a role here.")
        return Person(login, name, roles)


def _unreachable() -> Problem:
    return Problem(502, "The hospital's sign-in cannot be reached. Try again in a minute.")
