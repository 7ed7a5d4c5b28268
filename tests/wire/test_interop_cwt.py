"""An independent COSE (the ``cwt`` package) agrees with ours, in both directions.

Envelopes of the classical suite, with either content algorithm, and COSE_Sign1 with either
signature algorithm. What ``cwt`` makes is read by our strict reader as it comes out of ``cwt``.
"""

import os
from base64 import urlsafe_b64encode

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cwt import COSE, COSEKey, Recipient
from cwt.cose_key_interface import COSEKeyInterface
from cwt.exceptions import CWTError

from wire import cbor, envelope, hpke, ledger, messages, shapes, signing
from wire.envelope import AES_256_GCM, CHACHA20_POLY1305, Header, Private
from wire.errors import BadSignature
from wire.ledger import ClockTrust
from wire.messages import Receipt, Status

ALGS = pytest.mark.parametrize("alg", [AES_256_GCM, CHACHA20_POLY1305])
JPEG = b"\xff\xd8" + bytes(range(256)) * 16 + b"\xff\xd9"


def header(length: int) -> Header:
    return Header(
        device="ward-7",
        boot=bytes(16),
        seq=3,
        consent=b"c" * 32,
        intent=b"i" * 32,
        epoch=1,
        keyset=b"k" * 32,
        time_ms=1_767_225_600_000,
        trust=ClockTrust.SYNCED,
        length=length,
    )


def plaintext() -> bytes:
    private = Private("W7-12", {"blur": 12}, band="8018 1")
    return envelope.content_prefix(private, len(JPEG)) + JPEG


def text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def cwt_key(
    key: hpke.RecipientPublic, private: hpke.RecipientPrivate | None = None
) -> COSEKeyInterface:
    jwk = {
        "kty": "EC",
        "crv": "P-256",
        "alg": "HPKE-7-KE",
        "kid": "unused",
        "x": text(key.raw[1:33]),
        "y": text(key.raw[33:]),
    }
    if private is not None:
        jwk["d"] = text(cbor2.loads(private.encode())[-4])
    made = COSEKey.from_jwk(jwk)
    made._kid = key.kid  # a JWK's kid is text; ours is a thumbprint
    return made


def sealed(keys: list[hpke.RecipientPrivate], alg: int) -> bytes:
    plain = plaintext()
    out = bytearray(envelope.room(len(plain)))
    length = envelope.seal_into(
        memoryview(out),
        header=header(len(plain)),
        plaintext=memoryview(plain),
        key=os.urandom(32),
        recipients=[key.public for key in keys],
        alg=alg,
    )
    return bytes(out[:length])


@ALGS
@pytest.mark.parametrize("reader", [0, 1])
def test_cwt_opens_what_is_sealed_here(alg: int, reader: int) -> None:
    keys = [hpke.RecipientPrivate.generate(hpke.SuiteName.P256) for _ in range(2)]
    data = sealed(keys, alg)
    chosen = cwt_key(keys[reader].public, keys[reader])
    assert COSE.new(verify_kid=True).decode(data, [chosen]) == plaintext()


@ALGS
def test_cwt_refuses_what_was_changed_after_it_was_sealed_here(alg: int) -> None:
    keys = [hpke.RecipientPrivate.generate(hpke.SuiteName.P256)]
    data = bytearray(sealed(keys, alg))
    data[data.index(b"ward-7")] ^= 1
    with pytest.raises(CWTError):
        COSE.new().decode(bytes(data), [cwt_key(keys[0].public, keys[0])])


