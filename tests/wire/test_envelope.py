import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from base.errors import FormatError
from tests.vectors.photos import HEADER_FIELDS, PRIVATE_FIELDS
from tests.wire.chains import GATEWAY, JPEG, KEYSET, RECOVERY, Photo, seal
from tests.wire.strategies import any_of, changed
from wire import cbor, envelope, shapes
from wire.envelope import AES_256_GCM, CHACHA20_POLY1305, Header, Private
from wire.errors import ContentChanged, HeaderError, NotForThisKey
from wire.hpke import RecipientPrivate, SuiteName

ALGS = pytest.mark.parametrize("alg", [AES_256_GCM, CHACHA20_POLY1305])
PHOTO = Photo()


def opened(data: bytes, key: RecipientPrivate) -> tuple[Header, Private, bytes]:
    found = envelope.parse(data)
    content = envelope.open_into(found, key, memoryview(bytearray(found.header.length)))
    return found.header, content.private, bytes(content.jpeg)


@ALGS
@pytest.mark.parametrize("key", [GATEWAY, RECOVERY], ids=["hybrid", "p256"])
def test_P4_what_is_sealed_opens_with_each_of_its_keys(alg: int, key: RecipientPrivate) -> None:
    photo = Photo(alg=alg)
    assert opened(photo.data, key) == (photo.header, photo.private, JPEG)


@pytest.mark.parametrize("suite", list(SuiteName))
def test_P4_and_with_no_other(suite: SuiteName) -> None:
    with pytest.raises(NotForThisKey, match=r"^the photo is not sealed to this key$"):
        opened(PHOTO.data, RecipientPrivate.generate(suite))


CODES = st.text(min_size=1, max_size=25)
NONE = st.none()
BANDS = st.lists(CODES, min_size=2, max_size=4, unique=True).map(tuple)
PRIVATES = st.one_of(
    any_of(Private, bands=NONE, badge=NONE, salt=NONE),
    any_of(Private, band=NONE, bands=BANDS, badge=CODES, salt=st.binary(min_size=32, max_size=32)),
)


@given(any_of(Header), PRIVATES, st.binary(min_size=1, max_size=300))
def test_every_header_and_content_comes_back_as_it_was(
    header: Header, private: Private, jpeg: bytes
) -> None:
    try:
        plain = envelope.content_prefix(private, len(jpeg)) + jpeg
    except FormatError:
        assert len(shapes.pack(private)) > 4096
        return
    header = replace(header, length=len(plain))
    assert opened(seal(header, plain), GATEWAY) == (header, private, jpeg)


def test_the_vectors_are_about_the_same_fields_as_the_declarations() -> None:
    assert set(HEADER_FIELDS) == set(Header.__dataclass_fields__)
    assert set(PRIVATE_FIELDS) == set(Private.__dataclass_fields__)


def test_P3_sealing_and_opening_work_in_the_callers_buffers() -> None:
    out = bytearray(PHOTO.header.length + 50)
    content = envelope.open_into(envelope.parse(PHOTO.data), GATEWAY, memoryview(out))
    assert content.jpeg.obj is out
    out[:] = bytes(len(out))
    assert not any(content.jpeg)
    parsed = envelope.parse(memoryview(bytearray(PHOTO.data)))
    assert isinstance(parsed.ciphertext.obj, bytearray)


def test_what_needs_room_says_how_much() -> None:
    for suite in SuiteName:
        keys = [RecipientPrivate.generate(suite).public for _ in range(envelope.MAX_RECIPIENTS)]
        out = bytearray(envelope.room(len(PHOTO.plain)))
        length = envelope.seal_into(
            memoryview(out),
            header=PHOTO.header,
            plaintext=memoryview(PHOTO.plain),
            key=b"k" * 32,
            recipients=keys,
        )
        assert length <= len(out)
        assert len(envelope.parse(out[:length]).recipients) == envelope.MAX_RECIPIENTS


