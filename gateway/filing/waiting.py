"""How long a photo waits after its nth failure, and how long everybody does for a slow failure.

The first retry of a photo comes with the next look around. After that full jitter spreads the
photos, so that a record system which comes back is not met by all of them in the same second.

One that does not even say no costs its whole timeout each time, and custody has one thread for
all photos. So after a slow failure it is left alone for twice as long as it took.
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from gateway.filing.base import FilingError

SHORTEST_MS: Final = 15_000
LONGEST_MS: Final = 1_800_000
SLOW_SECONDS: Final = 3.0


def wait_ms(attempts: int) -> int:
    """Milliseconds to wait after so many failures in a row (1 is the first)."""
    if attempts <= 1:
        return 0
    # Capped before it overflows: a record system may be away for months.
    upper = min(LONGEST_MS, SHORTEST_MS * 2 ** min(attempts - 1, 32))
    return random.randint(SHORTEST_MS, upper)  # noqa: S311  # not a secret


class Patience:
    """Knows which record systems failed slowly; ``clock`` gives monotonic seconds.

    ``slow`` seconds and more are too much to be spent again at once.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, slow: float = SLOW_SECONDS
    ) -> None:
        self._clock = clock
        self._slow = slow
        self._again: dict[str, tuple[float, str]] = {}

    @contextmanager
    def with_(self, sink: str) -> Iterator[None]:
        """Ask a record system; raise FilingError at once where it is left alone."""
        begun = self._clock()
        again, why = self._again.get(sink, (begun, ""))
        if begun < again:
            raise FilingError(f"{why}; it is left alone for a while")
        try:
            yield
        except FilingError as e:
            took = self._clock() - begun
            if took >= self._slow:
                self._again[sink] = (begun + took * 3, str(e))
            raise
