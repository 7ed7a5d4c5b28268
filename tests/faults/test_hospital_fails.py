"""The hospital's side fails or refuses, and somebody pretends to be it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli import pki
from tests.faults.shift import Shift
from tests.waiting import until
from wire import events, messages
from wire.messages import Receipt, Status
from wire.signing import Ed25519Signer


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shift]:
    with Shift(tmp_path_factory.mktemp("hospital")) as shift:
        yield shift.begin()


@pytest.fixture
def shift(ward: Shift) -> Iterator[Shift]:
    """Nothing is wrong before a test."""
    ward.mark()
    yield ward
    ward.nurse.finish()
    ward.read_the_screen()


def test_P5_a_record_that_takes_nothing_means_held_and_filed_when_it_works(shift: Shift) -> None:
    record = shift.site.record
    until(record.is_dir, 20, "the gateway to start")
    away = record.rename(record.with_name("away"))
    record.write_bytes(b"no folder")
    shift.take()
    held = shift.wait_for_outcome("HELD")
    shift.nurse.finish()
    shift.nurse.wait_for_words("HELD")
    assert held.photo is not None
    ((subject, why),) = shift.hospital.worklist("held")
    assert held.photo.hex() in subject
    assert why.startswith(f"the folder {record} did not take it: ")
    assert not shift.on_its_way, "the hospital has signed that it has it"

    record.unlink()
    away.rename(record)
    shift.site.keeper.kill("gateway")  # it looks around every 30 s, and when it starts
    filed = shift.wait_for_outcome("FILED")
    assert [seen.status for seen in filed.receipts] == ["HELD", "FILED"]
    assert filed.receipts[0].number < filed.receipts[1].number
    shift.nurse.wait_for_words("FILED")
    assert shift.hospital.filed(held.photo) is not None
    until(lambda: not shift.auditor.waits_for(), 20, "everything to come to rest")
    assert shift.auditor.audit() == []


@pytest.mark.parametrize(
    ("status", "why", "word"),
    [
        ("revoked", "has been revoked", "REVOKED"),
        ("claimed", "is not enrolled to the end", "NOT SET UP"),
    ],
)
def test_P8_of_a_device_that_is_not_active_nothing_is_taken(
    shift: Shift, status: str, why: str, word: str
) -> None:
    """Who refuses has signed nothing, so the words change and nothing else: no wipe."""
    device = shift.site.settings.id
    entry = shift.site.pki.registry / f"{device}.toml"
    text = entry.read_text()
    before = len(shift.hospital.states())
    entry.write_text(text.replace('status = "active"', f'status = "{status}"'))
    shift.take()
    shift.wait_for_log("gateway", f"the device {device} {why}")
    shift.nurse.finish()
    shift.nurse.wait_for_words(word, "CALL IT", "KEEP OPEN")
    assert len(shift.hospital.states()) == before
    assert shift.on_its_way
    entry.write_text(text)
    shift.site.keeper.kill("uplink")  # one that was refused waits longer each time
    shift.wait_for_outcome("FILED")


def test_P7_letters_that_the_hospital_did_not_sign_for_this_photo_wipe_nothing(
    shift: Shift,
) -> None:
    """Act as the attacker who owns the uplink: write into the mailbox whatever one likes."""
    earlier = shift.fate()
    shift.site.keeper.stop("gateway")
    shift.take()
    until(lambda: shift.on_its_way, 10, "the release")
    shift.nurse.finish()  # a keyset is not even looked at while a photo is under way
    photo, device = shift.fate().photo, shift.site.settings.id
    assert photo is not None
    assert earlier.photo is not None
    signed = shift.hospital.rows(
        "SELECT raw FROM receipts WHERE photo = ? ORDER BY number DESC", earlier.photo.hex()
    )[0][0]
    words = Receipt(device, photo, Status.FILED, 99, 1_700_000_000_000, "", ())
    foreign = pki.init(shift.site.state / "stranger", site="stranger")
    letters = {
        "receipt.90000001": messages.sign_receipt(words, Ed25519Signer(bytes(32))),
        "receipt.90000002": signed,
        "receipt.90000003": signed[:-1] + bytes([signed[-1] ^ 1]),
        "receipt.90000004": b"\xd2\x84 no receipt",
        "keyset.90000005": (foreign.folder / "keyset.cose").read_bytes(),
        "command.90000006": b"wipe everything",
    }
    for name, raw in letters.items():
        (shift.paths.mailbox / f"{name}.msg").write_bytes(raw)
    until(lambda: not list(shift.paths.mailbox.glob("*.9000000?.msg")), 15, "all to be read")
    assert shift.on_its_way
    assert not shift.fate().receipts
    log = shift.logged("panel")
    assert log.count("mailbox: receipt.90000001.msg refused: ") == 1
    assert "mailbox: receipt.90000003.msg refused: " in log
    assert "mailbox: receipt.90000004.msg refused: " in log
    assert "mailbox: command.90000006.msg refused: a message of no known kind" in log
    until(lambda: [c for c, _ in shift.faults()] == ["keyset-refused"], 15, "the FAULT")
    assert not shift.new(events.KeysetInUse)
    assert "Traceback" not in log
    shift.nurse.wait_for_words("SEALED", "KEEP OPEN")
    shift.site.start_gateway()
    shift.wait_for_outcome("FILED")


def test_P6_an_old_card_that_is_put_back_is_found_at_the_next_sync(shift: Shift) -> None:
    ledger = shift.paths.ledger
    old = shift.site.state / "old-card"
    shutil.copytree(ledger, old)
    shift.take_and_file()
    until(lambda: not shift.auditor.waits_for(), 20, "the hospital to have it all")
    shift.site.device.cut_power()
    whole = ledger.rename(shift.site.state / "whole-card")
    old.rename(ledger)
    shift.site.device.power_on()
    until(lambda: shift.hospital.worklist("alarm"), 20, "the alarm")
    (_, why) = shift.hospital.worklist("alarm")[0]
    shift.site.device.cut_power()
    shutil.rmtree(ledger)
    whole.rename(ledger)
    shift.site.device.power_on()
    shift.nurse.wait_until_up()
    assert "ledger" in why


def test_P4_a_keyset_of_another_root_keeps_the_device_off_in_words(shift: Shift) -> None:
    bundle = shift.site.pki.device(shift.site.settings.id) / "keyset.cose"
    kept = shift.paths.state / "keyset.cose"
    ours, was_kept = bundle.read_bytes(), kept.read_bytes()
    shift.site.device.cut_power()
    foreign: Path = shift.site.state / "stranger" / "keyset.cose"
    bundle.write_bytes(foreign.read_bytes())
    kept.write_bytes(foreign.read_bytes())
    shift.site.device.power_on()
    shift.wait_for_log("panel", "wardseal panel: ")
    assert not shift.nurse.look().alive
    assert "Traceback" not in shift.logged("panel")
    assert "keyset" in shift.logged("panel")
    bundle.write_bytes(ours)
    kept.write_bytes(was_kept)
    shift.nurse.wait_until_up()
    shift.take_and_file()
