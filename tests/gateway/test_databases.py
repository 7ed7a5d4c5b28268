"""The tests' own PostgreSQL ends with the run that started it, also when that is killed."""

import subprocess
import sys
from pathlib import Path

from tests.waiting import until

STARTER = """
from pathlib import Path
from tests.gateway.databases import Server
server = Server(Path(__import__("sys").argv[1])).start()
print((server.folder / "data" / "postmaster.pid").read_text().split()[0], flush=True)
input()
"""


def test_a_run_that_is_killed_leaves_no_postgresql(short_dir: Path) -> None:
    folder = short_dir / "pg"
    folder.mkdir()
    for where in (short_dir, folder):
        where.chmod(0o755)  # the server is not root
    with subprocess.Popen(
        [sys.executable, "-P", "-c", STARTER, str(folder)],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as starter:
        assert starter.stdout is not None
        server = Path("/proc") / starter.stdout.readline().decode().strip()
        assert (server / "comm").read_text() == "postgres\n"
        starter.kill()
        starter.wait()
        until(lambda: not server.exists() or _dead(server), 20, "PostgreSQL's end")


def _dead(process: Path) -> bool:
    """Whether it has ended and only nobody has asked how."""
    try:
        return "\nState:\tZ" in (process / "status").read_text()
    except FileNotFoundError:
        return True
