"""COSE_Sign1 over deterministic CBOR: the one way to sign anything.

Whatever is signed says what it is: the protected header carries ``typ`` (RFC 9596), so a
ledger entry can never pass for a receipt, nor a keyset for a command. The payload is always
a CBOR map. Public keys are COSE_Keys, named by their thumbprint (RFC 9679).

Ed25519 (``EdDSA``, -8) is for keys in software, ES256 (-7) for keys in a TPM.

What is signed is also hashed, signature and all, so nobody but the signer may be able to make
a second valid form of it. Ed25519 has none (RFC 8032 section 5.1.7 refuses S >= L); of the two
that every ES256 signature has, (r, s) and (r, n - s), only the one with the lower s is allowed.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Protocol

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from base.errors import FormatError
from wire import cbor
from wire.errors import BadSignature, HeaderError, UntrustedKey, WrongType

TAG_SIGN1: Final = 18
ALG, KID, TYP = 1, 4, 16
EDDSA: Final = -8
ES256: Final = -7
MAX_SIGNED: Final = 64 * 1024
P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@dataclass(frozen=True)
class PublicKey:
    """A key that verifies: ``raw`` is 32 bytes (Ed25519) or 64 bytes x || y (P-256)."""

    alg: int
    raw: bytes

    def __post_init__(self) -> None:
        size = {EDDSA: 32, ES256: 64}.get(self.alg)
        if size is None or len(self.raw) != size:
            raise FormatError("a verification key must be Ed25519 or P-256")

    @cached_property
    def kid(self) -> bytes:
        """The COSE key thumbprint with SHA-256 (RFC 9679), 32 bytes."""
        return hashlib.sha256(self.encode()).digest()

    def encode(self) -> bytes:
        """Return the COSE_Key, required parameters only (RFC 9053 section 7)."""
        if self.alg == EDDSA:
            return cbor.encode({1: 1, -1: 6, -2: self.raw})
        return cbor.encode({1: 2, -1: 1, -2: self.raw[:32], -3: self.raw[32:]})

    @classmethod
    def decode(cls, data: cbor.Buffer) -> "PublicKey":
        """Parse what ``encode`` wrote."""
        match cbor.decode(data, limit=256, what="public key"):
            case {-1: 6, -2: bytes(x)}:
                key = cls(EDDSA, x)
            case {-1: 1, -2: bytes(x), -3: bytes(y)}:
                key = cls(ES256, x + y)
            case _:
                raise FormatError("public key is neither an Ed25519 nor a P-256 COSE_Key")
        if key.encode() != bytes(data):
            raise FormatError("public key is not exactly an Ed25519 or a P-256 COSE_Key")
        try:
            key._loaded()
        except ValueError as e:
            raise FormatError("public key is not a point on its curve") from e
        return key

    def verify(self, signature: bytes, message: bytes) -> None:
        """Raise BadSignature unless ``signature`` is this key's over ``message``."""
        if len(signature) != 64:
            raise BadSignature("a signature has 64 bytes")
        try:
            key = self._loaded()
            if isinstance(key, ed25519.Ed25519PublicKey):
                key.verify(signature, message)
            else:
                r, s = _halves(signature)
                if s > P256_ORDER // 2:
                    raise BadSignature("an ES256 signature must have the lower of its two s")
                key.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
        except (InvalidSignature, ValueError) as e:
            raise BadSignature("the signature does not hold") from e

    def _loaded(self) -> ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey:
        """Return the library's object; ValueError if there is no such point."""
        if self.alg == EDDSA:
            return ed25519.Ed25519PublicKey.from_public_bytes(self.raw)
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + self.raw)


class Signer(Protocol):
    """A private key that may live in software, a TPM or a smart card."""

    @property
    def public(self) -> PublicKey: ...

    def sign(self, message: bytes) -> bytes:
        """Return the raw COSE signature, 64 bytes."""
        ...


