"""A whole photo in the gateway's hands: opened, looked at, filed or held, signed for.

Everything here and in gateway.withdrawal runs on one thread, so nothing races with itself;
other replicas are kept apart by the photo's row. A receipt is signed only in the
transaction that records what it says, and after what it says is true:

    FILED     each required record system has it and gave it back     -> row, receipt
    HELD      the sealed copy is on disk and gave the right hash      -> row, receipt, worklist
    REJECTED  nothing is kept                                         -> row, receipt, worklist
    UNDONE    no record system has it without the objection           -> row, receipt

A crash anywhere before the transaction leaves the bundle in ``incoming/``, and the whole is
done again: every step before it may be repeated. A withdrawal that is on record when the row
is locked wins: the photo is marked in the record before anything is signed.
"""

import contextlib
import hashlib
import logging
import mmap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from base.errors import WardsealError
from base.memory import Buffer, wipe_file
from gateway import cases, receipts, rivals, withdrawal, worklist
from gateway.decoding import Decoders, Picture, Undecodable
from gateway.filing import record
from gateway.filing.cabinet import Cabinet, Unfiled
from gateway.filing.record import FIRST, Record
from gateway.identity.identify import Identity, Unreachable
from gateway.lightbox import Lightbox
from gateway.opening import Doubt, Opener, Rejected
from gateway.receipts import Answer, Receipts
from gateway.store import Store
from gateway.tables import Photo, State, WorkKind
from gateway.vault import Vault
from gateway.withdrawal import Withdrawals
from gateway.worklist import Again
from wire import events
from wire.envelope import Content
from wire.messages import Status
from wire.proof import Proof, parse_bundle

log = logging.getLogger(__name__)


class _Doubtful(WardsealError):
    """The photo decrypts, and a person must look at it."""

    def __init__(self, doubts: tuple[Doubt, ...]) -> None:
        super().__init__("; ".join(doubt.why for doubt in doubts))
        self.doubts = doubts

    @property
    def patient(self) -> str | None:
        """Whom it likely is of: for the worklist, never for words."""
        return next((doubt.patient for doubt in self.doubts if doubt.patient), None)


@dataclass(frozen=True)
class _Known:
    """What the hospital knew of a photo before it came."""

    undone: bool
    doubts: tuple[Doubt, ...]


