"""The panel: everything that is decided on the device, in one loop that never blocks for long.

Events come from buttons, darkroom, mailbox and time; the session (pure) answers with effects,
and this module carries them out in their order. What an effect announces is on the ledger
before it happens; when the ledger cannot be written, the rest of the effects is dropped and
nothing happens at all.
"""

import hashlib
import logging
import signal
import socket
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from selectors import EVENT_READ, BaseSelector
from typing import Final, Protocol

from appliance import orders, session, signals
from appliance.clock import Clock
from appliance.config import ApplianceConfig
from appliance.crypto.keys import TrustedKeyset
from appliance.custody import Custodian, Photo, Recovered, header_for
from appliance.darkroom_line import DarkroomLine
from appliance.ledger import DurableLedger, LedgerUnavailable
from appliance.post import KeysetOffer, LinkState, Post, SignedReceipt
from appliance.signals import Effect, Event
from appliance.spool import Spool
from base.errors import WardsealError
from wire import events, messages
from wire.events import Basis, Level
from wire.ledger import Checkpoint, SignedEntry
from wire.messages import Status

log = logging.getLogger(__name__)

_SECOND: Final = 1_000_000_000
_TRY_AGAIN: Final = 75
"""EX_TEMPFAIL of sysexits.h: whoever keeps this process is to start it again."""

_LOOK_AROUND_NS: Final = 2 * _SECOND
"""How often mailbox, spool and ledger are looked at though no bell has rung."""


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

    def show(self, state: session.State) -> int | None:
        """Draw what the state says; return when it should be drawn again, in ns."""
        ...

    def view(self, bits: memoryview) -> None:
        """Show one viewfinder picture."""
        ...

    def lamp(self, on: bool) -> None: ...

    def buzz(self, pattern: signals.Buzzer) -> None: ...

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


