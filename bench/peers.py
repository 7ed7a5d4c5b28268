"""What others do to the same bytes: age, gpg, openssl cms, and the scheme that is sold today.

Programs are timed as one meets them, as a process with the photo in a file; a bare process is
timed beside them, so that a reader can take it off. A program that is not installed is said to
be absent.
"""

import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from cryptography.hazmat.primitives import hashes, hmac, padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from bench import report
from wire import envelope
from wire.envelope import Header
from wire.hpke import RecipientPublic
from wire.ledger import ClockTrust

ABSENT = "not installed here"


def table(jpeg: bytes, keys: Sequence[RecipientPublic], rounds: int) -> str:
    """Return the peers' table for one JPEG."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        folder = Path(name)
        (folder / "photo.jpg").write_bytes(jpeg)
        ways: list[tuple[str, Callable[[], object] | None]] = [
            ("**ours: AES-256-GCM, two hybrid HPKE recipients**", _ours(jpeg, keys, 3)),
            ("ours with ChaCha20-Poly1305", _ours(jpeg, keys, 24)),
            ("AES-CBC + HMAC + PBKDF2, 10,000 rounds", lambda: _sold_today(jpeg, 10_000)),
            ("AES-CBC + HMAC + PBKDF2, 600,000 rounds", lambda: _sold_today(jpeg, 600_000)),
            ("a process that does nothing", lambda: _run("true")),
            ("age (X25519, ChaCha20-Poly1305)", _age(folder)),
            ("gpg (cv25519, AES-256)", _gpg(folder)),
            ("openssl cms (P-256, AES-256-GCM)", _cms(folder)),
        ]
        measured = [(words, None if way is None else _median(way, rounds)) for words, way in ways]
        if shutil.which("gpgconf"):
            _run("gpgconf", "--homedir", str(folder / "gpg"), "--kill", "all")
    first = measured[0][1]
    assert first is not None
    rows = [
        (words, ABSENT, "") if ms is None else (words, f"{ms:.2f}", f"{ms / first:.1f}")
        for words, ms in measured
    ]
    head = (f"sealing the same {len(jpeg) / 1e6:.1f} MB JPEG, median", "ms", "to ours")
    return report.table(head, rows)


def _median(way: Callable[[], object], rounds: int) -> float:
    times = []
    for _ in range(rounds + 1):
        begun = time.perf_counter()
        way()
        times.append((time.perf_counter() - begun) * 1000)
    return statistics.median(times[1:])


def _run(*argv: str) -> None:
    subprocess.run(argv, check=True, capture_output=True)


def _ours(jpeg: bytes, keys: Sequence[RecipientPublic], alg: int) -> Callable[[], int]:
    content = bytearray(envelope.content_prefix(envelope.Private("bench", {}), len(jpeg)) + jpeg)
    header = Header(
        device="bench",
        boot=bytes(16),
        seq=1,
        consent=bytes(32),
        intent=bytes(32),
        epoch=1,
        keyset=bytes(32),
        time_ms=1,
        trust=ClockTrust.NONE,
        length=len(content),
    )
    out = memoryview(bytearray(envelope.room(len(content))))
    return lambda: envelope.seal_into(
        out,
        header=header,
        plaintext=memoryview(content),
        key=os.urandom(32),
        recipients=keys,
        alg=alg,
    )


def _sold_today(jpeg: bytes, rounds: int) -> bytes:
    """Password-based: PBKDF2-SHA256, AES-256-CBC, HMAC-SHA256 over the result."""
    salt, iv = os.urandom(16), os.urandom(16)
    keys = PBKDF2HMAC(hashes.SHA256(), 64, salt, rounds).derive(b"ward three, bed twelve")
    pad = padding.PKCS7(128).padder()
    cipher = Cipher(algorithms.AES(keys[:32]), modes.CBC(iv)).encryptor()
    sealed = iv + cipher.update(pad.update(jpeg) + pad.finalize()) + cipher.finalize()
    tag = hmac.HMAC(keys[32:], hashes.SHA256())
    tag.update(sealed)
    return salt + sealed + tag.finalize()


def _age(folder: Path) -> Callable[[], None] | None:
    if not shutil.which("age") or not shutil.which("age-keygen"):
        return None
    done = subprocess.run(["age-keygen"], check=True, capture_output=True, text=True)
    line = next(line for line in done.stdout.splitlines() if "public key" in line)
    recipient = line.rpartition(" ")[2]
    photo, out = str(folder / "photo.jpg"), str(folder / "photo.age")
    return lambda: _run("age", "-r", recipient, "-o", out, photo)


def _gpg(folder: Path) -> Callable[[], None] | None:
    if not shutil.which("gpg"):
        return None
    home = folder / "gpg"
    home.mkdir(mode=0o700)
    base = ["gpg", "--homedir", str(home), "--batch", "--yes", "--quiet", "--trust-model", "always"]
    _run(*base, "--passphrase", "", "--quick-generate-key", "bench", "future-default", "default")
    photo, out = str(folder / "photo.jpg"), str(folder / "photo.gpg")
    return lambda: _run(
        *base, "--compress-algo", "none", "-r", "bench", "-o", out, "--encrypt", photo
    )


def _cms(folder: Path) -> Callable[[], None] | None:
    if not shutil.which("openssl"):
        return None
    key, certificate = str(folder / "cms.key"), str(folder / "cms.crt")
    _run(
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
        *("-nodes", "-subj", "/CN=bench", "-days", "1", "-keyout", key, "-out", certificate),
    )
    photo, out = str(folder / "photo.jpg"), str(folder / "photo.cms")
    return lambda: _run(
        *("openssl", "cms", "-encrypt", "-binary", "-aes-256-gcm", "-outform", "DER"),
        *("-in", photo, "-out", out, certificate),
    )
