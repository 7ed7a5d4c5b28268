"""Every word fits, in every language, and no card's text changes behind its id."""

import re

import pytest

from appliance import wording
from appliance.drawing import FONT
from appliance.wording import LANGUAGES, LONGEST, PHRASES, Phrase, consent_wording, lines
from wire.cards import CARDS


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("phrase", list(Phrase))
def test_every_line_has_at_most_ten_characters(phrase: Phrase, language: str) -> None:
    said = lines(phrase, language, n=99, time="23:59")
    assert 1 <= len(said) <= 2
    for line in said:
        assert 0 < len(line) <= LONGEST, line
        assert line == line.strip().upper()


def test_every_phrase_is_said_in_every_language() -> None:
    assert set(PHRASES) == set(Phrase)
    assert all(set(texts) == set(LANGUAGES) for texts in PHRASES.values())


@pytest.mark.parametrize("language", LANGUAGES)
def test_two_different_things_are_never_said_in_the_same_words(language: str) -> None:
    said = [PHRASES[phrase][language] for phrase in Phrase]
    twice = {text for text in said if said.count(text) > 1}
    assert twice == set()


def test_a_number_is_never_wider_than_its_line() -> None:
    for language in LANGUAGES:
        for phrase in (Phrase.KEPT, Phrase.PHOTOS):
            assert all(len(line) <= LONGEST for line in lines(phrase, language, n=10**9))


def test_the_words_of_the_promise_are_said_as_written() -> None:
    english = {phrase: " ".join(lines(phrase, "en", n=2, time="14:03")) for phrase in Phrase}
    promised = (
        "CARE ONLY, NO CONSENT, KEPT 2, KEPT POOR, FINISHED, NEW? ASK, EMERGENCY, NO CAPACITY,"
        " PROXY, UNDO 14:03, BACK, UNDO LAST, UNDO ALL, +TEACHING, CLEANING, UNDONE, UNDO SENT,"
        " SEALED, SENT, FILED, HELD, KEEP OPEN, REJECTED, LOST, BUSY, CAMERA FAULT"
    )
    assert set(re.split(r", ", promised)) <= set(english.values())


def test_the_shipped_font_has_every_letter() -> None:
    from PIL import ImageFont

    font = ImageFont.truetype(FONT, 64)
    blank = font.getmask("\u4e00").getbbox(), bytes(font.getmask("\u4e00"))
    used = {c for texts in PHRASES.values() for text in texts.values() for c in text}
    used |= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-.") - {" "}
    for letter in sorted(used - set(" {}/ntime")):
        mask = font.getmask(letter)
        assert (mask.getbbox(), bytes(mask)) != blank, f"no glyph for {letter!r}"


PINNED = {
    "en": "a4eac3917901e04f6e96703505755d28e47f486d78b89bd2b6a5d07ead6a94bd",
    "de": "2741113e3dd5c675b93c9ad7ccc0ab235bce77c283232eec84a9548296dc63eb",
    "fr": "5f7d719950ad531982b43f38c87a949737d55b08b2b51cb0c98dafb1b483368a",
    "es": "b5a516376213bcf86bfd2059fcd7d4742b495e5f1e11ec2cfc6d6baef2f7829e",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_card_w1_is_still_the_text_that_ledgers_refer_to(language: str) -> None:
    said = consent_wording(language)
    assert (said.id, said.language) == ("W1", language)
    assert said.hash.hex() == PINNED[language], "a changed text needs a new id"


def test_the_button_says_what_pressing_it_attests() -> None:
    assert CARDS["en"].button == "I asked; they agreed"
    assert wording.consent_wording("en") == CARDS["en"].wording
