"""Draws the wiring diagram, docs/howto/wiring.svg, from the device's default settings.

    python scripts/draw_wiring.py            draw it
    python scripts/draw_wiring.py --check    exit 1 when the committed drawing is out of date

Each wire ends at the contact that its setting's default means, so that diagram, template and code
cannot come apart. ``tests/test_howto_pages.py`` compares.
"""

import sys
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from appliance.config import HardwareSettings  # noqa: E402

DRAWING: Final = ROOT / "docs" / "howto" / "wiring.svg"

# GPIO numbers of the header's contacts 1 to 40; a word for those that carry power.
_HEADER: Final = """
    3V3 5V 2 5V 3 GND 4 14 GND 15 17 18 27 GND 22 23 3V3 24 10 GND
    9 25 11 8 GND 7 0 1 5 GND 6 12 13 GND 19 16 26 20 GND 21
"""
CONTACTS: Final = tuple(_HEADER.split())
_PITCH: Final = 26
_TOP: Final = 90
_LEFT_COLUMN, _RIGHT_COLUMN = 560, 600
_POWER: Final = {"3V3": "3.3 V", "5V": "5 V", "GND": "ground"}
_COLOURS: Final = {
    "3V3": "#c2410c",
    "5V": "#b91c1c",
    "GND": "#1f2937",
    "I2C": "#1d4ed8",
    "in": "#047857",
    "out": "#7e22ce",
}


def contact_of(gpio: int) -> int:
    """Return the header's contact, 1 to 40, of a GPIO number."""
    return CONTACTS.index(str(gpio)) + 1


@dataclass(frozen=True)
class Wire:
    """From a part's terminal to a contact of the header."""

    terminal: str
    contact: int
    kind: str


@dataclass(frozen=True)
class Part:
    """A box beside the header. ``y``: its top; ``notes``: what to know, a line each."""

    name: str
    left: bool
    y: int
    wires: tuple[Wire, ...]
    notes: tuple[str, ...] = ()
    height: int = field(default=0)


def parts(hardware: HardwareSettings) -> tuple[Part, ...]:
    """Return what hangs on the header, as the settings have it."""
    consent, capture = contact_of(hardware.consent_pin), contact_of(hardware.capture_pin)
    lamp, buzzer = contact_of(hardware.lamp_pin), contact_of(hardware.buzzer_pin)
    return (
        Part(
            "OLED 2.42 in, SSD1309, I2C",
            True,
            60,
            (
                Wire("VCC", 1, "3V3"),
                Wire("SDA", contact_of(2), "I2C"),
                Wire("SCL", contact_of(3), "I2C"),
                Wire("GND", 9, "GND"),
            ),
            (f"address {hardware.oled_address:#04x}, 30 cm of cable at most",),
        ),
        Part(
            "CONSENT “I asked; they agreed”",
            True,
            225,
            (Wire("one side", consent, "in"), Wire("other side", 25, "GND")),
            ("normally open, domed, IP65", "pull-up inside the Pi"),
        ),
        Part(
            "CAPTURE, and the foot switch",
            True,
            370,
            (Wire("one side", capture, "in"), Wire("other side", 39, "GND")),
            ("both normally open, side by side", "foot switch through a 3.5 mm jack"),
        ),
        Part(
            "UPS board, USB-C supply 5 V 3 A",
            False,
            53,
            (Wire("5 V", 2, "5V"), Wire("GND", 6, "GND")),
            ("or through the Pi's own USB-C socket",),
        ),
        Part(
            "BUZZER, active, 3.3 V",
            False,
            225,
            (Wire("drive", buzzer, "out"), Wire("+", 17, "3V3"), Wire("−", 20, "GND")),
            ("with a transistor, sounds while high",),
        ),
        Part(
            "RTC DS3231 (Pi 5: battery on J5)",
            False,
            395,
            (
                Wire("VCC", 1, "3V3"),
                Wire("SDA", contact_of(2), "I2C"),
                Wire("SCL", contact_of(3), "I2C"),
                Wire("GND", 14, "GND"),
            ),
            ("on the OLED's bus wires, address 0x68",),
        ),
        Part(
            "LAMP, white LED module, 5 V",
            False,
            565,
            (Wire("drive", lamp, "out"), Wire("+", 4, "5V"), Wire("−", 34, "GND")),
            ("with a transistor, lit while high;", "10 kΩ from drive to ground: dark at start"),
        ),
    )


def draw(hardware: HardwareSettings) -> str:
    """Return the drawing."""
    out = [
        (
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1180 790" role="img"'
            ' font-family="Liberation Sans, Arial, sans-serif" font-size="14">'
        ),
        "<title>Wiring of a Wardseal ward device</title>",
        '<rect width="1180" height="790" fill="#ffffff"/>',
        '<text x="20" y="30" font-size="20" font-weight="bold">Wardseal ward device: wiring</text>',
        (
            '<text x="1160" y="30" text-anchor="end" fill="#4b5563">GPIO numbers as in [hardware]'
            " of appliance.toml; contacts as counted on the header</text>"
        ),
        *_board(),
    ]
    lanes = {True: 0, False: 0}
    for part in parts(hardware):
        out += _box(part, lanes)
    out += _contacts()
    out += _legend()
    return "\n".join([*out, "</svg>", ""])


