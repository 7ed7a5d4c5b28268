"""Where the audit goes besides the FHIR servers: one syslog server (ATNA)."""

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

from base.errors import ConfigError

_PORTS: Final = {"tls": 6514, "udp": 514}


@dataclass(frozen=True, kw_only=True)
class AuditSettings:
    """``syslog``: ``tls://HOST[:6514]``, ``udp://HOST[:514]`` or ``unix:///PATH``; empty: none.

    ``ca``: trust this authority instead of the system's. ``certificate`` and ``key``: show them
    (mutual TLS). ``plain``: allow UDP beyond this machine, where anybody on the way reads it.
    """

    syslog: str = ""
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    plain: bool = False
    timeout_seconds: int = 30

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise ConfigError("certificate", "certificate and key go together")
        if not 1 <= self.timeout_seconds <= 120:
            raise ConfigError("timeout_seconds", "use 1 to 120")
        if not self.syslog:
            return
        parts = _parts(self.syslog)
        if parts.scheme == "unix":
            if parts.netloc or not parts.path.startswith("/"):
                raise ConfigError("syslog", "use a form like unix:///run/systemd/journal/syslog")
        elif parts.scheme not in _PORTS or not parts.hostname or parts.path not in ("", "/"):
            raise ConfigError("syslog", "use tls://HOST:6514, udp://HOST:514 or unix:///PATH")
        elif parts.scheme == "udp" and not self.plain and not _is_here(parts.hostname):
            raise ConfigError(
                "syslog", "UDP shows who looked at whom to the net: use tls://, or set plain = true"
            )

    @property
    def name(self) -> str:
        """What errors call this table."""
        return "audit"

    @property
    def kind(self) -> str:
        """``tls``, ``udp`` or ``unix``."""
        return _parts(self.syslog).scheme

    @property
    def host(self) -> str:
        """The server's name or address; empty for a socket of this machine."""
        return _parts(self.syslog).hostname or ""

    @property
    def port(self) -> int:
        """The server's port."""
        parts = _parts(self.syslog)
        return parts.port or _PORTS[parts.scheme]

    @property
    def path(self) -> str:
        """The socket's path."""
        return _parts(self.syslog).path


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as e:
        raise ConfigError("syslog", f"{url!r} is no address, such as tls://logs:6514") from e
    return parts


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
