"""This machine's own system, started once more as a container under systemd, with Wardseal in it.

What is started is the real service manager with the real units: users, access lists, mounts,
sandboxes, watchdogs, credentials. The root directory is this machine's, with everything that is
written kept in RAM and forgotten; the network is a loopback of its own. Hardware is simulated,
because a container has none of its own: that part is the image's to prove.
"""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
MOVED_PYTHON = Path("/usr/lib/wardseal/python")
"""Where a Python from outside /usr is seen: no sandbox of ours lets a role look into a home."""
STARTED = "started"
"""The file in ``out`` that says that the service manager came up and ran our script."""


def why_not() -> str:
    """Why no container can be started here; "" if one can be tried."""
    if os.geteuid() != 0:
        return "a container with several users takes root"
    missing = [name for name in ("systemd-nspawn", "unshare") if shutil.which(name) is None]
    if missing:
        return f"{' and '.join(missing)} is not installed (apt install systemd-container)"
    return ""


def run(script: Path, folder: Path, *, seconds: int, side: str = "device") -> Path:
    """Start the container, run ``script`` with Python in it as root, and end it again.

    ``side`` says whose units are in it: the ``device``'s or the ``hospital``'s.

    Returns the folder that is ``/out`` inside: what the script leaves there is the result,
    ``output`` what it printed, ``console`` what the service manager said.
    """
    out, work = folder / "out", folder / "work"
    out.mkdir()
    work.mkdir()
    base = Path(sys.base_prefix)
    interpreter = Path(os.path.realpath(sys.executable))
    binds = [f"--bind-ro={Path(sys.prefix)}/lib/{_lib()}/site-packages:/usr/lib/wardseal/packages"]
    if not base.is_relative_to("/usr"):
        binds += [f"--bind-ro={base}:{MOVED_PYTHON}", f"--bind-ro={base}"]
        interpreter = MOVED_PYTHON / interpreter.relative_to(base)
    environment = {
        **os.environ,
        "WORK": str(work),
        "OUT": str(out),
        "SIDE": side,
        "CHECKOUT": str(CHECKOUT),
        "INTERPRETER": str(interpreter),
        "PYTHON": _lib().removeprefix("python"),
        "SCRIPT": f"/usr/bin/env PYTHONPATH={CHECKOUT} {sys.executable} -P {script}",
        "BINDS": " ".join(binds),
        "SECONDS_AT_MOST": str(seconds),
        "NOSWAP": "yes" if _kernel() >= (6, 4) else "no",
    }
    with (out / "assembly").open("wb") as log:
        subprocess.run(
            ["unshare", "--mount", "--propagation", "private", Path(__file__).with_suffix(".sh")],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            timeout=seconds + 60,
        )
    return out


def _lib() -> str:
    return f"python{sys.version_info.major}.{sys.version_info.minor}"


def _kernel() -> tuple[int, int]:
    major, minor = platform.release().split(".")[:2]
    return int(major), int("".join(c for c in minor if c.isdigit()) or 0)
