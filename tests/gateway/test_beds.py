"""The registry of beds: which device hung where, when a photo was taken."""

import logging
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from base.errors import ConfigError, FormatError
from gateway.beds import Beds, Place, parse

HEAD = "device,ward,room,bed,shown,since\n"
MARCH = 1_772_348_400_000  # 2026-03-01T08:00+01:00


def test_a_device_is_where_the_row_that_held_then_says(tmp_path: Path) -> None:
    file = tmp_path / "beds.csv"
    file.write_text(f"{HEAD}dev-1,W3,,12,Bed 12,\ndev-1,W4,7,2,W4-2,2026-03-01T08:00+01:00\n")
    beds = Beds(file)
    assert beds.check() == 1
    before, after = beds.at("dev-1", MARCH - 1), beds.at("dev-1", MARCH)
    assert before is not None and (before.place, before.shown) == (Place("W3", "12"), "Bed 12")
    assert after is not None and after.place == Place("W4", "2", "7")
    assert beds.at("dev-2", MARCH) is None


def test_the_file_is_read_again_when_it_changes_and_a_wrong_one_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "beds.csv"
    beds = Beds(file)
    assert beds.at("dev-1", MARCH) is None
    file.write_text(f"{HEAD}dev-1,W3,,12,Bed 12,\n")
    assert beds.at("dev-1", MARCH) is not None
    file.write_text("what is this")
    os.utime(file, (1, 1))
    with caplog.at_level(logging.ERROR):
        assert beds.at("dev-1", MARCH) is not None
    assert "what it said before still holds" in caplog.text
    with pytest.raises(ConfigError, match=r"paths\.beds.*the first line must be device,ward"):
        Beds(file).check()


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("dev-1,W3,,12,Bed 12", "line 2: needs 6 columns"),
        ("dev-1,W3,,12,Bed 12,,", "line 2: needs 6 columns"),
        ("Dev 1,W3,,12,Bed 12,", "line 2: "),
        ("dev-1,,,12,Bed 12,", "line 2: ward and bed need 1 to 40 characters"),
        ("dev-1,W3,,12,Bed 12,yesterday", "line 2: Invalid isoformat"),
        ("dev-1,W3,,12,Bed 12,2026-03-01T08:00", "line 2: since needs a zone"),
        ("dev-1,W3,,1,A,\ndev-1,W3,,2,B,", "line 3: dev-1 hangs there twice at a time"),
        ('dev-1,"W3', "is no CSV"),
    ],
)
def test_P10_a_wrong_line_is_named(row: str, says: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse(f"{HEAD}{row}\n".encode())
    assert says in str(caught.value)


@given(st.binary(max_size=200))
def test_P10_whatever_stands_in_the_file_is_read_or_refused_in_words(data: bytes) -> None:
    for start in (b"", HEAD.encode()):
        try:
            parse(start + data)
        except FormatError as e:
            assert str(e)
