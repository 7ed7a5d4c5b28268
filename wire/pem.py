"""Signing keys as files hold them, so that every common tool can read them too.

Private: PKCS#8 PEM (RFC 5958), unencrypted; who may read the file is the file system's business.
Public: SubjectPublicKeyInfo PEM (RFC 7468 section 13). ``public_key`` also takes the COSE_Key
itself or its hexadecimal digits, because that is how a key stands in registries and logs.
"""

import binascii

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from base.errors import FormatError
from wire.signing import EDDSA, ES256, Ed25519Signer, P256Signer, PublicKey, Signer


def generate_ed25519() -> bytes:
    """Make a new Ed25519 signing key and return it as PKCS#8 PEM."""
    key = ed25519.Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def signer(data: bytes) -> Signer:
    """Return the signing key in a PKCS#8 PEM: Ed25519, or P-256 for ES256."""
    try:
        key = load_pem_private_key(data, None)
    except TypeError as e:
        raise FormatError("the private key is locked with a pass-phrase; keep it without") from e
    except (ValueError, UnsupportedAlgorithm) as e:
        raise FormatError("this is not a private key in PEM (BEGIN PRIVATE KEY)") from e
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return Ed25519Signer(key.private_bytes_raw())
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return P256Signer(key)
    raise FormatError("the private key is neither Ed25519 nor P-256")


def encode_public(key: PublicKey) -> bytes:
    """Return a verification key as PEM."""
    return _load(key).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def public_key(data: bytes) -> PublicKey:
    """Return the verification key in ``data``: PEM, a COSE_Key, or a COSE_Key in hexadecimal."""
    if b"PRIVATE KEY-----" in data:
        raise FormatError("this is a private key; the public one is asked for (its name ends .pub)")
    if b"-----BEGIN" in data:
        return _from_pem(data)
    try:
        digits = bytes.fromhex(data.decode("ascii"))
    except ValueError:
        digits = b""
    try:
        return PublicKey.decode(digits or data)
    except FormatError as e:
        raise FormatError("this is not a public key: neither PEM, nor COSE_Key, nor its hex") from e


def _from_pem(data: bytes) -> PublicKey:
    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm, binascii.Error) as e:
        raise FormatError("this is not a public key in PEM (BEGIN PUBLIC KEY)") from e
    if isinstance(key, ed25519.Ed25519PublicKey):
        return PublicKey(EDDSA, key.public_bytes_raw())
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return PublicKey(ES256, key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:])
    raise FormatError("the public key is neither Ed25519 nor P-256")


def _load(key: PublicKey) -> ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey:
    try:
        if key.alg == EDDSA:
            return ed25519.Ed25519PublicKey.from_public_bytes(key.raw)
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + key.raw)
    except ValueError as e:
        raise FormatError("the public key is not a valid one") from e
