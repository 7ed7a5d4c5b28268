"""What is asked of the emulated device and of its hospital, by more than one test."""

import contextlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from cli.virtual_site import VirtualSite
from tests.image.machine import Machine
from tests.journey.at_hospital import Hospital
from tests.journey.on_device import Book, device_key, read_book
from tests.waiting import until

PANEL, UPLINK = "wardseal-panel.service", "wardseal-uplink.service"
LEDGER = "/var/lib/wardseal/ledger"


def bring_up(machine: Machine, *words: str) -> float:
    """Start it; return the seconds until a consent could be given and sent."""
    machine.power_on(*words)
    machine.wait_for_agent()
    wait_until_ready(machine)
    return time.monotonic() - machine.booted


def wait_until_ready(machine: Machine, seconds: float = 900) -> None:
    """Return when panel and uplink run, the hospital is reached, and a darkroom waits."""
    until(lambda: show(machine, UPLINK, "StatusText") == "online", seconds, "the device online")
    until(lambda: darkroom(machine), seconds, "a darkroom that waits")


def show(machine: Machine, unit: str, name: str) -> str:
    """One property of a unit."""
    return machine.shell(f"systemctl show --property={name} --value '{unit}'").strip()


def darkroom(machine: Machine) -> str:
    """The darkroom that is running; "" while there is none."""
    listed = machine.shell(
        "systemctl list-units --plain --no-legend --state=running 'wardseal-darkroom@*.service'"
    )
    return listed.split()[0] if listed.strip() else ""


def book(machine: Machine, site: VirtualSite) -> Book:
    """The device's ledger, as it lies on its disk."""
    with tempfile.TemporaryDirectory() as folder:
        for name in machine.shell(f"ls {LEDGER}").split():
            raw = machine.run("/usr/bin/cat", f"{LEDGER}/{name}")
            (Path(folder) / name).write_bytes(raw)
        return read_book(Path(folder), device_key(site.device_key))


def wait_for_photos(site: VirtualSite, count: int, seconds: float = 180) -> list[Path]:
    """Return the photos in the record once there are so many."""
    hospital = Hospital(site)
    until(lambda: len(hospital.pictures()) >= count, seconds, f"{count} photos in the record")
    return hospital.pictures()


NAIVE = """[Service]
ExecStart=
ExecStart=/usr/lib/wardseal/venv/bin/python -P /usr/lib/ward/naive_darkroom.py \\
  /etc/wardseal/appliance.toml
UnsetEnvironment=PYTHONMALLOC GLIBC_TUNABLES
WatchdogSec=0
"""


@contextlib.contextmanager
def naive_darkrooms(machine: Machine) -> Iterator[None]:
    """For a while, darkrooms as one would write them at first: tests/residue/naive_darkroom.py."""
    folder = "/run/systemd/system/wardseal-darkroom@.service.d"
    machine.write(f"{folder}/99-naive.conf", NAIVE.encode())
    try:
        _next_darkroom(machine)
        yield
    finally:
        machine.shell(f"rm -r {folder}")
        _next_darkroom(machine)


def _next_darkroom(machine: Machine) -> None:
    """Have the waiting one replaced by one that is started as the unit says now."""
    waiting = until(lambda: darkroom(machine), 300, "a darkroom that waits")
    machine.shell(f"systemctl daemon-reload; systemctl kill --signal=KILL '{waiting}'")
    until(lambda: darkroom(machine) not in {"", waiting}, 300, "another darkroom")
