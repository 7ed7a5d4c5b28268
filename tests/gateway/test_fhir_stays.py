"""Encounter.location as movements: dates are intervals, and the list has any order."""

from itertools import permutations
from typing import Any

import pytest

from gateway.beds import Place
from gateway.identity.fhir_stays import Span, history, span
from gateway.identity.stays import Stay, stays_of

DAY = 86_400_000
HOUR = 3_600_000
MARCH = 1_772_323_200_000  # 2026-03-01T00:00Z


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01T01:00:00+01:00", Span(MARCH, MARCH)),
        ("2026-03-01T00:00:00.250Z", Span(MARCH + 250, MARCH + 250)),
        ("2026-03-01", Span(MARCH - 14 * HOUR, MARCH + DAY + 12 * HOUR)),
        ("2026-03", Span(MARCH - 14 * HOUR, MARCH + 31 * DAY + 12 * HOUR)),
        ("2026", Span(MARCH - 59 * DAY - 14 * HOUR, MARCH + 306 * DAY + 12 * HOUR)),
    ],
)
def test_a_date_is_an_interval_in_every_zone(text: str, expected: Span) -> None:
    assert span(text) == expected
    assert span(text).exact == ("T" in text)


@pytest.mark.parametrize("text", ["", "26", "2026-3-1", "2026-02-30", "2026-03-01T00:00:00"])
def test_what_is_no_dateTime_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"iso|zone|range"):
        span(text)


def stays(*locations: tuple[str, str, str | None]) -> tuple[Stay, ...]:
    listed: list[dict[str, Any]] = [
        {"location": {"reference": bed}, "period": {"start": start} | ({"end": end} if end else {})}
        for bed, start, end in locations
    ]
    read = history({"location": listed}, lambda bed: Place("W3", bed))
    return stays_of("4711", "E1", read.movements)


def test_beds_of_one_day_end_in_the_last_whatever_the_order_of_the_list() -> None:
    for listed in permutations(
        [
            ("1", "2026-02-27", "2026-03-01"),
            ("2", "2026-03-01", "2026-03-01"),
            ("3", "2026-03-01", None),
        ]
    ):
        found = [stay for stay in stays(*listed) if stay.covers(MARCH + 3 * DAY)]
        assert [stay.place.bed for stay in found] == ["3"]


def test_a_date_among_moments_does_not_turn_their_order_round() -> None:
    before = ("1", "2026-03-01T08:00:00Z", "2026-03-01T20:00:00Z")
    for listed in permutations([before, ("2", "2026-03-01", None)]):
        last = stays(*listed)[-1]
        assert (last.place.bed, last.to_ms) == ("2", None)


def test_whoever_came_and_went_on_one_day_is_gone() -> None:
    assert not [one for one in stays(("1", "2026-03-01", "2026-03-01")) if one.to_ms is None]


def test_the_end_of_an_overlapping_stay_does_not_end_the_next() -> None:
    first = ("1", "2026-03-01T00:00:00Z", "2026-03-01T02:00:00Z")
    assert stays(first, ("2", "2026-03-01T01:00:00Z", None)) == (
        Stay("4711", "E1", Place("W3", "1"), MARCH, MARCH + HOUR),
        Stay("4711", "E1", Place("W3", "2"), MARCH + HOUR),
    )
