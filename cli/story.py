"""What became of each photo, told from a device's ledger alone."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from wire import events
from wire.ledger import Report, SignedEntry, read_frames, verify_chain
from wire.signing import PublicKey

FINAL: Final = frozenset({"FILED", "HELD", "REJECTED", "UNDONE", "LOST"})
ENDED: Final = frozenset({"UNDONE", "LOST"})
_NS_PER_MS: Final = 1_000_000


@dataclass(frozen=True)
class PhotoStory:
    """One photo. Times are CLOCK_BOOTTIME nanoseconds of the entries; ``status`` is in capitals."""

    intent: SignedEntry
    status: str = "TAKEN"
    id: bytes | None = None
    envelope_bytes: int | None = None
    undo: bool = False
    wiped: bool = False
    sealed_ns: int | None = None
    receipt_ns: int | None = None

    @property
    def intent_ns(self) -> int:
        return self.intent.entry.mono_ns

    @property
    def settled(self) -> bool:
        """Whether nothing more is to be expected: an UNDO waits for the hospital's word."""
        return self.status in (ENDED if self.undo else FINAL)

    def after_ms(self, pressed_ns: int, at_ns: int | None) -> float | None:
        """Milliseconds from a press to a later moment."""
        return None if at_ns is None else round((at_ns - pressed_ns) / _NS_PER_MS, 1)


def current(ledger: Path) -> Path | None:
    """Return the ledger file in use in a device's ledger folder."""
    try:
        return ledger / f"{(ledger / 'current').read_text().strip()}.wsl"
    except FileNotFoundError:
        return None


def read(file: Path, key: PublicKey) -> Report:
    """Verify a ledger file; a torn tail is left out (it may be in the middle of an append)."""
    raws, _ = read_frames(file.read_bytes())
    return verify_chain(raws, [key])


def tell(entries: tuple[SignedEntry, ...]) -> list[PhotoStory]:
    """Return the photos on these entries, in the order they were taken."""
    stories: dict[bytes, PhotoStory] = {}
    by_id: dict[bytes, bytes] = {}
    for signed in entries:
        body, at = events.body_of(signed.entry), signed.entry.mono_ns
        match body:
            case events.Intent():
                stories[signed.digest] = PhotoStory(signed)
            case events.Sealed(intent=digest, photo=photo, size=size) if digest in stories:
                by_id[photo] = digest
                stories[digest] = replace(
                    stories[digest], status="SEALED", id=photo, envelope_bytes=size, sealed_ns=at
                )
            case events.ReceiptSeen(photo=photo, status=status) if photo in by_id:
                story = stories[by_id[photo]]
                stories[by_id[photo]] = replace(
                    story, status=status, receipt_ns=story.receipt_ns or at
                )
            case events.Undo(intent=digest) if digest in stories:
                stories[digest] = replace(stories[digest], undo=True)
            case events.Lost(intent=digest) if digest in stories:
                stories[digest] = replace(stories[digest], status="LOST")
            case events.Wiped(intent=digest, why=why) if digest in stories:
                status = "UNDONE" if why == "undo" else stories[digest].status
                stories[digest] = replace(stories[digest], status=status, wiped=True)
            case _:
                pass
    return list(stories.values())
