"""A simulated OLED: the controller chip behind the bus, down to its picture memory.

luma's own driver and its own I2C and SPI code talk to it; only the wire is ours. It understands the
commands of the SSD1306/SSD1309 and of the SH1106 data sheets as far as a 128 x 64 panel needs
them, keeps its memory as the chip does, forgets it when its power goes, and can stop answering.
"""

import errno
from collections.abc import Callable
from typing import Any, Final

from PIL import Image

from appliance import oled
from appliance.oled import Bus

WIDTH: Final = 128
HEIGHT: Final = 64
ADDRESS: Final = 0x3C
_PAGES: Final = HEIGHT // 8

_COMMAND, _DATA = 0x00, 0x40
_ARGUMENTS: Final = {0x20: 1, 0x21: 2, 0x22: 2} | dict.fromkeys(
    (0x81, 0x8D, 0xA8, 0xAD, 0xD3, 0xD5, 0xD9, 0xDA, 0xDB), 1
)
"""How many bytes follow a command."""


class SimulatedPanel:
    """The glass and its chip. ``driver`` as in ``appliance.oled``; an SH1106 has 132 columns."""

    def __init__(self, driver: str = "ssd1309") -> None:
        self._sh1106 = driver == "sh1106"
        self._columns = 132 if self._sh1106 else WIDTH
        self.answers = True
        self.power_off()

    def power_off(self) -> None:
        """Take its power away for a moment: dark, and everything forgotten."""
        self._memory = bytearray(self._columns * _PAGES)
        self._page_mode = True
        self._column = self._page = 0
        self._column_range = (0, self._columns - 1)
        self._page_range = (0, _PAGES - 1)
        self._remapped = self._reversed = self._inverted = False
        self.on = False
        self.contrast = 0x7F
        self._seen: bytes | None = None

    # -- what one sees

    @property
    def pixels(self) -> bytes:
        """What the glass shows: 1024 bytes, row by row, most significant bit first."""
        if self._seen is None:
            self._seen = self._look()
        return self._seen

    def _look(self) -> bytes:
        out = bytearray(WIDTH * HEIGHT // 8)
        if not self.on:
            return bytes(out)
        first = (self._columns - WIDTH) // 2
        for y in range(HEIGHT):
            # Modules are built so that "remapped" and "reversed" is upright.
            row = y if self._reversed else HEIGHT - 1 - y
            base = row // 8 * self._columns + first
            columns = self._memory[base : base + WIDTH]
            bits = 0
            for column in columns if self._remapped else reversed(columns):
                bits = bits << 1 | (column >> row % 8 & 1) ^ self._inverted
            out[y * 16 : y * 16 + 16] = bits.to_bytes(16, "big")
        return bytes(out)

    @property
    def picture(self) -> Image.Image:
        """The same as a one-bit picture."""
        return Image.frombytes("1", (WIDTH, HEIGHT), self.pixels)

    # -- the bus, as smbus2 has it

    def open_bus(self) -> Bus:
        """Return luma's I2C interface with this panel at the other end."""
        from luma.core.interface.serial import i2c

        self._check()
        bus: Bus = i2c(bus=self, address=ADDRESS)
        return bus

    def open_spi(self, factory: Any, *, dc_pin: int, reset_pin: int) -> Callable[[], Bus]:
        """Return what opens luma's SPI interface with this panel at the other end.

        ``factory``: the simulated ward's, on whose pins the panel's two other wires hang.
        """
        wire = _SpiWire(self, factory.pin(dc_pin))
        return oled.spi(0, factory, dc_pin=dc_pin, reset_pin=reset_pin, spidev=wire)

    def take_spi(self, data: list[int], *, is_data: bool) -> None:
        """Take one write over SPI; nobody ever answers there, so nothing fails."""
        if not self.answers:
            return
        self._seen = None
        if is_data:
            for byte in data:
                self._store(byte)
        else:
            self._commands(list(data))

    def write_i2c_block_data(self, address: int, register: int, data: list[int]) -> None:
        """Take one write, as ``smbus2.SMBus`` does; OSError when nobody answers."""
        self._check()
        self._seen = None
        if address != ADDRESS:
            raise OSError(errno.EREMOTEIO, "no such device")
        if register == _COMMAND:
            self._commands(list(data))
        elif register == _DATA:
            for byte in data:
                self._store(byte)

    def _check(self) -> None:
        if not self.answers:
            raise OSError(errno.EREMOTEIO, "Remote I/O error")

    # -- the chip

    def _commands(self, sent: list[int]) -> None:
        while sent:
            command = sent.pop(0)
            count = _ARGUMENTS.get(command, 0)
            arguments, sent = sent[:count], sent[count:]
            self._command(command, arguments)

    def _command(self, command: int, arguments: list[int]) -> None:
        match command:
            case 0x81:
                self.contrast = arguments[0]
            case 0x20 if not self._sh1106:
                self._page_mode = arguments[0] == 0b10
            case 0x21 if not self._sh1106:
                self._column_range = (arguments[0], arguments[1])
                self._column = arguments[0]
            case 0x22 if not self._sh1106:
                self._page_range = (arguments[0], arguments[1])
                self._page = arguments[0]
            case 0xA0 | 0xA1:
                self._remapped = command == 0xA1
            case 0xA6 | 0xA7:
                self._inverted = command == 0xA7
            case 0xAE | 0xAF:
                self.on = command == 0xAF
            case 0xC0 | 0xC8:
                self._reversed = command == 0xC8
            case _:
                self._address(command)

    def _address(self, command: int) -> None:
        """Page addressing: the one way of an SH1106, one of three of the others."""
        if command <= 0x0F:
            self._column = self._column & 0xF0 | command
        elif command <= 0x1F:
            self._column = self._column & 0x0F | (command & 0x0F) << 4
        elif 0xB0 <= command <= 0xB7:
            self._page = command & 0x07

    def _store(self, byte: int) -> None:
        if self._column < self._columns:
            self._memory[self._page * self._columns + self._column] = byte
        self._column += 1
        if self._page_mode or self._sh1106:
            return
        if self._column > self._column_range[1]:
            self._column = self._column_range[0]
            self._page += 1
            if self._page > self._page_range[1]:
                self._page = self._page_range[0]


class _SpiWire:
    """The wire as ``spidev.SpiDev`` has it; DC's level says what a byte is."""

    max_speed_hz = 0

    def __init__(self, panel: SimulatedPanel, dc: Any) -> None:
        self._panel = panel
        self._dc = dc

    def open(self, port: int, device: int) -> None:
        """Nothing has to be opened."""

    def writebytes(self, data: list[int]) -> None:
        self._panel.take_spi(data, is_data=bool(self._dc.state))

    def close(self) -> None:
        """Nothing has to be closed."""
