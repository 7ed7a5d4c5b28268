"""The emulated device and its hospital. Everything here is behind ``./test --image``.

One device is started for all tests; each finds it ready, and leaves it so.
"""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.virtual_site import Virtual, VirtualSite
from tests.image.hospital import bring_up
from tests.image.machine import Machine
from tests.image.ward import Ward

BUILD = Path(__file__).parent / "guest" / "build"


@pytest.fixture(scope="session")
def image(pytestconfig: pytest.Config) -> Path:
    """The folder that guest/build made."""
    cache = pytestconfig.getoption("--image-cache")
    made = subprocess.run([BUILD, cache], check=True, stdout=subprocess.PIPE, text=True)
    return Path(made.stdout.strip())


@pytest.fixture(scope="session")
def site(image: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VirtualSite]:
    """Broker and gateway on this machine, with the keys that the device was enrolled with."""
    state = tmp_path_factory.mktemp("site")
    shutil.copytree(image / "site", state / "site")
    with VirtualSite(state, Virtual()) as site:
        site.start_broker()
        site.start_gateway()
        yield site


@pytest.fixture(scope="session")
def machine(
    image: Path, site: VirtualSite, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machine]:
    """The device, started and ready for a nurse."""
    memory = site.ram / "memory-of-the-device"
    with Machine(image, tmp_path_factory.mktemp("machine"), memory, site.broker.port) as machine:
        bring_up(machine)
        yield machine


@pytest.fixture(scope="session")
def ward(machine: Machine) -> Ward:
    """Somebody beside it."""
    return Ward(machine)
