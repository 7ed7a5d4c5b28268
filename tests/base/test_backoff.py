"""Waiting before trying again."""

import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from base.backoff import Backoff


def test_the_upper_end_doubles_to_120_s_and_the_first_retry_is_quick() -> None:
    asked: list[tuple[float, float]] = []

    def most(low: float, high: float) -> float:
        asked.append((low, high))
        return high

    backoff = Backoff(uniform=most)
    assert [backoff.wait() for _ in range(9)] == [1, 2, 4, 8, 16, 32, 64, 120, 120]
    assert asked[0] == (0.0, 1.0)
    assert {low for low, _ in asked[1:]} == {1.0}


def test_success_starts_over() -> None:
    backoff = Backoff(uniform=lambda _low, high: high)
    for _ in range(5):
        backoff.wait()
    backoff.settle()
    assert backoff.wait() == 1


@given(st.integers(0, 2**32), st.integers(1, 3000))
def test_a_device_may_try_for_months(seed: int, tries: int) -> None:
    backoff = Backoff(uniform=random.Random(seed).uniform)
    waits = [backoff.wait() for _ in range(tries)]
    assert waits[0] <= 1
    assert all(1 <= wait <= 120 for wait in waits[1:])


def test_devices_that_lost_the_broker_together_do_not_come_back_together() -> None:
    comebacks = []
    for seed in range(100):
        backoff = Backoff(uniform=random.Random(seed).uniform)
        comebacks.append(sum(backoff.wait() for _ in range(4)))
    apart = [later - earlier for earlier, later in pairwise(sorted(comebacks))]
    assert sum(1 for gap in apart if gap < 0.001) < 5
