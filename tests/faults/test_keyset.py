"""A photo sealed under another keyset than the hospital gave: kept or refused, and always aloud.

Both keysets are signed by the hospital's own offline root, as by somebody who stole that key.
"""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from base.keyfiles import read_public, read_secret
from cli.__main__ import main
from tests.faults.shift import Shift
from tests.waiting import until
from wire import events, hpke, keyset, pem
from wire.hpke import RecipientPublic


@pytest.fixture
def shift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shift]:
    with Shift(tmp_path_factory.mktemp("keyset")) as shift:
        yield shift


def give_keyset(shift: Shift, *recipients: RecipientPublic) -> None:
    """Enrol the device with a keyset of epoch 2 that the gateway has never seen."""
    pki = shift.site.pki
    root = pem.signer(read_secret(pki.offline / "root.key", "root key"))
    given = pki.device(shift.site.settings.id) / "keyset.cose"
    ours = keyset.open_keyset(read_public(given, "keyset"), [root.public]).keyset
    wrong = replace(ours, epoch=2, recipients=recipients or ours.recipients)
    given.write_bytes(keyset.issue(wrong, root).raw)


def test_P8_a_photo_under_a_keyset_that_the_hospital_did_not_give_is_held_with_an_alarm(
    shift: Shift,
) -> None:
    give_keyset(shift)
    shift.begin().take()
    held = shift.wait_for_outcome("HELD")
    shift.nurse.finish()
    shift.nurse.wait_for_words("HELD")
    assert held.photo is not None
    why = "the photo was sealed under another keyset"
    assert shift.hospital.worklist("alarm") == [(held.photo.hex(), why)]
    assert shift.hospital.worklist("held") == [(held.photo.hex(), why)]
    assert shift.hospital.filed(held.photo) is None
    sealed = shift.hospital.sealed_copy(held.photo)
    assert sealed is not None and shift.hospital.opened(sealed).jpeg[:2] == b"\xff\xd8"


def test_P5_a_photo_that_the_hospital_cannot_open_is_rejected_and_stays_on_the_device(
    shift: Shift,
) -> None:
    give_keyset(shift, hpke.RecipientPrivate.generate(hpke.SuiteName.HYBRID).public)
    shift.begin().take()
    # Said in the open window, so that the press that ends it has been made by one who knows.
    shift.nurse.wait_for_words("CARE ONLY", "REJECTED")
    shift.nurse.finish()
    fate = shift.fate()
    assert fate.photo is not None
    assert [seen.status for seen in fate.receipts] == ["REJECTED"]
    assert not fate.ends and f"{fate.photo.hex()}.cose" in shift.on_its_way
    why = "wrong-key: the photo is sealed to keys that this hospital's gateway does not have"
    assert shift.hospital.worklist("rejected") == [(fate.photo.hex(), why)]
    shift.read_the_screen()
    shift.site.keeper.kill("panel")
    shift.nurse.wait_for_words("REJECTED", "1 PHOTO")
    assert f"{fate.photo.hex()}.cose" in shift.on_its_way


def test_P5_a_device_on_the_ward_goes_over_to_new_keys_and_the_old_are_wiped(shift: Shift) -> None:
    """The real broker keeps the keyset, the real panel takes it, and every receipt is believed."""
    site, config = shift.site.pki, shift.site.pki.gateway / "virtual.toml"

    def keys(command: str, *words: str) -> None:
        assert main(["keys", command, *words, "--config", str(config)]) == 0

    shift.begin().take_and_file()
    keys("rotate", str(site.folder), "--receipt")
    shift.mark()
    shift.site.keeper.kill("gateway")
    until(lambda: shift.new(events.KeysetInUse), 60, "the device to take the keyset")
    assert [used.epoch for used in shift.new(events.KeysetInUse)] == [2]
    assert shift.faults() == []
    shift.take_and_file()

    keys("rewrap")
    until(lambda: main(["keys", "retire", "--config", str(config)]) == 0, 30, "nobody needs them")
    assert not (site.gateway / "opening.key").exists()
    assert not (site.gateway / "receipt.key").exists()
    shift.mark()
    shift.site.keeper.kill("gateway")
    last = shift.take_and_file()
    assert [seen.status for seen in last.receipts] == ["FILED"]
    assert shift.faults() == [] and shift.hospital.worklist("alarm") == []
