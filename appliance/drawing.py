"""A screen as pixels: 128 x 64, one bit each, white on black.

The state word is at least 22 pixels from the foot of a letter to its head (accents come on top)
and as wide as the panel if need be: a word that does not fit is squashed sideways, never made
smaller. Letters are drawn too large in grey, brought to size and cut at half grey; that keeps
thin strokes alive which a font renderer would lose at one bit.

With a viewfinder the picture has the upper left corner and the words stand around it.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from PIL import Image, ImageChops, ImageDraw, ImageFont

from appliance.orders import PICTURE_HEIGHT, PICTURE_WIDTH
from appliance.screen import BAR, Screen

WIDTH: Final = 128
HEIGHT: Final = 64
BIG: Final = 22
SMALL: Final = 9
FONT: Final = Path(__file__).parent / "fonts" / "DejaVuSansCondensed-Bold.ttf"

WIDEST: Final = WIDTH - 2
"""Two columns and a row are left free for the shift against burn-in."""
FINDER: Final = (PICTURE_WIDTH, PICTURE_HEIGHT)

_ROW: Final = SMALL + 3
_TALLEST: Final = 34
_MOST_SQUASHED: Final = 1.4
_HALF_GREY: Final = 112


@lru_cache(maxsize=1)
def _font() -> tuple[ImageFont.FreeTypeFont, int]:
    """Return the font and the height of a capital letter in it, in its own pixels."""
    font = ImageFont.truetype(FONT, 128, layout_engine=ImageFont.Layout.BASIC)
    _, top, _, bottom = font.getbbox("H", anchor="ls")
    return font, round(bottom - top)


@dataclass(frozen=True, slots=True)
class Lettering:
    """A word in one bit.

    ``above``: rows of accents over the capitals, ``below``: rows under the line; ``natural``:
    its width in pixels before it was squashed.
    """

    image: Image.Image
    above: int
    below: int
    natural: int

    def write(self, onto: Image.Image, x: int, y: int) -> None:
        """Paste it with the heads of its capitals at row ``y``."""
        onto.paste(self.image, (x, y - self.above), self.image)


@lru_cache(maxsize=128)
def lettering(text: str, height: int, widest: int) -> Lettering:
    """Return ``text`` with capitals ``height`` pixels high, at most ``widest`` pixels wide.

    Accents are pressed flatter than the font has them: two lines with accents must fit.
    """
    font, capital = _font()
    left, top, right, bottom = (round(edge) for edge in font.getbbox(text, anchor="ls"))
    grey = Image.new("L", (right - left, bottom - top))
    ImageDraw.Draw(grey).text((-left, -top), text, font=font, fill=255, anchor="ls")
    scale = height / capital
    heads = max(0, -top - capital)
    above = min(round(heads * scale), max(2, height // 5))
    below = round(max(0, bottom) * scale)
    natural = max(1, round((right - left) * scale))
    width = min(widest, natural)
    word = Image.new("L", (width, above + height + below))
    parts = ((0, heads, 0, above), (heads, bottom - top, above, word.height))
    for upper, lower, y, end in parts:
        if lower > upper and end > y:
            part = grey.resize(
                (width, end - y), Image.Resampling.BOX, (0, upper, grey.width, lower)
            )
            word.paste(part, (0, y))
    cut = word.point([255 * (level > _HALF_GREY) for level in range(256)])
    return Lettering(cut.convert("1", dither=Image.Dither.NONE), above, below, natural)


def draw(screen: Screen, finder: Image.Image | None = None) -> Image.Image:
    """Return the picture of ``screen``; ``finder``: the viewfinder, for its corner."""
    image = Image.new("1", (WIDTH, HEIGHT))
    if not screen.words:
        return image
    if screen.finder:
        _draw_with_finder(image, screen, finder)
    else:
        _draw_words(image, screen)
    if any(screen.shift):
        image = ImageChops.offset(image, *screen.shift)
    return ImageChops.invert(image) if screen.bad else image


def _draw_words(image: Image.Image, screen: Screen) -> None:
    """Big lines above, small lines below them, at the foot the time or the place in a menu."""
    foot = 5 if screen.bar is not None or screen.steps is not None else 0
    rows = _rows(screen.lines, most=1 if len(screen.big) > 1 else 2)
    bottom = HEIGHT - 1 - foot
    y = bottom - len(rows) * _ROW + 2
    for row in rows:
        _spread(image, row, y)
        y += _ROW
    _stack(image, screen.big, bottom - len(rows) * _ROW)
    _draw_time(image, screen)


def _stack(image: Image.Image, words: tuple[str, ...], space: int) -> None:
    """Write the big lines as high as ``space`` and their width allow, evenly spread."""
    for height in range(_TALLEST, BIG - 1, -1):
        found = [lettering(word, height, WIDEST) for word in words]
        free = space - sum(picture.image.height for picture in found)
        natural = max(picture.natural for picture in found)
        if free >= 3 * (len(words) + 1) and natural <= WIDEST * _MOST_SQUASHED:
            break
    gap = max(0, free) // (len(words) + 1)
    y = max(gap, min(free, 1))
    for picture in found:
        picture.write(image, (WIDEST - picture.image.width) // 2, y + picture.above)
        y += picture.image.height + gap


def _rows(words: tuple[str, ...], most: int) -> list[tuple[str, ...]]:
    """Return the small lines in at most ``most`` rows."""
    if not words:
        return []
    per_row = -(-len(words) // most)
    return [words[i : i + per_row] for i in range(0, len(words), per_row)]


def _spread(image: Image.Image, words: tuple[str, ...], y: int) -> None:
    """Write one word in the middle of a row, or several from one end to the other."""
    pictures = [lettering(word, SMALL, WIDEST // len(words) - 3) for word in words]
    if len(pictures) == 1:
        pictures[0].write(image, (WIDEST - pictures[0].image.width) // 2, y)
        return
    free = WIDEST - sum(picture.image.width for picture in pictures)
    x = 0
    for picture in pictures:
        picture.write(image, x, y)
        x += picture.image.width + free // (len(pictures) - 1)


def _draw_time(image: Image.Image, screen: Screen) -> None:
    pen = ImageDraw.Draw(image)
    bottom = HEIGHT - 2
    if screen.bar is not None:
        pen.rectangle((0, bottom - 1, screen.bar * (WIDEST - 1) // BAR, bottom), fill=1)
    if screen.steps is not None:
        index, count = screen.steps
        first = (WIDEST - (count * 8 - 4)) // 2
        for i in range(count):
            x = first + i * 8
            pen.rectangle((x, bottom - 3, x + 3, bottom), outline=1, fill=int(i == index))


def _draw_with_finder(image: Image.Image, screen: Screen, finder: Image.Image | None) -> None:
    if finder is not None:
        image.paste(finder.crop((0, 0, *FINDER)), (0, 0))
    y = 2
    for word in screen.lines[:3]:
        lettering(word, SMALL, WIDTH - FINDER[0] - 4).write(image, FINDER[0] + 4, y)
        y += SMALL + 4
    if screen.bar is not None:
        pen = ImageDraw.Draw(image)
        pen.line((0, FINDER[1], screen.bar * (WIDTH - 1) // BAR, FINDER[1]), fill=1)
    # Two lines would hide the picture; every level has one, see the tests of the wording.
    big = lettering(screen.big[0], BIG, WIDTH)
    big.write(image, (WIDTH - big.image.width) // 2, HEIGHT - BIG)
