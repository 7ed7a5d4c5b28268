"""The named points of a photo's journey, as they can be seen from outside, and who waits there.

``Sentry`` turns what the kernel says of folders into the points below, in order and with their
times. A ``Trap`` set for a point is sprung in the sentry's own thread, well under a millisecond
after the point was reached, before whoever reached it gets much further.
"""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from socket import socketpair

from cli.virtual_site import VirtualSite
from tests.faults import inotify
from tests.faults.inotify import Inotify, Seen
from wire.ledger import EntryType, open_entry, read_frames
from wire.signing import PublicKey


class Point(StrEnum):
    """Where something may die; the number is the step of docs/journey.md."""

    BOOT = "0 BOOT is on the ledger"
    CONSENT = "1 CONSENT is on the ledger"
    CAMERA = "2 the camera opens"
    INTENT = "3 INTENT is on the ledger"
    ENVELOPE = "6 the envelope is whole in sealing/"
    SEALED = "7 SEALED is on the ledger"
    ENTRIES = "7 the three entries are in outbox/"
    RELEASED = "7 the envelope is in outbox/"
    ARRIVING = "8 the gateway makes room in incoming/"
    CHUNK = "8 a chunk is in incoming/"
    FILING = "9 the JPEG is being written into the record"
    JPEG = "9 the JPEG is in the record"
    PAGE = "9 the page is in the record"
    SIGNED = "10 the sealed copy is put aside, the receipt signed"
    DELIVERED = "10 the receipt is in mailbox/"
    RECEIPT = "11 RECEIPT is on the ledger"
    WIPING = "11 the envelope is being overwritten"
    GONE = "11 the envelope is gone"
    WIPED = "11 WIPED is on the ledger"
    WINDOW = "WINDOW is on the ledger"
    UNDO = "UNDO is on the ledger"
    LOST = "LOST is on the ledger"
    COUNTERSIGNED = "a countersignature is in mailbox/"


_ON_LEDGER = {
    EntryType.BOOT: Point.BOOT,
    EntryType.CONSENT: Point.CONSENT,
    EntryType.INTENT: Point.INTENT,
    EntryType.SEALED: Point.SEALED,
    EntryType.RECEIPT: Point.RECEIPT,
    EntryType.WIPED: Point.WIPED,
    EntryType.WINDOW: Point.WINDOW,
    EntryType.UNDO: Point.UNDO,
    EntryType.LOST: Point.LOST,
}
_RENAMED = inotify.MOVED_TO
_IN_FOLDER = (
    ("sealing", inotify.CREATE, ".cose", Point.ENVELOPE),
    ("outbox", _RENAMED, ".init", Point.ENTRIES),
    ("outbox", _RENAMED, ".cose", Point.RELEASED),
    ("outbox", inotify.MODIFY, ".cose", Point.WIPING),
    ("outbox", inotify.DELETE, ".cose", Point.GONE),
    ("incoming", inotify.CREATE, ".part", Point.ARRIVING),
    ("incoming", inotify.MODIFY, ".part", Point.CHUNK),
    ("sealed", _RENAMED, ".wardseal", Point.SIGNED),
    (".arriving", inotify.CREATE, "", Point.FILING),
    ("record", _RENAMED, ".jpg", Point.JPEG),
    ("record", _RENAMED, ".json", Point.PAGE),
    ("scenes", inotify.OPEN, "", Point.CAMERA),
)


@dataclass(frozen=True)
class Reached:
    """A point was reached at ``at`` (time.monotonic) by what happened to ``path``."""

    point: Point
    at: float
    path: Path


@dataclass
class Trap:
    """Spring at a point: wait ``jitter`` seconds, then ``strike``, then set the next trap."""

    point: Point
    strike: Callable[[], None]
    jitter: float = 0.0
    then: "Trap | None" = None
    sprung: threading.Event = field(default_factory=threading.Event)


