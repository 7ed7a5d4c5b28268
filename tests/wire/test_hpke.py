import pytest
from hypothesis import given
from hypothesis import strategies as st

from base.errors import FormatError, VerificationError
from tests.wire.strategies import changed
from wire import cbor, hpke
from wire.errors import HeaderError, NotForThisKey
from wire.hpke import RecipientPrivate, RecipientPublic, SuiteName

SUITES = pytest.mark.parametrize("suite", list(SuiteName))
KEYS = {suite: RecipientPrivate(suite, b"7" * 32) for suite in SuiteName}
CONTENT_KEY, INFO = b"k" * 32, b"info"


@SUITES
def test_a_wrapped_key_is_unwrapped_and_differs_each_time(suite: SuiteName) -> None:
    key = KEYS[suite]
    one, two = (key.public.wrap(CONTENT_KEY, INFO) for _ in range(2))
    assert one[0] != two[0]
    assert one[1] != two[1]
    for enc, wrapped in (one, two):
        assert (len(enc), len(wrapped)) == (hpke.SUITES[suite].enc_length, 48)
        assert key.unwrap(enc, wrapped, INFO) == CONTENT_KEY


@SUITES
def test_a_content_key_is_taken_from_a_buffer_that_is_wiped_afterwards(suite: SuiteName) -> None:
    buffer = bytearray(CONTENT_KEY)
    enc, wrapped = KEYS[suite].public.wrap(memoryview(buffer), INFO)
    assert KEYS[suite].unwrap(enc, wrapped, INFO) == CONTENT_KEY


@SUITES
def test_P4_only_the_right_key_and_context_unwrap(suite: SuiteName) -> None:
    enc, wrapped = KEYS[suite].public.wrap(CONTENT_KEY, INFO)
    with pytest.raises(NotForThisKey, match=r"^the content key was not sealed to this key$"):
        RecipientPrivate.generate(suite).unwrap(enc, wrapped, INFO)
    with pytest.raises(NotForThisKey):
        KEYS[suite].unwrap(enc, wrapped, b"other info")


@SUITES
def test_keys_come_back_as_they_were(suite: SuiteName) -> None:
    key = RecipientPrivate.generate(suite)
    assert RecipientPublic.decode(key.public.encode()) == key.public
    again = RecipientPrivate.decode(key.encode())
    assert again.public == key.public
    assert again.unwrap(*key.public.wrap(CONTENT_KEY, INFO), INFO) == CONTENT_KEY


@SUITES
def test_a_private_key_with_another_keys_public_half_is_refused(suite: SuiteName) -> None:
    encoded = cbor.decode(KEYS[suite].encode(), limit=2048, what="key")
    other = cbor.decode(RecipientPrivate.generate(suite).encode(), limit=2048, what="key")
    assert isinstance(encoded, dict)
    assert isinstance(other, dict)
    secret = -4 if suite is SuiteName.P256 else -2
    with pytest.raises(FormatError, match=r"its public half is another key's$"):
        RecipientPrivate.decode(cbor.encode({**encoded, secret: other[secret]}))


def test_secrets_that_are_no_keys_are_refused_in_words() -> None:
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    for secret in (bytes(32), order.to_bytes(32, "big"), b"\xff" * 32):
        with pytest.raises(FormatError, match=r"^the private p256 key is 0 or above"):
            RecipientPrivate(SuiteName.P256, secret)
    for suite in SuiteName:
        with pytest.raises(FormatError, match=r"key has 32 bytes$"):
            RecipientPrivate(suite, b"short")


@pytest.mark.parametrize("alg", [0, 35, 46, 52, 54, -65536, -91257, -91259])
def test_an_unknown_suite_is_refused_never_guessed(alg: int) -> None:
    with pytest.raises(HeaderError, match=f"^the key encryption algorithm {alg} is not known$"):
        hpke.suite_of(alg)


def test_the_hybrid_suites_number_is_one_for_private_use() -> None:
    """RFC 9053: values below -65536 are for private use."""
    assert hpke.SUITES[SuiteName.HYBRID].alg == -91258
    assert hpke.suite_of(-91258) is SuiteName.HYBRID
    assert hpke.suite_of(53) is SuiteName.P256


@given(st.sampled_from(list(SuiteName)), st.data())
def test_arbitrary_bytes_raise_our_errors_alone(suite: SuiteName, data: st.DataObject) -> None:
    size = hpke.SUITES[suite].enc_length
    enc = data.draw(st.binary(max_size=80) | st.binary(min_size=size, max_size=size))
    wrapped = data.draw(st.binary(max_size=60) | st.binary(min_size=48, max_size=48))
    with pytest.raises((FormatError, VerificationError)):
        KEYS[suite].unwrap(enc, wrapped, INFO)
    for decode in (RecipientPublic.decode, RecipientPrivate.decode):
        with pytest.raises(FormatError):
            decode(enc)


@given(st.sampled_from(list(SuiteName)), st.data())
def test_a_changed_key_is_another_key_or_none(suite: SuiteName, data: st.DataObject) -> None:
    good = KEYS[suite].public.encode()
    bad = data.draw(changed(good))
    try:
        key = RecipientPublic.decode(bad)
    except FormatError:
        return
    assert key.encode() == bad
    assert (key.kid == KEYS[suite].public.kid) == (bad == good)


def test_shares_of_small_order_do_not_open_anything() -> None:
    """X25519 with them gives zero; X-Wing mixes in ML-KEM's secret, and nothing decrypts."""
    enc, wrapped = KEYS[SuiteName.HYBRID].public.wrap(CONTENT_KEY, INFO)
    for share in (bytes(32), b"\1" + bytes(31), (2**255 - 19).to_bytes(32, "little")):
        with pytest.raises(NotForThisKey):
            KEYS[SuiteName.HYBRID].unwrap(enc[:1088] + share, wrapped, INFO)
