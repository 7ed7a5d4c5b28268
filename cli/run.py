"""``wardseal appliance run``, ``gateway run`` and ``console run``: from a shell as from a unit."""

import os
import sys
from argparse import Namespace

from base.memory import ALLOCATOR_ENV


def appliance(arguments: Namespace) -> int:
    """Run one role of the device until it ends."""
    words = ["appliance", "run", "--role", arguments.role, "--config", str(arguments.config)]
    _under_our_allocator(words)
    from appliance.__main__ import run

    return run(arguments.role, arguments.config)


def gateway(arguments: Namespace) -> int:
    """Run the gateway until it ends."""
    _under_our_allocator(["gateway", "run", "--config", str(arguments.config)])
    from gateway.__main__ import run

    return run(arguments.config)


def console(arguments: Namespace) -> int:
    """Run the console until it ends."""
    from gateway.console.__main__ import run

    return run(arguments.config)


def _under_our_allocator(words: list[str]) -> None:
    """Start the command again with the settings that overwrite freed memory, unless it has them.

    The allocator reads them before Python runs, so a process cannot set them for itself. Units
    and launchers set them from the first; who types the command should not have to know.
    """
    if any(os.environ.get(name) != value for name, value in ALLOCATOR_ENV.items()):
        command = [sys.executable, "-P", "-m", "cli", *words]
        os.execve(sys.executable, command, {**os.environ, **ALLOCATOR_ENV})  # noqa: S606
