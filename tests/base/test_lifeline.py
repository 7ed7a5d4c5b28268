"""What was started ends with who started it, though that one was killed."""

import subprocess
import sys
from pathlib import Path

import pytest

from base.lifeline import tied
from tests.waiting import until

STARTER = (
    "import subprocess; from base.lifeline import tied;"
    " p = subprocess.Popen(tied(['sleep', '600'])); print(p.pid, flush=1); p.wait()"
)


@pytest.mark.parametrize("at_once", [False, True])
def test_a_killed_starter_takes_what_it_started_with_it(at_once: bool) -> None:
    argv = [sys.executable, "-c", STARTER]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        child = Path("/proc") / starter.stdout.readline().strip()
        if not at_once:
            until(lambda: (child / "cmdline").read_bytes() == b"sleep\x00600\0", 5, "the command")
        starter.kill()
    until(lambda: not child.exists(), 5, "its end")


def test_a_starter_that_has_ended_already_starts_nothing() -> None:
    ended = tied(["echo", "started"])
    ended[ended.index("-c") + 2] = "1"
    done = subprocess.run(ended, capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == ""
