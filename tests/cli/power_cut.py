"""Runs one command again and again, each time killed at the next durable step.

    power_cut FOLDER CASES -- WORDS...

FOLDER is copied to CASES/001 and so on (``{case}`` in WORDS stands for the copy); the command is
killed right before its N-th call that changes a disk, then right after it, until one copy lets it
come to its end. Prints how many copies there are; the last was not killed.
"""

import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

from cli import keys_command, keys_rotation  # noqa: F401  loaded before the forks
from cli.__main__ import main

CALLS = ("fsync", "rename", "unlink", "ftruncate")
"""After a plain write nothing is certain, so what counts is where one of these stands."""


def arm(number: int) -> None:
    """Have this process die at the N-th of its steps."""
    left = number

    def trap(inner: Any) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal left
            for moment in ("before", "after"):
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                if moment == "before":
                    result = inner(*arguments, **named)
            return result

        return call

    for name in CALLS:
        setattr(os, name, trap(getattr(os, name)))


def run(case: Path, number: int, words: list[str]) -> int | None:
    """Run the command in a process of its own; None if it was killed, else its exit code."""
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        arm(number)
        os._exit(main([word.replace("{case}", str(case)) for word in words]))
    _, status = os.waitpid(child, 0)
    return None if os.WIFSIGNALED(status) else os.waitstatus_to_exitcode(status)


def cut(folder: Path, cases: Path, words: list[str]) -> int:
    """Return how many copies there are."""
    for number in range(1, 1000):
        case = cases / f"{number:03}"
        shutil.copytree(folder, case)
        code = run(case, number, words)
        if code is not None:
            assert code == 0, f"it ended with {code}"
            return number
    raise AssertionError("it has too many steps")


if __name__ == "__main__":
    sys.stdout.write(f"{cut(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[4:])}\n")
