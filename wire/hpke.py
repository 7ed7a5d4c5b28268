"""Wrapping a content key for one hospital key: HPKE in COSE's key encryption mode.

``mlkem768-x25519`` (the default) stays closed to a quantum computer: ML-KEM-768 and X25519
combined as MLKEM768-X25519 (draft-ietf-hpke-pq, KEM 0x647a, also known as X-Wing), with
HKDF-SHA256 and AES-256-GCM. ``p256`` is HPKE-7-KE of draft-ietf-cose-hpke, for sites that need
a classical approved suite. Both are used in base mode with one message per encapsulation.

The COSE number of the hybrid suite is not assigned yet (draft-ietf-cose-hpke-pq-pqt), so it is
one for private use (below -65536, RFC 9053). It stands here and nowhere else.
"""

import hashlib
import os
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import ec, mlkem, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from base.errors import FormatError
from wire import cbor
from wire.errors import HeaderError, NotForThisKey

_KTY_EC2, _KTY_AKP, _CRV_P256 = 2, 7, 1
_TAG_LENGTH: Final = 16


class SuiteName(StrEnum):
    """The key encryption suites; a site chooses one per key."""

    HYBRID = "mlkem768-x25519"
    P256 = "p256"


@dataclass(frozen=True)
class _Suite:
    alg: int
    kem: hpke.KEM
    public_length: int
    private_length: int
    enc_length: int

    @property
    def hpke(self) -> hpke.Suite:
        return hpke.Suite(self.kem, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


SUITES: Final = {
    SuiteName.HYBRID: _Suite(-65536 - 0x647A, hpke.KEM.MLKEM768_X25519, 1216, 32, 1120),
    SuiteName.P256: _Suite(53, hpke.KEM.P256, 65, 32, 65),
}


def suite_of(alg: int) -> SuiteName:
    """Return the suite with COSE number ``alg``; an unknown one is refused, never guessed."""
    for name, suite in SUITES.items():
        if suite.alg == alg:
            return name
    raise HeaderError(f"the key encryption algorithm {alg} is not known")


def check_lengths(suite: SuiteName, enc: bytes, wrapped: bytes) -> None:
    """Raise FormatError unless encapsulated and wrapped key are as long as ``suite`` makes them."""
    if len(enc) != SUITES[suite].enc_length or len(wrapped) != 32 + _TAG_LENGTH:
        raise FormatError("a recipient's fields have the wrong length")


@dataclass(frozen=True)
class RecipientPublic:
    """A hospital key that photos are sealed to.

    ``raw``: 1216 bytes ML-KEM-768 key || X25519 key, or a 65-byte uncompressed P-256 point.
    """

    suite: SuiteName
    raw: bytes

    def __post_init__(self) -> None:
        if len(self.raw) != SUITES[self.suite].public_length:
            raise FormatError(f"a {self.suite} key has another length")

    @property
    def alg(self) -> int:
        return SUITES[self.suite].alg

    @cached_property
    def kid(self) -> bytes:
        """The COSE key thumbprint with SHA-256 (RFC 9679), 32 bytes."""
        return hashlib.sha256(self.encode()).digest()

    def encode(self) -> bytes:
        """Return the COSE_Key with required parameters only (EC2, or AKP with its alg)."""
        if self.suite is SuiteName.P256:
            x, y = self.raw[1:33], self.raw[33:]
            return cbor.encode({1: _KTY_EC2, -1: _CRV_P256, -2: x, -3: y})
        return cbor.encode({1: _KTY_AKP, 3: self.alg, -1: self.raw})

    @classmethod
    def decode(cls, data: cbor.Buffer) -> "RecipientPublic":
        """Parse what ``encode`` wrote."""
        match cbor.decode(data, limit=2048, what="recipient key"):
            case {1: 2, -2: bytes(x), -3: bytes(y)}:
                key = cls(SuiteName.P256, b"\x04" + x + y)
            case {1: 7, -1: bytes(raw)}:
                key = cls(SuiteName.HYBRID, raw)
            case _:
                raise FormatError("recipient key is of no suite that is known")
        if key.encode() != bytes(data):
            raise FormatError("recipient key is not exactly the key of a suite that is known")
        key._loaded()  # a key that cannot be sealed to is found now, not at the bedside
        return key

    def wrap(self, content_key: cbor.Buffer, info: bytes) -> tuple[bytes, bytes]:
        """Return (encapsulated key, wrapped content key) for a 32-byte content key."""
        sealed = SUITES[self.suite].hpke.encrypt(content_key, self._loaded(), info=info)
        length = SUITES[self.suite].enc_length
        return sealed[:length], sealed[length:]

    def _loaded(self) -> hpke.MLKEM768X25519PublicKey | ec.EllipticCurvePublicKey:
        try:
            if self.suite is SuiteName.P256:
                return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), self.raw)
            return hpke.MLKEM768X25519PublicKey(
                mlkem.MLKEM768PublicKey.from_public_bytes(self.raw[:1184]),
                x25519.X25519PublicKey.from_public_bytes(self.raw[1184:]),
            )
        except ValueError as e:
            raise FormatError(f"the {self.suite} key is not a valid one") from e


