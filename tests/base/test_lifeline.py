"""What was started ends with who started it, though that one was killed."""

import subprocess
import sys
from pathlib import Path

from base.lifeline import tied
from tests.waiting import until

STARTER = (
    "import subprocess, sys; p = subprocess.Popen(sys.argv[1:]); print(p.pid, flush=1); p.wait()"
)


def test_a_killed_starter_takes_what_it_started_with_it() -> None:
    argv = [sys.executable, "-c", STARTER, *tied(["sleep", "600"])]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        child = Path("/proc") / starter.stdout.readline().strip()
        until(lambda: b"sleep\0" in (child / "cmdline").read_bytes(), 5, "the command itself")
        starter.kill()
    until(lambda: not child.exists(), 5, "its end")
