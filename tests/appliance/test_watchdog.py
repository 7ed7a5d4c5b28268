import threading

from appliance.watchdog import Watchdog


def test_it_bites_when_the_time_is_over_even_while_the_other_thread_hangs() -> None:
    bitten = threading.Event()
    with Watchdog().limit(0.05, bitten.set):
        assert bitten.wait(5)


def test_it_does_not_bite_what_ended_in_time_and_watches_what_comes_next() -> None:
    bites: list[str] = []
    last = threading.Event()
    dog = Watchdog()
    for _ in range(50):
        with dog.limit(30, lambda: bites.append("early")):
            pass
    with dog.limit(0.02, last.set):
        assert last.wait(5)
    assert bites == []


def test_an_error_in_the_block_ends_the_watch() -> None:
    bitten = threading.Event()
    dog = Watchdog()
    try:
        with dog.limit(0.05, bitten.set):
            raise RuntimeError
    except RuntimeError:
        pass
    assert not bitten.wait(0.2)
