"""Whose photo: the whole decision, row by row, and what must hold for every row there could be."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.beds import Hung, Place
from gateway.identity.codes import identifier_in
from gateway.identity.decision import (
    BY_BAND,
    NEAR_MS,
    Doubtful,
    Evidence,
    Named,
    Rules,
    Why,
    decide,
)
from gateway.identity.stays import Moved, Movement, Stay, stays_of
from wire.gs1 import check_digit_holds

AT = 1_700_000_000_000
HOUR = 3_600_000
BED = Place("W3", "12")
NEXT = Place("W3", "13")
AWAY = Place("W4", "1")
GOOD = Evidence(
    at_ms=AT,
    clock="synced",
    bands=1,
    identifier="4711",
    shown="Bed 12",
    hung=Hung(BED, "Bed 12", 0),
    named=("4711",),
    theirs=(Stay("4711", "E1", BED, AT - HOUR),),
    here=(Stay("4711", "E1", BED, AT - HOUR),),
)
OTHER = Stay("9", "E9", BED, AT - HOUR)


def in_bed(*stays: Stay) -> Evidence:
    here = tuple(stay for stay in stays if stay.place == BED)
    theirs = tuple(stay for stay in stays if stay.patient == "4711")
    return replace(GOOD, theirs=theirs, here=here)


def test_a_band_that_the_bed_confirms_names_the_patient() -> None:
    assert decide(GOOD, Rules()) == Named("4711", "E1", BY_BAND)


@pytest.mark.parametrize(
    ("evidence", "why"),
    [
        (replace(GOOD, clock="floor"), Why.CLOCK),
        (replace(GOOD, clock="none"), Why.CLOCK),
        (replace(GOOD, shown="Bed 13"), Why.OTHER_BED),
        (replace(GOOD, bands=2, identifier=None, named=(), theirs=()), Why.TWO_BANDS),
        (replace(GOOD, identifier=None, named=(), theirs=()), Why.WRONG_BAND),
        (replace(GOOD, named=(), theirs=()), Why.UNKNOWN_BAND),
        (replace(GOOD, named=("4711", "5")), Why.REUSED_BAND),
        (replace(GOOD, merged=frozenset({"4711"})), Why.MERGED),
        (in_bed(), Why.NOWHERE),
        (in_bed(Stay("4711", "E1", BED, AT - 2 * HOUR, AT - HOUR)), Why.NOWHERE),
        (in_bed(Stay("4711", "E1", NEXT, AT - HOUR)), Why.ANOTHER_BED),
        (in_bed(Stay("4711", "E1", AWAY, AT - HOUR)), Why.OTHER_WARD),
        (in_bed(*GOOD.here, Stay("4711", "E2", AWAY, AT - HOUR)), Why.TWO_BEDS),
        (in_bed(*GOOD.here, OTHER), Why.SHARED),
        (in_bed(Stay("4711", "E1", BED, AT - NEAR_MS)), Why.CHANGED),
        (in_bed(Stay("4711", "E1", BED, AT - HOUR, AT + NEAR_MS)), Why.CHANGED),
        (in_bed(*GOOD.here, replace(OTHER, to_ms=AT - NEAR_MS)), Why.CHANGED),
        (replace(GOOD, said=(Why.UNSURE,)), Why.UNSURE),
        (replace(GOOD, hung=None, here=()), Why.NO_BED),
        (replace(GOOD, bands=0, identifier=None, named=(), theirs=()), Why.NO_BAND),
    ],
)
def test_whatever_is_doubtful_is_a_persons(evidence: Evidence, why: Why) -> None:
    decision = decide(evidence, Rules())
    assert isinstance(decision, Doubtful)
    assert decision.why == (why,)


def test_a_change_more_than_a_quarter_of_an_hour_away_is_no_doubt() -> None:
    stay = Stay("4711", "E1", BED, AT - NEAR_MS - 1, AT + NEAR_MS + 1)
    assert isinstance(decide(in_bed(stay), Rules()), Named)


def test_every_reason_is_told_not_only_the_first() -> None:
    decision = decide(replace(GOOD, clock="none", shown="?", merged=frozenset({"4711"})), Rules())
    assert isinstance(decision, Doubtful)
    assert decision.why == (Why.CLOCK, Why.OTHER_BED, Why.MERGED)


@pytest.mark.parametrize(
    ("evidence", "likely"),
    [
        (replace(GOOD, clock="none"), "4711"),
        (replace(GOOD, bands=0, identifier=None, named=(), theirs=(), here=(OTHER,)), "9"),
        (replace(GOOD, bands=2, identifier=None, named=(), theirs=(), here=(OTHER,)), None),
        (in_bed(*GOOD.here, OTHER), "4711"),
        (replace(GOOD, bands=0, identifier=None, named=(), theirs=(), here=()), None),
    ],
)
def test_the_likely_patient_is_shown_first(evidence: Evidence, likely: str | None) -> None:
    decision = decide(evidence, Rules())
    assert isinstance(decision, Doubtful)
    assert decision.likely == likely


# -- the bed alone ---------------------------------------------------------------------------------

ALONE = Rules(bed_alone="Dr. Osei")
NO_BAND = replace(GOOD, bands=0, identifier=None, named=(), theirs=())


def test_the_bed_alone_files_only_where_somebody_answers_for_it() -> None:
    named = Named("4711", "E1", "the bed alone; the risk is Dr. Osei's")
    assert decide(NO_BAND, ALONE) == named
    assert decide(NO_BAND, Rules()) == Doubtful((Why.NO_BAND,), "4711")


@pytest.mark.parametrize(
    ("evidence", "why"),
    [
        (replace(NO_BAND, here=()), Why.EMPTY),
        (replace(NO_BAND, here=(*GOOD.here, OTHER)), Why.SHARED),
        (replace(NO_BAND, merged=frozenset({"4711"})), Why.MERGED),
        (replace(NO_BAND, clock="none"), Why.CLOCK),
        (replace(NO_BAND, shown="Bed 13"), Why.OTHER_BED),
        (replace(NO_BAND, here=(Stay("4711", "E1", BED, AT - 1),)), Why.CHANGED),
        (replace(GOOD, bands=2, identifier=None, named=(), theirs=()), Why.TWO_BANDS),
        (in_bed(Stay("4711", "E1", AWAY, AT - HOUR)), Why.OTHER_WARD),
    ],
)
def test_the_bed_alone_is_no_way_around_any_other_doubt(evidence: Evidence, why: Why) -> None:
    decision = decide(evidence, ALONE)
    assert isinstance(decision, Doubtful)
    assert why in decision.why


# -- what holds for all of them --------------------------------------------------------------------

PATIENTS = st.sampled_from(["4711", "9", "815"])
TIMES = st.integers(-2 * NEAR_MS, 2 * NEAR_MS).map(lambda off: AT + off)
STAYS = st.builds(
    Stay,
    patient=PATIENTS,
    encounter=st.sampled_from(["E1", "E2"]),
    place=st.sampled_from([BED, NEXT, AWAY]),
    from_ms=st.one_of(TIMES, st.just(AT - HOUR)),
    to_ms=st.one_of(st.none(), TIMES, st.just(AT + HOUR)),
)


@st.composite
def evidences(draw: st.DrawFn) -> Evidence:
    stays = draw(st.lists(STAYS, max_size=4))
    named = tuple(draw(st.lists(PATIENTS, max_size=2, unique=True)))
    bands = draw(st.integers(0, 3))
    hung = draw(st.sampled_from([GOOD.hung, None]))
    return Evidence(
        at_ms=AT,
        clock=draw(st.sampled_from(["synced", "rtc", "floor", "none"])),
        bands=bands,
        identifier="4711" if bands == 1 and named else None,
        shown=draw(st.sampled_from(["Bed 12", "Bed 13"])),
        hung=hung,
        named=named if bands == 1 else (),
        merged=frozenset(draw(st.lists(PATIENTS, max_size=1))),
        theirs=tuple(stay for stay in stays if bands == 1 and stay.patient in named),
        here=tuple(stay for stay in stays if hung is not None and stay.place == BED),
    )


@given(evidences(), st.sampled_from([Rules(), ALONE]))
def test_whoever_is_named_was_alone_in_exactly_this_bed(evidence: Evidence, rules: Rules) -> None:
    decision = decide(evidence, rules)
    if isinstance(decision, Doubtful):
        assert decision.why
        return
    covering = [stay for stay in evidence.here if stay.covers(AT)]
    assert {stay.patient for stay in covering} == {decision.patient}
    assert decision.encounter in {stay.encounter for stay in covering}
    assert evidence.clock in ("synced", "rtc")
    assert evidence.hung is not None and evidence.shown == evidence.hung.shown
    assert not any(stay.changes_near(AT, NEAR_MS) for stay in evidence.here)
    assert decision.patient not in evidence.merged
    if evidence.bands:
        assert evidence.bands == 1 and evidence.named == (decision.patient,)
    else:
        assert rules.bed_alone


@given(evidences())
def test_P9_no_reason_names_anybody(evidence: Evidence) -> None:
    decision = decide(evidence, Rules())
    if isinstance(decision, Doubtful):
        words = " ".join(decision.why)
        assert not re.search(r"4711|9\b|E1|E2|W3|W4|Bed 1", words)
        assert len(words) < 4000


# -- stays -----------------------------------------------------------------------------------------


def test_movements_amount_to_stays_in_whatever_order_they_come() -> None:
    story = [
        Movement(AT, Moved.IN, BED),
        Movement(AT + 10, Moved.MENTIONED, BED),
        Movement(AT + 20, Moved.IN, AWAY),
        Movement(AT + 30, Moved.OUT, Place("", "")),
        Movement(AT + 40, Moved.MENTIONED, AWAY),
    ]
    expected = (Stay("1", "E", BED, AT, AT + 20), Stay("1", "E", AWAY, AT + 20, AT + 30))
    assert stays_of("1", "E", story) == expected
    assert stays_of("1", "E", reversed(story)) == expected


def test_a_bed_that_is_mentioned_moves_whoever_is_in_one() -> None:
    story = [Movement(AT, Moved.IN, BED), Movement(AT + 5, Moved.MENTIONED, NEXT)]
    assert [stay.place for stay in stays_of("1", "E", story)] == [BED, NEXT]


@given(
    st.lists(
        st.builds(
            Movement,
            at_ms=st.integers(0, 20),
            moved=st.sampled_from(list(Moved)),
            place=st.sampled_from([BED, NEXT, AWAY]),
        ),
        unique_by=lambda one: (one.at_ms, one.moved is Moved.OUT),
    ),
    st.randoms(use_true_random=False),
)
def test_nobody_is_in_two_beds_of_one_encounter(story: list[Movement], random: object) -> None:
    stays = stays_of("1", "E", story)
    assert stays == stays_of("1", "E", sorted(story, key=lambda one: -one.at_ms))
    for at in range(22):
        assert sum(stay.covers(at) for stay in stays) <= 1


# -- codes -----------------------------------------------------------------------------------------

GSRN = "401234567890123450"


@pytest.mark.parametrize(
    ("code", "identifier"),
    [
        (f"(8018){GSRN}", GSRN),
        (f"(8018){GSRN[:-1]}6", None),
        (f"(8017){GSRN}", None),
        (f"(8018){GSRN}0", None),
        ("MRN4711", "4711"),
        ("MRN4711x", None),
        ("4711", None),
        ("", None),
    ],
)
def test_a_band_holds_a_gsrn_or_what_the_site_says(code: str, identifier: str | None) -> None:
    assert check_digit_holds(GSRN) and check_digit_holds("4006381333931")
    assert identifier_in(code, re.compile("MRN([0-9]{4})")) == identifier


@given(st.text(max_size=40))
def test_P10_no_code_is_taken_that_is_not_of_the_pattern(code: str) -> None:
    found = identifier_in(code, re.compile("[0-9]{4,12}"))
    assert found is None or re.fullmatch("[0-9]{4,18}", found)
