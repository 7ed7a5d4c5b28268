"""Every secret that was in a darkroom's memory, worked out from its envelope.

HPKE's inner secrets (RFC 9180 sections 4.1 and 5.1; X-Wing for the hybrid suite) are computed here
step by step, without the library that sealed, and checked: the AEAD key that comes out has to
open the wrapped content key.
"""

import hashlib
import hmac

from cryptography.hazmat.primitives.asymmetric import ec, mlkem, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from wire import cbor, envelope
from wire.envelope import Envelope, Recipient
from wire.hpke import RecipientPrivate, SuiteName

XWING_LABEL = rb"\./" + rb"/^" + b"\\"
KEM_IDS = {SuiteName.HYBRID: 0x647A, SuiteName.P256: 0x0010}


def of_envelope(
    found: Envelope, keys: list[RecipientPrivate]
) -> tuple[dict[str, bytes], bytearray]:
    """Return all keys by name, and the plaintext. ``keys``: one for each recipient."""
    secrets: dict[str, bytes] = {}
    for box, private in zip(found.recipients, keys, strict=True):
        secrets |= _of_recipient(found, box, private)
    plaintext = bytearray(found.header.length)
    envelope.open_into(found, keys[0], memoryview(plaintext))
    return secrets, plaintext


def _of_recipient(found: Envelope, box: Recipient, private: RecipientPrivate) -> dict[str, bytes]:
    suite = private.public.suite
    info = cbor.encode(["HPKE Recipient", found.alg, box.protected, b""])
    inner = _xwing(private, box.enc) if suite is SuiteName.HYBRID else _dhkem(private, box.enc)
    suite_id = b"HPKE" + b"".join(n.to_bytes(2, "big") for n in (KEM_IDS[suite], 1, 2))
    context = (
        b"\0"
        + _extract(b"", b"psk_id_hash", b"", suite_id)
        + _extract(b"", b"info_hash", info, suite_id)
    )
    secret = _extract(inner["shared secret"], b"secret", b"", suite_id)
    key = _expand(secret, b"key", context, 32, suite_id)
    nonce = _expand(secret, b"base_nonce", context, 12, suite_id)
    inner |= {
        "key schedule secret": secret,
        "AEAD key": key,
        "exporter secret": _expand(secret, b"exp", context, 32, suite_id),
        "content key": AESGCM(key).decrypt(nonce, box.wrapped, b""),
    }
    return {f"{suite} {name}": value for name, value in inner.items()}


def _xwing(private: RecipientPrivate, enc: bytes) -> dict[str, bytes]:
    """MLKEM768-X25519 (draft-ietf-hpke-pq; X-Wing, draft-connolly-cfrg-xwing-kem)."""
    seeds = hashlib.shake_256(_seed(private)).digest(96)
    pq = mlkem.MLKEM768PrivateKey.from_seed_bytes(seeds[:64]).decapsulate(enc[:1088])
    classical = x25519.X25519PrivateKey.from_private_bytes(seeds[64:]).exchange(
        x25519.X25519PublicKey.from_public_bytes(enc[1088:])
    )
    public = private.public.raw[1184:]
    shared = hashlib.sha3_256(pq + classical + enc[1088:] + public + XWING_LABEL).digest()
    return {"ML-KEM secret": pq, "X25519 secret": classical, "shared secret": shared}


def _dhkem(private: RecipientPrivate, enc: bytes) -> dict[str, bytes]:
    """DHKEM(P-256, HKDF-SHA256)."""
    key = ec.derive_private_key(int.from_bytes(_seed(private), "big"), ec.SECP256R1())
    theirs = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), enc)
    dh = key.exchange(ec.ECDH(), theirs)
    suite_id = b"KEM" + KEM_IDS[SuiteName.P256].to_bytes(2, "big")
    prk = _extract(b"", b"eae_prk", dh, suite_id)
    shared = _expand(prk, b"shared_secret", enc + private.public.raw, 32, suite_id)
    return {"ECDH secret": dh, "extracted secret": prk, "shared secret": shared}


def _seed(private: RecipientPrivate) -> bytes:
    key = cbor.decode(private.encode(), limit=2048, what="private key")
    assert isinstance(key, dict)
    seed = key[-4 if private.public.suite is SuiteName.P256 else -2]
    assert isinstance(seed, bytes)
    return seed


def _extract(salt: bytes, label: bytes, ikm: bytes, suite_id: bytes) -> bytes:
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite_id + label + ikm, "sha256")


def _expand(prk: bytes, label: bytes, info: bytes, length: int, suite_id: bytes) -> bytes:
    labelled = length.to_bytes(2, "big") + b"HPKE-v1" + suite_id + label + info
    return hmac.digest(prk, labelled + b"\1", "sha256")[:length]


def entropy_coded(jpeg: bytes | memoryview) -> bytes:
    """The JPEG's picture data, without the tables before it, which every JPEG has."""
    data = bytes(jpeg)
    scan = data.index(b"\xff\xda")
    return data[scan + 2 + int.from_bytes(data[scan + 2 : scan + 4], "big") :]
