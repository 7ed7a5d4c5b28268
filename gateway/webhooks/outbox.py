"""What receivers are still to be told: written in the very transaction that makes it true.

So there is no event without its record and no record without its event, whatever crashes. A row
is one event for one receiver, with the body as it will be sent, byte for byte, however often. It
holds ids only: who may know more asks the API.
"""

import json
import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

from sqlalchemy import BigInteger, Index, String, Text, delete, event, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from gateway.store import Store
from gateway.tables import HASH, NAME, Base
from gateway.webhooks.settings import Happening, WebhookSettings

log = logging.getLogger(__name__)

_DAY_MS: Final = 86_400_000
KEPT_DAYS: Final = 7
"""How long a delivered event stays, for whoever asks whether it was."""
ORPHANED_DAYS: Final = 30
"""How long an event waits for a receiver that no gateway's settings name any more."""


class OutboxRow(Base):
    """One event for one receiver. ``event``: the id by which it is known if it comes twice.

    Waiting while ``delivered_ms`` is None, at the earliest until ``due_ms``. ``problem``: why the
    last attempt failed.
    """

    __tablename__ = "webhook_outbox"
    __table_args__ = (
        Index("webhook_outbox_waiting", "hook", "delivered_ms", "due_ms"),
        Index("webhook_outbox_photo", "hook", "photo"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    hook: Mapped[str] = mapped_column(NAME)
    event: Mapped[str] = mapped_column(String(40))
    photo: Mapped[str] = mapped_column(HASH)
    body: Mapped[str] = mapped_column(Text)
    made_ms: Mapped[int] = mapped_column(BigInteger)
    due_ms: Mapped[int] = mapped_column(BigInteger)
    attempts: Mapped[int] = mapped_column(default=0)
    problem: Mapped[str] = mapped_column(String(400), default="")
    delivered_ms: Mapped[int | None] = mapped_column(BigInteger)


class Announce(Protocol):
    """Says, in a transaction, what it makes true of a photo."""

    def __call__(
        self, session: Session, happening: Happening, *, device: str, photo: str, number: int
    ) -> None: ...


def to_nobody(
    session: Session, happening: Happening, *, device: str, photo: str, number: int
) -> None:
    """No receiver is configured."""


@dataclass(frozen=True)
class Hook:
    """How it stands with a receiver: what waits, since when, and what is wrong."""

    name: str
    waiting: int
    oldest_ms: int | None
    delivered_ms: int | None
    problem: str


class Outbox:
    """``ring(name)`` wakes a receiver's postman; ``clock``: milliseconds since 1970 UTC."""

    def __init__(
        self,
        hooks: tuple[WebhookSettings, ...],
        *,
        clock: Callable[[], int],
        ring: Callable[[str], None],
    ) -> None:
        self._hooks = hooks
        self._clock = clock
        self._ring = ring

    def announce(
        self, session: Session, happening: Happening, *, device: str, photo: str, number: int
    ) -> None:
        """Write it down for every receiver that wants it, in ``session``'s transaction.

        ``number`` rises for each photo: that of its receipt or, when it moved, of its assignment.
        """
        wanted = [hook.name for hook in self._hooks if happening in hook.events]
        if not wanted:
            return
        now = self._clock()
        id_ = f"msg_{uuid.uuid4().hex}"
        body = json.dumps(
            {
                "type": f"photo.{happening}",
                "timestamp": datetime.fromtimestamp(now / 1000, UTC).isoformat(
                    timespec="milliseconds"
                ),
                "data": {
                    "photo": photo,
                    "device": device,
                    "assignment" if happening == "moved" else "receipt": number,
                },
            }
        )
        for name in wanted:
            session.add(
                OutboxRow(hook=name, event=id_, photo=photo, body=body, made_ms=now, due_ms=now)
            )
        event.listen(session, "after_commit", lambda _: self._woken(wanted), once=True)

    def _woken(self, names: list[str]) -> None:
        for name in names:
            self._ring(name)

    def forget(self, store: Store) -> None:
        """Remove what was delivered days ago, and what waits for receivers that are no more."""
        now = self._clock()
        names = [hook.name for hook in self._hooks]
        with store.begin() as session:
            session.execute(
                delete(OutboxRow).where(OutboxRow.delivered_ms <= now - KEPT_DAYS * _DAY_MS)
            )
            orphaned = delete(OutboxRow).where(
                OutboxRow.hook.not_in(names), OutboxRow.made_ms <= now - ORPHANED_DAYS * _DAY_MS
            )
            gone = session.execute(orphaned.returning(OutboxRow.id)).all()
        if gone:
            log.warning("%d events waited for receivers that no settings name; removed", len(gone))


def hooks_of(session: Session) -> list[Hook]:
    """Return every receiver that there are events of, by name."""
    waits = OutboxRow.delivered_ms.is_(None)
    rows = session.execute(
        select(
            OutboxRow.hook,
            func.count().filter(waits),
            func.min(OutboxRow.made_ms).filter(waits),
            func.max(OutboxRow.delivered_ms),
        )
        .group_by(OutboxRow.hook)
        .order_by(OutboxRow.hook)
    ).all()
    return [Hook(name, n, oldest, sent, _problem(session, name)) for name, n, oldest, sent in rows]


def _problem(session: Session, hook: str) -> str:
    """What is wrong with the oldest event that waits after a failure."""
    query = (
        select(OutboxRow.problem)
        .where(OutboxRow.hook == hook, OutboxRow.delivered_ms.is_(None), OutboxRow.problem != "")
        .order_by(OutboxRow.id)
    )
    return session.scalar(query.limit(1)) or ""
