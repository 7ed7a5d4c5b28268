"""The gateway's keys at rest, under the real service manager: encrypted, and handed over to it."""

import json
from pathlib import Path

import pytest

from tests.systemd import container

pytestmark = pytest.mark.journey


def test_a_folder_of_encrypted_keys_is_handed_to_the_gateways_user_on_this_machine_alone(
    tmp_path: Path,
) -> None:
    if reason := container.why_not():
        pytest.skip(reason)
    out = container.run(Path(__file__).with_name("keys_on_board.py"), tmp_path, seconds=90)
    if not (out / container.STARTED).exists():
        pytest.skip("no container can be started here")
    found = json.loads((out / "results.json").read_text())
    journal = (out / "journal").read_text(errors="replace")
    assert "broke off" not in found, f"{found['broke off']}\n{journal[-3000:]}"
    assert found["encrypted"] == 0 and found["left in the clear"] == []
    assert found["started"] == 0, journal[-3000:]
    handed = found["handed"]
    assert handed["user"] != 0
    assert {name: handed[name] for name in found["before"]} == found["before"]
    assert handed["handed"] == [True, True] and handed["tls"]
    assert found["started on another machine"] != 0
