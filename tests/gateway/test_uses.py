"""The table of uses: what it says, that it is the documentation's, and what always holds."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.uses import Standing, Use, may, table
from wire.events import Basis, Level

PAGE = Path(__file__).parent.parent.parent / "docs" / "howto" / "governance.md"
TAUGHT = Standing(Level.TEACHING, Basis.AGREED, attested=True, objection=False)
CARE = Standing(Level.CARE, Basis.AGREED, attested=True, objection=False)


def test_the_page_for_governance_shows_the_table_that_is_enforced() -> None:
    assert table() in PAGE.read_text()


@pytest.mark.parametrize(
    ("use", "photo", "why"),
    [
        (Use.TEACHING, CARE, "consent was given for care"),
        (Use.TEACHING, Standing("teaching", "proxy", True, False), "did not agree in person"),
        (Use.TEACHING, Standing("teaching", "agreed", False, False), "nobody who can be named"),
        (Use.TEACHING, Standing("teaching", "agreed", True, True), "the patient objected"),
        (Use.REFERRAL, Standing("care", "agreed", True, True), "the patient objected"),
        (Use.PUBLICATION, TAUGHT, "in writing"),
        (Use.CARE, Standing("", "", False, False), "nothing that is known"),
        (Use.RECORD, Standing("care", "agreed", True, False, filed=False), "in no record"),
    ],
)
def test_what_may_not_be_is_refused_in_words(use: Use, photo: Standing, why: str) -> None:
    verdict = may(use, photo)
    assert not verdict.may
    assert why in verdict.why


def test_care_goes_on_after_an_objection_and_says_why_it_looks() -> None:
    objected = Standing("care", "emergency", attested=False, objection=True)
    assert may(Use.RECORD, objected).may and not may(Use.RECORD, objected).reason
    assert may(Use.CARE, objected).may and may(Use.CARE, objected).reason
    assert may(Use.TEACHING, TAUGHT).may


STANDINGS = st.builds(
    Standing,
    level=st.sampled_from([*Level, "", "publication"]),
    basis=st.sampled_from([*Basis, ""]),
    attested=st.booleans(),
    objection=st.booleans(),
    filed=st.booleans(),
)


@given(STANDINGS)
def test_an_objection_or_a_missing_badge_never_opens_a_use(photo: Standing) -> None:
    assert not may(Use.PUBLICATION, photo).may
    if photo.objection:
        assert not may(Use.TEACHING, photo).may and not may(Use.REFERRAL, photo).may
    if may(Use.TEACHING, photo).may:
        assert photo.attested and photo.level == Level.TEACHING and photo.basis == Basis.AGREED
        assert may(Use.CARE, photo).may
    for use in Use:
        verdict = may(use, photo)
        assert verdict.may != bool(verdict.why)
