"""Schemathesis holds the running API to its own description, and finds nothing.

Two runs of its command on one console that has photos: with whatever it makes up, and with what
there really is. All its checks are on: no 5xx, only documented answers of the documented form,
nothing wrong accepted, nothing right refused, nothing without a token.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.console.roles import Role
from tests.console.programs import API, token_for
from tests.console.reception import Console
from tests.console.test_whose import CENSUS

SETTINGS = "[api]\nper_second = 1000\nat_once = 10000\n"
EXAMPLES = "8"


@pytest.fixture(scope="module")
def open_console(
    tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]
) -> Iterator[Console]:
    folder = tmp_path_factory.mktemp("schema")
    (folder / "census.csv").write_text(CENSUS)
    identity = {"csv": str(folder / "census.csv"), "authority": "urn:oid:1.2.3"}
    made = Console(folder, free_port(), SETTINGS, gateway={"identity": identity})
    for _ in range(3):
        made.take()
    with made:
        yield made


@pytest.mark.parametrize("real", [False, True], ids=["made up", "real"])
def test_P10_schemathesis_finds_nothing(console: Console, tmp_path: Path, real: bool) -> None:
    token = token_for(console, "real" if real else "made-up", "everybody", roles=frozenset(Role))
    known = parameters(console) if real else {}
    lines = [f'"{name}" = {json.dumps(value)}' for name, value in known.items()]
    config = tmp_path / "schemathesis.toml"
    config.write_text("\n".join(["[parameters]", *lines]) if known else "")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(config)),
            *("run", f"{console.origin}{API}/openapi.json"),
            *("--header", f"Authorization: Bearer {token}", "--checks", "all"),
            *(
                # What is wrong in a path would be replaced by what is right.
                ("--phases", "fuzzing", "--mode", "positive")
                if real
                else ("--phases", "examples,coverage,fuzzing")
            ),
            "--continue-on-failure",
            *("--max-examples", EXAMPLES, "--seed", "1", "--no-color"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr
    assert "0 generated" not in done.stdout
    if real:
        shown = "select count(*) from viewings where login = 'everybody' and what = 'photo'"
        assert console.hospital.rows(shown)[0][0] > 0, "it saw a real photo"
        said = "select count(*) from body_sites"
        assert console.hospital.rows(said)[0][0] > 0, "and changed something"


def parameters(console: Console) -> dict[str, str | int]:
    """One of each that there really is."""
    (ledger,) = console.hospital.rows("select device, ledger from ledger_heads")
    (item,) = console.hospital.rows("select max(id) from worklist")
    return {
        "path.photo": console.photos[0].hex,
        "path.device": ledger[0],
        "path.ledger": ledger[1],
        "path.item": item[0],
        "path.number": "4711",
        "path.name": "viewings",
    }
