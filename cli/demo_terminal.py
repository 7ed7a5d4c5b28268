"""The virtual device in a terminal: the OLED is drawn, keys are buttons.

The picture is drawn with half blocks, two pixels to a character; a terminal narrower than 130
columns gets braille, eight pixels to a character. Nothing but ANSI sequences is used.
"""

import os
import select
import shutil
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from appliance.simulator.remote import BedsideError, Remote
from cli.virtual_site import VirtualSite

if TYPE_CHECKING:
    from cli.demo import Ward

_WIDTH: Final = 128
_HEIGHT: Final = 64
_KEYS: Final = {
    "c": (("consent",), 0.08),
    " ": (("capture",), 0.08),
    "C": (("consent",), 2.3),
    "b": (("consent", "capture"), 3.3),
}
_HELP: Final = "c CONSENT   space CAPTURE   C hold CONSENT   b hold both   p pull the plug   q quit"
_BRAILLE: Final = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))


def play(site: VirtualSite, remote: Remote, ward: "Ward", lines: list[str]) -> None:
    """Draw the device, press its buttons until q is pressed; ``lines`` stand below it at first."""
    with _raw_terminal():
        told: set[bytes] = set()
        while True:
            for photo in ward.result().photos:
                if photo.id is not None and photo.status == "FILED" and photo.id not in told:
                    told.add(photo.id)
                    lines.append(f"filed: {ward.filed(photo)}")
            _draw(remote, lines[-5:])
            key = _key(0.1)
            if key == "q":
                return
            if key == "p":
                lines.append("The plug was pulled: what was in RAM is gone. Power is back.")
                site.device.cut_power()
                site.device.power_on()
                remote.reconnect()
            elif key in _KEYS:
                try:
                    ward.press(*_KEYS[key])
                except BedsideError as e:  # somebody has pulled the plug on the page
                    lines.append(str(e))


def _draw(remote: Remote, lines: list[str]) -> None:
    view = remote.view
    columns = shutil.get_terminal_size().columns
    rows = _half_blocks(view.picture) if columns >= _WIDTH + 2 else _braille(view.picture)
    lamp = "\x1b[1;33m(*) LAMP ON \x1b[0m" if view.lamp else "( ) lamp off"
    edge = "+" + "-" * len(rows[0]) + "+"
    out = ["\x1b[H\x1b[2J", "Wardseal, a virtual ward device", f"{lamp}   {_HELP}", edge]
    out += [f"|\x1b[96m{row}\x1b[0m|" for row in rows]
    out += [edge, *lines]
    sys.stdout.write("\r\n".join(out) + "\r\n")
    sys.stdout.flush()


def _lit(picture: bytes, x: int, y: int) -> bool:
    return bool(picture[(y * _WIDTH + x) // 8] >> (7 - x % 8) & 1)


def _half_blocks(picture: bytes) -> list[str]:
    glyphs = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}
    return [
        "".join(glyphs[_lit(picture, x, y), _lit(picture, x, y + 1)] for x in range(_WIDTH))
        for y in range(0, _HEIGHT, 2)
    ]


def _braille(picture: bytes) -> list[str]:
    return [
        "".join(
            chr(
                0x2800
                + sum(
                    _BRAILLE[dy][dx]
                    for dy in range(4)
                    for dx in range(2)
                    if _lit(picture, x + dx, y + dy)
                )
            )
            for x in range(0, _WIDTH, 2)
        )
        for y in range(0, _HEIGHT, 4)
    ]


def _key(seconds: float) -> str:
    ready, _, _ = select.select([sys.stdin], [], [], seconds)
    return os.read(sys.stdin.fileno(), 1).decode(errors="replace") if ready else ""


@contextmanager
def _raw_terminal() -> Iterator[None]:
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
