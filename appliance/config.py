"""The device's one TOML file, read by all three roles; each uses its own part.

Relative paths are taken from the file's folder. Nothing secret stands in the file itself.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, time
from pathlib import Path
from typing import Literal

from appliance.quality import Thresholds
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
    def no_room(self) -> Path:
        """Exists while a simulated ward's RAM is full (hardware.adapter = "simulated" only)."""
        return self.run / "no_room"

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

    ``rotation``: 180 for a camera that hangs upside down; pictures are turned, never mirrored.

    ``cipher``: ``chacha20-poly1305`` for boards without AES instructions (docs/bench.md).
    """

    adapter: Literal["picamera2", "simulated"] = "picamera2"
    width: int = 4056
    height: int = 3040
    quality: int = 92
    cipher: Literal["aes-256-gcm", "chacha20-poly1305"] = "aes-256-gcm"
    deadline_seconds: float = 4.0
    rotation: Literal[0, 180] = 0

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
class CodeSettings:
    r"""The shapes of the site's wristbands and badges, as regular expressions for the whole code.

    ``..._gsrn``: for the 18 digits of a GS1 symbol with AI 8018 (patient) or 8017 (staff); give
    the hospital's GS1 prefix (``400638\d{12}``), and the bands of others are not read.
    ``..._text``: for the whole text of any other Code 128, DataMatrix or QR code, such as the
    hospital's patient number (``M\d{8}``). Empty: there are none of that kind.
    """

    band_gsrn: str = r"\d{18}"
    band_text: str = ""
    badge_gsrn: str = r"\d{18}"
    badge_text: str = ""

    def __post_init__(self) -> None:
        for name, pattern in vars(self).items():
            try:
                fits_nothing = re.compile(pattern).fullmatch("") is not None
            except re.error as e:
                raise ConfigError(name, f"is not a regular expression: {e}") from e
            if pattern and fits_nothing:
                raise ConfigError(name, "fits a code without any character; say how long one is")


@dataclass(frozen=True)
class HardwareSettings:
    """Buttons, lamp, buzzer (GPIO numbers, BCM) and the OLED, as wired.

    The foot switch lies on ``capture_pin``, beside the button. ``oled_dc_pin`` and
    ``oled_reset_pin`` are two more wires of an OLED on SPI; on I2C they are free.
    """

    adapter: Literal["gpio", "simulated"] = "gpio"
    consent_pin: int = 17
    capture_pin: int = 27
    lamp_pin: int = 22
    buzzer_pin: int = 23
    oled_driver: Literal["ssd1309", "ssd1306", "sh1106"] = "ssd1309"
    oled_bus: Literal["i2c", "spi"] = "i2c"
    oled_port: int = 1
    oled_address: int = 0x3C
    oled_dc_pin: int = 24
    oled_reset_pin: int = 25

    def __post_init__(self) -> None:
        if not 0 <= self.oled_port <= 255:
            raise ConfigError("oled_port", "use the bus's number: 1 for /dev/i2c-1")
        if not 0x08 <= self.oled_address <= 0x77:
            raise ConfigError("oled_address", "use 0x3C, or 0x3D where its jumper is set")
        taken = {pin: f"{whose}, so leave it free" for pin, whose in self._reserved()}
        for name in self._wires():
            pin = getattr(self, name)
            if not 0 <= pin <= 27:
                raise ConfigError(name, "use a GPIO number, 0 to 27, not the number of the contact")
            if pin in taken:
                raise ConfigError(name, f"GPIO {pin} {taken[pin]}")
            taken[pin] = f"is {name} already; each needs one of its own"

    def _wires(self) -> tuple[str, ...]:
        wires = ("consent_pin", "capture_pin", "lamp_pin", "buzzer_pin")
        return wires if self.oled_bus == "i2c" else (*wires, "oled_dc_pin", "oled_reset_pin")

    def _reserved(self) -> Iterator[tuple[int, str]]:
        """The pins that a Pi, or the OLED's bus, has another use for."""
        bus = {
            ("i2c", 0): (0, 1),
            ("i2c", 1): (2, 3),
            ("spi", 0): (7, 8, 9, 10, 11),
            ("spi", 1): (18, 19, 20, 21),
        }
        yield from ((pin, "tells the Pi which boards sit on it") for pin in (0, 1))
        yield from ((pin, "is the serial port") for pin in (14, 15))
        name = f"{self.oled_bus.upper()} {self.oled_port}"
        lines = bus.get((self.oled_bus, self.oled_port), ())
        yield from ((pin, f"belongs to the OLED's bus ({name})") for pin in lines)


@dataclass(frozen=True)
class NightSettings:
    """From ``begin`` to ``end`` ("21:30", the device's local time) the screen is dim and the
    buzzer quiet; both empty: never. A device that does not know the time has no night."""

    begin: str = ""
    end: str = ""

    def __post_init__(self) -> None:
        for name in ("begin", "end"):
            text = getattr(self, name)
            if bool(text) != bool(self.begin or self.end):
                raise ConfigError(name, "is missing: a night has a begin and an end")
            if text:
                _time_of_day(name, text)

    def covers(self, at: time) -> bool:
        """Whether it is night at this time of day."""
        if not self.begin:
            return False
        begin, end = _time_of_day("begin", self.begin), _time_of_day("end", self.end)
        return begin <= at < end if begin <= end else at >= begin or at < end


def _time_of_day(name: str, text: str) -> time:
    try:
        return datetime.strptime(text, "%H:%M").time()  # noqa: DTZ007
    except ValueError as e:
        raise ConfigError(name, f'{text!r} is no time of day: write "21:30"') from e


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
    codes: CodeSettings = field(default_factory=CodeSettings)
    quality: Thresholds = field(default_factory=Thresholds)
    hardware: HardwareSettings = field(default_factory=HardwareSettings)
    night: NightSettings = field(default_factory=NightSettings)
    spool: SpoolSettings = field(default_factory=SpoolSettings)


def load(path: Path) -> ApplianceConfig:
    """Read the device's file; ConfigError names the setting that is wrong."""
    return settings.load(path, ApplianceConfig)
