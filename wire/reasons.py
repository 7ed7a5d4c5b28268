"""Why the hospital takes a photo not: a few words that a device can say in four languages.

The ``reason`` of a receipt and of ``refused`` is text for people. When it says why something was
not taken it begins with one of these codes and a colon (docs/spec/receipts.md). A text without
one, from a gateway older than the codes, or of a kind not known here, is UNSPECIFIED.
"""

from enum import StrEnum


class Reason(StrEnum):
    """Why nothing was taken; those about the whole device first."""

    REVOKED = "revoked"
    NOT_ENROLLED = "not-enrolled"
    NOT_PROVEN = "not-proven"
    DAMAGED = "damaged"
    WRONG_KEY = "wrong-key"
    TOO_LARGE = "too-large"
    UNSPECIFIED = "unspecified"


def worded(reason: Reason, why: str) -> str:
    """Return the text of a receipt or ``refused``: the code, and what a person may read."""
    return f"{reason}: {why}"


def code_of(text: str) -> Reason:
    """Return the code that a text begins with."""
    code, colon, _ = text.partition(":")
    try:
        return Reason(code) if colon else Reason.UNSPECIFIED
    except ValueError:
        return Reason.UNSPECIFIED
