"""What stands on a wristband, as docs/spec/envelope.md writes it, and whom it can name."""

import re
from typing import Final

from wire.gs1 import check_digit_holds

_GSRN: Final = re.compile(r"\(8018\)([0-9]{18})\Z")


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
