"""The report is a tagged PDF that says what the record says, and holds the photo unchanged."""

import io
import re
import subprocess
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import pikepdf
import pytest

from gateway.filing.record import Assignment, Record
from gateway.filing.text import plain
from gateway.report.making import Style, describe, make_report, proof_text
from gateway.report.mounting import NotMounted, mount
from gateway.report.words import LANGUAGES, WORDS
from tests.gateway.filing.photos import HOSTILE, PATIENT, hostile, picture, record
from wire import cards

LABEL = {"marker_um": 20_000, "corners": [0] * 8, "tilt": 3, "nm_per_px": 100_000}


def opened(pdf: bytes) -> pikepdf.Pdf:
    return pikepdf.open(io.BytesIO(pdf))


def in_language(language: str) -> Record:
    wording = {"id": "W1", "language": language, "sha256": cards.CARDS[language].wording.hash.hex()}
    return record(wording=wording)


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_is_tagged_embeds_its_fonts_and_says_its_language(language: str) -> None:
    pdf = make_report(in_language(language), Style(language, ZoneInfo("Europe/Paris"), "St Ex"))
    with opened(pdf) as found:
        assert found.Root.MarkInfo.Marked
        assert str(found.Root.Lang).startswith(language)
        assert "pdfuaid" in str(found.open_metadata())
        descriptors = [
            one
            for one in found.objects
            if isinstance(one, pikepdf.Dictionary) and one.get("/Type") == "/FontDescriptor"
        ]
        assert descriptors
        assert all({"/FontFile2", "/FontFile3"} & set(one.keys()) for one in descriptors)
        figures = [
            one
            for one in found.objects
            if isinstance(one, pikepdf.Dictionary) and one.get("/S") == "/Figure"
        ]
        assert len(figures) == 2 and all(str(one.Alt) for one in figures)


def test_the_photo_is_in_it_byte_for_byte_and_the_same_record_gives_the_same_report() -> None:
    one, two = (make_report(record(), Style()) for _ in range(2))
    assert one == two
    assert one is not two
    assert picture() in one


def test_it_is_set_once_for_all_record_systems_of_one_record() -> None:
    one = record()
    assert make_report(one, Style()) is make_report(one, Style())
    assert make_report(one, Style("de")) != make_report(one, Style())


def facts(one: Record, style: Style | None = None) -> dict[str, str]:
    return dict(describe(one, style or Style())["facts"])


def test_it_says_who_where_when_and_on_which_ground() -> None:
    said = facts(record(level="teaching"), Style("en", ZoneInfo("Europe/Berlin")))
    assert said["Patient"] == "Muster, Erika · born 1950-01-02 · 4711"
    assert said["Encounter"] == "V-99"
    assert said["Body site"] == "Heel structure, left"
    assert said["Taken"] == "2023-11-14 23:13:20 CET (UTC+01:00)"
    assert said["Attested by"] == "N-20931"
    assert said["May be used for"] == "care, and teaching"
    assert said["On the ground of"] == "the patient was asked and agreed"
    assert describe(record(), Style())["wording"]["text"] == cards.CARDS["en"].text


@pytest.mark.parametrize(
    ("changes", "row", "said"),
    [
        ({"assignment": Assignment()}, "Patient", "Not identified"),
        ({"clock": "none"}, "Taken", "the device had no trusted time"),
        ({"captured_ms": 2**53}, "Taken", "the device had no trusted time"),
        ({"clock": "floor"}, "Taken", "2023-11-14 22:13:20 UTC (UTC+00:00) (at the earliest)"),
        ({"badge": None}, "Attested by", "no badge was read"),
        ({"quality": {"poor": ["dark", "blurred"]}}, "Quality", "too dark, blurred"),
        ({"label": {"marker_um": -1}}, "Scale", "no scale in the picture"),
        ({"label": {**LABEL, "code": "W2 HEEL L"}}, "Label", "W2 HEEL L"),
    ],
)
def test_what_is_not_known_is_said_and_never_guessed(
    changes: dict[str, Any], row: str, said: str
) -> None:
    assert facts(record(**changes))[row] == said