class Sentry:
    """Watches one virtual site; ``scene``: the file that its camera looks at when it opens.

    ``envelopes`` are copies of all that was released, by photo id: what the device sealed.
    """

    def __init__(self, site: VirtualSite, key: PublicKey, scene: Path | None = None) -> None:
        self._site = site
        self._key = key
        self._lock = threading.Lock()
        self._trap: Trap | None = None
        self._read_so_far: Counter[Path] = Counter()
        self._inotify = Inotify()
        self._wake, self._woken = socketpair()
        self.trace: list[Reached] = []
        self.envelopes: dict[str, bytes] = {}
        self.failed: BaseException | None = None
        if scene is not None:
            self._inotify.add(scene.parent, inotify.OPEN)
            self._scene = scene
        gateway = site.state / "gateway"
        arriving = site.record / ".arriving"
        for folder in (gateway / "incoming", gateway / "sealed", arriving):
            folder.mkdir(parents=True, exist_ok=True)
        self._inotify.add(arriving, inotify.CREATE)
        self._inotify.add(gateway / "incoming", inotify.CREATE | inotify.MODIFY)
        self._inotify.add(gateway / "sealed", _RENAMED)
        self._inotify.add(site.record, inotify.CREATE)
        for day in site.record.glob("[!.]*"):
            self._inotify.add(day, _RENAMED)
        ledger = site.device.config.paths.ledger
        ledger.mkdir(parents=True, exist_ok=True)
        self._inotify.add(ledger, inotify.MODIFY)
        self._thread = threading.Thread(target=self._watch, name="sentry", daemon=True)
        self._thread.start()

    def powered_on(self) -> None:
        """The directories in RAM are new: watch these."""
        paths = self._site.device.config.paths
        self._inotify.add(paths.sealing, inotify.CREATE)
        self._inotify.add(paths.outbox, _RENAMED | inotify.MODIFY | inotify.DELETE)
        self._inotify.add(paths.mailbox, _RENAMED)

    def set(self, trap: Trap) -> None:
        """Wait at a point from now on; a trap that was set before is taken up."""
        with self._lock:
            self._trap = trap

    def take_up(self) -> None:
        """Take the trap up again."""
        with self._lock:
            self._trap = None

    def close(self) -> None:
        """Stop watching; raise what went wrong while watching."""
        self._wake.close()
        self._thread.join()
        self._woken.close()
        self._inotify.close()
        if self.failed is not None:
            raise self.failed

    def reached(self, point: Point) -> list[Reached]:
        """Every time that a point was reached so far."""
        return [reached for reached in list(self.trace) if reached.point is point]

    def _watch(self) -> None:
        try:
            with DefaultSelector() as selector:
                selector.register(self._inotify, EVENT_READ)
                selector.register(self._woken, EVENT_READ)
                while all(key.fileobj is not self._woken for key, _ in selector.select()):
                    for seen in self._inotify.read():
                        self._take(seen)
        except BaseException as e:  # noqa: BLE001 - raised again by close(), in the test's thread
            self.failed = e

    def _take(self, seen: Seen) -> None:
        folder = seen.path.parent
        if folder == self._site.record and seen.mask & inotify.CREATE:
            self._inotify.add(seen.path, _RENAMED)
            # What was quicker than the new watch.
            for path in sorted(seen.path.iterdir()):
                self._take(Seen(path, _RENAMED))
        elif seen.path.suffix == ".wsl":
            for point in self._appended(seen.path):
                self._note(point, seen.path)
        else:
            for point in self._points(seen):
                self._note(point, seen.path)

    def _points(self, seen: Seen) -> list[Point]:
        folder = seen.path.parent
        day = folder.parent == self._site.record and folder.name != ".arriving"
        name = "record" if day else folder.name
        if name == "mailbox":
            kinds = {"receipt": Point.DELIVERED, "countersign": Point.COUNTERSIGNED}
            kind, _, rest = seen.path.name.partition(".")
            return [kinds[kind]] if kind in kinds and rest.endswith(".msg") else []
        if seen.mask & inotify.OPEN:
            return [Point.CAMERA] if seen.path == self._scene else []
        return [
            point
            for where, mask, end, point in _IN_FOLDER
            if where == name and seen.mask & mask and seen.path.name.endswith(end)
        ]

    def _appended(self, path: Path) -> list[Point]:
        with path.open("rb") as file:
            file.seek(self._read_so_far[path])
            raws, used = read_frames(file.read())
        self._read_so_far[path] += used
        types = [open_entry(raw, [self._key]).entry.type for raw in raws]
        return [_ON_LEDGER[kind] for kind in types if kind in _ON_LEDGER]

    def _note(self, point: Point, path: Path) -> None:
        at = time.monotonic()
        if point is Point.RELEASED:
            with contextlib.suppress(FileNotFoundError):
                self.envelopes[path.stem] = path.read_bytes()
        with self._lock:
            trap = self._trap
            if trap is not None and trap.point is point:
                self._trap = trap.then
            else:
                trap = None
        if trap is not None:
            if trap.jitter:
                time.sleep(trap.jitter)
            trap.strike()
            trap.sprung.set()
        self.trace.append(Reached(point, at, path))
