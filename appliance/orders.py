"""Orders between panel and darkroom: one SEQPACKET packet each, declared once, both ends import.

The panel connects; the connection is the darkroom's life (its file descriptor 0). The talk
has one shape:

    darkroom  Idle                            imports done, camera closed, waiting
    darkroom  Health                          what the camera lacks, whenever that changes
    panel     Open                            a consent entry and the keyset to seal to
    darkroom  Ready, then View, View, ...     the camera is on
    darkroom  BandRead, BadgeRead             what was seen in it, without a code
    panel     Capture                         an intent entry and the envelope's header
    darkroom  Verdict and Sealed, or Refused, or Fault
    panel     (end of file)                   the darkroom wipes, closes the camera and ends

A packet is the CBOR array [kind, fields]; `n` is always the ledger sequence number of the
INTENT entry, which also names ``sealing/<n>.cose``. Nothing in an order is plaintext, with
one exception: View is a one-bit picture. So a View is never a ``bytes``: it is sent from the
darkroom's wiped buffer in one scatter write and received in a buffer that ``Line`` wipes.
"""

import contextlib
import os
import socket
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Annotated, Final, Self, get_args

from base.errors import FormatError
from base.memory import Buffer
from wire import cbor
from wire.shapes import Count, Hash, Range, ShortText, Size, from_map, to_map

MAX_ORDER: Final = 64 * 1024
"""Bytes of the largest packet, either way; well under the kernel's default socket buffer."""

VIEW_WIDTH: Final = 128
VIEW_HEIGHT: Final = 64
VIEW_BYTES: Final = VIEW_WIDTH * VIEW_HEIGHT // 8
PICTURE_WIDTH: Final = 56
PICTURE_HEIGHT: Final = 40
"""The picture has the upper left corner; the panel writes its words around it."""

Signed = Annotated[bytes, Size(1, 8192)]
Pid = Annotated[int, Range(1, 2**31)]


class FaultCode(StrEnum):
    """What stopped the camera; the words a nurse reads are the panel's."""

    NO_CAMERA = "no_camera"
    NO_FRAMES = "no_frames"
    NO_MEMORY = "no_memory"
    STOP_BLOCKED = "stop_blocked"
    TUNING_MISSING = "tuning_missing"
    NOT_PERMITTED = "not_permitted"


@dataclass(frozen=True)
class Open:
    """Panel: open the camera. ``consent``: a signed CONSENT entry; ``keyset``: a signed keyset."""

    KIND = "open"
    consent: Signed
    keyset: Annotated[bytes, Size(1, 48 * 1024)]


@dataclass(frozen=True)
class Capture:
    """Panel: take the next frame. ``intent``: a signed INTENT entry.

    ``header``: the fields of ``wire.envelope.Header`` by name, all but ``length``, which only
    the darkroom can know. ``consent``: the signed CONSENT entry that the intent refers to, when
    it is a later one of the same window (+TEACHING) than the camera was opened with.
    """

    KIND = "capture"
    intent: Signed
    header: Annotated[dict[str, object], Size(1, 32)]
    consent: Signed | None = None


@dataclass(frozen=True)
class Idle:
    """Darkroom: imports done, memory settings checked, camera closed.

    ``missing``, ``why``: what the camera's self-test says it lacks; None: nothing.
    """

    KIND = "idle"
    pid: Pid
    missing: FaultCode | None = None
    why: ShortText | None = None


@dataclass(frozen=True)
class Health:
    """Darkroom, while idle: the self-test comes to another result now; fields as in ``Idle``."""

    KIND = "health"
    missing: FaultCode | None = None
    why: ShortText | None = None


@dataclass(frozen=True)
class Ready:
    """Darkroom: the camera delivers frames, ``open_ms`` milliseconds after the order."""

    KIND = "ready"
    open_ms: Count


@dataclass(frozen=True)
class View:
    """Darkroom: the viewfinder, 128 x 64, one bit a pixel, row by row, most significant bit first.

    As received, ``bits`` is a view into the line's own buffer: use it before the next
    ``receive``, which wipes it.
    """

    KIND = "view"
    bits: memoryview


class Bands(StrEnum):
    """What a darkroom says of the wristbands it has read in its window; never their codes."""

    ONE = "one"
    """One: it names the patient."""
    SEVERAL = "several"
    """Several, side by side: nobody can tell whose photo this is."""
    OTHER = "other"
    """A different one than before, and not beside it: the window has to close."""


@dataclass(frozen=True)
class BandRead:
    """Darkroom: a wristband was read that it had not read before."""

    KIND = "band"
    bands: Bands


@dataclass(frozen=True)
class BadgeRead:
    """Darkroom: a badge was read. ``commitment`` as in ``wire.attestation``; never its code."""

    KIND = "badge"
    commitment: Hash


@dataclass(frozen=True)
class Verdict:
    """Darkroom: what is wrong with photo ``n`` (``dark``, ``bright``, ``blurred``,
    ``moved``); none: kept.

    ``measured``: the figures behind it, integers, as in the photo's private header.
    """

    KIND = "verdict"
    n: Count
    poor: Annotated[tuple[ShortText, ...], Size(0, 8)]
    measured: Annotated[dict[str, int], Size(0, 16)]


