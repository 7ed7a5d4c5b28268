"""A real gateway that kills itself at a named point: ``crashing POINT --config FILE``.

POINT is ``module:Class.method:before|after:N``: the process is gone, as by kill -9, right before
or right after the N-th call of that method.
"""

import functools
import importlib
import os
import signal
import sys
from typing import Any

from gateway.__main__ import main


def arm(point: str) -> None:
    """Put the trap where ``point`` says."""
    module, path, when, number = point.split(":")
    owner_name, method = path.split(".")
    owner = getattr(importlib.import_module(module), owner_name)
    inner = getattr(owner, method)
    left = int(number)

    @functools.wraps(inner)
    def trapped(*arguments: Any, **named: Any) -> Any:
        nonlocal left
        left -= 1
        if left == 0 and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = inner(*arguments, **named)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, method, trapped)


if __name__ == "__main__":
    arm(sys.argv[1])
    sys.exit(main(sys.argv[2:]))
