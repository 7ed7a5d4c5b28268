"""One HTML file that decrypts itself in a desktop browser, without a network.

AES-256-GCM under a key from the pass-phrase (PBKDF2-HMAC-SHA-256, 600,000 rounds, OWASP 2023),
by the browser's own Web Cryptography. The plaintext is the length of a JSON text (4 bytes, big
endian), that text, and the JPEG. The page may load nothing and send nothing: its policy allows
its own script by hash, and a picture that it has made itself.
"""

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.sharing.phrase import spelled

ROUNDS: Final = 600_000
FORMAT: Final = b"wardseal-share/1"
_HERE: Final = Path(__file__).parent


def encrypt(
    jpeg: memoryview | bytes, facts: Mapping[str, str], phrase: str, *, title: str
) -> bytes:
    """Return the file. ``facts``: what stands beside the picture, in order, label to text.

    ``title`` is readable without the pass-phrase and must name nobody.
    """
    salt, nonce = secrets.token_bytes(16), secrets.token_bytes(12)
    key = hashlib.pbkdf2_hmac("sha256", spelled(phrase).encode(), salt, ROUNDS)
    told = json.dumps(list(facts.items()), ensure_ascii=False).encode()
    plain = len(told).to_bytes(4, "big") + told + bytes(jpeg)
    sealed = AESGCM(key).encrypt(nonce, plain, FORMAT)
    style = (_HERE / "page.css").read_text("utf-8")
    script = (_HERE / "page.js").read_text("utf-8")
    page = (_HERE / "page.html").read_text("utf-8")
    for name, value in {
        "title": escape(title),
        "style_hash": _hash(style),
        "script_hash": _hash(script),
        "style": style,
        "script": script,
        "rounds": str(ROUNDS),
        "salt": _text(salt),
        "nonce": _text(nonce),
        "sealed": _text(sealed),
    }.items():
        page = page.replace("{{" + name + "}}", value)
    return page.encode()


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
