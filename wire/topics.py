"""MQTT topic names, built and parsed here only.

``ws/v1/<device>/u/...`` is written by the device, ``ws/v1/<device>/d/...`` by the hospital.
A broker needs two pattern lines for that (docs/spec/topics.md). Levels never hold ``.`` (RabbitMQ
reads it as a separator), so device and gateway names are ``[a-z0-9-]{1,32}``.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Final

from base.errors import FormatError
from wire.shapes import Matches

_PATTERN: Final = "[a-z0-9-]{1,32}"
DeviceId = Annotated[str, Matches(_PATTERN)]
"""A device's name: also its MQTT user name, client id and certificate CN."""

GatewayName = Annotated[str, Matches(f"(?!any$){_PATTERN}")]
"""The name of one gateway process; ``any`` is where all of them listen."""

ROOT: Final = "ws/v1"
MANIFEST: Final = f"{ROOT}/_all/d/manifest"
_UP: Final = ("state", "vitals", "twin", "ledger", "csr", "up", "cmd")
_DOWN: Final = ("twin", "ledger", "cert", "keyset", "up", "cmd")


def check_name(name: str, what: str = "device id") -> str:
    """Return ``name`` if it may stand in a topic, a file name and a certificate's CN."""
    if not re.fullmatch(_PATTERN, name):
        raise FormatError(f"{what} {name[:40]!r}: use 1 to 32 of a-z, 0-9 and -")
    return name


def up(device: str, kind: str) -> str:
    """Return the topic that the device writes: ``kind`` is state, ledger, ... or ``up/any``."""
    return f"{ROOT}/{check_name(device)}/u/{_check_kind(kind, _UP)}"


def down(device: str, kind: str) -> str:
    """Return the topic that the hospital writes for one device."""
    return f"{ROOT}/{check_name(device)}/d/{_check_kind(kind, _DOWN)}"


def all_up(kind: str) -> str:
    """Return the hospital's subscription to one kind of message from every device."""
    return f"{ROOT}/+/u/{_check_kind(kind, _UP)}"


def all_down(device: str) -> str:
    """Return a device's subscription to everything meant for it."""
    return f"{ROOT}/{check_name(device)}/d/#"


@dataclass(frozen=True)
class Topic:
    """A parsed topic: who, in which direction (``u`` or ``d``), and what (``up/any`` whole)."""

    device: str
    direction: str
    kind: str


def parse(topic: str) -> Topic:
    """Parse a topic of ours; anything else is a FormatError."""
    parts = topic.split("/", 4)
    if len(parts) != 5 or "/".join(parts[:2]) != ROOT or parts[3] not in ("u", "d"):
        raise FormatError(f"{topic[:80]!r} is not a topic of this system")
    if "+" in topic:
        raise FormatError(f"{topic[:80]!r} is a subscription, not a topic")
    allowed = _UP if parts[3] == "u" else _DOWN
    return Topic(check_name(parts[2]), parts[3], _check_kind(parts[4], allowed))


def _check_kind(kind: str, allowed: tuple[str, ...]) -> str:
    first, slash, rest = kind.partition("/")
    nested = first == "cmd" or (first == "up" and allowed is _UP)
    if first not in allowed or bool(slash) != nested:
        raise FormatError(f"{kind[:40]!r} is not a kind of message")
    if nested and rest != "+":
        check_name(rest, "last level of the topic")
    return kind
