"""The face of the device: screen, lamp and buzzer, and the session's state on all three.

A picture is drawn when what it says has changed, or when the viewfinder moves; and again under
every finger on CONSENT, for only a picture that was just taken proves that the screen works. When
the screen fails, lamp and buzzer carry on. The one viewfinder picture that is kept is kept in a
wiped buffer, and wiped when the window closes.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, time
from typing import Any

from PIL import Image

from appliance.clock import Clock
from appliance.drawing import HEIGHT, WIDTH, draw
from appliance.lights import Lights
from appliance.oled import Oled
from appliance.orders import VIEW_BYTES
from appliance.screen import Screen, WallTimes, view
from appliance.signals import Buzzer
from appliance.state import Darkroom, State
from base.memory import Buffer
from wire.ledger import ClockTrust


@dataclass(frozen=True, slots=True)
class Shown:
    """What somebody beside the device could tell: for the simulated ward to pass on."""

    words: tuple[str, ...] = ()
    buzzer: str = ""
    open: bool = False
    ready: bool = False
    online: bool = False


Watcher = Callable[[Shown], None]


def never(_: time) -> bool:
    """No night."""
    return False


def nobody(_: Shown) -> None:
    """Nobody watches a real device but the people around it."""


class Face:
    """``place``: the bed, shown when idle; ``watch`` hears of everything that changes.

    ``night``: whether a time of day is; then the screen is dim and the buzzer quiet.
    """

    def __init__(
        self,
        *,
        oled: Oled,
        lights: Lights,
        clock: Clock,
        language: str,
        place: str = "",
        night: Callable[[time], bool] = never,
        watch: Watcher = nobody,
    ) -> None:
        self._oled = oled
        self._lights = lights
        self._clock = clock
        self._language = language
        self._place = place.upper()
        self._covers = night
        self._night = False
        self._watch = watch
        self._screen = Screen()
        self._shown = Shown()
        self._bits = Buffer(VIEW_BYTES)
        self._seen = False

    def show(self, state: State) -> None:
        """Draw what the state says, if it is not what is shown already."""
        now = self._clock.monotonic_ns()
        times = self._wall_times(now)
        night = self._is_night(times, now)
        screen = view(state, now, self._language, place=self._place, times=times)
        if not screen.finder and self._seen:
            self._bits.wipe()
            self._seen = False
        self._shown = Shown(
            words=screen.words,
            open=state.window is not None,
            ready=state.darkroom is Darkroom.READY,
            online=state.online,
        )
        if screen != self._screen or night != self._night or self._oled.broken:
            self._screen, self._night = screen, night
            self._paint()
        self._tell()

    def prove(self) -> None:
        """Draw once more what is shown: ``broken`` tells afterwards whether the screen took it."""
        self._paint()

    def view(self, bits: memoryview) -> None:
        """Show one viewfinder picture, 128 x 64 bits, while there is a place for it."""
        if self._screen.finder:
            self._bits.view[:VIEW_BYTES] = bits[:VIEW_BYTES]
            self._seen = True
            self._paint()
            self._tell()

    def lamp(self, on: bool) -> None:
        """Switch the lamp."""
        self._lights.lamp(on)
        self._tell()

    def buzz(self, pattern: Buzzer) -> None:
        """Sound a pattern."""
        self._lights.buzz(pattern, quiet=self._night)
        self._tell()

    def tick(self) -> None:
        """Go on with a pattern, and try a broken screen again."""
        self._lights.tick()
        if self._oled.broken:
            self._paint()
        self._tell()

    def deadline(self) -> int | None:
        """When ``tick`` has something to do, in nanoseconds."""
        due = (self._lights.deadline(), self._oled.deadline())
        return min((at for at in due if at is not None), default=None)

    @property
    def broken(self) -> bool:
        return self._oled.broken

    def _tell(self) -> None:
        playing = self._lights.playing
        self._watch(replace(self._shown, buzzer="" if playing is None else str(playing)))

    def _paint(self) -> None:
        finder = None
        if self._seen:
            bits: Any = self._bits.view[:VIEW_BYTES]  # Pillow's types know no memoryview
            finder = Image.frombuffer("1", (WIDTH, HEIGHT), bits, "raw", "1", 0, 1)
        self._oled.show(draw(self._screen, finder), dim=self._screen.dim or self._night)

    def _is_night(self, times: WallTimes, now: int) -> bool:
        if times.offset_ms is None:
            return False
        wall = datetime.fromtimestamp((now // 1_000_000 + times.offset_ms) / 1000)  # noqa: DTZ006
        return self._covers(wall.time())

    def _wall_times(self, now: int) -> WallTimes:
        wall = self._clock.wall(0)
        known = wall.trust is not ClockTrust.NONE
        return WallTimes(wall.ms - now // 1_000_000 if known else None)
