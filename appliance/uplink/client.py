"""The uplink's loop: what lies in the outbox and on the ledger goes out, what is signed comes in.

It decides nothing and believes nothing: it sees ciphertext and signed bytes, holds no key but
that of its own TLS certificate, and leaves what the hospital says in the mailbox, unopened. All
it remembers can be thrown away at any time; the directories and the hospital's answers say
everything again.
"""

import logging
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from selectors import EVENT_READ, BaseSelector, DefaultSelector
from typing import Final

from appliance.clock import boot_id
from appliance.config import ApplianceConfig
from appliance.uplink.ledger_sync import Ledgers
from appliance.uplink.mailbox import Mailbox
from appliance.uplink.outbox import Outbox
from appliance.uplink.photos import Parcel, Photos
from appliance.uplink.transfer import Reply, chunk_that_fits
from appliance.uplink.withdrawals import Withdrawals
from base import doorbell, mqtt
from base.errors import FormatError
from base.memory import harden_process
from base.mqtt import Link, LinkSettings, Message, NotTaken, Offline, Online, Taken, Trouble, Will
from base.notify import Pulse
from base.tls import TlsFiles
from wire import messages, topics
from wire.messages import LedgerHave, Signed, State, Unknown

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 5.0
"""How often outbox and ledger are looked at though no bell has rung."""

BIRTH_AGAIN_SECONDS: Final = 60.0
"""After this a will of our last connection has come, and what it overwrote is set right."""

_LONGEST_NAME: Final = "x" * 32


