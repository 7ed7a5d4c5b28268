"""P5, P6: the mains fail between two instructions, wherever; what is lost is said.

QEMU is killed with SIGKILL at seeded moments of a photo's journey while the hospital does not
answer, so that there is something to lose. The ledger's disk is all that outlives it.
"""

import random
import time

import pytest

from appliance import session, signals
from appliance.screen import Screen
from cli.virtual_site import VirtualSite
from tests.appliance.rehearsal import Rehearsal
from tests.image.hospital import (
    PANEL,
    book,
    show,
    wait_until_ready,
)
from tests.image.machine import Machine
from tests.image.nurse import said
from tests.image.ward import CAPTURE, CONSENT, Ward
from tests.journey.at_hospital import Hospital
from tests.journey.on_device import Fate
from tests.waiting import until
from wire import events

pytestmark = pytest.mark.image

CUTS = 2
"""Each costs a boot. ./test kills processes by the hundred; this is the real disk and kernel."""


def lost() -> Screen:
    """What the screen says of one photo that a start found lost."""
    ward = Rehearsal(session.resume(0, next_n=2))
    ward.tell(signals.LostPhoto(ward.now, 1))
    return said(ward)


def taken(machine: Machine, site: VirtualSite) -> Fate | None:
    """The photo that the ledger knows of and that is not settled."""
    fates = book(machine, site).fates()
    return fates[-1] if fates and not fates[-1].ends else None


def on_worklist(site: VirtualSite, fate: Fate) -> bool:
    """Whether somebody at the hospital is told of the loss."""
    names = {f"intent {fate.intent.digest.hex()}", fate.photo.hex() if fate.photo else ""}
    return bool(names & {subject for subject, _ in Hospital(site).worklist("lost")})


@pytest.mark.parametrize("seed", range(CUTS))
def test_P5_P6_a_power_cut_leaves_a_whole_ledger_and_its_loss_is_said_on_both_sides(
    machine: Machine, site: VirtualSite, seed: int
) -> None:
    wait_until_ready(machine)
    ward = Ward(machine)
    ward.press(CONSENT)
    until(lambda: ward.lamp, 30, "the lamp")
    site.keeper.stop("gateway")
    ward.press(CAPTURE)
    until(lambda: taken(machine, site), 120, "a CAPTURE on the ledger")
    pass_time(random.Random(seed).uniform(0, 6))
    machine.cut_power()

    machine.power_on()
    machine.wait_for_agent()
    until(lambda: show(machine, PANEL, "ActiveState") == "active", 600, "the panel")
    again = Ward(machine)
    until(lambda: again.shows(lost()), 60, "LOST on the display")
    ledger = book(machine, site)
    assert not ledger.problems and not ledger.torn
    fate = ledger.fates()[-1]
    assert isinstance(fate.ends[-1], events.Lost)
    site.start_gateway()
    wait_until_ready(machine)
    until(lambda: on_worklist(site, fate), 120, "the loss on the hospital's worklist")
    again.press(CAPTURE)  # somebody has read it
    until(lambda: not again.shows(lost()), 30, "the display to go on")


def pass_time(seconds: float) -> None:
    """The moment is the point; there is nothing to wait for."""
    end = time.monotonic() + seconds
    until(lambda: time.monotonic() > end, seconds + 30, "time to pass")
