"""Sealed copies for later keys: the content key is wrapped again, the envelope stays as it is.

The device signed the photo's id, which covers the envelope with its recipients, so those are
never changed: the re-wrap (``wire.rewrap``) is a small file beside the copy. It adds the newest
keyset's recipients; those that the device sealed to, the recovery key among them, stay in the
envelope. Each is proved before it counts: the whole photo is decrypted with the newest key by way
of the new recipient, then the file is written durably and read back. One photo at a time is in
memory. Whatever ends it, it goes on from there when it is run again; nothing is ever removed here.

Copies lie in the gateway's folder, and in object stores (gateway.keyring.stored_copies).
"""

import contextlib
import hashlib
import mmap
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from base.durable import write_atomic
from base.errors import WardsealError
from base.memory import Buffer
from gateway.vault import REWRAP, SUFFIX
from wire import envelope as envelopes
from wire import rewrap
from wire.envelope import Envelope, Recipient
from wire.hpke import RecipientPrivate, RecipientPublic
from wire.keyset import SignedKeyset
from wire.proof import parse_bundle

UNPROVEN: Final = "its re-wrap does not read back as it was written"


@dataclass(frozen=True)
class Copy:
    """One sealed copy: its photo (hex), its size in bytes, and which of our keys open it.

    ``own``: ids of the envelope's recipients; ``kids``: of these and of its re-wrap's.
    ``problem``: why it is nothing that can be re-wrapped.
    """

    photo: str
    size: int
    own: frozenset[bytes] = frozenset()
    kids: frozenset[bytes] = frozenset()
    problem: str = ""
    place: str = ""
    """Where it lies in an object store; in the folder its photo says that."""


@dataclass
class Counts:
    """What there is, or what was done."""

    current: int = 0
    wrapped: int = 0
    bytes_read: int = 0
    bytes_written: int = 0
    problems: tuple[tuple[str, str], ...] = ()


class Shelf(Protocol):
    """A place where sealed copies lie."""

    def count(self) -> int:
        """Say how many copies there are. Raises WardsealError."""
        ...

    def copies(self) -> Iterator[Copy]:
        """Look at every copy, one after the other; at its two ends only. Raises WardsealError."""
        ...

    def whole(self, copy: Copy) -> AbstractContextManager[tuple[Envelope, memoryview]]:
        """Give a copy's envelope, and its bytes. Raises FileNotFoundError when it has gone."""
        ...

    def further(self, copy: Copy) -> tuple[Recipient, ...]:
        """Return the recipients of its re-wrap."""
        ...

    def lay_beside(self, copy: Copy, raw: bytes) -> None:
        """Write its re-wrap durably, in place of an earlier one, and read it back.

        None is left when the copy has gone meanwhile. Raises OSError or WardsealError.
        """
        ...


