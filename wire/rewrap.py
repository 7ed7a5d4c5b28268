"""A sealed photo's content key, wrapped once more: for keys that came after the photo.

    ["wardseal-rewrap/1", photo, [ recipient, ... ]]

The photo's id covers the envelope with its recipients, and the device signed that id. So a
re-wrap never touches the envelope: it lies beside it, with recipients exactly as an envelope has
them (docs/spec/envelope.md). Nothing in it is signed, and nothing has to be: what it leads to is
a key, and only the right one decrypts the content that the device signed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from base.errors import FormatError
from wire import cbor, envelope
from wire.envelope import MAX_RECIPIENTS, Envelope, Recipient
from wire.hpke import SUITES, RecipientPrivate, RecipientPublic

_KIND: Final = "wardseal-rewrap/1"
LARGEST: Final = 64 + MAX_RECIPIENTS * 1400


@dataclass(frozen=True)
class Rewrap:
    """Further recipients of ``photo`` (its id, 32 bytes); nothing in it is verified."""

    photo: bytes
    recipients: tuple[Recipient, ...]


def make(
    sealed: Envelope, photo: bytes, key: RecipientPrivate, recipients: Sequence[RecipientPublic]
) -> bytes:
    """Wrap the content key of an envelope that ``key`` opens for ``recipients``.

    Raises NotForThisKey when ``key`` does not open it.
    """
    content_key = envelope.content_key(sealed, key)
    boxes = [envelope.wrap(content_key, recipient, sealed.alg) for recipient in recipients]
    return cbor.encode([_KIND, photo, boxes])


def size(photo: bytes, recipients: Sequence[RecipientPublic]) -> int:
    """Return how many bytes ``make`` gives for so many recipients."""
    empty = [
        [envelope.recipient_header(to), {-4: bytes(SUITES[to.suite].enc_length)}, bytes(48)]
        for to in recipients
    ]
    return len(cbor.encode([_KIND, photo, empty]))


def parse(data: cbor.Buffer) -> Rewrap:
    """Take a re-wrap apart. Any deviation from the format is a FormatError."""
    match cbor.decode(data, limit=LARGEST, what="re-wrap"):
        case [str(kind), bytes(photo), list(boxes)] if kind == _KIND and len(photo) == 32:
            return Rewrap(photo, envelope.parse_recipients(boxes))
    raise FormatError("re-wrap: it is not what the format says")


def extended(sealed: Envelope, recipients: Sequence[Recipient]) -> Envelope:
    """Return an envelope that the keys of a re-wrap open as well; only to be opened."""
    ours = {box.kid for box in sealed.recipients}
    more = tuple(box for box in recipients if box.kid not in ours)
    return replace(sealed, recipients=sealed.recipients + more)
