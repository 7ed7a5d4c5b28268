"""What the uplink leaves for the panel: whole files, never many, never large.

The panel believes nothing in here that is not signed, so nothing is checked on the way in. What
is watched is the amount: whoever can reach this process through the broker must not be able to
fill the device's memory, nor to keep the receipts that the panel waits for from getting in. So
there is a cap on files and bytes, and what nobody asked for may use only half of it.
"""

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, Literal

from base.durable import write_atomic
from wire import cbor
from wire.reasons import Reason

log = logging.getLogger(__name__)

MOST_FILES: Final = 256
MOST_BYTES: Final = 1024 * 1024
LARGEST: Final = 64 * 1024
MOST_SENT: Final = 512
_MODE: Final = 0o640  # the panel reads it as a member of the group

Kind = Literal["receipt", "countersign", "keyset"]


class Mailbox:
    """The uplink's side of ``mailbox/``; ``ring`` wakes the panel after every change."""

    def __init__(self, directory: Path, ring: Callable[[], None]) -> None:
        self._directory = directory
        self._ring = ring
        self._counter: int | None = None
        self._link: bytes | None = None
        self._refusing = False

    def drop(self, kind: Kind, raw: bytes, *, awaited: bool) -> bool:
        """Leave one message as ``<kind>.<8 digits>.msg``; False when there is no room for it.

        ``awaited``: the panel waits for it. Everything that matters is sent again when asked
        for, so a message without room is lost without harm.
        """
        if len(raw) > LARGEST:
            return False
        share = 1 if awaited else 2
        try:
            files, size = self._load()
            full = files >= MOST_FILES // share or size + len(raw) > MOST_BYTES // share
            if full:
                if not self._refusing:
                    log.warning("the mailbox is full; what comes is refused until it is emptied")
                self._refusing = True
                return False
            self._refusing = False
            name = f"{kind}.{self._next():08d}.msg"
            write_atomic(self._directory / name, raw, mode=_MODE, durable=False)
        except OSError as error:
            log.warning("nothing can be left in the mailbox: %s", error.strerror)
            return False
        self._ring()
        return True

    def tell(self, *, online: bool, sent: Iterable[bytes], refused: Reason | None = None) -> None:
        """Say how the link stands, which photos have been sent whole, and why some are refused."""
        said: dict[str, object] = {"online": online, "sent": sorted(sent)[:MOST_SENT]}
        if refused is not None:
            said["refused"] = str(refused)
        raw = cbor.encode(said)
        if raw == self._link:
            return
        try:
            write_atomic(self._directory / "link", raw, mode=_MODE, durable=False)
        except OSError as error:
            log.warning("nothing can be left in the mailbox: %s", error.strerror)
            return
        self._link = raw
        self._ring()

    def _load(self) -> tuple[int, int]:
        sizes = [path.stat().st_size for path in self._directory.glob("*.msg")]
        return len(sizes), sum(sizes)

    def _next(self) -> int:
        """Count on from what an earlier life of ours has left; the panel goes by the order."""
        if self._counter is None:
            numbers = (path.suffixes[-2:-1] for path in self._directory.glob("*.msg"))
            found = [int(n[0][1:]) for n in numbers if n and n[0][1:].isdecimal()]
            self._counter = max(found, default=0)
        self._counter += 1
        return self._counter