class Folder:
    """The gateway's own copies."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def count(self) -> int:
        """Count the files."""
        return sum(1 for _ in self._folder.glob(f"*{SUFFIX}"))

    def copies(self) -> Iterator[Copy]:
        """Look at every sealed copy in the folder."""
        for path in sorted(self._folder.glob(f"*{SUFFIX}")):
            with contextlib.suppress(FileNotFoundError):  # its days were over meanwhile
                yield self._look_at(path)

    def _look_at(self, path: Path) -> Copy:
        photo, size = path.stem, path.stat().st_size
        try:
            with _mapped(path) as (sealed, _):
                own = frozenset(box.kid for box in sealed.recipients)
                return Copy(photo, size, own, own | {box.kid for box in _further(path)})
        except FileNotFoundError:
            raise
        except (OSError, ValueError, WardsealError) as e:
            return Copy(photo, size, problem=str(e))

    def whole(self, copy: Copy) -> AbstractContextManager[tuple[Envelope, memoryview]]:
        """Give what is in the file, which is looked at where it lies."""
        return _mapped(self._path(copy))

    def further(self, copy: Copy) -> tuple[Recipient, ...]:
        """Return the recipients in the file beside it."""
        return _further(self._path(copy))

    def lay_beside(self, copy: Copy, raw: bytes) -> None:
        """Write the file beside it."""
        path = self._path(copy)
        beside = path.with_suffix(REWRAP)
        write_atomic(beside, raw)
        if beside.read_bytes() != raw:
            raise WardsealError(UNPROVEN)
        if not path.exists():
            beside.unlink(missing_ok=True)

    def _path(self, copy: Copy) -> Path:
        return self._folder / f"{copy.photo}{SUFFIX}"


class Rewrapper:
    """Re-wraps for ``keyset``. ``keys``: those of the gateway, the newest first.

    ``room`` holds the largest photo, and is wiped after each.
    """

    def __init__(
        self,
        *,
        shelf: Shelf,
        keys: Sequence[RecipientPrivate],
        keyset: SignedKeyset,
        room: Buffer,
    ) -> None:
        self._shelf = shelf
        self._keys = {key.public.kid: key for key in keys}
        self._newest = keys[0]
        self._recipients = keyset.keyset.recipients
        self._room = room

    def survey(self) -> Counts:
        """Say what ``run`` would do; changes nothing."""
        counts = Counts()
        for copy in self._shelf.copies():
            self._judge(copy, counts)
        return counts

    def run(self) -> Iterator[Counts]:
        """Re-wrap what is to be, giving the counts so far after each copy."""
        counts = Counts()
        for copy in self._shelf.copies():
            if self._judge(copy, counts):
                try:
                    self._rewrap(copy)
                except (OSError, ValueError, WardsealError) as e:
                    counts.wrapped -= 1
                    counts.problems += ((copy.photo, str(e)),)
            yield counts

    def _judge(self, copy: Copy, counts: Counts) -> bool:
        counts.bytes_read += copy.size
        if self._newest.public.kid in copy.kids:
            counts.current += 1
            return False
        if copy.problem or not copy.kids & self._keys.keys():
            why = copy.problem or "none of the keys here opens it; the recovery key may"
            counts.problems += ((copy.photo, why),)
            return False
        counts.wrapped += 1
        missing = self._missing(copy.own)
        counts.bytes_written += rewrap.size(bytes.fromhex(copy.photo), missing)
        return True

    def _missing(self, kids: frozenset[bytes]) -> list[RecipientPublic]:
        return [key for key in self._recipients if key.kid not in kids]

    def _rewrap(self, copy: Copy) -> None:
        try:
            with self._shelf.whole(copy) as (sealed, data):
                if hashlib.sha256(data).hexdigest() != copy.photo:
                    raise WardsealError("what lies there is not the photo that it is called by")
                whole = rewrap.extended(sealed, self._shelf.further(copy))
                key = next(self._keys[b.kid] for b in whole.recipients if b.kid in self._keys)
                # Those of an earlier re-wrap are made again: there is one file for each copy.
                raw = rewrap.make(whole, bytes.fromhex(copy.photo), key, self._missing(copy.own))
                self._prove(sealed, raw)
            self._shelf.lay_beside(copy, raw)
        except FileNotFoundError:
            pass  # its days were over meanwhile

    def _prove(self, sealed: Envelope, raw: bytes) -> None:
        """Open the photo with the newest key, by way of the re-wrap alone."""
        used = sealed.header.length
        try:
            through = rewrap.extended(sealed, rewrap.parse(raw).recipients)
            envelopes.open_into(through, self._newest, self._room.view[:used]).jpeg.release()
        finally:
            self._room.wipe(used)


def _further(path: Path) -> tuple[Recipient, ...]:
    try:
        return rewrap.parse(path.with_suffix(REWRAP).read_bytes()).recipients
    except FileNotFoundError:
        return ()


@contextlib.contextmanager
def _mapped(path: Path) -> Iterator[tuple[Envelope, memoryview]]:
    """Give the envelope in a photo file, and its bytes, which are looked at where they lie."""
    with path.open("rb") as file:
        pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    try:
        data = parse_bundle(memoryview(pages)).envelope
        yield envelopes.parse(data), data
    finally:
        with contextlib.suppress(BufferError):  # the pages go with the last view of them
            pages.close()
