"""What a code in front of the camera is: a wristband, a badge, or nothing to us.

A symbol is taken only if it has the shape that this site gave its bands or badges, so a drip's
label or the barcode of a dressing says nothing. GS1 symbols say themselves what they are: the
application identifier 8018 is the patient's GSRN, 8017 that of a member of staff (GS1 General
Specifications, sections 3.9.8 and 3.9.9); their check digit has to hold. Pure.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from appliance.config import CodeSettings
from wire.gs1 import check_digit_holds

LONGEST: Final = 100
"""Characters; no band or badge has more, and the private header takes no more bytes."""

_PATIENT, _PROVIDER = "8018", "8017"
_ELEMENTS: Final = re.compile(r"(?:\([0-9]{2,4}\)[^()]+)+")
_GSRN: Final = re.compile(r"\((8017|8018)\)([0-9]{18})(?![^(])")


class Kind(StrEnum):
    """What a code belongs to."""

    BAND = "band"
    BADGE = "badge"


@dataclass(frozen=True)
class Symbol:
    """A barcode as the reader decoded it; of a GS1 one, ``text`` has its identifiers in brackets.

    ``(8018)123456789012345675(8019)1``: what GS1 calls the human readable interpretation.
    """

    text: str
    gs1: bool


@dataclass(frozen=True)
class Code:
    """A band or badge, in the one spelling of docs/spec/envelope.md. Never log it (P9)."""

    kind: Kind
    text: str


class Patterns:
    """The shapes of this site's bands and badges."""

    def __init__(self, settings: CodeSettings) -> None:
        self._gsrn = {
            _PATIENT: (Kind.BAND, _compiled(settings.band_gsrn)),
            _PROVIDER: (Kind.BADGE, _compiled(settings.badge_gsrn)),
        }
        self._text = {
            Kind.BAND: _compiled(settings.band_text),
            Kind.BADGE: _compiled(settings.badge_text),
        }

    @property
    def any(self) -> bool:
        """Whether there is anything to look for."""
        patterns = (*(pattern for _, pattern in self._gsrn.values()), *self._text.values())
        return any(pattern is not None for pattern in patterns)

    def code(self, symbol: Symbol) -> Code | None:
        """Return the band or badge that this symbol is; None if it is neither, or may be both."""
        return self._of_gs1(symbol.text) if symbol.gs1 else self._of_text(symbol.text)

    def _of_gs1(self, text: str) -> Code | None:
        if not _ELEMENTS.fullmatch(text):
            return None
        found = _GSRN.findall(text)
        if len(found) != 1:
            return None
        identifier, digits = found[0]
        kind, pattern = self._gsrn[identifier]
        if pattern is None or not pattern.fullmatch(digits) or not check_digit_holds(digits):
            return None
        return Code(kind, f"({identifier}){digits}")

    def _of_text(self, text: str) -> Code | None:
        # What begins with a bracket would look like a GS1 code, and is none.
        if not text.isprintable() or text.startswith("(") or len(text.encode()) > LONGEST:
            return None
        fits = [kind for kind, pattern in self._text.items() if pattern and pattern.fullmatch(text)]
        return Code(fits[0], text) if len(fits) == 1 else None


def _compiled(pattern: str) -> re.Pattern[str] | None:
    return re.compile(pattern, re.ASCII) if pattern else None
