"""A gateway for each test, closed at its end; the site's keys are made once."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli import pki
from gateway.database import engine_for
from gateway.store import Store
from tests.gateway.bedside import Device
from tests.gateway.databases import Server
from tests.gateway.hospital import Hospital
from tests.gateway.running import Running
from tests.gateway.ward import furnish
from wire.hpke import SuiteName


@pytest.fixture(scope="session")
def _keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys") / "site"
    pki.init(folder, site="test", suite=SuiteName.P256)
    return folder


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A real PostgreSQL, started when the first test asks for it."""
    server = Server().start()
    yield server
    server.close()


# What looks at photos, files and processes does not depend on the database.
ONE_DATABASE_IS_ENOUGH = {
    "test_opening",
    "test_process",
    "test_crash",
    "test_folder",
    "test_webhook_faults",
    "test_rotation",
    "test_told_late_by_fhir",
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database_url" in metafunc.fixturenames:
        one = metafunc.module.__name__.rpartition(".")[2] in ONE_DATABASE_IS_ENOUGH
        kinds = ["sqlite"] if one else ["sqlite", "postgresql"]
        metafunc.parametrize("database_url", kinds, indirect=True)


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """What ``store.url`` says: nothing, or a fresh database of the real server."""
    if request.param == "sqlite":
        return ""
    server: Server = request.getfixturevalue("postgresql")
    return server.database()


@pytest.fixture
def store(database_url: str, tmp_path: Path) -> Iterator[Store]:
    """An empty store, on each kind of database."""
    opened = Store(engine_for(database_url, tmp_path / "gateway.db"))
    yield opened
    opened.close()


@pytest.fixture
def hospital(tmp_path: Path, _keys: Path, database_url: str) -> Iterator[Hospital]:
    """A gateway that is open, with nobody enrolled, on each kind of database."""
    shutil.copytree(_keys, tmp_path / "site")
    opened = Hospital(tmp_path, url=database_url).open()
    yield opened
    opened.close()


@pytest.fixture
def ward(tmp_path: Path, _keys: Path, database_url: str) -> Iterator[Hospital]:
    """A hospital that knows its patients."""
    shutil.copytree(_keys, tmp_path / "site")
    opened = furnish(Hospital(tmp_path, url=database_url)).open()
    yield opened
    opened.close()


@pytest.fixture
def decided(ward: Hospital) -> Iterator[Store]:
    """The ward's database as the console has it: another store."""
    opened = Store(engine_for(ward.url, ward.state / "gateway.db"))
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