@ALGS
def test_what_cwt_seals_opens_here(alg: int) -> None:
    keys = [hpke.RecipientPrivate.generate(hpke.SuiteName.P256) for _ in range(2)]
    plain = plaintext()
    ours = header(len(plain))
    in_order = cbor.decode(cbor.encode(shapes.to_map(ours)), limit=1024, what="header")
    iv = os.urandom(12)
    names = {AES_256_GCM: "A256GCM", CHACHA20_POLY1305: "ChaCha20/Poly1305"}
    recipients = [
        Recipient.new(
            protected={1: 53, 4: key.public.kid}, unprotected={}, recipient_key=cwt_key(key.public)
        )
        for key in keys
    ]
    data = COSE.new(deterministic_header=True).encode(
        plain,
        COSEKey.from_symmetric_key(alg=names[alg]),
        protected={1: alg, 3: envelope.CONTENT_TYPE, "ws": in_order},  # cwt sorts its own keys
        unprotected={5: iv},
        recipients=recipients,
    )
    found = envelope.parse(data)
    assert (found.header, found.alg, found.iv) == (ours, alg, iv)
    assert envelope.names_recipients(found, [key.public for key in keys])
    for key in keys:
        content = envelope.open_into(found, key, memoryview(bytearray(len(plain))))
        assert bytes(content.jpeg) == JPEG
        assert content.private.bed == "W7-12"


def a_receipt() -> Receipt:
    return Receipt("ward-7", b"p" * 32, Status.FILED, 1, 1_767_225_600_000, "", ("folder:1",))


def signers() -> list[signing.Signer]:
    return [
        signing.Ed25519Signer(os.urandom(32)),
        signing.P256Signer(ec.generate_private_key(ec.SECP256R1())),
    ]


def cwt_verifier(key: signing.PublicKey) -> COSEKeyInterface:
    value = cbor2.loads(key.encode())
    return COSEKey.new({**value, 2: key.kid, 3: key.alg})


@pytest.mark.parametrize("which", [0, 1])
def test_cwt_verifies_what_is_signed_here(which: int) -> None:
    signer = signers()[which]
    for _ in range(8):  # ES256 signatures differ each time, and so does which s is the lower
        raw = messages.sign_receipt(a_receipt(), signer)
        payload = COSE.new(verify_kid=True).decode(raw, [cwt_verifier(signer.public)])
        assert cbor.decode(payload, limit=4096, what="payload") == shapes.to_map(a_receipt())
    changed = bytearray(raw)
    changed[-1] ^= 1
    with pytest.raises(CWTError):
        COSE.new().decode(bytes(changed), [cwt_verifier(signer.public)])


def cwt_signed(alg: int, typ: str, payload: bytes) -> tuple[bytes, signing.PublicKey]:
    if alg == signing.EDDSA:
        seed = os.urandom(32)
        public = signing.Ed25519Signer(seed).public
        key = {1: 1, -1: 6, -2: public.raw, -4: seed, 3: alg}
    else:
        private = ec.generate_private_key(ec.SECP256R1())
        public = signing.P256Signer(private).public
        d = private.private_numbers().private_value.to_bytes(32, "big")
        key = {1: 2, -1: 1, -2: public.raw[:32], -3: public.raw[32:], -4: d, 3: alg}
    data = COSE.new(deterministic_header=True).encode(
        payload,
        COSEKey.new({**key, 2: public.kid}),
        protected={1: alg, 4: public.kid, 16: typ},
        unprotected={},
    )
    return data, public


def test_an_eddsa_signature_by_cwt_holds_here() -> None:
    payload = cbor.encode(shapes.to_map(a_receipt()))
    data, public = cwt_signed(signing.EDDSA, messages.TYP_RECEIPT, payload)
    assert messages.open_receipt(data, (public,)) == a_receipt()


def test_an_es256_signature_by_cwt_holds_here_in_its_lower_form_alone() -> None:
    checkpoint = ledger.Checkpoint("ward-7", bytes(16), 7, bytes(32), 1)
    payload = cbor.encode(shapes.to_map(checkpoint))
    seen = set()
    for _ in range(64):  # either form is as likely
        data, public = cwt_signed(signing.ES256, ledger.TYP_CHECKPOINT, payload)
        low = int.from_bytes(data[-32:], "big") <= signing.P256_ORDER // 2
        seen.add(low)
        if low:
            assert ledger.open_checkpoint(data, [public]) == checkpoint
        else:
            with pytest.raises(BadSignature, match="lower"):
                ledger.open_checkpoint(data, [public])
    assert seen == {True, False}
