"""A real PostgreSQL for tests and benches: Debian's, on a Unix socket, gone at the end.

It runs in the foreground, so that it also ends with a run that is killed.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Literal

import psycopg

from base.lifeline import tied
from tests.waiting import until


def _program(name: str) -> str:
    """Debian keeps them out of the PATH, one folder for each version."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    path = shutil.which(name) or (str(found[-1]) if found else None)
    assert path, f"{name} is missing: ./test --setup installs postgresql"
    return path


def _somebody() -> dict[str, Any]:
    """Whom the server runs as: it refuses to be root."""
    if os.geteuid() != 0:
        return {}
    who = pwd.getpwnam("postgres")
    return {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": ()}


@dataclass
class Server:
    """One server; every test gets an empty database of its own."""

    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="ws-pg-")))
    _number: Any = field(default_factory=lambda: count(1))
    _process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> "Server":
        """Make the cluster if need be and start it."""
        who = _somebody()
        if who:
            os.chown(self.folder, who["user"], who["group"])
        data = self.folder / "data"
        if not data.exists():
            make = [_program("initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-N"]
            subprocess.run(
                [*make, "-E", "UTF8", "--locale=C"],
                check=True,
                cwd="/",
                stdout=subprocess.DEVNULL,
                **who,
            )
        command = [_program("postgres"), "-D", str(data)]
        for option in ("listen_addresses=", f"unix_socket_directories={self.folder}", "fsync=off"):
            command += ["-c", option]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(tied(command), cwd="/", stdout=log, stderr=log, **who)
        until(self._answers, 30, "PostgreSQL to answer")
        return self

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "log").read_text()[-2000:]
        try:
            psycopg.connect(self._where("postgres")).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self, how: Literal["fast", "immediate"] = "fast") -> None:
        """Stop the server: ``immediate`` is as by a crash."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT if how == "fast" else signal.SIGQUIT)
            self._process.wait(30)

    def close(self) -> None:
        self.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)

    def database(self) -> str:
        """Make an empty database and return its URL."""
        name = f"test{next(self._number)}"
        with psycopg.connect(self._where("postgres"), autocommit=True) as connection:
            connection.execute(f"create database {name}".encode())
        return f"postgresql://postgres@/{name}?host={self.folder}"

    def _where(self, name: str) -> str:
        return f"host={self.folder} user=postgres dbname={name}"
