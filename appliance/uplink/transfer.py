"""One photo's way to the hospital: ask, send, finish, and stay until the file is gone.

A pure state machine: no files, no network, no clock. Time enters as ``now`` (seconds of any clock
that never runs backwards), messages enter through ``heard``, and what is to be sent is pulled out
one by one with ``pull``, as fast as the caller has room.

    WAITING --init--> ASKING --ready--> SENDING --fin--> FINISHING --receipt--> RESTING
       ^                 |                 |  ^--nack--------'  |                  |
       '-----------------'-----------------'--------------------'------------------'
            no ready in 10 s; busy, refused; not taken; unknown; the link was lost

Nothing of the photo is sent before ``ready``, and only to the gateway that it names. Every message
may be lost, doubled, late or out of order: chunks carry their number, the gateway's bitmap and
``nack`` say what is missing, and an acknowledgement by the broker only makes room in the window.

A receipt is not read here. It is carried to the panel, and if the panel believes it the photo's
file disappears; that alone ends a transfer. Until then the gateway is asked again now and then.
So a forged message of any kind can delay a photo, and nothing else.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from wire import reasons
from wire.messages import (
    CHUNK,
    MIN_CHUNK,
    Busy,
    Fin,
    Init,
    Nack,
    Query,
    Ready,
    Refused,
    Signed,
    Unknown,
)
from wire.reasons import Reason

WINDOW: Final = 8
READY_SECONDS: Final = 10.0
RECEIPT_SECONDS: Final = 30.0
STALL_SECONDS: Final = 30.0  # without one acknowledgement, while chunks are on their way
REFUSED_SECONDS: Final = 60.0
LONGEST_BUSY_SECONDS: Final = 300.0  # a forged Busy must not shelve a photo for an hour
LONGEST_REST_SECONDS: Final = 900.0
LONGEST_RESTART_SECONDS: Final = 60.0
QUERIES: Final = 3  # unanswered, then init again: it may find another gateway

Reply = Ready | Nack | Busy | Refused | Unknown | Signed


class Phase(Enum):
    """Where a transfer stands; the table is in the module's docstring."""

    WAITING = auto()
    ASKING = auto()
    SENDING = auto()
    FINISHING = auto()
    RESTING = auto()


@dataclass(frozen=True)
class Piece:
    """Chunk ``i`` is to be sent: ``length`` bytes of the envelope from ``offset``."""

    i: int
    offset: int
    length: int


@dataclass(frozen=True)
class Send:
    """One message to publish: to the gateway ``to``, or to any of them."""

    what: Init | Query | Piece | Fin
    to: str | None = None


