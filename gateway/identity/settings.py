"""The settings of identity: ``identity = "none"``, or a table."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from base.errors import ConfigError
from gateway.filing.settings import FhirSettings

_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class AdtSettings:
    """Where the hospital's interface engine connects. Beyond this machine it needs mutual TLS."""

    host: str = "127.0.0.1"
    port: int = 2575
    encoding: Literal["utf-8", "iso-8859-1", "iso-8859-15", "cp1252", "ascii"] = "utf-8"
    certificate: Path | None = None
    key: Path | None = None
    ca: Path | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ConfigError("port", "use 1 to 65535, or 0 for any that is free")
        given = [each is not None for each in (self.certificate, self.key, self.ca)]
        if any(given) and not all(given):
            raise ConfigError("certificate", "certificate, key and ca go together")
        if self.host not in _LOOPBACK and not all(given):
            raise ConfigError("host", "beyond this machine certificate, key and ca are needed")


@dataclass(frozen=True, kw_only=True)
class FhirSourceSettings(FhirSettings):
    """A FHIR server that knows patients, encounters and beds.

    ``location_system``: of the identifiers that name a bed as ``ward^room^bed``.
    """

    name: str = "patients"
    location_system: str
    timeout_seconds: int = 5


@dataclass(frozen=True)
class IdentitySettings:
    """Who names the patient: the wristband, confirmed by the bed.

    ``authority`` gives out the record numbers (PID-3.4, or a FHIR system); ``band_authorities``
    other identifiers that wristbands hold, such as GSRNs. ``band_pattern``: what a band that is
    no GS1 symbol must look like. ``zone``: of ADT times that name none. ``bed_alone = "file"``
    files without a band by the bed alone, and ``risk_owner`` is the person who answers for that.
    """

    authority: str
    band_pattern: str = "[0-9]{4,12}"
    band_authorities: tuple[str, ...] = ()
    zone: str = "UTC"
    bed_alone: Literal["hold", "file"] = "hold"
    risk_owner: str = ""
    csv: Path | None = None
    adt: AdtSettings | None = None
    fhir: FhirSourceSettings | None = None

    def __post_init__(self) -> None:
        if not self.authority.strip():
            raise ConfigError("authority", "name who gives out the record numbers")
        try:
            if re.compile(self.band_pattern).groups > 1:
                raise ConfigError("band_pattern", "use one group at most: the identifier")
        except re.error as e:
            raise ConfigError("band_pattern", f"is no regular expression: {e}") from e
        try:
            ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as e:
            raise ConfigError("zone", "use a name such as Europe/Berlin") from e
        if self.bed_alone == "file" and not self.risk_owner.strip():
            raise ConfigError("risk_owner", 'bed_alone = "file" needs the name of who answers')
        if self.bed_alone == "hold" and self.risk_owner:
            raise ConfigError("risk_owner", 'belongs to bed_alone = "file"')
