"""A real PostgreSQL for the tests: Debian's, on a Unix socket, gone at the end."""

import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import psycopg


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
        options = f"-c listen_addresses= -c unix_socket_directories={self.folder} -c fsync=off"
        self._control("start", "-w", "-l", str(self.folder / "log"), "-o", options)
        return self

    def stop(self, how: str = "fast") -> None:
        """Stop the server: ``immediate`` is as by a crash."""
        self._control("stop", "-w", "-m", how)

    def close(self) -> None:
        self.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)

    def _control(self, *words: str) -> None:
        subprocess.run(
            [_program("pg_ctl"), "-D", str(self.folder / "data"), *words],
            check=True,
            cwd="/",
            stdout=subprocess.DEVNULL,
            **_somebody(),
        )

    def database(self) -> str:
        """Make an empty database and return its URL."""
        name = f"test{next(self._number)}"
        with psycopg.connect(self._where("postgres"), autocommit=True) as connection:
            connection.execute(f"create database {name}".encode())
        return f"postgresql://postgres@/{name}?host={self.folder}"

    def _where(self, name: str) -> str:
        return f"host={self.folder} user=postgres dbname={name}"
