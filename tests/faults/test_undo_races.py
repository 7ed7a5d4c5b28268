"""UNDO against filing, in every order in which the two can meet.

Never both active in the record and UNDONE, and UNDONE on the screen only on the hospital's
signed word.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.points import Point, Sentry, Trap
from tests.faults.shift import Shift
from tests.waiting import until


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shift]:
    with Shift(tmp_path_factory.mktemp("undo")) as shift:
        yield shift.begin()


@pytest.fixture
def shift(ward: Shift) -> Iterator[Shift]:
    ward.mark()
    yield ward
    ward.nurse.finish()
    until(lambda: not ward.auditor.waits_for(), 60, ward.auditor.waits_for() or "rest")
    assert ward.auditor.audit() == []


def take(shift: Shift) -> bytes:
    """Take a photo and return its id once it is in the outbox, or has been there already."""
    shift.take()

    def released() -> object:
        fate = shift.fate()
        return fate.sealed and (fate.receipts or shift.on_its_way)

    until(released, 10, "the release")
    photo = shift.fate().photo
    assert photo is not None
    return photo


def wait_until_undone(shift: Shift, photo: bytes) -> list[str]:
    """The screen says UNDONE, and why it may: return what the hospital has signed so far."""
    shift.nurse.wait_for_words("UNDONE", seconds=60)
    signed = [seen.status for seen in shift.fate().receipts]
    assert signed[-1] == "UNDONE"
    filed = shift.hospital.filed(photo)
    assert filed is None or filed.page["status"] == "objection recorded"
    return signed


def begin_again(shift: Shift) -> None:
    """The gateway is back, and the uplink does not wait for its next turn."""
    shift.site.start_gateway()
    shift.site.keeper.kill("uplink")


@contextmanager
def decoders_stand_still(gateway: int) -> Iterator[None]:
    """Whoever looks at photos for the gateway does not come to an end meanwhile."""
    tasks = Path(f"/proc/{gateway}/task").glob("*/children")
    decoders = [int(pid) for task in tasks for pid in task.read_text().split()]
    assert decoders, "the gateway keeps decoders waiting"
    for pid in decoders:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in decoders:
            os.kill(pid, signal.SIGCONT)


def test_an_undo_that_comes_before_its_photo(shift: Shift) -> None:
    shift.site.keeper.stop("gateway")
    photo = take(shift)
    assert shift.nurse.undo_last()
    shift.nurse.finish()
    shift.nurse.wait_for_words("UNDO SENT")
    begin_again(shift)
    assert wait_until_undone(shift, photo) == ["UNDONE"]
    assert shift.hospital.filed(photo) is None, "it never came into the record"


def test_an_undo_that_comes_while_its_photo_is_looked_at(shift: Shift) -> None:
    gateway = shift.site.keeper.pid("gateway")
    assert gateway is not None
    with decoders_stand_still(gateway):
        photo = take(shift)
        assert shift.nurse.undo_last()
        shift.nurse.finish()
        shift.nurse.wait_for_words("UNDO SENT")
        digest = shift.fate().intent.digest.hex()
        undos = "SELECT photo FROM undos WHERE intent = ?"
        until(lambda: shift.hospital.rows(undos, digest), 20, "the gateway to have the UNDO")
    assert wait_until_undone(shift, photo) == ["UNDONE"]


def test_an_undo_that_comes_between_record_and_receipt(shift: Shift) -> None:
    """The gateway dies when the photo is in the record and no receipt is signed."""
    sentry = Sentry(shift.site, shift.auditor.key)
    sentry.powered_on()
    trap = Trap(Point.PAGE, lambda: shift.site.keeper.stop("gateway", sharply=True))
    sentry.set(trap)
    photo = take(shift)
    assert trap.sprung.wait(20)
    assert shift.nurse.undo_last()
    shift.nurse.finish()
    shift.nurse.wait_for_words("UNDO SENT")
    begin_again(shift)
    # What lies whole in incoming/ may be taken up before the ledger is there, or after.
    assert wait_until_undone(shift, photo) in (["UNDONE"], ["FILED", "UNDONE"])
    filed = shift.hospital.filed(photo)
    assert filed is not None and filed.page["status"] == "objection recorded"
    sentry.close()


def test_an_undo_that_comes_after_filing(shift: Shift) -> None:
    photo = take(shift)
    shift.wait_for_outcome("FILED")
    assert shift.nurse.undo_last()
    assert wait_until_undone(shift, photo) == ["FILED", "UNDONE"]
    filed = shift.hospital.filed(photo)
    assert filed is not None and filed.page["status"] == "objection recorded"
