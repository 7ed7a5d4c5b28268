"""The simulated ward: two buttons, a lamp and a buzzer on gpiozero's own mock pins.

``Ward`` has the verbs of the people and the copper: a button goes down, comes up, bounces; the
lamp can be looked at, the buzzer heard. The parts under test get ``factory`` and cannot tell
it from lgpio's; no part of gpiozero is replaced.
"""

from pathlib import Path
from typing import Any, Final

from gpiozero.pins.mock import MockFactory, MockPin

from appliance.signals import Line
from appliance.simulator import refuse_production

CONSENT_PIN: Final = 17
CAPTURE_PIN: Final = 27
LAMP_PIN: Final = 22
BUZZER_PIN: Final = 23


class _Pin(MockPin):  # type: ignore[misc]  # gpiozero publishes no types
    """A mock pin like copper: a finger is stronger than a pull-up, and old edges are forgotten."""

    grounded = False

    def drive_high(self) -> None:
        if not self.grounded:
            super().drive_high()

    def _change_state(self, value: Any) -> bool:
        changed = bool(super()._change_state(value))
        del self.states[:-1]
        return changed


class Ward:
    """The copper side of the pins. ``production``: the marker of a production image."""

    def __init__(
        self,
        production: Path,
        *,
        consent_pin: int = CONSENT_PIN,
        capture_pin: int = CAPTURE_PIN,
        lamp_pin: int = LAMP_PIN,
        buzzer_pin: int = BUZZER_PIN,
    ) -> None:
        refuse_production(production, "The panel's hardware")
        self.factory: Any = MockFactory(pin_class=_Pin)
        self._buttons = {
            Line.CONSENT: self.factory.pin(consent_pin),
            Line.CAPTURE: self.factory.pin(capture_pin),
        }
        self._lamp = self.factory.pin(lamp_pin)
        self._buzzer = self.factory.pin(buzzer_pin)
        for pin in self._buttons.values():
            pin.pull = "up"

    def press(self, line: Line) -> None:
        """Push a button down and keep it there: its pin is drawn to ground."""
        self._buttons[line].grounded = True
        self._buttons[line].drive_low()

    def release(self, line: Line) -> None:
        """Let a button go."""
        self._buttons[line].grounded = False
        self._buttons[line].drive_high()

    def bounce(self, line: Line, edges: int) -> None:
        """Let a contact chatter; after an odd number of edges it is where it was not."""
        for _ in range(edges):
            if self.is_down(line):
                self.release(line)
            else:
                self.press(line)

    def press_consent(self) -> None:
        self.press(Line.CONSENT)

    def release_consent(self) -> None:
        self.release(Line.CONSENT)

    def press_capture(self) -> None:
        self.press(Line.CAPTURE)

    def release_capture(self) -> None:
        self.release(Line.CAPTURE)

    def is_down(self, line: Line) -> bool:
        return not self._buttons[line].state

    @property
    def lamp_is_lit(self) -> bool:
        return bool(self._lamp.state) and self._lamp.function == "output"

    @property
    def buzzer_sounds(self) -> bool:
        return bool(self._buzzer.state) and self._buzzer.function == "output"