class Panel:
    """One run of the role. ``turn`` is one round of the loop; ``run`` turns until SIGTERM."""

    def __init__(
        self, parts: Parts, selector: BaseSelector, recovered: Recovered, trouble: str = ""
    ) -> None:
        self._parts = parts
        self._selector = selector
        self._clock = parts.clock
        self._register = parts.custodian.register
        self._queue: deque[Event] = deque()
        self._exit: int | None = None
        self._consent: SignedEntry | None = None
        self._in_darkroom: list[int] = []
        self._link = LinkState(False, ())
        self._full = self._broken = self._ledger_down = self._rang = False
        self._look_again = self._redraw = self._clock.monotonic_ns()
        self._bell = _doorbell(parts.config.paths.panel_bell)
        self._darkroom = DarkroomLine(
            parts.config.paths.darkroom_socket,
            selector,
            now=self._clock.monotonic_ns,
            report=self._reported,
            ended=self._darkroom_ended,
            overdue=self._overdue,
        )
        self._state = session.resume(
            at=self._clock.monotonic_ns(),
            release_seconds=parts.config.window.release_seconds,
            next_n=self._register.next,
            photos=recovered.photos,
            lost=recovered.lost,
            undone=recovered.undone,
        )
        if trouble:
            self._ledger_down = True
            self._queue.append(signals.LedgerFault(self._now(), trouble))
        selector.register(self._bell, EVENT_READ, self._rung)
        selector.register(parts.hands, EVENT_READ, self._touched)

    def run(self) -> int:
        """Turn until SIGTERM or SIGINT; then hang up the darkroom and leave the rest as it is.

        Returns the exit code: 0, or 75 (try again) when the ledger, which could not be opened
        at the start, can be opened now: a fresh start recovers what there is to recover.
        """

        def stop(_number: int, _frame: object) -> None:
            self._exit = 0

        wake, woken = socket.socketpair()
        wake.setblocking(False)
        woken.setblocking(False)
        self._selector.register(woken, EVENT_READ, lambda: None)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        self._darkroom.connect()
        while self._exit is None:
            self.turn()
        self._darkroom.close()
        self._parts.ledger.close()
        return self._exit

    def turn(self) -> None:
        """Wait for something to happen, then deal with all of it."""
        self._work_off()
        now = self._clock.monotonic_ns()
        timeout = max(0, self._next(now) - now) / _SECOND
        for key, _ in self._selector.select(timeout):
            key.data()
        now = self._clock.monotonic_ns()
        self._darkroom.tick()
        self._queue.extend(self._parts.hands.events())
        if now >= self._look_again:
            self._look_around(now)
        due = session.next_deadline(self._state)
        if due is not None and now >= due:
            self._queue.append(signals.Tick(now))
        self._work_off()

    def _next(self, now: int) -> int:
        due = (
            session.next_deadline(self._state),
            self._darkroom.deadline,
            self._parts.hands.deadline(),
            self._redraw,
            self._look_again,
        )
        return min((at for at in due if at is not None), default=now + _SECOND)

    def _work_off(self) -> None:
        while self._queue:
            event = self._queue.popleft()
            self._state, effects = session.step(self._state, event)
            for effect in effects:
                try:
                    self._carry_out(effect)
                except LedgerUnavailable as e:
                    log.error("%s", e)
                    self._ledger_down = True
                    self._queue.appendleft(signals.LedgerFault(self._now(), str(e)))
                    break
            self._redraw = 0
        if self._redraw <= self._now():
            again = self._parts.face.show(self._state)
            self._redraw = 2**63 if again is None else again
            self._tell_screen()
        if self._rang:
            self._rang = False
            _ring(self._parts.config.paths.uplink_bell)

    def _now(self) -> int:
        return self._clock.monotonic_ns()

    def _append(self, body: object) -> SignedEntry:
        self._rang = True
        return self._parts.ledger.append(body)

    # Effects

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case signals.LogConsent(level=level, basis=basis):
                self._log_consent(level, basis)
            case signals.LogTeaching():
                assert self._consent is not None
                granted: events.Consent = events.body_of(self._consent.entry)
                self._log_consent(Level.TEACHING, granted.basis)
            case signals.LogWindow(why=why, photos=photos):
                assert self._consent is not None
                self._append(events.Window(self._consent.digest, why, photos))
            case signals.LogUndo(ns=ns):
                for n in ns:
                    self._log_undo(n)
            case signals.LogFault(code=code, why=why):
                self._append(events.Fault(code, why[:200]))
            case signals.OpenDarkroom():
                self._open_darkroom()
            case signals.CloseDarkroom():
                self._darkroom.hang_up()
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

    def _log_consent(self, level: Level, basis: Basis) -> None:
        """Step 1 (and +TEACHING, for later photos)."""
        self._consent = self._append(events.Consent(level, basis, self._parts.wording))

    def _log_undo(self, n: int) -> None:
        photo = self._register.get(n)
        if photo is not None:
            self._append(events.Undo(photo.intent.digest, photo.id))
            self._register.update(photo, undone=True)

    def _open_darkroom(self) -> None:
        assert self._consent is not None
        order = orders.Open(self._consent.raw, self._parts.keyset.current.raw)
        self._darkroom.open(order, self._parts.config.camera.deadline_seconds + 1)

    def _capture(self, n: int) -> None:
        """Step 3: INTENT, then the frame."""
        assert self._consent is not None
        granted: events.Consent = events.body_of(self._consent.entry)
        body = events.Intent(self._consent.digest, granted.level, granted.basis)
        try:
            intent = self._append(body)
        except LedgerUnavailable:
            self._queue.append(signals.LostPhoto(self._now(), n))
            raise
        photo = self._register.add(self._consent, intent, n)
        header = {
            name: value
            for name, value in vars(header_for(photo, self._parts.keyset.current)).items()
            if name != "length"
        }
        self._in_darkroom.append(n)
        seconds = self._parts.config.camera.deadline_seconds + 1
        self._darkroom.capture(orders.Capture(intent.raw, header), seconds)

    def _release(self, n: int) -> None:
        """The second half of step 7: the rename into the outbox."""
        photo = self._register.get(n)
        if photo is not None and not photo.closed:
            self._parts.custodian.release(photo)
            self._rang = True
            self._queue.append(signals.Released(self._now(), n))

    def _wipe_unsent(self, n: int) -> None:
        photo = self._register.get(n)
        if photo is not None and not photo.closed:
            self._parts.custodian.wipe(photo, "undo")
            self._rang = True
        self._queue.append(signals.Undone(self._now(), n))

    # The darkroom's reports

    def _reported(self, report: orders.Report) -> None:
        now = self._now()
        match report:
            case orders.Ready():
                self._queue.append(signals.CameraReady(now))
            case orders.View(bits=bits):
                self._parts.face.view(bits)
            case orders.Verdict(n=seq, poor=poor):
                if photo := self._register.by_seq(seq):
                    self._queue.append(signals.Verdict(now, photo.n, poor))
            case orders.Sealed(n=seq):
                if photo := self._register.by_seq(seq):
                    self._sealed(photo)
            case orders.Refused(n=seq, why=why):
                log.error("the darkroom refused: %s", why)
                self._append_fault("darkroom-refused", why)
                self._lose(seq, why)
                if seq is None:
                    self._queue.append(signals.CameraFault(now, "not_permitted"))
            case orders.Fault(code=code, why=why, n=seq):
                log.error("the darkroom failed: %s: %s", code, why)
                self._lose(seq, why)
                self._queue.append(signals.CameraFault(now, str(code)))

    def _sealed(self, photo: Photo) -> None:
        """The first half of step 7: compare, hash, sign."""
        self._answered(photo.n)
        try:
            self._parts.custodian.sign(photo)
            self._rang = True
            self._queue.append(signals.Sealed(self._now(), photo.n))
        except LedgerUnavailable as e:
            # The envelope stays in sealing/ and is signed for when the ledger is back.
            self._in_darkroom.append(photo.n)
            self._ledger_failed(e)
        except (WardsealError, OSError) as e:
            log.error("photo %d is not what was ordered: %s", photo.n, e)
            self._lose(photo.seq, str(e))

    def _lose(self, seq: int | None, why: str) -> None:
        photo = self._register.by_seq(seq) if seq is not None else None
        if photo is None:
            return
        self._answered(photo.n)
        try:
            self._parts.custodian.lose(photo, why)
        except LedgerUnavailable as e:
            self._ledger_failed(e)
        self._rang = True
        self._queue.append(signals.LostPhoto(self._now(), photo.n))

    def _answered(self, n: int) -> None:
        if n in self._in_darkroom:
            self._in_darkroom.remove(n)
        self._darkroom.captured(bool(self._in_darkroom))

    def _overdue(self, why: str) -> None:
        self._append_fault("camera-overdue", why)
        self._queue.append(signals.CameraFault(self._now(), str(orders.FaultCode.NO_FRAMES)))

    def _darkroom_ended(self) -> None:
        """What was sealed before it ended is kept, the rest is lost, and said so."""
        for n in list(self._in_darkroom):
            photo = self._register.get(n)
            if photo is None:
                continue
            if self._parts.spool.sealed_path(photo.seq).exists():
                self._sealed(photo)
            else:
                self._lose(photo.seq, "the darkroom ended before the photo was sealed")
        self._queue.append(signals.DarkroomEnded(self._now()))

    def _append_fault(self, code: str, why: str) -> None:
        try:
            self._append(events.Fault(code, why[:200]))
        except LedgerUnavailable as e:
            self._ledger_failed(e)

    def _ledger_failed(self, error: LedgerUnavailable) -> None:
        log.error("%s", error)
        self._ledger_down = True
        self._queue.append(signals.LedgerFault(self._now(), str(error)))

    # Buttons, mailbox, and looking around

    def _touched(self) -> None:
        self._queue.extend(self._parts.hands.events())

    def _rung(self) -> None:
        try:
            while True:
                self._bell.recv(16)
        except BlockingIOError:
            pass
        self._empty_mailbox()

    def _look_around(self, now: int) -> None:
        self._look_again = now + _LOOK_AROUND_NS
        self._empty_mailbox()
        full = not self._parts.spool.has_room()
        if full != self._full:
            self._full = full
            self._queue.append(signals.Spool(now, full))
        if self._ledger_down:
            self._try_ledger(now)

    def _try_ledger(self, now: int) -> None:
        try:
            if not self._parts.ledger.ready:
                self._parts.ledger.check()
                self._exit = _TRY_AGAIN
                return
            self._append(events.Fault("ledger", "the ledger could not be written for a while"))
        except LedgerUnavailable:
            return
        self._ledger_down = False
        self._queue.append(signals.LedgerFault(now, ""))
        for n in list(self._in_darkroom):
            photo = self._register.get(n)
            if photo is not None and self._parts.spool.sealed_path(photo.seq).exists():
                self._sealed(photo)

    def _tell_screen(self) -> None:
        broken = self._parts.face.broken
        if broken != self._broken:
            self._broken = broken
            self._queue.append(signals.ScreenFault(self._now(), broken))

    def _empty_mailbox(self) -> None:
        now = self._now()
        link = self._parts.post.link()
        if link.online != self._link.online:
            self._queue.append(signals.Link(now, link.online))
        for photo in set(link.sent) - set(self._link.sent):
            if known := self._register.by_id(photo):
                self._queue.append(signals.Sent(now, known.n))
        self._link = link
        if self._ledger_down:
            return  # What came has to be entered before it is acted on; it can wait.
        keys = self._parts.keyset.current.keyset.receipt_keys
        try:
            for message in self._parts.post.collect(keys, keysets=not self._darkroom.in_use):
                match message:
                    case Checkpoint():
                        self._countersigned(message)
                    case KeysetOffer():
                        self._keyset_offered(message)
                    case SignedReceipt():
                        self._receipt(message)
        except LedgerUnavailable as e:
            # The message is still in the mailbox: it is taken up again when the ledger is back.
            self._ledger_failed(e)

    def _receipt(self, signed: SignedReceipt) -> None:
        """Step 11: enter the receipt, wipe, enter that, and say so."""
        receipt = signed.receipt
        photo = self._register.by_id(receipt.photo)
        if photo is None or receipt.number <= photo.receipt:
            log.info("a receipt for no photo of ours, or an old one, is passed over")
            return
        status = receipt.status
        seen = events.ReceiptSeen(
            receipt.photo, str(status), receipt.number, hashlib.sha256(signed.raw).digest()
        )
        self._append(seen)
        photo = self._register.update(photo, receipt=receipt.number, status=status)
        self._parts.ledger.floor_ms = max(self._parts.ledger.floor_ms, receipt.time_ms)
        if status in messages.CUSTODY and not photo.closed:
            self._parts.custodian.wipe(photo, str(status))
        self._queue.append(_told(self._now(), photo.n, receipt))

    def _keyset_offered(self, offer: KeysetOffer) -> None:
        try:
            changed = self._parts.keyset.offer(offer.raw)
        except WardsealError as e:
            log.warning("a keyset was refused: %s", e)
            self._append(events.Fault("keyset-refused", str(e)[:200]))
            return
        if changed:
            current = self._parts.keyset.current
            self._append(events.KeysetInUse(current.keyset.epoch, current.hash))

    def _countersigned(self, checkpoint: Checkpoint) -> None:
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


def _doorbell(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    bell = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    bell.setblocking(False)
    bell.bind(str(path))
    return bell


def _ring(path: Path) -> None:
    """Wake the other role, if it listens; it looks around by itself if it does not."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bell:
        bell.setblocking(False)
        try:
            bell.sendto(b"!", str(path))
        except OSError as e:
            log.debug("nobody hears the bell at %s: %s", path.name, e.strerror)
