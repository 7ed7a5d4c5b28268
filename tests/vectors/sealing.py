"""Keys and signed or sealed things for the vectors, made straight from docs/spec/.

Everything follows from fixed seeds but the HPKE encapsulations, which are random and therefore
kept in ``wraps.json``; they are bound to the content key, the algorithms and the recipient's
header, not to the photo, so one set of them serves every envelope.
"""

import hashlib
import json
from pathlib import Path

import cbor2
from cryptography.hazmat.primitives import hashes, hpke
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mlkem, x25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from tests.vectors.spelling import det, head

HERE = Path(__file__).parent
WRAPS = HERE / "wraps.json"
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493
HYBRID, P256_KE = -65536 - 0x647A, 53
GCM, CHACHA = 3, 24
CONTENT_TYPE = "application/vnd.wardseal.photo+cbor"


def seed(name: str) -> bytes:
    """32 bytes for a name: SHA-256 over "wardseal test vector: " and the name."""
    return hashlib.sha256(f"wardseal test vector: {name}".encode()).digest()


class SigningKey:
    """An Ed25519 or P-256 key pair by name."""

    def __init__(self, name: str, kind: str = "ed25519") -> None:
        self.name, self.kind, self.secret = name, kind, seed(name)
        if kind == "ed25519":
            self.alg = -8
            self._ed = ed25519.Ed25519PrivateKey.from_private_bytes(self.secret)
            self.cose = det({1: 1, -1: 6, -2: self._ed.public_key().public_bytes_raw()})
        else:
            self.alg = -7
            self._ec = ec.derive_private_key(int.from_bytes(self.secret, "big"), ec.SECP256R1())
            n = self._ec.public_key().public_numbers()
            x, y = n.x.to_bytes(32, "big"), n.y.to_bytes(32, "big")
            self.cose = det({1: 2, -1: 1, -2: x, -3: y})
        self.kid = hashlib.sha256(self.cose).digest()

    def sign(self, message: bytes) -> bytes:
        if self.kind == "ed25519":
            return self._ed.sign(message)
        algorithm = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
        r, s = decode_dss_signature(self._ec.sign(message, algorithm))
        return r.to_bytes(32, "big") + min(s, P256_ORDER - s).to_bytes(32, "big")


def other_form(key: SigningKey, signature: bytes) -> bytes:
    """The same signature in the form that anybody can make of it and nobody may accept."""
    if key.kind == "ed25519":
        s = int.from_bytes(signature[32:], "little") + ED25519_ORDER
        return signature[:32] + s.to_bytes(32, "little")
    s = P256_ORDER - int.from_bytes(signature[32:], "big")
    return signature[:32] + s.to_bytes(32, "big")


