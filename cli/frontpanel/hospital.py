"""What the hospital received, as its gateway has it: photos with their receipts, and the worklist.

Read from the gateway's database, read-only, and from the record folder; nothing is asked of the
gateway itself, which may be busy or gone. Times are ISO 8601 in UTC or milliseconds since 1970.
"""

import io
import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from PIL import Image
from sqlalchemy import Engine, create_engine, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from base.errors import FormatError
from cli.virtual_site import VirtualSite
from gateway.filing.folder import Folder
from gateway.tables import Filing, Photo, WorkItem

_ID: Final = re.compile(r"[0-9a-f]{64}")
_MOST: Final = 24
_SMALL: Final = (640, 480)


class Hospital:
    """Somebody who looks over the gateway's shoulder at one virtual site."""

    def __init__(self, site: VirtualSite) -> None:
        self._record = site.record
        self._database = site.gateway_database
        self._engine: Engine | None = None
        self._last: dict[str, Any] = {"photos": [], "worklist": []}

    def look(self) -> dict[str, Any]:
        """Return the latest photos, the newest first, and every open item of the worklist.

        Before the gateway has made its database there are none; while it is at work on it in a
        way that keeps readers out, the last look is returned again.
        """
        if not self._database.exists():
            return self._last
        try:
            with Session(self._connected()) as session:
                self._last = {
                    "photos": [self._photo(*row) for row in session.execute(_photos())],
                    "worklist": [_item(item) for item in session.scalars(_worklist())],
                }
        except OperationalError:
            pass
        return self._last

    def picture(self, photo: str) -> Path:
        """Return the photo's file in the record; FormatError when there is none."""
        if _ID.fullmatch(photo):
            for path in self._record.glob(f"*/{photo}.jpg"):
                return path
        raise FormatError("there is no such photo in the record")

    def small(self, photo: str) -> bytes:
        """Return the photo as a JPEG that fits a page."""
        path = self.picture(photo)
        return _shrunk(path, path.stat().st_mtime_ns)

    def close(self) -> None:
        if self._engine is not None:
            self._engine.dispose()

    def _connected(self) -> Engine:
        if self._engine is None:
            self._engine = create_engine(f"sqlite:///file:{self._database}?mode=ro&uri=true")
        return self._engine

    def _photo(self, photo: Photo, reference: str | None) -> dict[str, Any]:
        page = self._page(reference)
        return {
            "id": photo.photo,
            "status": photo.state.upper(),
            "reason": photo.reason,
            "captured_ms": photo.captured_ms,
            "changed_ms": photo.changed_ms,
            "device": photo.device,
            "bed": page.get("bed", ""),
            "level": page.get("level", ""),
            "record": page.get("status", ""),
            "poor": (page.get("quality") or {}).get("poor", []),
            "label": _label_words(page.get("label") or {}),
            "picture": bool(page) and (self._record / str(reference)).exists(),
        }

    def _page(self, reference: str | None) -> dict[str, Any]:
        """What the record's own page says of a photo."""
        if reference is None:
            return {}
        try:
            found: dict[str, Any] = json.loads(
                (self._record / reference).with_suffix(".json").read_bytes()
            )
        except (OSError, ValueError):
            return {}
        return found


def _photos() -> Any:
    filed = (Filing.photo == Photo.photo) & (Filing.sink == Folder.name)
    return (
        select(Photo, Filing.reference)
        .join(Filing, filed, isouter=True)
        .order_by(Photo.captured_ms.desc())
        .limit(_MOST)
    )


def _worklist() -> Any:
    return select(WorkItem).where(WorkItem.closed_ms.is_(None)).order_by(WorkItem.id.desc())


def _item(item: WorkItem) -> dict[str, Any]:
    return {
        "id": item.id,
        "kind": item.kind.upper(),
        "subject": item.subject,
        "why": item.why,
        "opened_ms": item.opened_ms,
    }


def _label_words(label: dict[str, Any]) -> str:
    """What the record says of a label in the picture; "" without one."""
    nm = label.get("nm_per_px")
    scale = [f"{nm / 1_000_000:.3f} mm to a pixel"] if nm else []
    return ", ".join([*filter(None, [label.get("code")]), *scale])


@lru_cache(_MOST)
def _shrunk(path: Path, _changed: int) -> bytes:
    with Image.open(path) as file:
        file.draft("RGB", _SMALL)  # libjpeg decodes an eighth of it, which is plenty
        file.thumbnail(_SMALL)
        out = io.BytesIO()
        file.save(out, "JPEG", quality=85)
    return out.getvalue()
