"""Public keys as people give them on a command line: the name of a file, or the digits."""

import re
from pathlib import Path

from base import keyfiles
from base.errors import FormatError
from cli.outcome import UsageError
from wire import pem
from wire.signing import PublicKey


def public_key(text: str, option: str) -> PublicKey:
    """Return the key that ``text`` names or spells; UsageError names ``option``."""
    digits = re.fullmatch(r"[0-9A-Fa-f]{64,}", text) is not None
    data = text.encode() if digits else keyfiles.read_public(Path(text), option)
    try:
        return pem.public_key(data)
    except FormatError as e:
        raise UsageError(f"{option} {'' if digits else text + ': '}{e}") from e
