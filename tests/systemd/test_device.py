"""P7 and more, under the real service manager: users, sandboxes, mounts, keys, watchdogs.

One container is started for all of these tests; what happens in it stands in on_board.py, what
is tried from inside each sandbox in doors.py. Buttons, screen and camera are simulated in there.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.systemd import container
from tests.systemd.on_board import WATCHDOG
from tests.systemd.who_may import OPEN

pytestmark = pytest.mark.journey


@pytest.fixture(scope="session")
def device(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What happened in the container."""
    if reason := container.why_not():
        pytest.skip(reason)
    script = Path(__file__).with_name("on_board.py")
    out = container.run(script, tmp_path_factory.mktemp("device"), seconds=150)
    if not (out / container.STARTED).exists():
        said = "".join(
            (out / name).read_text(errors="replace")
            for name in ("assembly", "console")
            if (out / name).exists()
        )
        pytest.skip(f"no container can be started here: {said[-300:].strip()}")
    results: dict[str, Any] = json.loads((out / "results.json").read_text())
    journal = (out / "journal").read_text(errors="replace")
    assert "broke off" not in results, f"{results['broke off']}\n{journal[-3000:]}"
    results["journal"] = journal
    return results


@pytest.mark.parametrize("role", OPEN)
def test_P7_a_role_finds_its_own_doors_open_and_every_other_shut(
    device: dict[str, Any], role: str
) -> None:
    answers = device[f"doors of the {role}"]
    assert {door for door, answer in answers.items() if answer == "open"} == OPEN[role]


def test_P7_every_door_is_one_that_some_role_or_nobody_may_use(device: dict[str, Any]) -> None:
    known = set().union(*(device[f"doors of the {role}"] for role in OPEN))
    assert set().union(*OPEN.values()) < known


def test_a_photo_goes_all_the_way_through_three_sandboxes(device: dict[str, Any]) -> None:
    assert device["photos filed"] == 2
    assert device["left in sealing"] == []
    assert device["uplink says"] == "online"


def test_P2_the_lamp_is_on_while_the_camera_can_see(device: dict[str, Any]) -> None:
    assert device["lamp while the camera can see"] is True


def test_every_file_belongs_to_who_made_it_and_to_nobody_s_group(device: dict[str, Any]) -> None:
    assert device["modes"] == {
        "link": "wardseal-uplink 0640",
        "ledger": "wardseal-panel 0640",
        "ledger.mark": "wardseal-panel 0640",
        "uplink.bell": "wardseal-uplink 0660",
        "panel.bell": "wardseal-panel 0660",
        "darkroom.sock": "wardseal-panel 0600",
        "envelope": "wardseal-darkroom 0660",
    }, "the middle digit is the access list's bound, not a group's right"


def test_roles_start_at_once_and_an_idle_one_is_not_taken_for_hung(device: dict[str, Any]) -> None:
    assert set(device["restarts"].values()) == {"0"}
    assert device["the same processes after a quiet time"] is True


def test_a_hung_darkroom_is_ended_and_the_next_one_sees(device: dict[str, Any]) -> None:
    assert device["darkroom ended after"] < WATCHDOG + 2
    assert device["failed units left"] == []


def test_a_hung_panel_is_started_again_and_knows_what_is_on_its_way(
    device: dict[str, Any],
) -> None:
    assert device["panel's restarts"] == "1"
    assert device["words after a hung panel"][0] == "SEALED"


def test_stopping_ends_the_roles_in_good_order_and_leaves_the_rooms(
    device: dict[str, Any],
) -> None:
    assert device["after the end"] == {"ActiveState": "inactive", "Result": "success"}
    assert device["mounts outlive the services"] is True


def test_P9_the_journal_names_no_bed(device: dict[str, Any]) -> None:
    roles = [
        line for line in device["journal"].splitlines() if re.search(r" python\[\d+\]: ", line)
    ]
    assert roles
    assert not [line for line in roles if "Bed 12" in line]
