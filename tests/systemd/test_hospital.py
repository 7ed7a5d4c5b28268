"""Gateway and console under the real service manager, within their walls: a photo, a look, keys."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from base.memory import ALLOCATOR_ENV
from tests.systemd import container
from tests.systemd.unit_file import SYSTEMD, values

HOSPITAL = SYSTEMD / "hospital"
UNITS = HOSPITAL / "system"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    """A root directory with the hospital's units instead of the device's."""
    made = tmp_path_factory.mktemp("hospital")
    subprocess.run([HOSPITAL / "install", "--files", made], check=True)
    python = made / "usr/lib/wardseal/venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\n")
    python.chmod(0o755)
    return made


@pytest.mark.parametrize(("unit", "at_most"), [("gateway", 1.1), ("console", 1.0)])
def test_P7_the_exposure_at_the_hospital_is_at_most(root: Path, unit: str, at_most: float) -> None:
    name = f"wardseal-{unit}.service"
    asked = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", f"--root={root}", "--no-pager", name],
        capture_output=True,
        text=True,
    )
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", asked.stdout)
    assert found, asked.stderr
    assert float(found[1]) <= at_most, asked.stdout


def test_what_is_relaxed_has_its_reason_beside_it_and_the_allocator_is_set() -> None:
    gateway = (UNITS / "wardseal-gateway.service").read_text()
    for name, text in ALLOCATOR_ENV.items():
        assert f"{name}={text}" in values(UNITS / "wardseal-gateway.service", "Environment")
    for text in (gateway, (UNITS / "wardseal-console.service").read_text()):
        for setting in (
            "RestrictAddressFamilies=AF_UNIX AF_INET",
            "SystemCallFilter=@system-service seccomp",
        ):
            before = text[: text.index(setting)].rstrip("\n").rpartition("\n\n")[2]
            assert "\n# Relaxed: " in f"\n{before}", setting


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What happened in the container."""
    if reason := container.why_not():
        pytest.skip(reason)
    script = Path(__file__).with_name("at_hospital.py")
    folder = tmp_path_factory.mktemp("hospital")
    out = container.run(script, folder, seconds=240, side="hospital")
    if not (out / container.STARTED).exists():
        pytest.skip("no container can be started here")
    results: dict[str, Any] = json.loads((out / "results.json").read_text())
    journal = (out / "journal").read_text(errors="replace")
    assert "broke off" not in results, f"{results['broke off']}\n{journal[-3000:]}"
    return results


@pytest.mark.journey
def test_P5_a_photo_is_filed_and_looked_at_within_the_walls(hospital: dict[str, Any]) -> None:
    assert hospital["signed in"] == 303
    assert hospital["the page names the photo"]
    assert hospital["picture"] == [200, True]
    assert hospital["database"] == "wardseal-gateway 0660"
    assert set(hospital["restarts"].values()) == {"0"}


@pytest.mark.journey
def test_P9_a_photo_leaves_as_pdf_and_a_teaching_copy_as_jpeg_from_within_the_walls(
    hospital: dict[str, Any],
) -> None:
    assert hospital["shared"] == [200, "%PDF-"]
    assert hospital["teaching copy"] == 200
    assert hospital["what was looked at left"]


@pytest.mark.journey
def test_P7_the_console_finds_no_key_no_sealed_photo_and_no_record(
    hospital: dict[str, Any],
) -> None:
    assert hospital["console's doors"] == {
        "/etc/wardseal/opening.key": "",
        "/etc/wardseal/receipt.key": "",
        "/etc/wardseal/gateway.toml": "r",
        "/var/lib/wardseal/state/gateway.db": "rw",
        "/var/lib/wardseal/state/sealed": "",
        "/var/lib/wardseal/state/incoming": "",
        "/var/lib/wardseal/state/opened": "r",
        "/var/lib/wardseal/record": "",
        "/etc/wardseal-console/accounts.toml": "r",
        "/usr/lib/wardseal": "r",
    }
    gateway = hospital["gateway's doors"]
    assert gateway["/etc/wardseal/opening.key"] == "r", "read, and not written: /etc is not its own"
    assert gateway["/etc/wardseal-console/accounts.toml"] == ""
    assert gateway["/var/lib/wardseal/record"] == "rw"


@pytest.mark.journey
def test_P4_keys_at_rest_are_handed_over_and_the_next_photo_is_filed(
    hospital: dict[str, Any],
) -> None:
    assert hospital["keys in the clear"] == []
