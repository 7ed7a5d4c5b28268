"""The gateway's keys: every epoch that is still kept, read from files and held against each other.

Beside the files that the settings name lie those of later epochs:

    opening.key    opening-<id>.key     opens photos                 private
    receipt.key    receipt-<id>.key     signs receipts               private
    keyset.cose    keyset-<epoch>.cose  what devices were given      public, signed by the root
    keyset.retired keyset-<epoch>.retired  that epoch's keys are not used any more

``<id>`` is the start of the key's thumbprint. A keyset's file comes last and makes its epoch; a
private key of no keyset waits for one. Keysets stay for ever: old photos name them. systemd may
hand private keys over instead (``CREDENTIALS_DIRECTORY``), by the names of their files, with
``ANYTHING_`` in front when they were loaded as a folder; then they go before the files.

Photos are opened with the key of any kept epoch. Receipts are signed with the receipt key of the
*oldest* kept epoch: every later keyset lists it too, so each device believes it, whichever of the
kept keysets it has.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Self, TypeVar

from base.durable import fsync_dir
from base.errors import ConfigError, FormatError, VerificationError
from base.keyfiles import read_public, read_secret
from base.memory import wipe_file
from gateway.config import KeySettings
from wire import pem
from wire.hpke import RecipientPrivate
from wire.keyset import MAX_KEYSET, SignedKeyset, open_keyset
from wire.signing import PublicKey, Signer

T = TypeVar("T")

_GOING: Final = ".going"
_ID: Final = "[0-9a-f]{16}"


@dataclass(frozen=True)
class Secret:
    """A private key's file; ``handed``: systemd's copy, not the file on the disk."""

    path: Path
    handed: bool


@dataclass(frozen=True)
class Epoch:
    """One keyset, its file, and whether its keys are out of use."""

    signed: SignedKeyset
    path: Path
    retired: bool

    @property
    def number(self) -> int:
        return self.signed.keyset.epoch


def named(key: RecipientPrivate | Signer) -> str:
    """Return the ``<id>`` by which a key's file is called."""
    return key.public.kid.hex()[:16]


def beside(base: Path, suffix: str) -> Path:
    """Return the file of a later epoch: ``opening.key`` and ``3f9a`` make ``opening-3f9a.key``."""
    return base.with_name(f"{base.stem}-{suffix}{base.suffix}")


def marker(keyset: Path) -> Path:
    """Return the file that says that a keyset's keys are out of use."""
    return keyset.with_suffix(".retired")


def secrets(base: Path, environ: Mapping[str, str]) -> list[Secret]:
    """Return the files of one kind of private key, handed over or on the disk, ``base`` first."""
    name = re.compile(rf"{re.escape(base.stem)}(-{_ID})?{re.escape(base.suffix)}\Z")
    found = {
        path.name: Secret(path, handed=False)
        for path in base.parent.glob("*")
        if name.match(path.name)
    }
    for path, called in _handed(environ):
        if name.match(called):
            found[called] = Secret(path, handed=True)
    return [found[called] for called in sorted(found, key=lambda one: (one != base.name, one))]


def handed_over(path: Path, environ: Mapping[str, str]) -> Path:
    """Return systemd's copy of the key in ``path``, or ``path`` itself when there is none."""
    return next((own for own, called in _handed(environ) if called == path.name), path)


