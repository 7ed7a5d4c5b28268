"""Processes that end with the one that started them, however that one ends.

Who is killed cleans nothing up after itself; only the kernel can (prctl(2), PR_SET_PDEATHSIG).
It is asked by ``setpriv`` of util-linux, an essential package of Debian, on its way to the
program: between fork and exec in Python, with threads about, nothing may run.

The kernel means the *thread* that started the process: start it from one that lasts.
"""

import os
from collections.abc import Sequence
from typing import Final

ASKED: Final = ("setpriv", "--pdeathsig", "KILL", "--")
"""In front of a command in a shell's script, where ``tied`` cannot know who the starter is."""

_IN_TIME: Final = '[ "$PPID" = "$0" ] && exec "$@"'
"""A starter that ended before the kernel was asked is not told of any more."""


def tied(argv: Sequence[str]) -> list[str]:
    """Return the command that runs ``argv`` as itself and is killed when this process ends."""
    return [*ASKED, "sh", "-c", _IN_TIME, str(os.getpid()), *argv]
