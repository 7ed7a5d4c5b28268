"""A root directory with the units in it, as image-build lays them down."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.systemd.unit_file import SYSTEMD

SYSTEM = Path("/usr/lib/systemd/system")


def _without(program: str) -> str:
    if shutil.which(program) is None:
        return f"{program} is not here: this machine is not run by systemd"
    return ""


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The layer's files, and of the system's own units those that they lean on."""
    if reason := _without("systemd-analyze") or _without("systemctl"):
        pytest.skip(reason)
    root = tmp_path_factory.mktemp("root")
    install = SYSTEMD.parent / "image-build" / "install"
    subprocess.run([install, "--target", "debian", "--files-only", root], check=True)
    units = root / "usr/lib/systemd/system"
    for pattern in ("*.target", "*.slice", "*.mount"):
        for path in SYSTEM.glob(pattern):
            if not (units / path.name).exists():
                shutil.copy(path, units / path.name, follow_symlinks=True)
    python = root / "usr/lib/wardseal/venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\n")
    python.chmod(0o755)
    return root
