"""What the gateway asks of the offline root, and what the root makes of it.

The request carries public keys only: the private halves never leave the gateway. It is signed by
the gateway's receipt key, which the root knows from the last keyset, so a stranger's key cannot be
slipped in on the way; and it is an offer, not an order: the root's side builds the keyset itself,
from the last one and from these keys, and shows a person what it is about to sign.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Final

from base.errors import FormatError, VerificationError
from wire import cbor, shapes, signing
from wire.hpke import RecipientPublic
from wire.keyset import MAX_KEYSET, Keyset, SignedKeyset, open_keyset
from wire.shapes import Size
from wire.signing import PublicKey, Signer

_TYP: Final = "wardseal-keyset-request"
_MOST: Final = 2 * MAX_KEYSET
_MOST_RECEIPT_KEYS: Final = 4


@dataclass(frozen=True)
class _RequestMap:
    current: Annotated[bytes, Size(1, MAX_KEYSET)]
    opening: Annotated[bytes, Size(1, 2048)]
    replaces: Annotated[bytes, Size(32, 32)]
    receipt_keys: Annotated[tuple[Annotated[bytes, Size(1, 256)], ...], Size(1, _MOST_RECEIPT_KEYS)]


@dataclass(frozen=True)
class Request:
    """``opening`` takes the place of the recipient ``replaces`` (a key's id, 32 bytes).

    ``receipt_keys``: the new one first, if there is one, and those that devices go on needing.
    """

    current: SignedKeyset
    opening: RecipientPublic
    replaces: bytes
    receipt_keys: tuple[PublicKey, ...]


def issue(request: Request, signer: Signer) -> bytes:
    """Sign a request with the gateway's receipt key."""
    body = _RequestMap(
        request.current.raw,
        request.opening.encode(),
        request.replaces,
        tuple(key.encode() for key in request.receipt_keys),
    )
    return signing.sign(shapes.to_map(body), typ=_TYP, signer=signer)


def read(raw: cbor.Buffer, roots: Iterable[PublicKey]) -> Request:
    """Verify a request: its keyset by the root, and itself by a receipt key of that keyset."""
    _, untrusted = signing.untrusted(raw, typ=_TYP)
    offered = shapes.from_map(_RequestMap, untrusted, "keyset request")
    current = open_keyset(offered.current, roots)
    verified = signing.verify(raw, typ=_TYP, keys=current.keyset.receipt_keys, limit=_MOST)
    body = shapes.from_map(_RequestMap, verified.payload, "keyset request")
    request = Request(
        current,
        RecipientPublic.decode(body.opening),
        body.replaces,
        tuple(PublicKey.decode(key) for key in body.receipt_keys),
    )
    propose(request, epoch=current.keyset.epoch + 1, not_after_ms=current.keyset.not_after_ms)
    return request


def propose(request: Request, *, epoch: int, not_after_ms: int) -> Keyset:
    """Return the keyset that is asked for: the last one, with the new keys in their places."""
    last = request.current.keyset
    if request.replaces not in {key.kid for key in last.recipients}:
        raise VerificationError("the request replaces a key that the last keyset does not have")
    if request.opening in last.recipients:
        raise VerificationError("the request's opening key is in the last keyset already")
    known = {key.kid for key in last.receipt_keys}
    if sum(key.kid not in known for key in request.receipt_keys) > 1:
        raise VerificationError("the request brings more than one new receipt key")
    if len({key.kid for key in request.receipt_keys}) != len(request.receipt_keys):
        raise FormatError("the request names the same receipt key twice")
    return Keyset(
        epoch=epoch,
        not_after_ms=not_after_ms,
        recipients=tuple(
            request.opening if key.kid == request.replaces else key for key in last.recipients
        ),
        receipt_keys=request.receipt_keys,
        fleet_keys=last.fleet_keys,
    )
