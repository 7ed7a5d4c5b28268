"""Device files: whether there is one, whether we may use it, and whose leave is missing.

A role that lacks a device file fails with whatever its library makes of that. An administrator
needs to hear of the file, the group, and the rule that should have given it.
"""

import grp
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

RULES: Final = "99-wardseal.rules"
"""Gives each device file to the one role that may open it (systemd/udev/rules.d)."""


@dataclass(frozen=True)
class Trouble:
    """What is wrong with a device file, and how to mend it."""

    says: str
    mend: str


def usable(path: Path) -> bool:
    """Whether this process may read and write the file."""
    return os.access(path, os.R_OK | os.W_OK)


def trouble(
    pattern: str,
    missing: str,
    *,
    root: Path = Path("/"),
    may: Callable[[Path], bool] = usable,
) -> Trouble | None:
    """Return what keeps us from every file that matches ``pattern`` (``dev/gpiochip*``).

    None when one can be used. ``missing``: what to do when there is none.
    """
    found = sorted(root.glob(pattern))
    if not found:
        return Trouble(f"there is no /{pattern}", missing)
    if any(may(path) for path in found):
        return None
    first = f"/{found[0].relative_to(root)}"
    group = _group(found[0])
    return Trouble(
        f"{first} is there, but closed to this user: it belongs to the group {group}",
        f"install {RULES} (docs/howto/install.md), then: udevadm trigger. On a bench: add the user"
        f" to the group {group}, and log in again",
    )


def _group(path: Path) -> str:
    number = path.stat().st_gid
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
