"""What a nurse does at the emulated device, and what its display has to say to that."""

import copy
from datetime import UTC, datetime, timedelta

from appliance import signals
from appliance.screen import Screen, WallTimes, view
from cli.virtual_site import VirtualSite
from tests.appliance.rehearsal import Rehearsal
from tests.image.guest.make_site import BED
from tests.image.hospital import book, darkroom
from tests.image.machine import Machine
from tests.image.ward import CAPTURE, CONSENT, Ward
from tests.waiting import until

SCENE = "/sys/module/vimc/parameters/scene"


def look_at(machine: Machine, scene: int) -> None:
    """Put something else before the lens."""
    machine.shell(f"echo {scene} >{SCENE}")


def said(ward: Rehearsal) -> Screen:
    """What the screen has to say in this state."""
    return view(ward.state, ward.now, "en", place=BED.upper(), times=WallTimes(0, UTC))


def open_window() -> Rehearsal:
    ward = Rehearsal()
    ward.open_window()
    return ward


def filed_at(state: Rehearsal, n: int, minutes: int) -> Screen:
    """The screen once the hospital has signed, so many minutes from now."""
    when = datetime.now(UTC) + timedelta(minutes=minutes)
    other = copy.deepcopy(state)
    other.tell(signals.Filed(other.now, n, int(when.timestamp() * 1000)))
    return said(other)


def take_photo(ward: Ward, machine: Machine, scene: int) -> None:
    """From CONSENT to the end of a CAPTURE, and then look at something else."""
    look_at(machine, scene)
    ward.press(CONSENT)
    ward.wait_for(said(open_window()))
    ward.press(CAPTURE)
    rehearsed = open_window()
    rehearsed.photo()
    rehearsed.wait(4)
    ward.wait_for(said(rehearsed))
    look_at(machine, scene + 1)


def finish(ward: Ward, machine: Machine) -> None:
    """End the window; return when nothing of its darkroom is left."""
    last = darkroom(machine)
    if ward.lamp:  # a window has its own end, too
        ward.press(CONSENT)
    until(lambda: not ward.lamp and darkroom(machine) != last, 120, "the darkroom to end")


def until_settled(machine: Machine, site: VirtualSite) -> None:
    """The device has its receipt and has wiped the envelope."""
    until(lambda: book(machine, site).fates()[-1].settled, 60, "the photo to be wiped")
