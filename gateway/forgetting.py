"""Sealed copies whose days are over go, with their opened pictures: one photo after the other.

A litigation hold may be put on meanwhile, and destroying takes its time: so each photo is decided
in a transaction of its own, right before it goes.
"""

import time
from typing import Final

from gateway import retention
from gateway.audit.tables import Did, done_once
from gateway.store import Store
from gateway.vault import Vault

_ASKED_AT_ONCE: Final = 500
_REMOVED_AT_ONCE: Final = 500


class Forgetting:
    """``name`` is this replica's; ``days`` how long a copy stays after its photo was settled."""

    def __init__(self, *, name: str, store: Store, vault: Vault, days: int) -> None:
        self._name = name
        self._store = store
        self._vault = vault
        self._days = days

    def round(self) -> None:
        """Remove what the record has, and nobody waits for. Raises OSError."""
        old, over = self._vault.older_than(self._days), list[str]()
        with self._store.begin(durable=False) as session:
            for at in range(0, len(old), _ASKED_AT_ONCE):
                some = old[at : at + _ASKED_AT_ONCE]
                over += retention.over(session, some, days=self._days, now_ms=_now_ms())
        for photo in over[:_REMOVED_AT_ONCE]:
            with self._store.begin() as session:
                now = _now_ms()
                goes = retention.over(session, [photo], days=self._days, now_ms=now)
                if goes:
                    # Said first: a crash in between leaves a copy that goes in the next round.
                    done_once(session, Did.REMOVED, photo, self._name, at_ms=now)
            if goes:
                self._vault.destroy(photo)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
