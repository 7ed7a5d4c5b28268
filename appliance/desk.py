"""The panel's desk: where each effect, each report and each letter is carried out.

What an effect announces is on the ledger before it happens. A darkroom's report is believed as
far as the panel can check it: a sealed file is compared with what was ordered before it is
signed for. A letter from the hospital has been verified by ``appliance.post`` already; here it
is entered, acted on, and told to the session.
"""

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from selectors import BaseSelector
from typing import Protocol

from appliance import orders, session, signals
from appliance.clock import Clock
from appliance.config import ApplianceConfig
from appliance.crypto.keys import TrustedKeyset
from appliance.custody import Custodian, Photo, header_for
from appliance.darkroom_line import DarkroomLine
from appliance.ledger import DurableLedger, LedgerUnavailable
from appliance.post import Countersigned, KeysetOffer, Message, Post, SignedReceipt
from appliance.scribe import Log, Scribe
from appliance.signals import Effect, Event
from appliance.spool import Spool
from base.errors import WardsealError
from wire import events, messages, shapes
from wire.ledger import SignedEntry
from wire.messages import Status
from wire.reasons import code_of

log = logging.getLogger(__name__)


class Hands(Protocol):
    """The buttons: a descriptor that turns readable, and the events behind it."""

    def fileno(self) -> int: ...

    def events(self) -> list[Event]:
        """Return what happened since the last call."""
        ...

    def deadline(self) -> int | None:
        """When ``events`` may have something without an edge (a stuck button), in ns."""
        ...


class Face(Protocol):
    """Screen, lamp and buzzer."""

    def show(self, state: session.State) -> None:
        """Draw what the state says, if it is not what is shown already."""
        ...

    def prove(self) -> None:
        """Draw what is shown once more, so that ``broken`` tells the truth."""
        ...

    def view(self, bits: memoryview) -> None:
        """Show one viewfinder picture."""
        ...

    def lamp(self, on: bool) -> None: ...

    def buzz(self, pattern: signals.Buzzer) -> None: ...

    def deadline(self) -> int | None:
        """When ``tick`` has something to do, in ns."""
        ...

    def tick(self) -> None:
        """Go on with what takes time: a buzzer's pattern."""
        ...

    @property
    def broken(self) -> bool:
        """Whether the screen fails to show what it is told."""
        ...


@dataclass(frozen=True)
class Parts:
    """What the panel is built from; ``appliance.__main__`` puts it together."""

    config: ApplianceConfig
    clock: Clock
    ledger: DurableLedger
    spool: Spool
    post: Post
    custodian: Custodian
    keyset: TrustedKeyset
    hands: Hands
    face: Face
    wording: events.Wording


