"""What is done now and then, and at the start: nothing may lie about unfinished.

* whole photos in ``incoming/`` that nobody has in hand (a crash, a full disk) are taken up
* so are those whose sealed copy was stored but never signed for
* photos that are HELD because a record system failed are filed when it works again
* what stopped arriving long ago is removed; the device still has it
* transfers that live keep their claim
* withdrawals that are on record are carried out
* sealed copies of photos that are in the record are removed after their days
* opened pictures that no sealed copy stands behind are removed
* moves that two people have decided are handed to the record systems
* devices that lack the newest keyset are told of it
* pictures that a crash kept from people are made again, at the start
* what is owed is put on the worklist, which gets its places and owners, and escalates
"""

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from sqlalchemy import exists, select

from base.errors import FormatError, WardsealError
from base.memory import wipe_file
from gateway import retention, uses
from gateway.config import LimitSettings
from gateway.devices import Registry
from gateway.forgetting import Forgetting
from gateway.incoming import SUFFIX
from gateway.reception import Admitted, Elsewhere, Outcome, Reception, Undone
from gateway.store import Store
from gateway.tables import Filing, Photo, State
from gateway.transfers import Transfers
from gateway.vault import Vault
from gateway.withdrawal import Withdrawals
from gateway.workers import Mailbox, Worker
from wire.ledger import TYP_ENTRY
from wire.messages import CHUNK, Init, Refused, Signed
from wire.proof import Bundle, Proof, open_proof, parse_bundle
from wire.signing import untrusted

log = logging.getLogger(__name__)


class TakeUp(Protocol):
    """The inbox's: go on with a whole photo; ``again`` when it is HELD and to be filed."""

    def __call__(self, device: str, bundle: Path, proof: Proof, *, again: bool) -> None: ...


EVERY_SECONDS: Final = 30.0
_REFILED_AT_ONCE: Final = 8
_SWEPT_AT_ONCE: Final = 100


