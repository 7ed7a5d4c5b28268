"""The lamp and the buzzer.

The lamp is for the patient: on means that the camera can see you. It is only ever set, never
blinked. The buzzer is for a nurse who does not look at the screen; each pattern can be told
from the others by ear: good things are short, bad things are long, and a bad one is never cut
off by a lesser one. At night (``quiet``) the same patterns are ticks instead of tones: a buzzer
has no volume, but what sounds for a quarter of the time is heard at the bedside only.

Patterns are played by the panel's loop (``tick`` at ``deadline``), not by a thread. Times are
nanoseconds of ``clock``; pattern lengths are milliseconds, on and off in turn.
"""

from collections.abc import Callable
from typing import Any, Final

from appliance.pins import Factory, checked
from appliance.signals import Buzzer

PATTERNS: Final[dict[Buzzer, tuple[int, ...]]] = {
    Buzzer.OPENED: (80,),
    Buzzer.KEPT: (30,),
    Buzzer.POOR: (30, 80, 30, 80, 30),
    Buzzer.CLOSED: (80, 80, 80),
    Buzzer.DONE: (30, 60, 120),
    Buzzer.REFUSED: (400,),
    Buzzer.MENU: (20,),
    Buzzer.BAD: (400, 200, 400, 200, 400),
}
_MS: Final = 1_000_000
_QUIETER: Final = 4
_SHORTEST: Final = 5
"""Milliseconds: a buzzer needs them to be heard at all."""


def quietly(pattern: tuple[int, ...]) -> tuple[int, ...]:
    """Return a pattern for the night: its tones cut short, its rhythm as it was."""
    beats = []
    for tone, pause in zip(pattern[::2], (*pattern[1::2], 0), strict=True):
        short = max(_SHORTEST, tone // _QUIETER)
        beats += [short, tone - short + pause]
    return tuple(beats[:-1])


class Lights:
    """Both on one factory, active high."""

    def __init__(
        self, factory: Factory, *, lamp_pin: int, buzzer_pin: int, clock: Callable[[], int]
    ) -> None:
        from gpiozero import DigitalOutputDevice

        self._clock = clock
        self._lamp: Any = DigitalOutputDevice(lamp_pin, pin_factory=checked(factory))
        self._buzzer: Any = DigitalOutputDevice(buzzer_pin, pin_factory=checked(factory))
        self._playing: Buzzer | None = None
        self._switches: list[int] = []

    @property
    def lit(self) -> bool:
        """What the lamp's pin really is."""
        return bool(self._lamp.value)

    @property
    def playing(self) -> Buzzer | None:
        """The pattern that can be heard now."""
        return self._playing

    def lamp(self, on: bool) -> None:
        """Switch the lamp."""
        if on:
            self._lamp.on()
        else:
            self._lamp.off()

    def buzz(self, pattern: Buzzer, *, quiet: bool = False) -> None:
        """Begin a pattern; it takes the place of the one that is playing, unless that is BAD."""
        if self._playing is Buzzer.BAD and pattern is not Buzzer.BAD:
            return
        at = self._clock()
        self._switches = []
        beats = PATTERNS[pattern]
        for length in quietly(beats) if quiet else beats:
            at += length * _MS
            self._switches.append(at)
        self._playing = pattern
        self._buzzer.on()

    def tick(self) -> None:
        """Switch what is due."""
        now = self._clock()
        while self._switches and self._switches[0] <= now:
            self._switches.pop(0)
            self._buzzer.toggle()
        if not self._switches and self._playing is not None:
            self._playing = None
            self._buzzer.off()

    def deadline(self) -> int | None:
        """When ``tick`` is due."""
        return self._switches[0] if self._switches else None

    def close(self) -> None:
        """Let the pins go. The lamp's pin is an input then, and the lamp off."""
        self._lamp.close()
        self._buzzer.close()
