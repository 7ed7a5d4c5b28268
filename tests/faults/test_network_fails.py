"""The line fails, on this side of the hospital or on that: photos wait, and the screen says so."""

from collections.abc import Iterator

import pytest

from appliance.simulator.cable import Cable
from tests.faults.shift import Shift
from tests.waiting import until


@pytest.fixture(scope="module")
def wire() -> Iterator[Cable]:
    """The wire between device and broker."""
    with Cable() as cable:
        yield cable


@pytest.fixture(scope="module")
def ward(wire: Cable, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shift]:
    extra: dict[str, dict[str, object]] = {"broker": {"port": wire.port}}
    with Shift(tmp_path_factory.mktemp("network"), extra) as shift:
        wire.target = shift.site.broker.port
        yield shift.begin()


@pytest.fixture
def shift(ward: Shift, wire: Cable) -> Iterator[Shift]:
    """The line is up before a test and after it."""
    ward.mark()
    yield ward
    wire.plug_in()
    ward.nurse.wait_until_up()


def hurry(shift: Shift, *names: str) -> None:
    """Whoever waits to connect again waits longer each time; a fresh start does not."""
    for name in names:
        shift.site.keeper.kill(name)


def test_while_the_broker_is_gone_offline_is_said_and_the_photo_waits(shift: Shift) -> None:
    shift.site.keeper.stop("broker")
    shift.nurse.wait_for_words("OFFLINE")
    view = shift.nurse.look()
    assert not view.open, "it is said before anybody is asked"
    shift.take()
    shift.nurse.wait_for_words("OFFLINE", "CARE ONLY")
    shift.nurse.finish()
    shift.nurse.wait_for_words("SEALED", "KEEP OPEN", "OFFLINE")
    assert len(shift.on_its_way) == 2
    shift.wait_for_log("uplink", "offline: ")
    assert "Traceback" not in shift.logged("uplink") + shift.logged("gateway")
    shift.site.start_broker()
    hurry(shift, "uplink", "gateway")
    shift.wait_for_outcome("FILED")
    shift.nurse.wait_for_words("FILED")


def test_while_the_gateway_is_gone_the_photo_waits_and_is_filed_once(shift: Shift) -> None:
    shift.site.keeper.stop("gateway")
    pictures = len(shift.hospital.pictures())
    shift.take()
    shift.nurse.finish()
    shift.nurse.wait_for_words("SEALED", "KEEP OPEN")
    assert shift.on_its_way
    shift.site.start_gateway()
    shift.wait_for_outcome("FILED")
    assert len(shift.hospital.pictures()) == pictures + 1
    shift.nurse.wait_for_words("FILED")


def test_P5_on_a_half_open_line_nothing_is_said_to_be_sent(shift: Shift, wire: Cable) -> None:
    """Both ends believe that the line lives, and nothing gets through."""
    wire.go_dead()
    shift.take()
    shift.nurse.finish()
    shift.nurse.wait_for_words("SEALED", "KEEP OPEN")
    until(lambda: shift.fate().sealed, 10, "SEALED")
    assert not shift.fate().receipts
    assert len(shift.on_its_way) == 2
    wire.plug_in()
    wire.cut()
    hurry(shift, "uplink")
    shift.wait_for_outcome("FILED")
    assert shift.on_its_way == []


def test_a_line_that_breaks_within_a_photo_costs_time_only(shift: Shift, wire: Cable) -> None:
    shift.nurse.open_window()
    wire.cut_after(60_000)
    assert shift.nurse.capture()
    shift.wait_for_log("uplink", "offline: ")
    hurry(shift, "uplink")
    shift.wait_for_outcome("FILED")
    shift.nurse.finish()
    until(lambda: not shift.auditor.waits_for(), 20, "everything to come to rest")
    assert shift.auditor.audit() == []