def _handed(environ: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    folder = environ.get("CREDENTIALS_DIRECTORY")
    for path in sorted(Path(folder).glob("*.key")) if folder else ():
        yield path, path.name.rpartition("_")[2]


def remove(path: Path) -> None:
    """Wipe a private key's file.

    It is renamed first: a file that was overwritten and not yet removed would be taken for a key
    that is damaged, and keep the gateway from starting.
    """
    going = path.with_suffix(_GOING)
    os.rename(path, going)
    fsync_dir(path.parent)
    wipe_file(going)
    fsync_dir(path.parent)


def remove_leftovers(folder: Path) -> None:
    """Finish what ``remove`` did not come to the end of."""
    for path in folder.glob(f"*{_GOING}"):
        wipe_file(path)


@dataclass(frozen=True)
class GatewayKeys:
    """``openings`` open photos, the newest first; ``receipt`` signs; ``epochs`` are in order.

    ``receipts`` are all receipt keys that are here, of whatever epoch or of none yet.
    """

    openings: tuple[RecipientPrivate, ...]
    receipts: tuple[Signer, ...]
    receipt: Signer
    epochs: tuple[Epoch, ...]
    root: PublicKey

    @property
    def keyset(self) -> SignedKeyset:
        """The newest: what devices are to have."""
        return self.epochs[-1].signed

    @property
    def keysets(self) -> tuple[SignedKeyset, ...]:
        """All that ever were: photos name them."""
        return tuple(epoch.signed for epoch in self.epochs)

    @property
    def kept(self) -> tuple[Epoch, ...]:
        """The epochs whose keys are in use, in order."""
        return tuple(epoch for epoch in self.epochs if not epoch.retired)

    def opening_of(self, epoch: Epoch) -> RecipientPrivate | None:
        """Return our key that photos of this epoch are sealed to."""
        return _ours(self.openings, {key.kid for key in epoch.signed.keyset.recipients})

    def receipt_of(self, epoch: Epoch) -> Signer | None:
        """Return the first of an epoch's receipt keys that is ours: the one made for it."""
        held = {signer.public.kid: signer for signer in self.receipts}
        own = (held.get(key.kid) for key in epoch.signed.keyset.receipt_keys)
        return next((signer for signer in own if signer), None)

    @classmethod
    def load(cls, settings: KeySettings, environ: Mapping[str, str] = os.environ) -> Self:
        """Read all files; ConfigError names the setting of one that is wrong.

        A gateway whose keys are not in its keysets would take photos that it cannot open, or
        sign receipts that no device believes, so it does not start.
        """
        openings, receipts = read_openings(settings, environ), read_receipts(settings, environ)
        public = read_public(settings.root, "keys.root")
        root = _parse("keys.root", settings.root, lambda: pem.public_key(public))
        epochs = read_epochs(settings.keyset, root)
        return cls(openings, receipts, receipts[0], epochs, root).checked()

    def checked(self) -> Self:
        """Return the keys that are in use, held against the keysets. Raises ConfigError."""
        if not self.kept:
            raise ConfigError("keys.keyset", "the keys of every keyset here are out of use")
        several = len(self.kept) > 1
        for epoch in self.kept:
            which = f" in epoch {epoch.number}" if several else ""
            if self.opening_of(epoch) is None:
                why = f"is none of the keys that photos are sealed to{which}"
                raise ConfigError("keys.opening", why)
            if self.receipt_of(epoch) is None:
                why = f"is none of the keys whose receipts devices believe{which}"
                raise ConfigError("keys.receipt", why)
        receipt = self.receipt_of(self.kept[0])
        assert receipt is not None
        for epoch in self.kept[1:]:
            if receipt.public not in epoch.signed.keyset.receipt_keys:
                why = f"{epoch.path} drops a receipt key that epoch {self.kept[0].number} needs"
                raise ConfigError("keys.keyset", why)
        newest = {k.kid: e.number for e in self.kept for k in e.signed.keyset.recipients}
        openings = [key for key in self.openings if key.public.kid in newest]
        openings.sort(key=lambda key: -newest[key.public.kid])
        return type(self)(tuple(openings), self.receipts, receipt, self.epochs, self.root)


def read_openings(
    settings: KeySettings, environ: Mapping[str, str]
) -> tuple[RecipientPrivate, ...]:
    """Read every opening key that is here, waiting and retired ones too. Raises ConfigError."""
    return _read(settings.opening, "keys.opening", environ, RecipientPrivate.decode)


def read_receipts(settings: KeySettings, environ: Mapping[str, str]) -> tuple[Signer, ...]:
    """Read every receipt key that is here, as above."""
    return _read(settings.receipt, "keys.receipt", environ, pem.signer)


def read_epochs(base: Path, root: PublicKey) -> tuple[Epoch, ...]:
    """Read every keyset beside ``base``, in the order of their epochs. Raises ConfigError."""
    later = re.compile(rf"{re.escape(base.stem)}-\d+{re.escape(base.suffix)}\Z")
    paths = [base, *(path for path in base.parent.glob("*") if later.match(path.name))]
    found: dict[int, Epoch] = {}
    for path in paths:
        raw = read_public(path, "keys.keyset", limit=MAX_KEYSET)
        signed = _parse("keys.keyset", path, partial(open_keyset, raw, (root,)))
        number = signed.keyset.epoch
        if number in found and found[number].signed.hash != signed.hash:
            why = f"{path}: a second, different keyset of epoch {number}"
            raise ConfigError("keys.keyset", why)
        found[number] = Epoch(signed, path, marker(path).exists())
    return tuple(found[number] for number in sorted(found))


def _read(
    base: Path, setting: str, environ: Mapping[str, str], decode: Callable[[bytes], T]
) -> tuple[T, ...]:
    paths = [secret.path for secret in secrets(base, environ)] or [base]
    return tuple(_parse(setting, p, partial(decode, read_secret(p, setting))) for p in paths)


def _ours(keys: tuple[RecipientPrivate, ...], kids: set[bytes]) -> RecipientPrivate | None:
    return next((key for key in keys if key.public.kid in kids), None)


def _parse(setting: str, path: Path, parse: Callable[[], T]) -> T:
    try:
        return parse()
    except (FormatError, VerificationError) as e:
        raise ConfigError(setting, f"{path}: {e}") from e
