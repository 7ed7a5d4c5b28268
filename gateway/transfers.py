"""Which photos this gateway has taken on right now, and how many more it may.

A photo is *asking* while its ``init`` is looked into, *coming* while its chunks arrive, and *in
hand* once it is whole and until its receipt is signed. Room is reserved from the first moment,
so whatever is sent, memory and disk stay within the limits of the configuration. All of it
belongs to the loop's thread.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto

from gateway.config import MIB, LimitSettings
from gateway.incoming import Incoming
from wire.proof import Proof


class Phase(Enum):
    """How far a photo has come; see the module."""

    ASKING = auto()
    COMING = auto()
    IN_HAND = auto()


@dataclass
class Transfer:
    """One photo; ``incoming`` and ``proof`` are there while it is coming."""

    device: str
    photo: bytes
    size: int
    phase: Phase
    heard: float
    incoming: Incoming | None = field(default=None)
    proof: Proof | None = field(default=None)


class Transfers:
    """All photos taken on; ``clock`` is monotonic, in seconds."""

    def __init__(self, limits: LimitSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._all: dict[bytes, Transfer] = {}

    def __contains__(self, photo: bytes) -> bool:
        return photo in self._all

    def get(self, device: str, photo: bytes) -> Transfer | None:
        """Return this device's transfer of this photo; another device's is none of its business."""
        found = self._all.get(photo)
        return found if found is not None and found.device == device else None

    def touch(self, device: str, photo: bytes) -> Transfer | None:
        """Like ``get``, and note a sign of life."""
        found = self.get(device, photo)
        if found is not None:
            found.heard = self._clock()
        return found

    def reserve(self, device: str, photo: bytes, size: int) -> bool:
        """Keep room for one more photo; False when the limits are reached."""
        limits, taken = self._limits, self._all.values()
        fits = (
            len(self._all) < limits.transfers
            and sum(one.device == device for one in taken) < limits.transfers_per_device
            and sum(one.size for one in taken) + size <= limits.incoming_mib * MIB
        )
        if fits:
            self._all[photo] = Transfer(device, photo, size, Phase.ASKING, self._clock())
        return fits

    def admit(self, photo: bytes, incoming: Incoming, proof: Proof) -> None:
        """The photo's chunks may come."""
        transfer = self._all[photo]
        transfer.phase, transfer.incoming, transfer.proof = Phase.COMING, incoming, proof
        transfer.heard = self._clock()

    def hand_over(self, photo: bytes) -> None:
        """The photo is whole: no more chunks, and its file is somebody else's."""
        transfer = self._all[photo]
        if transfer.incoming is not None:
            transfer.incoming.close()
        transfer.phase, transfer.incoming = Phase.IN_HAND, None

    def release(self, photo: bytes) -> None:
        """Forget the photo; its file, if there is one, stays."""
        transfer = self._all.pop(photo, None)
        if transfer is not None and transfer.incoming is not None:
            transfer.incoming.close()

    def silent(self) -> list[Transfer]:
        """Return those whose chunks have stopped coming for too long."""
        limit = self._clock() - self._limits.idle_seconds
        return [
            one for one in self._all.values() if one.phase is Phase.COMING and one.heard < limit
        ]

    def alive(self) -> list[str]:
        """Return the photos (hex) that this gateway goes on claiming."""
        return [one.photo.hex() for one in self._all.values() if one.phase is not Phase.ASKING]

    def close(self) -> None:
        """Let go of every file."""
        for photo in list(self._all):
            self.release(photo)
