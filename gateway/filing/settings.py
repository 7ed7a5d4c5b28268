"""The settings of the record systems: one TOML section each, and any number of each kind.

[[fhir]]
url = "https://fhir.example/r4"
required = true
"""

import re
import zoneinfo
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from base.errors import ConfigError

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}\Z")
_UID_ROOT: Final = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+\Z")
_URI: Final = re.compile(r"(urn:[A-Za-z0-9]|https?://[A-Za-z0-9])[A-Za-z0-9._:/#-]*\Z")
_LONGEST_ROOT: Final = 64 - 40  # UIDs have 64 characters; a UUID under 2.25 takes up to 39
_MLLP_PORTS: Final = (1, 65535)


@dataclass(frozen=True)
class ReportSettings:
    """How the PDF reports look: language, the time zone of their times, who they are from."""

    language: Literal["en", "de", "fr", "es"] = "en"
    zone: str = "UTC"
    organization: str = ""

    def __post_init__(self) -> None:
        try:
            zoneinfo.ZoneInfo(self.zone)
        except (ValueError, OSError) as e:  # ZoneInfoNotFoundError is a KeyError on some systems
            raise ConfigError("zone", f"{self.zone!r} is no time zone, such as Europe/Paris") from e
        except KeyError as e:
            raise ConfigError("zone", f"{self.zone!r} is no time zone, such as Europe/Paris") from e


@dataclass(frozen=True, kw_only=True)
class PeerSettings:
    """Another system that is reached by HTTPS (HTTP on this machine only).

    ``ca``: trust this authority instead of the system's. ``certificate`` and ``key``: show them
    (mutual TLS). ``token``: a file with a bearer token.
    """

    url: str
    name: str
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    token: Path | None = None
    timeout_seconds: int = 30

    def __post_init__(self) -> None:
        _check_name(self.name)
        _check_url(self.url)
        if (self.certificate is None) != (self.key is None):
            raise ConfigError("certificate", "certificate and key go together")
        if not 1 <= self.timeout_seconds <= 300:
            raise ConfigError("timeout_seconds", "use 1 to 300")


@dataclass(frozen=True, kw_only=True)
class WebSettings(PeerSettings):
    """A record system; ``required``: FILED waits for it."""

    required: bool = False


@dataclass(frozen=True, kw_only=True)
class FhirSettings(WebSettings):
    """A FHIR R4 server; ``url`` is its base.

    ``client_id``, ``client_key`` (a private P-384 or RSA key, PEM) and ``token_url``: SMART
    Backend Services; ``key_id`` is what the server calls the key. ``photo_as``: what the JPEG
    becomes. ``report``: put the PDF beside it. ``namespace``: the system of our identifiers,
    ``badge_system`` that of the staff's badges, ``organization`` who keeps the record.
    """

    name: str = "fhir"
    client_id: str = ""
    client_key: Path | None = None
    key_id: str = ""
    token_url: str = ""
    scope: str = "system/*.read system/*.write"
    photo_as: Literal["DocumentReference", "Media"] = "DocumentReference"
    report: bool = True
    namespace: str = "urn:wardseal"
    badge_system: str = "urn:wardseal:badge"
    organization: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        smart = (bool(self.client_id), self.client_key is not None, bool(self.token_url))
        if any(smart) and not all(smart):
            raise ConfigError("client_id", "client_id, client_key and token_url go together")
        if any(smart) and self.token is not None:
            raise ConfigError("token", "use either a token or client_id and its key")
        if self.token_url:
            _check_url(self.token_url, "token_url")
        for setting in ("namespace", "badge_system"):
            if not _URI.match(getattr(self, setting)):
                raise ConfigError(setting, "must be a URI, such as https://hospital.example/photo")


