"""What comes from the hospital's patient administration goes into the census from here.

After each change photos that were assigned before anybody knew of it are looked at again
(gateway.identity.late).
"""

from collections.abc import Callable

from gateway.identity import census, late
from gateway.identity.adt import Merge
from gateway.identity.census import Told
from gateway.store import Store


class Feed:
    """Takes in what sources say; ``clock`` gives milliseconds since 1970 UTC."""

    def __init__(self, *, store: Store, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock

    def take(self, *all_told: Told | Merge) -> None:
        """Take in messages, all or none. Raises StoreError."""
        now = self._clock()
        with self._store.begin() as session:
            before = late.Before(session)
            for told in all_told:
                if isinstance(told, Merge):
                    before.merge(survivor=told.survivor, prior=told.prior, at_ms=now)
                    continue
                if told.encounter is not None:
                    before.keep(told.encounter.number)
                census.remember(session, told, at_ms=now)
            before.look_again(now)
