"""P1: what a darkroom refuses, word for word."""

import dataclasses
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from appliance.admission import MAX_AGE_NS, WINDOW_NS, Doorkeeper
from base.errors import WardsealError
from tests.appliance.bedside import DEVICE, Bedside
from wire.events import Level
from wire.ledger import EntryType, SignedEntry
from wire.signing import Ed25519Signer

SECOND = 1_000_000_000


@pytest.fixture
def bedside(tmp_path: Path) -> Bedside:
    return Bedside(tmp_path)


class Door:
    """A doorkeeper whose clock the test can put forward."""

    def __init__(self, bedside: Bedside) -> None:
        self.ahead = 0
        self.keeper = Doorkeeper(
            device=DEVICE,
            device_key=bedside.device.public,
            root=bedside.root.public,
            boot=bedside.boot,
            now=lambda: time.clock_gettime_ns(time.CLOCK_BOOTTIME) + self.ahead,
        )

    def refusal(self, ask: Callable[[], object]) -> str:
        with pytest.raises(WardsealError) as error:
            ask()
        return str(error.value)


@pytest.fixture
def door(bedside: Bedside) -> Door:
    return Door(bedside)


def test_P1_a_fresh_consent_is_admitted_once(bedside: Bedside, door: Door) -> None:
    consent = bedside.consent()
    admitted = door.keeper.admit(consent.raw, bedside.keyset.raw)
    assert admitted.consent.digest == consent.digest
    assert [r.kid for r in admitted.keyset.keyset.recipients] == [
        bedside.gateway.public.kid,
        bedside.recovery.public.kid,
    ]
    again = bedside.consent()
    assert door.refusal(lambda: door.keeper.admit(again.raw, bedside.keyset.raw)) == (
        "this darkroom has had its consent; each one needs a darkroom of its own"
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"boot": bytes(16)}, "the CONSENT entry is from before this start of the device"),
        ({"device": "ward3-bed13"}, "the CONSENT entry is another device's"),
        ({"mono_ns": 0}, "the CONSENT entry is not of the last 10 seconds"),
        ({"mono_ns": 2**62}, "the CONSENT entry is not of the last 10 seconds"),
        ({"type": EntryType.BOOT}, "needed is a ledger entry CONSENT, not BOOT"),
        ({"body": {}}, "CONSENT entry lacks the field 'level'"),
    ],
)
def test_P1_no_camera_for_an_entry_that_is_no_fresh_consent(
    bedside: Bedside, door: Door, changes: dict[str, object], words: str
) -> None:
    consent = bedside.consent(**changes)
    assert door.refusal(lambda: door.keeper.admit(consent.raw, bedside.keyset.raw)) == words


def test_P1_a_consent_ages(bedside: Bedside, door: Door) -> None:
    consent = bedside.consent()
    door.ahead = MAX_AGE_NS
    assert "not of the last 10 seconds" in door.refusal(
        lambda: door.keeper.admit(consent.raw, bedside.keyset.raw)
    )


def test_P1_no_camera_for_a_consent_that_another_key_signed(bedside: Bedside, door: Door) -> None:
    bedside.device = Ed25519Signer(os.urandom(32))
    forged = bedside.consent()
    assert door.refusal(lambda: door.keeper.admit(forged.raw, bedside.keyset.raw)) == (
        "wardseal-ledger-entry: signed by a key that is not trusted for this"
    )


def test_P8_no_camera_for_a_keyset_that_the_root_did_not_sign(
    bedside: Bedside, door: Door, tmp_path: Path
) -> None:
    other = Bedside(tmp_path / "other")
    consent = bedside.consent()
    assert door.refusal(lambda: door.keeper.admit(consent.raw, other.keyset.raw)) == (
        "wardseal-keyset: signed by a key that is not trusted for this"
    )


@pytest.fixture
def admitted(bedside: Bedside, door: Door) -> SignedEntry:
    consent = bedside.consent()
    door.keeper.admit(consent.raw, bedside.keyset.raw)
    return consent


def test_P1_no_frame_without_a_consent(bedside: Bedside, door: Door) -> None:
    consent = bedside.consent()
    intent = bedside.intent(consent)
    header = bedside.header(consent, intent)
    assert door.refusal(lambda: door.keeper.photo(intent.raw, header)) == (
        "there is no consent for a photo"
    )


