"""What every test may ask for: free ports, short folders, the length of the crash campaign."""

import os
import random
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Time on a shared machine says nothing about the code; a failure prints how to repeat it.
settings.register_profile(
    "wardseal", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("wardseal")

# Below Linux's ephemeral range (32768 and up), so that no outgoing connection sits there already,
# and a band for each xdist worker, so that two of them never hand out the same port.
FIRST_PORT, PORTS_PER_WORKER, WORKERS = 20000, 1500, 8

# These folders start real processes and a real broker; they need no marker of their own.
JOURNEY_FOLDERS = {"journey", "faults"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--kills",
        type=int,
        default=200,
        metavar="N",
        help="how many processes the crash campaign kills (default: %(default)s)",
    )
    parser.addoption(
        "--image-cache",
        metavar="FOLDER",
        default=str(Path.home() / ".cache" / "wardseal" / "image"),
        help="where ./test --image keeps the emulated device (default: %(default)s)",
    )
    parser.addoption(
        "--kill-seed",
        type=int,
        default=2,
        metavar="SEED",
        help="where the crash campaign's random walk starts (default: %(default)s)",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    tests = Path(__file__).parent
    for item in items:
        if item.path.relative_to(tests).parts[0] in JOURNEY_FOLDERS:
            item.add_marker("journey")


@pytest.fixture(scope="session")
def kills(pytestconfig: pytest.Config) -> int:
    """How many processes the crash campaign kills."""
    return int(pytestconfig.getoption("--kills"))


@pytest.fixture(scope="session")
def kill_seed(pytestconfig: pytest.Config) -> int:
    """The seed of the crash campaign; a failure repeats under the same one."""
    return int(pytestconfig.getoption("--kill-seed"))


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """Hand out a TCP port of 127.0.0.1 that nobody listens on, a different one at each call."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS
    band = range(
        FIRST_PORT + worker * PORTS_PER_WORKER, FIRST_PORT + (worker + 1) * PORTS_PER_WORKER
    )
    start = random.randrange(len(band))  # two runs on one machine start apart
    untried: Iterator[int] = iter([*band[start:], *band[:start]])

    def take() -> int:
        for port in untried:
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    continue
                return port
        raise AssertionError("this worker has used up its band of ports")

    return take


@pytest.fixture
def short_dir() -> Iterator[Path]:
    """An empty folder with a short name: a Unix socket's path holds 107 bytes, tmp_path is long."""
    path = Path(tempfile.mkdtemp(prefix="ws-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)
