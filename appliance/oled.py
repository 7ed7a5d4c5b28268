"""The OLED itself: luma.oled's drivers on a wire that may break and be mended.

The driver is made once and without any hardware: what it sends to set the panel up is only
noted, and sent when the bus can be opened. When a picture cannot be shown the bus is dropped
and tried again every ``RETRY``; a panel that comes back has forgotten everything, so it is set
up anew each time. Until then ``broken`` is true, and the session takes no new consent.
(Making a new driver each time would also do, but each one stays in memory until the process
ends, because it registers itself to be switched off then.)

Times are nanoseconds of ``clock``.
"""

import logging
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, Final, Protocol

from PIL import Image

from base import nodes
from base.errors import ConfigError, EnvironmentProblem

log = logging.getLogger(__name__)

DRIVERS: Final = ("ssd1309", "ssd1306", "sh1106")
RETRY: Final = 2_000_000_000
BRIGHT: Final = 0xCF
DIM: Final = 0x10


class Bus(Protocol):
    """What luma sends to: an I2C or SPI interface of ``luma.core.interface.serial``."""

    def command(self, *commands: int) -> None: ...

    def data(self, data: list[int]) -> None: ...

    def cleanup(self) -> None: ...


class _Wire:
    """Stands between the driver and the bus: notes the set-up, then passes everything on."""

    def __init__(self) -> None:
        self._setup: list[tuple[int, ...]] | None = []
        self._noted: tuple[tuple[int, ...], ...] = ()
        self._bus: Bus | None = None

    @property
    def connected(self) -> bool:
        return self._bus is not None

    def command(self, *commands: int) -> None:
        if self._setup is not None:
            self._setup.append(commands)
        elif self._bus is not None:
            self._bus.command(*commands)

    def data(self, data: list[int]) -> None:
        if self._bus is not None:
            self._bus.data(data)

    def cleanup(self) -> None:
        if self._bus is not None:
            self._bus.cleanup()

    def noted(self) -> None:
        """The driver is made: from now on nothing is noted any more."""
        self._noted, self._setup = tuple(self._setup or ()), None

    def connect(self, open_bus: Callable[[], Bus]) -> None:
        bus = open_bus()
        for commands in self._noted:
            bus.command(*commands)
        self._bus = bus

    def drop(self) -> None:
        bus, self._bus = self._bus, None
        if bus is not None:
            try:
                bus.cleanup()
            except OSError as e:
                log.debug("the bus could not be closed either: %s", e)


class _Pixels:
    """A picture as luma's drivers read it: one value a pixel, row by row.

    They ask the picture itself by ``getdata``, which Pillow 14 no longer has.
    """

    def __init__(self, picture: Image.Image) -> None:
        self._levels = picture.convert("L").tobytes()

    def getdata(self) -> bytes:
        return self._levels


def _driver(name: str) -> Any:
    from luma.oled import device

    base: Any = getattr(device, name)

    class Driver(base):  # type: ignore[misc]  # luma publishes no types
        def preprocess(self, image: Image.Image) -> _Pixels:
            return _Pixels(super().preprocess(image))

    return Driver


