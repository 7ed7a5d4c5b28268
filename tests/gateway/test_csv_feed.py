"""A list of patients: all of it is taken, or nothing, and no error shows what stands in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from base.errors import FormatError
from gateway.identity.csv_feed import parse
from gateway.identity.stays import Moved

HEAD = "patient,family,given,born,sex,codes,encounter,ward,room,bed,from,to\n"
GOOD = "4711,Osei,Ama,1961-04-02,female,998 999,E1,W3,,12,2026-03-01T08:00+01:00,"


def test_a_line_is_a_stay() -> None:
    (told,) = parse(f"{HEAD}{GOOD}2026-03-01T09:00+01:00\n".encode())
    assert (told.patient.number, told.codes) == ("4711", ("998", "999"))
    assert [one.moved for one in told.movements] == [Moved.IN, Moved.OUT]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (GOOD.replace("E1", ""), "line 2: encounter is empty"),
        (GOOD.replace("female", "f"), "line 2: sex must be"),
        (GOOD.replace("+01:00", ""), "line 2: from needs a zone"),
        (GOOD.replace("2026-03-01T08:00", "soon"), "line 2: from is no time"),
        (f"{GOOD}2026-03-01T07:00+01:00", "line 2: to is before from"),
        (GOOD.replace("W3", "W" * 41), "line 2: ward is longer than 40 characters"),
        (GOOD.replace("998", "9" * 101), "line 2: a code is longer than 100 characters"),
        (GOOD[:-1], "line 2: needs 12 columns"),
    ],
)
def test_P9_P10_a_wrong_line_is_named_and_not_shown(line: str, says: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse(f"{HEAD}{line}\n".encode())
    assert says in str(caught.value)
    assert "4711" not in str(caught.value) and "Osei" not in str(caught.value)


@given(st.binary(max_size=200))
def test_P10_whatever_stands_in_the_file_is_read_or_refused_in_words(data: bytes) -> None:
    for start in (b"", HEAD.encode(), f"{HEAD}{GOOD}".encode()):
        try:
            parse(start + data)
        except FormatError as e:
            assert str(e)
