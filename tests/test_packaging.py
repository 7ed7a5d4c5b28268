"""What is shipped: complete, locked, and from nowhere in particular."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
ROOMS = ("base", "wire", "appliance", "gateway", "cli")
LOCKS = ("requirements.lock", "requirements-dev.lock")
PINNED = re.compile(r"^([a-z0-9.-]+)==([^ ]+) (?:; (.+?) )?\\$", re.MULTILINE)


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def pinned(lock: str) -> set[tuple[str, str, str]]:
    """Name, version and environment marker of everything in a lock file."""
    return set(PINNED.findall((ROOT / lock).read_text()))


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_versions_and_hashes_and_no_host(lock: str) -> None:
    lines = (ROOT / lock).read_text().splitlines()
    assert lines
    for line in lines:
        assert re.fullmatch(
            r"[a-z0-9.-]+==\S+ (; .+ )?\\|    --hash=sha256:[0-9a-f]{64}( \\)?", line
        )


def test_what_is_tested_is_version_for_version_what_is_shipped() -> None:
    without_markers = [{(name, version) for name, version, _ in pinned(lock)} for lock in LOCKS]
    assert without_markers[0] < without_markers[1]


@pytest.mark.parametrize("lock", LOCKS)
def test_the_lock_holds_what_the_project_asks_for(lock: str, project: dict[str, Any]) -> None:
    wanted = [
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["hospital"],
        *project["project"]["optional-dependencies"]["simulator"],
        *(project["dependency-groups"]["dev"] if lock == "requirements-dev.lock" else ()),
    ]
    held: dict[str, list[str]] = {}
    for name, version, _ in pinned(lock):
        held.setdefault(canonicalize_name(name), []).append(version)
    for requirement in map(Requirement, wanted):
        versions = held.get(canonicalize_name(requirement.name), [])
        assert versions, f"{requirement.name} is not in {lock}; run scripts/lock.sh --keep"
        assert all(requirement.specifier.contains(version) for version in versions), requirement


def test_the_wheel_holds_every_file_of_every_room_and_nothing_else(tmp_path: Path) -> None:
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    here = {
        str(path.relative_to(ROOT))
        for room in ROOMS
        for path in (ROOT / room).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert inside == here


def test_the_rooms_are_the_same_wherever_they_are_listed(project: dict[str, Any]) -> None:
    tool = project["tool"]
    not_shipped = {"neighbours", "tests"}
    for listed in (
        tool["hatch"]["build"]["targets"]["wheel"]["packages"],
        set(tool["importlinter"]["root_packages"]) - not_shipped,
        set(tool["mypy"]["files"]) - not_shipped,
        tool["coverage"]["run"]["source"],
    ):
        assert set(listed) == set(ROOMS)
    assert all((ROOT / room / "__init__.py").exists() for room in ROOMS)


def test_every_link_between_documents_leads_somewhere() -> None:
    documents = [
        path
        for path in ROOT.rglob("*.md")
        if not {".venv", "node_modules"} & set(path.relative_to(ROOT).parts)
    ]
    assert ROOT / "CONTRIBUTING.md" in documents
    broken = [
        f"{path.relative_to(ROOT)}: {target}"
        for path in documents
        for target in re.findall(r"\]\(([^)#\s]+)", path.read_text())
        if "://" not in target and not target.startswith("mailto:")
        if not (path.parent / target).exists()
    ]
    assert broken == []
