"""SMART Backend Services: who we are by a signed assertion, for a token that lives minutes.

SMART App Launch 2.2, "Client Authentication: Asymmetric": a JWT signed with ES384 or RS384,
``iss`` = ``sub`` = the client's id, ``aud`` the token endpoint, five minutes at most, each
``jti`` once.
"""

import contextlib
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import httpx2
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from base import keyfiles
from base.errors import ConfigError
from gateway.filing.base import FilingError
from gateway.filing.settings import FhirSettings
from gateway.filing.web import tls_context

_LIFE_SECONDS: Final = 240
_MARGIN_SECONDS: Final = 30
_BEARER: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Smart:
    """Holds the token while it is good. ``clock`` gives seconds since 1970 UTC."""

    def __init__(self, settings: FhirSettings, clock: Callable[[], float] = time.time) -> None:
        assert settings.client_key is not None
        self._settings = settings
        self._clock = clock
        self._key, self._algorithm = load_key(settings.client_key, f"{settings.name}.client_key")
        self._client = httpx2.Client(
            verify=tls_context(settings), timeout=settings.timeout_seconds, trust_env=False
        )
        self._token, self._until = "", 0.0

    def authorization(self) -> str:
        """Return the header's value, with a fresh token if need be. Raises FilingError."""
        if self._clock() >= self._until:
            self._fetch()
        return f"Bearer {self._token}"

    def renew(self) -> None:
        """The server does not take this token any more."""
        self._until = 0.0

    def close(self) -> None:
        """Close every connection."""
        self._client.close()

    def _fetch(self) -> None:
        form = {
            "grant_type": "client_credentials",
            "scope": self._settings.scope,
            "client_assertion_type": _BEARER,
            "client_assertion": self._assertion(),
        }
        name = self._settings.name
        try:
            answer = self._client.post(
                self._settings.token_url,
                content=urlencode(form),
                headers={"Content-Type": "application/x-www-form-urlencoded"},
            )
            said = answer.json() if answer.is_success else {}
        except (httpx2.HTTPError, ValueError) as e:
            raise FilingError(f"{name}.token_url gives no token: {type(e).__name__}") from e
        token, seconds = said.get("access_token"), said.get("expires_in", 0)
        if not isinstance(token, str) or not token or not isinstance(seconds, int | float):
            raise FilingError(
                f"{name}.token_url gives no token (status {answer.status_code}): does the server"
                f" know client_id, the public half of client_key, and its key_id?"
            )
        self._token, self._until = token, self._clock() + max(0, seconds - _MARGIN_SECONDS)

    def _assertion(self) -> str:
        now = int(self._clock())
        kid = self._settings.key_id or self._key.thumbprint()
        claims = {
            "iss": self._settings.client_id,
            "sub": self._settings.client_id,
            "aud": self._settings.token_url,
            "iat": now,
            "exp": now + _LIFE_SECONDS,
            "jti": secrets.token_urlsafe(24),
        }
        header = {"alg": self._algorithm, "kid": kid, "typ": "JWT"}
        return jwt.encode(header, claims, self._key, algorithms=[self._algorithm])


def load_key(path: Path, setting: str) -> tuple[ECKey | RSAKey, str]:
    """Read a PEM file that nobody else may read; return the key and its JWS algorithm."""
    raw = keyfiles.read_secret(path, setting)
    with contextlib.suppress(JoseError, ValueError, TypeError):
        curve = ECKey.import_key(raw)
        if curve.is_private and curve.curve_name == "P-384":
            return curve, "ES384"
    with contextlib.suppress(JoseError, ValueError, TypeError):
        rsa = RSAKey.import_key(raw)
        if rsa.is_private:
            return rsa, "RS384"
    raise ConfigError(setting, f"{path} is no private key on P-384, nor an RSA one (PEM)")
