"""P9: the ledger proves whose badge was shown to whoever can open a photo, and to nobody else."""

import os
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.chains import WORDING, entry
from wire.attestation import SALT_LENGTH, attest_of, check_badge, commitment
from wire.envelope import Private
from wire.errors import BrokenLink
from wire.events import Attest, Basis, Boot, Consent, Intent, Level
from wire.ledger import SignedEntry

SALT = bytes(range(SALT_LENGTH))
BADGE = "(8017)400638133393500026"
PLAIN = Private("W7-12", {})
BADGED = replace(PLAIN, badge=BADGE, salt=SALT)
SHOWN = commitment(SALT, BADGE)
CONSENT = entry(entry(None, Boot("0.1", "start")), Consent(Level.CARE, Basis.AGREED, WORDING))
ATTEST = entry(CONSENT, Attest(CONSENT.digest, SHOWN))


def intent(attest: bytes | None, last: SignedEntry = ATTEST) -> SignedEntry:
    return entry(last, Intent(CONSENT.digest, Level.CARE, Basis.AGREED, attest))


def test_a_photo_with_the_badge_that_its_intent_names_is_attested() -> None:
    assert check_badge(BADGED, intent(SHOWN))


def test_a_photo_without_a_badge_is_not() -> None:
    assert not check_badge(PLAIN, intent(None))


@pytest.mark.parametrize(
    ("private", "attest"),
    [
        (PLAIN, SHOWN),
        (BADGED, None),
        (replace(BADGED, badge=BADGE[:-1] + "7"), SHOWN),
        (replace(BADGED, salt=bytes(SALT_LENGTH)), SHOWN),
    ],
    ids=["taken out", "put in", "exchanged", "another salt"],
)
def test_P7_a_badge_cannot_be_taken_out_put_in_or_exchanged(
    private: Private, attest: bytes | None
) -> None:
    with pytest.raises(BrokenLink):
        check_badge(private, intent(attest))


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32), st.text())
def test_P9_the_same_badge_looks_different_in_every_window(
    one: bytes, other: bytes, badge: str
) -> None:
    assert (commitment(one, badge) == commitment(other, badge)) is (one == other)


def test_the_ledger_has_the_entry_that_an_intent_names() -> None:
    named = intent(SHOWN)
    assert attest_of(named, [CONSENT, ATTEST, named]) == ATTEST
    assert attest_of(intent(None), [CONSENT, ATTEST]) is None
    assert attest_of(intent(os.urandom(32)), [CONSENT, ATTEST]) is None
    # It has to come before, and under the same consent.
    before = intent(SHOWN, CONSENT)
    assert (
        attest_of(before, [CONSENT, before, entry(before, Attest(CONSENT.digest, SHOWN))]) is None
    )
    elsewhere = entry(CONSENT, Attest(bytes(32), SHOWN))
    assert attest_of(named, [CONSENT, elsewhere, named]) is None
