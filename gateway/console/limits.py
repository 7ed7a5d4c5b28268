"""How often something may be tried: a bucket of tries for each name, filled again by time.

A bucket's name says what is slowed: guesses at one account, all guesses from one address, all
clicks of one person. Buckets that are full again are forgotten.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_MOST: Final = 10_000


@dataclass
class _Bucket:
    tries: float
    at: float


class Limit:
    """At most ``burst`` tries at once, then one every ``seconds``; ``clock`` is monotonic."""

    def __init__(self, burst: int, seconds: float, clock: Callable[[], float]) -> None:
        self._burst = burst
        self._seconds = seconds
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}
        self._lock = threading.Lock()

    def take(self, name: str) -> float:
        """Use up a try; return 0.0, or after how many seconds there will be one."""
        now = self._clock()
        with self._lock:
            bucket = self._buckets.get(name) or _Bucket(float(self._burst), now)
            filled = min(self._burst, bucket.tries + (now - bucket.at) / self._seconds)
            if filled < 1:
                self._buckets[name] = _Bucket(filled, now)
                return (1 - filled) * self._seconds
            if len(self._buckets) >= _MOST:
                self._forget(now)
            self._buckets[name] = _Bucket(filled - 1, now)
            return 0.0

    def give_back(self, name: str) -> None:
        """The try was no guess."""
        with self._lock:
            if name in self._buckets:
                self._buckets[name].tries += 1

    def _forget(self, now: float) -> None:
        full = self._burst * self._seconds
        kept = [(name, b) for name, b in self._buckets.items() if now - b.at < full]
        kept.sort(key=lambda pair: pair[1].at)
        self._buckets = dict(kept[-_MOST // 2 :])