@pytest.mark.parametrize(("width", "bar"), [(64, "2 mm"), (4056, "100 mm"), (20, None)])
def test_the_scale_is_the_longest_round_bar_within_a_third(width: int, bar: str | None) -> None:
    scale = describe(record(width=width, label=LABEL), Style())["scale"]
    if bar is None:
        assert scale is None
    else:
        assert scale["text"] == f"{bar} (0.100 mm / px)"
        assert scale["share"] * width * 0.1 == pytest.approx(int(bar.split()[0]))
        assert scale["share"] <= 1 / 3


def test_the_code_names_the_photo_and_its_ledger_entries() -> None:
    said = dict(re.findall(r"(\w+)=(\S+)", proof_text(record())))
    assert said["photo"] == record().photo
    assert said["sealed"] == "c2" * 32
    assert (said["ledger"], said["seq"], said["device"]) == ("00" * 16, "2", "ward3-bed12")


@pytest.mark.parametrize("evil", HOSTILE)
def test_injection_everything_of_others_is_shown_as_text(evil: str) -> None:
    pdf = make_report(hostile(evil), Style(organization=evil))
    with opened(pdf) as found:
        for name in ("/OpenAction", "/AA", "/Names", "/AcroForm"):
            assert name not in found.Root or "JavaScript" not in str(found.Root[name])
        kinds = {
            str(one.get("/S"))
            for one in found.objects
            if isinstance(one, pikepdf.Dictionary) and one.get("/Type") == "/Action"
        }
        assert kinds == set()
    assert f"bed {plain(evil)}" in WORDS["en"]["picture"].format(time="", bed=plain(evil))


def test_a_name_that_no_font_has_is_still_reported() -> None:
    odd = replace(PATIENT, family="\N{CJK UNIFIED IDEOGRAPH-5C71}\U0001f600")
    pdf = make_report(record(assignment=Assignment(patient=odd)), Style())
    with opened(pdf) as found:
        assert found.Root.MarkInfo.Marked


@pytest.mark.parametrize(("width", "height"), [(64, 48), (48, 64), (400, 10)])
def test_the_photo_stands_in_the_page_in_its_own_shape(width: int, height: int) -> None:
    jpeg = picture(width, height)
    pdf = make_report(record(jpeg=jpeg, width=width, height=height), Style())
    with opened(pdf) as found:
        (page,) = found.pages
        (image,) = page.get_images().values()
        assert (image.Width, image.Height) == (width, height)
        assert image.read_raw_bytes() == jpeg
    across, down = drawn(pdf)
    assert across / down == pytest.approx(width / height, rel=0.01)


def drawn(pdf: bytes) -> tuple[float, float]:
    """How large the one picture is on the page, as poppler paints it: by its resolution."""
    listed = subprocess.run(
        ["pdfimages", "-list", "-"], input=pdf, capture_output=True, check=True
    ).stdout
    line = listed.decode().splitlines()[2].split()
    return int(line[3]) / int(line[12]), int(line[4]) / int(line[13])


def test_a_page_that_has_no_place_for_the_photo_is_an_error_in_words() -> None:
    jpeg = memoryview(picture())
    with pytest.raises(NotMounted, match="the page is no PDF"):
        mount(b"%PDF-1.7 and no more", jpeg, 64, 48)
    empty = io.BytesIO()
    with pikepdf.new() as document:
        document.add_blank_page()
        document.save(empty)
    with pytest.raises(NotMounted, match="the page has 0 pictures, where one is to be"):
        mount(empty.getvalue(), jpeg, 64, 48)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_word(language: str) -> None:
    assert WORDS[language].keys() == WORDS["en"].keys()
    assert all(WORDS[language].values())
    assert WORDS[language]["picture"].count("{") == 2
