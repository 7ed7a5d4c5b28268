"""Sealed photos on their way: ``sealing/`` (darkroom to panel), ``outbox/`` (panel to uplink).

The directories are the state. A rename into the outbox *is* the release; a file that is gone
from it is a photo the hospital has signed for, or that was undone. An envelope is wiped by
overwriting, cutting to nothing and unlinking, because a reader that has it open would still see
it after an unlink alone.
"""

import hashlib
import logging
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from appliance.config import PathSettings, SpoolSettings
from base.durable import write_atomic
from base.errors import FormatError, VerificationError
from base.memory import wipe_file
from wire import cbor, envelope
from wire.envelope import Envelope, Header
from wire.keyset import SignedKeyset
from wire.ledger import MAX_ENTRY, SignedEntry

log = logging.getLogger(__name__)

_MIB = 1024 * 1024


@dataclass(frozen=True)
class Inspected:
    """A sealed file that is what the panel asked for: its photo id and its length."""

    photo: bytes
    size: int


class Spool:
    """The panel's hands on the two directories."""

    def __init__(self, paths: PathSettings, settings: SpoolSettings) -> None:
        self._sealing = paths.sealing
        self._outbox = paths.outbox
        self._settings = settings

    def has_room(self) -> bool:
        """Tell whether one more photo of any size we reckon with would fit."""
        wanted = self._settings.photo_mib * _MIB
        used = sum(_size(path) for path in self._files())
        free = os.statvfs(self._outbox)
        return (
            used + wanted <= self._settings.capacity_mib * _MIB
            and free.f_bavail * free.f_frsize >= wanted
        )

    def _files(self) -> Iterator[Path]:
        for directory in (self._sealing, self._outbox):
            yield from directory.iterdir()

    def sealed_path(self, seq: int) -> Path:
        """Where the darkroom puts the photo of INTENT number ``seq``."""
        return self._sealing / f"{seq}.cose"

    def inspect(
        self, seq: int, header: Header, keyset: SignedKeyset, ciphers: frozenset[int]
    ) -> Inspected:
        """Compare a sealed file, header and recipients byte for byte, with what was ordered.

        ``header`` is what the panel ordered; its ``length`` is taken from the file, which must
        then agree with the ciphertext's. Raises FormatError or VerificationError.
        """
        data = _read_whole(self.sealed_path(seq))
        _compare(envelope.parse(data), header, keyset, ciphers)
        return Inspected(hashlib.sha256(data).digest(), len(data))

    def release(
        self, seq: int, photo: bytes, entries: tuple[SignedEntry, SignedEntry, SignedEntry]
    ) -> None:
        """Move a photo to the outbox, its three entries first; one that is there stays there.

        Raises FileNotFoundError when the photo is in neither place, OSError when the outbox
        does not take it: then it is where it was.
        """
        if self.envelope_path(photo).exists():
            return
        raws = cbor.encode([entry.raw for entry in entries])
        write_atomic(self._init_path(photo), raws, mode=0o640, durable=False)
        os.rename(self.sealed_path(seq), self.envelope_path(photo))

    def envelope_path(self, photo: bytes) -> Path:
        """Where a released photo lies."""
        return self._outbox / f"{photo.hex()}.cose"

    def _init_path(self, photo: bytes) -> Path:
        return self._outbox / f"{photo.hex()}.init"

    def wipe_sealed(self, seq: int) -> None:
        """Wipe a photo that was not released; one that is not there is wiped already."""
        _wipe(self.sealed_path(seq))

    def wipe_released(self, photo: bytes) -> None:
        """Wipe a released photo; one that is not there is wiped already."""
        _wipe(self.envelope_path(photo))
        self._init_path(photo).unlink(missing_ok=True)

    def released(self) -> dict[bytes, tuple[bytes, bytes, bytes]]:
        """Return the photos in the outbox with the raw entries beside them, unverified."""
        found = {}
        for path in self._outbox.glob("*.cose"):
            init = path.with_suffix(".init")
            try:
                value = cbor.decode(init.read_bytes(), limit=4 * MAX_ENTRY, what=init.name)
                photo = bytes.fromhex(path.stem)
            except (FormatError, FileNotFoundError, ValueError):
                continue
            match value:
                case [bytes(consent), bytes(intent), bytes(sealed)]:
                    found[photo] = (consent, intent, sealed)
        return found

    def wipe_strays(self, sealed: set[int], released: set[bytes]) -> None:
        """Wipe every file that belongs to none of these photos: left over from a crash."""
        names = {f"{seq}.cose" for seq in sealed}
        names |= {f"{photo.hex()}{end}" for photo in released for end in (".cose", ".init")}
        for path in list(self._files()):
            if path.name not in names:
                _wipe(path)


def _wipe(path: Path) -> None:
    """Wipe a file; what is none (a darkroom that was taken over may leave anything) just goes."""
    try:
        kind = path.lstat().st_mode
        if stat.S_ISREG(kind):
            _wipe_regular(path)
        elif stat.S_ISDIR(kind):
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()
    except FileNotFoundError:
        return


def _wipe_regular(path: Path) -> None:
    """Overwrite, cut, unlink; what cannot be overwritten (closed to us by whoever made it, or
    larger than any photo, so all holes) is still cut, if it can be, and unlinked."""
    try:
        if path.lstat().st_size <= envelope.MAX_ENVELOPE:
            wipe_file(path)
            return
    except FileNotFoundError:
        return
    except OSError as e:
        log.error("%s cannot be overwritten: %s", path.name, e.strerror)
    with suppress(OSError):
        descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            os.ftruncate(descriptor, 0)
        finally:
            os.close(descriptor)
    path.unlink(missing_ok=True)


def _size(path: Path) -> int:
    """Its size now: a darkroom that works may have renamed or removed it a moment ago."""
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        return 0


def _compare(
    found: Envelope, ordered: Header, keyset: SignedKeyset, ciphers: frozenset[int]
) -> None:
    expected = envelope.protected_header(
        Header(**{**vars(ordered), "length": len(found.ciphertext) - 16}), found.alg
    )
    if found.alg not in ciphers or found.protected != expected:
        raise VerificationError("the darkroom sealed under another header than was ordered")
    if not envelope.names_recipients(found, keyset.keyset.recipients):
        raise VerificationError("the darkroom sealed to other keys than was ordered")


def _read_whole(path: Path) -> memoryview:
    """Return a copy of a whole file that somebody else may still be writing to.

    Not a mapping of it: a darkroom that was taken over could cut the file while we look, and the
    kernel ends whoever touches a mapped page that is gone (SIGBUS).
    """
    # Without O_NONBLOCK, opening a pipe that somebody left there would wait for ever.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        size = os.fstat(descriptor).st_size
        if not 0 < size <= envelope.MAX_ENVELOPE:
            raise FormatError(f"{path.name} is {size} bytes long")
        data = memoryview(bytearray(size))
        if os.readv(descriptor, [data]) != size:
            raise FormatError(f"{path.name} became shorter while it was looked at")
    finally:
        os.close(descriptor)
    return data.toreadonly()
