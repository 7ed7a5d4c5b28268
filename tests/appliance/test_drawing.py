"""Screens as pixels: large enough, nothing cut off, and as in the committed picture."""

import subprocess
import sys

import pytest
from PIL import Image, ImageChops

from appliance.drawing import BIG, HEIGHT, WIDEST, WIDTH, draw, lettering
from appliance.screen import Screen
from appliance.wording import LANGUAGES, Phrase, lines
from scripts import draw_screens


def box(picture: Image.Image) -> tuple[int, int, int, int]:
    found = picture.getbbox()
    assert found is not None, "nothing is drawn"
    return found


def lit(picture: Image.Image) -> int:
    return picture.convert("L").histogram()[255]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("phrase", list(Phrase))
def test_a_state_word_is_at_least_22_pixels_high_and_whole(phrase: Phrase, language: str) -> None:
    big = lines(phrase, language, n=88, time="14:08")
    for word in big:
        drawn = lettering(word, BIG, WIDEST)
        capitals = drawn.image.crop((0, drawn.above, drawn.image.width, drawn.above + BIG))
        _, top, _, bottom = box(capitals)
        assert bottom - top >= 22
        assert drawn.image.width <= WIDEST
    small = ("MMMMMMMMMM",)
    with_all = draw(Screen(big, small))
    # Nothing touches the columns and the row that the shift against burn-in needs.
    assert box(with_all)[2] <= WIDEST
    assert box(with_all)[3] <= HEIGHT - 1
    # The small line takes nothing away from the large ones.
    rows = [draw(Screen(big, (word,))) for word in ("I", "MMMMMMMMMM")]
    assert box(ImageChops.logical_xor(*rows))[1] >= HEIGHT - 13


def test_a_word_that_is_too_wide_is_squashed_and_not_made_smaller() -> None:
    wide, narrow = lettering("ZUSTIMMUNG", BIG, WIDEST), lettering("LOST", BIG, WIDEST)
    assert wide.image.height - wide.below == narrow.image.height == BIG
    assert wide.image.width == WIDEST < wide.natural


def test_without_words_the_screen_is_dark() -> None:
    assert draw(Screen()).getbbox() is None


def test_a_bad_outcome_is_black_on_white() -> None:
    good, bad = draw(Screen(("LOST",))), draw(Screen(("LOST",), bad=True))
    assert lit(good) + lit(bad) == WIDTH * HEIGHT
    assert lit(bad) > lit(good)


def test_a_shift_moves_the_picture_and_loses_nothing() -> None:
    still = draw(Screen(("ASK FIRST",), ("BED 12",)))
    moved = draw(Screen(("ASK FIRST",), ("BED 12",), shift=(2, 1)))
    assert lit(still) == lit(moved)
    expected = (edge + by for edge, by in zip(box(still), (2, 1, 2, 1), strict=True))
    assert box(moved) == tuple(expected)


def test_the_viewfinder_has_its_corner_and_the_words_leave_it_alone() -> None:
    white = Image.new("1", (WIDTH, HEIGHT), 1)
    screen = Screen(("CARE ONLY",), ("READY",), bar=64, finder=True)
    with_view, without = draw(screen, white), draw(screen)
    assert box(ImageChops.logical_xor(with_view, without)) == (0, 0, 56, 40)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "phrase",
    [
        Phrase.CARE_ONLY,
        Phrase.TEACHING,
        Phrase.KEPT,
        Phrase.POOR,
        Phrase.BUSY,
        Phrase.NOTHING,
        Phrase.BAND_OK,
        Phrase.SEVERAL_BANDS,
        Phrase.BADGE_OK,
        Phrase.UNDONE,
    ],
)
def test_a_word_below_the_viewfinder_has_no_letter_that_the_edge_cuts_off(
    phrase: Phrase, language: str
) -> None:
    """A J without its hook is an I."""
    (word,) = lines(phrase, language, n=88)
    assert lettering(word, BIG, WIDTH).below == 0


def test_the_bar_gets_shorter_with_the_time() -> None:
    full, half = (draw(Screen(("CLEANING",), bar=bar)) for bar in (128, 64))
    assert lit(full) > lit(half) > lit(draw(Screen(("CLEANING",), bar=0)))


def test_every_screen_in_every_language_looks_as_it_was_looked_at() -> None:
    with Image.open(draw_screens.SHEET) as committed:
        golden = committed.convert("1")
    drawn = draw_screens.sheet()
    assert drawn.size == golden.size, "draw it again: python scripts/draw_screens.py"
    different = lit(ImageChops.logical_xor(drawn, golden))
    # Another FreeType may round an edge otherwise; a word that moved is a hundred times that.
    assert different <= drawn.width * drawn.height // 2000, "draw it again, and look at it"


def test_the_sheet_shows_every_phrase_that_can_be_said() -> None:
    shown = {
        word
        for scene in draw_screens.gallery()
        for word in draw_screens.screen_of(scene, "en").words
    }
    said = {word for phrase in Phrase for word in lines(phrase, "en", n=2, time="14:00")}
    assert said - shown <= {"DARK", "BRIGHT", "SAVING"}


def test_drawing_needs_neither_the_camera_nor_numpy() -> None:
    code = (
        "import appliance.face, appliance.buttons, sys;"
        "print([m for m in ('numpy', 'appliance.camera', 'paho') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
