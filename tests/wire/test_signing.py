import hashlib
from collections.abc import Callable

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from base.errors import FormatError, VerificationError
from tests.wire.strategies import changed
from wire import cbor, signing
from wire.errors import BadSignature, HeaderError, UntrustedKey, WrongType
from wire.signing import ES256, P256_ORDER, Ed25519Signer, P256Signer, PublicKey, Signer

ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493
ED = Ed25519Signer(b"e" * 32)
P256 = P256Signer(ec.derive_private_key(7, ec.SECP256R1()))
OTHER = Ed25519Signer(b"o" * 32)
SIGNERS = pytest.mark.parametrize("signer", [ED, P256], ids=["ed25519", "es256"])
PAYLOAD: dict[str, object] = {"n": 1, "raw": b"bytes"}
TYP = "wardseal-test"


def signed(signer: Signer = ED) -> bytes:
    return signing.sign(PAYLOAD, typ=TYP, signer=signer)


@SIGNERS
def test_what_is_signed_is_verified_and_hashed_whole(signer: Signer) -> None:
    raw = signed(signer)
    found = signing.verify(raw, typ=TYP, keys=[OTHER.public, signer.public])
    assert found.payload == PAYLOAD
    assert found.kid == signer.public.kid
    assert (found.raw, found.digest) == (raw, hashlib.sha256(raw).digest())
    assert signing.untrusted(raw, typ=TYP) == (signer.public.kid, PAYLOAD)


@SIGNERS
def test_nobody_else_can_give_a_signature_a_second_form(signer: Signer) -> None:
    """It would change the hash that the next entry, or a receipt, is about."""
    raw = signed(signer)
    if signer is P256:
        s = P256_ORDER - int.from_bytes(raw[-32:], "big")
        second = raw[:-32] + s.to_bytes(32, "big")
    else:
        s = ED25519_ORDER + int.from_bytes(raw[-32:], "little")
        second = raw[:-32] + s.to_bytes(32, "little")
    with pytest.raises(BadSignature):
        signing.verify(second, typ=TYP, keys=[signer.public])


class Hardware:
    """A key that, like a TPM's, gives either s."""

    def __init__(self) -> None:
        self.public = P256.public

    def sign(self, message: bytes) -> bytes:
        good = P256.sign(message)
        s = P256_ORDER - int.from_bytes(good[32:], "big")
        return good[:32] + s.to_bytes(32, "big")


def test_what_a_tpm_signs_is_brought_into_its_one_form() -> None:
    signing.verify(signed(Hardware()), typ=TYP, keys=[P256.public])


def test_what_is_signed_for_one_purpose_serves_no_other() -> None:
    with pytest.raises(WrongType, match=r"^expected wardseal-receipt, found 'wardseal-test'$"):
        signing.verify(signed(), typ="wardseal-receipt", keys=[ED.public])
    with pytest.raises(WrongType):
        signing.untrusted(signed(), typ="wardseal-receipt")


def test_only_the_named_keys_are_believed() -> None:
    for keys in ([], [OTHER.public], [P256.public]):
        with pytest.raises(UntrustedKey, match="not trusted for this"):
            signing.verify(signed(), typ=TYP, keys=keys)


def test_a_payload_is_not_taken_apart_before_its_signature_holds() -> None:
    header = cbor.encode({1: -8, 4: ED.public.kid, 16: TYP})
    bomb = b"\x81" * 4000
    array = [header, {}, bomb, bytes(64)]
    with pytest.raises(BadSignature):
        signing.verify(cbor.encode(cbor2.CBORTag(18, array)), typ=TYP, keys=[ED.public])
    with pytest.raises(FormatError, match="nested too deeply"):
        signing.untrusted(cbor.encode(cbor2.CBORTag(18, array)), typ=TYP)


def test_an_unknown_algorithm_is_refused_by_number() -> None:
    header = cbor.encode({1: -35, 4: ED.public.kid, 16: TYP})
    raw = cbor.encode(cbor2.CBORTag(18, [header, {}, cbor.encode(PAYLOAD), bytes(64)]))
    with pytest.raises(HeaderError, match="the signature algorithm -35 is not known"):
        signing.verify(raw, typ=TYP, keys=[ED.public])


@given(st.data())
def test_no_change_to_a_signed_thing_is_accepted(data: st.DataObject) -> None:
    signers: list[Signer] = [ED, P256]
    raw = signed(data.draw(st.sampled_from(signers)))
    bad = data.draw(changed(raw))
    if bad == raw:
        return
    with pytest.raises((FormatError, VerificationError)):
        signing.verify(bad, typ=TYP, keys=[ED.public, P256.public])


@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_our_errors_alone(data: bytes) -> None:
    calls: list[Callable[[], object]] = [
        lambda: signing.verify(data, typ=TYP, keys=[ED.public]),
        lambda: signing.untrusted(data, typ=TYP),
        lambda: PublicKey.decode(data),
        lambda: ED.public.verify(data, b"message"),
        lambda: P256.public.verify(data, b"message"),
    ]
    for call in calls:
        with pytest.raises((FormatError, VerificationError)):
            call()


@SIGNERS
def test_a_key_is_named_by_its_thumbprint_and_comes_back(signer: Signer) -> None:
    key = signer.public
    assert PublicKey.decode(key.encode()) == key
    assert key.kid == hashlib.sha256(key.encode()).digest()


def test_thumbprint_of_rfc_9679() -> None:
    """The example of the RFC: an EC2 key on P-256."""
    x = bytes.fromhex("65eda5a12577c2bae829437fe338701a10aaa375e1bb5b5de108de439c08551d")
    y = bytes.fromhex("1e52ed75701163f7f9e40ddf9f341b3dc9ba860af7e0ca7ca7e9eecd0084d19c")
    key = PublicKey(ES256, x + y)
    wanted = "496bd8afadf307e5b08c64b0421bf9dc01528a344a43bda88fadd1669da253ec"
    assert key.kid.hex() == wanted


def test_es256_signatures_of_extreme_numbers_are_refused() -> None:
    for r, s in ((0, 1), (1, 0), (P256_ORDER, 1), (0, 0), (2**256 - 1, 1)):
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        with pytest.raises(BadSignature):
            P256.public.verify(signature, b"message")


def test_a_key_of_the_wrong_size_cannot_be_made() -> None:
    for alg, raw in ((-8, b"x" * 31), (-7, b"x" * 32), (-35, b"x" * 96)):
        with pytest.raises(FormatError, match="must be Ed25519 or P-256"):
            PublicKey(alg, raw)
    with pytest.raises(FormatError, match="an Ed25519 seed has 32 bytes"):
        Ed25519Signer(b"short")
