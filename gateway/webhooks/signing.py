"""How a webhook is signed: Standard Webhooks 1.0.0, symmetric (``v1``).

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md: the
signature is HMAC-SHA-256 over ``id.timestamp.body``, in base64. A key is 24 to 64 random bytes,
written in base64 behind ``whsec_``. A request may carry several signatures, one for each key.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from base.errors import ConfigError
from base.keyfiles import read_secret

_PREFIX: Final = "whsec_"
_SHORTEST, _LONGEST = 24, 64
_HOW: Final = 'make one with: (umask 077; echo "whsec_$(openssl rand -base64 32)" > FILE)'


def keys_in(path: Path, setting: str) -> tuple[bytes, ...]:
    """Return the keys of a secret file, one a line. Raises ConfigError, EnvironmentProblem."""
    try:
        lines = read_secret(path, setting).decode("ascii").split()
        keys = tuple(_key(line) for line in lines)
    except (UnicodeDecodeError, binascii.Error, ValueError) as e:
        raise ConfigError(setting, f"{path} holds something that is no key; {_HOW}") from e
    if not keys:
        raise ConfigError(setting, f"{path} holds no key; {_HOW}")
    return keys


def headers(keys: Sequence[bytes], *, id_: str, at_seconds: int, body: bytes) -> dict[str, str]:
    """Return the three headers that a receiver checks."""
    signed = f"{id_}.{at_seconds}.".encode() + body
    found = [
        base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode("ascii") for key in keys
    ]
    return {
        "webhook-id": id_,
        "webhook-timestamp": str(at_seconds),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in found),
    }


def _key(line: str) -> bytes:
    if not line.startswith(_PREFIX):
        raise ValueError
    key = base64.b64decode(line.removeprefix(_PREFIX), validate=True)
    if not _SHORTEST <= len(key) <= _LONGEST:
        raise ValueError
    return key