class Uplink:
    """One device's line to the hospital."""

    def __init__(
        self,
        *,
        device: str,
        settings: LinkSettings,
        outbox: Outbox,
        ledgers: Path,
        mark: Path,
        mailbox: Mailbox,
        bell: socket.socket,
        boot: bytes,
        selector: BaseSelector,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._device = device
        self._photos = Photos(outbox)
        self._withdrawals = Withdrawals()
        self._ledgers = Ledgers(ledgers, mark, self._withdrawals.seen)
        self._mailbox = mailbox
        self._bell = bell
        self._boot = boot
        self._selector = selector
        self._clock = clock
        self._session = 0
        self._kept: dict[str, bytes] = {}  # the last keyset and countersignature we passed on
        self._look_at = clock()
        self._birth_at: float | None = None
        self._running = True
        self._pulse = Pulse()
        self.link = Link(
            settings, subscriptions=[topics.all_down(device)], will=self._new_will, clock=clock
        )
        self.link.register(selector)
        selector.register(bell, EVENT_READ)

    # -- the loop ---------------------------------------------------------------------------------

    def run(self) -> int:
        """Turn until SIGTERM or SIGINT; then say goodbye to the broker. Returns the exit code."""
        wake, woken = socket.socketpair()
        wake.setblocking(False)
        woken.setblocking(False)
        self._selector.register(woken, EVENT_READ)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        self.start()
        while self._running:
            self.turn(self._pulse.patience(60.0))
            self._pulse.beat()
        self._pulse.stop()
        self.close()
        return 0

    def _stop(self, _number: int, _frame: object) -> None:
        self._running = False

    def start(self) -> None:
        """Look around and begin to connect."""
        self._mailbox.tell(online=False, sent=[])
        self.link.start()

    def close(self) -> None:
        """Leave in good order: the hospital is told, and no will is needed."""
        if self.link.online:
            self._say_state(online=False)
        self.link.stop()
        self._selector.unregister(self._bell)
        self._bell.close()
        self._mailbox.tell(online=False, sent=self._photos.sent(), refused=self._photos.refused())

    def turn(self, longest: float = 60.0) -> None:
        """Wait for something to happen, for ``longest`` seconds at most, and deal with it."""
        now = self._clock()
        wait = min(longest, max(0.0, self._due(now) - now))
        for key, mask in self._selector.select(wait):
            if key.data is self.link:
                self._handle(self.link.service(key, mask))
            elif key.fileobj is self._bell:
                doorbell.hush(self._bell)
                self._look_at = now
        now = self._clock()
        self._handle(self.link.tick(now))
        if now >= self._look_at:
            self._look(now)
        if self._birth_at is not None and now >= self._birth_at:
            self._birth_at = None
            self._say_state(online=True)
        self._pump(now)
        self.link.flush()
        self._mailbox.tell(
            online=self.link.online, sent=self._photos.sent(), refused=self._photos.refused()
        )

    def _due(self, now: float) -> float:
        due = [self._look_at]
        due += [at for at in (self.link.next_deadline(), self._birth_at) if at is not None]
        if self.link.online and self.link.room:
            sources = (
                self._ledgers.deadline(),
                self._photos.deadline(now),
                self._withdrawals.deadline(now),
            )
            due += [at for at in sources if at is not None]
        return min(due)

    # -- what goes out ----------------------------------------------------------------------------

    def _look(self, now: float) -> None:
        """Take in what the directories say: new photos, photos that are gone, new entries."""
        self._look_at = now + LOOK_SECONDS
        self._photos.look(now)
        self._ledgers.look(now)

    def _pump(self, now: float) -> None:
        """Publish as much as there is room for: ledger first, it is small and soon signed for."""
        largest = self.link.largest_payload(topics.up(self._device, "ledger"))
        while self.link.room and (batch := self._ledgers.pull(now, largest)) is not None:
            self._publish("ledger", messages.encode(batch), tag=batch)
        while self.link.room and (query := self._withdrawals.pull(now)) is not None:
            self._publish("up/any", messages.encode(query), tag=query)
        while self.link.room and (parcel := self._photos.pull(now)) is not None:
            self._publish(f"up/{parcel.to}", parcel.payload, tag=parcel)

    def _publish(self, kind: str, payload: bytes, *, tag: object, retain: bool = False) -> None:
        try:
            self.link.publish(topics.up(self._device, kind), payload, retain=retain, tag=tag)
        except (mqtt.LinkDown, mqtt.LinkFull, mqtt.MessageTooLarge) as error:
            # Timers ask again for whatever it was.
            log.warning("%s was not sent: %s", kind.partition("/")[0], error)

    def _new_will(self) -> Will:
        # Milliseconds since boot rise with every connection, whatever became of this process.
        self._session = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
        gone = State(online=False, boot=self._boot, session=self._session)
        return Will(topics.up(self._device, "state"), messages.encode(gone))

    def _say_state(self, *, online: bool) -> None:
        state = State(online=online, boot=self._boot, session=self._session)
        self._publish("state", messages.encode(state), tag=state, retain=True)

    # -- what comes in ----------------------------------------------------------------------------

    def _handle(self, events: list[mqtt.Event]) -> None:
        now = self._clock()
        for event in events:
            match event:
                case Message(topic=topic, payload=payload):
                    self._heard(topic, payload, now)
                case Taken(tag=Parcel() as parcel):
                    parcel.transfer.taken(parcel.what, now)
                case NotTaken(tag=Parcel() as parcel, why=why):
                    log.info("the broker passed nothing on: %s", why)
                    parcel.transfer.not_taken(parcel.what, now)
                case NotTaken(tag=messages.LedgerBatch() as batch):
                    self._ledgers.syncs[batch.ledger].not_taken(now)
                case NotTaken(tag=State(), why=why, code=code) if code != mqtt.NO_SUBSCRIBERS:
                    log.warning("the broker did not take our state: %s", why)
                case Online(limits=limits):
                    self._connected(limits, now)
                case Offline(why=why, retry_seconds=seconds):
                    log.warning("offline: %s; next try in %.1f s", why, seconds)
                    self._pulse.say(f"offline: {why}")
                    self._birth_at = None
                    self._photos.offline()
                case Trouble(why=why):
                    log.warning("%s", why)

    def _connected(self, limits: mqtt.Limits, now: float) -> None:
        log.info("online, MQTT %s, packets of %d bytes", limits.version, limits.packet)
        self._pulse.say("online")
        topic = topics.up(self._device, f"up/{_LONGEST_NAME}")
        chunk = chunk_that_fits(self.link.largest_payload(topic))
        if not chunk:
            log.error("the broker takes packets of %d bytes only: no photo fits", limits.packet)
        self._say_state(online=True)
        self._birth_at = now + BIRTH_AGAIN_SECONDS
        self._photos.online(now, chunk)
        self._withdrawals.online()
        self._ledgers.online(now)

    def _heard(self, topic: str, payload: bytes, now: float) -> None:
        try:
            parsed = topics.parse(topic)
            if parsed.device != self._device or parsed.direction != "d":
                raise FormatError("it is not for us")
            if parsed.kind == "keyset":
                self._keep("keyset", payload)
            elif parsed.kind == "ledger":
                self._ledger_answer(messages.decode(payload), now)
            elif parsed.kind == "up":
                self._photo_answer(messages.decode(payload), now)
        except FormatError as error:
            log.info("a message on %r is passed over: %s", topic[:80], error)

    def _photo_answer(self, message: object, now: float) -> None:
        if not isinstance(message, Reply):
            raise FormatError("nothing that a gateway says about a photo")
        ours = self._photos.heard(message, now)
        if isinstance(message, Signed):
            awaited = ours or message.photo in self._withdrawals
            self._mailbox.drop("receipt", message.receipt, awaited=awaited)
        elif isinstance(message, Unknown):
            self._withdrawals.unknown(message.photo)

    def _ledger_answer(self, message: object, now: float) -> None:
        if not isinstance(message, LedgerHave):
            raise FormatError("nothing that the hospital says about a ledger")
        sync = self._ledgers.syncs.get(message.ledger)
        if sync is None:
            raise FormatError("about a ledger that is not here")
        sync.heard(message, now)
        if message.checkpoint is not None:
            self._keep("countersign", message.checkpoint)

    def _keep(self, kind: str, raw: bytes) -> None:
        """Pass on what the hospital says again and again, once."""
        if self._kept.get(kind) == raw:
            return
        if kind == "keyset":
            kept = self._mailbox.drop("keyset", raw, awaited=False)
        else:
            kept = self._mailbox.drop("countersign", raw, awaited=False)
        if kept:
            self._kept[kind] = raw


def run(config: ApplianceConfig) -> int:
    """Run the uplink of this device until it is told to stop."""
    harden_process()
    paths, broker = config.paths, config.broker
    panel = paths.panel_bell

    def ring() -> None:
        doorbell.ring(panel)

    return Uplink(
        device=config.device.id,
        settings=LinkSettings(
            host=broker.host,
            port=broker.port,
            name=config.device.id,
            tls=TlsFiles(ca=broker.ca, certificate=broker.certificate, key=broker.key),
        ),
        outbox=Outbox(_directory(paths.outbox)),
        ledgers=paths.ledger,
        mark=paths.tidemark,
        mailbox=Mailbox(_directory(paths.mailbox), ring),
        bell=doorbell.hang(paths.uplink_bell),
        boot=boot_id(paths.boot_id),
        selector=DefaultSelector(),
    ).run()


def _directory(path: Path) -> Path:
    path.mkdir(mode=0o750, parents=True, exist_ok=True)
    return path
