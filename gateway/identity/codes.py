"""What stands on a wristband, as docs/spec/envelope.md writes it, and whom it can name."""

import re
from typing import Final

_GSRN: Final = re.compile(r"\(8018\)([0-9]{18})\Z")


def check_digit_holds(digits: str) -> bool:
    """Tell whether the last digit is the check digit (GS1 General Specifications, 7.9)."""
    weighted = sum(int(d) * (3 if i % 2 == 0 else 1) for i, d in enumerate(reversed(digits[:-1])))
    return (weighted + int(digits[-1])) % 10 == 0


def identifier_in(code: str, pattern: "re.Pattern[str]") -> str | None:
    """Return the identifier that a wristband's code holds; None if it is none of this site's.

    A GS1 service relation number (AI 8018) is its 18 digits; any other code has to match the
    site's ``pattern``, and where that has a group, the group is the identifier.
    """
    if found := _GSRN.match(code):
        return found[1] if check_digit_holds(found[1]) else None
    if code.startswith("("):
        return None
    whole = pattern.fullmatch(code)
    if whole is None:
        return None
    return whole[1] if pattern.groups else whole[0]
