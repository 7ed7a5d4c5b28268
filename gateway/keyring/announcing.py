"""Telling devices of a new keyset: retained on ``d/keyset``, until their ledgers say they have it.

A device that seals to a new key needs a gateway that opens with it. So a keyset is announced only
once every gateway that lives has it: each writes down which epoch it has, and which it announced.
A gateway whose keys are older than what devices were given does not start.

The broker keeps the message for a device that is away, and is not relied upon: whoever connects
and lacks the keyset is told again, and all of them every few minutes.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Final

from sqlalchemy import func, select

from base.errors import ConfigError
from gateway.devices import Registry
from gateway.keyring.keyset_uses import GatewayEpoch, epochs_in_force
from gateway.store import Store
from gateway.workers import Mailbox
from wire import topics
from wire.keyset import SignedKeyset

log = logging.getLogger(__name__)

ALIVE_MS: Final = 10 * 60_000
"""Without a sign of life for so long, a gateway is taken for gone."""
AGAIN_MS: Final = 10 * 60_000


class Announcer:
    """``publish(topic, payload)``, on the loop's thread, keeps a message at the broker.

    It says whether it could. ``clock`` gives milliseconds since 1970 UTC.
    """

    def __init__(
        self,
        *,
        name: str,
        store: Store,
        registry: Registry,
        keysets: Sequence[SignedKeyset],
        publish: Callable[[str, bytes], bool],
        mailbox: Mailbox,
        clock: Callable[[], int],
    ) -> None:
        self._name = name
        self._store = store
        self._registry = registry
        self._keysets = {one.keyset.epoch: one for one in keysets}
        # Of this one nobody needs to be told: it, or a later one, was given at every enrolment.
        self._first, self._newest = min(self._keysets), max(self._keysets)
        self._publish = publish
        self._mailbox = mailbox
        self._clock = clock
        self._told: dict[str, tuple[int, int]] = {}

    def check(self) -> None:
        """Raise ConfigError if devices were given a keyset whose keys are not here."""
        with self._store.read() as session:
            given = session.scalar(select(func.max(GatewayEpoch.announced))) or 0
        if given > self._newest:
            raise ConfigError(
                "keys.keyset",
                f"devices were given the keyset of epoch {given}, and the newest here is"
                f" {self._newest}: photos would come that cannot be opened. Bring that epoch's keys"
                " and keyset here first",
            )

    def round(self) -> None:
        """Say that this gateway lives, and tell whoever lacks the keyset; on the desk's thread."""
        now = self._clock()
        epoch = self._agreed(now)
        if epoch == self._first:
            return
        with self._store.read() as session:
            has = epochs_in_force(session)
        for device in self._registry.all():
            if device.status != "active" or has.get(device.id, 0) >= epoch:
                continue
            told, at = self._told.get(device.id, (0, 0))
            if told < epoch or now >= at + AGAIN_MS:
                self._tell(device.id, epoch)

    def connected(self, device: str) -> None:
        """Tell a device that has just come online, if it lacks the keyset; as above."""
        epoch = self._agreed(self._clock())
        if epoch == self._first:
            return
        with self._store.read() as session:
            if epochs_in_force(session, device).get(device, 0) >= epoch:
                return
        self._tell(device, epoch)

    def _agreed(self, now: int) -> int:
        """Note our epoch; return the newest that every gateway has, noted as announced."""
        with self._store.begin() as session:
            row = session.get(GatewayEpoch, self._name, with_for_update=True)
            if row is None:
                row = GatewayEpoch(gateway=self._name, announced=0)
                session.add(row)
            row.epoch, row.seen_ms = self._newest, now
            session.flush()
            alive = session.scalar(
                select(func.min(GatewayEpoch.epoch)).where(GatewayEpoch.seen_ms > now - ALIVE_MS)
            )
            common = self._newest if alive is None else min(alive, self._newest)
            agreed = max((e for e in self._keysets if e <= common), default=self._newest)
            row.announced = max(row.announced, agreed)
            return agreed

    def _tell(self, device: str, epoch: int) -> None:
        raw, topic = self._keysets[epoch].raw, topics.down(device, "keyset")

        def tell() -> None:
            if self._publish(topic, raw):
                self._told[device] = (epoch, self._clock())
                log.info("device %s is told of the keyset of epoch %d", device, epoch)

        self._mailbox.post(tell)
