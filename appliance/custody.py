"""Who has each photo: what the ledger and the spool say together, also after a crash.

A photo is open from its INTENT until WIPED or LOST is on the ledger. ``recover`` brings the
two back together at start-up: what was sealed but not signed is looked at and signed, what
had a receipt but was not wiped is wiped, what is on its way goes on, and what is gone is LOST,
said on the ledger and on the screen.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from appliance.crypto.keys import TrustedKeyset
from appliance.ledger import DurableLedger
from appliance.photos import Stage
from appliance.spool import Spool
from base.errors import VerificationError, WardsealError
from wire import events, messages, shapes
from wire.envelope import Header
from wire.keyset import SignedKeyset
from wire.ledger import SignedEntry
from wire.proof import open_proof
from wire.reasons import Reason, code_of

log = logging.getLogger(__name__)

REMEMBERED: Final = 256
"""Photos whose later receipts (HELD to FILED, UNDONE) still reach screen and ledger."""


@dataclass(frozen=True)
class Photo:
    """One photo from INTENT on. ``n`` is the session's number; ``receipt`` the last one's."""

    n: int
    consent: SignedEntry
    intent: SignedEntry
    sealed: SignedEntry | None = None
    undone: bool = False
    closed: bool = False
    receipt: int = 0
    status: messages.Status | None = None
    reason: Reason = Reason.UNSPECIFIED
    """Why it was rejected."""

    @property
    def seq(self) -> int:
        """The INTENT entry's number, which names the file in ``sealing/``."""
        return self.intent.entry.seq

    @property
    def id(self) -> bytes | None:
        """The photo's id once it is sealed."""
        if self.sealed is None:
            return None
        body: events.Sealed = events.body_of(self.sealed.entry)
        return body.photo


class Register:
    """The photos of this device by number, id and intent; old closed ones are forgotten."""

    def __init__(self) -> None:
        self._photos: dict[int, Photo] = {}
        self.next = 1

    def add(self, consent: SignedEntry, intent: SignedEntry, n: int | None = None) -> Photo:
        """Enter a photo at its INTENT."""
        photo = Photo(self.next if n is None else n, consent, intent)
        self.next = max(self.next, photo.n) + 1
        self._photos[photo.n] = photo
        closed = [n for n, known in self._photos.items() if known.closed]
        for old in closed[: max(0, len(self._photos) - REMEMBERED)]:
            del self._photos[old]
        return photo

    def update(self, photo: Photo, **changes: object) -> Photo:
        """Replace what is known of a photo."""
        fresh = replace(photo, **changes)  # type: ignore[arg-type]
        self._photos[photo.n] = fresh
        return fresh

    def get(self, n: int) -> Photo | None:
        """The photo with number ``n``, if it is remembered."""
        return self._photos.get(n)

    def by_id(self, photo: bytes) -> Photo | None:
        """The photo with this id, if it is remembered."""
        return next((known for known in self._photos.values() if known.id == photo), None)

    def by_intent(self, digest: bytes) -> Photo | None:
        """The photo of the INTENT with this digest."""
        return next((p for p in self._photos.values() if p.intent.digest == digest), None)

    def open(self) -> list[Photo]:
        """The photos that are neither wiped nor lost, oldest first."""
        return [photo for photo in self._photos.values() if not photo.closed]


@dataclass(frozen=True)
class Recovered:
    """What the session starts with: photos on their way, those lost, those to be undone.

    ``reason``: why the last of those that are REJECTED was.
    """

    photos: tuple[tuple[int, Stage], ...]
    lost: tuple[int, ...]
    undone: tuple[int, ...]
    reason: Reason = Reason.UNSPECIFIED


@dataclass(frozen=True)
class History:
    """What the ledger says beside the photos: a window left open, the last keyset in use.

    ``lost``: photos entered as LOST after which nobody has pressed CONSENT, so that perhaps
    nobody has read it: a panel can die between the entry and the screen.
    """

    window: SignedEntry | None
    taken: int
    keyset: bytes | None
    lost: tuple[int, ...]


def read_ledger(register: Register, entries: Iterable[SignedEntry]) -> History:
    """Enter every photo of these entries; return what else matters to a start."""
    consents: dict[bytes, SignedEntry] = {}
    window: SignedEntry | None = None
    taken = 0
    keyset: bytes | None = None
    unread: list[int] = []
    for signed in entries:
        body = events.body_of(signed.entry)
        match body:
            case events.Consent():
                consents[signed.digest] = window = signed
                unread.clear()
            case events.Window():
                window, taken = None, 0
            case events.KeysetInUse():
                keyset = body.hash
            case events.Intent(consent=digest) if digest in consents:
                register.add(consents[digest], signed)
                taken += 1
            case events.Sealed(intent=digest) if photo := register.by_intent(digest):
                register.update(photo, sealed=signed)
            case events.Undo(intent=digest) if photo := register.by_intent(digest):
                register.update(photo, undone=True)
            case events.Wiped(intent=digest) | events.Lost(intent=digest):
                if photo := register.by_intent(digest):
                    register.update(photo, closed=True)
                    if isinstance(body, events.Lost):
                        unread.append(photo.n)
            case events.ReceiptSeen() if photo := register.by_id(body.photo):
                status = messages.Status(body.status)
                reason = code_of(f"{body.reason or ''}:")
                register.update(photo, receipt=body.number, status=status, reason=reason)
            case _:
                pass
    return History(window, taken, keyset, tuple(unread))


