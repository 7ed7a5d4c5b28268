"""A sheet of labels as PDF: vectors to scale, one page after the other, typeset by Typst.

Places on the sheet and on a label are millimetres; nothing is scaled after that. Each page says
how long its control line must be, because printers like to shrink.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from base.errors import EnvironmentProblem
from cli.label_words import Language, caption
from wire.label import Code
from wire.label_layout import LARGE, SMALL, TAGS, Layout

TEMPLATE: Final = Path(__file__).parent / "labels.typ"


@dataclass(frozen=True)
class Sheet:
    """Labels on a page, in millimetres: how many, where the first is, from one to the next.

    ``cut``: plain paper or film, with lines to cut along; else the labels are die-cut.
    """

    words: str
    layout: Layout
    page: tuple[float, float]
    across: int
    down: int
    left: float
    top: float
    right_by: float
    down_by: float
    cut: bool = False

    @property
    def places(self) -> int:
        return self.across * self.down


SHEETS: Final = {
    "a4": Sheet("plain A4, to cut out", LARGE, (210, 297), 3, 7, 7.25, 11, 66, 39, cut=True),
    "l7160": Sheet(
        "A4 label sheet of 21, 63.5 x 38.1 mm (Avery L7160 and its like)",
        *(LARGE, (210, 297), 3, 7, 7.25, 15.15, 66.04, 38.1),
    ),
    "l7651": Sheet(
        "A4 label sheet of 65, 38.1 x 21.2 mm (Avery L7651 and its like)",
        *(SMALL, (210, 297), 5, 13, 4.75, 10.7, 40.64, 21.2),
    ),
    "letter": Sheet(
        "plain US Letter, to cut out", LARGE, (215.9, 279.4), 3, 6, 10.2, 20, 66, 39, cut=True
    ),
}


@dataclass(frozen=True)
class Wanted:
    """A label to print: its code, and what its site is called if that is not in our list."""

    code: Code
    name: str | None = None


def modules(code: Code) -> list[str]:
    """Return the DataMatrix code's rows, dark modules as ``#``, without a margin."""
    import zxingcpp

    made = zxingcpp.create_barcode(code.text, zxingcpp.BarcodeFormat.DataMatrix, force_square=True)
    drawn: Any = made.to_image(scale=1, add_quiet_zones=False)
    image: Any = memoryview(drawn)
    high, wide = image.shape
    return ["".join(".#"[image[y, x] == 0] for x in range(wide)) for y in range(high)]


def pdf(sheet: Sheet, labels: Sequence[Wanted], language: Language, *, skip: int = 0) -> bytes:
    """Return the PDF. ``skip``: places on the first sheet that are used up already."""
    pages: list[list[dict[str, Any]]] = []
    for number, wanted in enumerate(labels, skip):
        page, place = divmod(number, sheet.places)
        if page == len(pages):
            pages.append([])
        row, column = divmod(place, sheet.across)
        at = (sheet.left + column * sheet.right_by, sheet.top + row * sheet.down_by)
        pages[page].append({"at": at, **_drawn(sheet.layout, wanted, language)})
    return _compiled(
        {
            "page": sheet.page,
            "cut": sheet.cut,
            "layout": _measures(sheet.layout),
            "pages": pages,
            "language": language,
        },
        "pdf",
    )


def png(layout: Layout, wanted: Wanted, language: Language, dots_per_mm: float) -> bytes:
    """Return one label as an image, for a simulated camera to look at."""
    page = {"at": (0, 0), **_drawn(layout, wanted, language)}
    return _compiled(
        {
            "page": (layout.width, layout.height),
            "cut": False,
            "layout": _measures(layout),
            "pages": [[page]],
            "language": language,
            "bare": True,
        },
        "png",
        ppi=dots_per_mm * 25.4,
    )


def _drawn(layout: Layout, wanted: Wanted, language: Language) -> dict[str, Any]:
    site, rest = caption(wanted.code, language, wanted.name)
    return {
        "tag": TAGS[layout.tag],
        "code": modules(wanted.code),
        "words": wanted.code.words,
        "site": site,
        "rest": rest,
    }


def _measures(layout: Layout) -> dict[str, Any]:
    boxes = ("marker", "code", "grey", "white")
    return {
        "width": layout.width,
        "height": layout.height,
        "text": layout.text,
        "type": layout.type_mm,
        "ruler": layout.ruler_mm,
        "ruler_y": layout.ruler_y,
        **{name: vars(getattr(layout, name)) for name in boxes},
    }


def _compiled(sheet: dict[str, Any], kind: Literal["pdf", "png"], ppi: float = 144) -> bytes:
    try:
        import typst
    except ImportError as e:
        raise EnvironmentProblem(
            "labels are typeset by Typst, which is not installed: pip install typst"
        ) from e
    return typst.compile(
        TEMPLATE,
        format=kind,
        ppi=ppi,
        sys_inputs={"sheet": json.dumps(sheet)},
        ignore_system_fonts=True,
    )
