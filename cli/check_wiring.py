"""``wardseal check --wiring``: an installer and the device go through its parts, one by one.

Each step asks for something that only a part that is wired right can give: a number that can be
read off the screen, beeps that can be counted, a press. So nobody can say yes out of habit. The
panel must be stopped: two programs on one set of pins would both be wrong.

No photo is taken. The camera is asked what it is missing, and stays closed (P1); the lamp is on
for its own test alone.
"""

import os
import secrets
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from selectors import EVENT_READ, BaseSelector, DefaultSelector
from typing import Final

from appliance import signals
from appliance.clock import Clock
from appliance.config import ApplianceConfig
from appliance.drawing import draw
from appliance.face import Shown
from appliance.fittings import Fittings, clock_of, fit
from appliance.screen import Screen
from appliance.signals import Buzzer, Line
from base import doorbell
from base.errors import EnvironmentProblem
from cli.findings import Finding, broken, off, ok
from cli.outcome import UsageError

_SECOND: Final = 1_000_000_000
_PATIENCE: Final = 120
"""Seconds in which an answer or a press has to come."""

_DOWN: Final = {signals.ConsentDown: Line.CONSENT, signals.CaptureDown: Line.CAPTURE}
_UP: Final = {signals.ConsentUp: Line.CONSENT, signals.CaptureUp: Line.CAPTURE}
_BEEPS: Final = {1: Buzzer.REFUSED, 2: Buzzer.CLOSED, 3: Buzzer.POOR}


def walk(config: ApplianceConfig) -> list[Finding]:
    """Go through every part of the device that ``config`` is about; return what was found."""
    try:
        running = doorbell.is_heard(config.paths.panel_bell)
    except OSError as e:
        raise EnvironmentProblem(
            f"{config.paths.panel_bell} cannot be looked at ({e.strerror}): run this as root"
        ) from e
    if running:
        raise UsageError(
            "the panel is running and holds the buttons: stop it first (systemctl stop"
            " wardseal.target), and start it again afterwards"
        )
    with DefaultSelector() as selector:
        clock = clock_of(config)
        parts = fit(config, selector, clock)
        try:
            return _Walk(config, parts, selector, clock).findings()
        finally:
            parts.close()


@dataclass(frozen=True)
class _Press:
    """A button went down and, after ``seconds``, came up."""

    line: Line
    seconds: float


