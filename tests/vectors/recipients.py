"""Chapter 6: the recipients of a sealed photo, and single bits of all of it."""

from collections.abc import Iterator

import cbor2

from tests.vectors.entries import BOOT
from tests.vectors.hospital import HYBRID_KEYS, P256_KEYS
from tests.vectors.photos import (
    CONSENT,
    CONTENT,
    INTENT,
    P256,
    P256_BOXES,
    PLAIN,
    RECIPIENT,
    SEALED,
    case,
    digest,
    register,
    ws,
)
from tests.vectors.sealing import (
    CONTENT_TYPE,
    GATEWAY,
    GATEWAY_P256,
    GCM,
    HYBRID,
    IV,
    RECOVERY,
    RECOVERY_P256,
    STRANGER,
    envelope,
    stored_wrap,
)
from tests.vectors.signed import FORMAT, HEADER, OK
from tests.vectors.spelling import det, misspellings
from tests.vectors.writing import Book, Case


def write(book: Book) -> None:
    register(book)
    for chapter in (_recipients, _flips):
        for one in chapter():
            book.add(one)


def _recipients() -> Iterator[Case]:
    good = ws(P256_KEYS)
    ours, theirs = P256_BOXES
    assert isinstance(ours, list) and isinstance(theirs, list)

    def made(*recipients: object) -> bytes:
        return envelope(good, PLAIN, list(recipients))

    protected, unprotected, wrapped = ours
    enc = unprotected[-4]
    known = cbor2.loads(protected)
    yield case(made(), FORMAT, "no recipient")
    yield case(made(ours), OK, "one recipient")
    four = [stored_wrap(key, GCM) for key in (GATEWAY_P256, RECOVERY_P256, GATEWAY, RECOVERY)]
    yield case(made(*four), OK, "four recipients")
    yield case(made(*four, stored_wrap(STRANGER, GCM)), FORMAT, "five recipients")
    yield case(made(theirs, ours), OK, "the recipients in another order")
    yield case(made(ours, ours), FORMAT, "the same recipient twice")
    again = [protected, {-4: theirs[1][-4]}, theirs[2]]
    yield case(made(ours, again), FORMAT, "one key with two wrapped content keys")
    yield case(made(theirs), RECIPIENT, "our recipient is left out")
    for box, why in (
        ([theirs[0], unprotected, wrapped], "our wrapped key under the other key's name"),
        ([protected, *theirs[1:]], "the other key's wrapped key under our name"),
        ([protected, theirs[1], wrapped], "the other key's encapsulation"),
        ([protected, unprotected, theirs[2]], "the other key's ciphertext"),
        ([protected, unprotected, bytes(48)], "zeros in place of the wrapped key"),
        ([protected, {-4: b"\4" + bytes(64)}, wrapped], "an encapsulation that is no point"),
        ([protected, {-4: b"\2" + enc[1:]}, wrapped], "an encapsulation of another form"),
        ([protected, {-4: bytes(65)}, wrapped], "an encapsulation of zeros"),
        ([protected, {-4: enc[:33] + bytes(32)}, wrapped], "an encapsulation off the curve"),
    ):
        yield case(made(box), RECIPIENT, why)
    hybrid = stored_wrap(GATEWAY, GCM)
    hybrid_enc = cbor2.loads(det(hybrid))[1][-4]
    zero = [hybrid[0], {-4: hybrid_enc[:1088] + bytes(32)}, hybrid[2]]
    for box, why in (
        (zero, "X25519's share is zero"),
        ([hybrid[0], {-4: bytes(1088) + hybrid_enc[1088:]}, hybrid[2]], "ML-KEM's share is zero"),
        ([hybrid[0], {-4: hybrid_enc[:1088] + b"\1" + bytes(31)}, hybrid[2]], "X25519 of order 4"),
    ):
        data = envelope(ws(HYBRID_KEYS), PLAIN, [box])
        yield case(data, RECIPIENT, why, "envelope hybrid", key="gateway")
    long = [det({**known, 1: HYBRID}), {-4: bytes(1120)}, wrapped]
    yield case(made(long), RECIPIENT, "our key's id under the other suite, as long as that suite's")
    for value, why in (
        ({**known, 1: HYBRID}, "the hybrid suite for a P-256 key"),
        ({**known, 1: 46}, "HPKE-0-KE"),
        ({**known, 1: 52}, "another suite of HPKE"),
        ({**known, 1: -29}, "ECDH-ES + A128KW"),
        ({**known, 1: -6}, "direct"),
        ({**known, 1: -5}, "A256KW"),
        ({**known, 1: "HPKE-7-KE"}, "a suite by name"),
        ({4: known[4]}, "no suite"),
        ({1: known[1]}, "no key id"),
        ({**known, 4: known[4][:31]}, "a key id of 31 bytes"),
        ({**known, 4: known[4].hex()}, "a key id as text"),
        ({**known, 3: 0}, "a content type"),
        ({**known, 2: [4]}, "a critical header"),
        ([53, known[4]], "an array as header"),
    ):
        expect = FORMAT if value == {**known, 1: HYBRID} else HEADER
        yield case(made([det(value), unprotected, wrapped]), expect, f"{why} in a recipient")
    for wrong, why in misspellings(known):
        yield case(made([wrong, unprotected, wrapped]), HEADER, f"{why} in a recipient's header")
    boxes: list[tuple[object, str]] = [
        ([protected, unprotected, wrapped, []], "recipients within a recipient"),
        ([protected, unprotected], "a recipient without a ciphertext"),
        ([protected, {}, wrapped], "a recipient without an encapsulation"),
        ([protected, {-4: enc, -1: b""}, wrapped], "an ephemeral key beside the encapsulation"),
        ([protected, {-4: enc[:64]}, wrapped], "an encapsulation of 64 bytes"),
        ([protected, {-4: enc + b"\0"}, wrapped], "an encapsulation of 66 bytes"),
        ([protected, {-4: enc.hex()}, wrapped], "an encapsulation as text"),
        ([protected, unprotected, wrapped[:47]], "a wrapped key of 47 bytes"),
        ([protected, unprotected, wrapped + b"\0"], "a wrapped key of 49 bytes"),
        ([protected, unprotected, None], "no wrapped key"),
        ([known, unprotected, wrapped], "a recipient's header not wrapped"),
        ([unprotected, protected, wrapped], "a recipient's headers swapped"),
        ({0: protected}, "a recipient that is a map"),
        (protected, "a recipient that is bytes"),
    ]
    for wrong_box, why in boxes:
        yield case(made(wrong_box), FORMAT, why)
    start = SEALED[P256][: -len(det(P256_BOXES))]
    for wrong, why in misspellings(P256_BOXES):
        yield case(start + wrong, FORMAT, f"{why} in the recipients")
    yield case(start + det({0: P256_BOXES}), FORMAT, "the recipients in a map")
    yield case(start + det(det(P256_BOXES)), FORMAT, "the recipients wrapped")


