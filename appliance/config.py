"""The device's one TOML file, read by all three roles; each uses its own part.

Relative paths are taken from the file's folder. Nothing secret stands in the file itself.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from base import settings
from base.errors import ConfigError, FormatError
from wire.envelope import AES_256_GCM, CHACHA20_POLY1305
from wire.topics import check_name


@dataclass(frozen=True)
class DeviceSettings:
    """Who this device is: its id (also MQTT user and certificate CN), its bed, its language."""

    id: str
    bed: str = ""
    language: Literal["en", "de", "fr", "es"] = "en"

    def __post_init__(self) -> None:
        try:
            check_name(self.id)
        except FormatError as e:
            raise ConfigError("id", str(e)) from e


@dataclass(frozen=True)
class PathSettings:
    """``run`` must be a tmpfs: it holds sealed photos. ``state`` is on disk: ledger, keyset."""

    run: Path = Path("/run/wardseal")
    state: Path = Path("/var/lib/wardseal")
    boot_id: Path = Path("/proc/sys/kernel/random/boot_id")
    production: Path = Path("/etc/wardseal/production")
    """Exists on a production image only; simulated parts refuse to run beside it."""

    @property
    def sealing(self) -> Path:
        return self.run / "sealing"

    @property
    def outbox(self) -> Path:
        return self.run / "outbox"

    @property
    def mailbox(self) -> Path:
        return self.run / "mailbox"

    @property
    def ledger(self) -> Path:
        return self.state / "ledger"

    @property
    def tidemark(self) -> Path:
        """How far the ledger is durable; see ``appliance.tidemark``."""
        return self.run / "ledger.mark"

    @property
    def darkroom_socket(self) -> Path:
        return self.run / "darkroom.sock"

    @property
    def panel_bell(self) -> Path:
        return self.run / "panel.bell"

    @property
    def uplink_bell(self) -> Path:
        """In the uplink's own room: it may make nothing elsewhere in ``run``."""
        return self.mailbox / "uplink.bell"

    @property
    def world_socket(self) -> Path:
        """Where the simulated ward is driven from (hardware.adapter = "simulated" only)."""
        return self.run / "world.sock"

    @property
    def world(self) -> Path:
        """What the simulated camera sees, and how it fails (camera.adapter = "simulated")."""
        return self.run.parent / "world" / "camera.toml"

    @property
    def wall_shift(self) -> Path:
        """By how much a simulated clock is wrong (hardware.adapter = "simulated" only)."""
        return self.run.parent / "world" / "clock"


@dataclass(frozen=True)
class KeySettings:
    """``signing`` is read by the panel only; the others are public."""

    signing: Path = Path("device.key")
    public: Path = Path("device.pub")
    root: Path = Path("root.pub")
    keyset: Path = Path("keyset.cose")


@dataclass(frozen=True)
class BrokerSettings:
    """The hospital's broker, by mutual TLS 1.3; read by the uplink only."""

    host: str
    ca: Path = Path("ca.crt")
    certificate: Path = Path("tls.crt")
    key: Path = Path("tls.key")
    port: int = 8883


@dataclass(frozen=True)
class WindowSettings:
    """``release_seconds``: how long UNDO can still mean "never sent"."""

    release_seconds: float = 5.0

    def __post_init__(self) -> None:
        if not 0 <= self.release_seconds <= 60:
            raise ConfigError("release_seconds", "use 0 to 60 seconds")


@dataclass(frozen=True)
class CameraSettings:
    """Which camera, its full size in pixels (even numbers), and the JPEG quality (50 to 98).

    ``cipher``: ``chacha20-poly1305`` for boards without AES instructions (docs/bench.md).
    """

    adapter: Literal["picamera2", "simulated"] = "picamera2"
    width: int = 4056
    height: int = 3040
    quality: int = 92
    cipher: Literal["aes-256-gcm", "chacha20-poly1305"] = "aes-256-gcm"
    deadline_seconds: float = 4.0

    @property
    def content_alg(self) -> int:
        """The COSE number of ``cipher``."""
        return AES_256_GCM if self.cipher == "aes-256-gcm" else CHACHA20_POLY1305

    def __post_init__(self) -> None:
        for name, value in (("width", self.width), ("height", self.height)):
            if not 64 <= value <= 16384 or value % 2:
                raise ConfigError(name, "use an even number of pixels, 64 to 16384")
        if not 50 <= self.quality <= 98:
            raise ConfigError("quality", "use 50 to 98")
        if not 0.5 <= self.deadline_seconds <= 60:
            raise ConfigError("deadline_seconds", "use 0.5 to 60 seconds")


@dataclass(frozen=True)
class HardwareSettings:
    """Buttons, lamp, buzzer (GPIO numbers, BCM) and the OLED, as wired."""

    adapter: Literal["gpio", "simulated"] = "gpio"
    consent_pin: int = 17
    capture_pin: int = 27
    lamp_pin: int = 22
    buzzer_pin: int = 23
    oled_driver: Literal["ssd1309", "ssd1306", "sh1106"] = "ssd1309"
    oled_bus: Literal["i2c", "spi"] = "i2c"
    oled_port: int = 1
    oled_address: int = 0x3C


@dataclass(frozen=True)
class SpoolSettings:
    """How much sealed photo the device may hold, in MiB, and what one photo is reckoned at."""

    capacity_mib: int = 256
    photo_mib: int = 8


@dataclass(frozen=True)
class ApplianceConfig:
    """The whole file."""

    device: DeviceSettings
    broker: BrokerSettings
    paths: PathSettings = field(default_factory=PathSettings)
    keys: KeySettings = field(default_factory=KeySettings)
    window: WindowSettings = field(default_factory=WindowSettings)
    camera: CameraSettings = field(default_factory=CameraSettings)
    hardware: HardwareSettings = field(default_factory=HardwareSettings)
    spool: SpoolSettings = field(default_factory=SpoolSettings)


def load(path: Path) -> ApplianceConfig:
    """Read the device's file; ConfigError names the setting that is wrong."""
    return settings.load(path, ApplianceConfig)
