"""The gateway's loop: the broker's link, answers from the workers, the clock, and the end.

One thread, one selector. Everything that is posted to the mailbox runs here, between messages.
"""

import logging
import selectors
import signal
import socket
import time
from collections.abc import Callable
from types import FrameType
from typing import Final

from base.mqtt import Event as LinkEvent
from base.mqtt import (
    Link,
    LinkDown,
    LinkFull,
    Message,
    MessageTooLarge,
    NotTaken,
    Offline,
    Online,
    Trouble,
)
from gateway.workers import Mailbox

log = logging.getLogger(__name__)

_ENDS: Final = (signal.SIGTERM, signal.SIGINT)


def sender(link: Link) -> Callable[[str, bytes], None]:
    """Return what publishes, or drops: whoever waits for an answer will ask again."""

    def send(topic: str, payload: bytes) -> None:
        try:
            link.publish(topic, payload)
            # At once: whatever else the loop has in hand, somebody waits for this.
            link.flush()
        except (LinkDown, LinkFull, MessageTooLarge) as e:
            log.info("%s: an answer was not sent: %s", topic, e)

    return send


def keeper(link: Link) -> Callable[[str, bytes], bool]:
    """Return what leaves a message with the broker (retained), and says whether it could."""

    def keep(topic: str, payload: bytes) -> bool:
        try:
            link.publish(topic, payload, retain=True)
        except (LinkDown, LinkFull, MessageTooLarge) as e:
            log.info("%s: not left with the broker yet: %s", topic, e)
            return False
        return True

    return keep


class Service:
    """Runs until it is told to stop. ``heard(topic, payload)`` gets every message."""

    def __init__(
        self,
        *,
        selector: selectors.BaseSelector,
        link: Link,
        mailbox: Mailbox,
        heard: Callable[[str, bytes], None],
        now_and_then: Callable[[], None],
        every_seconds: float,
    ) -> None:
        self._selector = selector
        self._link = link
        self._mailbox = mailbox
        self._heard = heard
        self._now_and_then = now_and_then
        self._every = every_seconds
        self._ended = False

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT; on the main thread."""
        wake, woken = socket.socketpair()
        for end in (wake, woken):
            end.setblocking(False)
        before = signal.set_wakeup_fd(wake.fileno())
        handlers = {number: signal.signal(number, self._end) for number in _ENDS}
        try:
            self._selector.register(self._mailbox, selectors.EVENT_READ)
            self._selector.register(woken, selectors.EVENT_READ)
            self._link.register(self._selector)
            self._link.start()
            self._serve()
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(before)
            wake.close()
            woken.close()

    def _serve(self) -> None:
        due = time.monotonic()
        while not self._ended:
            if time.monotonic() >= due:
                self._now_and_then()
                due = time.monotonic() + self._every
            wanted = self._link.next_deadline()
            until = due if wanted is None else min(due, wanted)
            for key, mask in self._selector.select(max(0.0, until - time.monotonic())):
                if key.data is self._link:
                    self._events(self._link.service(key, mask))
                elif key.fileobj is self._mailbox:
                    self._mailbox.run()
            self._events(self._link.tick(time.monotonic()))

    def _events(self, events: list[LinkEvent]) -> None:
        for event in events:
            match event:
                case Message():
                    self._heard(event.topic, event.payload)
                case Online():
                    log.info("connected to the broker")
                case Offline():
                    log.warning(
                        "no broker: %s; trying again in %.0f s", event.why, event.retry_seconds
                    )
                case NotTaken() | Trouble():
                    log.warning("the broker: %s", event.why)

    def _end(self, _number: int, _frame: FrameType | None) -> None:
        self._ended = True
