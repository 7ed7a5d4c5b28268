"""Open pages that wait for news: what they cost, and that nobody has more than enough of them."""

import asyncio
from contextlib import ExitStack

from gateway.console.streams import MOST, Streams
from tests.console.reception import Console
from tests.waiting import until


def test_one_login_opens_so_many_streams_and_its_pages_still_work(console: Console) -> None:
    nurse, other = console.sign_in("nurse"), console.sign_in("officer")
    with ExitStack() as pages:
        for _ in range(MOST):
            page = pages.enter_context(nurse.stream("GET", "/events"))
            assert page.status_code == 200
        again = console.sign_in("nurse")
        refused = again.get("/events")
        assert refused.status_code == 429 and "Too many pages are open" in refused.json()["error"]
        assert again.get("/").status_code == 200
        with other.stream("GET", "/events") as another:
            assert another.status_code == 200, "another login's are its own"

    def taken() -> bool:
        with again.stream("GET", "/events") as page:
            return page.status_code == 200

    until(taken, 10, "closed pages to be forgotten")


def test_everybody_is_served_by_one_look_a_second() -> None:
    looks, now = [], [0.0]

    def look() -> str:
        looks.append(now[0])
        return f"version {len(looks)}"

    async def ask() -> set[str]:
        streams = Streams(look, lambda: now[0])
        first = set(await asyncio.gather(*(streams.version() for _ in range(50))))
        now[0] = 1.0
        return first | set(await asyncio.gather(*(streams.version() for _ in range(50))))

    assert asyncio.run(ask()) == {"version 1", "version 2"}
    assert looks == [0.0, 1.0]