class Custodian:
    """Takes whole photos; ``clock`` gives milliseconds since 1970 UTC.

    ``room`` is where each photo is opened, wiped after each: pages that are there already are
    faster than fresh ones.
    """

    def __init__(
        self,
        *,
        store: Store,
        opener: Opener,
        decoders: Decoders,
        room: Buffer,
        cabinet: Cabinet,
        identity: Identity,
        vault: Vault,
        lightbox: Lightbox,
        withdrawals: Withdrawals,
        receipts: Receipts,
        clock: Callable[[], int],
    ) -> None:
        self._store = store
        self._opener = opener
        self._decoders = decoders
        self._room = room
        self._cabinet = cabinet
        self._identity = identity
        self._vault = vault
        self._lightbox = lightbox
        self._withdrawals = withdrawals
        self._receipts = receipts
        self._clock = clock
        self._seen: tuple[str, Picture] | None = None

    def take(self, bundle: Path, proof: Proof) -> Answer | None:
        """Bring the photo in ``bundle`` to its receipt. Raises OSError or WardsealError.

        Then nothing was signed, the bundle is where it was, and ``take`` may be tried again.
        """
        try:
            return self._bring_in(bundle, proof)
        except Rejected as e:
            return self._reject(proof, str(e), bundle)
        except _Doubtful as e:
            return self._hold(proof, e.doubts, bundle)
        except (Unfiled, Unreachable) as e:
            unfiled = e if isinstance(e, Unfiled) else None
            return self._hold(proof, (Doubt(str(e)),), bundle, again=True, unfiled=unfiled)

    def refile(self, bundle: Path, proof: Proof) -> Answer | None:
        """Try again to file a photo that is HELD.

        A record system failed, patients could not be looked up, or a person has said whose it is.
        """
        try:
            return self._bring_in(bundle, proof)
        except Unfiled as e:
            with self._store.begin(device=proof.sealed.entry.device) as session:
                self._cabinet.note(session, proof.photo.hex(), e.outcome)
            why: WardsealError = e
        except _Doubtful as e:
            self._still_held(proof, e)
            why = e
        except (Rejected, Unreachable) as e:
            why = e
        log.info("photo %s: still held: %s", proof.photo.hex(), why)
        return None

    def _still_held(self, proof: Proof, doubtful: _Doubtful) -> None:
        """It is not to be tried again by itself: another thing is wrong, for a person."""
        with self._store.begin(device=proof.sealed.entry.device) as session:
            row = session.get_one(Photo, proof.photo.hex(), with_for_update=True)
            if row.state == State.HELD:
                row.refile = False
                row.reason = receipts.clip(str(doubtful), 200)
                self._note(session, WorkKind.HELD, row, str(doubtful), doubtful.patient)

    def _bring_in(self, bundle: Path, proof: Proof) -> Answer | None:
        """Open, look, file. Raises Rejected, _Doubtful or Unfiled."""
        used = 0
        try:
            with _mapped(bundle) as data:
                sealed = self._opener.parse(parse_bundle(data).envelope, proof)
                used = sealed.header.length
                opened = self._opener.open(sealed, proof, self._room.view[:used])
            if opened.content is None or opened.doubts:
                raise _Doubtful((*opened.doubts, *self._known_of(proof).doubts))
            entry = self._look(opened.content, proof)
            if entry is None:
                return self._undo(proof.sealed.entry.device, proof.photo.hex(), bundle)
            return self._file(entry, proof, bundle)
        except Undecodable as e:
            self._lightbox.take_away(proof.photo.hex())
            raise _Doubtful((Doubt(str(e), alarm=e.alarm),)) from e
        finally:
            self._cabinet.unstage(proof.photo.hex())
            self._room.wipe(used)

    def _look(self, content: Content, proof: Proof) -> Record | None:
        """Have the picture decoded; None if it was undone meanwhile.

        Raises Undecodable or _Doubtful.
        """
        self.unveil()  # where photos come close together, the next one is here before the rest
        verdict = self._decoders.show(content.jpeg)
        # What takes time besides is done while another processor decodes.
        self._cabinet.stage(proof.photo.hex(), content.jpeg)
        self._lightbox.prepare(proof.photo.hex(), content.jpeg)
        digest = hashlib.sha256(content.jpeg).hexdigest()
        known = self._known_of(proof)
        if known.undone:
            return None
        said = self._identity.ask(content.private, proof)
        with self._store.begin(durable=False) as session:
            unclear = self._identity.name(session, content.private, proof, said)
            # From now on what is told of this bed, too, is compared with the photo.
            self._place(session.get_one(Photo, proof.photo.hex()), proof)
            assignment = self._cabinet.assigned(session, proof.photo.hex(), None)
        picture = verdict()
        self._seen = (proof.photo.hex(), picture)
        if known.doubts or unclear:
            raise _Doubtful((*known.doubts, *unclear))
        return record.of(content, proof, (picture.width, picture.height), digest, assignment)

    def _known_of(self, proof: Proof) -> _Known:
        """Look up what the hospital knows already, and keep what the photo's entries add."""
        device, intent = proof.sealed.entry.device, proof.intent.digest.hex()
        # After a power cut the device sends them again.
        with self._store.begin(durable=False, device=device) as session:
            undone = withdrawal.on_record(session, device, intent, proof.photo.hex())
            doubts = rivals.remember(session, proof, at_ms=self._clock())
        return _Known(undone, tuple(doubts))

    def _file(self, entry: Record, proof: Proof, bundle: Path) -> Answer | None:
        """File, read back, sign. Raises Unfiled."""
        device, photo = entry.device, entry.photo
        outcome = self._cabinet.file(entry)
        with self._store.begin(device=device) as session:
            row = session.get_one(Photo, photo, with_for_update=True)
            undone = withdrawal.on_record(session, device, row.intent, photo)
            if not undone:
                self._cabinet.note(session, photo, outcome)
                if entry.assignment.number > FIRST:
                    # It may have come into some of them under the one before.
                    self._cabinet.move(session, photo, entry.assignment.number)
                self._describe(row, proof)
                _remember(row, entry)
                row.filed_ms = self._clock()
                if row.state == State.HELD:
                    filed = f"{row.reason}; filed since"
                    self._note(session, WorkKind.HELD, row, filed, again=Again.NEVER)
                    cases.settled(session, photo, at_ms=self._clock())
                refs = tuple(f"{name}:{reference}" for name, reference in outcome.placed.items())
                receipt = self._settle(session, row, Status.FILED, refs=refs)
        if undone:
            return self._undo(device, photo, bundle)
        self._vault.put_aside(bundle, photo)
        log.info("photo %s: filed", photo)
        return Answer(device, photo, receipt)

    def _hold(
        self,
        proof: Proof,
        doubts: Sequence[Doubt],
        bundle: Path,
        *,
        again: bool = False,
        unfiled: Unfiled | None = None,
    ) -> Answer | None:
        device, photo = proof.sealed.entry.device, proof.photo.hex()
        self._vault.keep(bundle, photo)
        why = "; ".join(doubt.why for doubt in doubts)
        with self._store.begin(device=device) as session:
            row = session.get_one(Photo, photo, with_for_update=True)
            undone = withdrawal.on_record(session, device, row.intent, photo)
            if not undone:
                receipt = self._settle(session, row, Status.HELD, reason=why)
                row.refile = again
                self._describe(row, proof)
                if unfiled is not None:
                    self._cabinet.note(session, photo, unfiled.outcome)
                self._note(session, WorkKind.HELD, row, why, _Doubtful(tuple(doubts)).patient)
                if any(doubt.alarm for doubt in doubts):
                    self._note(session, WorkKind.ALARM, row, why)
        if undone:
            return self._undo(device, photo, bundle)
        log.warning("photo %s: held: %s", photo, why)
        return Answer(device, photo, receipt)

    def _reject(self, proof: Proof, why: str, bundle: Path) -> Answer | None:
        device, photo = proof.sealed.entry.device, proof.photo.hex()
        with self._store.begin(device=device) as session:
            row = session.get_one(Photo, photo, with_for_update=True)
            undone = withdrawal.on_record(session, device, row.intent, photo)
            if not undone:
                receipt = self._settle(session, row, Status.REJECTED, reason=why)
                self._note(session, WorkKind.REJECTED, row, why)
        if undone:
            return self._undo(device, photo, bundle)
        _remove(bundle)
        log.warning("photo %s: rejected: %s", photo, why)
        return Answer(device, photo, receipt)

    def _undo(self, device: str, photo: str, bundle: Path) -> Answer | None:
        answer = self._withdrawals.carry_out(device, photo)
        if answer is not None and bundle != self._vault.path(photo):
            _remove(bundle)
        return answer

    def rest(self) -> None:
        """Once the receipt has left: show the picture, wipe what the decoder saw, follow."""
        try:
            self.unveil()
        finally:
            self._decoders.bury()
            self._cabinet.wake()

    def unveil(self) -> None:
        """Show the picture that a decoder has seen last, unless that is done."""
        seen, self._seen = self._seen, None
        if seen is not None:
            photo, picture = seen
            self._lightbox.show(photo, self._decoders.small(picture))

    def _settle(
        self,
        session: Session,
        row: Photo,
        status: Status,
        *,
        reason: str = "",
        refs: tuple[str, ...] = (),
    ) -> bytes:
        """Write down the new state and sign the receipt that says so."""
        row.state = State(status.lower())
        row.reason = receipts.clip(reason, 200)
        row.changed_ms = self._clock()
        row.claimed_by, row.refile = None, False
        return self._receipts.issue(
            session, device=row.device, photo=row.photo, status=status, reason=reason, refs=refs
        )

    def _describe(self, row: Photo, proof: Proof) -> None:
        """Write down what photos are looked for by."""
        intent: events.Intent = events.body_of(proof.intent.entry)
        row.level, row.basis = intent.level.value, intent.basis.value
        row.attested = intent.attest is not None
        self._place(row, proof)

    def _place(self, row: Photo, proof: Proof) -> None:
        hung = self._identity.hung(proof)
        if hung is not None:
            row.ward, row.room, row.bed = hung.place.ward, hung.place.room, hung.place.bed

    def _note(
        self,
        session: Session,
        kind: WorkKind,
        row: Photo,
        why: str,
        patient: str | None = None,
        *,
        again: Again | None = None,
    ) -> None:
        """Held is held, whatever was closed before; other things may be told twice."""
        if again is None:
            again = Again.ALWAYS if kind is WorkKind.HELD else Again.NEW_WORDS
        worklist.note(
            session,
            kind,
            device=row.device,
            subject=row.photo,
            why=why,
            at_ms=self._clock(),
            about_ms=row.captured_ms,
            patient=patient,
            again=again,
        )


def _remember(row: Photo, entry: Record) -> None:
    """Write down what the sealed part of a photo says that people look for."""
    row.width, row.height = entry.width, entry.height
    label = entry.read_label
    row.sited = row.sited or bool(entry.assignment.site or (label and label.site))
    row.label = (label and label.code) or ""
    row.nm_per_px = None if label is None else label.nm_per_px
    row.poor = bool(entry.quality.get("poor"))
    row.badge = entry.badge or ""
    row.badge_salt = entry.salt.hex() if entry.salt else ""


@contextlib.contextmanager
def _mapped(path: Path) -> Iterator[memoryview]:
    """Map a file that nobody changes any more, read only."""
    with path.open("rb") as file:
        pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    try:
        yield memoryview(pages)
    finally:
        # What was parsed still looks at the pages; they go with the last view of them.
        with contextlib.suppress(BufferError):
            pages.close()


def _remove(bundle: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        wipe_file(bundle)
