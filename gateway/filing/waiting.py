"""How long a photo waits after its nth failure: at first not, then longer and longer, jittered.

The first retry comes with the next look around. After that full jitter spreads the photos, so
that a record system which comes back is not met by all of them in the same second.
"""

import random
from typing import Final

SHORTEST_MS: Final = 15_000
LONGEST_MS: Final = 1_800_000


def wait_ms(attempts: int) -> int:
    """Milliseconds to wait after so many failures in a row (1 is the first)."""
    if attempts <= 1:
        return 0
    # Capped before it overflows: a record system may be away for months.
    upper = min(LONGEST_MS, SHORTEST_MS * 2 ** min(attempts - 1, 32))
    return random.randint(SHORTEST_MS, upper)  # noqa: S311  # not a secret
