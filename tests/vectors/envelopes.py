"""Chapter 5: the sealed photo as a whole: header, frame, content."""

from collections.abc import Iterator

import cbor2

from tests.vectors.hospital import P256_KEYS
from tests.vectors.photos import (
    BADGE,
    BAND,
    CONTENT,
    HEADER_FIELDS,
    JPEG,
    MAX_ENVELOPE,
    P256,
    P256_BOXES,
    PLAIN,
    PRIVATE,
    PRIVATE_FIELDS,
    RECIPIENT,
    SALT,
    SEALED,
    SMALL,
    boxes,
    case,
    register,
    ws,
)
from tests.vectors.sealing import (
    CHACHA,
    CONTENT_TYPE,
    GATEWAY,
    GATEWAY_P256,
    GCM,
    IV,
    RECOVERY,
    RECOVERY_P256,
    STRANGER,
    content,
    envelope,
    seed,
)
from tests.vectors.shapes_of_spec import right_maps, wrong_maps
from tests.vectors.signed import FORMAT, HEADER, LINK, OK
from tests.vectors.spelling import det, head, misspellings
from tests.vectors.writing import Book, Case


def write(book: Book) -> None:
    register(book)
    for chapter in (_openings, _headers, _frames, _other_content, _contents):
        for one in chapter():
            book.add(one)


def _openings() -> Iterator[Case]:
    can = {
        "envelope p256": ("gateway-p256", "recovery-p256"),
        "envelope p256 chacha": ("gateway-p256", "recovery-p256"),
        "envelope hybrid": ("gateway", "recovery"),
        "envelope hybrid chacha": ("gateway", "recovery"),
        "envelope mixed": ("gateway", "gateway-p256"),
    }
    for name, data in SEALED.items():
        yield case(data, OK, "parsed without a key", name, key=None)
        for key in (GATEWAY, RECOVERY, GATEWAY_P256, RECOVERY_P256, STRANGER):
            expect = OK if key.name in can[name] else RECIPIENT
            yield case(data, expect, f"{name} opened with {key.name}", name, key=key.name)
        for keys in ("keyset p256", "keyset hybrid"):
            expect = OK if name.split()[1] == keys.split()[1] else LINK
            yield case(data, expect, f"{name} under {keys}", name, key=None, keyset=keys)
    for changed, why in (
        ({"epoch": 5}, "the header names another epoch than its keyset has"),
        ({"keyset": seed("x")}, "the header names another keyset"),
    ):
        data = envelope(ws(P256_KEYS, **changed), PLAIN, P256_BOXES)
        yield case(data, LINK, why, key=None, keyset="keyset p256")
    for found, why in (
        ((GATEWAY_P256,), "the recovery key is left out"),
        ((RECOVERY_P256, GATEWAY_P256), "the recipients are in another order"),
        ((GATEWAY_P256, RECOVERY_P256, STRANGER), "a stranger is among the recipients"),
        ((GATEWAY_P256, STRANGER), "a stranger stands in the recovery key's place"),
        ((STRANGER,), "only a stranger can open it"),
    ):
        data = envelope(ws(P256_KEYS), PLAIN, boxes(*found))
        yield case(data, LINK, why, key=None, keyset="keyset p256")
        if GATEWAY_P256 in found:
            yield case(data, OK, f"{why}: it opens, so the keyset must be compared")


def _headers() -> Iterator[Case]:
    """Other protected headers, the content encrypted under each."""
    small = content(PRIVATE, SMALL)
    good = ws(P256_KEYS, len(small))
    for header, why in right_maps(HEADER_FIELDS, good):
        if header["length"] == len(small):
            yield case(envelope(header, small, P256_BOXES), OK, why)
    for header, why in wrong_maps(HEADER_FIELDS, good):
        yield case(envelope(header, small, P256_BOXES), HEADER, why)
    for length in (1, len(small) - 1, len(small) + 1, len(small) + 16, MAX_ENVELOPE):
        data = envelope({**good, "length": length}, small, P256_BOXES)
        yield case(data, FORMAT, f"the header says {length} bytes of content")
    whole = {1: GCM, 3: CONTENT_TYPE, "ws": good}
    for value, why in (
        ({**whole, 1: 1}, "AES-128-GCM"),
        ({**whole, 1: 2}, "AES-192-GCM"),
        ({**whole, 1: 30}, "AES-CCM"),
        ({**whole, 1: -65531}, "AES-256-CBC"),
        ({**whole, 1: -6}, "direct"),
        ({**whole, 1: "A256GCM"}, "an algorithm by name"),
        ({3: CONTENT_TYPE, "ws": good}, "no algorithm"),
        ({1: GCM, "ws": good}, "no content type"),
        ({1: GCM, 3: CONTENT_TYPE}, "no header of ours"),
        ({**whole, 3: "image/jpeg"}, "another content type"),
        ({**whole, 3: CONTENT_TYPE.upper()}, "the content type in another case"),
        ({**whole, 3: 0}, "a content type by number"),
        ({**whole, 2: ["ws"]}, "a critical header"),
        ({**whole, 4: b"kid"}, "a key id"),
        ({**whole, 5: IV}, "a protected IV"),
        ({**whole, "ws": [good]}, "our header in an array"),
        ({**whole, "ws": {}}, "an empty header of ours"),
        ([whole], "an array"),
    ):
        yield case(envelope(None, small, P256_BOXES, header=det(value)), HEADER, why)
    yield case(envelope(None, small, P256_BOXES, header=b""), HEADER, "an empty protected header")
    for wrong, why in misspellings(whole):
        yield case(envelope(None, small, P256_BOXES, header=wrong), HEADER, why)


