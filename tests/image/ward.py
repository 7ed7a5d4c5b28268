"""Hands and eyes at the emulated device: its pins pressed, its display read back as a picture.

The same physical verbs as at the simulated bedside, but nothing of the product takes part: the
pins are the kernel's (gpio-sim), and what the display shows is worked out from what the kernel
was given to send over I2C.
"""

from dataclasses import replace

from PIL import Image

from appliance.drawing import draw
from appliance.screen import Screen
from appliance.simulator.oled import ADDRESS, SimulatedPanel
from tests.image.machine import Machine
from tests.waiting import until

PINS = "/run/ward-pins"
DISPLAY = "/sys/kernel/debug/display-sim/log"
CONSENT, CAPTURE, LAMP = 17, 27, 22
SHIFTS = [(x, y) for x in range(3) for y in range(2)]


class Ward:
    """Somebody beside the device."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._glass = SimulatedPanel()
        self._read = 0

    def press(self, pin: int, seconds: float = 0.3) -> None:
        """Press and let go."""
        pull = f"{PINS}/sim_gpio{pin}/pull"
        self._machine.shell(f"echo pull-down >{pull}; sleep {seconds}; echo pull-up >{pull}")

    @property
    def lamp(self) -> bool:
        return self._machine.shell(f"cat {PINS}/sim_gpio{LAMP}/value").strip() == "1"

    @property
    def picture(self) -> Image.Image:
        """What the display shows now."""
        news = self._machine.run("/usr/bin/tail", "-c", f"+{self._read + 1}", DISPLAY)
        size = int(self._machine.shell(f"cat {DISPLAY} | wc -c"))
        if size < self._read:  # it began anew
            self._read, news = 0, self._machine.run("/usr/bin/cat", DISPLAY)
        self._take(news)
        return self._glass.picture

    def _take(self, news: bytes) -> None:
        at = 0
        while at + 2 <= len(news):
            end = at + 2 + int.from_bytes(news[at : at + 2], "big")
            if end > len(news):
                break
            register, *data = news[at + 2 : end]
            self._glass.write_i2c_block_data(ADDRESS, register, data)
            at = end
        self._read += at

    def shows(self, screen: Screen) -> bool:
        """Whether the display is this screen, pixel for pixel, wherever burn-in care has it."""
        seen = self.picture.tobytes()
        return any(seen == draw(replace(screen, shift=shift)).tobytes() for shift in SHIFTS)

    def shows_beside_finder(self, screen: Screen) -> bool:
        """The same for a screen with the viewfinder in its corner and the time running."""
        seen = self.picture
        without = draw(replace(screen, finder=True, bar=None))
        full = draw(replace(screen, finder=True, bar=128), Image.new("1", (128, 64), 1))
        words = [
            (x, y)
            for y in range(64)
            for x in range(128)
            if full.getpixel((x, y)) == without.getpixel((x, y))
        ]
        return all(seen.getpixel(at) == without.getpixel(at) for at in words)

    def wait_for(self, screen: Screen, seconds: float = 120) -> None:
        """Return when the display is this screen."""
        kind = self.shows_beside_finder if screen.finder else self.shows
        until(lambda: kind(screen), seconds, f"the display to say {' / '.join(screen.words)}")