class SealingKey:
    """A recipient's key pair by name: ``hybrid`` or ``p256``."""

    def __init__(self, name: str, kind: str) -> None:
        self.name, self.kind, self.secret = name, kind, seed(name)
        if kind == "hybrid":
            self.alg = HYBRID
            seeds = hashlib.shake_256(self.secret).digest(96)
            pq = mlkem.MLKEM768PrivateKey.from_seed_bytes(seeds[:64]).public_key()
            dh = x25519.X25519PrivateKey.from_private_bytes(seeds[64:]).public_key()
            self.public: hpke.MLKEM768X25519PublicKey | ec.EllipticCurvePublicKey
            self.public = hpke.MLKEM768X25519PublicKey(pq, dh)
            raw = pq.public_bytes_raw() + dh.public_bytes_raw()
            self.cose = det({1: 7, 3: HYBRID, -1: raw})
            self.private_cose = det({1: 7, 3: HYBRID, -1: raw, -2: self.secret})
        else:
            self.alg = P256_KE
            key = ec.derive_private_key(int.from_bytes(self.secret, "big"), ec.SECP256R1())
            self.public = key.public_key()
            n = key.public_key().public_numbers()
            x, y = n.x.to_bytes(32, "big"), n.y.to_bytes(32, "big")
            self.cose = det({1: 2, -1: 1, -2: x, -3: y})
            self.private_cose = det({1: 2, -1: 1, -2: x, -3: y, -4: self.secret})
        self.kid = hashlib.sha256(self.cose).digest()
        self.header = det({1: self.alg, 4: self.kid})

    def wrap(self, content_key: bytes, content_alg: int) -> list[object]:
        """One COSE_recipient, freshly encapsulated."""
        kem = hpke.KEM.MLKEM768_X25519 if self.kind == "hybrid" else hpke.KEM.P256
        suite = hpke.Suite(kem, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
        info = det(["HPKE Recipient", content_alg, self.header, b""])
        sealed = suite.encrypt(content_key, self.public, info=info)
        length = 1120 if self.kind == "hybrid" else 65
        return [self.header, {-4: sealed[:length]}, sealed[length:]]


DEVICE = SigningKey("device")
TPM_DEVICE = SigningKey("tpm-device", "p256")
OTHER_DEVICE = SigningKey("other-device")
ROOT = SigningKey("root")
OTHER_ROOT = SigningKey("other-root")
RECEIPT = SigningKey("receipt")
TPM_RECEIPT = SigningKey("p256-receipt", "p256")
FLEET = SigningKey("fleet")
GATEWAY = SealingKey("gateway", "hybrid")
RECOVERY = SealingKey("recovery", "hybrid")
GATEWAY_P256 = SealingKey("gateway-p256", "p256")
RECOVERY_P256 = SealingKey("recovery-p256", "p256")
STRANGER = SealingKey("stranger", "hybrid")
SIGNING_KEYS = (DEVICE, TPM_DEVICE, OTHER_DEVICE, ROOT, OTHER_ROOT, RECEIPT, TPM_RECEIPT, FLEET)
SEALING_KEYS = (GATEWAY, RECOVERY, GATEWAY_P256, RECOVERY_P256, STRANGER)
CONTENT_KEY, IV = seed("content key"), seed("iv")[:12]


def protected(key: SigningKey, typ: str) -> bytes:
    return det({1: key.alg, 4: key.kid, 16: typ})


def sign1(
    key: SigningKey,
    typ: str,
    payload: object,
    *,
    header: bytes | None = None,
    unprotected: object = None,
    tag: int = 18,
    context: str = "Signature1",
    external: bytes = b"",
) -> bytes:
    """A COSE_Sign1; ``payload`` as a value, or as bytes that stand there as they are."""
    if header is None:
        header = protected(key, typ)
    content = payload if isinstance(payload, bytes) else det(payload)
    signature = key.sign(det([context, header, external, content]))
    return det(cbor2.CBORTag(tag, [header, unprotected or {}, content, signature]))


def make_wraps() -> None:
    """Encapsulate anew for every key and content algorithm and keep the results."""
    made = {
        f"{key.name} {alg}": det(key.wrap(CONTENT_KEY, alg)).hex()
        for key in SEALING_KEYS
        for alg in (GCM, CHACHA)
    }
    WRAPS.write_text(json.dumps(made, indent=1) + "\n")


def stored_wrap(key: SealingKey, alg: int) -> list[object]:
    wraps = json.loads(WRAPS.read_text())
    box = cbor2.loads(bytes.fromhex(wraps[f"{key.name} {alg}"]))
    assert isinstance(box, list)
    return box


def envelope(
    ws: object,
    content: bytes,
    boxes: list[object],
    *,
    alg: int = GCM,
    header: bytes | None = None,
    iv: bytes = IV,
    key: bytes = CONTENT_KEY,
    context: str = "Encrypt",
    unprotected: bytes | None = None,
    tag: int = 96,
    more: bytes = b"",
    count: int = 4,
) -> bytes:
    """A COSE_Encrypt over ``content`` as it is; every part can be given wrongly."""
    if header is None:
        header = det({1: alg, 3: CONTENT_TYPE, "ws": ws})
    aead = ChaCha20Poly1305(key) if alg == CHACHA else AESGCM(key)
    ciphertext = aead.encrypt(iv, content, det([context, header, b""]))
    start = head(6, tag) + head(4, count) + det(header)
    middle = det({5: iv}) if unprotected is None else unprotected
    return start + middle + det(ciphertext) + det(boxes) + more


def content(private: object, jpeg: bytes) -> bytes:
    """What is encrypted: the private header and the JPEG."""
    return det([private, jpeg])


if __name__ == "__main__":
    make_wraps()