class Desk:
    """Carries out; ``tell`` hands an event to the session, ``rang`` is set when there is news.

    Methods that carry something out raise LedgerUnavailable when it could not be entered;
    then it was not done.
    """

    def __init__(self, parts: Parts, selector: BaseSelector, tell: Callable[[Event], None]) -> None:
        self._parts = parts
        self._tell = tell
        self._register = parts.custodian.register
        self._scribe = Scribe(append=self.append, register=self._register, wording=parts.wording)
        self._opened_with: SignedEntry | None = None
        self._in_darkroom: list[int] = []
        self._unreleased: set[int] = set()
        self._unsaid: dict[int, str] = {}
        self._lacking = False
        self.rang = False
        self.ledger_down = False
        self.darkroom = DarkroomLine(
            parts.config.paths.darkroom_socket,
            selector,
            now=parts.clock.monotonic_ns,
            report=self._reported,
            ended=self._darkroom_ended,
            overdue=self._overdue,
        )

    def _now(self) -> int:
        return self._parts.clock.monotonic_ns()

    def append(self, body: object) -> SignedEntry:
        """Enter something on the ledger; LedgerUnavailable when that fails."""
        entry = self._parts.ledger.append(body)
        self.rang = True
        return entry

    # Effects

    def carry_out(self, effect: Effect) -> None:
        """Do what the session decided."""
        if isinstance(effect, Log):
            self._scribe.log(effect)
            return
        match effect:
            case signals.OpenDarkroom():
                self._open_darkroom()
            case signals.CloseDarkroom():
                self.darkroom.hang_up()
            case signals.Capture(n=n):
                self._capture(n)
            case signals.Release(n=n):
                self._release(n)
            case signals.WipeUnsent(n=n):
                self._wipe_unsent(n)
            case signals.Lamp(on=on):
                self._parts.face.lamp(on)
            case signals.Buzz(pattern=pattern):
                self._parts.face.buzz(pattern)
            case _:
                raise AssertionError(f"no such effect: {effect}")

    def _open_darkroom(self) -> None:
        self._opened_with = consent = self._scribe.consent
        self._scribe.new_darkroom()
        order = orders.Open(consent.raw, self._parts.keyset.current.raw)
        self.darkroom.open(order, self._parts.config.camera.deadline_seconds + 1)

    def _capture(self, n: int) -> None:
        """Step 3: INTENT, then the frame."""
        consent = self._scribe.consent
        try:
            intent = self.append(self._scribe.intent())
        except LedgerUnavailable:
            self._tell(signals.LostPhoto(self._now(), n))
            raise
        photo = self._register.add(consent, intent, n)
        header = {
            name: value
            for name, value in vars(header_for(photo, self._parts.keyset.current)).items()
            if name != "length"
        }
        self._in_darkroom.append(n)
        seconds = self._parts.config.camera.deadline_seconds + 1
        later = consent.raw if consent is not self._opened_with else None
        self.darkroom.capture(orders.Capture(intent.raw, header, later), seconds)

    def _release(self, n: int) -> None:
        """The second half of step 7: the rename into the outbox."""
        self._unreleased.discard(n)
        photo = self._register.get(n)
        if photo is None or photo.closed:
            return
        try:
            self._parts.custodian.release(photo)
        except FileNotFoundError:
            self._lost(photo, "the sealed photo is not where it was")
        except OSError as e:
            log.error("photo %d cannot be released now: %s", n, e.strerror)
            self._unreleased.add(n)
        else:
            self.rang = True
            self._tell(signals.Released(self._now(), n))

    def release_what_waits(self) -> None:
        """Try again what the outbox did not take; what was undone meanwhile is wiped instead."""
        for n in sorted(self._unreleased):
            photo = self._register.get(n)
            if photo is not None and photo.undone:
                self._unreleased.discard(n)
                self._wipe_unsent(n)
            else:
                self._release(n)

    def _wipe_unsent(self, n: int) -> None:
        photo = self._register.get(n)
        if photo is not None and not photo.closed:
            self._parts.custodian.wipe(photo, "undo")
            self.rang = True
        self._tell(signals.Undone(self._now(), n))

    # The darkroom's reports

    def _reported(self, report: orders.Report) -> None:
        now = self._now()
        match report:
            case orders.Idle(missing=missing, why=why) | orders.Health(missing=missing, why=why):
                self._camera_lacks(missing, why)
            case orders.Ready():
                self._tell(signals.CameraReady(now))
            case orders.View(bits=bits):
                self._parts.face.view(bits)
            case orders.BandRead(bands=orders.Bands.OTHER):
                self._tell(signals.OtherBand(now))
            case orders.BandRead(bands=bands):
                self._tell(signals.BandRead(now, bands is orders.Bands.SEVERAL))
            case orders.BadgeRead(commitment=commitment):
                self._scribe.badge_shown(commitment)
                self._tell(signals.BadgeRead(now))
            case orders.Verdict(n=seq, poor=poor):
                if photo := self._awaited(seq):
                    self._tell(signals.Verdict(now, photo.n, poor))
            case orders.Sealed(n=seq, stages_us=stages):
                log.info("sealed %d, microseconds: %s", seq, stages)
                if photo := self._awaited(seq):
                    self._sealed(photo)
            case orders.Refused(n=seq, why=why):
                log.error("the darkroom refused: %s", why)
                self._append_fault("darkroom-refused", why)
                self._lose(seq, why)
                if seq is None:
                    self._tell(signals.CameraFault(now, "not_permitted"))
            case orders.Fault(code=code, why=why, n=seq):
                log.error("the darkroom failed: %s: %s", code, why)
                self._lose(seq, why)
                self._tell(signals.CameraFault(now, str(code)))

    def _camera_lacks(self, missing: orders.FaultCode | None, why: str | None) -> None:
        """What the self-test says counts before a consent; after it, what the camera does."""
        if self.darkroom.in_use:
            return
        if missing is not None:
            log.error("no photo can be taken: %s", why)
        elif self._lacking:
            log.info("the camera lacks nothing any more")
        self._lacking = missing is not None
        self._tell(signals.CameraFault(self._now(), "" if missing is None else str(missing)))

    def _sealed(self, photo: Photo) -> None:
        """The first half of step 7: compare, hash, sign."""
        self._answered(photo.n)
        try:
            self._parts.custodian.sign(photo)
            self.rang = True
            self._tell(signals.Sealed(self._now(), photo.n))
        except LedgerUnavailable as e:
            # The envelope stays in sealing/ and is signed for when the ledger is back.
            self._in_darkroom.append(photo.n)
            self.ledger_failed(e)
        except (WardsealError, OSError) as e:
            log.error("photo %d is not what was ordered: %s", photo.n, e)
            self._lost(photo, str(e))

    def _awaited(self, seq: int | None) -> Photo | None:
        """The photo that the darkroom still owes; of all others its word is worth nothing.

        What has been signed for is the panel's: no later fault can lose it.
        """
        owed = (self._register.get(n) for n in self._in_darkroom)
        return next((photo for photo in owed if photo is not None and photo.seq == seq), None)

    def _lose(self, seq: int | None, why: str) -> None:
        if photo := self._awaited(seq):
            self._lost(photo, why)

    def _lost(self, photo: Photo, why: str) -> None:
        self._answered(photo.n)
        try:
            self._parts.custodian.lose(photo, why)
            self.rang = True
        except LedgerUnavailable as e:
            self._unsaid[photo.n] = why
            self.ledger_failed(e)
        self._tell(signals.LostPhoto(self._now(), photo.n))

    def _answered(self, n: int) -> None:
        if n in self._in_darkroom:
            self._in_darkroom.remove(n)
        self.darkroom.captured(bool(self._in_darkroom))

    def _overdue(self, why: str) -> None:
        self._append_fault("camera-overdue", why)
        self._tell(signals.CameraFault(self._now(), str(orders.FaultCode.NO_FRAMES)))

    def _darkroom_ended(self) -> None:
        """What was sealed before it ended is kept, the rest is lost, and said so."""
        for n in list(self._in_darkroom):
            photo = self._register.get(n)
            if photo is None:
                continue
            if self._parts.spool.sealed_path(photo.seq).exists():
                self._sealed(photo)
            else:
                self._lost(photo, "the darkroom ended before the photo was sealed")
        self._tell(signals.DarkroomEnded(self._now()))

    def _append_fault(self, code: str, why: str) -> None:
        try:
            self.append(events.Fault(code, shapes.short(why)))
        except LedgerUnavailable as e:
            self.ledger_failed(e)

    def ledger_failed(self, error: LedgerUnavailable) -> None:
        """Take note, and tell the session, that nothing can be entered now."""
        log.error("%s", error)
        self.ledger_down = True
        self._tell(signals.LedgerFault(self._now(), str(error)))

    def sign_what_waits(self) -> None:
        """The ledger works again: enter what was lost, sign for what was sealed meanwhile."""
        unsaid, self._unsaid = self._unsaid, {}
        for n, why in unsaid.items():
            photo = self._register.get(n)
            if photo is None or photo.closed:
                continue
            try:
                self._parts.custodian.lose(photo, why)
                self.rang = True
            except LedgerUnavailable as e:
                self._unsaid[n] = why
                self.ledger_failed(e)
        for n in list(self._in_darkroom):
            photo = self._register.get(n)
            if photo is not None and self._parts.spool.sealed_path(photo.seq).exists():
                self._sealed(photo)

    # Letters from the hospital

    def receive(self, message: Message) -> None:
        """Enter a verified letter and act on it."""
        match message:
            case Countersigned():
                self._countersigned(message)
            case KeysetOffer():
                self._keyset_offered(message)
            case SignedReceipt():
                self._receipt(message)

    def _receipt(self, signed: SignedReceipt) -> None:
        """Step 11: enter the receipt, wipe, enter that, and say so."""
        receipt = signed.receipt
        photo = self._register.by_id(receipt.photo)
        status = receipt.status
        unfinished = photo is not None and not photo.closed and photo.status is status
        if photo is None or (receipt.number <= photo.receipt and not unfinished):
            log.info("a receipt for no photo of ours, or an old one, is passed over")
            return
        if receipt.number > photo.receipt:
            digest = hashlib.sha256(signed.raw).digest()
            reason = code_of(receipt.reason) if status is Status.REJECTED else None
            seen = events.ReceiptSeen(receipt.photo, str(status), receipt.number, digest, reason)
            self.append(seen)
            photo = self._register.update(photo, receipt=receipt.number, status=status)
        self._parts.ledger.floor_ms = max(self._parts.ledger.floor_ms, receipt.time_ms)
        if status in messages.CUSTODY and not photo.closed:
            self._parts.custodian.wipe(photo, str(status))
        self._tell(_told(self._now(), photo.n, receipt))

    def _keyset_offered(self, offer: KeysetOffer) -> None:
        try:
            changed = self._parts.keyset.offer(offer.raw)
        except (WardsealError, OSError) as e:
            log.warning("a keyset was refused: %s", e)
            self.append(events.Fault("keyset-refused", shapes.short(str(e))))
            return
        if changed:
            current = self._parts.keyset.current
            self.append(events.KeysetInUse(current.keyset.epoch, current.hash))

    def _countersigned(self, message: Countersigned) -> None:
        """Keep the hospital's word beside the ledger it is about, for whoever verifies it."""
        checkpoint = message.checkpoint
        try:
            self._parts.ledger.keep_checkpoint(checkpoint.ledger, message.raw)
        except OSError as e:
            log.warning("a countersignature cannot be kept: %s", e.strerror)
        self._parts.ledger.floor_ms = max(self._parts.ledger.floor_ms, checkpoint.time_ms)


def _told(now: int, n: int, receipt: messages.Receipt) -> Event:
    match receipt.status:
        case Status.FILED:
            return signals.Filed(now, n, receipt.time_ms)
        case Status.HELD:
            return signals.Held(now, n, receipt.time_ms, receipt.reason)
        case Status.REJECTED:
            return signals.Rejected(now, n, receipt.reason)
        case Status.UNDONE:
            return signals.Undone(now, n)