def chunk_that_fits(largest: int) -> int:
    """Return the chunk size for messages of at most ``largest`` bytes, 0 when none will do.

    A multiple of the smallest, so that what a gateway holds in one size is not lost in another.
    """
    room = largest - 128  # kind, field names, photo id, index: 62 bytes in fact
    return min(CHUNK, room // MIN_CHUNK * MIN_CHUNK) if room >= MIN_CHUNK else 0


class Transfer:
    """The transfer of one photo of ``size`` bytes, with its three ledger entries."""

    def __init__(self, photo: bytes, size: int, entries: tuple[bytes, bytes, bytes]) -> None:
        self.photo = photo
        self.phase = Phase.WAITING
        self._size = size
        self._entries = entries
        self._chunk = 0
        self._online = False
        self._to = ""
        self._window = 0
        self._missing: list[int] = []  # descending, so that pop() gives the first
        self._in_flight: set[int] = set()
        self._fin_taken = False
        self._due = 0.0  # when the phase's timer runs out; for WAITING and RESTING, when to act
        self._turned_away = False  # the last word was Busy
        self._asked = 0  # queries without an answer
        self._restarts = 0
        self._refusals = 0
        self._receipts = 0
        self.refusal: Reason | None = None  # what the last word from a gateway was, if a no
        self.marks: dict[Phase, float] = {}  # when each phase was first reached

    # -- what the caller sees ---------------------------------------------------------------------

    @property
    def sent(self) -> bool:
        """The hospital's side has been given all of it; unproven until a receipt is believed."""
        given = self.phase is Phase.FINISHING and self._fin_taken and not self._in_flight
        return given or self.phase is Phase.RESTING

    @property
    def busy(self) -> bool:
        """It is asking or sending, and so takes up one of the places on the line."""
        return self.phase in (Phase.ASKING, Phase.SENDING)

    def deadline(self) -> float | None:
        """When ``pull`` may have something to say without any message heard before."""
        return self._due if self._online and self._chunk else None

    def online(self, now: float, chunk: int) -> None:
        """Take up after a connection came; ``chunk`` is the largest its messages can carry."""
        self._online = True
        if not self._chunk or self._chunk > chunk:
            self._chunk = chunk
        if self.phase is not Phase.RESTING:
            self._restarts = 0
            self._wait(now)

    def offline(self) -> None:
        """Stop: everything on its way is forgotten; the bitmap will say what has arrived."""
        self._online = False
        self._in_flight.clear()

    # -- what the gateways say --------------------------------------------------------------------

    def heard(self, message: Reply, now: float) -> None:
        """Take in one message about this photo. None of it is believed further than this."""
        if isinstance(message, Signed):
            self._receipt(now)
        elif self.phase is Phase.WAITING:
            pass  # too late, or never asked for
        elif isinstance(message, Ready):
            if self.phase is Phase.ASKING:
                self._ready(message, now)
        elif isinstance(message, Nack):
            if self.phase is Phase.FINISHING:
                self._nack(message, now)
        elif isinstance(message, Unknown):
            if self.phase is not Phase.ASKING:
                self._restart(now)
        elif isinstance(message, Busy):
            self._wait(now + min(float(message.seconds), LONGEST_BUSY_SECONDS))
            self._turned_away = True
        else:
            self.refusal = reasons.code_of(message.reason)
            self._refusals += 1
            self._wait(now + _doubled(REFUSED_SECONDS, self._refusals, LONGEST_REST_SECONDS))

    def _ready(self, message: Ready, now: float) -> None:
        self.refusal = None
        chunks = -(-self._size // self._chunk)
        self._to = message.to
        self._window = min(WINDOW, message.credit)
        self._missing = [i for i in reversed(range(chunks)) if not _bit(message.have, i)]
        self._in_flight.clear()
        self._fin_taken = False
        self.phase = Phase.SENDING
        self.marks.setdefault(Phase.SENDING, now)
        self._due = now + STALL_SECONDS

    def _nack(self, message: Nack, now: float) -> None:
        chunks = -(-self._size // self._chunk)
        wanted = {
            i
            for pair in message.ranges
            if len(pair) == 2
            for i in range(pair[0], min(pair[1], chunks - 1) + 1)
            if i not in self._in_flight
        }
        if not wanted:
            self._restart(now)
            return
        self._missing = sorted(wanted, reverse=True)
        self.phase = Phase.SENDING
        self._due = now + STALL_SECONDS

    def _receipt(self, now: float) -> None:
        # In the middle of sending it proves nothing: if it is genuine the file will vanish.
        if self.phase in (Phase.ASKING, Phase.FINISHING, Phase.RESTING):
            self.phase = Phase.RESTING
            self.refusal = None
            self.marks.setdefault(Phase.RESTING, now)
            self._receipts += 1
            self._asked = self._restarts = self._refusals = 0
            self._due = now + _doubled(RECEIPT_SECONDS, self._receipts, LONGEST_REST_SECONDS)

    def next_please(self, now: float) -> bool:
        """Ask again now if the hospital was busy; False if this one does not wait for that."""
        if not self._turned_away:
            return False
        self._wait(now)
        return True

    # -- what the broker says ---------------------------------------------------------------------

    def taken(self, what: Init | Query | Piece | Fin, now: float) -> None:
        """Note that the broker has acknowledged this message."""
        if isinstance(what, Piece):
            self._in_flight.discard(what.i)
            if self.phase is Phase.SENDING:
                self._due = now + STALL_SECONDS
        elif isinstance(what, Fin):
            self._fin_taken = True

    def not_taken(self, what: Init | Query | Piece | Fin, now: float) -> None:
        """Note that the broker let this message go nowhere: nobody is there to hear it."""
        if isinstance(what, Init) and self.phase is Phase.ASKING:
            self._restart(now, longest=READY_SECONDS)
        elif isinstance(what, Piece) and what.i not in self._in_flight:
            pass  # of an earlier attempt
        elif isinstance(what, (Piece, Fin)) and self.phase in (Phase.SENDING, Phase.FINISHING):
            self._restart(now)

    # -- what is to be sent -----------------------------------------------------------------------

    def pull(self, now: float) -> Send | None:
        """Return the next message to publish now, None when there is none."""
        if not self._online or not self._chunk:
            return None
        if self.phase is Phase.SENDING:
            return self._pull_sending(now)
        if now < self._due:
            return None
        if self.phase in (Phase.WAITING, Phase.ASKING):
            return self._init(now)
        if self._asked >= QUERIES:
            self._asked = 0
            return self._init(now)
        self._asked += 1
        self._due = now + RECEIPT_SECONDS
        return Send(Query(self.photo))

    def _init(self, now: float) -> Send:
        self.phase = Phase.ASKING
        self.marks.setdefault(Phase.ASKING, now)
        self._due = now + READY_SECONDS
        self._in_flight.clear()
        return Send(Init(self.photo, self._size, self._chunk, *self._entries))

    def _pull_sending(self, now: float) -> Send | None:
        if self._missing:
            if len(self._in_flight) < self._window:
                i = self._missing.pop()
                self._in_flight.add(i)
                offset = i * self._chunk
                return Send(Piece(i, offset, min(self._chunk, self._size - offset)), self._to)
            if now >= self._due:
                self._restart(now)
            return None
        # Not waiting for the last acknowledgements saves a round trip; nack mends what is lost.
        self.phase = Phase.FINISHING
        self.marks.setdefault(Phase.FINISHING, now)
        self._fin_taken = False
        self._asked = 0
        self._due = now + RECEIPT_SECONDS
        return Send(Fin(self.photo), self._to)

    # -- beginning again --------------------------------------------------------------------------

    def _wait(self, until: float) -> None:
        self.phase = Phase.WAITING
        self._turned_away = False
        self._due = until
        self._in_flight.clear()
        self._missing = []

    def _restart(self, now: float, longest: float = LONGEST_RESTART_SECONDS) -> None:
        """Ask again with ``init``, each time later: a confused gateway must not be hammered."""
        self._restarts += 1
        self._wait(now + _doubled(1.0, self._restarts, longest))


def _bit(bitmap: bytes, i: int) -> bool:
    return i // 8 < len(bitmap) and bool(bitmap[i // 8] >> i % 8 & 1)


def _doubled(seconds: float, times: int, longest: float) -> float:
    return min(longest, seconds * 2.0 ** (min(times, 32) - 1))