def test_two_envelopes_of_one_photo_have_nothing_in_common_but_their_header() -> None:
    one, two = (envelope.parse(seal(PHOTO.header, PHOTO.plain)) for _ in range(2))
    assert one.protected == two.protected
    assert one.iv != two.iv
    assert one.ciphertext.tobytes() != two.ciphertext.tobytes()
    assert all(a.enc != b.enc for a, b in zip(one.recipients, two.recipients, strict=True))


@pytest.mark.parametrize(
    "wrong",
    [
        {"header": replace(PHOTO.header, length=PHOTO.header.length + 1)},
        {"alg": 1},
        {"recipients": []},
        {"recipients": [GATEWAY.public] * 2},
        {"recipients": [RecipientPrivate.generate(SuiteName.P256).public for _ in range(5)]},
    ],
    ids=["length", "algorithm", "nobody", "one key twice", "five keys"],
)
def test_what_could_not_be_opened_is_not_sealed(wrong: dict[str, object]) -> None:
    usual: dict[str, object] = {
        "header": PHOTO.header,
        "plaintext": memoryview(PHOTO.plain),
        "key": b"k" * 32,
        "recipients": KEYSET.keyset.recipients,
    }
    out = memoryview(bytearray(envelope.room(len(PHOTO.plain))))
    with pytest.raises(FormatError):
        envelope.seal_into(out, **{**usual, **wrong})  # type: ignore[arg-type]


@pytest.mark.parametrize("length", [0, envelope.MAX_JPEG + 1])
def test_a_photo_has_a_size(length: int) -> None:
    with pytest.raises(FormatError, match=r"larger than a photo may be$"):
        envelope.content_prefix(PHOTO.private, length)


def test_an_envelope_that_is_too_large_is_refused_unread() -> None:
    with pytest.raises(FormatError, match=r"^an envelope of 41943041 bytes; at most 41943040"):
        envelope.parse(memoryview(bytearray(envelope.MAX_ENVELOPE + 1)))


def test_only_the_exact_recipients_in_their_order_are_the_keysets() -> None:
    found = envelope.parse(PHOTO.data)
    keys = list(KEYSET.keyset.recipients)
    assert envelope.names_recipients(found, keys)
    for other in (keys[::-1], keys[:1], [*keys, RecipientPrivate.generate(SuiteName.P256).public]):
        assert not envelope.names_recipients(found, other)


@given(st.data())
def test_a_changed_envelope_is_another_envelope_or_none(data: st.DataObject) -> None:
    bad = data.draw(changed(PHOTO.data))
    if bad == PHOTO.data:
        return
    try:
        found = opened(bad, GATEWAY)
    except (FormatError, ContentChanged, NotForThisKey):
        return
    # What opens all the same was changed in the other's recipient; the photo's id tells.
    assert found == (PHOTO.header, PHOTO.private, JPEG)
    assert hashlib.sha256(bad).digest() != PHOTO.id


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_a_format_error(data: bytes) -> None:
    with pytest.raises(FormatError):
        envelope.parse(data)


@given(st.binary(max_size=80))
def test_any_content_that_decrypts_is_a_photo_or_a_format_error(plain: bytes) -> None:
    if not plain:
        return
    data = seal(replace(PHOTO.header, length=len(plain)), plain)
    with pytest.raises(FormatError):
        opened(data, GATEWAY)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"gversion\x01", b"gversion\x02", "envelope header.version is 2; allowed are 1 to 1"),
        (
            b"\xa3\x01\x03\x03",
            b"\xa3\x01\x02\x03",
            "the content encryption algorithm 2 is not known",
        ),
        (b"photo+cbor", b"photo+CBOR", "envelope header: the content type 'application/vnd."),
    ],
)
def test_unknown_versions_and_algorithms_are_refused_in_words(
    old: bytes, new: bytes, message: str
) -> None:
    assert PHOTO.data.count(old) == 1
    with pytest.raises(HeaderError) as caught:
        envelope.parse(PHOTO.data.replace(old, new))
    assert str(caught.value).startswith(message)


def test_the_content_is_the_private_header_and_the_jpeg_and_nothing_more() -> None:
    assert cbor.decode(PHOTO.plain, limit=10_000, what="content") == [
        shapes.to_map(PHOTO.private),
        JPEG,
    ]