def _flips() -> Iterator[Case]:
    """One bit changed; what must come of it follows from where it stands."""
    for name, key, stride in (
        (P256, "gateway-p256", 9),
        ("envelope p256 chacha", "gateway-p256", 29),
        ("envelope hybrid", "gateway", 61),
    ):
        data = SEALED[name]
        for at, bit, expect, where in (*_header_bits(data, stride), *_other_bits(data, stride)):
            changed = bytearray(data)
            changed[at] ^= 1 << bit
            yield case(bytes(changed), expect, f"bit {bit} of byte {at}: {where}", name, key=key)


Bit = tuple[int, int, str, str]


def _header_bits(data: bytes, stride: int) -> Iterator[Bit]:
    header = cbor2.loads(data).value[0]
    start = data.index(header)
    hashes = [digest(CONSENT), digest(INTENT), BOOT, cbor2.loads(header)["ws"]["keyset"]]
    for part in hashes:
        begin = data.index(part)
        for at in range(begin, begin + 16, stride):
            yield at, at % 8, CONTENT, "a hash or id in the header"
    device, kind = data.index(b"ward-7"), data.index(CONTENT_TYPE.encode())
    yield device + 5, 0, CONTENT, "ward-7 becomes ward-6"
    yield device, 5, HEADER, "ward-7 becomes Ward-7"
    for at in range(kind, kind + len(CONTENT_TYPE), stride):
        yield at, at % 8, HEADER, "the content type"
    yield start, 0, HEADER, "the header's own map"
    yield start + 2, 0, HEADER, "the algorithm"


def _other_bits(data: bytes, stride: int) -> Iterator[Bit]:
    header, _, ciphertext, (ours, theirs) = cbor2.loads(data).value
    iv = data.index(IV)
    for at in (0, 1, 2, 3, data.index(header) - 1, iv - 1, iv - 2):
        for bit in (0, 2, 5, 7):
            yield at, bit, FORMAT, "an item's head"
    for at in range(iv, iv + 12, max(1, stride // 8)):
        yield at, at % 8, CONTENT, "the IV"
    begin = data.index(ciphertext)
    for at in (*range(begin, begin + len(ciphertext), stride), begin + len(ciphertext) - 1):
        yield at, at % 8, CONTENT, "the content"
    for box, expect, where in (
        (ours, RECIPIENT, "our recipient"),
        (theirs, OK, "the other's recipient: only the photo id shows it"),
    ):
        for part in (cbor2.loads(box[0])[4], box[1][-4], box[2]):
            begin = data.index(part)
            for at in range(begin, begin + len(part), stride):
                yield at, at % 8, expect, where
