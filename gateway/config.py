"""The gateway's one TOML file. Relative paths are taken from the file's folder.

Nothing secret stands in the file itself. ``wardseal gateway run --config FILE`` reads it.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from base import settings
from base.errors import ConfigError, FormatError
from gateway.audit.settings import AuditSettings
from gateway.database import StoreSettings
from gateway.filing.settings import (
    DicomSettings,
    FhirSettings,
    Hl7Settings,
    ReportSettings,
    StorageSettings,
    check_names,
)
from gateway.identity.settings import IdentitySettings
from gateway.webhooks import settings as webhooks
from gateway.webhooks.settings import WebhookSettings
from wire.envelope import MAX_ENVELOPE
from wire.topics import check_name

_USER: Final = re.compile(r"(?=.*_)[a-z0-9_-]{1,64}\Z")
MIB: Final = 1024 * 1024


@dataclass(frozen=True)
class BrokerSettings:
    """The hospital's broker, by mutual TLS 1.3.

    ``user`` is client id, user name and certificate CN; its ``_`` keeps it apart from devices.
    """

    host: str
    port: int = 8883
    ca: Path = Path("ca.crt")
    certificate: Path = Path("tls.crt")
    key: Path = Path("tls.key")
    user: str = "wardseal_gateway"

    def __post_init__(self) -> None:
        if not 1 <= self.port <= 65535:
            raise ConfigError("port", "use 1 to 65535")
        if not _USER.match(self.user):
            raise ConfigError("user", "use a-z, 0-9, - and at least one _, so it is no device's")


@dataclass(frozen=True)
class PathSettings:
    """``state``: database, photos on their way in, sealed copies.

    ``devices`` is the registry of devices, ``beds`` that of where each of them hangs.
    """

    state: Path = Path("state")
    devices: Path = Path("devices")
    beds: Path = Path("beds.csv")

    @property
    def database(self) -> Path:
        return self.state / "gateway.db"

    @property
    def incoming(self) -> Path:
        return self.state / "incoming"

    @property
    def sealed(self) -> Path:
        return self.state / "sealed"

    @property
    def opened(self) -> Path:
        return self.state / "opened"


@dataclass(frozen=True)
class KeySettings:
    """``opening`` and ``receipt`` are private; ``root`` is the offline root's public key."""

    opening: Path = Path("opening.key")
    receipt: Path = Path("receipt.key")
    root: Path = Path("root.pub")
    keyset: Path = Path("keyset.cose")


@dataclass(frozen=True)
class FilingSettings:
    """``folder``: where photos are filed as ``<date>/<photo id>.jpg`` and ``.json``.

    ``report``: whether the ``.pdf`` follows a little later, is waited for, or is not made.
    """

    folder: Path = Path("record")
    report: Literal["later", "required", "none"] = "later"


@dataclass(frozen=True)
class WardOwner:
    """Who looks after a ward's part of the worklist."""

    ward: str
    owner: str


@dataclass(frozen=True)
class WorklistSettings:
    """Whose task an item is: the ward's owner's, else ``owner``'s; then ``escalate_to``'s."""

    owner: str = "clinical photography"
    wards: tuple[WardOwner, ...] = ()
    escalate_minutes: int = 60
    escalate_to: str = "information governance"

    def __post_init__(self) -> None:
        if not 1 <= self.escalate_minutes <= 10_080:
            raise ConfigError("escalate_minutes", "use 1 to 10080")
        for name in ("owner", "escalate_to"):
            if not 1 <= len(getattr(self, name)) <= 100:
                raise ConfigError(name, "name somebody, in 1 to 100 characters")

    def owner_of(self, ward: str) -> str:
        """Return whose task an item of this ward is at first."""
        return next((one.owner for one in self.wards if one.ward == ward), self.owner)


@dataclass(frozen=True)
class LimitSettings:
    """What one gateway takes on at a time, and for how long.

    ``credit``: chunks a device may have under way; ``waiting``: photos that wait to be opened;
    ``claim_seconds``: how long a transfer belongs to this replica without a sign of life;
    ``idle_seconds``: after how long in silence a transfer's disk space is taken back;
    ``keep_sealed_days``: how long the sealed copy of a filed photo is kept.
    """

    envelope_mib: int = 40
    megapixels: int = 24
    transfers: int = 64
    transfers_per_device: int = 4
    incoming_mib: int = 1024
    waiting: int = 64
    credit: int = 16
    claim_seconds: int = 120
    idle_seconds: int = 900
    decode_seconds: int = 10
    keep_sealed_days: int = 30

    def __post_init__(self) -> None:
        for name, most in (
            ("envelope_mib", MAX_ENVELOPE // MIB),
            ("megapixels", 200),
            ("transfers", 10_000),
            ("transfers_per_device", 64),
            ("incoming_mib", 1_000_000),
            ("waiting", 10_000),
            ("credit", 256),
            ("claim_seconds", 3600),
            ("idle_seconds", 86_400),
            ("decode_seconds", 120),
            ("keep_sealed_days", 36_500),
        ):
            if not 1 <= getattr(self, name) <= most:
                raise ConfigError(name, f"use 1 to {most}")
        if self.incoming_mib < self.envelope_mib:
            raise ConfigError("incoming_mib", "must hold at least one photo of envelope_mib")


@dataclass(frozen=True)
class GatewayConfig:
    """The whole file. ``name`` tells replicas apart; ``identity`` says who names the patient."""

    broker: BrokerSettings
    name: str = "gateway"
    identity: Literal["none"] | IdentitySettings = "none"
    paths: PathSettings = field(default_factory=PathSettings)
    store: StoreSettings = field(default_factory=StoreSettings)
    keys: KeySettings = field(default_factory=KeySettings)
    filing: FilingSettings = field(default_factory=FilingSettings)
    worklist: WorklistSettings = field(default_factory=WorklistSettings)
    report: ReportSettings = field(default_factory=ReportSettings)
    fhir: tuple[FhirSettings, ...] = ()
    dicom: tuple[DicomSettings, ...] = ()
    hl7: tuple[Hl7Settings, ...] = ()
    storage: tuple[StorageSettings, ...] = ()
    webhook: tuple[WebhookSettings, ...] = ()
    audit: AuditSettings = field(default_factory=AuditSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)

    def __post_init__(self) -> None:
        try:
            check_name(self.name, "name")
        except FormatError as e:
            raise ConfigError("name", str(e)) from e
        if self.name == "any":
            raise ConfigError("name", "'any' is the topic that all gateways hear")
        systems = (self.fhir, self.dicom, self.hl7, self.storage)
        check_names([one.name for kind in systems for one in kind])
        webhooks.check_names(self.webhook)


def load(path: Path) -> GatewayConfig:
    """Read the gateway's file; ConfigError names the setting that is wrong."""
    return settings.load(path, GatewayConfig)
