"""docs/failures.md and the hazard log name tests; each of them exists."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "failures.md"
HAZARDS = TESTS.parent / "docs" / "safety" / "hazard-log.md"
NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")


@cache
def functions_in(file: str) -> set[str]:
    """The names of the test functions in a file below ``tests/``; none where there is no file."""
    path = TESTS / file
    tree = ast.parse(path.read_text() if path.exists() else "")
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("page", [PAGE, HAZARDS], ids=lambda page: page.stem)
def test_every_test_that_the_page_names_exists(page: Path) -> None:
    named = NAMED.findall(page.read_text())
    assert named
    assert [f"{file}::{name}" for file, name in named if name not in functions_in(file)] == []


def test_every_row_of_that_page_names_a_test_or_says_what_it_waits_for() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    bare = [
        row for row in rows if not NAMED.search(row) and not row.startswith(("| what", "| att"))
    ]
    assert len(rows) > 30
    assert [row for row in bare if " yet" not in row] == []


def test_every_hazard_is_controlled_by_a_test_or_in_the_care_of_somebody() -> None:
    rows = [line for line in HAZARDS.read_text().splitlines() if line.startswith("| H")]
    assert len(rows) >= 11
    assert [row for row in rows if not NAMED.search(row) and " by inspection" not in row] == []