class RecipientPrivate:
    """The private half, held by the gateway or, for recovery, offline.

    ``secret`` is 32 bytes: the P-256 scalar, or the seed from which SHAKE256 makes the ML-KEM
    seed (64 bytes) and the X25519 key (32 bytes), as draft-ietf-hpke-pq stores it.
    """

    def __init__(self, suite: SuiteName, secret: bytes) -> None:
        if len(secret) != SUITES[suite].private_length:
            raise FormatError(f"a private {suite} key has 32 bytes")
        self._secret = secret
        self._key: hpke.MLKEM768X25519PrivateKey | ec.EllipticCurvePrivateKey
        if suite is SuiteName.P256:
            key = _p256(secret)
            raw = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
            self._key = key
        else:
            seeds = hashlib.shake_256(secret).digest(96)
            pq = mlkem.MLKEM768PrivateKey.from_seed_bytes(seeds[:64])
            classical = x25519.X25519PrivateKey.from_private_bytes(seeds[64:])
            raw = pq.public_key().public_bytes_raw() + classical.public_key().public_bytes_raw()
            self._key = hpke.MLKEM768X25519PrivateKey(pq, classical)
        self.public = RecipientPublic(suite, raw)

    @classmethod
    def generate(cls, suite: SuiteName) -> "RecipientPrivate":
        """Make a new key."""
        if suite is SuiteName.P256:
            scalar = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
            return cls(suite, scalar.to_bytes(32, "big"))
        return cls(suite, os.urandom(32))

    def encode(self) -> bytes:
        """Return the private COSE_Key, to be kept in a file that only its owner can read."""
        public = cbor.decode(self.public.encode(), limit=2048, what="recipient key")
        assert isinstance(public, dict)
        label = -4 if self.public.suite is SuiteName.P256 else -2
        return cbor.encode({**public, label: self._secret})

    @classmethod
    def decode(cls, data: cbor.Buffer) -> "RecipientPrivate":
        """Parse what ``encode`` wrote; the public half must belong to the private one."""
        match cbor.decode(data, limit=2048, what="private recipient key"):
            case {1: 2, -4: bytes(secret)}:
                key = cls(SuiteName.P256, secret)
            case {1: 7, -2: bytes(secret)}:
                key = cls(SuiteName.HYBRID, secret)
            case _:
                raise FormatError("private recipient key is of no suite that is known")
        if key.encode() != bytes(data):
            raise FormatError("private recipient key: its public half is another key's")
        return key

    def unwrap(self, enc: bytes, wrapped: bytes, info: bytes) -> bytes:
        """Return the 32-byte content key, or raise FormatError or NotForThisKey."""
        check_lengths(self.public.suite, enc, wrapped)
        try:
            return SUITES[self.public.suite].hpke.decrypt(enc + wrapped, self._key, info=info)
        except (InvalidTag, ValueError) as e:
            raise NotForThisKey("the content key was not sealed to this key") from e


def _p256(secret: bytes) -> ec.EllipticCurvePrivateKey:
    try:
        return ec.derive_private_key(int.from_bytes(secret, "big"), ec.SECP256R1())
    except ValueError as e:
        raise FormatError("the private p256 key is 0 or above the curve's order") from e
