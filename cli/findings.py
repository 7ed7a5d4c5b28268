"""What the doctor finds, and the machine he looks at."""

import ctypes
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from base import nodes
from base.memory import ALLOCATOR_ENV

PANEL: Final = "panel"
DARKROOM: Final = "darkroom"
UPLINK: Final = "uplink"
GATEWAY: Final = "gateway"
DEVICE: Final = frozenset({PANEL, DARKROOM, UPLINK})
ANY: Final = DEVICE | {GATEWAY}

_ASK: Final = "import os; from base.memory import assert_allocator; assert_allocator(os.environ)"


class State(StrEnum):
    """``off``: a protection that is missing here; ``BROKEN``: the role cannot work like this."""

    OK = "ok"
    OFF = "off"
    BROKEN = "BROKEN"


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's: what was looked at, what it is like, how to mend it."""

    name: str
    state: State
    says: str
    mend: str = ""


def ok(name: str, says: str) -> Finding:
    """Return a finding that is as it should be."""
    return Finding(name, State.OK, says)


def off(name: str, says: str, mend: str) -> Finding:
    """Return a finding of a missing protection."""
    return Finding(name, State.OFF, says, mend)


def broken(name: str, says: str, mend: str = "") -> Finding:
    """Return a finding that stops the role, or should."""
    return Finding(name, State.BROKEN, says, mend)


def needed(finding: Finding) -> Finding:
    """Return a finding as it counts for a role that cannot do without."""
    return replace(finding, state=State.BROKEN) if finding.state is State.OFF else finding


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _imports(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even the package around it
        return False


def _synchronised() -> bool:
    from appliance.clock import SystemClock
    from wire.ledger import ClockTrust

    return SystemClock().wall(0).trust is ClockTrust.SYNCED


def _allocator_problem() -> str:
    """Start a process as a role is started and ask it; "" when freed memory is overwritten."""
    asked = subprocess.run(
        [sys.executable, "-P", "-c", _ASK],
        env={**os.environ, **ALLOCATOR_ENV},
        capture_output=True,
        check=False,
        text=True,
        timeout=30,
    )
    last = asked.stderr.strip().rpartition("\n")[2]
    return "" if asked.returncode == 0 else last.rpartition("Error: ")[2] or "it did not start"


@dataclass(frozen=True)
class Machine:
    """Everything that is asked about the machine, so that a test can be another one.

    Files are looked for below ``root``; ``limit`` gives a soft resource limit in bytes.
    """

    root: Path = Path("/")
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    uid: int = field(default_factory=os.geteuid)
    limit: Callable[[int], int] = lambda kind: resource.getrlimit(kind)[0]
    loads: Callable[[str], bool] = _loads
    imports: Callable[[str], bool] = _imports
    allocator_problem: Callable[[], str] = _allocator_problem
    synchronised: Callable[[], bool] = _synchronised
    may: Callable[[Path], bool] = nodes.usable

    def text(self, path: str) -> str:
        """Return a file's text; "" when it cannot be read."""
        try:
            return (self.root / path).read_text(errors="replace")
        except OSError:
            return ""

    def trouble(self, pattern: str, missing: str) -> nodes.Trouble | None:
        """Return what keeps us from every device file that matches; None when nothing does."""
        return nodes.trouble(pattern, missing, root=self.root, may=self.may)

    def has(self, pattern: str) -> list[str]:
        """Return the paths below the root that match, without the root, in order."""
        return sorted(str(found.relative_to(self.root)) for found in self.root.glob(pattern))
