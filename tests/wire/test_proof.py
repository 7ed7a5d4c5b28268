from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from base.errors import FormatError, VerificationError
from tests.wire.chains import (
    DEVICE,
    GATEWAY,
    HOSPITAL,
    KEYSET,
    ROOT,
    SECOND,
    WORDING,
    Photo,
    entry,
    header_of,
    intent_under,
    seal,
)
from tests.wire.strategies import changed
from wire import envelope, events, proof
from wire.errors import BrokenLink
from wire.events import Basis, Consent, Intent, Level, Sealed
from wire.keyset import Keyset, issue

KEYS = [DEVICE.public]
PHOTO = Photo()
GOOD = proof.open_proof(*PHOTO.raws, KEYS)


def test_P5_three_entries_prove_a_photo() -> None:
    assert (GOOD.photo, GOOD.size) == (PHOTO.id, len(PHOTO.data))
    parsed = envelope.parse(PHOTO.data)
    proof.check_envelope(PHOTO.data, parsed, GOOD)
    proof.check_keyset(parsed, KEYSET)


def test_only_the_right_types_in_the_right_order() -> None:
    consent, intent, sealed = PHOTO.raws
    with pytest.raises(BrokenLink, match=r"^expected a CONSENT entry, found INTENT$"):
        proof.open_proof(intent, consent, sealed, KEYS)
    with pytest.raises(BrokenLink, match=r"^expected a SEALED entry, found INTENT$"):
        proof.open_proof(consent, intent, intent, KEYS)
    with pytest.raises(BrokenLink, match=r"^expected a CONSENT entry, found BOOT$"):
        proof.open_consent(entry(None, events.Boot("0.1", "start")).raw, KEYS)


def test_P1_an_intent_stands_under_its_consent_in_its_window() -> None:
    consent = PHOTO.consent
    good = Intent(consent.digest, Level.CARE, Basis.AGREED)
    at = consent.entry.mono_ns
    longest = proof.LONGEST_WINDOW_NS
    proof.open_intent(entry(consent, good, mono_ns=at + longest).raw, consent, KEYS)
    for body, more, message in (
        (replace(good, consent=bytes(32)), {}, "stands under another consent"),
        (replace(good, level=Level.TEACHING), {}, "claims another level or basis"),
        (replace(good, basis=Basis.PROXY), {}, "claims another level or basis"),
        (good, {"mono_ns": at + longest + 1}, "not of the window that the consent opened"),
        (good, {"mono_ns": at - 1}, "not of the window that the consent opened"),
        (good, {"boot": b"x" * 16}, "not of the window that the consent opened"),
        (good, {"device": "ward-8"}, "does not follow its CONSENT entry"),
        (good, {"ledger": b"x" * 16}, "does not follow its CONSENT entry"),
        (good, {"seq": 0}, "does not follow its CONSENT entry"),
    ):
        intent = entry(consent, body, **more)
        with pytest.raises(BrokenLink, match=message):
            proof.open_intent(intent.raw, consent, KEYS)


def test_sealed_belongs_to_its_intent_and_gives_a_size() -> None:
    consent, intent, _ = PHOTO.raws
    body = Sealed(PHOTO.intent.digest, PHOTO.id, len(PHOTO.data))
    other = entry(PHOTO.intent, replace(body, intent=bytes(32)))
    with pytest.raises(BrokenLink, match=r"^the SEALED entry belongs to another INTENT$"):
        proof.open_proof(consent, intent, other.raw, KEYS)
    for size in (0, envelope.MAX_ENVELOPE + 1):
        other = entry(PHOTO.intent, replace(body, size=size))
        with pytest.raises(FormatError, match=f"gives a size of {size} bytes"):
            proof.open_proof(consent, intent, other.raw, KEYS)


@given(st.integers(0, 2), st.data())
def test_no_changed_entry_proves_anything(which: int, data: st.DataObject) -> None:
    raws = list(PHOTO.raws)
    raws[which] = data.draw(changed(raws[which]))
    if raws[which] == PHOTO.raws[which]:
        return
    consent, intent, sealed = raws
    with pytest.raises((FormatError, VerificationError)):
        proof.open_proof(consent, intent, sealed, KEYS)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"device": "ward-8"}, "another device, boot or number"),
        ({"boot": b"x" * 16}, "another device, boot or number"),
        ({"seq": 9}, "another device, boot or number"),
        ({"consent": b"x" * 32}, "other ledger entries"),
        ({"intent": b"x" * 32}, "other ledger entries"),
        ({"time_ms": 1}, "another time than its INTENT"),
    ],
)
def test_P5_a_header_that_tells_another_story_is_refused(
    more: dict[str, object], message: str
) -> None:
    header = replace(PHOTO.header, **more)  # type: ignore[arg-type]
    with pytest.raises(BrokenLink, match=message):
        proof.check_header(header, PHOTO.consent, PHOTO.intent)


