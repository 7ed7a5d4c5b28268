"""A supervised MQTT connection over mutual TLS 1.3: always being kept, or being made again.

A ``Link`` owns no thread and never blocks (a name lookup aside). The caller owns a selector:

    link = Link(settings, subscriptions=[...], will=lambda: Will(...))
    link.register(selector)                      # the key's data is the link
    link.start()
    while running:
        due = link.next_deadline()               # in seconds of the link's clock; None: nothing
        for key, mask in selector.select(None if due is None else max(0, due - clock())):
            for event in key.data.service(key, mask): ...
        for event in link.tick(clock()): ...

What happens comes out as values, never as callbacks: Online, Offline, Message, Taken, NotTaken,
Trouble. Publishing goes at QoS 1 and only while online; what is in flight or waiting when the
link goes is forgotten here, and the caller, told by Offline, sends it again.

A PUBACK only says that the broker has heard. One with any code but 0x00 says the message went
nowhere: that is NotTaken. Under MQTT 3.1.1 there are no codes, so Taken proves even less there.
"""

import random
import selectors
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from base import tls
from base.backoff import Backoff
from base.dial import Dial, Pipe
from base.errors import WardsealError
from base.mqtt_session import (
    NO_SUBSCRIBERS,
    V5,
    V311,
    Limits,
    Message,
    NotTaken,
    Outgoing,
    Session,
    Taken,
    Trouble,
    Will,
    overhead,
)
from base.packet_size import Ceiling
from base.tls import TlsFiles
from base.watching import Watch

__all__ = [
    "NO_SUBSCRIBERS",
    "Event",
    "Limits",
    "Link",
    "LinkDown",
    "LinkFull",
    "LinkSettings",
    "Message",
    "MessageTooLarge",
    "NotTaken",
    "Offline",
    "Online",
    "Taken",
    "TlsFiles",
    "Trouble",
    "Will",
]

_STABLE_SECONDS = 10.0  # a connection that lived this long was a good one


class LinkDown(WardsealError):
    """There is no connection, so nothing was sent and nothing is queued."""


class LinkFull(WardsealError):
    """The broker is behind with its acknowledgements and our queue is full."""


class MessageTooLarge(WardsealError):
    """The message does not fit into what this broker accepts; nothing was sent."""


@dataclass(frozen=True, kw_only=True)
class LinkSettings:
    """How to reach the broker. ``name`` is client id, user name and certificate CN in one.

    ``largest_packet`` bounds what we accept, and what we send where the broker does not say.
    ``inbound_window`` is how many messages a broker may have on the way to us.
    """

    host: str
    name: str
    tls: TlsFiles
    port: int = 8883
    keepalive_seconds: int = 30
    connect_seconds: int = 15
    retry_longest_seconds: int = 120
    largest_packet: int = 128 * 1024
    inbound_window: int = 64
    outbound_queue: int = 1024


@dataclass(frozen=True)
class Online:
    """Connected, greeted and subscribed."""

    limits: Limits


@dataclass(frozen=True)
class Offline:
    """The connection ended or was not made, and why; everything in flight is forgotten."""

    why: str
    retry_seconds: float


Event = Online | Offline | Message | Taken | NotTaken | Trouble