class Ed25519Signer:
    """A signing key in software, kept as its 32-byte seed."""

    def __init__(self, seed: bytes) -> None:
        if len(seed) != 32:
            raise FormatError("an Ed25519 seed has 32 bytes")
        self._key = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
        self.public = PublicKey(EDDSA, self._key.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature (RFC 8032)."""
        return self._key.sign(message)


class P256Signer:
    """An ES256 key; in software here, and the shape that a TPM's key has."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        numbers = key.public_key().public_numbers()
        raw = numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")
        self.public = PublicKey(ES256, raw)

    def sign(self, message: bytes) -> bytes:
        """Return r || s, 64 bytes (RFC 9053 section 2.1)."""
        r, s = decode_dss_signature(self._key.sign(message, ec.ECDSA(hashes.SHA256())))
        return _lower(r.to_bytes(32, "big") + s.to_bytes(32, "big"))


@dataclass(frozen=True)
class Verified:
    """A COSE_Sign1 whose signature holds. ``digest`` is SHA-256 over ``raw``."""

    payload: dict[object, object]
    kid: bytes
    raw: bytes
    digest: bytes


@dataclass(frozen=True)
class _Sign1:
    protected: bytes
    alg: int
    kid: bytes
    content: bytes
    signature: bytes


def sign(payload: dict[str, object], *, typ: str, signer: Signer) -> bytes:
    """Return the tagged COSE_Sign1 (RFC 9052 section 4.2) of ``payload``."""
    public = signer.public
    protected = cbor.encode({ALG: public.alg, KID: public.kid, TYP: typ})
    content = cbor.encode(payload)
    signature = signer.sign(_to_be_signed(protected, content))
    if public.alg == ES256:
        signature = _lower(signature)  # a TPM gives either
    return cbor.encode(cbor2.CBORTag(TAG_SIGN1, [protected, {}, content, signature]))


def verify(
    data: cbor.Buffer, *, typ: str, keys: Iterable[PublicKey], limit: int = MAX_SIGNED
) -> Verified:
    """Check type, key and signature of a COSE_Sign1; raise FormatError or VerificationError.

    The payload is taken apart only once its signature holds.
    """
    parsed = _parse(data, typ, limit)
    key = next((k for k in keys if k.kid == parsed.kid), None)
    if key is None or key.alg != parsed.alg:
        raise UntrustedKey(f"{typ}: signed by a key that is not trusted for this")
    key.verify(parsed.signature, _to_be_signed(parsed.protected, parsed.content))
    raw = bytes(data)
    payload = _payload(parsed, typ)
    return Verified(payload, parsed.kid, raw, hashlib.sha256(raw).digest())


def untrusted(
    data: cbor.Buffer, *, typ: str, limit: int = MAX_SIGNED
) -> tuple[bytes, dict[object, object]]:
    """Return key id and payload of a COSE_Sign1 *without* checking its signature."""
    parsed = _parse(data, typ, limit)
    return parsed.kid, _payload(parsed, typ)


def _to_be_signed(protected: bytes, payload: bytes) -> bytes:
    return cbor.encode(["Signature1", protected, b"", payload])


def _parse(data: cbor.Buffer, typ: str, limit: int) -> _Sign1:
    value = cbor.decode(data, limit=limit, what=typ)
    if not isinstance(value, cbor2.CBORTag) or value.tag != TAG_SIGN1:
        raise FormatError(f"{typ} is not a COSE_Sign1")
    match value.value:
        case [bytes(protected), dict(unprotected), bytes(content), bytes(signature)]:
            if unprotected:
                raise FormatError(f"{typ} has unprotected headers")
        case _:
            raise FormatError(f"{typ} is not a COSE_Sign1")
    alg, kid, found = _parse_header(protected, typ)
    if found != typ:
        raise WrongType(f"expected {typ}, found {found[:40]!r}")
    return _Sign1(protected, alg, kid, content, signature)


def _parse_header(protected: bytes, typ: str) -> tuple[int, bytes, str]:
    try:
        header = cbor.decode(protected, limit=512, what=f"{typ} header")
    except FormatError as e:
        raise HeaderError(str(e)) from e
    match header:
        case {1: int(alg), 4: bytes(kid), 16: str(found), **rest} if not rest:
            pass
        case _:
            raise HeaderError(f"{typ} header must have alg, kid and typ only")
    if alg not in (EDDSA, ES256):
        raise HeaderError(f"{typ}: the signature algorithm {alg} is not known")
    return alg, kid, found


def _payload(parsed: _Sign1, typ: str) -> dict[object, object]:
    payload = cbor.decode(parsed.content, limit=len(parsed.content), what=f"{typ} payload")
    if not isinstance(payload, dict):
        raise FormatError(f"{typ} payload is not a map")
    return payload


def _halves(signature: bytes) -> tuple[int, int]:
    return int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")


def _lower(signature: bytes) -> bytes:
    """Return the form of an ES256 signature that has the lower s."""
    r, s = _halves(signature)
    return r.to_bytes(32, "big") + min(s, P256_ORDER - s).to_bytes(32, "big")