def test_P1_each_intent_gives_one_frame(
    bedside: Bedside, door: Door, admitted: SignedEntry
) -> None:
    first, second = bedside.intent(admitted), bedside.intent(admitted)
    for intent in (first, second):
        header = bedside.header(admitted, intent)
        assert door.keeper.photo(intent.raw, header).header.seq == intent.entry.seq
    for intent in (second, first):
        header = bedside.header(admitted, intent)
        again = partial(door.keeper.photo, intent.raw, header)
        assert door.refusal(again) == ("the intent is not a new entry of this consent's ledger")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"type": EntryType.CONSENT}, "needed is a ledger entry INTENT, not CONSENT"),
        ({"boot": bytes(16)}, "the INTENT entry is from before this start of the device"),
        ({"ledger": bytes(16)}, "the intent is not a new entry of this consent's ledger"),
        ({"mono_ns": 0}, "the INTENT entry is not of the last 10 seconds"),
    ],
)
def test_P1_no_frame_for_an_entry_that_is_no_fresh_intent(
    bedside: Bedside,
    door: Door,
    admitted: SignedEntry,
    changes: dict[str, object],
    words: str,
) -> None:
    intent = bedside.intent(admitted, **changes)
    header = bedside.header(admitted, intent)
    assert door.refusal(lambda: door.keeper.photo(intent.raw, header)) == words


def test_P1_no_frame_under_another_consent(
    bedside: Bedside, door: Door, admitted: SignedEntry
) -> None:
    other = bedside.consent()
    intent = bedside.intent(other)
    header = bedside.header(other, intent)
    assert door.refusal(lambda: door.keeper.photo(intent.raw, header)) == (
        "the intent names another consent"
    )


def test_P2_no_frame_once_the_window_is_over(
    bedside: Bedside, door: Door, admitted: SignedEntry
) -> None:
    late = admitted.entry.mono_ns + WINDOW_NS + SECOND
    intent = bedside.intent(admitted, mono_ns=late)
    door.ahead = WINDOW_NS + 2 * SECOND
    header = bedside.header(admitted, intent)
    assert door.refusal(lambda: door.keeper.photo(intent.raw, header)) == (
        "the consent window is over"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("device", "ward3-bed13"),
        ("boot", bytes(16)),
        ("seq", 999),
        ("consent", bytes(32)),
        ("intent", bytes(32)),
        ("epoch", 2),
        ("keyset", bytes(32)),
    ],
)
def test_P4_a_header_that_does_not_fit_its_intent_is_refused(
    bedside: Bedside, door: Door, admitted: SignedEntry, name: str, value: object
) -> None:
    intent = bedside.intent(admitted)
    header = bedside.header(admitted, intent, **{name: value})
    assert door.refusal(lambda: door.keeper.photo(intent.raw, header)) == (
        f"the photo's header does not fit its intent: {name}"
    )
    # The intent is not used up by a wrong header.
    good = bedside.header(admitted, intent)
    assert door.keeper.photo(intent.raw, good).header.intent == intent.digest


def test_an_unknown_or_missing_header_field_is_named(
    bedside: Bedside, door: Door, admitted: SignedEntry
) -> None:
    intent = bedside.intent(admitted)
    header = bedside.header(admitted, intent)
    assert "patient" in door.refusal(
        lambda: door.keeper.photo(intent.raw, {**header, "patient": "x"})
    )
    del header["epoch"]
    assert door.refusal(lambda: door.keeper.photo(intent.raw, header)) == (
        "the photo's header lacks the field 'epoch'"
    )


def test_a_later_consent_of_the_same_window_holds_for_later_photos(
    bedside: Bedside, door: Door, admitted: SignedEntry
) -> None:
    teaching = bedside.consent(Level.TEACHING)
    intent = bedside.intent(teaching)
    header = bedside.header(teaching, intent)
    found = door.keeper.photo(intent.raw, header, teaching.raw).header
    assert found.consent == teaching.digest
    care = bedside.intent(admitted)
    permit = door.keeper.photo(care.raw, bedside.header(admitted, care))
    assert permit.header.consent == admitted.digest


def test_P1_a_later_consent_is_checked_like_the_first(
    bedside: Bedside, door: Door, admitted: SignedEntry
) -> None:
    elsewhere = bedside.consent(Level.TEACHING, ledger=bytes(16))
    intent = bedside.intent(elsewhere)
    header = bedside.header(elsewhere, intent)
    assert door.refusal(lambda: door.keeper.photo(intent.raw, header, elsewhere.raw)) == (
        "the intent names another consent"
    )
    signer, bedside.device = bedside.device, Ed25519Signer(os.urandom(32))
    forged = bedside.consent(Level.TEACHING)
    bedside.device = signer
    intent = bedside.intent(forged)
    header = bedside.header(forged, intent)
    assert "not trusted" in door.refusal(lambda: door.keeper.photo(intent.raw, header, forged.raw))


def test_admission_is_immutable(bedside: Bedside, door: Door) -> None:
    admitted = door.keeper.admit(bedside.consent().raw, bedside.keyset.raw)
    with pytest.raises(dataclasses.FrozenInstanceError):
        admitted.consent = bedside.consent()  # type: ignore[misc]
