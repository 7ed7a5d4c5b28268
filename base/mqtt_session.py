"""The one place that touches paho-mqtt: one MQTT session on one connection that already stands.

What paho 2.x does that this module keeps away from everybody else:

- a callback that raises kills the loop while ``is_connected()`` stays true: our callbacks only
  note what happened, wrapped, and nothing of a caller's ever runs inside paho;
- ``publish()`` while offline returns an error *and* queues, and a reconnecting client sends it
  all later: here a client lives as long as its connection and is thrown away with it;
- it does not keep to the broker's Receive Maximum and Maximum Packet Size, and queues in silence
  beyond its own limit: the window and the sizes are ours (base.mqtt);
- it connects and shakes hands blocking: it is handed a finished connection (base.dial) through
  its ``_create_socket``, the one private name that is used.

Sessions are always clean: no broker is trusted to keep anything.
"""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from base import tls
from base.dial import PacketTooLarge, Pipe

log = logging.getLogger(__name__)

NO_SUBSCRIBERS = 0x10  # PUBACK: heard, and nobody is there to be told
V5, V311 = 5, 4  # the protocol levels as they stand in CONNECT
_TOO_OLD = (0x01, 0x84)  # CONNACK: protocol version not supported, in 3.1.1 and in 5
_TOO_LARGE = 0x95  # DISCONNECT: packet too large
_HANG_UP = (ConnectionResetError, BrokenPipeError)
_PACKETS_PER_TURN = 64  # then the caller's other work gets its turn


@dataclass(frozen=True)
class Will:
    """What the broker publishes for us when we vanish; built anew for every connection."""

    topic: str
    payload: bytes
    retain: bool = True


@dataclass(frozen=True)
class Limits:
    """What this broker takes: messages in flight, bytes per packet; and the protocol (5 or 4)."""

    window: int
    packet: int
    version: int


@dataclass(frozen=True)
class Message:
    """The broker delivered something we subscribed to; ``retained``: it is not fresh."""

    topic: str
    payload: bytes
    retained: bool


@dataclass(frozen=True)
class Taken:
    """The broker acknowledged the message published with this tag; not a delivery."""

    tag: object


@dataclass(frozen=True)
class NotTaken:
    """The broker answered, and the message went nowhere (denied, over a limit, no reader).

    ``code`` is the PUBACK reason code (MQTT 5, section 3.4.2.1), ``why`` its name.
    """

    tag: object
    why: str
    code: int


@dataclass(frozen=True)
class Trouble:
    """Something went wrong that ended nothing: to be logged or shown, the link goes on."""

    why: str


@dataclass(frozen=True)
class Outgoing:
    """A message on its way; ``size`` is its whole packet in bytes, at the most."""

    topic: str
    payload: bytes | bytearray
    retain: bool
    tag: object
    size: int


def overhead(topic: str) -> int:
    """Bytes of a QoS 1 PUBLISH around its payload, at the most (MQTT 5, section 3.3)."""
    return 1 + 4 + 2 + len(topic.encode()) + 2 + 1


class _Client(paho.Client):
    """A paho client on a connection that already stands."""

    pipe: Pipe

    def _create_socket(self) -> Any:
        return self.pipe