def _frames() -> Iterator[Case]:
    """The COSE_Encrypt around header, content and recipients."""
    good, data = ws(P256_KEYS), SEALED[P256]
    for tag, why in ((16, "COSE_Encrypt0"), (18, "COSE_Sign1"), (97, "COSE_Mac")):
        yield case(envelope(good, PLAIN, P256_BOXES, tag=tag), FORMAT, f"the tag of {why}")
    yield case(data[2:], FORMAT, "no tag")
    yield case(b"\xd9\x00\x60" + data[2:], FORMAT, "the tag in three bytes")
    for count in (3, 5):
        made = envelope(good, PLAIN, P256_BOXES, count=count)
        yield case(made, FORMAT, f"an array of {count}")
    for more, why in ((b"\0", "a byte"), (b"\xf6", "a null"), (data, "the envelope again")):
        yield case(data + more, FORMAT, f"{why} behind the envelope")
    for unprotected, why in (
        ({}, "no IV"),
        ({5: IV[:11]}, "an IV of 11 bytes"),
        ({5: IV + b"\0"}, "an IV of 13 bytes"),
        ({5: IV.hex()}, "an IV as text"),
        ({6: IV}, "a partial IV"),
        ({5: IV, 6: b"x"}, "an IV and a partial IV"),
        ({4: b"kid", 5: IV}, "a key id beside the IV"),
        ([5, IV], "an array in place of the unprotected header"),
    ):
        made = envelope(good, PLAIN, P256_BOXES, unprotected=det(unprotected))
        yield case(made, FORMAT, why)
    other = envelope(good, PLAIN, P256_BOXES, unprotected=det({5: seed("x")[:12]}))
    yield case(other, CONTENT, "another IV than the content's")
    for context in ("Encrypt0", "Enc_Recipient"):
        made = envelope(good, PLAIN, P256_BOXES, context=context)
        yield case(made, CONTENT, f"encrypted as {context}")
    made = envelope(good, PLAIN, P256_BOXES, key=seed("another content key"))
    yield case(made, CONTENT, "encrypted with another content key")
    header, ciphertext = cbor2.loads(data).value[0], cbor2.loads(data).value[2]
    start, tail = head(6, 96) + head(4, 4), det({5: IV})
    for parts, why in (
        ([det(header), tail, b"\xf6", det(P256_BOXES)], "the content detached"),
        (
            [tail, det(header), det(ciphertext), det(P256_BOXES)],
            "protected and unprotected swapped",
        ),
        ([det(header), tail, det(P256_BOXES), det(ciphertext)], "content and recipients swapped"),
        ([header, tail, det(ciphertext), det(P256_BOXES)], "protected not wrapped"),
        ([det(header), tail, det(ciphertext.hex()), det(P256_BOXES)], "the content as text"),
        (
            [
                det(header),
                tail,
                b"\x5f" + det(ciphertext[:9]) + det(ciphertext[9:]) + b"\xff",
                det(P256_BOXES),
            ],
            "the content in chunks",
        ),
        ([det(header), tail, b"\x5a\0\0" + det(ciphertext)[1:], det(P256_BOXES)], "a long head"),
        ([det(header), tail, det(ciphertext[:-1]), det(P256_BOXES)], "the content a byte short"),
        (
            [det(header), tail, det(ciphertext[:-16]), det(P256_BOXES)],
            "the content without its tag",
        ),
        ([det(header), tail, det(b""), det(P256_BOXES)], "no content"),
        ([det(header), tail, b"\x5b" + b"\xff" * 8, det(P256_BOXES)], "2**64 - 1 bytes promised"),
    ):
        yield case(start + b"".join(parts), FORMAT, why)
    for length in sorted({0, 1, 2, 3, *range(4, len(data), 29), len(data) - 1}):
        yield case(data[:length], FORMAT, f"cut after {length} bytes")


