"""What leaves the hospital opens with six words, and with nothing else."""

import io
import re
from pathlib import Path

import pikepdf
import pytest

from base.errors import WardsealError
from gateway.sharing import html, pdf, phrase
from tests.gateway.bedside import jpeg

FACTS = {"Taken": "2026-11-25 13:05 UTC", "Level": "care", "Odd": "</script><b>&\u2028"}
PHRASE = "one two three four five six"


def blank() -> bytes:
    out = io.BytesIO()
    with pikepdf.new() as document:
        document.add_blank_page()
        document.save(out)
    return out.getvalue()


def test_a_phrase_is_six_words_and_never_the_same() -> None:
    made = {phrase.make() for _ in range(200)}
    assert len(made) == 200
    assert all(re.fullmatch(r"[a-z-]+( [a-z-]+){5}", each) for each in made)
    assert len({word for each in made for word in each.split()}) > 900, "all the list is used"


@pytest.mark.parametrize(
    "typed", ["One  two three\tfour five SIX", f"  {PHRASE}\n", PHRASE.upper()]
)
def test_a_phrase_may_be_typed_as_people_type(typed: str) -> None:
    assert phrase.spelled(typed) == PHRASE


def test_a_pdf_opens_with_its_phrase_alone_and_is_aes_256() -> None:
    shared = pdf.encrypt(blank(), PHRASE)
    for wrong in ("", "one two three four five seven"):
        with pytest.raises(pikepdf.PasswordError):
            pikepdf.open(io.BytesIO(shared), password=wrong)
    with pikepdf.open(io.BytesIO(shared), password=PHRASE) as document:
        assert (document.encryption.bits, document.encryption.R) == (256, 6)
        assert not document.allow.modify_other
        assert len(document.pages) == 1


def test_what_is_no_pdf_is_said() -> None:
    with pytest.raises(WardsealError, match="the report could not be encrypted"):
        pdf.encrypt(b"no pdf", PHRASE)


def test_the_html_file_says_nothing_without_its_phrase() -> None:
    shared = html.encrypt(jpeg(), FACTS, PHRASE, title="A photograph for you")
    assert b"care" not in shared and jpeg()[20:60] not in shared
    again = html.encrypt(jpeg(), FACTS, PHRASE, title="A photograph for you")
    assert shared != again, "a fresh salt and nonce each time"


def test_the_html_file_can_load_and_send_nothing(tmp_path: Path) -> None:
    shared = html.encrypt(jpeg(), FACTS, PHRASE, title="<b>A</b>").decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', shared)
    assert policy and policy[1].startswith("default-src 'none'")
    assert "http" not in shared.replace("http-equiv", "") and "<b>A</b>" not in shared
