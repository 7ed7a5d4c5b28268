"""The whole device on its real stack, emulated: P2, P3 and P5 with nothing simulated in Python.

Kernel, systemd, sandboxes, libcamera, Picamera2, gpiozero, lgpio and luma.oled are the real ones;
pins, camera and display are the kernel's (gpio-sim, vimc, an I2C bus of ours). One device is
started for all of these tests, which build on each other in their order.
"""

import numpy as np
import pytest
from PIL import Image

from appliance.screen import Screen
from cli.virtual_site import VirtualSite
from tests.image import physical
from tests.image.guest.wardseal_yuv import yuv420
from tests.image.hospital import book, naive_darkrooms, wait_for_photos, wait_until_ready
from tests.image.machine import Machine
from tests.image.nurse import filed_at, finish, open_window, take_photo, until_settled
from tests.image.scene import HEIGHT, WIDTH, rgb
from tests.image.ward import Ward
from tests.waiting import until

pytestmark = pytest.mark.image


def test_the_device_comes_up_read_only_and_with_nothing_that_keeps_memory(
    machine: Machine,
) -> None:
    lines = [line.split() for line in machine.shell("cat /proc/mounts").splitlines()]
    mounts = {place: kind for _, place, kind, *_ in lines}
    options = {place: set(words.split(",")) for _, place, _, words, *_ in lines}
    assert "ro" in options["/"]
    assert mounts["/var/lib/wardseal"] == "ext4"
    for room in ("/run/wardseal", "/run/wardseal/mailbox", "/var"):
        assert mounts[room] == "tmpfs" and "noswap" in options[room]
    assert machine.shell("tail -n +2 /proc/swaps") == ""
    assert "init_on_free=1" in machine.shell("cat /proc/cmdline").split()
    assert machine.shell("cat /proc/sys/kernel/core_pattern").strip() == "|/bin/false"
    assert machine.shell("cat /proc/sys/kernel/yama/ptrace_scope").strip() == "3"
    failed = machine.shell("systemctl list-units --failed --plain --no-legend")
    assert failed == ""


def test_P2_P5_a_photo_from_a_pressed_pin_to_FILED_on_the_display(
    machine: Machine, site: VirtualSite, ward: Ward
) -> None:
    # Left alone for a minute it has gone dark.
    ward.wait_for(Screen(), 120)
    assert not ward.lamp
    before = set(wait_for_photos(site, 0))
    take_photo(ward, machine, 3)
    assert ward.lamp, "P2: the camera can see"
    (jpeg,) = set(wait_for_photos(site, len(before) + 1)) - before
    finish(ward, machine)
    assert not ward.lamp
    rehearsed = open_window()
    n = rehearsed.photo()
    rehearsed.consent()
    rehearsed.wait(6)
    screens = [filed_at(rehearsed, n, minutes) for minutes in range(-5, 1)]
    assert screens[0].words[0] == "FILED"
    until(lambda: any(map(ward.shows, screens)), 60, "FILED and the time on the display")
    with Image.open(jpeg) as picture:
        luma = np.asarray(picture.convert("YCbCr"))[..., 0]
    assert luma.shape == (HEIGHT, WIDTH)
    frame = yuv420(rgb(3), WIDTH, HEIGHT)[: WIDTH * HEIGHT].reshape(HEIGHT, WIDTH)
    assert np.abs(luma.astype(int) - frame).mean() < 3, "it is the frame that was before the lens"
    ledger = book(machine, site)
    assert ledger.fates()[-1].outcome == "FILED"
    assert not ledger.problems and not ledger.torn


def test_P3_nothing_of_a_photo_is_in_the_machine_s_memory(
    machine: Machine, site: VirtualSite, ward: Ward
) -> None:
    wait_until_ready(machine)
    before = len(wait_for_photos(site, 0))
    take_photo(ward, machine, 11)
    wait_for_photos(site, before + 1)
    until_settled(machine, site)
    photo = book(machine, site).fates()[-1].photo
    assert photo is not None
    secrets = physical.of_frame(11) | physical.of_photo(site, photo)
    with machine.frozen() as memory:
        findings = physical.look_through(memory, secrets)
    assert not findings.windows, f"while the camera looks at something else: {findings}"
    assert findings.bytes_read > 100e6
    finish(ward, machine)
    with machine.frozen() as memory:
        findings = physical.look_through(memory, secrets | physical.of_frame(12))
    assert not findings.windows, f"when the darkroom is gone: {findings}"


def test_P3_the_same_scan_catches_a_naive_darkroom(
    machine: Machine, site: VirtualSite, ward: Ward
) -> None:
    with naive_darkrooms(machine):
        before = len(wait_for_photos(site, 0))
        take_photo(ward, machine, 21)
        wait_for_photos(site, before + 1)
        until_settled(machine, site)
        photo = book(machine, site).fates()[-1].photo
        assert photo is not None
        secrets = physical.of_frame(21) | physical.of_photo(site, photo)
        with machine.frozen() as memory:
            findings = physical.look_through(memory, secrets)
            # Its frame is overwritten by those that follow; what the camera sees now is there.
            now = physical.look_through(memory, physical.of_frame(22))
        finish(ward, machine)
    assert now.windows["frame as it leaves the camera"] > 1000, now
    found = findings.windows
    assert found["JPEG"] > 1000, findings
    assert found["mlkem768-x25519 content key"] > 0, findings
