"""No room for another photo: said before consent is taken, and over when the hospital has signed.

The spool of this device holds one photo.
"""

from collections.abc import Iterator

import pytest

from tests.faults.shift import Shift
from tests.waiting import until
from wire import events


@pytest.fixture(scope="module")
def shift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shift]:
    extra: dict[str, dict[str, object]] = {"spool": {"capacity_mib": 1, "photo_mib": 1}}
    with Shift(tmp_path_factory.mktemp("spool"), extra) as shift:
        yield shift.begin()


def test_a_full_spool_is_busy_before_consent_and_takes_no_second_photo(shift: Shift) -> None:
    shift.site.keeper.stop("gateway")
    shift.take()
    until(lambda: shift.on_its_way, 10, "the release")

    # In the window: the photo that is here stays, another is not taken.
    shift.nurse.wait_for_words("READY")

    def refused() -> bool:
        shift.nurse.press("capture")
        return "BUSY" in shift.nurse.look().words

    until(refused, 10, "BUSY")
    photos = len(shift.new(events.Intent))
    shift.nurse.press("capture")
    shift.nurse.wait_for_words("BUSY", "SENDING")
    assert len(shift.new(events.Intent)) == photos
    shift.nurse.finish()

    # Outside: said before anybody asks, and when somebody does.
    shift.nurse.wait_for_words("BUSY", "SENDING")
    consents = len(shift.new(events.Consent))
    view = shift.refused("BUSY", "SENDING")
    assert not view.open
    assert not view.lamp
    assert len(shift.new(events.Consent)) == consents

    # Without a line it says that, for nothing is being sent.
    shift.site.keeper.stop("broker")
    shift.nurse.wait_for_words("BUSY", "OFFLINE")

    shift.site.start_broker()
    shift.site.start_gateway()
    shift.site.keeper.kill("uplink")  # it would wait longer each time
    until(lambda: not shift.on_its_way, 40, "room")
    shift.nurse.wait_until(lambda view: "BUSY" not in view.words, "BUSY to be over")
    assert {fate.outcome for fate in shift.auditor.book().fates()} == {"FILED"}
    shift.take_and_file()
