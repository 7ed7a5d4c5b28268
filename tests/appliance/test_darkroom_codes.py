"""Wristbands and badges before a darkroom: what it tells the panel, what it seals."""

from pathlib import Path

import pytest

from appliance.darkroom import Exit
from appliance.orders import BadgeRead, BandRead, Bands, Refused
from appliance.simulator.bands import BADGE, BAND, OTHER_BAND, badge, wristband
from tests.appliance.bedside import Bedside, Life
from wire.attestation import check_badge, commitment
from wire.envelope import Private


@pytest.fixture
def bedside(tmp_path: Path) -> Bedside:
    return Bedside(tmp_path, size=(1014, 760))


def hold(bedside: Bedside, *codes: str) -> None:
    """Hold bands and badges with these codes into the view, and nothing else."""
    draw = {"(8018)": wristband, "(8017)": badge}
    bedside.world.hold(*(draw[code[:6]](code, bedside.folder / "props") for code in codes))


def let_pass(life: Life, looks: int) -> None:
    """Let so many viewfinder frames go by."""
    for _ in range(looks):
        life.wait_for_view()


def test_a_photo_carries_the_band_and_the_badge_that_were_held_into_the_view(
    bedside: Bedside,
) -> None:
    with bedside.start() as life:
        consent = bedside.open(life)
        before = bedside.take(life, consent)
        hold(bedside, BAND, BADGE)
        told = [life.next(), life.next()]
        assert BandRead(Bands.ONE) in told
        (shown,) = [report for report in told if isinstance(report, BadgeRead)]
        hold(bedside)
        attested = bedside.take(life, consent, shown.commitment)
        silent = bedside.take(life, consent)
        assert life.end() == Exit.ENDED
    assert codes(bedside.opened(before).private) == (None, None, None)
    private = bedside.opened(attested).private
    assert codes(private) == (BAND, None, BADGE)
    assert private.salt is not None
    assert shown.commitment == commitment(private.salt, BADGE)
    assert check_badge(private, bedside.intent(consent, shown.commitment))
    # A badge that the ledger does not name is nobody's word.
    assert codes(bedside.opened(silent).private) == (BAND, None, None)


def codes(private: Private) -> tuple[str | None, tuple[str, ...] | None, str | None]:
    return private.band, private.bands, private.badge


def test_two_bands_side_by_side_go_into_the_envelope_together(bedside: Bedside) -> None:
    hold(bedside, BAND, OTHER_BAND)
    with bedside.start() as life:
        consent = bedside.open(life)
        assert life.expect(BandRead) == BandRead(Bands.ONE)
        assert life.expect(BandRead) == BandRead(Bands.SEVERAL)
        sealed = bedside.take(life, consent)
        life.end()
    private = bedside.opened(sealed).private
    assert private.band is None
    assert set(private.bands or ()) == {BAND, OTHER_BAND}


def test_another_band_is_said_and_what_was_ordered_meanwhile_names_nobody(
    bedside: Bedside,
) -> None:
    hold(bedside, BAND)
    with bedside.start() as life:
        consent = bedside.open(life)
        assert life.expect(BandRead) == BandRead(Bands.ONE)
        hold(bedside, OTHER_BAND)
        assert life.expect(BandRead) == BandRead(Bands.OTHER)
        # The panel closes the window on that word; a press may have crossed it on the way.
        sealed = bedside.take(life, consent)
        life.end()
    assert codes(bedside.opened(sealed).private) == (None, (BAND, OTHER_BAND), None)


def test_P7_an_intent_that_names_a_badge_nobody_showed_gets_no_photo(bedside: Bedside) -> None:
    with bedside.start() as life:
        consent = bedside.open(life)
        n = bedside.order(life, consent, bytes(32))
        refused = life.expect(Refused)
        assert refused == Refused("the intent names a badge that was not read in this window", n)
        life.end()
    assert not list(bedside.sealing.glob("*.cose"))


def test_the_next_darkroom_knows_nothing_of_what_the_last_one_read(bedside: Bedside) -> None:
    hold(bedside, BAND)
    with bedside.start() as life:
        bedside.open(life)
        life.expect(BandRead)
        life.end()
    hold(bedside)
    with bedside.start() as life:
        sealed = bedside.take(life, bedside.open(life))
        life.end()
    assert codes(bedside.opened(sealed).private) == (None, None, None)


def test_a_site_whose_bands_are_others_reads_none_of_them(bedside: Bedside) -> None:
    with bedside.config.open("a") as config:
        config.write('[codes]\nband_gsrn = "500638[0-9]{12}"\n')
    hold(bedside, BAND, BADGE)
    with bedside.start() as life:
        consent = bedside.open(life)
        shown = life.expect(BadgeRead)
        let_pass(life, 2)
        sealed = bedside.take(life, consent, shown.commitment)
        life.end()
    assert codes(bedside.opened(sealed).private) == (None, None, BADGE)
