"""Who may send what: ``init`` is authenticated before anything is allocated for it.

1. the topic's device is registered and active
2. CONSENT, INTENT and SEALED are signed by its registered key and hang together
3. they are of that device, and SEALED names exactly this photo and size
4. the size is within this gateway's limits
5. no withdrawal is on record; nobody else's photo has this id
6. no other replica has claimed it

Only then does the photo get a row, with this replica's claim on it. Up to 3 a lie costs three
signature checks and leaves no trace but a line in the log. What a *signed* message contradicts
goes to the worklist: that can only be a broken or a stolen key.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlalchemy import update
from sqlalchemy.orm import Session

from base.errors import FormatError, VerificationError
from gateway import withdrawal, worklist
from gateway.complaints import Complaints
from gateway.config import MIB, LimitSettings
from gateway.devices import NotAdmitted, Registry
from gateway.receipts import Receipts, clip
from gateway.store import Store
from gateway.tables import Photo, State, WorkKind
from gateway.worklist import Again
from wire.messages import Busy, Init, Query, Refused, Signed, Status, Unknown
from wire.proof import Proof, open_proof
from wire.reasons import Reason, worded

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Admitted:
    """The transfer is ours: receive the photo of ``proof``."""

    proof: Proof


@dataclass(frozen=True)
class Undone:
    """Consent was withdrawn: carry that out and answer with its receipt."""

    photo: str


@dataclass(frozen=True)
class Elsewhere:
    """Another replica has it; that one answers."""


Outcome = Admitted | Undone | Elsewhere | Signed | Refused | Busy


class Reception:
    """Admits photos and answers queries; ``name`` is this replica's."""

    def __init__(
        self,
        *,
        name: str,
        store: Store,
        registry: Registry,
        limits: LimitSettings,
        receipts: Receipts,
        clock: Callable[[], int],
    ) -> None:
        self._name = name
        self._store = store
        self._registry = registry
        self._limits = limits
        self._receipts = receipts
        self._clock = clock
        self._complaints = Complaints(log)

    def init(self, device: str, message: Init) -> Outcome:
        """Take one ``init`` on the topic of ``device`` through the steps above."""
        try:
            proof = self._authenticate(device, message)
        except (FormatError, VerificationError) as e:
            self._complaints.about(device, f"photo {message.photo.hex()} refused: {e}")
            reason = e.reason if isinstance(e, NotAdmitted) else Reason.NOT_PROVEN
            return _refused(message.photo, reason, str(e))
        if message.size > self._limits.envelope_mib * MIB:
            why = f"the photo is larger than the {self._limits.envelope_mib} MiB taken here"
            return _refused(message.photo, Reason.TOO_LARGE, why)
        # After a power cut the device starts over and all of this is written again.
        with self._store.begin(durable=False, device=device) as session:
            return self._admit(session, proof)

    def _authenticate(self, device: str, message: Init) -> Proof:
        """Steps 1 to 3."""
        key = self._registry.admit(device).key
        proof = open_proof(message.consent, message.intent, message.sealed, (key,))
        if proof.sealed.entry.device != device:
            raise NotAdmitted("the entries were signed by another device than the one that sends")
        if (proof.photo, proof.size) != (message.photo, message.size):
            raise NotAdmitted("the SEALED entry names another photo or size")
        return proof

    def _admit(self, session: Session, proof: Proof) -> Outcome:
        """Steps 5 and 6, and the claim."""
        device, photo = proof.sealed.entry.device, proof.photo.hex()
        row = session.get(Photo, photo, with_for_update=True)
        if row is not None and row.device != device:
            why = "the device signed for a photo that another device signed for before"
            self._alarm(session, device, photo, why)
            # Whoever came first and has nothing to show for it must not be in the way.
            if row.state not in (State.ARRIVING, State.REJECTED) or self._claimed(row):
                return _refused(proof.photo, Reason.NOT_PROVEN, why)
            row.state = State.ARRIVING
        if withdrawal.on_record(session, device, proof.intent.digest.hex(), photo):
            known = self._receipts.standing(session, device, photo)
            if known is not None and known.status == Status.UNDONE:
                return Signed(proof.photo, known.raw)
            return Undone(photo)
        if row is not None and row.state not in (State.ARRIVING, State.REJECTED):
            known = self._receipts.standing(session, device, photo)
            assert known is not None, "every other state has a receipt"
            return Signed(proof.photo, known.raw)
        if row is not None and row.claimed_by != self._name and self._claimed(row):
            return Elsewhere()
        self._claim(session, row or Photo(photo=photo), proof)
        return Admitted(proof)

    def _claim(self, session: Session, row: Photo, proof: Proof) -> None:
        """Make the photo this replica's for a while."""
        entry, now = proof.intent.entry, self._clock()
        row.device, row.ledger, row.seq = entry.device, entry.ledger.hex(), entry.seq
        row.intent = proof.intent.digest.hex()
        row.captured_ms, row.clock = entry.wall_ms, entry.trust.value
        row.state, row.changed_ms = State.ARRIVING, now
        row.claimed_by = self._name
        row.claimed_until_ms = now + self._limits.claim_seconds * 1000
        session.add(row)

    def _claimed(self, row: Photo) -> bool:
        return row.claimed_by is not None and row.claimed_until_ms > self._clock()

    def _alarm(self, session: Session, device: str, subject: str, why: str) -> None:
        log.error("alarm: device %s, %s: %s", device, subject, why)
        worklist.note(
            session,
            WorkKind.ALARM,
            device=device,
            subject=subject,
            why=why,
            at_ms=self._clock(),
            again=Again.NEW_WORDS,
        )

    def query(self, device: str, message: Query) -> Signed | Unknown | None:
        """Give out the last receipt again; None when another replica answers, or UNDONE comes."""
        with self._store.begin() as session:
            row = session.get(Photo, message.photo.hex())
            if row is not None and row.device == device and row.state == State.ARRIVING:
                elsewhere = row.claimed_by != self._name and self._claimed(row)
                return None if elsewhere else Unknown(message.photo)
            known = self._receipts.standing(session, device, message.photo.hex())
            undone = row is not None and row.device == device and row.state == State.UNDONE
            if undone and known is not None and known.status != Status.UNDONE:
                return None  # HELD, which is being destroyed
        return Unknown(message.photo) if known is None else Signed(message.photo, known.raw)

    def renew(self, photos: Iterable[str]) -> None:
        """Go on claiming transfers that still show signs of life."""
        until = self._clock() + self._limits.claim_seconds * 1000
        with self._store.begin() as session:
            session.execute(
                update(Photo)
                .where(Photo.photo.in_(list(photos)), Photo.claimed_by == self._name)
                .values(claimed_until_ms=until)
            )


def _refused(photo: bytes, reason: Reason, why: str) -> Refused:
    return Refused(photo, clip(worded(reason, why), 200))
