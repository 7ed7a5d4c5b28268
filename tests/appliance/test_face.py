"""Screen, lamp and buzzer together, on the simulated ward; and the way to its bedside."""

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from selectors import DefaultSelector

import pytest

from appliance import session, signals
from appliance.clock import WallTime
from appliance.config import (
    ApplianceConfig,
    BrokerSettings,
    DeviceSettings,
    HardwareSettings,
    NightSettings,
    PathSettings,
)
from appliance.drawing import draw
from appliance.face import Face, Shown
from appliance.fittings import hands_and_face
from appliance.lights import Lights
from appliance.oled import BRIGHT, DIM, RETRY, Oled
from appliance.orders import VIEW_BYTES
from appliance.screen import view
from appliance.signals import Buzzer, Line
from appliance.simulator.bedside import Bedside
from appliance.simulator.oled import SimulatedPanel
from appliance.simulator.remote import BedsideError, Remote
from appliance.simulator.ward import BUZZER_PIN, LAMP_PIN, Ward
from base.errors import EnvironmentProblem
from tests.appliance.rehearsal import Rehearsal
from tests.waiting import until
from wire.ledger import ClockTrust


class Clock:
    def __init__(self) -> None:
        self.now = 10**9
        self.trust = ClockTrust.SYNCED

    def monotonic_ns(self) -> int:
        return self.now

    def wall(self, floor_ms: int) -> WallTime:
        return WallTime(max(floor_ms, self.now // 10**6), self.trust)


class Bed:
    """A face with a simulated ward and panel behind it, and somebody who writes down."""

    def __init__(self, folder: Path, night: NightSettings = NightSettings()) -> None:  # noqa: B008
        self.clock = Clock()
        self.ward = Ward(folder / "production")
        self.panel = SimulatedPanel()
        self.seen: list[Shown] = []
        lights = Lights(
            self.ward.factory,
            lamp_pin=LAMP_PIN,
            buzzer_pin=BUZZER_PIN,
            clock=self.clock.monotonic_ns,
        )
        self.face = Face(
            oled=Oled("ssd1309", self.panel.open_bus, self.clock.monotonic_ns),
            lights=lights,
            clock=self.clock,
            language="en",
            place="Bed 12",
            night=night.covers,
            watch=self.seen.append,
        )


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    return Bed(tmp_path)


@pytest.fixture
def idle() -> session.State:
    return session.resume(10**9, next_n=1)


def opened() -> session.State:
    ward = Rehearsal()
    ward.open_window()
    return ward.state


def test_the_screen_shows_what_the_session_says(bed: Bed, idle: session.State) -> None:
    bed.face.show(idle)
    screen = view(idle, bed.clock.now, "en", place="BED 12")
    assert bed.panel.pixels == draw(screen).tobytes()
    assert bed.seen[-1].words == ("ASK FIRST", "BED 12", "OFFLINE")


def test_at_night_the_screen_is_dim_and_the_buzzer_quiet_and_by_day_neither(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    bed = Bed(tmp_path, NightSettings("21:00", "06:00"))
    for hour, contrast in ((20, BRIGHT), (21, DIM), (29, DIM), (30, BRIGHT)):
        bed.clock.now = hour * 3600 * 10**9
        bed.face.show(session.resume(bed.clock.now, next_n=1))
        assert bed.panel.contrast == contrast
        bed.face.buzz(Buzzer.REFUSED)
        due = bed.face.deadline()
        assert due is not None
        assert (due - bed.clock.now) // 10**6 == (400 if contrast == BRIGHT else 100)
        bed.clock.now = due
        bed.face.tick()
    bed.clock.trust = ClockTrust.NONE
    bed.clock.now = 22 * 3600 * 10**9
    bed.face.show(session.resume(bed.clock.now, next_n=1))
    assert bed.panel.contrast == BRIGHT, "who does not know the time knows no night"
    monkeypatch.undo()
    time.tzset()


def test_the_viewfinder_is_shown_and_wiped_with_the_window(bed: Bed, idle: session.State) -> None:
    bed.face.show(opened())
    without = bed.panel.pixels
    bed.face.view(memoryview(b"\xff" * VIEW_BYTES))
    assert bed.panel.pixels != without
    assert bytes(bed.face._bits.view[:VIEW_BYTES]) == b"\xff" * VIEW_BYTES
    bed.face.show(idle)
    assert bytes(bed.face._bits.view[:VIEW_BYTES]) == bytes(VIEW_BYTES)


def test_a_viewfinder_picture_outside_a_window_is_not_even_kept(
    bed: Bed, idle: session.State
) -> None:
    bed.face.show(idle)
    bed.face.view(memoryview(b"\xff" * VIEW_BYTES))
    assert bytes(bed.face._bits.view[:VIEW_BYTES]) == bytes(VIEW_BYTES)


def test_lamp_and_buzzer_carry_on_without_the_screen(bed: Bed, idle: session.State) -> None:
    bed.face.show(idle)
    bed.panel.answers = False
    bed.face.prove()
    assert bed.face.broken
    bed.face.lamp(True)
    bed.face.buzz(Buzzer.OPENED)
    assert bed.ward.lamp_is_lit
    assert bed.ward.buzzer_sounds


def test_a_screen_that_comes_back_shows_the_state_by_itself(bed: Bed, idle: session.State) -> None:
    bed.panel.answers = False
    bed.face.show(idle)
    bed.panel.answers = True
    assert bed.face.deadline() == bed.clock.now + RETRY
    bed.clock.now += RETRY
    bed.face.tick()
    assert not bed.face.broken
    assert bed.panel.pixels != bytes(VIEW_BYTES)


# -- the bedside, over its socket


class Served:
    """A bedside with its selector; ``turn`` serves it as the panel's loop does."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "world.sock"
        self.ward = Ward(folder / "production")
        self.panel = SimulatedPanel()
        self.bedside = Bedside(self.path, ward=self.ward, panel=self.panel)
        self.selector = DefaultSelector()
        self.bedside.register(self.selector)

    def turn(self) -> None:
        for key, _ in self.selector.select(0.01):
            key.data()

    def until(self, predicate: Callable[[], object], what: str) -> None:
        def served() -> object:
            self.turn()
            return predicate()

        until(served, 20, what)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    made = Served(tmp_path)
    yield made
    made.bedside.close()
    made.selector.close()


def test_hands_and_eyes_from_another_process(served: Served) -> None:
    with Remote(served.path) as remote:
        served.until(lambda: remote.view.alive, "the first look")
        remote.press("consent")
        served.until(lambda: served.ward.is_down(Line.CONSENT), "the press")
        remote.release("consent")
        served.until(lambda: not served.ward.is_down(Line.CONSENT), "the release")
        remote.break_screen()
        served.until(lambda: not served.panel.answers, "the screen to fail")
        served.bedside.publish(Shown(words=("FILED",), buzzer="done", open=True, ready=True))
        served.until(lambda: remote.view.words == ("FILED",), "the words")
        assert remote.view.open
        assert remote.view.ready
        assert remote.view.buzzer == "done"
        assert remote.wait_word("FILED", 1).words == ("FILED",)
        with pytest.raises(BedsideError, match=r"in vain for other words; the screen says FILED"):
            remote.wait_word("LOST", 0.05)


def test_what_cannot_be_done_is_answered_and_nobody_is_thrown_out(served: Served) -> None:
    with socket.socket(socket.AF_UNIX) as visitor:
        visitor.settimeout(0.05)
        visitor.connect(str(served.path))
        bad = [b"{", b"[]", b'{"line":"door","level":"low"}', b'{"oled":7}', b"\xff\xfe", b"null"]
        visitor.sendall(b"\n".join(bad) + b"\n" + b'{"line":"capture","level":"low"}\n')
        served.until(lambda: served.ward.is_down(Line.CAPTURE), "the one good line")
        heard = b""
        while heard.count(b"\n") < len(bad) + 1:
            served.turn()
            heard += visitor.recv(65536)
        answers = [json.loads(line) for line in heard.splitlines()]
        assert sum("error" in answer for answer in answers) == len(bad)


def test_a_line_without_end_ends_the_visit(served: Served) -> None:
    with socket.socket(socket.AF_UNIX) as visitor:
        visitor.setblocking(False)
        visitor.connect(str(served.path))

        def gone() -> bool:
            try:
                visitor.send(b"x" * 1000)
                while visitor.recv(65536):
                    pass
            except BlockingIOError:
                return False
            except OSError:
                return True
            return True

        served.until(gone, "the end of the visit")


def test_who_does_not_read_gets_the_latest_picture_and_costs_no_memory(served: Served) -> None:
    with socket.socket(socket.AF_UNIX) as sleeper:
        sleeper.connect(str(served.path))
        served.until(lambda: served.bedside._visitors, "the sleeper")
        for n in range(2000):
            served.bedside.publish(Shown(words=(f"KEPT {n}",)))
        (visitor,) = served.bedside._visitors
        assert len(visitor.saying) + len(visitor.next) < 8192
        sleeper.setblocking(False)
        heard = bytearray()

        def latest() -> bool:
            try:
                heard.extend(sleeper.recv(65536))
            except BlockingIOError:
                return False
            return b"KEPT 1999" in heard

        served.until(latest, "the latest picture")


def test_a_device_that_is_off_is_dark_and_says_so(served: Served, tmp_path: Path) -> None:
    with Remote(served.path) as remote:
        served.until(lambda: remote.view.alive, "the first look")
        served.bedside.close()
        until(lambda: not remote.view.alive, 20, "darkness")
        with pytest.raises(BedsideError, match="the device is off"):
            remote.press("consent")
        served.bedside = Bedside(served.path, ward=served.ward, panel=served.panel)
        served.bedside.register(served.selector)
        served.until(lambda: remote.view.alive, "the light to come back")


def config(folder: Path, adapter: str = "simulated", bus: str = "i2c") -> ApplianceConfig:
    return ApplianceConfig(
        device=DeviceSettings("ward3-bed12", bed="Bed 12", language="de"),
        broker=BrokerSettings("localhost"),
        paths=PathSettings(run=folder, state=folder, production=folder / "production"),
        hardware=HardwareSettings(adapter=adapter, oled_bus=bus),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("bus", ["i2c", "spi"])
def test_the_fittings_of_a_simulated_ward_work_together(tmp_path: Path, bus: str) -> None:
    clock = Clock()
    with DefaultSelector() as selector:
        buttons, face = hands_and_face(config(tmp_path, bus=bus), selector, clock)
        selector.register(buttons, 1, lambda: None)
        face.show(session.resume(clock.now, next_n=1))
        with Remote(tmp_path / "world.sock") as remote:

            def turn() -> None:
                for key, _ in selector.select(0.01):
                    key.data()

            def look() -> tuple[str, ...]:
                turn()
                return remote.view.words

            until(lambda: look() == ("ERST", "FRAGEN", "BED 12", "OFFLINE"), 20, "the words")
            remote.press("consent")
            told: list[signals.Event] = []

            def pressed() -> bool:
                turn()
                clock.now += 10**7
                told.extend(buttons.events())
                return bool(told)

            until(pressed, 20, "the press")
            assert isinstance(told[0], signals.ConsentDown)
        for key in list(selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]


def test_nothing_simulated_runs_on_a_production_image(tmp_path: Path) -> None:
    (tmp_path / "production").touch()
    with (
        DefaultSelector() as selector,
        pytest.raises(EnvironmentProblem, match="this is a production image"),
    ):
        hands_and_face(config(tmp_path), selector, Clock())
    assert not (tmp_path / "world.sock").exists()


def test_real_pins_that_are_missing_are_said_in_words(tmp_path: Path) -> None:
    if os.path.exists("/dev/gpiochip0"):  # noqa: PTH110
        pytest.skip("this machine has pins")
    with (
        DefaultSelector() as selector,
        pytest.raises(EnvironmentProblem, match=r"lgpio is missing|pins cannot be opened"),
    ):
        hands_and_face(config(tmp_path, "gpio"), selector, Clock())
