"""Press scripts: what a pair of hands does, in words, so that a demo can be repeated.

    consent,capture,capture,wait:filed

``consent`` and ``capture`` press and release; ``consent:hold``, ``capture:hold`` and
``both:hold`` hold for as long as the device asks for; ``wait:SECONDS`` waits, and
``wait:filed`` waits until the hospital has signed for every photo taken. Presses follow each
other after 0.3 s. The first CAPTURE of a window waits until the camera is ready, as a nurse
would.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from cli.outcome import UsageError

GAP_SECONDS: Final = 0.3
_PRESS_SECONDS: Final = 0.08
_HOLD_SECONDS: Final = {"consent": 2.3, "capture": 2.3, "both": 3.3}
_WORDS: Final = "consent, capture, consent:hold, capture:hold, both:hold, wait:filed, wait:SECONDS"


@dataclass(frozen=True)
class Press:
    """Press ``lines`` together for so many seconds."""

    lines: tuple[str, ...]
    seconds: float


@dataclass(frozen=True)
class Wait:
    """Wait so long; None: until every photo is signed for."""

    seconds: float | None


Step = Press | Wait


def parse(script: str) -> tuple[Step, ...]:
    """Return the steps of a script; UsageError names the word that is not one."""
    return tuple(_step(word.strip().lower()) for word in script.split(",") if word.strip())


def _step(word: str) -> Step:
    what, _, how = word.partition(":")
    if what == "wait" and how == "filed":
        return Wait(None)
    if what == "wait":
        try:
            seconds = float(how)
        except ValueError:
            seconds = -1.0
        if not 0 <= seconds <= 3600:
            raise UsageError(f"--press: {word!r}: use wait:filed, or wait:SECONDS up to 3600")
        return Wait(seconds)
    if what in ("consent", "capture") and not how:
        return Press((what,), _PRESS_SECONDS)
    if what in _HOLD_SECONDS and how == "hold":
        lines = ("consent", "capture") if what == "both" else (what,)
        return Press(lines, _HOLD_SECONDS[what])
    raise UsageError(f"--press: {word!r} is not a word of a script; the words are: {_WORDS}")


class Hands(Protocol):
    """What a script needs of a device."""

    def press(self, lines: tuple[str, ...], seconds: float) -> None:
        """Press and release; return once released."""
        ...

    def wait_until_ready(self) -> None:
        """Return when the camera is ready, or at once when no window is open."""
        ...

    def wait_until_filed(self) -> None:
        """Return when the hospital has signed for every photo."""
        ...

    def pause(self, seconds: float) -> None:
        """Let time pass."""
        ...


def perform(
    steps: tuple[Step, ...], hands: Hands, said: Callable[[str], None] = lambda _: None
) -> None:
    """Carry a script out; ``said`` is told each step in words."""
    for number, step in enumerate(steps):
        if number:
            hands.pause(GAP_SECONDS)
        match step:
            case Press(lines=lines, seconds=seconds):
                if lines == ("capture",):
                    hands.wait_until_ready()
                held = "held" if seconds > 1 else "pressed"
                said(f"{' and '.join(lines).upper()} {held}")
                hands.press(lines, seconds)
            case Wait(seconds=None):
                said("waiting for the hospital's signature")
                hands.wait_until_filed()
            case Wait(seconds=float(seconds)):
                hands.pause(seconds)
