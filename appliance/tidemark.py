"""How far the ledger is known to be on disk: the panel's word to the uplink, in RAM.

An entry can be read in its file before the disk has it. Carried to the hospital then, and the
power cut, it would be an entry that the hospital has signed for and the device has never heard
of: the next one would get the same number, and the ledger would fork. So the panel writes down
after each fdatasync which ledger it is writing and how many bytes of it will survive, and the
uplink carries nothing beyond that. Every other ledger is finished, and was flushed before the
next one was begun.

The mark is in a tmpfs: after a power cut there is none, and nothing is carried until the panel
has read and mended the ledger.
"""

from dataclasses import dataclass
from pathlib import Path

from base.durable import write_atomic
from base.errors import FormatError
from wire import shapes
from wire.shapes import Count, Id16

_LONGEST = 256


@dataclass(frozen=True)
class Tidemark:
    """The ledger that is being written, and how many bytes of its file are durable."""

    ledger: Id16
    length: Count


def write(path: Path, mark: Tidemark) -> None:
    """Publish ``mark``; OSError when there is no room for it."""
    raw = shapes.pack(mark)
    write_atomic(path, raw, mode=0o640, durable=False)


def read(path: Path) -> Tidemark | None:
    """Return the mark, None when the panel has left none (yet) that makes sense."""
    try:
        with path.open("rb") as file:
            raw = file.read(_LONGEST + 1)
        return shapes.unpack(Tidemark, raw, limit=_LONGEST, what="tide mark")
    except (OSError, FormatError):
        return None