@dataclass(frozen=True)
class Sealed:
    """Darkroom: photo ``n`` lies sealed in ``sealing/<name>``, ``size`` bytes; plaintext zeroed.

    ``stages_us``: microseconds spent in each stage, for the bench.
    """

    KIND = "sealed"
    n: Count
    name: ShortText
    size: Count
    stages_us: Annotated[dict[str, int], Size(0, 16)]


@dataclass(frozen=True)
class Refused:
    """Darkroom: the order was not carried out; ``n`` is None when it was an Open."""

    KIND = "refused"
    why: ShortText
    n: Count | None = None


@dataclass(frozen=True)
class Fault:
    """Darkroom: the camera failed and this darkroom ends; ``n``: the photo that is lost, if any."""

    KIND = "fault"
    code: FaultCode
    why: ShortText
    n: Count | None = field(default=None)


Order = Open | Capture
Report = Idle | Health | Ready | View | BandRead | BadgeRead | Verdict | Sealed | Refused | Fault

Message = (
    Open
    | Capture
    | Idle
    | Health
    | Ready
    | BandRead
    | BadgeRead
    | Verdict
    | Sealed
    | Refused
    | Fault
)
"""All but View, which never is a ``bytes``."""

SHAPES: Final[dict[str, type[Message]]] = {shape.KIND: shape for shape in get_args(Message)}

VIEW_PREFIX: Final = (
    cbor.head(cbor.ARRAY, 2)
    + cbor.encode(View.KIND)
    + cbor.head(cbor.MAP, 1)
    + cbor.encode("bits")
    + cbor.head(cbor.BYTES, VIEW_BYTES)
)


def encode(message: Message) -> bytes:
    """Return the packet for ``message`` (a View goes through ``Line.offer_view`` only)."""
    packet = cbor.encode([message.KIND, to_map(message)])
    if len(packet) > MAX_ORDER:
        raise FormatError(f"the order {message.KIND!r} is {len(packet)} bytes, over {MAX_ORDER}")
    return packet


def decode(packet: cbor.Buffer) -> Order | Report:
    """Return the message in ``packet``; a View's bits are a view into it. Raises FormatError."""
    view = memoryview(packet)
    if len(view) == len(VIEW_PREFIX) + VIEW_BYTES and view[: len(VIEW_PREFIX)] == VIEW_PREFIX:
        return View(view[len(VIEW_PREFIX) :])
    value = cbor.decode(view, limit=MAX_ORDER, what="an order between panel and darkroom")
    match value:
        case [str() as kind, dict() as fields]:
            shape = SHAPES.get(kind)
            if shape is not None:
                return from_map(shape, fields, f"the order {kind!r}")
    raise FormatError("an order between panel and darkroom is of no known kind")


class Line:
    """One end of the connection. Not for use by two threads at once, sending apart.

    Takes over ``connection``. Errors: FormatError for a packet that is no order, OSError when
    the other end is gone while sending (``BrokenPipeError``) or a deadline passes
    (``TimeoutError``; deadlines are set with ``settimeout``).
    """

    def __init__(self, connection: socket.socket) -> None:
        if connection.type != socket.SOCK_SEQPACKET:
            raise FormatError("panel and darkroom talk over a SOCK_SEQPACKET socket")
        self._connection = connection
        # One byte more than allowed, so that a longer packet shows.
        self._buffer = Buffer(MAX_ORDER + 1)

    @classmethod
    def connect(cls, path: os.PathLike[str], *, timeout: float) -> Self:
        """Connect to a listening darkroom socket; ``timeout`` in seconds, then kept for sends."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        connection.settimeout(timeout)
        try:
            connection.connect(os.fspath(path))
        except OSError:
            connection.close()
            raise
        return cls(connection)

    def fileno(self) -> int:
        """The descriptor, for a selector."""
        return self._connection.fileno()

    def settimeout(self, seconds: float | None) -> None:
        """Limit the following ``send`` and ``receive`` calls; None waits for ever."""
        self._connection.settimeout(seconds)

    def send(self, message: Message, *, wait: bool = True) -> None:
        """Send one message whole; without ``wait``, BlockingIOError when there is no room."""
        self._connection.send(encode(message), 0 if wait else socket.MSG_DONTWAIT)

    def offer_view(self, bits: memoryview) -> bool:
        """Send 1024 bytes of viewfinder if there is room; False when the other end is behind.

        A late viewfinder frame is worth nothing, so it never waits and never queues up in
        front of a verdict.
        """
        try:
            self._connection.sendmsg([VIEW_PREFIX, bits], [], socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        return True

    def receive(self) -> Order | Report | None:
        """Return the next message, or None at the end of file. Wipes the message before."""
        self._buffer.wipe()
        size, _, flags, _ = self._connection.recvmsg_into([self._buffer.view])
        if size == 0:
            return None
        if size > MAX_ORDER or flags & socket.MSG_TRUNC:
            raise FormatError(f"an order between panel and darkroom is over {MAX_ORDER} bytes")
        return decode(self._buffer.view[:size])

    def hang_up(self) -> None:
        """Send end of file and go on listening: the other end's own end shows here as None."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_WR)

    def leave(self) -> None:
        """Wipe the buffer and leave the connection to the kernel, which ends it with the process.

        The other end's end of file then says that nothing of this process is left in memory.
        """
        self._buffer.close()
        self._connection.detach()

    def close(self) -> None:
        """Wipe the buffer and end the connection; for the darkroom that means: end your life."""
        self._buffer.close()
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
