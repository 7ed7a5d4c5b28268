"""Which barcodes are a wristband or a badge of this site, and which say nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.codes import Code, Kind, Patterns, Symbol
from appliance.config import CodeSettings
from appliance.simulator.bands import BADGE, BAND
from base.errors import ConfigError
from wire.gs1 import check_digit_holds

GS1 = Patterns(CodeSettings())
MRN = Patterns(CodeSettings(band_text=r"M\d{7}", badge_text=r"S[0-9A-F]{6}"))
DIGITS = st.text("0123456789", min_size=17, max_size=17)


def band(text: str) -> Code:
    return Code(Kind.BAND, text)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (BAND, band(BAND)),
        (BADGE, Code(Kind.BADGE, BADGE)),
        (BAND + "(8019)17", band(BAND)),
        ("(21)A1" + BAND, band(BAND)),
    ],
)
def test_a_gs1_symbol_says_itself_whose_it_is(text: str, code: Code) -> None:
    assert GS1.code(Symbol(text, gs1=True)) == code


@pytest.mark.parametrize(
    "text",
    [
        BAND[:-1] + "8",
        BAND[:-1],
        BAND + "0",
        BAND.replace("8018", "8019"),
        "(01)09501101530003",
        BAND + BAND,
        BAND + BADGE,
        BAND[1:],
        "(10)x" + BAND[:-1] + ")",
        "",
    ],
    ids=lambda text: text or "empty",
)
def test_any_other_gs1_symbol_says_nothing(text: str) -> None:
    assert GS1.code(Symbol(text, gs1=True)) is None


def test_a_text_that_looks_like_a_gs1_code_is_none() -> None:
    every = Patterns(CodeSettings(band_text=r".+"))
    assert every.code(Symbol(BAND, gs1=False)) is None
    assert GS1.code(Symbol(BAND, gs1=False)) is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("M1234567", band("M1234567")),
        ("S00FF12", Code(Kind.BADGE, "S00FF12")),
        ("M123456", None),
        ("xM1234567", None),
        ("M1234567 ", None),
        ("M\u0661234567", None),  # a digit, and not one of ours
        ("m1234567", None),
        ("https://example.org/M1234567", None),
    ],
)
def test_another_text_is_taken_only_if_it_fits_the_sites_pattern_whole(
    text: str, code: Code | None
) -> None:
    assert MRN.code(Symbol(text, gs1=False)) == code


def test_what_fits_both_patterns_is_neither() -> None:
    unclear = Patterns(CodeSettings(band_text=r"\d{8}", badge_text=r"\d+"))
    assert unclear.code(Symbol("12345678", gs1=False)) is None
    assert unclear.code(Symbol("1234567", gs1=False)) == Code(Kind.BADGE, "1234567")


@given(st.text(max_size=130))
def test_what_is_taken_fits_into_the_private_header_and_can_be_shown(text: str) -> None:
    every = Patterns(CodeSettings(band_text=r"(?s).+"))
    for gs1 in (True, False):
        found = every.code(Symbol(text, gs1))
        assert found is None or (0 < len(found.text.encode()) <= 100 and found.text.isprintable())


def test_the_hospitals_own_prefix_keeps_the_bands_of_others_out() -> None:
    ours = Patterns(CodeSettings(band_gsrn=r"400638\d{12}"))
    theirs = Patterns(CodeSettings(band_gsrn=r"500638\d{12}"))
    assert ours.code(Symbol(BAND, gs1=True)) == band(BAND)
    assert theirs.code(Symbol(BAND, gs1=True)) is None


@given(DIGITS)
def test_one_digit_in_ten_is_the_check_digit_and_one_wrong_digit_is_found(digits: str) -> None:
    (right,) = [str(n) for n in range(10) if check_digit_holds(digits + str(n))]
    code = digits + right
    for place in range(len(code)):
        other = str((int(code[place]) + 1) % 10)
        assert not check_digit_holds(code[:place] + other + code[place + 1 :])


def test_the_check_digit_of_gs1s_own_example() -> None:
    # GS1 General Specifications, section 7.9.1: 37610425002123456 has the check digit 9.
    assert check_digit_holds("376104250021234569")


@pytest.mark.parametrize("name", ["band_gsrn", "band_text", "badge_gsrn", "badge_text"])
def test_a_pattern_that_cannot_be_meant_is_an_error_that_names_it(name: str) -> None:
    with pytest.raises(ConfigError, match=f"^{name}: is not a regular expression: "):
        CodeSettings(**{name: r"M\d{8"[:-2] + "("})
    with pytest.raises(ConfigError, match=f"^{name}: fits a code without any character"):
        CodeSettings(**{name: r"\d*"})


def test_a_site_without_bands_and_badges_looks_for_nothing() -> None:
    assert not Patterns(CodeSettings("", "", "", "")).any
    assert GS1.any
