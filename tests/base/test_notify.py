"""What a service manager hears from a role: a real datagram socket stands in for it."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from base.notify import Notifier, Pulse


class Manager:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.setblocking(False)

    def heard(self) -> list[str]:
        """Every datagram since the last time."""
        found = []
        while True:
            try:
                found.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return found


class Hands:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def manager(short_dir: Path) -> Iterator[Manager]:
    found = Manager(str(short_dir / "notify"))
    yield found
    found.socket.close()


def environ(manager: Manager, **more: str) -> dict[str, str]:
    return {"NOTIFY_SOCKET": str(manager.socket.getsockname()), **more}


def test_fields_arrive_as_lines_of_one_datagram(manager: Manager) -> None:
    assert Notifier(environ(manager)).send(READY=1, STATUS="waiting")
    assert manager.heard() == ["READY=1\nSTATUS=waiting"]


def test_a_line_break_in_words_does_not_become_another_field(manager: Manager) -> None:
    Notifier(environ(manager)).send(STATUS="offline\nMAINPID=1")
    assert manager.heard() == ["STATUS=offline MAINPID=1"]


def test_a_name_in_no_file_system_is_reached_too() -> None:
    name = f"wardseal-{os.getpid()}-notify"
    manager = Manager(f"\0{name}")
    assert Notifier({"NOTIFY_SOCKET": f"@{name}"}).send(READY=1)
    assert manager.heard() == ["READY=1"]
    manager.socket.close()


@pytest.mark.parametrize("address", ["", "vsock:2:1234", "/nowhere/notify"])
def test_without_anybody_listening_nothing_is_sent_and_nothing_fails(address: str) -> None:
    given = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1000000"}
    pulse = Pulse(Notifier(given))
    pulse.beat()
    pulse.say("waiting")
    pulse.stop()
    assert not Notifier(given).send(READY=1)
    assert not Notifier({}).send(READY=1)


def test_a_manager_that_reads_nothing_never_holds_a_role_up(manager: Manager) -> None:
    notifier = Notifier(environ(manager))
    while notifier.send(STATUS="x" * 1000):
        pass  # until its queue is full; a send that waited would hang here
    assert manager.heard()
    assert notifier.send(READY=1)


@pytest.mark.parametrize(
    ("variables", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "10000000"}, 10.0),
        ({"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": str(os.getpid())}, 10.0),
        ({"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdogs_time_is_read_if_it_is_meant_for_us(
    variables: dict[str, str], seconds: float | None
) -> None:
    assert Notifier(variables).watchdog_seconds() == seconds


def test_ready_is_said_once_and_at_the_first_completed_turn(manager: Manager) -> None:
    pulse = Pulse(Notifier(environ(manager)))
    assert manager.heard() == []
    pulse.beat()
    pulse.beat()
    assert manager.heard() == ["READY=1"]


def test_ready_is_said_again_when_it_was_lost(short_dir: Path) -> None:
    path = short_dir / "notify"
    pulse = Pulse(Notifier({"NOTIFY_SOCKET": str(path)}))
    pulse.beat()
    manager = Manager(str(path))
    pulse.beat()
    assert manager.heard() == ["READY=1"]
    manager.socket.close()


def test_the_watchdog_is_fed_by_completed_turns_alone(manager: Manager) -> None:
    clock = Hands()
    pulse = Pulse(Notifier(environ(manager, WATCHDOG_USEC="8000000")), clock=clock)
    pulse.beat()
    assert manager.heard() == ["READY=1", "WATCHDOG=1"]
    for _ in range(1000):
        pulse.beat()
    assert manager.heard() == [], "a busy loop does not flood the manager"
    clock.now += 2.0
    assert manager.heard() == [], "time alone is no progress"
    pulse.beat()
    assert manager.heard() == ["WATCHDOG=1"]


def test_a_lost_sign_of_life_is_made_up_for_at_once(short_dir: Path) -> None:
    path = short_dir / "notify"
    clock = Hands()
    given = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "8000000"}
    pulse = Pulse(Notifier(given), clock=clock)
    pulse.beat()
    manager = Manager(str(path))
    pulse.beat()
    assert manager.heard() == ["READY=1", "WATCHDOG=1"]
    manager.socket.close()


@pytest.mark.parametrize(("waits", "shortened"), [(None, 2.5), (60.0, 2.5), (0.25, 0.25)])
def test_a_watched_loop_wakes_often_enough_to_be_heard(
    manager: Manager, waits: float | None, shortened: float
) -> None:
    pulse = Pulse(Notifier(environ(manager, WATCHDOG_USEC="10000000")))
    assert pulse.patience(waits) == shortened


def test_an_honest_loop_at_its_slowest_is_never_silent_for_the_watchdogs_time(
    manager: Manager,
) -> None:
    clock = Hands()
    given = environ(manager, WATCHDOG_USEC="10000000")
    pulse = Pulse(Notifier(given), longest_turn=5.0, clock=clock)
    pulse.beat()
    heard_at = clock.now
    manager.heard()
    for early in (0.0, 0.9, 0.99, 0.0):
        clock.now += early  # a quick turn, too soon after the last beat to be sent
        pulse.beat()
        wait = pulse.patience(None)
        assert wait is not None
        clock.now += wait + 5.0  # then the longest wait and the longest turn
        pulse.beat()
        assert manager.heard()
        assert clock.now - heard_at < 10.0
        heard_at = clock.now


def test_an_unwatched_loop_waits_as_long_as_it_likes() -> None:
    pulse = Pulse(Notifier({}))
    assert pulse.patience(None) is None
    assert pulse.patience(60.0) == 60.0


def test_a_turn_that_may_take_long_asks_for_a_longer_watchdog(manager: Manager) -> None:
    given = environ(manager, WATCHDOG_USEC="10000000")
    pulse = Pulse(Notifier(given), longest_turn=60.0)
    assert manager.heard() == ["WATCHDOG_USEC=120000000"]
    assert pulse.patience(None) == 30.0
    Pulse(Notifier(given), longest_turn=5.0)
    assert manager.heard() == []


def test_stopping_and_status_are_said(manager: Manager) -> None:
    pulse = Pulse(Notifier(environ(manager)))
    pulse.say("waiting for a consent")
    pulse.stop()
    assert manager.heard() == ["STATUS=waiting for a consent", "STOPPING=1"]
