"""The crash campaign: the power is cut at every point of the journey (docs/journey.md)."""

from pathlib import Path

import pytest

from tests.faults.campaign import travel
from tests.faults.deck import Leg, parametrize

pytestmark = pytest.mark.campaign


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    parametrize(metafunc, "power")


def test_P5_the_power_may_fail_at_any_point(pair: tuple[Leg, ...], short_dir: Path) -> None:
    kills = travel(pair, short_dir)
    assert kills["power"] >= sum(leg.count for leg in pair) * 4 // 5
