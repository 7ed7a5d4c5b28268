"""Wait for what must happen, with a deadline; never for an amount of time."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PAUSE = 0.01


def until(predicate: Callable[[], T], seconds: float, what: str) -> T:
    """Return the first true value of ``predicate``; fail the test when ``seconds`` have passed.

    ``what`` completes the sentence "waited 5 s in vain for …". The predicate is asked once more
    after the deadline, so that a machine that stood still in between is not called a failure.
    """
    deadline = time.monotonic() + seconds
    while True:
        late = time.monotonic() >= deadline
        value = predicate()
        if value:
            return value
        if late:
            raise AssertionError(f"waited {seconds:g} s in vain for {what}; last seen: {value!r}")
        time.sleep(PAUSE)
