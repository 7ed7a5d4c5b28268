"""The panel's end of a darkroom, with a clock that the test moves."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from selectors import DefaultSelector

import pytest

from appliance import orders
from appliance.darkroom_line import DarkroomLine, Phase

SECOND = 1_000_000_000
ORDER = orders.Open(b"consent", b"keyset")


class Bench:
    """One line whose other end, and whose time, the test has in hand."""

    def __init__(self, folder: Path) -> None:
        self.now = 0
        self.overdue: list[str] = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(str(folder / "d.sock"))
        self._listener.listen(4)
        self._selector = DefaultSelector()
        self.line = DarkroomLine(
            folder / "d.sock",
            self._selector,
            now=lambda: self.now,
            report=lambda _: None,
            ended=lambda: None,
            overdue=self.overdue.append,
        )

    def start_a_darkroom(self) -> orders.Line:
        self.line.connect()
        connection, _ = self._listener.accept()
        connection.settimeout(5)
        return orders.Line(connection)

    def hear(self) -> None:
        """Let the line take what has come."""
        for key, _ in self._selector.select(5):
            key.data()

    def after(self, seconds: float) -> list[str]:
        """Let time pass; return what was overdue so far."""
        self.now += int(seconds * SECOND)
        self.line.tick()
        return self.overdue

    def close(self) -> None:
        self.line.close()
        self._selector.close()
        self._listener.close()


@pytest.fixture
def bench(short_dir: Path) -> Iterator[Bench]:
    bench = Bench(short_dir)
    yield bench
    bench.close()


def test_a_camera_has_its_whole_time_however_long_its_process_took_to_start(bench: Bench) -> None:
    darkroom = bench.start_a_darkroom()
    bench.line.open(ORDER, 5)
    assert bench.after(4) == []
    darkroom.send(orders.Idle(2**22 + 1))  # a pid that no process of this machine has
    bench.hear()
    assert bench.line.phase is Phase.OPEN
    assert darkroom.receive() == ORDER
    assert bench.after(4.9) == []
    assert bench.after(0.2) == ["the camera did not answer in time (ready)"]
    darkroom.close()


def test_a_process_that_never_starts_is_overdue(bench: Bench) -> None:
    darkroom = bench.start_a_darkroom()
    bench.line.open(ORDER, 5)
    assert bench.after(5) == ["the camera did not answer in time (ready)"]
    darkroom.close()


def test_a_darkroom_that_is_ready_in_time_is_not_overdue(bench: Bench) -> None:
    darkroom = bench.start_a_darkroom()
    darkroom.send(orders.Idle(os.getpid()))
    bench.hear()
    bench.line.open(ORDER, 5)
    darkroom.send(orders.Ready(10))
    bench.hear()
    assert bench.after(60) == []
    darkroom.close()


def test_a_process_that_never_starts_makes_way_for_another(bench: Bench) -> None:
    hung = bench.start_a_darkroom()
    bench.line.open(ORDER, 5)
    assert len(bench.after(5)) == 1
    bench.line.hang_up()
    fresh = bench.start_a_darkroom()
    fresh.send(orders.Idle(2**22 + 1))
    bench.hear()
    assert bench.line.phase is Phase.IDLE
    assert hung.receive() is None
    bench.line.open(ORDER, 5)
    assert fresh.receive() == ORDER
    for darkroom in (hung, fresh):
        darkroom.close()


def test_P2_an_open_darkroom_that_says_it_is_idle_is_still_open(bench: Bench) -> None:
    darkroom = bench.start_a_darkroom()
    darkroom.send(orders.Idle(2**22 + 1))
    bench.hear()
    bench.line.open(ORDER, 5)
    darkroom.send(orders.Idle(2**22 + 1))
    bench.hear()
    assert bench.line.phase is Phase.OPEN and bench.line.in_use
    bench.line.hang_up()
    assert bench.line.phase is Phase.ENDING
    darkroom.close()


def test_P7_a_darkroom_that_gives_the_panels_number_does_not_kill_the_panel(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed: list[int] = []
    monkeypatch.setattr(os, "kill", lambda pid, _: killed.append(pid))
    darkroom = bench.start_a_darkroom()
    darkroom.send(orders.Idle(os.getpid()))
    bench.hear()
    bench.line.open(ORDER, 5)
    bench.after(5)
    assert killed == []
    darkroom.close()
