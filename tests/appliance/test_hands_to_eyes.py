"""From copper to glass: what a hand does to the buttons, and what the OLED then says.

Real parts on the simulated ward's pins and panel: gpiozero, debounce, session, screen, luma. Only
time is not real, and the darkroom is the rehearsal's.
"""

import tracemalloc
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path

import pytest

from appliance import signals
from appliance.buttons import STUCK, Buttons, Contact
from appliance.clock import WallTime
from appliance.drawing import draw
from appliance.face import Face, Shown
from appliance.hands import SECOND
from appliance.lights import Lights
from appliance.oled import Oled
from appliance.screen import WallTimes, view
from appliance.signals import Line
from appliance.simulator.oled import SimulatedPanel
from appliance.simulator.ward import BUZZER_PIN, CAPTURE_PIN, CONSENT_PIN, LAMP_PIN, Ward
from tests.appliance.rehearsal import Rehearsal
from wire.ledger import ClockTrust

MS = 1_000_000


class Device:
    """Everything between a finger and an eye."""

    def __init__(self, folder: Path, language: str = "en") -> None:
        self.session = Rehearsal()
        self.ward = Ward(folder / "production")
        self.panel = SimulatedPanel()
        self.language = language
        self.seen = Shown()
        factory = self.ward.factory
        self.buttons = Buttons(
            factory, consent_pin=CONSENT_PIN, capture_pin=CAPTURE_PIN, clock=self.monotonic_ns
        )
        self.lights = Lights(
            factory, lamp_pin=LAMP_PIN, buzzer_pin=BUZZER_PIN, clock=self.monotonic_ns
        )
        self.face = Face(
            oled=Oled("ssd1309", self.panel.open_bus, self.monotonic_ns),
            lights=self.lights,
            clock=self,
            language=language,
            watch=self._watch,
        )

    def close(self) -> None:
        self.buttons.close()
        self.lights.close()

    def monotonic_ns(self) -> int:
        return self.session.now

    def wall(self, floor_ms: int) -> WallTime:
        return WallTime(max(floor_ms, self.session.now // MS), ClockTrust.SYNCED)

    def _watch(self, shown: Shown) -> None:
        self.seen = shown

    def turn(self) -> None:
        """One round of the panel's loop."""
        for event in self.buttons.events():
            self.session.tell(event)
        if self.session.camera == "waiting":
            self.session.ready()
        self.face.tick()
        self.face.show(self.session.state)

    def wait(self, ns: int) -> None:
        """Let time pass, turning whenever something is due."""
        end = self.session.now + ns
        while True:
            due = self.buttons.deadline()
            if due is None or due > end:
                break
            self.session.wait(max(0, due - self.session.now) / SECOND)
            self.turn()
        self.session.wait((end - self.session.now) / SECOND)
        self.turn()

    def press(self, line: Line, ns: int = 100 * MS) -> None:
        self.ward.press(line)
        self.wait(ns)
        self.ward.release(line)
        self.wait(100 * MS)

    def words(self) -> tuple[str, ...]:
        """What is said; and that the glass shows just that, to the pixel."""
        state, now = self.session.state, self.session.now
        screen = view(state, now, self.language, times=WallTimes(0, UTC))
        assert self.panel.pixels == draw(screen).tobytes()
        assert self.seen.words == screen.words
        return screen.words


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    made = Device(tmp_path)
    made.turn()
    yield made
    made.close()


@pytest.mark.parametrize(
    ("line", "said"),
    [(Line.CONSENT, ("CONSENT", "STUCK")), (Line.CAPTURE, ("CAPTURE", "STUCK"))],
)
def test_a_stuck_button_is_named_on_the_glass_and_is_forgotten_when_it_comes_up(
    device: Device, line: Line, said: tuple[str, ...]
) -> None:
    device.ward.press(line)
    device.wait(STUCK - SECOND)
    assert said != device.words()
    device.wait(16 * SECOND)  # a menu that the hold has opened goes first
    assert device.words() == said
    assert len(device.session.logged(signals.LogFault)) == 1
    device.ward.release(line)
    device.wait(SECOND)
    assert device.words() == ("ASK FIRST",)
    assert not device.session.logged(signals.LogConsent)


def test_a_contact_that_bounces_on_every_edge_gives_one_consent_and_one_photo(
    device: Device,
) -> None:
    for line in (Line.CONSENT, Line.CAPTURE):
        for edges in (21, 21):  # down, up
            device.ward.bounce(line, edges)
            device.wait(150 * MS)
    device.session.sealed(1)
    device.turn()
    assert "KEPT 1" in device.seen.words
    assert len(device.session.logged(signals.LogConsent)) == 1
    assert device.session.captured == [1]


def test_a_hundred_presses_a_second_are_a_stuck_button(device: Device) -> None:
    """No finger does that: a contact that never rests is a fault, and is called one."""
    for _ in range(100 * 60):
        device.ward.press(Line.CAPTURE)
        device.session.now += 5 * MS
        device.ward.release(Line.CAPTURE)
        device.session.now += 5 * MS
        device.turn()
    assert device.words() == ("CAPTURE", "STUCK")
    assert device.session.ledger == [
        signals.LogFault("capture_stuck", "the capture button does not come up")
    ]
    assert not device.session.captured
    device.wait(SECOND)
    assert device.words() == ("ASK FIRST",)


def test_an_hour_of_a_hundred_presses_a_second_costs_no_memory() -> None:
    contact, told, at = Contact(Line.CAPTURE, False, 0), 0, 0

    def mash(seconds: int) -> int:
        nonlocal at
        events = 0
        for n in range(seconds * 200):
            at += 5 * MS
            events += len(contact.moved(at, n % 2 == 0))
        return events + len(contact.settled(at, None))

    told = mash(60)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        told += mash(60)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    told += mash(3600 - 120)
    assert told == 1, "stuck, once"
    assert grown < 4096


def test_an_hour_of_mashing_both_buttons_as_fast_as_fingers_can_stays_bounded_and_honest() -> None:
    """Five presses a second, and nothing ever comes back from camera or hospital."""
    ward, said = Rehearsal(), set[str]()
    most = 0
    for press in range(18_000):
        down, up = (
            (ward.consent_down, ward.consent_up)
            if press % 30 == 0
            else (ward.capture_down, ward.capture_up)
        )
        down()
        ward.now += 100 * MS
        up()
        ward.now += 100 * MS
        if ward.camera == "waiting":
            ward.ready()
        most = max(most, len(ward.state.photos))
        if press % 10 == 0:
            said.update(view(ward.state, ward.now, "en").words)
    ward.check()
    assert {"CARE ONLY", "BUSY", "FINISHED", "NO CONSENT"} <= said
    assert most <= 256
    # One consent for each other press of CONSENT, and never two windows at once.
    opened = len(ward.logged(signals.LogConsent))
    assert opened - len(ward.logged(signals.LogWindow)) in (0, 1)
    assert opened <= 18_000 // 30
