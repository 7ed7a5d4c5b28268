"""The tests' own tools: waiting with a deadline, and ports nobody else has."""

import itertools
import socket
import time
from collections.abc import Callable

import pytest

from tests.waiting import until


def test_until_returns_what_came_true() -> None:
    numbers = itertools.count()
    assert until(lambda: next(numbers) >= 3 and "four asked", 5, "the fourth question") == (
        "four asked"
    )


def test_until_gives_up_at_its_deadline_and_says_what_it_waited_for() -> None:
    begun = time.monotonic()
    with pytest.raises(AssertionError) as caught:
        until(list, 0.05, "a photo")
    assert str(caught.value) == "waited 0.05 s in vain for a photo; last seen: []"
    assert 0.05 <= time.monotonic() - begun < 1


def test_until_asks_once_even_without_any_time() -> None:
    assert until(lambda: True, 0, "nothing") is True


def test_a_free_port_can_be_listened_on_and_is_handed_out_once(
    free_port: Callable[[], int],
) -> None:
    ports = [free_port() for _ in range(20)]
    assert len(set(ports)) == 20
    with socket.create_server(("127.0.0.1", ports[0])) as server:
        assert server.getsockname()[1] == ports[0]
