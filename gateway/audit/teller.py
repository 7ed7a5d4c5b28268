"""Tells one receiver everything that happened, each thing once and in order, at its own pace.

A thread for each receiver, so that one which is away keeps no other waiting. What it has been
told is written down only after it has said that it has it; a crash in between tells it again,
under the same names. When it does not answer, the rows wait where they are, and after a while
the worklist says since when.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final, Protocol

from base.errors import WardsealError
from gateway import worklist
from gateway.audit.events import Event
from gateway.audit.trail import Trail
from gateway.complaints import Complaints
from gateway.store import Store
from gateway.tables import WorkKind

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 5.0
_LONGEST_SECONDS: Final = 300.0
_AT_ONCE: Final = 100
_TELL_AFTER_MS: Final = 900_000


class Receiver(Protocol):
    """Somebody who is told; ``name`` is how the settings call him."""

    name: str

    def wants(self, event: Event) -> bool:
        """Tell whether this is of any use there."""
        ...

    def tell(self, events: Sequence[Event], first: int) -> None:
        """Have all of them taken; ``first`` is the number of the first one. Raises WardsealError.

        May come again with the same events, after a crash or a lost answer.
        """
        ...


class Teller:
    """``clock`` gives milliseconds since 1970 UTC."""

    def __init__(
        self, *, receiver: Receiver, trail: Trail, store: Store, clock: Callable[[], int]
    ) -> None:
        self._receiver = receiver
        self._trail = trail
        self._store = store
        self._clock = clock
        self._complaints = Complaints(log)
        self._failed = 0
        self._since_ms: int | None = None
        self._said = ""
        self._bell = threading.Event()
        self._ended = False
        name = f"audit to {receiver.name}"
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    def start(self) -> None:
        """Begin to look around."""
        self._thread.start()

    def stop(self) -> None:
        """Finish what is at hand, and return."""
        self._ended = True
        self._bell.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._ended:
            try:
                busy = self.round()
            except Exception:
                log.exception("the audit to %s failed; it is tried again", self._receiver.name)
                busy = False
            if not busy and not self._ended:
                self._bell.wait(min(_LONGEST_SECONDS, LOOK_SECONDS * 2**self._failed))

    def round(self) -> bool:
        """Tell what is next; True if there may be more."""
        batch = self._trail.take(self._receiver.name, _AT_ONCE)
        if batch is None:
            return False
        wanted = [event for event in batch.events if self._receiver.wants(event)]
        try:
            if wanted:
                self._receiver.tell(wanted, batch.first)
        except WardsealError as e:
            self._away(str(e))
            return False
        self._trail.told(self._receiver.name, batch)
        self._back()
        return True

    def _away(self, why: str) -> None:
        self._failed = min(self._failed + 1, 10)
        now = self._clock()
        if self._since_ms is None:
            self._since_ms = now
        self._complaints.about(self._receiver.name, f"the audit waits: {why}")
        if now - self._since_ms >= _TELL_AFTER_MS:
            count = self._trail.waiting(self._receiver.name)
            self._note(f"{count} audit records wait since {_words(self._since_ms)}: {why}")

    def _back(self) -> None:
        if self._said:
            self._note("it has been told everything again")
        self._failed, self._since_ms, self._said = 0, None, ""

    def _note(self, why: str) -> None:
        """An item for each time that it is away; a person closes it."""
        since = self._since_ms or self._clock()
        self._said = why
        with self._store.begin() as session:
            worklist.note(
                session,
                WorkKind.ALARM,
                device="",
                subject=f"audit to {self._receiver.name}, {_words(since)}",
                why=why,
                at_ms=self._clock(),
            )


def _words(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
