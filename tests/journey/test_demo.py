"""The demo as a user starts it: words, exit codes, and one JSON object at the end."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from appliance.simulator.bands import BADGE, BAND

DEMO = [sys.executable, "-P", "-m", "cli", "demo"]


def _demo(*words: str, code: int = 0) -> str:
    done = subprocess.run(
        [*DEMO, *words], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


def _last(output: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(output.splitlines()[-1])
    return found


def test_P5_once_files_one_photo_and_says_where(tmp_path: Path) -> None:
    found = _last(_demo("--once", "--json", "--state", str(tmp_path)))
    (photo,) = found["photos"]
    assert photo["status"] == "FILED"
    assert Path(photo["file"]).name == f"{photo['id']}.jpg"
    assert Path(photo["file"]).read_bytes()[:3] == b"\xff\xd8\xff"
    assert 0 < photo["sealed_ms"] < photo["filed_ms"]
    told = (tmp_path / "logs" / "uplink.log").read_text()
    assert "the broker passed nothing on" not in told, "it was pressed before the gateway was up"
    assert photo["envelope_bytes"] > Path(photo["file"]).stat().st_size
    assert found["ledger"]["verified"] is True and found["ledger"]["entries"] == 7
    assert Path(found["ledger"]["file"]).exists() and Path(found["ledger"]["public_key"]).exists()
    assert set(found["pids"]) == {"panel", "uplink", "gateway", "broker"}
    assert found["state"] == str(tmp_path)
    for pid in found["pids"].values():
        assert not Path(f"/proc/{pid}").exists(), "nothing is left running"
    assert not any(Path(folder).exists() for folder in found["tmpfs"])
    nobody = {"front_panel": None, "console": None}
    assert found["urls"] == nobody, "nobody is there to look at a page"


def test_a_wristband_and_a_badge_that_are_held_into_the_view_are_in_the_record(
    tmp_path: Path,
) -> None:
    held = ("--band", BAND, "--badge", BADGE)
    (photo,) = _last(_demo("--once", "--json", "--state", str(tmp_path), *held))["photos"]
    page = json.loads(Path(photo["file"]).with_suffix(".json").read_bytes())
    assert (page["bands"], page["badge"]) == ([BAND], BADGE)


def test_P1_a_script_without_consent_takes_no_photo(tmp_path: Path) -> None:
    found = _last(_demo("--press", "capture,wait:0.5", "--json", "--state", str(tmp_path)))
    assert found["photos"] == []
    assert found["ledger"]["verified"] is True


def test_a_demo_that_is_ended_takes_everything_with_it(tmp_path: Path) -> None:
    words = ("--press", "wait:0", "--hold", "600", "--json", "--state", str(tmp_path))
    with subprocess.Popen([*DEMO, *words], stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        found = json.loads(demo.stdout.readline())
        url = found["urls"]["front_panel"]
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{22}/", url)
        with urlopen(found["urls"]["console"]) as console:  # noqa: S310
            assert b"Sign in" in console.read()
        assert len(found["sign_in"]["password"].split()) == 6
        with urlopen(url) as page, urlopen(f"{url}live") as live:  # noqa: S310
            assert b"<title>Wardseal: a virtual ward device</title>" in page.read()
            assert live.readline() == b"event: device\n"
            demo.terminate()
        assert demo.wait(30) == 128 + signal.SIGTERM
    for pid in found["pids"].values():
        assert not Path(f"/proc/{pid}").exists(), "nothing is left running"
    assert not any(Path(folder).exists() for folder in found["tmpfs"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--press", "capture,jump"), "--press: 'jump' is not a word of a script"),
        (("--press", "wait:for-ever"), "use wait:filed, or wait:SECONDS"),
        (("--once", "--scene", "/no/such/file"), "--scene: /no/such/file is not a file"),
        (("--once", "--band", "(8018)400638133393500018"), "is no code that this device reads"),
        (("--once", "--badge", "(8018)400638133393500019"), "--badge: '(8018)400638133393500019'"),
        ((), "there is no terminal to press keys in; use --once or --press"),
    ],
)
def test_P10_what_cannot_be_done_is_said_in_a_sentence(words: tuple[str, ...], said: str) -> None:
    error = _demo(*words, code=2)
    assert said in error and "Traceback" not in error