@dataclass(frozen=True, kw_only=True)
class DicomSettings(WebSettings):
    """A DICOMweb server; ``url`` is what ``/studies`` is appended to.

    ``uid_root``: the site's own root for UIDs (default: UUIDs under 2.25). ``report``: store the
    PDF as well. ``reject_undone``: an objection rejects the images, as for reasons of quality.
    """

    name: str = "dicom"
    report: bool = True
    reject_undone: bool = False
    uid_root: str = "2.25"
    institution: str = ""
    station: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not _UID_ROOT.match(self.uid_root) or len(self.uid_root) > _LONGEST_ROOT:
            raise ConfigError("uid_root", f"use a UID of at most {_LONGEST_ROOT} characters")
        for setting, most in (("institution", 64), ("station", 16)):
            if len(getattr(self, setting)) > most or "\\" in getattr(self, setting):
                raise ConfigError(setting, f"use at most {most} characters and no backslash")


@dataclass(frozen=True, kw_only=True)
class Hl7Settings:
    """An HL7 v2 receiver of MDM messages, over MLLP.

    ``ca``: speak TLS and trust this authority; without it only a receiver on this machine, or
    one that ``plain = true`` allows. ``sending``, ``receiving``: application and facility.
    """

    host: str
    port: int
    name: str = "hl7"
    required: bool = False
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    plain: bool = False
    sending: tuple[str, str] = ("WARDSEAL", "")
    receiving: tuple[str, str] = ("", "")
    timeout_seconds: int = 30

    def __post_init__(self) -> None:
        _check_name(self.name)
        low, high = _MLLP_PORTS
        if not low <= self.port <= high:
            raise ConfigError("port", f"use {low} to {high}")
        if (self.certificate is None) != (self.key is None):
            raise ConfigError("certificate", "certificate and key go together")
        if self.ca is None and not self.plain and not _is_here(self.host):
            raise ConfigError(
                "ca", "is needed for TLS; a receiver that has none needs plain = true"
            )
        if not 1 <= self.timeout_seconds <= 300:
            raise ConfigError("timeout_seconds", "use 1 to 300")


@dataclass(frozen=True, kw_only=True)
class StorageSettings:
    """An object store that OpenDAL reaches, such as S3, Azure Blob, WebDAV.

    ``bucket``: or container, or folder. What is secret goes into ``secrets``, a TOML file of more
    of OpenDAL's options that nobody else may read. ``regions``: the only ones that may be named,
    and ``region`` must be one. ``content``: the photo as it was sealed, or the opened JPEG.
    """

    service: Literal["s3", "azblob", "gcs", "webdav", "fs"]
    content: Literal["sealed", "opened"]
    regions: tuple[str, ...]
    region: str
    name: str = "storage"
    required: bool = False
    bucket: str = ""
    endpoint: str = ""
    prefix: str = ""
    secrets: Path | None = None
    timeout_seconds: int = 60

    def __post_init__(self) -> None:
        _check_name(self.name)
        if self.region not in self.regions:
            allowed = ", ".join(self.regions) or "none"
            raise ConfigError("region", f"{self.region!r} is not one of regions ({allowed})")
        if self.required and self.content == "sealed":
            raise ConfigError("required", "a store of sealed photos follows; use content = opened")
        if self.endpoint:
            _check_url(self.endpoint, "endpoint")
        if self.prefix.startswith("/") or ".." in self.prefix.split("/"):
            raise ConfigError("prefix", "must not begin with / or lead upwards")
        if not 1 <= self.timeout_seconds <= 600:
            raise ConfigError("timeout_seconds", "use 1 to 600")


def check_names(names: list[str]) -> None:
    """Raise ConfigError unless every record system has a name of its own."""
    for name in names:
        if names.count(name) > 1 or name in {"folder", "folder-report"}:
            raise ConfigError("name", f"{name!r} names two record systems; give each its own")


def _check_name(name: str) -> None:
    if not _NAME.match(name):
        raise ConfigError("name", "use at most 32 of a-z, 0-9 and -")


def _check_url(url: str, setting: str = "url") -> None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as e:
        raise ConfigError(setting, f"{url!r} is no URL") from e
    if not host or parts.scheme not in {"http", "https"}:
        raise ConfigError(setting, f"{url!r} is no https:// URL")
    if parts.username or parts.password:
        raise ConfigError(setting, "must not hold a password; use a file")
    if parts.query or parts.fragment:
        raise ConfigError(setting, "must have no ? and no #")
    if parts.scheme == "http" and not _is_here(host):
        raise ConfigError(setting, f"must be https://; http:// would show photos to {host}'s net")


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