class Housekeeping:
    """``take_up`` and ``undo`` are the inbox's; ``incoming`` is where photos arrive.

    ``name`` is this replica's.

    ``paperwork`` is what is to be done besides, in this order.
    """

    def __init__(
        self,
        *,
        name: str,
        store: Store,
        registry: Registry,
        reception: Reception,
        withdrawals: Withdrawals,
        vault: Vault,
        transfers: Transfers,
        desk: Worker,
        mailbox: Mailbox,
        incoming: Path,
        limits: LimitSettings,
        take_up: TakeUp,
        undo: Callable[[str, str], None],
        paperwork: Sequence[Callable[[], object]] = (),
    ) -> None:
        self._name = name
        self._store = store
        self._registry = registry
        self._reception = reception
        self._withdrawals = withdrawals
        self._vault = vault
        self._transfers = transfers
        self._desk = desk
        self._mailbox = mailbox
        self._incoming = incoming
        self._limits = limits
        self._take_up = take_up
        self._undo = undo
        self._paperwork = tuple(paperwork)
        self._called = threading.Event()
        self._forgetting = Forgetting(
            name=name, store=store, vault=vault, days=limits.keep_sealed_days
        )

    def round(self) -> None:
        """Look around once; on the loop's thread, what takes time is given to the desk."""
        for transfer in self._transfers.silent():
            log.info("photo %s: it stopped arriving", transfer.photo.hex())
            if transfer.incoming is not None:
                transfer.incoming.discard()
            self._transfers.release(transfer.photo)
        alive = self._transfers.alive()
        if alive:
            self._desk.submit(lambda: self._reception.renew(alive))
        known = set(alive)
        self._desk.submit(lambda: self._look_around(known))

    def _look_around(self, alive: set[str]) -> None:
        """On the desk's thread: read what lies there. Whether to act is decided on the loop's."""
        for path in sorted(self._incoming.glob(f"*{SUFFIX}")):
            if path.stem not in alive:
                self._found(path)
        with self._store.begin() as session:
            arriving = session.scalars(select(Photo.photo).where(Photo.state == State.ARRIVING))
            unsigned = [self._vault.path(photo) for photo in arriving if photo not in alive]
        for path in unsigned:
            if path.exists():
                self._found(path)
        self._decided()
        self._forgetting.round()
        self._left_open(alive)

    def decided(self) -> None:
        """Somebody has decided something: see to it now; from any thread."""
        if self._called.is_set():
            return
        self._called.set()
        if not self._desk.submit(self._answer):
            self._called.clear()  # too busy: the next round does it

    def _answer(self) -> None:
        # Before looking: whoever rings from here on is heard again.
        self._called.clear()
        self._decided()

    def _decided(self) -> None:
        """On the desk's thread: act on what people, and the ledgers, have said."""
        for device, photo in self._waiting_for_a_sink():
            self._refile(device, self._vault.path(photo))
        for device, photo in self._withdrawals.unfinished():
            self._mailbox.post(partial(self._undo, device, photo))
        for task in self._paperwork:
            task()

    def _waiting_for_a_sink(self) -> list[tuple[str, str]]:
        later = select(Filing.photo).where(Filing.photo == Photo.photo, Filing.due_ms > _now_ms())
        held = select(Photo.device, Photo.photo).where(
            Photo.state == State.HELD, Photo.refile, ~later.exists()
        )
        with self._store.begin(durable=False) as session:
            rows = session.execute(held.order_by(Photo.changed_ms).limit(_REFILED_AT_ONCE))
            return [(device, photo) for device, photo in rows]

    def _refile(self, device: str, path: Path) -> None:
        try:
            bundle = _whole(path)
            known = self._registry.find(device)
            if bundle is None or known is None:
                log.error("photo %s: it is held, and cannot be filed from here", path.stem)
                return
            proof = open_proof(bundle.consent, bundle.intent, bundle.sealed, (known.key,))
        except (OSError, WardsealError) as e:
            log.error("photo %s: it is held, and cannot be filed: %s", path.stem, e)
            return
        self._mailbox.post(partial(self._take_up, device, path, proof, again=True))

    def _found(self, path: Path) -> None:
        try:
            bundle = _whole(path)
            if bundle is not None:
                self._mailbox.post(partial(self._consider, *_as_init(bundle), path))
            else:
                self._remove_if_old(path)
        except (OSError, WardsealError) as e:
            log.error("%s cannot be taken up: %s", path.name, e)

    def _consider(self, device: str, init: Init, path: Path) -> None:
        """Admit a whole photo as if its ``init`` had come again, and go on from there."""
        if init.photo in self._transfers:
            return
        if not self._transfers.reserve(device, init.photo, init.size):
            return

        def admit() -> None:
            outcome: Outcome = Elsewhere()
            try:
                found = self._reception.init(device, init)
                if isinstance(found, Signed | Undone) and path.suffix == SUFFIX:
                    self._put_aside(path)
                outcome = found
            finally:
                self._mailbox.post(lambda: self._considered(device, path, outcome))

        if not self._desk.submit(admit):
            self._transfers.release(init.photo)

    def _considered(self, device: str, path: Path, outcome: Outcome) -> None:
        photo = bytes.fromhex(path.stem)
        self._transfers.release(photo)
        try:
            match outcome:
                case Admitted():
                    self._take_up(device, path, outcome.proof, again=False)
                case Undone():
                    self._undo(device, outcome.photo)
                    wipe_file(path)
                case Signed() if path.suffix == SUFFIX:
                    wipe_file(path)
                case Refused():
                    self._remove_if_old(path)
        except FileNotFoundError:
            pass  # custody took it while this was looked up
        except OSError as e:
            log.error("%s cannot be removed: %s", path.name, e.strerror)

    def _put_aside(self, path: Path) -> None:
        """A crash came between the receipt and this: what was to be kept is not wiped.

        Another replica's photo is left to whoever has its sealed copy. Raises OSError or NotKept.
        """
        photo = path.stem
        if self._vault.path(photo).exists():
            return
        ours = exists().where(Filing.photo == photo, Filing.keeper == self._name)
        filed = exists().where(Filing.photo == photo)
        with self._store.begin(durable=False) as session:
            row = session.get(Photo, photo)
            if row is None or row.objection == uses.ERASED:
                return
            if session.scalar(select(filed)) and not session.scalar(select(ours)):
                return
            held = row.state == State.HELD
            undone = row.state == State.UNDONE and (
                row.filed_ms is not None or retention.on_hold(session, photo)
            )
            kept = held or undone or row.state == State.FILED
        if held:
            self._vault.keep(path, photo)
        elif kept:
            self._vault.put_aside(path, photo)

    def _left_open(self, alive: set[str]) -> None:
        """On the desk's thread: find opened pictures that a crash left without a sealed copy.

        Another replica may have one in hand: then it claims it, or has done so just now.
        """
        left = [p for p in self._vault.unsealed(self._limits.idle_seconds) if p not in alive]
        left = left[:_SWEPT_AT_ONCE]
        if not left:
            return
        claimed = select(Photo.photo).where(
            Photo.photo.in_(left), Photo.state == State.ARRIVING, Photo.claimed_until_ms > _now_ms()
        )
        with self._store.begin(durable=False) as session:
            in_hand = set(session.scalars(claimed))
        for photo in left:
            if photo not in in_hand:
                self._mailbox.post(partial(self._close, photo))

    def _close(self, photo: str) -> None:
        if bytes.fromhex(photo) in self._transfers:
            return
        try:
            if self._vault.sweep(photo):
                log.info("photo %s: pictures that a crash had left were removed", photo)
        except OSError as e:
            log.error("the opened pictures of %s cannot be removed: %s", photo, e.strerror)

    def _remove_if_old(self, path: Path) -> None:
        if path.stat().st_mtime < time.time() - self._limits.idle_seconds:
            wipe_file(path)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _whole(path: Path) -> Bundle | None:
    """Return the bundle in a file if it is whole and what its SEALED entry says, else None."""
    try:
        bundle = parse_bundle(path.read_bytes())
    except FormatError:
        return None
    photo = hashlib.sha256(bundle.envelope).hexdigest()
    return bundle if photo == path.stem else None


def _as_init(bundle: Bundle) -> tuple[str, Init]:
    """Return the device that the bundle claims and its ``init``; nothing here is verified."""
    _, untrusted_entry = untrusted(bundle.sealed, typ=TYP_ENTRY)
    init = Init(
        photo=hashlib.sha256(bundle.envelope).digest(),
        size=len(bundle.envelope),
        chunk=CHUNK,
        consent=bundle.consent,
        intent=bundle.intent,
        sealed=bundle.sealed,
    )
    return str(untrusted_entry.get("device")), init
