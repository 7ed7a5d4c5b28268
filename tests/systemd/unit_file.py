"""Unit files read as what they are: sections of settings, of which one may stand several times."""

import re
from dataclasses import dataclass
from pathlib import Path

SYSTEMD = Path(__file__).parents[2] / "systemd"
UNITS = SYSTEMD / "system"
WALLS = UNITS / "wardseal-.service.d" / "10-sandbox.conf"
ROLES = {
    "panel": UNITS / "wardseal-panel.service",
    "darkroom": UNITS / "wardseal-darkroom@.service",
    "uplink": UNITS / "wardseal-uplink.service",
}


@dataclass(frozen=True)
class Setting:
    """One line, and the comment right above its group of lines."""

    section: str
    name: str
    value: str
    reason: str


def settings(path: Path) -> list[Setting]:
    """Every setting of a file, in its order."""
    found, section, reason, fresh = [], "", "", False
    for line in path.read_text().splitlines():
        if not line.strip():
            reason = ""
        elif line.startswith("#"):
            reason = f"{reason} {line[1:].strip()}" if fresh else line[1:].strip()
            fresh = True
            continue
        elif header := re.fullmatch(r"\[(\w+)\]", line):
            section = header[1]
        else:
            name, _, value = line.partition("=")
            found.append(Setting(section, name, value, reason))
        fresh = False
    return found


def values(path: Path, name: str) -> list[str]:
    """All values of one setting."""
    return [setting.value for setting in settings(path) if setting.name == name]


def value(path: Path, name: str) -> str:
    """The value of a setting that stands there once."""
    (found,) = values(path, name)
    return found


def mebibytes(text: str) -> int:
    """``288M`` as a number."""
    assert text.endswith("M"), text
    return int(text[:-1])


def door_unit(text: str, others: dict[str, int], program: str, answers: str) -> str:
    """A role's unit with its command changed to doors.py, and nothing else that shuts a door.

    ``others``: process ids of the other roles; ``answers``: the file that it writes.
    """
    words = " ".join(f"{name}={pid}" for name, pid in others.items())
    for pattern, instead in (
        (r"ExecStart=.*", f"ExecStart=/usr/lib/wardseal/venv/bin/python -P {program} {words}"),
        (r"Type=notify", "Type=oneshot"),
        (r"(Restart|WatchdogSec|TimeoutStartSec)=.*", ""),
        (r"StandardInput=socket", "StandardInput=null"),
        (r"Standard(Output|Error)=.*", ""),
        (r"RuntimeDirectory=.*", "RuntimeDirectory=wardseal-door"),
        (r"WorkingDirectory=.*", ""),
    ):
        text = re.sub(f"(?m)^{pattern}$", instead, text)
    return f"{text}\n[Service]\nStandardOutput=file:{answers}\n"
