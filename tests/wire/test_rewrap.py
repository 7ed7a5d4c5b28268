"""A re-wrap adds keys to a sealed photo and changes nothing that the device signed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from base.errors import FormatError
from tests.cli.paperwork import Scribe, SealedPhoto
from wire import envelope, rewrap
from wire.errors import ContentChanged, NotForThisKey
from wire.hpke import RecipientPrivate, SuiteName

OLD, RECOVERY = (RecipientPrivate.generate(SuiteName.P256) for _ in range(2))
NEW = RecipientPrivate.generate(SuiteName.HYBRID)
PHOTO = SealedPhoto(Scribe(), OLD)
SEALED = envelope.parse(PHOTO.envelope)
RAW = rewrap.make(SEALED, PHOTO.photo, OLD, [NEW.public, RECOVERY.public])


def opened(sealed: envelope.Envelope, key: RecipientPrivate) -> bytes:
    room = memoryview(bytearray(sealed.header.length))
    return bytes(envelope.open_into(sealed, key, room).jpeg)


@pytest.mark.parametrize("key", [OLD, NEW, RECOVERY], ids=["old", "new", "recovery"])
def test_P4_a_photo_opens_with_its_own_key_and_with_those_of_its_rewrap(
    key: RecipientPrivate,
) -> None:
    found = rewrap.parse(RAW)
    assert found.photo == PHOTO.photo
    assert len(RAW) == rewrap.size(PHOTO.photo, [NEW.public, RECOVERY.public])
    assert opened(rewrap.extended(SEALED, found.recipients), key) == PHOTO.jpeg


def test_a_rewrap_without_its_photo_opens_nothing_and_a_strangers_key_opens_neither() -> None:
    stranger = RecipientPrivate.generate(SuiteName.P256)
    whole = rewrap.extended(SEALED, rewrap.parse(RAW).recipients)
    with pytest.raises(NotForThisKey):
        opened(whole, stranger)
    with pytest.raises(NotForThisKey):
        rewrap.make(SEALED, PHOTO.photo, stranger, [NEW.public])


def test_a_rewrap_of_another_photo_leads_to_a_key_that_does_not_decrypt_this_one() -> None:
    other = SealedPhoto(Scribe(), OLD)
    raw = rewrap.make(envelope.parse(other.envelope), other.photo, OLD, [NEW.public])
    with pytest.raises(ContentChanged):
        opened(rewrap.extended(SEALED, rewrap.parse(raw).recipients), NEW)


@given(st.integers(0, len(RAW) - 1), st.integers(1, 255), st.integers(0, 40))
def test_a_damaged_rewrap_is_refused_in_words_or_opens_nothing(
    at: int, flip: int, cut: int
) -> None:
    damaged = bytearray(RAW)
    damaged[at] ^= flip
    try:
        found = rewrap.parse(bytes(damaged[: len(RAW) - cut]))
        assert opened(rewrap.extended(SEALED, found.recipients), NEW) == PHOTO.jpeg
        assert found.photo != PHOTO.photo or at >= 60, "what is not the key's was changed"
    except (FormatError, NotForThisKey, ContentChanged):
        pass