def _other_content() -> Iterator[Case]:
    """Other ciphertexts under a good header, and algorithms mixed up."""
    good = ws(P256_KEYS)
    header, _, ciphertext, _ = cbor2.loads(SEALED[P256]).value
    start, tail = head(6, 96) + head(4, 4), det({5: IV})
    rotated = ciphertext[1:] + ciphertext[:1]
    spliced = ciphertext[:16] + ciphertext[32:48] + ciphertext[16:32] + ciphertext[48:]
    foreign = cbor2.loads(SEALED["envelope hybrid"]).value[2]
    for changed, why in (
        (rotated, "the content rotated by a byte"),
        (spliced, "two blocks of content swapped"),
        (foreign, "another envelope's content"),
        (bytes(len(ciphertext)), "the content zeroed"),
    ):
        yield case(start + det(header) + tail + det(changed) + det(P256_BOXES), CONTENT, why)
    # Chacha's recipients are bound to chacha: the header alone cannot turn one into the other.
    chacha = boxes(GATEWAY_P256, RECOVERY_P256, alg=CHACHA)
    yield case(envelope(good, PLAIN, chacha), RECIPIENT, "recipients made for ChaCha20-Poly1305")
    made = envelope(good, PLAIN, P256_BOXES, alg=CHACHA)
    yield case(made, RECIPIENT, "ChaCha20-Poly1305 with recipients made for AES-GCM")
    swapped = det({1: CHACHA, 3: CONTENT_TYPE, "ws": good})
    made = envelope(None, PLAIN, chacha, header=swapped)
    yield case(made, CONTENT, "the header says ChaCha20-Poly1305, the content is AES-GCM")


def _contents() -> Iterator[Case]:
    """Other plaintexts, well encrypted."""

    def made(plain: bytes) -> bytes:
        return envelope(ws(P256_KEYS, len(plain)), plain, P256_BOXES)

    alone = {name: PRIVATE_FIELDS[name] for name in ("bed", "quality", "band", "label")}
    for inside, why in right_maps(alone, {**PRIVATE, "band": "1", "label": {}}):
        yield case(made(content(inside, JPEG)), OK, f"private header: {why}")
    several = ["x" * 100, "ä" * 50, BAND, "1"]
    for more, expect, why in (
        ({"bands": several}, OK, "four bands"),
        ({"bands": several[:2]}, OK, "two bands"),
        ({"bands": [*several, "2"]}, FORMAT, "five bands"),
        ({"bands": [BAND]}, FORMAT, "a single band among several"),
        ({"bands": [BAND, BAND]}, FORMAT, "the same band twice"),
        ({"bands": [BAND, ""]}, FORMAT, "an empty band among several"),
        ({"bands": [BAND, b"1"]}, FORMAT, "a band of bytes among several"),
        ({"band": "1", "bands": several}, FORMAT, "one band and several"),
        ({"badge": "x" * 100, "salt": SALT}, OK, "a badge of 100 bytes with its salt"),
        ({"badge": BADGE}, FORMAT, "a badge without a salt"),
        ({"salt": SALT}, FORMAT, "a salt without a badge"),
        ({"badge": BADGE, "salt": SALT[1:]}, FORMAT, "a salt of 31 bytes"),
        ({"badge": "", "salt": SALT}, FORMAT, "an empty badge"),
    ):
        inside = {**PRIVATE, **more}
        yield case(made(content(inside, JPEG)), expect, f"private header: {why}")
    for inside, why in wrong_maps(PRIVATE_FIELDS, PRIVATE):
        yield case(made(content(inside, JPEG)), FORMAT, f"private header: {why}")
    for wrong, why in misspellings(PRIVATE):
        plain = head(4, 2) + wrong + det(JPEG)
        yield case(made(plain), FORMAT, f"private header: {why}")

    def private(**changed: object) -> dict[str, object]:
        return {**PRIVATE, **changed}

    many: dict[str, object] = {str(n): 0 for n in range(17)}
    for plain, why in (
        (JPEG, "a bare JPEG"),
        (b"\0", "a single zero"),
        (det([PRIVATE]), "no JPEG"),
        (det([PRIVATE, JPEG, b""]), "three parts"),
        (det([JPEG, PRIVATE]), "the two parts swapped"),
        (det({1: JPEG}), "a map"),
        (det([PRIVATE, b""]), "an empty JPEG"),
        (det([PRIVATE, JPEG]) + b"\0", "a byte behind the JPEG"),
        (det([PRIVATE, JPEG])[:-1], "the JPEG a byte short"),
        (det([PRIVATE, JPEG.hex()]), "the JPEG as text"),
        (content(private(quality=many), JPEG), "17 measures of quality"),
        (content(private(label=many), JPEG), "17 facts of the label"),
        (content(private(quality={1: 2}), JPEG), "a measure with a number for a name"),
        (
            content(private(quality={"x": "y" * 4096}), JPEG),
            "a private header over 4096 bytes",
        ),
        (head(4, 2) + det(PRIVATE) + b"\x59\x00\x9f" + JPEG, "the JPEG's length spelled longer"),
    ):
        yield case(made(plain), FORMAT, why)
    for jpeg, why in ((b"\xff", "a JPEG of one byte"), (b"MZ" * 300, "a JPEG that is none")):
        yield case(made(content(PRIVATE, jpeg)), OK, f"{why}: for the decoder to judge")
