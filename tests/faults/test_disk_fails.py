"""The disk of a real device fails: what cannot be entered on the ledger does not happen (P1)."""

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli import story
from tests.faults.shift import Shift
from tests.waiting import until
from wire import events

CANNOT = "the ledger could not be written for a while"


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shift]:
    with Shift(tmp_path_factory.mktemp("disk")) as shift:
        yield shift.begin()


@pytest.fixture
def shift(ward: Shift) -> Iterator[Shift]:
    """Nothing is wrong before a test."""
    ward.mark()
    yield ward
    make_room(ward)
    ward.wait_until_dark()
    ward.read_the_screen()


def ledger_file(shift: Shift) -> Path:
    """The ledger that is being written."""
    found = story.current(shift.paths.ledger)
    assert found is not None
    return found


def fill_the_disk(shift: Shift) -> None:
    """Let no file of the panel become longer than its ledger is now."""
    pid = shift.site.keeper.pid("panel")
    assert pid is not None
    _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (ledger_file(shift).stat().st_size, most))


def make_room(shift: Shift) -> None:
    """Let them grow again."""
    pid = shift.site.keeper.pid("panel")
    assert pid is not None
    _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, most))


def test_P1_a_full_disk_takes_no_consent_and_says_so(shift: Shift) -> None:
    before = ledger_file(shift).read_bytes()
    fill_the_disk(shift)
    view = shift.ask("LEDGER", "FAULT")
    assert not view.open
    assert not view.lamp
    assert "the ledger cannot be written: File too large" in shift.logged("panel")
    assert ledger_file(shift).read_bytes() == before
    make_room(shift)
    until(lambda: shift.faults() == [("ledger", CANNOT)], 10, "the panel to find room again")
    assert not shift.new(events.Consent)
    shift.take_and_file()


def test_P1_a_disk_that_fills_up_in_a_window_ends_it_without_a_photo(shift: Shift) -> None:
    shift.nurse.open_window()
    fill_the_disk(shift)
    assert shift.nurse.capture()
    shift.wait_until_dark()
    shift.nurse.wait_for_words("LOST", "1 PHOTO", "TAKE AGAIN")
    shift.read_the_screen()
    shift.nurse.wait_for_words("LEDGER", "FAULT")
    assert not shift.new(events.Intent)
    assert list(shift.paths.sealing.iterdir()) == []
    make_room(shift)
    until(lambda: ("ledger", CANNOT) in shift.faults(), 10, "the panel to find room again")
    shift.take_and_file()


def test_P5_a_receipt_that_cannot_be_entered_wipes_nothing_until_it_is(shift: Shift) -> None:
    shift.site.keeper.stop("gateway")
    shift.take()
    until(lambda: shift.on_its_way, 10, "the release")
    fill_the_disk(shift)
    shift.site.start_gateway()
    until(lambda: list(shift.paths.mailbox.glob("receipt.*.msg")), 30, "the receipt")
    shift.wait_for_log("panel", "the ledger cannot be written: File too large")
    assert shift.on_its_way, "the only copy that is proven to be anywhere"
    make_room(shift)
    shift.wait_for_outcome("FILED")
    until(lambda: not shift.on_its_way, 10, "the envelope to be wiped")
    shift.wait_until_dark()
    shift.take_and_file()


def test_P1_a_disk_that_is_no_use_from_the_start_is_said_and_healed(shift: Shift) -> None:
    entries = len(shift.auditor.book().entries)
    shift.site.device.cut_power()
    away = shift.paths.ledger.rename(shift.paths.state / "away")
    shift.paths.ledger.write_bytes(b"no folder")
    shift.site.device.power_on()
    shift.nurse.wait_for_words("LEDGER", "FAULT")
    view = shift.refused("LEDGER", "FAULT")
    assert not view.open
    assert not view.lamp
    assert "the ledger cannot be opened: File exists" in shift.logged("panel")
    assert "Traceback" not in shift.logged("panel")
    shift.paths.ledger.unlink()
    away.rename(shift.paths.ledger)
    shift.nurse.wait_until_up()
    until(lambda: len(shift.auditor.book().entries) > entries, 20, "a fresh start with BOOT")
    shift.take_and_file()
