"""Every device's ledger at the hospital: stored, chained, countersigned, and compared.

A device sends entries from where the hospital's copy ends. Each is signed and names the one
before, so a copy that has no gap proves itself. After storing a batch the hospital signs the
head it has (a checkpoint), and from then on nothing before it can be changed unseen:

* an entry numbered below the head with another content      fork: something was rewritten
* an entry right after the head that continues another one   fork: something was taken out
* a new ledger that does not go on from the old one's head   rollback: entries were lost

Each is an alarm, and the ledger stays where it is: a fork is a matter for people. A batch that
is merely ahead, behind, doubled or not signed is answered with how far the copy reaches.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from base.errors import FormatError, VerificationError
from gateway import owed, worklist
from gateway.audit.tables import Did, done
from gateway.complaints import Complaints
from gateway.devices import Registry
from gateway.sharing import shares
from gateway.store import Store
from gateway.tables import LedgerEntry, LedgerHead, Photo, State, Undo, WorkKind
from gateway.worklist import Again
from wire import events
from wire.ledger import (
    GENESIS,
    TYP_ENTRY,
    Checkpoint,
    Entry,
    EntryType,
    SignedEntry,
    open_entry,
    sign_checkpoint,
)
from wire.messages import LedgerBatch, LedgerHave
from wire.signing import Signer, untrusted

log = logging.getLogger(__name__)

_MEANINGFUL: Final = (EntryType.SEALED, EntryType.UNDO, EntryType.WIPED, EntryType.LOST)


def row(signed: SignedEntry, *, chained: bool, at_ms: int) -> dict[str, object]:
    """Return an entry as it is stored, now (``at_ms``): a row of ``LedgerEntry``."""
    entry = signed.entry
    return {
        "device": entry.device,
        "ledger": entry.ledger.hex(),
        "seq": entry.seq,
        "digest": signed.digest.hex(),
        "type": entry.type.value,
        "raw": signed.raw,
        "chained": chained,
        "stored_ms": at_ms,
    }


@dataclass
class Synced:
    """The answer to a batch, and the photos (hex) whose withdrawal it brought."""

    have: LedgerHave
    undone: list[str] = field(default_factory=list)


class Ledgers:
    """All ledgers; ``clock`` gives milliseconds since 1970 UTC."""

    def __init__(
        self, *, store: Store, registry: Registry, signer: Signer, clock: Callable[[], int]
    ) -> None:
        self._store = store
        self._registry = registry
        self._signer = signer
        self._clock = clock
        self._complaints = Complaints(log)

    def sync(self, device: str, batch: LedgerBatch) -> Synced:
        """Store what continues the copy. Raises NotAdmitted for a device that may not send."""
        key = self._registry.admit(device).key
        entries: list[SignedEntry] = []
        for offset, raw in enumerate(batch.entries):
            try:
                signed = open_entry(raw, (key,))
            except (FormatError, VerificationError) as e:
                self._complaints.about(device, f"entry {batch.first + offset} refused: {e}")
                break
            place = (signed.entry.device, signed.entry.ledger, signed.entry.seq)
            if place != (device, batch.ledger, batch.first + offset):
                self._complaints.about(device, "an entry that does not belong here was refused")
                break
            entries.append(signed)
        with self._store.begin(device=device) as session:
            return self._store_entries(session, device, batch.ledger, entries)

    def _store_entries(
        self, session: Session, device: str, ledger: bytes, entries: list[SignedEntry]
    ) -> Synced:
        head = session.get(LedgerHead, (device, ledger.hex()), with_for_update=True)
        if head is None:
            head = LedgerHead(
                device=device,
                ledger=ledger.hex(),
                next=0,
                digest=GENESIS.hex(),
                begun_ms=self._clock(),
            )
        undone: list[str] = []
        for signed in entries:
            seq = signed.entry.seq
            if seq > head.next:
                break
            if seq < head.next:
                if self._same(session, signed):
                    continue
                why = f"the ledger was rewritten: entry {seq} is not the one that was stored"
                self._alarm(session, signed, why)
                break
            if signed.entry.prev.hex() != head.digest:
                why = f"the ledger forks: entry {seq} does not continue the one that was stored"
                self._alarm(session, signed, why)
                break
            if seq == 0:
                self._begins(session, signed)
                session.add(head)
            self._append(session, signed)
            head.next, head.digest = seq + 1, signed.digest.hex()
            undone += self._means(session, signed)
        return Synced(self._have(head), undone)

    def _have(self, head: LedgerHead) -> LedgerHave:
        ledger = bytes.fromhex(head.ledger)
        if head.next == 0:
            return LedgerHave(ledger, 0)
        checkpoint = Checkpoint(
            device=head.device,
            ledger=ledger,
            seq=head.next - 1,
            head=bytes.fromhex(head.digest),
            time_ms=self._clock(),
        )
        return LedgerHave(ledger, head.next, sign_checkpoint(checkpoint, self._signer))

    def _same(self, session: Session, signed: SignedEntry) -> bool:
        entry = signed.entry
        place = (entry.device, entry.ledger.hex(), entry.seq, signed.digest.hex())
        known = session.get(LedgerEntry, place)
        return known is not None and known.chained

    def _append(self, session: Session, signed: SignedEntry) -> None:
        """Chain an entry that may have come ahead with its photo."""
        entry = signed.entry
        numbered = select(LedgerEntry).where(
            LedgerEntry.device == entry.device,
            LedgerEntry.ledger == entry.ledger.hex(),
            LedgerEntry.seq == entry.seq,
        )
        rivals = {known.digest: known for known in session.scalars(numbered)}
        ahead = rivals.pop(signed.digest.hex(), None)
        if rivals:
            self._alarm(session, signed, f"the device signed two entries numbered {entry.seq}")
        if ahead is not None:
            ahead.chained = True
        else:
            session.add(LedgerEntry(**row(signed, chained=True, at_ms=self._clock())))

    def _begins(self, session: Session, signed: SignedEntry) -> None:
        """A new ledger must go on from the head of the last one that the hospital has."""
        entry = signed.entry
        last = session.scalars(
            select(LedgerHead)
            .where(LedgerHead.device == entry.device)
            .order_by(LedgerHead.begun_ms.desc(), LedgerHead.ledger)
            .limit(1)
        ).first()
        if last is None:
            return
        body = events.body_of(entry) if entry.type is EntryType.BOOT else None
        previous = body.previous if isinstance(body, events.Boot) else None
        named = previous and (previous.ledger.hex(), previous.seq + 1, previous.head.hex())
        if named != (last.ledger, last.next, last.digest):
            why = f"a new ledger does not go on from entry {last.next - 1} of the old one"
            self._alarm(session, signed, why)

    def _means(self, session: Session, signed: SignedEntry) -> list[str]:
        """Act on what an entry says; return the photo whose withdrawal it is."""
        entry = signed.entry
        if entry.type not in _MEANINGFUL:
            return []
        try:
            body = events.body_of(entry)
        except FormatError as e:
            self._alarm(session, signed, str(e))
            return []
        if isinstance(body, events.Sealed):
            owed.expect(session, signed, body, at_ms=self._clock())
            return []
        photo = self._photo_of(session, entry.device, body)
        if isinstance(body, events.Wiped):
            if photo is not None:
                now = self._clock()
                done(session, Did.WIPED, photo, entry.device, assignment=None, at_ms=now)
            return []
        if isinstance(body, events.Undo):
            undo = Undo(
                device=entry.device,
                intent=body.intent.hex(),
                photo=photo,
                at_ms=self._clock(),
                done=photo is None,
            )
            session.merge(undo)
            known = session.get(Photo, photo) if photo else None
            if photo and known is not None and known.device == entry.device:
                why = "UNDO was pressed on the device"
                shares.stop(session, photo, why, at=self._clock())
            return [photo] if photo else []
        owed.lost(session, photo)
        known = session.get(Photo, photo) if photo else None
        why = f"the device lost a photo: {body.why}"
        if known is not None and known.state != State.ARRIVING:
            why = f"{why}. The hospital has it: {known.state}"
        subject = photo or f"intent {body.intent.hex()}"
        worklist.note(
            session,
            WorkKind.LOST,
            device=entry.device,
            subject=subject,
            why=why,
            at_ms=self._clock(),
            about_ms=self._taken(session, entry, body) or entry.wall_ms,
            again=Again.NEW_WORDS,
        )
        return []

    def _taken(self, session: Session, entry: Entry, body: events.Lost) -> int | None:
        """When CAPTURE was pressed, if that entry is here."""
        pressed = select(LedgerEntry.raw).where(
            LedgerEntry.device == entry.device,
            LedgerEntry.ledger == entry.ledger.hex(),
            LedgerEntry.digest == body.intent.hex(),
        )
        raw = session.scalars(pressed.limit(1)).first()
        if raw is None:
            return None
        _, stored = untrusted(raw, typ=TYP_ENTRY)
        wall = stored.get("wall_ms")
        return wall if isinstance(wall, int) else None

    def _photo_of(
        self, session: Session, device: str, body: events.Undo | events.Lost | events.Wiped
    ) -> str | None:
        if body.photo is not None:
            return body.photo.hex()
        by_intent = select(Photo.photo).where(
            Photo.device == device, Photo.intent == body.intent.hex()
        )
        return session.scalars(by_intent.limit(1)).first()

    def _alarm(self, session: Session, signed: SignedEntry, why: str) -> None:
        entry = signed.entry
        log.error("alarm: device %s, ledger %s: %s", entry.device, entry.ledger.hex(), why)
        subject = f"{entry.ledger.hex()} {entry.seq}"
        self._note(session, WorkKind.ALARM, entry.device, subject, why)

    def _note(self, session: Session, kind: WorkKind, device: str, subject: str, why: str) -> None:
        worklist.note(
            session,
            kind,
            device=device,
            subject=subject,
            why=why,
            at_ms=self._clock(),
            again=Again.NEW_WORDS,
        )
