"""The sealed photo: a COSE_Encrypt whose content key is wrapped for every hospital key.

    96([ protected, {5: iv}, ciphertext, [ [protected, {-4: ek}, wrapped key], ... ] ])

``protected`` (authenticated with the content) says which device, boot, consent, intent and
keyset the photo belongs to, and nothing about a patient. The plaintext is a CBOR array of the
private header and the JPEG. The photo's id is SHA-256 of the whole encoding.

Everything here works in place: the plaintext is one buffer of the caller's, the ciphertext
goes straight to where it will stay, and parsing hands out views. Megabytes are never copied.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from base.errors import FormatError
from wire import cbor, hpke, shapes
from wire.errors import ContentChanged, HeaderError, NotForThisKey
from wire.ledger import ClockTrust
from wire.shapes import Count, Hash, Id16, Millis, Range, ShortText, Size
from wire.topics import DeviceId

VERSION: Final = 1
CONTENT_TYPE: Final = "application/vnd.wardseal.photo+cbor"
AES_256_GCM: Final = 3
CHACHA20_POLY1305: Final = 24
CONTENT_ALGS: Final[dict[int, type[AESGCM] | type[ChaCha20Poly1305]]] = {
    AES_256_GCM: AESGCM,
    CHACHA20_POLY1305: ChaCha20Poly1305,
}
KEY_LENGTH: Final = 32
MAX_JPEG: Final = 36 * 1024 * 1024
MAX_ENVELOPE: Final = 40 * 1024 * 1024
MAX_RECIPIENTS: Final = 4
_TAG_ENCRYPT: Final = 96
_TAG_LENGTH: Final = 16
_IV_LENGTH: Final = 12
_MAX_PRIVATE: Final = 4096
MOST_BANDS: Final = 4

Code = Annotated[str, Size(1, 100)]


@dataclass(frozen=True)
class Header:
    """The protected header. ``seq`` is the INTENT entry's number, ``length`` the plaintext's."""

    device: DeviceId
    boot: Id16
    seq: Count
    consent: Hash
    intent: Hash
    epoch: Annotated[int, Range(1, 2**31)]
    keyset: Hash
    time_ms: Millis
    trust: ClockTrust
    length: Annotated[int, Range(1, MAX_ENVELOPE)]
    version: Annotated[int, Range(VERSION, VERSION)] = VERSION


@dataclass(frozen=True)
class Private:
    """What travels inside, for the hospital only: codes as scanned, bed, quality, label data.

    ``band`` is the one wristband of the window; where more than one was seen there is ``bands``
    instead, and nobody can tell whose photo it is. ``salt`` belongs to ``badge``
    (``wire.attestation``). How a code is written: docs/spec/envelope.md.
    """

    bed: ShortText
    quality: Annotated[dict[str, object], Size(0, 16)]
    band: Code | None = None
    bands: Annotated[tuple[Code, ...], Size(2, MOST_BANDS)] | None = None
    badge: Code | None = None
    salt: Annotated[bytes, Size(32, 32)] | None = None
    label: Annotated[dict[str, object], Size(0, 16)] | None = None

    def __post_init__(self) -> None:
        if self.band is not None and self.bands is not None:
            raise FormatError("private header: one band or several, not both")
        if self.bands is not None and len(set(self.bands)) != len(self.bands):
            raise FormatError("private header: the same band twice")
        if (self.badge is None) != (self.salt is None):
            raise FormatError("private header: a badge and its salt go together")


@dataclass(frozen=True)
class Recipient:
    """One wrapped content key."""

    protected: bytes
    alg: int
    kid: bytes
    enc: bytes
    wrapped: bytes


@dataclass(frozen=True)
class Envelope:
    """A parsed envelope, nothing in it verified; ``ciphertext`` is a view of the input."""

    protected: bytes
    alg: int
    header: Header
    iv: bytes
    ciphertext: memoryview
    recipients: tuple[Recipient, ...]


@dataclass(frozen=True)
class Content:
    """An opened photo; ``jpeg`` is a view of the buffer that the caller gave and wipes."""

    private: Private
    jpeg: memoryview


def protected_header(header: Header, alg: int) -> bytes:
    """Return the encoded protected header (RFC 9052 section 3)."""
    return cbor.encode({1: alg, 3: CONTENT_TYPE, "ws": shapes.to_map(header)})


def content_prefix(private: Private, jpeg_length: int) -> bytes:
    """Return what stands before the JPEG in the plaintext: ``[private, h'...`` up to the bytes."""
    encoded = shapes.pack(private)
    if len(encoded) > _MAX_PRIVATE or not 0 < jpeg_length <= MAX_JPEG:
        raise FormatError("the private header or the JPEG is larger than a photo may be")
    return cbor.head(cbor.ARRAY, 2) + encoded + cbor.head(cbor.BYTES, jpeg_length)


def room(plaintext_length: int) -> int:
    """Return how many bytes an envelope of so long a plaintext can take at most."""
    return plaintext_length + 1024 + MAX_RECIPIENTS * 1400


def seal_into(
    out: memoryview,
    *,
    header: Header,
    plaintext: memoryview,
    key: cbor.Buffer,
    recipients: Sequence[hpke.RecipientPublic],
    alg: int = AES_256_GCM,
) -> int:
    """Write the envelope of ``plaintext`` to ``out`` and return its length.

    ``out`` needs ``room(len(plaintext))`` bytes. ``key`` is a fresh 32-byte content key in a
    buffer of the caller's, who wipes it, like ``plaintext``, right after.
    """
    if header.length != len(plaintext):
        raise FormatError("the header's length is not the plaintext's")
    if alg not in CONTENT_ALGS:
        raise HeaderError(f"the content encryption algorithm {alg} is not known")
    if not 0 < len({to.kid for to in recipients}) == len(recipients) <= MAX_RECIPIENTS:
        raise FormatError(f"a photo is sealed to 1 to {MAX_RECIPIENTS} different keys")
    protected = protected_header(header, alg)
    iv = os.urandom(_IV_LENGTH)
    total = len(plaintext) + _TAG_LENGTH
    start = b"".join(
        (
            cbor.head(cbor.TAG, _TAG_ENCRYPT),
            cbor.head(cbor.ARRAY, 4),
            cbor.encode(protected),
            cbor.encode({5: iv}),
            cbor.head(cbor.BYTES, total),
        )
    )
    end = len(start) + total
    out[: len(start)] = start
    CONTENT_ALGS[alg](key).encrypt_into(
        iv, plaintext, _content_aad(protected), out[len(start) : end]
    )
    boxes = cbor.encode([wrap(key, recipient, alg) for recipient in recipients])
    out[end : end + len(boxes)] = boxes
    return end + len(boxes)


def wrap(key: cbor.Buffer, recipient: hpke.RecipientPublic, alg: int) -> list[object]:
    """Return the content key of an envelope with content algorithm ``alg``, for one recipient."""
    protected = recipient_header(recipient)
    enc, wrapped = recipient.wrap(key, _recipient_info(alg, protected))
    return [protected, {-4: enc}, wrapped]


def recipient_header(recipient: hpke.RecipientPublic) -> bytes:
    """Return the protected header of one recipient: its suite and its key's thumbprint."""
    return cbor.encode({1: recipient.alg, 4: recipient.kid})


def parse(data: cbor.Buffer) -> Envelope:
    """Take an envelope apart. Any deviation from the format is a FormatError.

    One key cannot be named twice: AES-GCM commits to no key, so two content keys for one reader
    could make two pictures of one ciphertext, and it would be open which of them is "the" photo.
    """
    if len(data) > MAX_ENVELOPE:
        raise FormatError(f"an envelope of {len(data)} bytes; at most {MAX_ENVELOPE} are allowed")
    reader = cbor.Reader(data, "envelope")
    reader.expect(cbor.TAG, _TAG_ENCRYPT)
    reader.expect(cbor.ARRAY, 4)
    protected = bytes(reader.bytes(1024))
    reader.expect(cbor.MAP, 1)
    reader.expect(0, 5)
    iv = bytes(reader.bytes(_IV_LENGTH))
    ciphertext = reader.bytes(MAX_ENVELOPE)
    alg, header = _parse_header(protected)
    if len(iv) != _IV_LENGTH or len(ciphertext) != header.length + _TAG_LENGTH:
        raise FormatError("envelope: its lengths do not fit together")
    boxes = cbor.decode(reader.rest(), limit=MAX_RECIPIENTS * 1400, what="envelope recipients")
    return Envelope(protected, alg, header, iv, ciphertext, parse_recipients(boxes))


def parse_recipients(boxes: object) -> tuple[Recipient, ...]:
    """Take a list of recipients apart; no key may stand in it twice."""
    if not isinstance(boxes, list) or not 0 < len(boxes) <= MAX_RECIPIENTS:
        raise FormatError(f"envelope: it needs 1 to {MAX_RECIPIENTS} recipients")
    recipients = tuple(map(_parse_recipient, boxes))
    if len({box.kid for box in recipients}) != len(recipients):
        raise FormatError("envelope: it names the same key twice")
    return recipients


def _parse_header(protected: bytes) -> tuple[int, Header]:
    try:
        match cbor.decode(protected, limit=1024, what="envelope header"):
            case {1: int(alg), 3: str(kind), "ws": dict(ours), **rest} if not rest:
                header = shapes.from_map(Header, ours, "envelope header")
            case _:
                raise HeaderError("envelope header must have alg, content type and ws only")
    except FormatError as e:
        raise HeaderError(str(e)) from e
    if alg not in CONTENT_ALGS:
        raise HeaderError(f"the content encryption algorithm {alg} is not known")
    if kind != CONTENT_TYPE:
        raise HeaderError(f"envelope header: the content type {kind[:60]!r} is not known")
    return alg, header


def _parse_recipient(box: object) -> Recipient:
    match box:
        case [bytes(protected), {-4: bytes(enc), **rest}, bytes(wrapped)] if not rest:
            alg, kid = _parse_recipient_header(protected)
            hpke.check_lengths(hpke.suite_of(alg), enc, wrapped)
            return Recipient(protected, alg, kid, enc, wrapped)
    raise FormatError("envelope: a recipient is not what the format says")


def _parse_recipient_header(protected: bytes) -> tuple[int, bytes]:
    try:
        found = cbor.decode(protected, limit=128, what="recipient header")
    except FormatError as e:
        raise HeaderError(str(e)) from e
    match found:
        case {1: int(alg), 4: bytes(kid), **rest} if not rest and len(kid) == 32:
            return alg, kid
    raise HeaderError("envelope: a recipient's header must have alg and kid only")


def names_recipients(envelope: Envelope, recipients: Sequence[hpke.RecipientPublic]) -> bool:
    """Tell whether the envelope is sealed to exactly these keys, in this order."""
    return [box.protected for box in envelope.recipients] == [
        recipient_header(recipient) for recipient in recipients
    ]


def open_into(envelope: Envelope, private: hpke.RecipientPrivate, out: memoryview) -> Content:
    """Decrypt into ``out`` (at least ``header.length`` bytes) and take the content apart.

    Raises NotForThisKey if the envelope is not sealed to ``private``, ContentChanged if it does
    not decrypt; then nothing in ``out`` may be used.
    """
    key = content_key(envelope, private)
    plaintext = out[: envelope.header.length]
    try:
        CONTENT_ALGS[envelope.alg](key).decrypt_into(
            envelope.iv, envelope.ciphertext, _content_aad(envelope.protected), plaintext
        )
    except (InvalidTag, ValueError) as e:
        raise ContentChanged("the photo was changed after it was sealed") from e
    return _parse_content(plaintext)


def content_key(envelope: Envelope, private: hpke.RecipientPrivate) -> bytes:
    """Return the key of the content. Raises NotForThisKey."""
    kid = private.public.kid
    box = next((box for box in envelope.recipients if box.kid == kid), None)
    if box is None or box.alg != private.public.alg:
        raise NotForThisKey("the photo is not sealed to this key")
    return private.unwrap(box.enc, box.wrapped, _recipient_info(envelope.alg, box.protected))


def _parse_content(plaintext: memoryview) -> Content:
    reader = cbor.Reader(plaintext, "photo content")
    reader.expect(cbor.ARRAY, 2)
    first = cbor.Reader(reader.view[reader.at :][:_MAX_PRIVATE], "private header")
    private = first.value()
    reader.at += first.at
    jpeg = reader.bytes(MAX_JPEG)
    reader.end()
    if not jpeg:
        raise FormatError("photo content: there is no JPEG in it")
    start = len(plaintext) - len(jpeg)
    return Content(shapes.from_map(Private, private, "private header"), plaintext[start:])


def _content_aad(protected: bytes) -> bytes:
    """The Enc_structure of RFC 9052 section 5.3."""
    return cbor.encode(["Encrypt", protected, b""])


def _recipient_info(content_alg: int, protected: bytes) -> bytes:
    """The Recipient_structure of draft-ietf-cose-hpke, used as HPKE ``info``."""
    return cbor.encode(["HPKE Recipient", content_alg, protected, b""])
