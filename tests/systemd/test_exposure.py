"""How much of a machine each role could reach, as systemd itself reckons it (0 best, 10 worst)."""

import re
import subprocess
from pathlib import Path

import pytest

UNITS = [
    "wardseal.target",
    "wardseal-panel.service",
    "wardseal-darkroom.socket",
    "wardseal-darkroom@.service",
    "wardseal-uplink.service",
    "run-wardseal.mount",
    "run-wardseal-mailbox.mount",
]


def verified(root: Path, *units: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            "systemd-analyze",
            "verify",
            "--recursive-errors=one",
            "--man=no",
            f"--root={root}",
            *units,
        ],
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("unit", "at_most"),
    [
        ("wardseal-panel.service", 0.5),
        ("wardseal-darkroom@.service", 0.5),
        ("wardseal-uplink.service", 1.0),
    ],
)
def test_P7_the_exposure_of_a_role_is_at_most(root: Path, unit: str, at_most: float) -> None:
    asked = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", f"--root={root}", "--no-pager", unit],
        capture_output=True,
        text=True,
    )
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", asked.stdout)
    assert found, asked.stderr
    assert float(found[1]) <= at_most, asked.stdout


def test_systemd_finds_nothing_to_object_to(root: Path) -> None:
    found = verified(root, *UNITS)
    assert (found.returncode, found.stderr) == (0, "")


def test_systemd_objects_to_a_wall_that_it_does_not_know(root: Path) -> None:
    """The test before this one can fail."""
    odd = root / "usr/lib/systemd/system/wardseal-odd.service"
    odd.write_text("[Service]\nExecStart=/usr/lib/wardseal/venv/bin/python\nProtectHouse=yes\n")
    found = verified(root, odd.name)
    odd.unlink()
    assert "'ProtectHouse'" in found.stderr
