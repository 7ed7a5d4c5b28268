"""The panel: everything that is decided on the device, in one loop that never blocks for long.

Events come from buttons, darkroom, mailbox and time; the session (pure) answers with effects,
and this module carries them out in their order. What an effect announces is on the ledger
before it happens; when the ledger cannot be written, the rest of the effects is dropped and
nothing happens at all.
"""

import logging
import signal
import socket
from collections import deque
from selectors import EVENT_READ, BaseSelector
from typing import Final

from appliance import session, sight, signals
from appliance.crypto.keys import NoKeyset
from appliance.custody import Recovered
from appliance.desk import Desk, Parts
from appliance.ledger import LedgerUnavailable
from appliance.post import LinkState
from appliance.signals import Event
from base import doorbell
from base.notify import Pulse
from wire import events
from wire.ledger import ClockTrust

log = logging.getLogger(__name__)

_SECOND: Final = 1_000_000_000
_TRY_AGAIN: Final = 75
"""EX_TEMPFAIL of sysexits.h: whoever keeps this process is to start it again."""

_NEVER: Final = 2**63
_LOOK_CLOSELY_NS: Final = _SECOND // 10
_LOOK_AROUND_NS: Final = 3 * _SECOND
"""How often mailbox, spool and ledger are looked at though no bell has rung."""


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
        self._link = LinkState(False, ())
        self._full = self._broken = self._keys_ended = False
        self._look_again = self._redraw = self._clock.monotonic_ns()
        self._bell = doorbell.hang(parts.config.paths.panel_bell)
        self._desk = Desk(parts, selector, self._queue.append)
        self._seeing = sight.is_held(parts.config.paths.sealing)
        if self._seeing:
            log.warning("a darkroom of the panel before has not ended yet")
            parts.face.lamp(True)
        self._state = session.resume(
            at=self._clock.monotonic_ns(),
            release_seconds=parts.config.window.release_seconds,
            next_n=self._register.next,
            photos=recovered.photos,
            lost=recovered.lost,
            undone=recovered.undone,
            rejected=recovered.reason,
            seeing=self._seeing,
        )
        self._unrecovered = bool(trouble)
        if trouble:
            log.error("%s", trouble)
            self._desk.ledger_down = True
            self._queue.append(signals.LedgerFault(self._now(), trouble))
        selector.register(self._bell, EVENT_READ, self._rung)
        selector.register(parts.hands, EVENT_READ, self._touched)

    def run(self) -> int:
        """Turn until SIGTERM or SIGINT; then hang up the darkroom and leave the rest as it is.

        Returns the exit code: 0, or 75 (try again) when the ledger, which failed while the start
        recovered, can be written now: a fresh start recovers what there is to recover.
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
        pulse = Pulse()
        self.prepare()
        while self._exit is None:
            self.turn()
            # After the first turn the ledger is open, or the screen says that it is not.
            pulse.beat()
        pulse.stop()
        self.close()
        return self._exit

    def close(self) -> None:
        """Hang up the darkroom and let go of everything; what is under way stays as it is."""
        self._desk.darkroom.close()
        self._parts.ledger.close()
        self._selector.close()
        self._bell.close()

    def prepare(self) -> None:
        """Have the first darkroom started, so that it waits when CONSENT is pressed."""
        self._desk.darkroom.connect()

    @property
    def state(self) -> session.State:
        """The session as it stands."""
        return self._state

    def tell(self, event: Event) -> None:
        """Hand in an event from a part that has no descriptor of its own."""
        self._queue.append(event)

    def turn(self) -> None:
        """Wait for something to happen, then deal with all of it."""
        self._work_off()
        now = self._clock.monotonic_ns()
        timeout = max(0, self._next(now) - now) / _SECOND
        for key, _ in self._selector.select(timeout):
            key.data()
        now = self._clock.monotonic_ns()
        self._desk.darkroom.tick()
        self._parts.face.tick()
        self._tell_screen()
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
            self._desk.darkroom.deadline,
            self._parts.hands.deadline(),
            self._parts.face.deadline(),
            self._redraw,
            self._look_again,
        )
        return min((at for at in due if at is not None), default=now + _SECOND)

    def _work_off(self) -> None:
        while self._queue:
            if isinstance(self._queue[0], signals.ConsentDown):
                self._parts.face.prove()
                self._tell_screen()
            event = self._queue.popleft()
            self._state, effects = session.step(self._state, event)
            for effect in effects:
                try:
                    self._desk.carry_out(effect)
                except LedgerUnavailable as e:
                    self._desk.ledger_failed(e)
                    break
            self._redraw = 0
        if self._redraw <= self._now():
            self._redraw = _NEVER
            self._parts.face.show(self._state)
            self._tell_screen()
        if self._desk.rang:
            self._desk.rang = False
            doorbell.ring(self._parts.config.paths.uplink_bell)

    def _now(self) -> int:
        return self._clock.monotonic_ns()

    # Buttons, mailbox, and looking around

    def _touched(self) -> None:
        self._queue.extend(self._parts.hands.events())

    def _rung(self) -> None:
        doorbell.hush(self._bell)
        self._empty_mailbox()

    def _look_around(self, now: int) -> None:
        self._look_again = now + _LOOK_AROUND_NS
        if self._seeing:
            self._look_for_the_darkroom_before(now)
        self._empty_mailbox()
        if not self._desk.darkroom.in_use and not self._desk.ledger_down:
            self._parts.custodian.sweep()
        if not self._desk.ledger_down:
            self._release_again()
        full = not self._parts.spool.has_room()
        if full != self._full:
            self._full = full
            self._queue.append(signals.Spool(now, full))
        self._tell_keys(now)
        if self._desk.ledger_down:
            self._try_ledger(now)

    def _look_for_the_darkroom_before(self, now: int) -> None:
        self._seeing = sight.is_held(self._parts.config.paths.sealing)
        if self._seeing:
            self._look_again = now + _LOOK_CLOSELY_NS
        else:
            self._queue.append(signals.DarkroomEnded(now))

    def _release_again(self) -> None:
        try:
            self._desk.release_what_waits()
        except LedgerUnavailable as e:
            self._desk.ledger_failed(e)

    def _try_ledger(self, now: int) -> None:
        try:
            if not self._parts.ledger.ready:
                self._parts.ledger.check()
                self._exit = _TRY_AGAIN
                return
            self._desk.append(events.Fault("ledger", "the ledger could not be written for a while"))
        except LedgerUnavailable:
            return
        if self._unrecovered:
            self._exit = _TRY_AGAIN
            return
        self._desk.ledger_down = False
        self._queue.append(signals.LedgerFault(now, ""))
        self._desk.sign_what_waits()

    def _tell_keys(self, now: int) -> None:
        floor = self._parts.ledger.floor_ms
        wall = self._clock.wall(floor)
        try:
            # What the hospital has signed has passed, however little our own clock is worth.
            self._parts.keyset.check_usable(floor, ClockTrust.FLOOR)
            self._parts.keyset.check_usable(wall.ms, wall.trust)
            ended = False
        except NoKeyset as e:
            ended = True
            if not self._keys_ended:
                log.error("%s", e)
        if ended != self._keys_ended:
            self._keys_ended = ended
            self._queue.append(signals.KeysEnded(now, ended))

    def _tell_screen(self) -> None:
        broken = self._parts.face.broken
        if broken != self._broken:
            self._broken = broken
            # Ahead of a finger that waits in the queue, whose consent nobody could see (P1).
            self._queue.appendleft(signals.ScreenFault(self._now(), broken))

    def _empty_mailbox(self) -> None:
        now = self._now()
        link = self._parts.post.link()
        if link.online != self._link.online:
            self._queue.append(signals.Link(now, link.online))
        if link.refused != self._link.refused:
            self._queue.append(signals.Refusal(now, link.refused))
        for photo in set(link.sent) - set(self._link.sent):
            if known := self._register.by_id(photo):
                self._queue.append(signals.Sent(now, known.n))
        self._link = link
        if self._desk.ledger_down:
            return  # What came has to be entered before it is acted on; it can wait.
        keys = self._parts.keyset.current.keyset.receipt_keys
        try:
            for message in self._parts.post.collect(keys, keysets=not self._desk.darkroom.in_use):
                self._desk.receive(message)
        except LedgerUnavailable as e:
            # The message is still in the mailbox: it is taken up again when the ledger is back.
            self._desk.ledger_failed(e)
