"""Signing keys in files: what common tools write is read, everything else gets a sentence."""

import shutil
import subprocess

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from base.errors import FormatError
from wire import pem
from wire.signing import P256Signer, PublicKey

MESSAGE = b"message"


def p256(curve: ec.EllipticCurve | None = None) -> bytes:
    key = ec.generate_private_key(curve or ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize("private", [pem.generate_ed25519(), p256()], ids=["ed25519", "p256"])
def test_a_key_signs_and_its_public_half_verifies_in_every_spelling(private: bytes) -> None:
    signer = pem.signer(private)
    signature = signer.sign(MESSAGE)
    cose = signer.public.encode()
    spellings = [
        pem.encode_public(signer.public),
        cose,
        cose.hex().encode(),
        cose.hex().upper().encode() + b"\n",
    ]
    for spelling in spellings:
        key = pem.public_key(spelling)
        assert key == signer.public
        key.verify(signature, MESSAGE)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl program")
def test_openssl_reads_our_keys_and_we_read_openssl_s() -> None:
    theirs = subprocess.run(
        ["openssl", "genpkey", "-algorithm", "ed25519"], capture_output=True, check=True
    ).stdout
    public = subprocess.run(
        ["openssl", "pkey", "-pubout"], input=theirs, capture_output=True, check=True
    ).stdout
    assert pem.signer(theirs).public == pem.public_key(public)
    assert pem.encode_public(pem.signer(theirs).public) == public


def locked() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"word"))


def foreign_public() -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def ed448_private() -> bytes:
    key = ed448.Ed448PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "this is not a private key in PEM"),
        (
            b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
            "this is not a private",
        ),
        (locked(), "locked with a pass-phrase"),
        (p256(ec.SECP384R1()), "neither Ed25519 nor P-256"),
        (ed448_private(), "neither Ed25519 nor P-256"),
        (foreign_public(), "this is not a private key in PEM"),
    ],
    ids=["empty", "nonsense", "locked", "p384", "ed448", "public"],
)
def test_a_private_key_that_cannot_be_used_says_why(data: bytes, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        pem.signer(data)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "neither PEM, nor COSE_Key, nor its hex"),
        (b"\xff" * 44, "neither PEM, nor COSE_Key, nor its hex"),
        (b"00ff", "neither PEM, nor COSE_Key, nor its hex"),
        (
            b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
            "not a public key in PEM",
        ),
        (p256(), "this is a private key; the public one is asked for"),
        (foreign_public(), "neither Ed25519 nor P-256"),
    ],
    ids=["empty", "bytes", "hex", "nonsense", "private", "rsa"],
)
def test_a_public_key_that_cannot_be_used_says_why(data: bytes, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        pem.public_key(data)


def test_a_point_off_the_curve_is_refused() -> None:
    signer = P256Signer(ec.generate_private_key(ec.SECP256R1()))
    with pytest.raises(FormatError, match="not a valid one"):
        pem.encode_public(PublicKey(signer.public.alg, bytes(64)))


@given(st.binary(max_size=200))
def test_P10_no_bytes_lead_to_anything_but_a_format_error(data: bytes) -> None:
    for parse in (pem.signer, pem.public_key):
        for text in (data, b"-----BEGIN PUBLIC KEY-----\n" + data, data.hex().encode()):
            try:
                parse(text)
            except FormatError:
                continue
