"""A gateway for each test, closed at its end; the site's keys are made once."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli import pki
from tests.gateway.bedside import Device
from tests.gateway.hospital import Hospital
from tests.gateway.running import Running
from wire.hpke import SuiteName


@pytest.fixture(scope="session")
def _keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys") / "site"
    pki.init(folder, site="test", suite=SuiteName.P256)
    return folder


@pytest.fixture
def hospital(tmp_path: Path, _keys: Path) -> Iterator[Hospital]:
    """A gateway that is open, with nobody enrolled."""
    shutil.copytree(_keys, tmp_path / "site")
    opened = Hospital(tmp_path).open()
    yield opened
    opened.close()


@pytest.fixture
def device(hospital: Hospital) -> Device:
    """A device that the hospital knows."""
    return hospital.enrol()


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]
) -> Iterator[Running]:
    """A site with a real broker, where the gateway is started and killed as a process."""
    made = Running(tmp_path_factory.mktemp("site"), free_port())
    made.connect()
    yield made
    made.close()
