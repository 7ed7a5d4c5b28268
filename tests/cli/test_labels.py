"""`wardseal labels`: what is printed is to scale, and says what it was asked to say."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pikepdf
import pytest
import zxingcpp

from cli.label_sheet import SHEETS, Wanted, modules, pdf
from cli.label_words import LANGUAGES, SITES, caption
from tests.cli.program import wardseal
from wire.label import Code
from wire.label_layout import LAYOUTS, Box

MM = 72 / 25.4
HEEL = Wanted(Code.of("W2 HEEL L"))


def figures(page: Any) -> Iterator[tuple[str, list[tuple[float, float]]]]:
    """Each path of a page: how it is painted, and its points in mm from the upper left corner."""
    high = float(page.MediaBox[3])
    stack: list[tuple[float, float, float, float]] = []
    now = (1.0, 1.0, 0.0, 0.0)
    points: list[tuple[float, float]] = []
    stream: list[Any] = list(pikepdf.parse_content_stream(page))
    for operands, operator in stream:
        match str(operator):
            case "q":
                stack.append(now)
            case "Q":
                now = stack.pop()
            case "cm":
                a, b, c, d, e, f = map(float, operands)
                if b or c:
                    a, d = c, b  # turned by a right angle: lines of the ruler
                now = (now[0] * a, now[1] * d, now[0] * e + now[2], now[1] * f + now[3])
            case "m" | "l":
                x, y = map(float, operands)
                points.append(((now[0] * x + now[2]) / MM, (high - (now[1] * y + now[3])) / MM))
            case "f" | "S" | "n" as paint:
                yield paint, points
                points = []


Figures = list[tuple[str, list[tuple[float, float]]]]


def extent(box: Box, at: tuple[float, float], page: Figures) -> tuple[float, ...]:
    """How far what is filled within a millimetre of ``box`` reaches, on the page."""
    left, top = at[0] + box.x, at[1] + box.y
    inside = [
        (x, y)
        for paint, points in page
        for x, y in points
        if paint == "f" and -1 < x - left < box.side + 1 and -1 < y - top < box.side + 1
    ]
    xs, ys = zip(*inside, strict=True)
    return min(xs) - left, min(ys) - top, max(xs) - left, max(ys) - top


@pytest.mark.parametrize("name", SHEETS)
def test_a_sheet_is_true_to_scale_and_in_place(name: str) -> None:
    sheet = SHEETS[name]
    made = pikepdf.open(BytesIO(pdf(sheet, [HEEL] * (sheet.places + 1), "en")))
    assert len(made.pages) == 2
    page = made.pages[0]
    size = [float(side) / MM for side in page.MediaBox[2:]]
    assert size == pytest.approx(sheet.page, abs=0.01)
    last = (
        sheet.left + (sheet.across - 1) * sheet.right_by,
        sheet.top + (sheet.down - 1) * sheet.down_by,
    )
    drawn = list(figures(page))
    for at in ((sheet.left, sheet.top), last):
        for box in (sheet.layout.marker, sheet.layout.code, sheet.layout.grey):
            due = (0, 0, box.side, box.side)
            assert extent(box, at, drawn) == pytest.approx(due, abs=0.01)
    assert last[0] + sheet.layout.width <= sheet.page[0]
    assert last[1] + sheet.layout.height <= sheet.page[1] - 6, "clear of the control line"
    control = [
        abs(points[1][0] - points[0][0])
        for paint, points in drawn
        if paint == "S" and len(points) == 2 and points[0][1] > sheet.page[1] - 6
    ]
    assert max(control) == pytest.approx(100, abs=0.01)


def test_nothing_on_a_label_touches_what_is_measured() -> None:
    for layout in LAYOUTS:
        cell = layout.marker.side / 8
        for box in (layout.code, layout.grey, layout.white):
            assert box.x >= layout.marker.x + layout.marker.side + cell - 1e-9
            assert box.x + box.side <= layout.width
        assert layout.code.x + layout.code.side + 1 <= layout.grey.x
        assert layout.grey.x + layout.grey.side <= layout.white.x
        assert layout.text[1] >= layout.code.y + layout.code.side + 0.9
        assert layout.ruler_y - 2.2 >= layout.marker.y + layout.marker.side + cell


@pytest.mark.parametrize("words", [*SITES, "W99 SHOULDER-ABCDEFG R", "W2 HEEL L"])
def test_every_code_that_is_printed_can_be_read(words: str) -> None:
    code = Code.of(words)
    rows = modules(code)
    assert len(rows) == len(rows[0])
    scale, margin = 4, 8
    side = len(rows) * scale + 2 * margin
    picture = bytearray([255]) * (side * side)
    for y, row in enumerate(rows):
        for x, module in enumerate(row):
            for line in range(scale if module == "#" else 0):
                start = (margin + y * scale + line) * side + margin + x * scale
                picture[start : start + scale] = bytes(scale)
    (found,) = zxingcpp.read_barcodes(memoryview(picture).cast("B", (side, side)))
    assert Code.scanned(found.text) == code


def test_the_command_line_offers_what_there_is() -> None:
    shown = wardseal("labels", "--help").stdout
    assert "{" + ",".join(SHEETS) + "}" in shown
    assert "{" + ",".join(LANGUAGES) + "}" in shown


def test_people_read_their_own_language() -> None:
    heel = [caption(HEEL.code, language) for language in LANGUAGES]
    assert heel == [
        ("Heel", "left · Wound 2"),
        ("Ferse", "links · Wunde 2"),
        ("Talon", "gauche · Plaie 2"),
        ("Talón", "izquierda · Herida 2"),
    ]
    assert caption(Code.of("MIDFOOT"), "de") == ("MIDFOOT", "")
    assert caption(Code.of("MIDFOOT R"), "de", "Mittelfuß") == ("Mittelfuß", "rechts")
    assert all(len(names) == 4 and all(names.values()) for names in SITES.values())
    assert all(Code.of(code).site == code for code in SITES)


def test_a_list_of_labels_becomes_a_pdf_with_its_fonts_in_it(tmp_path: Path) -> None:
    listed = tmp_path / "sites.txt"
    listed.write_text("# the ward's\nW1 HEEL L\nMIDFOOT R = Mittelfuß  # ours\n\nSACRUM\n")
    out = tmp_path / "out.pdf"
    words = ("--list", listed, "--copies", "10", "--skip", "3", "--language", "de", "-o", out)
    done = wardseal("labels", *words)
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        f"{out}: 30 labels on 2 pages, plain A4, to cut out\n"
        'Print at 100 % ("actual size"); the line at the foot of each page must be 100 mm long.\n'
    )
    made = pikepdf.open(out)
    fonts = [font for page in made.pages for font in page.Resources.Font.values()]
    assert fonts
    for font in fonts:
        assert "/FontFile2" in font.DescendantFonts[0].FontDescriptor
    assert str(made.Root.Lang) == "de"
    again = wardseal("labels", "SACRUM", "-o", out)
    assert (again.returncode, again.stderr) == (
        2,
        f"wardseal: {out} exists; --force replaces it\n",
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "say which labels"),
        (("heel",), "'heel' is no label's text"),
        (("HEEL", "--copies", "0"), "--copies: use 1 to 1000"),
        (("HEEL", "--skip", "21"), "--skip: a sheet of this kind has 21 labels"),
        (("HEEL", "--list", "nowhere.txt"), "nowhere.txt cannot be read: No such file"),
        (("HEEL", "-o", "nowhere/out.pdf"), "nowhere/out.pdf cannot be written"),
        (("HEEL=" + "x" * 41,), "a site's name has at most 40 letters"),
    ],
)
def test_P10_what_cannot_be_printed_is_said(
    tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    done = wardseal("labels", *words, where=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr


def test_P10_a_wrong_line_in_a_list_is_named(tmp_path: Path) -> None:
    (tmp_path / "sites.txt").write_text("HEEL L\nheel r\n")
    done = wardseal("labels", "--list", tmp_path / "sites.txt")
    assert done.returncode == 2
    assert "sites.txt, line 2: 'heel r' is no label's text" in done.stderr


def test_sites_are_told_in_the_language_that_is_asked_for() -> None:
    done = wardseal("labels", "--sites", "--language", "es")
    assert done.returncode == 0
    assert "HEEL       Talón" in done.stdout
    assert "L = izquierda, R = derecha" in done.stdout