def header_for(photo: Photo, keyset: SignedKeyset) -> Header:
    """The protected header that the panel orders; ``length`` is the darkroom's to fill in."""
    entry = photo.intent.entry
    return Header(
        device=entry.device,
        boot=entry.boot,
        seq=entry.seq,
        consent=photo.consent.digest,
        intent=photo.intent.digest,
        epoch=keyset.keyset.epoch,
        keyset=keyset.hash,
        time_ms=entry.wall_ms,
        trust=entry.trust,
        length=1,
    )


class Custodian:
    """Signs for what the darkroom made, wipes what the hospital has, says what is lost."""

    def __init__(
        self,
        *,
        register: Register,
        ledger: DurableLedger,
        spool: Spool,
        keyset: TrustedKeyset,
        ciphers: frozenset[int],
    ) -> None:
        self.register = register
        self._ledger = ledger
        self._spool = spool
        self._keyset = keyset
        self._ciphers = ciphers

    def sign(self, photo: Photo) -> Photo:
        """Look at the sealed file and enter SEALED; raises when it is not what was ordered."""
        if photo.intent.entry.ledger != self._ledger.ledger:
            # The three entries of a photo stand on one ledger, or the hospital refuses it.
            raise VerificationError("the ledger that the photo's INTENT is on has ended")
        keyset = self._keyset.current
        header = header_for(photo, keyset)
        found = self._spool.inspect(photo.seq, header, keyset, self._ciphers)
        body = events.Sealed(photo.intent.digest, found.photo, found.size)
        return self.register.update(photo, sealed=self._ledger.append(body))

    def release(self, photo: Photo) -> None:
        """Move a sealed photo into the outbox."""
        assert photo.sealed is not None and photo.id is not None
        entries = (photo.consent, photo.intent, photo.sealed)
        self._spool.release(photo.seq, photo.id, entries)

    def wipe(self, photo: Photo, why: str) -> None:
        """Wipe wherever the photo is, then enter WIPED."""
        self._spool.wipe_sealed(photo.seq)
        if photo.id is not None:
            self._spool.wipe_released(photo.id)
        self._ledger.append(events.Wiped(photo.intent.digest, why, photo.id))
        self.register.update(photo, closed=True)

    def lose(self, photo: Photo, why: str) -> None:
        """Enter LOST for a photo that is gone, and wipe what may be left of it."""
        self._ledger.append(events.Lost(photo.intent.digest, shapes.short(why), photo.id))
        self._spool.wipe_sealed(photo.seq)
        self.register.update(photo, closed=True)

    def recover(self, boot: bytes) -> Recovered:
        """Bring ledger and spool together after a start; see the module's first sentences."""
        stages: list[tuple[int, Stage]] = []
        lost: list[int] = []
        reason = Reason.UNSPECIFIED
        released = self._spool.released()
        self._adopt(released)
        for photo in self.register.open():
            stage = self._recover_one(photo, released, boot)
            if stage is Stage.LOST:
                lost.append(photo.n)
            elif stage is not None:
                stages.append((photo.n, stage))
            if stage is Stage.REJECTED:
                reason = photo.reason
        self.sweep()
        undone = tuple(photo.n for photo in self.register.open() if photo.undone)
        return Recovered(tuple(stages), tuple(lost), undone, reason)

    def _adopt(self, released: Mapping[bytes, tuple[bytes, bytes, bytes]]) -> None:
        """Enter photos of the outbox that a damaged ledger has forgotten: their entries prove them.

        Otherwise they would be sent, and nobody would know what the receipt is about.
        """
        for photo, entries in released.items():
            if self.register.by_id(photo) is not None:
                continue
            try:
                shown = open_proof(*entries, [self._ledger.key])
            except WardsealError as e:
                log.error("photo %s lies in the outbox unproven: %s", photo.hex(), e)
                continue
            if shown.photo == photo:
                known = self.register.add(shown.consent, shown.intent)
                self.register.update(known, sealed=shown.sealed)

    def sweep(self) -> None:
        """Wipe what a darkroom left that died, or that outlived the panel it worked for.

        Not while a darkroom is in use: the room it has made for the next photo looks the same.
        """
        sealed = {photo.seq for photo in self.register.open()}
        self._spool.wipe_strays(sealed, set(self._spool.released()))

    def _recover_one(self, photo: Photo, released: Iterable[bytes], boot: bytes) -> Stage | None:
        if photo.status in messages.CUSTODY:
            self.wipe(photo, str(photo.status))
            return None
        if photo.id is not None and photo.id in released:
            return Stage.REJECTED if photo.status else Stage.RELEASED
        if self._spool.sealed_path(photo.seq).exists():
            if photo.undone:
                self.wipe(photo, "undo")
                return None
            try:
                if photo.sealed is None:
                    self.sign(photo)
                return Stage.SEALED
            except (WardsealError, OSError) as e:
                log.warning("photo %d cannot be recovered: %s", photo.n, e)
        same_boot = photo.intent.entry.boot == boot
        if photo.undone and (photo.sealed is None or same_boot):
            # Within one boot the spool outlives us: what is not there was wiped by that UNDO.
            self.wipe(photo, "undo")
            return None
        self.lose(photo, "the device restarted" if same_boot else "the power was cut")
        return Stage.LOST