@given(st.data())
def test_P5_no_changed_envelope_is_the_photo_that_was_signed(data: st.DataObject) -> None:
    bad = data.draw(changed(PHOTO.data))
    if bad == PHOTO.data:
        return
    with pytest.raises(BrokenLink, match=r"^this is not the photo that the device signed$"):
        proof.check_envelope(bad, envelope.parse(PHOTO.data), GOOD)


def test_P7_another_keyset_or_other_recipients_are_seen() -> None:
    parsed = envelope.parse(PHOTO.data)
    keys = KEYSET.keyset.recipients
    for other in (
        issue(Keyset(2, 0, keys, (HOSPITAL.public,), ()), ROOT),
        issue(Keyset(1, 0, keys[::-1], (HOSPITAL.public,), ()), ROOT),
    ):
        with pytest.raises(BrokenLink, match=r"^the photo was sealed under another keyset$"):
            proof.check_keyset(parsed, other)
    fewer = issue(Keyset(1, 0, keys[:1], (HOSPITAL.public,), ()), ROOT)
    header = replace(PHOTO.header, keyset=fewer.hash)
    with pytest.raises(BrokenLink, match=r"not sealed to the keys of its keyset$"):
        proof.check_keyset(envelope.parse(seal(header, PHOTO.plain)), fewer)


def test_a_photo_signed_twice_for_two_intents_belongs_to_one() -> None:
    """A device that reuses an envelope for a second INTENT contradicts the header inside."""
    consent = entry(PHOTO.sealed, Consent(Level.CARE, Basis.AGREED, WORDING))
    intent = intent_under(consent)
    sealed = entry(intent, Sealed(intent.digest, PHOTO.id, len(PHOTO.data)))
    second = proof.open_proof(consent.raw, intent.raw, sealed.raw, KEYS)
    with pytest.raises(BrokenLink):
        proof.check_envelope(PHOTO.data, envelope.parse(PHOTO.data), second)
    assert header_of(consent, intent, 1) != PHOTO.header
    assert intent.entry.mono_ns - consent.entry.mono_ns == SECOND


# ---- the photo file --------------------------------------------------------------------------


def bundled(photo: Photo) -> bytes:
    return proof.Bundle(*photo.raws, memoryview(photo.data)).head() + photo.data


def test_a_photo_file_comes_apart_as_it_was_put_together() -> None:
    data = bundled(PHOTO)
    parts = proof.parse_bundle(memoryview(bytearray(data)))
    assert (parts.consent, parts.intent, parts.sealed) == PHOTO.raws
    assert parts.envelope == PHOTO.data
    assert isinstance(parts.envelope.obj, bytearray)
    parsed = envelope.parse(parts.envelope)
    out = memoryview(bytearray(parsed.header.length))
    assert envelope.open_into(parsed, GATEWAY, out).private == PHOTO.private


def test_another_version_of_the_file_is_refused() -> None:
    data = bundled(PHOTO).replace(b"wardseal-photo/1", b"wardseal-photo/2")
    with pytest.raises(FormatError, match=r"^photo file: this version is not known$"):
        proof.parse_bundle(data)


def believe(data: bytes) -> None:
    parts = proof.parse_bundle(data)
    found = proof.open_proof(parts.consent, parts.intent, parts.sealed, KEYS)
    proof.check_envelope(parts.envelope, envelope.parse(parts.envelope), found)


@given(st.data())
def test_a_changed_photo_file_is_never_the_same_photo(data: st.DataObject) -> None:
    good = bundled(PHOTO)
    bad = data.draw(changed(good))
    if bad == good:
        return
    with pytest.raises((FormatError, VerificationError)):
        believe(bad)


@given(st.binary(max_size=100))
def test_arbitrary_bytes_are_no_photo_file(data: bytes) -> None:
    with pytest.raises(FormatError):
        proof.parse_bundle(data)
