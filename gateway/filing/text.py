"""Text of others, made fit to be shown or sent: one line of printable characters.

What a device, a band, a label or another system wrote may hold control characters, which no
record format takes, and marks that turn the direction of what follows, which deceive a reader.
"""

import unicodedata
from typing import Any, Final

_REPLACED: Final = "\N{REPLACEMENT CHARACTER}"
_TURNING: Final = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_UNFIT: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})


def plain(text: str) -> str:
    """Replace every character that is no part of a line of text."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        _REPLACED if c in _TURNING or unicodedata.category(c) in _UNFIT else c for c in text
    )


def plain_all(value: Any) -> Any:
    """The same for every text in a tree of maps and lists, their keys aside."""
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, dict):
        return {key: plain_all(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain_all(inner) for inner in value]
    return value
