"""Which hospital keys a device trusts: one map, signed by an offline root.

The root's public key is pinned at enrolment. Epochs only rise. The hash of the signed keyset
stands in every envelope's header, so the hospital can tell that a device was given another.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Final

from base.errors import FormatError
from wire import cbor, shapes, signing
from wire.errors import StaleKeyset
from wire.hpke import RecipientPublic
from wire.shapes import Millis, Range, Size
from wire.signing import PublicKey

TYP_KEYSET: Final = "wardseal-keyset"
MAX_KEYSET: Final = 16 * 1024


@dataclass(frozen=True)
class _KeysetMap:
    epoch: Annotated[int, Range(1, 2**31)]
    not_after_ms: Millis
    recipients: Annotated[tuple[Annotated[bytes, Size(1, 2048)], ...], Size(1, 4)]
    receipt_keys: Annotated[tuple[Annotated[bytes, Size(1, 256)], ...], Size(1, 4)]
    fleet_keys: Annotated[tuple[Annotated[bytes, Size(1, 256)], ...], Size(0, 4)]


@dataclass(frozen=True)
class Keyset:
    """The keys of one epoch: seal to ``recipients``, believe receipts by ``receipt_keys``."""

    epoch: int
    not_after_ms: int
    recipients: tuple[RecipientPublic, ...]
    receipt_keys: tuple[PublicKey, ...]
    fleet_keys: tuple[PublicKey, ...]


@dataclass(frozen=True)
class SignedKeyset:
    """A verified keyset; ``hash`` is SHA-256 over ``raw``."""

    keyset: Keyset
    raw: bytes

    @property
    def hash(self) -> bytes:
        return hashlib.sha256(self.raw).digest()


def issue(keyset: Keyset, root: signing.Signer) -> SignedKeyset:
    """Sign a keyset with the offline root key."""
    body = _KeysetMap(
        keyset.epoch,
        keyset.not_after_ms,
        tuple(key.encode() for key in keyset.recipients),
        tuple(key.encode() for key in keyset.receipt_keys),
        tuple(key.encode() for key in keyset.fleet_keys),
    )
    raw = signing.sign(shapes.to_map(body), typ=TYP_KEYSET, signer=root)
    return SignedKeyset(keyset, raw)


def open_keyset(raw: cbor.Buffer, roots: Iterable[PublicKey]) -> SignedKeyset:
    """Verify a keyset against the pinned root key."""
    verified = signing.verify(raw, typ=TYP_KEYSET, keys=roots, limit=MAX_KEYSET)
    body = shapes.from_map(_KeysetMap, verified.payload, "keyset")
    keyset = Keyset(
        body.epoch,
        body.not_after_ms,
        tuple(RecipientPublic.decode(key) for key in body.recipients),
        tuple(PublicKey.decode(key) for key in body.receipt_keys),
        tuple(PublicKey.decode(key) for key in body.fleet_keys),
    )
    for keys in (keyset.recipients, keyset.receipt_keys, keyset.fleet_keys):
        if len({key.kid for key in keys}) != len(keys):
            raise FormatError("keyset names the same key twice")
    return SignedKeyset(keyset, verified.raw)


def check_follows(offered: SignedKeyset, current: SignedKeyset) -> None:
    """Raise StaleKeyset unless ``offered`` is ``current`` again, or of a later epoch."""
    ours, theirs = current.keyset.epoch, offered.keyset.epoch
    if offered.hash == current.hash:
        return
    if theirs < ours:
        raise StaleKeyset(
            f"a keyset of epoch {theirs} was offered; epoch {ours} is in force and only a"
            " later one may follow"
        )
    if theirs == ours:
        raise StaleKeyset(f"a second, different keyset of epoch {ours} was offered")
