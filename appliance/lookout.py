"""The darkroom's eye for wristbands and badges, and how often it may look.

Reading a frame takes 10 to 150 ms, by the board; the viewfinder comes first. So after each look
the eye rests four times as long as the look took, and a slow board looks at every third or
fourth frame instead of slowing all of them down.
"""

import logging
import time
from collections.abc import Callable
from typing import Final

from appliance.codes import Patterns, Symbol
from appliance.frame import Frame
from appliance.sightings import Inside, News, Sightings

log = logging.getLogger(__name__)

REST: Final = 4
"""Times the length of a look."""


class Lookout:
    """Looks for ``patterns`` in frames; ``read`` is the barcode reader, ``now`` in seconds."""

    def __init__(
        self,
        *,
        patterns: Patterns,
        read: Callable[[Frame], list[Symbol]],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._patterns = patterns
        self._read = read
        self._now = now
        self._sightings = Sightings()
        self._again = 0.0

    def look(self, frame: Frame) -> list[News]:
        """Look at a frame, if it is time to, and say what is new."""
        begun = self._now()
        if not self._patterns.any or begun < self._again:
            return []
        found = (self._patterns.code(symbol) for symbol in self._read(frame))
        news = self._sightings.look(code for code in found if code is not None)
        ended = self._now()
        self._again = ended + REST * (ended - begun)
        for one in news:
            log.info("read: %s", one.KIND)
        return news

    @property
    def commitment(self) -> bytes | None:
        """The commitment to the badge that was read, if one was."""
        return self._sightings.commitment

    def inside(self, attest: bytes | None) -> Inside:
        """What a photo carries whose INTENT names the commitment ``attest``."""
        return self._sightings.inside(attest)
