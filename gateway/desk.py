"""The desk: what needs the database before it can be answered, in order, on one thread.

Each job's answer comes back on the loop's thread through ``then``. No device may have more than
a few jobs waiting, so one that talks too much keeps nobody else from being heard.
"""

import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

from base.errors import WardsealError
from gateway.complaints import Complaints
from gateway.incoming import Incoming
from gateway.ledgers import Ledgers, Synced
from gateway.presence import Presences
from gateway.reception import Admitted, Outcome, Reception
from gateway.workers import Job, Mailbox, Worker
from wire.messages import Busy, Init, LedgerBatch, Query, Signed, State, Unknown
from wire.proof import bundle_head

log = logging.getLogger(__name__)

JOBS_PER_DEVICE: Final = 16
BUSY_SECONDS: Final = 5
DISK_FULL_SECONDS: Final = 60


class Desk:
    """Photos are admitted here, queries answered, ledgers stored. ``incoming``: where files go.

    ``connected`` is told of each device that comes online.
    """

    def __init__(
        self,
        *,
        worker: Worker,
        mailbox: Mailbox,
        reception: Reception,
        ledgers: Ledgers,
        presences: Presences,
        incoming: Path,
        connected: Callable[[str], None],
    ) -> None:
        self._worker = worker
        self._mailbox = mailbox
        self._reception = reception
        self._ledgers = ledgers
        self._presences = presences
        self._incoming = incoming
        self._connected = connected
        self._waiting: Counter[str] = Counter()
        self._complaints = Complaints(log)

    def admit(
        self, device: str, init: Init, then: Callable[[Outcome, Incoming | None], None]
    ) -> bool:
        """Authenticate, claim, and only then lay out the file. False: too much to do."""

        def job() -> None:
            outcome: Outcome = Busy(init.photo, BUSY_SECONDS)
            incoming = None
            try:
                outcome = self._reception.init(device, init)
                if isinstance(outcome, Admitted):
                    incoming = self._lay_out(init)
            except OSError as e:
                log.error("photo %s: no room for it: %s", init.photo.hex(), e)
                outcome = Busy(init.photo, DISK_FULL_SECONDS)
            finally:
                self._mailbox.post(lambda: then(outcome, incoming))

        return self.submit(device, job)

    def _lay_out(self, init: Init) -> Incoming:
        head = bundle_head(init.consent, init.intent, init.sealed, init.size)
        return Incoming(self._incoming, init.photo, head=head, size=init.size, chunk=init.chunk)

    def query(
        self, device: str, query: Query, then: Callable[[Signed | Unknown | None], None]
    ) -> bool:
        """Look up what became of a photo. False: too much to do."""

        def job() -> None:
            answer = self._reception.query(device, query)
            self._mailbox.post(lambda: then(answer))

        return self.submit(device, job)

    def ledger(self, device: str, batch: LedgerBatch, then: Callable[[Synced], None]) -> bool:
        """Store ledger entries. False: too much to do."""

        def job() -> None:
            synced = self._ledgers.sync(device, batch)
            self._mailbox.post(lambda: then(synced))

        return self.submit(device, job)

    def state(self, device: str, state: State) -> bool:
        """Note whether a device is online. False: too much to do."""

        def job() -> None:
            if self._presences.heard(device, state):
                log.info("device %s is %s", device, "online" if state.online else "offline")
                if state.online:
                    self._connected(device)

        return self.submit(device, job)

    def submit(self, device: str, job: Job) -> bool:
        """Queue a job on behalf of a device; False if it, or all together, have too many."""
        if self._waiting[device] >= JOBS_PER_DEVICE:
            return False

        def work() -> None:
            try:
                job()
            except WardsealError as e:
                self._complaints.about(device, str(e))
            finally:
                self._mailbox.post(left)

        def left() -> None:
            self._waiting[device] -= 1
            if not self._waiting[device]:
                del self._waiting[device]

        if not self._worker.submit(work):
            return False
        self._waiting[device] += 1
        return True