class _Walk:
    """One walk through the parts; answers come from standard input, a line each."""

    def __init__(
        self, config: ApplianceConfig, parts: Fittings, selector: BaseSelector, clock: Clock
    ) -> None:
        self._hardware = config.hardware
        self._config = config
        self._parts = parts
        self._selector = selector
        self._now = clock.monotonic_ns
        self._word: tuple[str, ...] = ()
        self._typed = b""
        self._ended = False
        try:
            selector.register(sys.stdin.fileno(), EVENT_READ, self._read)
        except (OSError, ValueError) as e:
            raise UsageError("there is nobody to ask: run this at a terminal") from e
        selector.register(parts.buttons, EVENT_READ, lambda: None)

    def findings(self) -> list[Finding]:
        """Ask everything, in the order in which one answer helps the next question."""
        return list(self._steps())

    def _steps(self) -> Iterator[Finding]:
        yield self._screen()
        yield self._lamp()
        yield self._buzzer()
        yield self._button(Line.CONSENT)
        yield self._button(Line.CAPTURE)
        yield self._foot_switch()
        yield self._camera()

    # -- the steps

    def _screen(self) -> Finding:
        hardware, code = self._hardware, str(10 + secrets.randbelow(90))
        self._show(code)
        if hardware.oled_bus == "i2c":
            where = f"I2C {hardware.oled_port}, address {hardware.oled_address:#04x}"
            wires = "SDA and SCL may be swapped; i2cdetect -y 1 shows the address that answers"
        else:
            where = f"SPI {hardware.oled_port}"
            wires = f"DC is GPIO {hardware.oled_dc_pin}, RES is GPIO {hardware.oled_reset_pin}"
        if self._parts.oled.broken:
            return broken("screen", f"does not answer on {where}", wires)
        answer = self._ask("Which number is on the screen? (Enter: none that can be read)")
        if answer != code:
            return broken(
                "screen",
                f"answers on {where}, but {answer or 'nothing'} was read off it instead of {code}",
                f"is it {hardware.oled_driver}? Set hardware.oled_driver; a picture two columns"
                " off is an sh1106's",
            )
        return ok("screen", f"shows what it is told ({hardware.oled_driver} on {where})")

    def _lamp(self) -> Finding:
        pin = f"GPIO {self._hardware.lamp_pin}"
        self._show("LAMP")
        self._light(True)
        if not self._yes("Is the lamp lit?"):
            self._light(False)
            return broken("lamp", f"stays dark while {pin} is high", "is it the right way round?")
        self._light(False)
        if not self._yes("And is it dark now?"):
            return broken(
                "lamp", f"is lit while {pin} is low", f"it must hang on {pin}, not on 3V3"
            )
        return ok("lamp", f"goes on and off with {pin}")

    def _buzzer(self) -> Finding:
        pin = f"GPIO {self._hardware.buzzer_pin}"
        self._show("BUZZER")
        count = secrets.choice(list(_BEEPS))
        self._parts.lights.buzz(_BEEPS[count])
        self._look()
        answer = self._ask("How many beeps did you hear? (Enter: none)")
        if answer != str(count):
            mend = "it has to be an active buzzer, plus to the pin"
            return broken(
                "buzzer", f"{answer or 'none'} heard where {count} sounded on {pin}", mend
            )
        return ok("buzzer", f"sounds on {pin}")

    def _button(self, line: Line) -> Finding:
        pins = {Line.CONSENT: self._hardware.consent_pin, Line.CAPTURE: self._hardware.capture_pin}
        name, pin = f"{line.upper()} button", f"GPIO {pins[line]}"
        self._turn(0.1)
        if self._parts.buttons.is_down(line):
            return broken(
                name,
                f"{pin} is low though nobody presses",
                "the button must be a normally open one, between the pin and ground",
            )
        self._show(line.upper())
        press = self._press(f"Press {line.upper()} and let it go. (Enter: nothing happens)")
        if press is None:
            return broken(name, f"no press arrives on {pin}", "is its other wire on ground?")
        if press.line is not line:
            return broken(
                name,
                f"the press came on GPIO {pins[press.line]}, which is {press.line.upper()}",
                "swap the two wires, or hardware.consent_pin and hardware.capture_pin",
            )
        if press.seconds == 0:
            return broken(name, f"{pin} went low and did not come up", "the button is jammed")
        return ok(name, f"one press on {pin}, {press.seconds:.1f} s long")

    def _foot_switch(self) -> Finding:
        pin = f"GPIO {self._hardware.capture_pin}"
        self._show("FOOT")
        press = self._press("Tread on the foot switch. (Enter: there is none)")
        if press is None:
            return off("foot switch", "there is none", f"one can lie beside CAPTURE, on {pin}")
        if press.line is not Line.CAPTURE:
            return broken(
                "foot switch",
                "it presses CONSENT",
                f"it belongs on {pin}: a foot must never be able to give a consent",
            )
        return ok("foot switch", f"presses CAPTURE ({pin})")

    def _camera(self) -> Finding:
        from appliance.darkroom import camera_of

        self._show("CAMERA")
        problem = camera_of(self._config).self_test()
        if problem is not None:
            return broken("camera", str(problem))
        return ok("camera", "there, with all it needs; it was not opened")

    # -- the device

    def _show(self, word: str) -> None:
        screen = Screen((word,), ("WIRING",))
        self._parts.oled.show(draw(screen))
        self._word = screen.words
        self._look()

    def _light(self, on: bool) -> None:
        self._parts.lights.lamp(on)
        self._look()

    def _look(self) -> None:
        playing = self._parts.lights.playing
        self._parts.watch(Shown(words=self._word, buzzer="" if playing is None else str(playing)))

    def _turn(self, seconds: float) -> list[signals.Event]:
        """Wait for something, deal with it, and return what the buttons did."""
        due = (self._parts.lights.deadline(), self._parts.buttons.deadline())
        left = [(at - self._now()) / _SECOND for at in due if at is not None]
        for key, _ in self._selector.select(max(0.0, min([seconds, *left]))):
            key.data()
        self._parts.lights.tick()
        self._look()
        return self._parts.buttons.events()

    def _press(self, question: str) -> _Press | None:
        """Return the first press, however long; None when somebody types instead, or nothing."""
        self._parts.buttons.events()  # what has been pressed before was no answer
        print(question, flush=True)
        down: tuple[Line, int] | None = None
        until = self._now() + _PATIENCE * _SECOND
        while self._now() < until:
            for event in self._turn(1.0):
                if down is None and type(event) in _DOWN:
                    down = _DOWN[type(event)], event.at
                elif down is not None and _UP.get(type(event)) is down[0]:
                    return _Press(down[0], (event.at - down[1]) / _SECOND)
            if self._line() is not None:
                break
        return None if down is None else _Press(down[0], 0.0)

    # -- the installer

    def _ask(self, question: str) -> str:
        print(question, flush=True)
        until = self._now() + _PATIENCE * _SECOND
        while self._now() < until:
            if (line := self._line()) is not None:
                return line
            self._turn(1.0)
        raise UsageError("nobody has answered")

    def _yes(self, question: str) -> bool:
        while True:
            answer = self._ask(f"{question} (y or n)").lower()
            if answer[:1] in ("y", "n"):
                return answer[0] == "y"

    def _line(self) -> str | None:
        """Return what was typed, once it is a whole line."""
        line, newline, rest = self._typed.partition(b"\n")
        if newline:
            self._typed = rest
            return line.decode(errors="replace").strip()
        if self._ended:
            raise UsageError("the walk was left before its end")
        return None

    def _read(self) -> None:
        data = os.read(sys.stdin.fileno(), 4096)
        self._typed += data
        if not data:
            self._ended = True
            self._selector.unregister(sys.stdin.fileno())
