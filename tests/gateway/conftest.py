"""A gateway for each test, closed at its end."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway.bedside import Device
from tests.gateway.hospital import Hospital


@pytest.fixture
def hospital(tmp_path: Path) -> Iterator[Hospital]:
    """A gateway that is open, with nobody enrolled."""
    opened = Hospital(tmp_path).open()
    yield opened
    opened.close()


@pytest.fixture
def device(hospital: Hospital) -> Device:
    """A device that the hospital knows."""
    return hospital.enrol()
