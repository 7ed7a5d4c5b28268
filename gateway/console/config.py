"""The console's one TOML file. Relative paths are taken from the file's folder.

Nothing secret stands in the file itself. ``wardseal console run --config FILE`` reads it.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from base import settings
from base.errors import ConfigError
from gateway.console.roles import Role
from gateway.database import StoreSettings

_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class WebSettings:
    """Where the pages are. ``origin`` is how browsers name them, without a slash at the end.

    Beyond loopback there is no console without TLS: give ``certificate`` and ``key``, or leave
    ``host`` alone and let the hospital's own proxy stand in front, with its name in ``origin``.
    """

    host: str = "127.0.0.1"
    port: int = 8440
    origin: str = "http://127.0.0.1:8440"
    certificate: Path | None = None
    key: Path | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ConfigError("port", "use 1 to 65535, or 0 for any that is free")
        parts = urlsplit(self.origin)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path:
            raise ConfigError("origin", "use a form like https://photos.hospital.example")
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise ConfigError("origin", "must begin with https:// beyond this machine")
        if (self.certificate is None) != (self.key is None):
            raise ConfigError("certificate", "goes together with web.key")
        if self.host not in _LOOPBACK and self.certificate is None:
            raise ConfigError("host", "beyond this machine web.certificate and web.key are needed")

    @property
    def secure(self) -> bool:
        return self.origin.startswith("https://")


@dataclass(frozen=True)
class PathSettings:
    """``state``, ``devices`` and ``beds`` are the gateway's; ``accounts``: people without OIDC."""

    state: Path = Path("state")
    devices: Path = Path("devices")
    beds: Path = Path("beds.csv")
    accounts: Path = Path("accounts.toml")


@dataclass(frozen=True)
class SessionSettings:
    """How long a person stays signed in: without a click, and at the longest."""

    idle_minutes: int = 20
    longest_hours: int = 10

    def __post_init__(self) -> None:
        for name, most in (("idle_minutes", 480), ("longest_hours", 24)):
            if not 1 <= getattr(self, name) <= most:
                raise ConfigError(name, f"use 1 to {most}")


@dataclass(frozen=True)
class ApiSettings:
    """How much one token may ask of the API: so many a second, and so many at once."""

    per_second: int = 10
    at_once: int = 200

    def __post_init__(self) -> None:
        for name, most in (("per_second", 1000), ("at_once", 10_000)):
            if not 1 <= getattr(self, name) <= most:
                raise ConfigError(name, f"use 1 to {most}")


@dataclass(frozen=True)
class OidcSettings:
    """The hospital's own sign-in (OpenID Connect Core 1.0, code flow with PKCE).

    ``groups_claim`` lists a person's groups; ``ward``, ``governance`` and ``fleet`` name the
    groups that have those roles. ``secret`` is a file that holds the client's secret.
    """

    issuer: str
    client_id: str
    secret: Path = Path("oidc.secret")
    groups_claim: str = "groups"
    ward: tuple[str, ...] = ()
    governance: tuple[str, ...] = ()
    fleet: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        parts = urlsplit(self.issuer)
        local = parts.scheme == "http" and parts.hostname in _LOOPBACK
        if not parts.hostname or not (parts.scheme == "https" or local):
            raise ConfigError("issuer", "must begin with https://")
        if not (self.ward or self.governance or self.fleet):
            raise ConfigError("ward", "name at least one group that may do something")

    def roles_of(self, groups: list[str]) -> frozenset[Role]:
        """Return the roles that these groups have."""
        named = {Role.WARD: self.ward, Role.GOVERNANCE: self.governance, Role.FLEET: self.fleet}
        return frozenset(role for role, known in named.items() if set(known) & set(groups))


@dataclass(frozen=True)
class ConsoleConfig:
    """The whole file. ``site`` is the hospital's name, as it stands on every page.

    ``store`` is what the gateway's own file says.
    """

    site: str = "Wardseal"
    web: WebSettings = field(default_factory=WebSettings)
    paths: PathSettings = field(default_factory=PathSettings)
    store: StoreSettings = field(default_factory=StoreSettings)
    session: SessionSettings = field(default_factory=SessionSettings)
    api: ApiSettings = field(default_factory=ApiSettings)
    oidc: OidcSettings | None = None


def load(path: Path) -> ConsoleConfig:
    """Read the console's file; ConfigError names the setting that is wrong."""
    return settings.load(path, ConsoleConfig)