class Oled:
    """A 128 x 64 panel. ``driver``: one of ``DRIVERS``; ``open_bus`` may be called many times."""

    def __init__(self, driver: str, open_bus: Callable[[], Bus], clock: Callable[[], int]) -> None:
        from luma.core import error

        if driver not in DRIVERS:
            raise ConfigError("oled_driver", f"use one of {', '.join(DRIVERS)}")
        self._fails: tuple[type[Exception], ...] = (OSError, error.Error)
        self._open_bus = open_bus
        self._clock = clock
        self._wire = _Wire()
        self._device: Any = _driver(driver)(self._wire)
        self._wire.noted()
        self._retry = 0
        self._bright = BRIGHT
        self._told = False
        self.broken = True

    def show(self, picture: Image.Image, *, dim: bool = False) -> None:
        """Show ``picture`` (one bit, 128 x 64); when that fails, ``broken`` says so."""
        if self.broken and self._clock() < self._retry:
            return
        try:
            if not self._wire.connected:
                self._wire.connect(self._open_bus)
                self._bright = BRIGHT
            self._device.display(picture)
            bright = DIM if dim else BRIGHT
            if bright != self._bright:
                self._device.contrast(bright)
                self._bright = bright
        except self._fails as e:
            if not self._told:
                log.error("the screen does not answer: %s", e)
            self._told = True
            self._wire.drop()
            self._retry = self._clock() + RETRY
            self.broken = True
        else:
            self.broken = self._told = False

    def deadline(self) -> int | None:
        """When a broken panel is worth another try."""
        return self._retry if self.broken else None

    def close(self) -> None:
        """Darken the panel, as far as it answers, and let the bus go."""
        try:
            self._device.hide()
        except self._fails as e:
            log.debug("the screen stays as it is: %s", e)
        self._wire.drop()


def _look_for(node: str, kind: str) -> None:
    """Say of a bus what luma does not: whose leave is missing, and which rule gives it."""
    if found := nodes.trouble(node, f"switch it on: raspi-config nonint do_{kind} 0"):
        raise OSError(f"{found.says}. {found.mend}")


def i2c(port: int, address: int) -> Callable[[], Bus]:
    """Return what opens the panel at ``address`` on ``/dev/i2c-<port>``."""

    def open_bus() -> Bus:
        from luma.core.interface.serial import i2c as luma_i2c

        _look_for(f"dev/i2c-{port}", "i2c")
        bus: Bus = luma_i2c(port=port, address=address)
        return bus

    return open_bus


def spi(
    port: int, factory: Any, *, dc_pin: int, reset_pin: int, spidev: Any = None
) -> Callable[[], Bus]:
    """Return what opens the panel on ``/dev/spidev<port>.0``; two of its lines are pins.

    ``spidev``: an ``SpiDev`` in place of the kernel's, for a panel that is simulated. On SPI a
    panel never answers: one that was unplugged is not noticed (docs/decisions/0027).
    """
    if spidev is None and find_spec("spidev") is None:
        raise EnvironmentProblem(
            "the package spidev is missing, without which no OLED on SPI can be driven: install"
            " python3-spidev, or wire the OLED to I2C (hardware.oled_bus)"
        )
    return lambda: _SpiBus(port, factory, dc_pin, reset_pin, spidev)


class _SpiBus:
    """luma's SPI with the panel's two pins, which luma lets go only if they are its own."""

    def __init__(self, port: int, factory: Any, dc_pin: int, reset_pin: int, spidev: Any) -> None:
        from luma.core.interface.serial import spi as luma_spi

        if spidev is None:
            _look_for(f"dev/spidev{port}.0", "spi")
        self._lines = _Lines(factory)
        try:
            self._spi: Any = luma_spi(
                spi=spidev,
                port=port,
                device=0,
                gpio=self._lines,
                gpio_DC=dc_pin,
                gpio_RST=reset_pin,
            )
        except BaseException:
            self._lines.cleanup()
            raise

    def command(self, *commands: int) -> None:
        self._spi.command(*commands)

    def data(self, data: list[int]) -> None:
        self._spi.data(data)

    def cleanup(self) -> None:
        self._lines.cleanup()
        self._spi.cleanup()


class _Lines:
    """gpiozero pins in the shape of RPi.GPIO, which is all that luma knows."""

    LOW, HIGH, OUT = 0, 1, 0

    def __init__(self, factory: Any) -> None:
        self._factory = factory
        self._pins: dict[int, Any] = {}

    def setup(self, pin: int, _direction: int) -> None:
        from gpiozero import DigitalOutputDevice

        self._pins[pin] = DigitalOutputDevice(pin, pin_factory=self._factory)

    def output(self, pin: int, value: int) -> None:
        self._pins[pin].value = value

    def cleanup(self) -> None:
        for pin in self._pins.values():
            pin.close()
        self._pins.clear()
