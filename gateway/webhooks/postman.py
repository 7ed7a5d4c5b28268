"""Brings one receiver its events, in the background, until it has said that it has them.

At least once: an answer that is lost, a crash or a second gateway on the same database can bring
an event again, under the same id and with the same body. In order for each photo: an event waits
until the ones before it of the same photo have arrived; those of other photos go on. A 2xx whose
answer arrives whole is the only yes; redirects are not followed.

A failure is written down in words and tried again, later and later; nothing is given up. One that
fails costs a receiver that is away one request, and all others wait with it for a while.
"""

import logging
import threading
from collections.abc import Callable
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import aliased

from base.backoff import Backoff
from base.errors import WardsealError
from gateway.filing.waiting import wait_ms
from gateway.filing.web import Web
from gateway.receipts import clip
from gateway.store import Store
from gateway.webhooks import signing
from gateway.webhooks.outbox import OutboxRow
from gateway.webhooks.settings import WebhookSettings

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 5.0
_AT_ONCE: Final = 16
_LONGEST_PROBLEM: Final = 400
_MOST_ANSWER: Final = 64 * 1024
_MARGIN_MS: Final = 10_000


class Postman:
    """One thread for one receiver; ``clock`` gives milliseconds since 1970 UTC."""

    def __init__(
        self, settings: WebhookSettings, *, store: Store, clock: Callable[[], int]
    ) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        signing.keys_in(settings.secret, f"{settings.name}.secret")
        self._web = Web(settings, most=_MOST_ANSWER)
        self._backoff = Backoff(longest=60.0)
        self._bell = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(
            target=self._work, name=f"webhook {settings.name}", daemon=True
        )

    def start(self) -> None:
        """Begin to look around."""
        self._thread.start()

    def ring(self) -> None:
        """Say that there is something to bring; from any thread."""
        self._bell.set()

    def stop(self) -> None:
        """Finish the event at hand, and return."""
        self._ended.set()
        self._bell.set()
        self._thread.join()
        self._web.close()

    def _work(self) -> None:
        while not self._ended.is_set():
            self._bell.clear()
            try:
                delivered, failed = self.round()
            except Exception:
                log.exception("the webhook %s failed; it is tried again", self._settings.name)
                delivered, failed = 0, True
            if failed:
                self._ended.wait(self._backoff.wait())
            elif delivered:
                self._backoff.settle()
            else:
                self._bell.wait(LOOK_SECONDS)

    def round(self) -> tuple[int, bool]:
        """Bring what is due, until one fails; return how many arrived, and whether one failed."""
        delivered = 0
        for row in self._due():
            if self._ended.is_set():
                break
            answer = self._attend(row)
            if answer is False:
                return delivered, True
            delivered += answer is True
        return delivered, False

    def _due(self) -> list[int]:
        earlier = aliased(OutboxRow)
        before = select(earlier.id).where(
            earlier.hook == OutboxRow.hook,
            earlier.photo == OutboxRow.photo,
            earlier.id < OutboxRow.id,
            earlier.delivered_ms.is_(None),
        )
        due = select(OutboxRow.id).where(
            OutboxRow.hook == self._settings.name,
            OutboxRow.delivered_ms.is_(None),
            OutboxRow.due_ms <= self._clock(),
            ~before.exists(),
        )
        with self._store.read() as session:
            return list(session.scalars(due.order_by(OutboxRow.id).limit(_AT_ONCE)))

    def _attend(self, number: int) -> bool | None:
        """Bring one event; None if another gateway has it in hand."""
        with self._store.begin() as session:
            row = session.get(OutboxRow, number, with_for_update=True)
            now = self._clock()
            if row is None or row.delivered_ms is not None or row.due_ms > now:
                return None
            row.attempts += 1
            # Nobody else takes it meanwhile; should this process die, it is tried again then.
            row.due_ms = now + self._settings.timeout_seconds * 1000 + _MARGIN_MS
            event, body, attempts = row.event, row.body.encode(), row.attempts
        why = self._deliver(event, body)
        with self._store.begin() as session:
            row = session.get_one(OutboxRow, number, with_for_update=True)
            row.problem = clip(why, _LONGEST_PROBLEM)
            if why:
                row.due_ms = self._clock() + wait_ms(attempts)
            else:
                row.delivered_ms = self._clock()
        if why:
            log.warning("event %s: attempt %d: %s", event, attempts, why)
        return not why

    def _deliver(self, event: str, body: bytes) -> str:
        """Return what went wrong, in words; empty when it has arrived."""
        try:
            keys = signing.keys_in(self._settings.secret, f"{self._settings.name}.secret")
            signed = signing.headers(keys, id_=event, at_seconds=self._clock() // 1000, body=body)
            self._web.request(
                "POST",
                "",
                headers={"Content-Type": "application/json", **signed},
                content=body,
            )
        except WardsealError as e:
            return str(e)
        return ""
