"""Processes that end with the one that started them, however that one ends.

Who is killed cleans nothing up after itself; only the kernel can (prctl(2), PR_SET_PDEATHSIG).
It is asked by ``setpriv`` of util-linux, an essential package of Debian, on its way to the
program: between fork and exec in Python, with threads about, nothing may run.

The kernel means the *thread* that started the process: start it from one that lasts.
"""

from collections.abc import Sequence


def tied(argv: Sequence[str]) -> list[str]:
    """Return the command that runs ``argv`` as itself and is killed when its starter ends."""
    return ["setpriv", "--pdeathsig", "KILL", "--", *argv]
