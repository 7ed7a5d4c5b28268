"""What a device's ledger says, read from its files as an auditor would read them.

Nothing here asks a process: the files and the device's public key are enough.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from base.keyfiles import read_public
from wire import events, pem
from wire.ledger import Problem, SignedEntry, read_frames, verify_chain
from wire.signing import PublicKey

T = TypeVar("T")


@dataclass
class Fate:
    """What the ledger says of one INTENT, in its order."""

    intent: SignedEntry
    photo: bytes | None = None
    sealed: SignedEntry | None = None
    undone: bool = False
    receipts: list[events.ReceiptSeen] = field(default_factory=list)
    ends: list[events.Wiped | events.Lost] = field(default_factory=list)

    @property
    def outcome(self) -> str:
        """FILED, HELD, UNDONE, REJECTED or LOST; "" while the photo is on its way."""
        if self.receipts:
            return self.receipts[-1].status
        if not self.ends:
            return ""
        return "LOST" if isinstance(self.ends[-1], events.Lost) else "UNDONE"

    @property
    def settled(self) -> bool:
        """Whether the envelope is gone and, where an UNDO was sent, it was acknowledged."""
        if not self.ends:
            return False
        waits = self.undone and self.receipts and self.receipts[-1].status != "UNDONE"
        return not waits


@dataclass(frozen=True)
class Book:
    """All ledgers of a device, the oldest first, and what is wrong with them."""

    chains: tuple[tuple[SignedEntry, ...], ...]
    problems: tuple[Problem, ...]
    torn: int

    @property
    def entries(self) -> list[SignedEntry]:
        return [signed for chain in self.chains for signed in chain]

    @property
    def types(self) -> list[str]:
        return [str(signed.entry.type) for signed in self.entries]

    def bodies(self, kind: type[T]) -> list[T]:
        """Every body of one kind."""
        found = (events.body_of(signed.entry) for signed in self.entries)
        return [body for body in found if isinstance(body, kind)]

    def fates(self) -> list[Fate]:
        """What became of each INTENT, in the order they were pressed."""
        fates: dict[bytes, Fate] = {}
        by_photo: dict[bytes, Fate] = {}
        for signed in self.entries:
            match body := events.body_of(signed.entry):
                case events.Intent():
                    fates[signed.digest] = Fate(signed)
                case events.Sealed():
                    fate = by_photo[body.photo] = fates[body.intent]
                    fate.photo, fate.sealed = body.photo, signed
                case events.Undo():
                    fates[body.intent].undone = True
                case events.ReceiptSeen():
                    by_photo[body.photo].receipts.append(body)
                case events.Wiped() | events.Lost():
                    fates[body.intent].ends.append(body)
                case _:
                    pass
        return list(fates.values())


def device_key(file: Path) -> PublicKey:
    """The public key that the device's entries are verified with."""
    return pem.public_key(read_public(file, "device key"))


def read_book(folder: Path, key: PublicKey) -> Book:
    """Read every ledger file of a device; a torn tail is counted, not judged."""
    chains: list[tuple[SignedEntry, ...]] = []
    problems: list[Problem] = []
    torn = 0
    for path in folder.glob("*.wsl"):
        data = path.read_bytes()
        raws, good = read_frames(data)
        report = verify_chain(raws, [key])
        chains.append(report.entries)
        problems += report.problems
        torn += len(data) - good
    chains.sort(key=lambda chain: chain[0].entry.wall_ms if chain else 0)
    return Book(tuple(chains), tuple(problems), torn)
