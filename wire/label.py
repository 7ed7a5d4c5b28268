"""What a disposable label in the picture says, as it travels in a photo's private header.

A label lies beside a wound: a marker of known size, a grey patch, and a DataMatrix code with
the site and side it was printed for. ``wire.label_layout`` says where each is on the label.

The code's text is ``WSL1:`` and then the words, as printed for people: ``W2 HEEL L`` is the
second wound, the heel, the left one. What a label does not say is a question for a person.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Final, Self

from base.errors import FormatError
from wire.shapes import Matches, Range, Size

PREFIX: Final = "WSL1:"

OBLIQUE, SMALL, SEVERAL = "oblique", "small", "several"
"""Why there is no scale: the label leans too far, is too small in the picture, or not alone."""

_WORDS: Final = r"(?:W([1-9][0-9]?) )?([A-Z][A-Z0-9-]{1,15})(?: ([LR]))?"
_CODE: Final = re.compile(_WORDS)

Side = Annotated[str, Matches("[LR]")]
Tenths = Annotated[int, Range(-1000, 700_000)]
Level = Annotated[int, Range(0, 2550)]


@dataclass(frozen=True)
class Code:
    """The words of a label: which wound (1 to 99), where, and on which side (``L``, ``R``)."""

    site: str
    side: str | None = None
    wound: int | None = None

    @classmethod
    def of(cls, words: str) -> Self:
        """Read ``W2 HEEL L``, ``SACRUM``, ``HEEL R``. Raises FormatError."""
        found = _CODE.fullmatch(words)
        if found is None:
            raise FormatError(
                f"{words[:40]!r} is no label's text: use a wound's number if there is one, a site"
                " of 2 to 16 capital letters, and L or R if it has a side, such as W2 HEEL L"
            )
        wound, site, side = found.groups()
        return cls(site, side, None if wound is None else int(wound))

    @classmethod
    def scanned(cls, text: str) -> Self | None:
        """Read a scanned code; None if it is not a label's."""
        if not text.startswith(PREFIX):
            return None
        try:
            return cls.of(text.removeprefix(PREFIX))
        except FormatError:
            return None

    @property
    def words(self) -> str:
        """As printed on the label."""
        wound = () if self.wound is None else (f"W{self.wound}",)
        side = () if self.side is None else (self.side,)
        return " ".join((*wound, self.site, *side))

    @property
    def text(self) -> str:
        """As it is in the DataMatrix code."""
        return PREFIX + self.words


@dataclass(frozen=True)
class Label:
    """What the darkroom read of the label in a picture; kept as a map in ``Private.label``.

    ``marker_um``: the side of the marker's black square as printed, in micrometres.
    ``corners``: x and y of its four corners, clockwise from the one that is printed upper left,
    in tenths of a pixel from the picture's upper left corner. ``tilt``: degrees between label
    and sensor. ``nm_per_px``: nanometres of the label's plane to a pixel, at the label, within
    1 % in every direction; missing for the reason ``refused`` gives. ``grey``, ``white``: the
    grey patch and the paper, Y, U and V in tenths of a level, as in the JPEG.

    ``code`` is the label's text; ``site``, ``side`` and ``wound`` are its parts. All four are
    missing when the code could not be read.
    """

    marker_um: Annotated[int, Range(1000, 200_000)]
    corners: Annotated[tuple[Tenths, ...], Size(8, 8)]
    tilt: Annotated[int, Range(0, 90)]
    nm_per_px: Annotated[int, Range(1, 10_000_000)] | None = None
    refused: Annotated[str, Matches("oblique|small|several")] | None = None
    grey: Annotated[tuple[Level, ...], Size(3, 3)] | None = None
    white: Annotated[tuple[Level, ...], Size(3, 3)] | None = None
    code: Annotated[str, Matches(_WORDS)] | None = None
    site: Annotated[str, Size(2, 16)] | None = None
    side: Side | None = None
    wound: Annotated[int, Range(1, 99)] | None = None