def _board() -> list[str]:
    height = 20 * _PITCH + 16
    return [
        (
            f'<rect x="{_LEFT_COLUMN - 22}" y="{_TOP - 22}" width="84" height="{height}" rx="6"'
            ' fill="#166534"/>'
        ),
        (
            f'<text x="{(_LEFT_COLUMN + _RIGHT_COLUMN) // 2}" y="{_TOP - 30}" text-anchor="middle"'
            ' font-weight="bold">Raspberry Pi 4 / 5</text>'
        ),
    ]


def _contacts() -> list[str]:
    """Above the wires, so that each can be counted."""
    out = []
    for contact in range(1, 41):
        x, y = _at(contact)
        name = CONTACTS[contact - 1]
        fill = _COLOURS.get(name, "#facc15")
        out.append(f'<circle cx="{x}" cy="{y}" r="10" fill="{fill}"/>')
        ink = "#ffffff" if name in _COLOURS else "#1f2937"
        out.append(
            f'<text x="{x}" y="{y + 4}" text-anchor="middle" font-size="11" fill="{ink}">'
            f"{contact}</text>"
        )
    return out


def _at(contact: int) -> tuple[int, int]:
    column = _LEFT_COLUMN if contact % 2 else _RIGHT_COLUMN
    return column, _TOP + (contact - 1) // 2 * _PITCH


def _box(part: Part, lanes: dict[bool, int]) -> list[str]:
    height = 34 + 24 * len(part.wires) + 18 * len(part.notes) + 8
    x = 20 if part.left else 870
    out = [
        (
            f'<rect x="{x}" y="{part.y}" width="290" height="{height}" rx="8" fill="#f3f4f6"'
            ' stroke="#9ca3af"/>'
        ),
        f'<text x="{x + 12}" y="{part.y + 22}" font-weight="bold">{escape(part.name)}</text>',
    ]
    edge = x + 290 if part.left else x
    for number, wire in enumerate(part.wires):
        y = part.y + 44 + 24 * number
        out += _wire(wire, part.left, edge, y, lanes)
        anchor, text_x = ("end", edge - 10) if part.left else ("start", edge + 10)
        name = CONTACTS[wire.contact - 1]
        what = _POWER.get(name, f"GPIO {name}")
        label = f"{wire.terminal} → {what}, contact {wire.contact}"
        out.append(f'<text x="{text_x}" y="{y + 5}" text-anchor="{anchor}">{escape(label)}</text>')
    for number, note in enumerate(part.notes):
        y = part.y + 44 + 24 * len(part.wires) + 18 * number
        out.append(
            f'<text x="{x + 12}" y="{y}" font-size="12" fill="#4b5563">{escape(note)}</text>'
        )
    return out


def _wire(wire: Wire, left: bool, edge: int, y: int, lanes: dict[bool, int]) -> list[str]:
    """Three straight pieces, each wire in a lane of its own; to the far column between two rows."""
    to_x, to_y = _at(wire.contact)
    colour = _COLOURS[wire.kind]
    lane = lanes[left]
    lanes[left] += 1
    near = (to_x == _LEFT_COLUMN) is left
    if left:
        x, end = 515 - 13 * lane, to_x - 10
    else:
        x, end = 648 + 15 * lane, to_x + 10
    if near:
        path = f"M{edge} {y} H{x} V{to_y} H{end}"
    else:
        between = to_y + _PITCH // 2
        path = f"M{edge} {y} H{x} V{between} H{to_x + (-6 if left else 6)} L{to_x} {to_y}"
    return [
        f'<path d="{path}" fill="none" stroke="#ffffff" stroke-width="6"/>',
        f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2.5"/>',
        f'<circle cx="{edge}" cy="{y}" r="4" fill="{colour}"/>',
    ]


def _legend() -> list[str]:
    words = {
        "3V3": "3.3 V",
        "5V": "5 V",
        "GND": "ground",
        "I2C": "I2C bus",
        "in": "button, to ground when pressed",
        "out": "driven by the Pi",
    }
    out, x = [], 20
    for kind, what in words.items():
        out.append(f'<rect x="{x}" y="752" width="26" height="6" fill="{_COLOURS[kind]}"/>')
        out.append(f'<text x="{x + 34}" y="760">{what}</text>')
        x += 60 + 8 * len(what)
    out.append(
        '<text x="20" y="782" fill="#4b5563">Camera: ribbon cable to CAM0, or the cabled head'
        " (build.md). Nothing is soldered with the supply on. Afterwards: wardseal check"
        " --wiring</text>"
    )
    return out


def main() -> int:
    """Draw, or compare."""
    drawn = draw(HardwareSettings())
    if "--check" in sys.argv:
        return int(DRAWING.read_text() != drawn)
    DRAWING.write_text(drawn)
    return 0


if __name__ == "__main__":
    sys.exit(main())
