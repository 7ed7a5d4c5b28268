"""P7 on the real stack: what each role can open from inside its sandbox, devices included."""

import json

import pytest

from cli.virtual_site import VirtualSite
from tests.image.hospital import PANEL, UPLINK, show, wait_for_photos, wait_until_ready
from tests.image.machine import Machine
from tests.image.nurse import finish, take_photo
from tests.image.ward import Ward
from tests.systemd.unit_file import ROLES, door_unit
from tests.systemd.who_may import HARDWARE, OPEN
from tests.waiting import until

pytestmark = pytest.mark.image

PROGRAM = "/usr/lib/ward/doors.py"


@pytest.fixture(scope="module")
def waiting_envelope(machine: Machine, site: VirtualSite, ward: Ward) -> None:
    """With the gateway gone, an envelope stays in the outbox for the doors to be tried on."""
    site.keeper.stop("gateway")
    take_photo(ward, machine, 31)
    finish(ward, machine)
    until(lambda: machine.shell("ls /run/wardseal/outbox/*.cose || true"), 60, "an envelope")
    for address in ("10.1.2.3", "198.51.100.7"):
        machine.shell(f"ip address add {address}/32 dev lo")


@pytest.mark.usefixtures("waiting_envelope")
@pytest.mark.parametrize("role", OPEN)
def test_P7_a_role_finds_its_own_doors_and_devices_open_and_every_other_shut(
    machine: Machine, role: str
) -> None:
    unit = ROLES[role].name
    pids = {"panel": int(show(machine, PANEL, "MainPID"))}
    pids["uplink"] = int(show(machine, UPLINK, "MainPID"))
    others = {name: pid for name, pid in pids.items() if name != role}
    probe = f"/run/systemd/system/wardseal-{role}-doors.service"
    text = machine.shell(f"cat /usr/lib/systemd/system/{unit}")
    answers = f"/run/doors-{role}"
    machine.write(probe, door_unit(text, others, PROGRAM, answers).encode())
    machine.shell(
        f"[ ! -d /usr/lib/systemd/system/{unit}.d ] ||"
        f" cp -r /usr/lib/systemd/system/{unit}.d {probe}.d; systemctl daemon-reload"
    )
    machine.shell(f"systemctl start wardseal-{role}-doors.service", seconds=240)
    said = json.loads(machine.shell(f"cat {answers}"))
    opened = {door for door, answer in said.items() if answer == "open"}
    assert opened == OPEN[role] | HARDWARE[role]


def test_P5_what_waited_for_the_hospital_is_filed_when_it_is_back(
    machine: Machine, site: VirtualSite
) -> None:
    count = len(wait_for_photos(site, 0))
    waiting = machine.shell("ls /run/wardseal/outbox/*.cose || true")
    site.start_gateway()
    wait_for_photos(site, count + bool(waiting))
    until(lambda: not machine.shell("ls /run/wardseal/outbox"), 60, "the outbox to be empty")
    wait_until_ready(machine)
