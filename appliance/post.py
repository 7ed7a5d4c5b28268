"""What comes from the hospital by way of the uplink: opened with distrust, believed if signed.

The uplink may be anybody's by now: it faces the network. So the panel follows no link, reads
no more than a cap, believes only signatures by keys of the keyset, and takes the state file
``link`` for what it is: the uplink's word on whether it is connected and what it has sent.
"""

import errno
import logging
import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from base.errors import FormatError, VerificationError
from wire import ledger, messages, shapes
from wire.ledger import Checkpoint
from wire.messages import Receipt
from wire.reasons import Reason
from wire.shapes import Hash, Size
from wire.signing import PublicKey

log = logging.getLogger(__name__)

LARGEST: Final = 64 * 1024
_AT_ONCE: Final = 256
_NOT_A_FILE: Final = (errno.ELOOP, errno.ENXIO)
_NOT_FOR_US: Final = (errno.EACCES, errno.EPERM)


@dataclass(frozen=True)
class LinkState:
    """The uplink's word: connected or not, and the photos whose every chunk it has sent.

    ``refused``: why a gateway takes nothing of some photo. Nobody has signed that: it is for the
    screen, and nothing else may follow from it.
    """

    online: bool
    sent: Annotated[tuple[Hash, ...], Size(0, 512)]
    refused: Reason | None = None


@dataclass(frozen=True)
class SignedReceipt:
    """A receipt whose signature holds, for this device, with the bytes that were signed."""

    receipt: Receipt
    raw: bytes


@dataclass(frozen=True)
class Countersigned:
    """The hospital's signature over this device's ledger up to an entry, and its bytes."""

    checkpoint: Checkpoint
    raw: bytes


@dataclass(frozen=True)
class KeysetOffer:
    """A keyset that the hospital offers; whether it is one is for TrustedKeyset to say."""

    raw: bytes


Message = SignedReceipt | Countersigned | KeysetOffer


class Post:
    """The panel's side of ``mailbox/``."""

    def __init__(self, mailbox: Path, device: str) -> None:
        self._mailbox = mailbox
        self._device = device

    def link(self) -> LinkState:
        """Return the uplink's word on itself; offline when it says nothing sensible."""
        try:
            raw = _read(self._mailbox / "link")
            return shapes.unpack(LinkState, raw, limit=LARGEST, what="link state")
        except (FileNotFoundError, FormatError):
            return LinkState(False, ())

    def collect(self, receipt_keys: tuple[PublicKey, ...], *, keysets: bool) -> Iterator[Message]:
        """Take out every message, oldest first; what does not verify is dropped and logged.

        Without ``keysets`` those stay where they are: not while a photo is under way.
        Each file is removed when the next one is asked for, that is, after it was acted on.
        """
        names = sorted(
            (path for path in self._mailbox.glob("*.msg")), key=lambda path: path.suffixes[-2:]
        )
        for path in names[:_AT_ONCE]:
            if not keysets and path.name.startswith("keyset."):
                continue
            try:
                message = self._open(path, receipt_keys)
            except (FormatError, VerificationError) as e:
                log.warning("mailbox: %s refused: %s", path.name[:60], e)
                message = None
            except FileNotFoundError:
                continue
            if message is not None:
                yield message
            _remove(path)

    def _open(self, path: Path, keys: tuple[PublicKey, ...]) -> Message:
        kind = path.name.partition(".")[0]
        raw = _read(path)
        if kind == "receipt":
            return SignedReceipt(messages.open_receipt(raw, keys, device=self._device), raw)
        if kind == "countersign":
            checkpoint = ledger.open_checkpoint(raw, keys, device=self._device)
            return Countersigned(checkpoint, raw)
        if kind == "keyset":
            return KeysetOffer(raw)
        raise FormatError("a message of no known kind")


def _read(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as e:
        if e.errno in _NOT_A_FILE:
            raise FormatError("not a plain file") from None
        if e.errno in _NOT_FOR_US:
            raise FormatError("a file that the uplink lets nobody read") from None
        raise
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise FormatError("not a plain file")
        raw = os.read(descriptor, LARGEST + 1)
    finally:
        os.close(descriptor)
    if len(raw) > LARGEST:
        raise FormatError(f"longer than {LARGEST} bytes")
    return raw


def _remove(path: Path) -> None:
    try:
        path.unlink()
    except IsADirectoryError:
        shutil.rmtree(path, ignore_errors=True)
    except FileNotFoundError:
        return