class Session:
    """From CONNECT to the end of the connection.

    ``happened`` collects events in order; ``limits`` is set once the broker has greeted us and
    answered our subscriptions; ``lost`` says in words why it is over, and then stays so.
    """

    def __init__(
        self,
        pipe: Pipe,
        *,
        host: str,
        name: str,
        version: int,
        keepalive_seconds: int,
        inbound_window: int,
        largest_inbound: int,
        largest_outbound: int,
        subscriptions: Sequence[str],
        will: Will | None,
    ) -> None:
        self.happened: deque[Message | Taken | NotTaken | Trouble] = deque()
        self.limits: Limits | None = None
        self.lost: str | None = None
        self.hung_up = False  # the broker ended it, perhaps over the size of a packet
        self.limit_stated = False  # it said how large a packet may be
        self.silent_end = False  # over before the broker said a sensible word
        self.version_refused = False
        self.retain_allowed = True
        self.in_flight: dict[int, Outgoing] = {}
        self.proven = 0  # the largest packet this broker has acknowledged
        self._pipe = pipe
        self._host = host
        self._version = version
        self._largest_outbound = largest_outbound
        self._subscriptions = tuple(subscriptions)
        self._stated: Limits | None = None
        self._client = self._greet(name, keepalive_seconds, inbound_window, largest_inbound, will)

    def _greet(
        self, name: str, keepalive: int, window: int, largest: int, will: Will | None
    ) -> _Client:
        client = _Client(
            CallbackAPIVersion.VERSION2,
            client_id=name,
            protocol=(
                MQTTProtocolVersion.MQTTv5 if self._version == V5 else MQTTProtocolVersion.MQTTv311
            ),
            reconnect_on_failure=False,
        )
        client.pipe = self._pipe
        client.max_inflight_messages_set(0)  # the window is ours; paho would queue in silence
        client.username_pw_set(name)
        client.on_connect = self._noting(self._on_connect)
        client.on_disconnect = self._noting(self._on_disconnect)
        client.on_message = self._noting(self._on_message)
        client.on_publish = self._noting(self._on_publish)
        client.on_subscribe = self._noting(self._on_subscribe)
        # Its mere presence tells paho that somebody else's loop does the writing.
        client.on_socket_register_write = _nothing
        properties = None
        if self._version == V5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.ReceiveMaximum = window
            properties.MaximumPacketSize = largest
        if will is not None:
            client.will_set(will.topic, will.payload, qos=1, retain=will.retain)
        self._guard(lambda: client.connect(self._host, keepalive=keepalive, properties=properties))
        return client

    # -- what the loop does -----------------------------------------------------------------------

    def fileno(self) -> int:
        return self._pipe.fileno()

    @property
    def wants_write(self) -> bool:
        return self._client.want_write()

    @property
    def wants_turn(self) -> bool:
        """There is something to do that no selector will report."""
        return self.lost is not None or not self._pipe.drained

    def read(self) -> None:
        """Handle what has arrived, up to a fair amount."""
        for _ in range(_PACKETS_PER_TURN):
            self._pipe.drained = False
            self._guard(self._client.loop_read)
            if self.lost is not None or self._pipe.drained or self._ended():
                break

    def write(self) -> None:
        self._guard(self._client.loop_write)
        self._ended()

    def keep_alive(self) -> None:
        """Ping when it is time, and notice that the last ping was never answered."""
        self._guard(self._client.loop_misc)
        self._ended()

    def send(self, message: Outgoing) -> None:
        """Hand one message to paho; the broker's answer is Taken or NotTaken."""
        info = self._client.publish(
            message.topic, message.payload, qos=1, retain=message.retain and self.retain_allowed
        )
        if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
            self.in_flight[info.mid] = message
        else:
            self.lost = self.lost or f"the connection to {self._host} ended"

    def goodbye(self) -> None:
        """Queue DISCONNECT: the broker then publishes no will."""
        self._pipe.said_goodbye = True
        self._guard(self._client.disconnect)

    def close(self) -> None:
        self._pipe.close()

    # -- what went wrong --------------------------------------------------------------------------

    def _guard(self, work: Callable[[], object]) -> None:
        """Run one call into paho. What it raises, on whatever a broker sent, ends the session."""
        try:
            sound = work() != MQTTErrorCode.MQTT_ERR_PROTOCOL
        except Exception as error:  # noqa: BLE001 - paho raises struct.error, IndexError and more
            log.warning("the MQTT library stumbled: %r", error)
            sound = False
        if not sound and self.lost is None:
            self.lost = f"{self._host} sent what is not MQTT"
            self.silent_end = self._stated is None

    def _ended(self) -> bool:
        if self.lost is None and self._client.socket() is None:
            self.lost = self._why_closed()
            failure = self._pipe.failure
            self.hung_up = failure is None or isinstance(failure, _HANG_UP)
            self.silent_end = self._stated is None
        return self.lost is not None

    def _why_closed(self) -> str:
        failure = self._pipe.failure
        if isinstance(failure, PacketTooLarge):
            return f"{self._host} sent {failure}, which is more than we hold"
        if failure is not None:
            return tls.words(failure, self._host)
        if self._stated is None:
            return f"{self._host} closed the connection without a greeting"
        return f"{self._host} closed the connection"

    # -- paho's callbacks: they only note ---------------------------------------------------------

    def _noting(self, callback: Callable[..., None]) -> Callable[..., None]:
        def note(_client: object, _userdata: object, *arguments: object) -> None:
            try:
                callback(*arguments)
            except Exception as error:
                log.exception("noting what the broker sent failed")
                self.happened.append(Trouble(f"noting what the broker sent failed: {error}"))

        return note

    def _on_connect(self, _flags: object, reason: ReasonCode, given: Properties) -> None:
        if self._stated is not None:
            self.lost = f"{self._host} greeted twice"
            return
        if reason.is_failure:
            self.version_refused = self._version == V5 and reason.value in _TOO_OLD
            self.lost = f"{self._host} refused us: {str(reason).lower()}"
            return
        if getattr(given, "MaximumQoS", 1) < 1:
            self.lost = f"{self._host} takes no acknowledged messages (QoS 1)"
            return
        self.retain_allowed = bool(getattr(given, "RetainAvailable", 1))
        packet = int(getattr(given, "MaximumPacketSize", self._largest_outbound))
        self.limit_stated = hasattr(given, "MaximumPacketSize")
        self._stated = Limits(
            window=int(getattr(given, "ReceiveMaximum", 65535)),
            packet=min(packet, self._largest_outbound),
            version=self._version,
        )
        if self._subscriptions:
            self._client.subscribe([(topic, 1) for topic in self._subscriptions])
        else:
            self.limits = self._stated

    def _on_subscribe(self, _mid: int, reasons: list[ReasonCode], _given: object) -> None:
        for topic, reason in zip(self._subscriptions, reasons, strict=False):
            if reason.is_failure:
                self.happened.append(
                    Trouble(f"{self._host} does not let us read {topic}; check its access list")
                )
        self.limits = self._stated

    def _on_disconnect(self, flags: Any, reason: ReasonCode, _given: object) -> None:
        if flags.is_disconnect_packet_from_server:
            self.lost = self.lost or f"{self._host} ended the connection: {str(reason).lower()}"
            self.hung_up = reason.value == _TOO_LARGE
        elif reason.getName() == "Keep alive timeout":
            self.lost = self.lost or f"{self._host} fell silent"

    def _on_message(self, message: paho.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            self.lost = self.lost or f"{self._host} sent what is not MQTT"
            return
        self.happened.append(Message(topic, bytes(message.payload), message.retain))

    def _on_publish(self, mid: int, reason: ReasonCode, _given: object) -> None:
        message = self.in_flight.pop(mid, None)
        if message is None:
            return
        self.proven = max(self.proven, message.size)
        if reason.value == 0:
            self.happened.append(Taken(message.tag))
        else:
            self.happened.append(NotTaken(message.tag, str(reason).lower(), reason.value))


def _nothing(*_: object) -> None:
    """Stand where paho looks only whether something stands."""
