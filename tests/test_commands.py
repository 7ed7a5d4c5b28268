"""./test and ./demo as a newcomer meets them; what they do once asked is seen by running them."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(*arguments: str, where: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(arguments, cwd=where, capture_output=True, text=True, timeout=60)


def test_help_names_every_option_the_command_takes() -> None:
    done, script = run("./test", "--help"), (ROOT / "test").read_text()
    assert (done.returncode, done.stderr) == (0, "")
    labels = re.findall(r"^    (-[-a-z |]*)\)$|^    (-[-a-z |]*)\) ", script, re.MULTILINE)
    options = {option for pair in labels for option in re.findall(r"--[a-z]+", " ".join(pair))}
    assert {"--fast", "--interop", "--crash", "--help"} <= options
    assert [option for option in options if option not in done.stdout] == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--fsat"], "./test: unknown option --fsat; see ./test --help"),
        (["-k", "ledger"], "./test: unknown option -k; see ./test --help"),
        (["--fast", "--interop"], "./test: --fast and --interop do not go together"),
        (["--crash"], "./test: --crash wants a number of kills, such as 10000"),
        (["--crash", "-5"], "./test: --crash wants a number of kills, such as 10000"),
    ],
)
def test_P10_wrong_use_is_told_before_anything_is_installed(
    arguments: list[str], words: str
) -> None:
    done = run("./test", *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(words)
    assert done.stdout == ""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The set-up alone in an empty folder, where ``say`` and ``die`` can be met."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts/setup.sh").write_text((ROOT / "scripts/setup.sh").read_text())
    return tmp_path


def set_up(checkout: Path, script: str, path: str) -> subprocess.CompletedProcess[str]:
    text = f"set -euo pipefail; root={checkout}; . {checkout}/scripts/setup.sh; {script}"
    return subprocess.run(
        ["/bin/bash", "-c", text, "./demo"],
        cwd=checkout,
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": path},
    )


def test_P10_without_a_python_that_fits_the_set_up_says_which_one_does(checkout: Path) -> None:
    for name in ("python3", "python3.11", "python3.12", "python3.13"):
        (checkout / name).write_text("#!/bin/sh\nexit 1\n")
        (checkout / name).chmod(0o755)
    text = (checkout / "scripts/setup.sh").read_text().replace("/usr/bin/python3", "python3")
    (checkout / "scripts/setup.sh").write_text(text)
    done = set_up(checkout, "set_up runtime", f"{checkout}:/usr/bin:/bin")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("demo: Python 3.11 or newer on Linux is needed. ")


def test_P10_where_nothing_may_be_installed_the_set_up_says_what_to_run(checkout: Path) -> None:
    (checkout / "id").write_text("#!/bin/sh\necho 1000\n")
    (checkout / "sudo").write_text("#!/bin/sh\nexit 1\n")
    for name in ("id", "sudo"):
        (checkout / name).chmod(0o755)
    done = set_up(checkout, "install_packages mosquitto shellcheck", f"{checkout}:/usr/bin:/bin")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        "demo: these packages are missing, and installing them needs root: mosquitto shellcheck\n"
        "Run this as root, then start again:"
        "  apt-get install --no-install-recommends mosquitto shellcheck\n"
    )


def test_what_only_the_full_demo_needs_is_asked_for_by_it_alone(checkout: Path) -> None:
    nothing = checkout / "empty"
    nothing.mkdir()
    # Debian's own folders are found again by the set-up itself.
    script = "PATH=$root/empty; python=/bin/false; missing_packages"
    asked = {
        kind: set(set_up(checkout, f"{script} {kind}", "/usr/bin:/bin").stdout.split())
        for kind in ("runtime", "full", "dev")
    }
    assert asked["full"] - asked["runtime"] >= {"orthanc", "socat", "iproute2", "nodejs", "npm"}
    assert asked["dev"] - asked["full"] >= {"shellcheck", "chromium", "dicom3tools"}
    assert asked["runtime"] < asked["full"] < asked["dev"]
