"""Sealed copies in an object store, for gateway.keyring.rewrapping.

The re-wrap is an object beside the sealed one, of the same name but for its end. It is created on
the condition that there is none, or written in place of exactly the one that was looked at (S3:
If-None-Match, If-Match), and read back. Of a copy that may be current only its two ends are
fetched: recipients stand at the end of an envelope.
"""

import contextlib
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final

from opendal import exceptions

from base.errors import FormatError, WardsealError
from gateway.filing.base import FilingError
from gateway.filing.settings import StorageSettings
from gateway.filing.storage import TROUBLE, kind_of, operator
from gateway.keyring.rewrapping import UNPROVEN, Copy
from gateway.vault import LONGEST, REWRAP, SUFFIX
from wire import envelope as envelopes
from wire import rewrap
from wire.envelope import Envelope, Recipient
from wire.proof import parse_bundle

_NAME: Final = re.compile(rf"([0-9a-f]{{64}})(-[0-9]+)?{re.escape(SUFFIX)}\Z")
_END: Final = 64 * 1024


class StoredCopies:
    """The copies in one store with ``content = "sealed"``. Raises ConfigError."""

    def __init__(self, settings: StorageSettings) -> None:
        self.name = settings.name
        self._store = operator(settings)
        prefix = settings.prefix.strip("/")
        self._root = f"{prefix}/" if prefix else ""
        can = self._store.capability()
        self._listed: list[tuple[str, str]] | None = None
        self._creates, self._replaces = can.write_with_if_not_exists, can.write_with_if_match

    def count(self) -> int:
        """Count the objects. Raises FilingError."""
        return len(self._places())

    def copies(self) -> Iterator[Copy]:
        """Look at every copy below the prefix. Raises FilingError."""
        for place, photo in self._places():
            with contextlib.suppress(FileNotFoundError):  # it was moved or erased meanwhile
                yield self._look_at(place, photo)

    def _places(self) -> list[tuple[str, str]]:
        """List, once, where copies lie, and of which photo."""
        if self._listed is None:
            try:
                found = sorted(one.path for one in self._store.scan(self._root))
            except TROUBLE as e:
                raise FilingError(f"{self.name} cannot be read: {kind_of(e)}") from e
            named = ((place, _NAME.match(PurePosixPath(place).name)) for place in found)
            self._listed = [(place, name[1]) for place, name in named if name is not None]
        return self._listed

    def _look_at(self, place: str, photo: str) -> Copy:
        size = 0
        try:
            with self._in_words():
                size = self._store.stat(place).content_length
                if size > LONGEST:
                    return Copy(photo, size, problem="it is larger than any photo", place=place)
                ends = bytearray(size)
                for at in (0, max(0, size - _END)):
                    part = self._store.read(place, offset=at, size=min(_END, size - at))
                    ends[at : at + len(part)] = part
            sealed = envelopes.parse(parse_bundle(memoryview(ends)).envelope)
            own = frozenset(box.kid for box in sealed.recipients)
            copy = Copy(photo, size, own, place=place)
            kids = own | {box.kid for box in self.further(copy)}
            return Copy(photo, size, own, kids, place=place)
        except (ValueError, WardsealError) as e:
            return Copy(photo, size, problem=str(e), place=place)

    @contextlib.contextmanager
    def whole(self, copy: Copy) -> Iterator[tuple[Envelope, memoryview]]:
        """Fetch a copy."""
        with self._in_words():
            fetched = self._store.read(copy.place)
        data = parse_bundle(memoryview(fetched)).envelope
        yield envelopes.parse(data), data

    def further(self, copy: Copy) -> tuple[Recipient, ...]:
        """Return the recipients of the object beside it; none when it cannot be used."""
        try:
            with self._in_words():
                found = rewrap.parse(self._store.read(_beside(copy)))
        except (FileNotFoundError, FormatError):
            return ()
        return found.recipients if found.photo.hex() == copy.photo else ()

    def lay_beside(self, copy: Copy, raw: bytes) -> None:
        """Create the object beside it, or replace the one that is there."""
        beside = _beside(copy)
        with self._in_words():
            try:
                before = self._store.stat(beside)
            except exceptions.NotFound:
                self._store.write(beside, raw, if_not_exists=self._creates or None)
            else:
                self._store.write(beside, raw, if_match=before.etag if self._replaces else None)
            if self._store.read(beside) != raw:
                raise WardsealError(UNPROVEN)
            if not self._store.exists(copy.place):
                self._store.delete(beside)

    @contextlib.contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except exceptions.NotFound as e:
            raise FileNotFoundError from e
        except exceptions.ConditionNotMatch as e:
            why = f"{self.name}: somebody else changed its re-wrap just now; run it again"
            raise FilingError(why) from e
        except TROUBLE as e:
            raise FilingError(f"{self.name}: {kind_of(e)}") from e


def _beside(copy: Copy) -> str:
    return str(PurePosixPath(copy.place).with_suffix(REWRAP))
