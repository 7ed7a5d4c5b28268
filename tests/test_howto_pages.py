"""The how-to pages: they say what the device says, in its words, and show what it is wired like."""

import html
import re
from pathlib import Path

import pytest

from appliance.config import HardwareSettings
from appliance.wording import LANGUAGES, Phrase, lines
from scripts import draw_wiring, print_cards
from wire.cards import CARDS

HOWTO = Path(__file__).parent.parent / "docs" / "howto"
PROGRESS = frozenset(
    {
        Phrase.ASK_FIRST,
        Phrase.CARE_ONLY,
        Phrase.TEACHING,
        Phrase.READY,
        Phrase.BAND_OK,
        Phrase.BADGE_OK,
        Phrase.KEPT,
        Phrase.FINISHED,
        Phrase.SENDING,
        Phrase.PHOTO,
        Phrase.PHOTOS,
        Phrase.NO_PHOTO,
        Phrase.SAVING,
        Phrase.SEALED,
        Phrase.SENT,
        Phrase.FILED,
        Phrase.UNDONE,
        Phrase.EMERGENCY,
        Phrase.NO_CAPACITY,
        Phrase.PROXY,
        Phrase.UNDO_AT,
        Phrase.UNDO_LAST,
        Phrase.UNDO_ALL,
        Phrase.BACK,
        Phrase.CLEANING,
    }
)
"""What is said while all is well. Every other phrase is trouble to somebody."""


def cells(page: str) -> list[str]:
    """The first cells of every table row, and the lines between the tables."""
    text = (HOWTO / page).read_text()
    return [row.split("|")[1] if row.startswith("| ") else row for row in text.splitlines()]


@pytest.mark.parametrize("phrase", sorted(set(Phrase) - PROGRESS))
def test_whatever_can_go_wrong_is_looked_up_by_the_words_on_the_screen(phrase: Phrase) -> None:
    wanted = [" ".join(lines(phrase, language)) for language in LANGUAGES]
    rows = cells("troubleshooting.md")
    assert any(all(f"`{words}`" in row for words in wanted) for row in rows), (
        f"troubleshooting.md has no place with {' · '.join(wanted)}: say there what it means,"
        " or, if all is well when it is said, name it in PROGRESS here"
    )


def test_the_page_for_the_ward_says_nothing_that_the_device_does_not() -> None:
    said = {" ".join(lines(phrase, "en", n=2, time="14:03")) for phrase in Phrase}
    said |= {"… STUCK", "CAPTURE", "CONSENT", "BAND OK"}
    page = (HOWTO / "nurse.md").read_text()
    assert set(re.findall(r"`([^`]+)`", page)) <= said


def test_the_wiring_diagram_and_the_pages_to_print_are_those_of_today() -> None:
    hint = "draw it again: python scripts/draw_wiring.py; python scripts/print_cards.py"
    assert draw_wiring.DRAWING.read_text() == draw_wiring.draw(HardwareSettings()), hint
    for name, make in print_cards.PAGES.items():
        assert (HOWTO / name).read_text() == make(), hint


def test_the_build_guide_wires_each_part_to_the_pin_of_its_setting() -> None:
    page = (HOWTO / "build.md").read_text()
    hardware = HardwareSettings()
    for name in ("consent_pin", "capture_pin", "lamp_pin", "buzzer_pin"):
        gpio = getattr(hardware, name)
        assert f"| `{name}` | {gpio} | {draw_wiring.contact_of(gpio)} |" in page


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_wording_card_has_the_text_the_id_and_the_hash_that_the_ledger_has(
    language: str,
) -> None:
    page = html.unescape((HOWTO / "wording-card.html").read_text())
    card = CARDS[language]
    for words in (card.text, card.button, card.wording.hash.hex(), f"{card.id} · {language}"):
        assert words in page