class Link:
    """The connection of one name to one broker, until ``stop``."""

    def __init__(
        self,
        settings: LinkSettings,
        *,
        subscriptions: Sequence[str] = (),
        will: Callable[[], Will] | None = None,
        clock: Callable[[], float] = time.monotonic,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.settings = settings
        self._subscriptions = tuple(subscriptions)
        self._will = will
        self._clock = clock
        self._backoff = Backoff(longest=settings.retry_longest_seconds, uniform=uniform)
        self._watch = Watch(self)
        self._events: list[Event] = []
        self._version = V5
        self._ceiling = Ceiling(settings.largest_packet)
        self._retry_at: float | None = None
        self._dial: Dial | None = None
        self._session: Session | None = None
        self._online = False
        self._connect_by = 0.0
        self._keep_alive_at = 0.0
        self._stable_at: float | None = None
        self._waiting: deque[Outgoing] = deque()

    # -- what the caller's loop does --------------------------------------------------------------

    def register(self, selector: selectors.BaseSelector) -> None:
        """Use this selector from now on; the keys' ``data`` is this link."""
        self._watch.use(selector)

    def start(self) -> None:
        """Connect at the next ``tick``."""
        if self._dial is None and self._session is None:
            self._retry_at = self._clock()

    def next_deadline(self) -> float | None:
        """When ``tick`` has something to do, on the link's clock; None before ``start``."""
        if self._events or (self._session is not None and self._session.wants_turn):
            return self._clock()
        if self._online:
            return self._keep_alive_at
        if self._dial is not None or self._session is not None:
            return self._connect_by
        return self._retry_at

    def tick(self, now: float) -> list[Event]:
        """Do what is due: dial, give up waiting, read on, keep alive."""
        session = self._session
        if session is not None and session.wants_turn:
            session.read()
            self._look()
        elif self._online:
            if now >= self._keep_alive_at:
                self._keep_alive(now)
        elif self._dial is not None or session is not None:
            if now >= self._connect_by:
                seconds = self.settings.connect_seconds
                self._lose(f"{self.settings.host} did not answer within {seconds} seconds")
        elif self._retry_at is not None and now >= self._retry_at:
            self._begin(now)
        self.flush()
        return self._drain()

    def flush(self) -> None:
        """Write what was just published without waiting for the selector to allow it."""
        if self._online and self._session is not None and self._session.wants_write:
            self._session.write()
            self._look()

    def service(self, key: selectors.SelectorKey, mask: int) -> list[Event]:
        """Handle what the selector reported; ``key`` may be older than the last change."""
        if key.fd == self._watch.fd:
            if self._dial is not None:
                self._shake(self._dial)
            elif self._session is not None:
                if mask & selectors.EVENT_READ:
                    self._session.read()
                if mask & selectors.EVENT_WRITE and self._session.lost is None:
                    self._session.write()
                self._look()
        return self._drain()

    def stop(self, seconds: float = 2.0) -> None:
        """Let what was published be answered and say goodbye, so that no will is published.

        Waits up to ``seconds``; what the broker still says is dropped. ``start`` begins anew.
        """
        session = self._session
        if session is not None and self._online:
            deadline = self._clock() + seconds
            self._finish(session, deadline, lambda: not (session.in_flight or self._waiting))
            session.goodbye()
            self._finish(session, deadline, lambda: not session.wants_write)
        self._close()
        self._retry_at = None
        self._events.clear()

    def _finish(self, session: Session, deadline: float, done: Callable[[], bool]) -> None:
        """Turn this session alone until it is done or over, or the deadline has passed."""
        while session.lost is None and not done() and self._clock() < deadline:
            mask = selectors.EVENT_READ | (selectors.EVENT_WRITE if session.wants_write else 0)
            with selectors.DefaultSelector() as own:
                own.register(session, mask)
                own.select(max(0.0, deadline - self._clock()))
            session.read()
            self._refill(session)
            if session.lost is None:
                session.write()

    # -- sending ----------------------------------------------------------------------------------

    @property
    def online(self) -> bool:
        return self._online

    @property
    def limits(self) -> Limits | None:
        """What the broker takes, while online."""
        return self._session.limits if self._session is not None and self._online else None

    @property
    def room(self) -> int:
        """How many messages would leave at once, without waiting for an acknowledgement."""
        if self.limits is None or self._session is None:
            return 0
        return max(0, self.limits.window - len(self._session.in_flight) - len(self._waiting))

    def largest_payload(self, topic: str) -> int:
        """Bytes of payload that fit into one packet on ``topic`` with this broker."""
        limits = self.limits
        largest = limits.packet if limits else self._ceiling.at(self._clock())
        return max(0, largest - overhead(topic))

    def publish(
        self, topic: str, payload: bytes | bytearray, *, retain: bool = False, tag: object = None
    ) -> None:
        """Send at QoS 1. Raises LinkDown, LinkFull or MessageTooLarge; then nothing was sent.

        The answer is Taken or NotTaken with ``tag``, or Offline. Beyond the broker's window
        messages wait here, up to ``outbound_queue`` of them.
        """
        limits, session = self.limits, self._session
        if limits is None or session is None:
            raise LinkDown("there is no connection to the broker")
        message = Outgoing(topic, payload, retain, tag, len(payload) + overhead(topic))
        if message.size > limits.packet:
            raise MessageTooLarge(
                f"a message of {message.size} bytes is more than the {limits.packet} "
                f"that {self.settings.host} accepts"
            )
        if len(session.in_flight) < limits.window:
            session.send(message)
            self._look_out()
        elif len(self._waiting) < self.settings.outbound_queue:
            self._waiting.append(message)
        else:
            raise LinkFull(f"{self.settings.host} is behind with its acknowledgements")

    # -- connecting -------------------------------------------------------------------------------

    def _begin(self, now: float) -> None:
        self._retry_at = None
        self._connect_by = now + self.settings.connect_seconds
        try:
            self._dial = Dial(
                self.settings.host,
                self.settings.port,
                tls.client_context(self.settings.tls),
                unacknowledged_seconds=self.settings.keepalive_seconds,
            )
        except (OSError, ValueError, WardsealError) as error:
            self._lose(tls.words(error, self.settings.host))
        self._look_out()

    def _shake(self, dial: Dial) -> None:
        try:
            pipe = dial.step(largest=self.settings.largest_packet)
        except (OSError, ValueError) as error:
            self._lose(tls.words(error, self.settings.host))
            return
        if pipe is not None:
            self._dial = None
            self._greet(pipe)
        self._look()

    def _greet(self, pipe: Pipe) -> None:
        self._session = Session(
            pipe,
            host=self.settings.host,
            name=self.settings.name,
            version=self._version,
            keepalive_seconds=self.settings.keepalive_seconds,
            inbound_window=self.settings.inbound_window,
            largest_inbound=self.settings.largest_packet,
            largest_outbound=self._ceiling.at(self._clock()),
            subscriptions=self._subscriptions,
            will=self._will() if self._will is not None else None,
        )
        self._session.read()

    def _look(self) -> None:
        """After every turn: take over what happened, refill the window, notice the end."""
        session = self._session
        if session is not None:
            limits = session.limits
            if limits is not None and not self._online:
                self._online = True
                now = self._clock()
                self._keep_alive_at, self._stable_at = now, now + _STABLE_SECONDS
                self._events.append(Online(limits))
            self._events.extend(session.happened)
            session.happened.clear()
            if session.lost is not None:
                self._lose(session.lost)
                return
            self._refill(session)
        self._look_out()

    def _refill(self, session: Session) -> None:
        limits = session.limits
        while limits and self._waiting and len(session.in_flight) < limits.window:
            session.send(self._waiting.popleft())

    def _keep_alive(self, now: float) -> None:
        assert self._session is not None
        # MQTT grants half a keep-alive of grace; an eighth more often is early enough.
        self._keep_alive_at = now + self.settings.keepalive_seconds / 8
        if self._stable_at is not None and now >= self._stable_at:
            self._backoff.settle()
            self._stable_at = None
        self._session.keep_alive()
        self._look()

    def _lose(self, why: str) -> None:
        """This connection, or this attempt, is over: plan the next one."""
        session = self._session
        next_version, at_once = V5, False  # every new start tries the best there is
        if session is not None:
            if session.hung_up and not session.limit_stated:
                biggest = max((each.size for each in session.in_flight.values()), default=0)
                self._ceiling.suspect(biggest, proven=session.proven, now=self._clock())
            if session.version_refused or (session.silent_end and self._version == V5):
                next_version, at_once = V311, session.version_refused
        self._close()
        self._version = next_version
        seconds = 0.0 if at_once else self._backoff.wait()
        self._retry_at = self._clock() + seconds
        self._events.append(Offline(why, seconds))

    def _close(self) -> None:
        self._watch.leave()
        if self._dial is not None:
            self._dial.close()
        if self._session is not None:
            self._session.close()
        self._dial = self._session = None
        self._online = False
        self._stable_at = None
        self._waiting.clear()

    def _look_out(self) -> None:
        if self._dial is not None:
            self._watch.watch(self._dial.fileno(), self._dial.interest)
        elif self._session is not None:
            writing = selectors.EVENT_WRITE if self._session.wants_write else 0
            self._watch.watch(self._session.fileno(), selectors.EVENT_READ | writing)

    def _drain(self) -> list[Event]:
        events, self._events = self._events, []
        return events
