"""What the roles tell a service manager: real processes, and the test at the other end."""

import socket
import struct
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from appliance import orders
from base.memory import ALLOCATOR_ENV
from cli.virtual_site import Virtual, VirtualSite
from tests.appliance.bedside import Bedside
from tests.waiting import until

SECONDS = 4


class Manager:
    """Hears who says what: the kernel adds the sender's process id."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.socket.bind(str(path))
        self.socket.setblocking(False)
        self._heard: list[tuple[int, str]] = []

    def heard(self, pid: int) -> list[str]:
        """Everything that process has ever said."""
        while True:
            try:
                data, ancillary, _, _ = self.socket.recvmsg(4096, socket.CMSG_SPACE(12))
            except BlockingIOError:
                return [text for who, text in self._heard if who == pid]
            ((_, _, credentials),) = ancillary
            self._heard.append((struct.unpack("3i", credentials)[0], data.decode()))

    @property
    def environment(self) -> dict[str, str]:
        return {"NOTIFY_SOCKET": str(self.path), "WATCHDOG_USEC": str(SECONDS * 1_000_000)}


@pytest.fixture
def manager(short_dir: Path) -> Iterator[Manager]:
    found = Manager(short_dir / "notify")
    yield found
    found.socket.close()


def ready_and_alive(manager: Manager, pid: int) -> bool:
    said = manager.heard(pid)
    return "READY=1" in said and said.count("WATCHDOG=1") >= 3


def test_a_darkroom_says_when_it_waits_and_that_it_still_does(
    manager: Manager, tmp_path: Path
) -> None:
    bedside = Bedside(tmp_path, deadline_seconds=1.0)
    with bedside.start(environment={**ALLOCATOR_ENV, **manager.environment}) as life:
        pid = life.process.pid
        life.expect(orders.Idle)
        until(partial(ready_and_alive, manager, pid), 10, "READY and three signs of life")
        assert life.end() == 0


def test_a_darkroom_that_hangs_in_its_camera_gives_no_sign_of_life(
    manager: Manager, tmp_path: Path
) -> None:
    bedside = Bedside(tmp_path, deadline_seconds=1.0)
    bedside.world.hang(after=1)
    with bedside.start(environment={**ALLOCATOR_ENV, **manager.environment}) as life:
        pid = life.process.pid
        consent = bedside.open(life)
        bedside.take(life, consent)
        intent = bedside.intent(consent)
        before = len(manager.heard(pid))
        life.line.send(orders.Capture(intent.raw, bedside.header(consent, intent)))
        began = time.monotonic()
        life.expect(orders.Fault)
        assert time.monotonic() - began > 1.0
        # One may have been on its way when the order came.
        assert len(manager.heard(pid)) <= before + 1


def test_a_darkroom_whose_camera_may_take_longer_asks_for_a_longer_watchdog(
    manager: Manager, tmp_path: Path
) -> None:
    bedside = Bedside(tmp_path, deadline_seconds=30.0)
    with bedside.start(environment={**ALLOCATOR_ENV, **manager.environment}) as life:
        life.expect(orders.Idle)
        until(lambda: "READY=1" in manager.heard(life.process.pid), 5, "the word that it is ready")
        assert manager.heard(life.process.pid)[0] == "WATCHDOG_USEC=61000000"
        assert life.end() == 0


def test_panel_and_uplink_are_ready_live_and_stop_in_good_order(
    manager: Manager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in manager.environment.items():
        monkeypatch.setenv(name, value)
    with VirtualSite(tmp_path, Virtual(width=640, height=480)) as site:
        site.device.power_on()
        pids = [site.keeper.pid(role) or 0 for role in ("panel", "uplink")]
        for pid in pids:
            until(partial(ready_and_alive, manager, pid), 20, "READY and three signs of life")
        site.keeper.stop("panel", "uplink")
        panel, uplink = map(manager.heard, pids)
    assert panel[0] == "READY=1"
    assert (panel[-1], uplink[-1]) == ("STOPPING=1", "STOPPING=1")
    assert "STATUS=offline: nothing answers at 127.0.0.1 on this port" in uplink
