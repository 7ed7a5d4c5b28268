"""How long to wait before trying again: full jitter, so that a ward never comes back in step.

After a power cut a hundred devices lose the broker in the same second. Each waits a random time
whose upper end doubles from try to try, so that the broker meets them one by one. The first retry
is quick: most losses are a single dropped packet, and a nurse is waiting.
"""

import random
from collections.abc import Callable


class Backoff:
    """Waiting times in seconds: the first below ``shortest``, then ``shortest`` to ``longest``.

    ``uniform(a, b)`` is the source of randomness, injected so that a test can be exact.
    """

    def __init__(
        self,
        *,
        shortest: float = 1.0,
        longest: float = 120.0,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._shortest = shortest
        self._longest = longest
        self._uniform = uniform
        self._failures = 0

    def wait(self) -> float:
        """Seconds to wait after one more failure."""
        first = self._failures == 0
        # The exponent is capped: 2.0 ** 2000 overflows, and a device may try for months.
        upper = min(self._longest, self._shortest * 2.0 ** min(self._failures, 32))
        self._failures += 1
        return self._uniform(0.0 if first else self._shortest, upper)

    def settle(self) -> None:
        """The last try has held: the next failure is a first one again."""
        self._failures = 0
