"""What the hospital has: the record folder, the sealed copies, the gateway's database.

The database is opened beside the running gateway, for reading only.
"""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from base.keyfiles import read_secret
from cli.virtual_site import VirtualSite
from wire import envelope
from wire.hpke import RecipientPrivate
from wire.proof import parse_bundle

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Filed:
    """One photo in the record."""

    jpeg: Path
    page: dict[str, Any]


class Hospital:
    """The hospital's side of one virtual site."""

    def __init__(self, site: VirtualSite) -> None:
        self._site = site
        self._state = site.state / "gateway"
        secret = read_secret(site.pki.offline / "recovery.key", "recovery key")
        self._recovery = RecipientPrivate.decode(secret)

    # -- the record -----------------------------------------------------------------------------

    def pictures(self) -> list[Path]:
        """Every JPEG in the record, by photo id."""
        return sorted(self._site.record.glob("*/*.jpg"), key=lambda path: path.stem)

    def filed(self, photo: bytes) -> Filed | None:
        """The one place where a photo stands in the record, whole."""
        found = list(self._site.record.glob(f"*/{photo.hex()}.jpg"))
        assert len(found) <= 1, f"the photo {photo.hex()} is in the record twice: {found}"
        if not found or not found[0].with_suffix(".json").exists():
            return None
        return Filed(found[0], json.loads(found[0].with_suffix(".json").read_bytes()))

    def sealed_copy(self, photo: bytes) -> bytes | None:
        """The envelope that the gateway keeps aside, or has in hand right now."""
        for path in (
            self._state / "sealed" / f"{photo.hex()}.wardseal",
            self._state / "incoming" / f"{photo.hex()}.part",
        ):
            if path.exists():
                return bytes(parse_bundle(path.read_bytes()).envelope)
        return None

    def opened(self, sealed: bytes) -> envelope.Content:
        """Open an envelope with the recovery key, which the gateway does not have."""
        found = envelope.parse(sealed)
        out = memoryview(bytearray(found.header.length))
        return envelope.open_into(found, self._recovery, out)

    # -- the database ---------------------------------------------------------------------------

    def rows(self, query: str, *values: object) -> list[Row]:
        """Ask the gateway's database; nothing while there is none."""
        path = self._state / "gateway.db"
        if not path.exists():
            return []
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as database:
            try:
                return database.execute(query, values).fetchall()
            except sqlite3.OperationalError as e:
                if "no such table" in str(e):
                    return []
                raise

    def ledger(self, ledger: bytes) -> list[bytes]:
        """The entries of one ledger that the hospital has without a gap."""
        found = self.rows(
            "SELECT raw FROM ledger_entries WHERE ledger = ? AND chained ORDER BY seq", ledger.hex()
        )
        return [raw for (raw,) in found]

    def worklist(self, kind: str) -> list[tuple[str, str]]:
        """Subject and reason of every open item of a kind: held, rejected, lost, alarm."""
        found = self.rows(
            "SELECT subject, why FROM worklist WHERE kind = ? AND closed_ms IS NULL", kind
        )
        return [(subject, why) for subject, why in found]

    def states(self) -> dict[str, str]:
        """The state of every photo, by its id in hex."""
        return dict(self.rows("SELECT photo, state FROM photos"))

    def receipts(self, photo: bytes) -> Sequence[Row]:
        """Number and status of every receipt for a photo, the oldest first."""
        return self.rows(
            "SELECT number, status FROM receipts WHERE photo = ? ORDER BY number", photo.hex()
        )
