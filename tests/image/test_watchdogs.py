"""A role that hangs is ended by the real service manager, and the device works again."""

import pytest

from cli.virtual_site import VirtualSite
from tests.image.hospital import (
    PANEL,
    book,
    darkroom,
    show,
    wait_for_photos,
    wait_until_ready,
)
from tests.image.machine import Machine
from tests.image.nurse import finish, open_window, said, take_photo
from tests.image.ward import CONSENT, Ward
from tests.waiting import until

pytestmark = pytest.mark.image


def test_a_hung_darkroom_is_ended_while_it_holds_the_camera_and_the_next_one_sees(
    machine: Machine, site: VirtualSite, ward: Ward
) -> None:
    wait_until_ready(machine)
    hung = darkroom(machine)
    ward.press(CONSENT)
    ward.wait_for(said(open_window()))
    pid = show(machine, hung, "MainPID")
    machine.shell(f"kill -STOP {pid}")
    until(lambda: not show(machine, hung, "MainPID").strip("0"), 200, "the watchdog to end it")
    wait_until_ready(machine)
    until(lambda: not ward.lamp, 120, "P2: the lamp to go out with the camera")
    count = len(wait_for_photos(site, 0))
    take_photo(ward, machine, 41)
    wait_for_photos(site, count + 1)
    finish(ward, machine)


def test_a_hung_panel_is_started_again_and_its_ledger_goes_on(
    machine: Machine, site: VirtualSite
) -> None:
    wait_until_ready(machine)
    restarts = int(show(machine, PANEL, "NRestarts"))
    pid = show(machine, PANEL, "MainPID")
    machine.shell(f"kill -STOP {pid}")
    until(lambda: show(machine, PANEL, "MainPID") not in {"0", pid}, 200, "a new panel")
    wait_until_ready(machine)
    assert int(show(machine, PANEL, "NRestarts")) == restarts + 1
    ledger = book(machine, site)
    assert not ledger.problems and not ledger.torn
