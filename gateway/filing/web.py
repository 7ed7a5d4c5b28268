"""HTTPS to a record system: bounded waiting, no redirects, no proxies nobody asked for, and
every failure a FilingError in plain words.
"""

import ssl
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2

from base import tls
from base.errors import ConfigError
from gateway.filing.base import FilingError
from gateway.filing.settings import PeerSettings

MOST_BYTES: Final = 256 * 1024 * 1024
_SHOWN: Final = 200


class Gone(FilingError):
    """The record system says that there is no such thing (404, 410)."""


class Refused(FilingError):
    """The record system answered, and does not do it; ``answer`` says more."""

    def __init__(self, answer: httpx2.Response, text: str) -> None:
        super().__init__(text)
        self.answer = answer


class _HungUp(FilingError):
    """The other side ended the connection without an answer."""


class Web:
    """One record system's HTTP. ``authorize()`` gives the value of the Authorization header.

    ``renew()`` is called once when it was refused (401), before the one more try. ``most``: how
    long an answer may be, in bytes.
    """

    def __init__(
        self,
        settings: PeerSettings,
        *,
        authorize: Callable[[], str | None] | None = None,
        renew: Callable[[], None] | None = None,
        most: int = MOST_BYTES,
    ) -> None:
        self._name = settings.name
        self._most = most
        self._url = settings.url.rstrip("/")
        self._authorize = authorize or _static_token(settings)
        self._renew = renew
        self._client = httpx2.Client(
            verify=tls_context(settings),
            timeout=settings.timeout_seconds,
            follow_redirects=False,
            trust_env=False,
        )

    @property
    def base(self) -> str:
        """The record system's address, without a slash at its end."""
        return self._url

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: dict[str, str] | None = None,
        content: bytes | None = None,
        params: Mapping[str, str | Sequence[str]] | None = None,
    ) -> httpx2.Response:
        """Return the answer, whole. Raises Gone or FilingError; ``path`` begins with a slash."""
        try:
            answer = self._once(method, path, headers, content, params)
        except _HungUp:
            # A connection that was kept may be given up by the other side just as it is used again.
            if method != "GET":
                raise
            answer = self._once(method, path, headers, content, params)
        if answer.status_code == httpx2.codes.UNAUTHORIZED and self._renew is not None:
            self._renew()
            answer = self._once(method, path, headers, content, params)
        if answer.status_code in (httpx2.codes.NOT_FOUND, httpx2.codes.GONE):
            raise Gone(f"{self._name} has no {path}")
        if not answer.is_success:
            # Not in its own words: they could name a patient, and this goes into a log.
            raise Refused(answer, f"{self._name} answered {method} with {answer.status_code}")
        return answer

    def _once(
        self,
        method: str,
        path: str,
        headers: dict[str, str] | None,
        content: bytes | None,
        params: Mapping[str, str | Sequence[str]] | None,
    ) -> httpx2.Response:
        # Photos do not get smaller by it, and it costs both sides more than the rest of the way.
        every = {"Accept-Encoding": "identity", **(headers or {})}
        bearer = self._authorize()
        if bearer is not None:
            every["Authorization"] = bearer
        answered = False
        try:
            with self._client.stream(
                method, self._url + path, headers=every, content=content, params=params
            ) as answer:
                answered = True
                parts, left = [], self._most
                for part in answer.iter_bytes():
                    parts.append(part)
                    left -= len(part)
                    if left < 0:
                        raise FilingError(f"{self._name} answers without end")
                return httpx2.Response(
                    answer.status_code,
                    headers=_kept(answer.headers),
                    content=b"".join(parts),
                    request=answer.request,
                )
        except httpx2.TimeoutException as e:
            raise FilingError(f"{self._name} did not answer {method} {path} in time") from e
        except (httpx2.HTTPError, httpx2.InvalidURL) as e:
            hung_up = isinstance(e, httpx2.RemoteProtocolError | httpx2.ReadError)
            kind = _HungUp if hung_up and not answered else FilingError
            raise kind(f"{self._name} cannot be reached: {self._why(e)}") from e

    def _why(self, error: Exception) -> str:
        """What TLS says is told with the setting that it is about."""
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, ssl.SSLError):
            cause = cause.__cause__ or cause.__context__
        if cause is None or isinstance(cause, ssl.SSLEOFError):
            hung_up = isinstance(error, httpx2.RemoteProtocolError | httpx2.ReadError)
            if hung_up and self._url.startswith("https:"):
                # What a server does, too, that does not like our certificate and says nothing.
                return f"it hangs up; does it take the certificate of {self._name}.certificate?"
            return (str(error) or type(error).__name__)[:_SHOWN]
        return tls.words(cause, urlsplit(self._url).hostname or "", self._name)

    def close(self) -> None:
        """Close every connection."""
        self._client.close()


def tls_context(settings: Any) -> ssl.SSLContext:
    """TLS 1.2 or newer, always checked; ``ca``, ``certificate`` and ``key`` as the settings say."""
    try:
        context = ssl.create_default_context(cafile=settings.ca)
    except (OSError, ssl.SSLError) as e:
        raise ConfigError(
            f"{settings.name}.ca", f"{settings.ca} holds no usable certificate"
        ) from e
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.certificate is not None:
        try:
            context.load_cert_chain(settings.certificate, settings.key, password="")
        except (OSError, ssl.SSLError) as e:
            raise ConfigError(
                f"{settings.name}.certificate",
                f"{settings.certificate} and {settings.key} are not a certificate and its"
                " unencrypted key",
            ) from e
    return context


def _static_token(settings: PeerSettings) -> Callable[[], str | None]:
    if settings.token is None:
        return lambda: None
    # Read anew each time, so that a renewed token is used from the next request on.
    return lambda: f"Bearer {read_token(settings)}"


def read_token(settings: PeerSettings) -> str:
    """Return the token in the settings' file. Raises FilingError."""
    assert settings.token is not None
    try:
        token = Path(settings.token).read_text().strip()
    except (OSError, UnicodeDecodeError) as e:
        raise FilingError(f"{settings.name}.token: {settings.token} cannot be read: {e}") from e
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise FilingError(f"{settings.name}.token: {settings.token} holds no token")
    return token


def _kept(headers: httpx2.Headers) -> dict[str, str]:
    """The body is decoded by now: what said how it was coded no longer holds."""
    gone = {"content-encoding", "content-length", "transfer-encoding"}
    return {name: value for name, value in headers.items() if name.lower() not in gone}
