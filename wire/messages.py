"""Every message between a device and the hospital, declared once.

A transfer message is a CBOR array ``[kind, {fields}]``; the kinds are below, with who sends
them. What must be believed (receipts, countersignatures, keysets, ledger entries) is signed by
itself and travels inside as bytes. The rest only moves bytes, and a lie in it can delay, but
do nothing else.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final

from base.errors import FormatError
from wire import cbor, shapes, signing
from wire.envelope import MAX_ENVELOPE
from wire.errors import BrokenLink
from wire.shapes import Count, Hash, Id16, Matches, Millis, Range, ShortText, SignedBytes, Size
from wire.topics import DeviceId, GatewayName

MIN_CHUNK: Final = 16 * 1024
MAX_CHUNK: Final = 1024 * 1024
CHUNK: Final = 96 * 1024
MAX_CHUNKS: Final = -(-MAX_ENVELOPE // MIN_CHUNK)
MAX_MESSAGE: Final = MAX_CHUNK + 1024
MAX_BATCH: Final = 64
TYP_RECEIPT: Final = "wardseal-receipt"

Index = Annotated[int, Range(0, MAX_CHUNKS - 1)]
Pair = Annotated[tuple[Index, ...], Size(2, 2)]


@dataclass(frozen=True)
class Init:
    """Device -> any gateway: I have this photo; its three ledger entries prove it."""

    photo: Hash
    size: Annotated[int, Range(1, MAX_ENVELOPE)]
    chunk: Annotated[int, Range(MIN_CHUNK, MAX_CHUNK)]
    consent: SignedBytes
    intent: SignedBytes
    sealed: SignedBytes

    @property
    def chunks(self) -> int:
        """How many chunks of ``chunk`` bytes (the last may be shorter) make up the photo."""
        return -(-self.size // self.chunk)


@dataclass(frozen=True)
class Query:
    """Device -> any gateway: what became of this photo? Answered by a receipt or Unknown."""

    photo: Hash


@dataclass(frozen=True)
class Data:
    """Device -> the gateway that took the transfer: chunk ``i``."""

    photo: Hash
    i: Index
    bytes: Annotated[bytes, Size(1, MAX_CHUNK)]


@dataclass(frozen=True)
class Fin:
    """Device -> that gateway: all chunks are sent."""

    photo: Hash


@dataclass(frozen=True)
class Ready:
    """Gateway -> device: send to ``to``; ``have`` is a bitmap (bit i of byte i//8, LSB first)."""

    photo: Hash
    to: GatewayName
    have: Annotated[bytes, Size(0, -(-MAX_CHUNKS // 8))]
    credit: Annotated[int, Range(1, 256)]


@dataclass(frozen=True)
class Nack:
    """Gateway -> device: these chunks are missing, as [first, last] pairs; or start over."""

    photo: Hash
    ranges: Annotated[tuple[Pair, ...], Size(1, 256)]


@dataclass(frozen=True)
class Busy:
    """Gateway -> device: try ``init`` again after so many seconds."""

    photo: Hash
    seconds: Annotated[int, Range(1, 3600)]


@dataclass(frozen=True)
class Refused:
    """Gateway -> device: nothing was taken, for this reason. Not custody: nothing is wiped."""

    photo: Hash
    reason: ShortText


@dataclass(frozen=True)
class Unknown:
    """Gateway -> device: I know nothing of this photo; start with ``init``."""

    photo: Hash


@dataclass(frozen=True)
class Signed:
    """Gateway -> device: a signed receipt, to be carried to the panel unopened."""

    photo: Hash
    receipt: SignedBytes


@dataclass(frozen=True)
class LedgerBatch:
    """Device -> hospital (``u/ledger``): consecutive entries, the first numbered ``first``."""

    ledger: Id16
    first: Count
    entries: Annotated[tuple[Annotated[bytes, Size(1, 4096)], ...], Size(0, MAX_BATCH)]


@dataclass(frozen=True)
class LedgerHave:
    """Hospital -> device (``d/ledger``): I have ``next`` entries; the countersigned head if any."""

    ledger: Id16
    next: Count
    checkpoint: SignedBytes | None = None


@dataclass(frozen=True)
class State:
    """Device -> hospital (``u/state``, retained, and as the will): online or not.

    ``session`` rises with every connection within a boot, so a will that comes late can be
    told from the newer birth.
    """

    online: bool
    boot: Id16
    session: Count


KINDS: Final[dict[str, type]] = {
    "init": Init,
    "query": Query,
    "data": Data,
    "fin": Fin,
    "ready": Ready,
    "nack": Nack,
    "busy": Busy,
    "refused": Refused,
    "unknown": Unknown,
    "receipt": Signed,
    "batch": LedgerBatch,
    "have": LedgerHave,
    "state": State,
}
_NAMES: Final = {shape: name for name, shape in KINDS.items()}


def encode(message: Any) -> bytes:
    """Return one message as it goes over MQTT."""
    return cbor.encode([_NAMES[type(message)], shapes.to_map(message)])


def decode(data: cbor.Buffer) -> Any:
    """Return the dataclass that ``data`` holds; anything else is a FormatError."""
    match cbor.decode(data, limit=MAX_MESSAGE, what="message"):
        case [str(kind), dict(body)] if kind in KINDS:
            return shapes.from_map(KINDS[kind], body, f"message {kind}")
    raise FormatError("message is of no kind that is known")


class Status(StrEnum):
    """What the hospital says of a photo. All but REJECTED pass custody: the device wipes."""

    FILED = "FILED"
    HELD = "HELD"
    REJECTED = "REJECTED"
    UNDONE = "UNDONE"


CUSTODY: Final = frozenset({Status.FILED, Status.HELD, Status.UNDONE})


@dataclass(frozen=True)
class Receipt:
    """The hospital's word on exactly one photo; a higher ``number`` replaces a lower one."""

    device: DeviceId
    photo: Hash
    status: Status
    number: Annotated[int, Range(1, 2**31)]
    time_ms: Millis
    reason: ShortText
    refs: Annotated[tuple[Annotated[str, Matches(r"[ -~]{1,200}")], ...], Size(0, 16)]


def sign_receipt(receipt: Receipt, signer: signing.Signer) -> bytes:
    """Sign a receipt with a receipt key of the keyset."""
    return signing.sign(shapes.to_map(receipt), typ=TYP_RECEIPT, signer=signer)


def open_receipt(
    raw: cbor.Buffer, keys: tuple[signing.PublicKey, ...], *, device: str | None = None
) -> Receipt:
    """Verify a receipt, and that it is for ``device`` when one is named.

    Whether it is for a photo that the device has, and newer than the last, is the caller's to
    check.
    """
    verified = signing.verify(raw, typ=TYP_RECEIPT, keys=keys, limit=8192)
    receipt = shapes.from_map(Receipt, verified.payload, "receipt")
    if device not in (None, receipt.device):
        raise BrokenLink("the receipt is for another device")
    return receipt
