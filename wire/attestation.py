"""Who attested, for the hospital alone: a badge inside the envelope, its commitment on the ledger.

The ledger names nobody (P9). Its ATTEST entry holds a hash over the badge's code and a salt that
nobody can guess; both travel in the private header of each photo that was taken after it. Each
INTENT names the commitment again, so that a photo can be checked before the ledger has come, and
a badge cannot be put in, taken out or exchanged afterwards.
"""

import hashlib
from collections.abc import Iterable
from typing import Final

from wire import cbor, events
from wire.envelope import Private
from wire.errors import BrokenLink
from wire.ledger import SignedEntry

SALT_LENGTH: Final = 32
_DOMAIN: Final = "wardseal-badge/1"


def commitment(salt: bytes, badge: str) -> bytes:
    """Return the hash that ATTEST and INTENT hold for a badge's code."""
    return hashlib.sha256(cbor.encode([_DOMAIN, salt, badge])).digest()


def check_badge(private: Private, intent: SignedEntry) -> bool:
    """Say whether a badge stands behind the photo; BrokenLink unless it is the INTENT's."""
    body: events.Intent = events.body_of(intent.entry)
    if private.badge is None or private.salt is None:
        if body.attest is not None:
            raise BrokenLink("the INTENT entry names a badge, and there is none in the photo")
        return False
    if body.attest is None:
        raise BrokenLink("there is a badge in the photo that its INTENT entry does not name")
    if commitment(private.salt, private.badge) != body.attest:
        raise BrokenLink("the badge in the photo is another than its INTENT entry names")
    return True


def attest_of(intent: SignedEntry, ledger: Iterable[SignedEntry]) -> SignedEntry | None:
    """Find the ATTEST entry that this INTENT names: the same consent's, and before it."""
    body: events.Intent = events.body_of(intent.entry)
    for signed in ledger:
        if signed.entry.seq >= intent.entry.seq:
            break
        match events.body_of(signed.entry):
            case events.Attest(consent=body.consent, commitment=body.attest):
                return signed
    return None
