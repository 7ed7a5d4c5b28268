"""Chapter 7: the photo file, and whether its proof hangs together."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

import cbor2

from tests.vectors.hospital import P256_KEYS
from tests.vectors.photos import (
    ATTESTED,
    BADGE,
    COMMITMENT,
    CONSENT,
    CONSENT_BODY,
    CONTENT,
    INTENT,
    JPEG,
    MAX_ENVELOPE,
    OPENED,
    P256,
    P256_BOXES,
    PLAIN,
    PRIVATE,
    RECIPIENT,
    SALT,
    SEALED,
    SECOND,
    TYPE,
    Fields,
    boxes,
    consent,
    digest,
    intent,
    register,
    sealed,
    ws,
)
from tests.vectors.sealing import (
    DEVICE,
    GATEWAY_P256,
    OTHER_DEVICE,
    STRANGER,
    TPM_DEVICE,
    content,
    envelope,
    seed,
    sign1,
)
from tests.vectors.signed import FORMAT, KEY, LINK, OK, SIGNATURE, TYPES
from tests.vectors.spelling import det
from tests.vectors.writing import Book, Case


def bundle(entries: Sequence[bytes], photo: bytes) -> bytes:
    return det(["wardseal-photo/1", *entries, photo])


PHOTO = SEALED[P256]
GOOD = (CONSENT, INTENT, sealed(PHOTO, INTENT))
STANDARD: Fields = {"keys": ["device"], "keyset": "keyset p256", "key": "gateway-p256"}


def case(data: bytes, expect: str, why: str, **changed: object) -> Case:
    given = {**STANDARD, **changed}
    value = {"photo": digest(cbor2.loads(data)[4]), **OPENED} if expect == OK else None
    return Case("bundle", "up", data, expect, why, "bundle", given, value)


def write(book: Book) -> None:
    register(book)
    book.base("bundle", bundle(GOOD, PHOTO))
    chapters = (_files, _proofs, _badges, _spoiled, _other_envelopes, _other_headers, _other_keys)
    for chapter in chapters:
        for one in chapter():
            book.add(one)


def _files() -> Iterator[Case]:
    good = bundle(GOOD, PHOTO)
    parts = cbor2.loads(good)
    yield case(good, OK, "a photo with its proof")
    yield case(good, OK, "opened with the recovery key", key="recovery-p256")
    yield case(good, RECIPIENT, "opened with a stranger's key", key="stranger")
    yield case(good, LINK, "under another keyset", keyset="keyset hybrid")
    yield case(good, KEY, "under another device's key", keys=["other-device"])
    yield case(good, KEY, "with no key to trust", keys=[])
    for data, why in (
        (good + b"\0", "a byte behind the file"),
        (good[:-1], "the file a byte short"),
        (b"", "an empty file"),
        (good[1:], "the first byte is missing"),
        (det(parts[1:]), "no name"),
        (det(["wardseal-photo/2", *parts[1:]]), "another version"),
        (det(["wardseal-photo", *parts[1:]]), "no version"),
        (det([*parts, b""]), "a sixth part"),
        (det(parts[:4]), "no envelope"),
        (det([parts[0], cbor2.loads(CONSENT), *parts[2:]]), "an entry that is not wrapped"),
        (b"\x98\x05" + good[1:], "the array's length spelled longer"),
        (PHOTO, "the envelope alone"),
    ):
        yield case(data, FORMAT, why)


def _proofs() -> Iterator[Case]:
    """Entries that are each well signed, but do not belong together."""

    def three(
        consent_more: Fields | None = None,
        intent_more: Fields | None = None,
        sealed_more: Fields | None = None,
        body: Fields | None = None,
    ) -> list[bytes]:
        """Entries that name each other, with fields changed; the envelope stays."""
        one = consent(**(consent_more or {}))  # type: ignore[arg-type]
        two = intent(one, body=body, **(intent_more or {}))  # type: ignore[arg-type]
        return [one, two, sealed(PHOTO, two, **(sealed_more or {}))]  # type: ignore[arg-type]

    last = GOOD[2]
    emergency = consent(body={**CONSENT_BODY, "basis": "emergency"})
    other_ledger, other_boot = seed("x")[:16], seed("second boot")[:16]
    for entries, why in (
        ([emergency, INTENT, last], "another consent"),
        ([INTENT, CONSENT, last], "consent and intent swapped"),
        ([CONSENT, last, INTENT], "intent and sealed swapped"),
        ([CONSENT, CONSENT, last], "the consent twice"),
        ([CONSENT, INTENT, INTENT], "the intent twice"),
        (three(body={"level": "teaching"}), "the INTENT claims teaching, the consent care"),
        (three(body={"basis": "emergency"}), "the INTENT claims another basis"),
        (three(body={"consent": seed("x")}), "the INTENT names no consent of this file"),
        (three(None, {"seq": 2}), "CONSENT and INTENT have one number"),
        (three(None, {"seq": 1}), "the INTENT is older than the consent"),
        (three(None, {"mono_ns": 101 * SECOND}), "the INTENT's time is before the consent"),
        (three(None, {"mono_ns": 463 * SECOND}), "the INTENT is 361 s after the consent"),
        (three(None, {"boot": other_boot}), "the INTENT is of another boot than the consent"),
        (three(None, {"ledger": other_ledger}), "the INTENT is on another ledger"),
        (three(None, {"device": "ward-8"}), "the INTENT is another device's"),
        (three(None, None, {"seq": 3}), "INTENT and SEALED have one number"),
        (three(None, None, {"seq": 1}), "SEALED is older than the INTENT"),
        (three(None, None, {"ledger": other_ledger}), "SEALED is on another ledger"),
        (three(None, None, {"device": "ward-8"}), "SEALED is another device's"),
        (three({"device": "ward-8"}), "the consent is another device's"),
        (
            [CONSENT, INTENT, sealed(PHOTO, INTENT, body={"intent": seed("x")})],
            "SEALED names no INTENT of this file",
        ),
        (
            [CONSENT, INTENT, sealed(PHOTO, INTENT, body={"size": len(PHOTO) - 1})],
            "signed for with another size",
        ),
    ):
        yield case(bundle(entries, PHOTO), LINK, why)
    for size in (0, MAX_ENVELOPE + 1):
        wrong = sealed(PHOTO, INTENT, body={"size": size})
        why = f"SEALED gives a size of {size} bytes"
        yield case(bundle([CONSENT, INTENT, wrong], PHOTO), FORMAT, why)


def _badges() -> Iterator[Case]:
    """What the INTENT says of a badge, and what lies in the photo."""
    other = hashlib.sha256(det(["wardseal-badge/1", SALT, BADGE[:-1] + "2"])).digest()
    unsalted = hashlib.sha256(det(["wardseal-badge/1", b"", BADGE])).digest()
    for attest, inside, expect, why in (
        (COMMITMENT, ATTESTED, OK, "attested by a badge"),
        (COMMITMENT, {**ATTESTED, "badge": BADGE[:-1] + "2"}, LINK, "another badge in the photo"),
        (COMMITMENT, {**ATTESTED, "salt": seed("x")}, LINK, "another salt in the photo"),
        (COMMITMENT, PRIVATE, LINK, "a badge that the INTENT names is not in the photo"),
        (None, ATTESTED, LINK, "a badge in the photo that the INTENT does not name"),
        (other, ATTESTED, LINK, "the INTENT names another badge"),
        (unsalted, ATTESTED, LINK, "the INTENT's commitment has no salt"),
    ):
        two = intent(CONSENT, body={} if attest is None else {"attest": attest})
        plain = content(inside, JPEG)
        header = ws(P256_KEYS, len(plain), intent=digest(two))
        photo = envelope(header, plain, P256_BOXES)
        made = case(bundle((CONSENT, two, sealed(photo, two)), photo), expect, why)
        if expect == OK:
            made = replace(made, value={"photo": digest(photo), "private": inside, "jpeg": JPEG})
        yield made


def _spoiled() -> Iterator[Case]:
    for n, name in enumerate(("CONSENT", "INTENT", "SEALED")):
        parts = list(GOOD)
        edited = bytearray(parts[n])
        edited[-30] ^= 1
        for wrong, expect, why in (
            (bytes(edited), SIGNATURE, f"a bit of {name}'s signature is changed"),
            (parts[n] + b"\0", FORMAT, f"a byte behind {name}"),
            (b"", FORMAT, f"no {name}"),
        ):
            yield case(bundle([*parts[:n], wrong, *parts[n + 1 :]], PHOTO), expect, why)
    strange = consent(OTHER_DEVICE)
    yield case(bundle([strange, *GOOD[1:]], PHOTO), KEY, "another device's consent")
    strange = sign1(DEVICE, TYPES[3], cbor2.loads(cbor2.loads(CONSENT).value[2]))
    yield case(bundle([strange, *GOOD[1:]], PHOTO), TYPE, "a consent signed as a receipt")


def _other_envelopes() -> Iterator[Case]:
    """A good proof beside an envelope that is not the one signed for."""
    others = [
        (SEALED["envelope hybrid"], "another photo"),
        (envelope(ws(P256_KEYS), PLAIN, P256_BOXES[::-1]), "its recipients in another order"),
        (envelope(ws(P256_KEYS), PLAIN, P256_BOXES[:1]), "its recovery recipient taken out"),
    ]
    _, _, ciphertext, (_, theirs) = cbor2.loads(PHOTO).value
    places = [
        (theirs[1][-4], 20, "the recovery recipient's encapsulation"),
        (theirs[2], 20, "the recovery recipient's wrapped key"),
    ]
    places += [(ciphertext, at, "the content") for at in range(0, len(ciphertext), 16)]
    for part, at, where in places:
        changed = bytearray(PHOTO)
        changed[PHOTO.index(part) + at] ^= 1 << at % 8
        others.append((bytes(changed), f"a bit of byte {at} of {where} is changed"))
    for other, why in others:
        yield case(bundle(GOOD, other), LINK, f"not the envelope signed for: {why}")


def _other_headers() -> Iterator[Case]:
    """Envelopes that were signed for, and tell another story than their entries."""

    def signed_for(photo: bytes) -> bytes:
        return bundle([CONSENT, INTENT, sealed(photo, INTENT)], photo)

    changes: list[tuple[Fields, str]] = [
        ({"device": "ward-8"}, "another device"),
        ({"boot": seed("x")[:16]}, "another boot"),
        ({"seq": 4}, "another number"),
        ({"consent": seed("x")}, "another consent"),
        ({"intent": seed("x")}, "another intent"),
        ({"time_ms": 1767225600001}, "another time"),
        ({"trust": "rtc"}, "another trust in the clock"),
        ({"epoch": 5}, "another epoch than the keyset's"),
        ({"keyset": seed("x")}, "another keyset"),
    ]
    for fields, why in changes:
        made = envelope({**ws(P256_KEYS), **fields}, PLAIN, P256_BOXES)
        yield case(signed_for(made), LINK, f"signed for, but its header names {why}")
    made = envelope(ws(P256_KEYS), PLAIN, boxes(GATEWAY_P256, STRANGER))
    why = "signed for, but sealed to a stranger in the recovery key's place"
    yield case(signed_for(made), LINK, why)
    made = envelope(ws(P256_KEYS), PLAIN, P256_BOXES, key=seed("another content key"))
    yield case(signed_for(made), CONTENT, "signed for, but it does not decrypt")


def _other_keys() -> Iterator[Case]:
    one = consent(TPM_DEVICE)
    two = intent(one, TPM_DEVICE)
    header = {**ws(P256_KEYS), "consent": digest(one), "intent": digest(two)}
    made = envelope(header, PLAIN, P256_BOXES)
    file = bundle([one, two, sealed(made, two, TPM_DEVICE)], made)
    yield case(file, OK, "signed with a key in a TPM (ES256)", keys=["tpm-device"])
    # Ward-8 claims ward-7's envelope: a ciphertext cannot change hands.
    one = consent(OTHER_DEVICE, device="ward-8")
    two = intent(one, OTHER_DEVICE, device="ward-8")
    file = bundle([one, two, sealed(PHOTO, two, OTHER_DEVICE, device="ward-8")], PHOTO)
    why = "another device signs for this photo"
    yield case(file, KEY, why)
    yield case(file, LINK, f"{why}, and its key is trusted", keys=["device", "other-device"])
