"""A real mosquitto for the demo and the tests, configured as a hospital's should be.

What matters in its configuration, on any broker (docs/howto/broker.md):

- mutual TLS 1.3 and nobody anonymous; the certificate's common name is user name *and* client id,
  or one valid certificate could take over another device's session;
- a device writes below its own ``u/`` and reads below its own ``d/``: two pattern lines;
- acknowledgements leave at once (``set_tcp_nodelay``), which saves 40 ms each;
- packets are limited, and clients of MQTT 5 are told so in CONNACK;
- nothing is kept on disk unless asked for: no part of the house relies on a broker's memory.
"""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from base.durable import write_atomic
from base.errors import EnvironmentProblem
from base.lifeline import tied
from base.tls import TlsFiles
from wire import topics

_STARTS_WITHIN_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class BrokerSettings:
    """What differs from broker to broker.

    ``files`` is the broker's own identity; ``files.revoked`` makes it refuse what is listed there.
    ``hospital_users`` are the names (each with a ``_``) that read every ``u/`` and write every
    ``d/``. ``keep`` is a folder for retained messages; without it they end with the process.
    ``protocol`` is the lowest version of TLS, for tests of what must not be spoken.
    """

    directory: Path
    files: TlsFiles
    hospital_users: Sequence[str]
    port: int = 0
    largest_packet: int = 128 * 1024
    keep: Path | None = None
    tls_version: str = "tlsv1.3"


def access_list(hospital_users: Sequence[str]) -> str:
    """Return mosquitto's ACL file. ``%u`` is the user name, which is the certificate's name."""
    root = topics.ROOT
    lines = [
        f"pattern write {root}/%u/u/#",
        f"pattern read {root}/%u/d/#",
        f"pattern read {root}/_all/d/#",
    ]
    for user in hospital_users:
        lines += [
            "",
            f"user {user}",
            f"topic read {root}/+/u/#",
            f"topic write {root}/+/d/#",
            f"topic write {root}/_all/d/#",
        ]
    return "\n".join(lines) + "\n"


def configuration(settings: BrokerSettings) -> str:
    """Return mosquitto.conf for ``settings``, whose port must be chosen."""
    files = settings.files
    lines = [
        # Started as root it would become user mosquitto, who cannot read our folder.
        f"user {getpass.getuser()}",
        "per_listener_settings false",
        "allow_anonymous false",
        f"acl_file {settings.directory / 'acl'}",
        f"max_packet_size {settings.largest_packet}",
        "set_tcp_nodelay true",
        "log_dest stderr",
        "log_type error",
        "log_type warning",
        "log_type notice",
        "log_type information",  # the line that says it is running
        "connection_messages false",
        "persistence true" if settings.keep else "persistence false",
        *([f"persistence_location {settings.keep}/"] if settings.keep else []),
        "",
        f"listener {settings.port} 127.0.0.1",
        f"cafile {files.ca}",
        f"certfile {files.certificate}",
        f"keyfile {files.key}",
        *([f"crlfile {files.revoked}"] if files.revoked else []),
        f"tls_version {settings.tls_version}",
        "require_certificate true",
        "use_identity_as_username true",
        "use_username_as_clientid true",
    ]
    return "\n".join(lines) + "\n"


class Broker:
    """One mosquitto process on 127.0.0.1; a context manager, startable again after its end."""

    def __init__(self, settings: BrokerSettings, *, program: str = "mosquitto") -> None:
        self._program = program
        self.settings = replace(settings, port=settings.port or _free_port())
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        return self.settings.port

    @property
    def pid(self) -> int:
        assert self._process is not None, "the broker has not been started"
        return self._process.pid

    @property
    def log(self) -> Path:
        return self.settings.directory / "broker.log"

    def prepare(self) -> list[str]:
        """Write its configuration and return the command that runs it in the foreground."""
        program = shutil.which(self._program, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        if program is None:
            raise EnvironmentProblem("mosquitto is not installed: apt install mosquitto")
        directory = self.settings.directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.settings.keep is not None:
            self.settings.keep.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomic(directory / "acl", access_list(self.settings.hospital_users).encode())
        write_atomic(directory / "mosquitto.conf", configuration(self.settings).encode())
        return [program, "-c", str(directory / "mosquitto.conf")]

    def start(self) -> None:
        """Start it and return when it answers; EnvironmentProblem says why it does not."""
        command = self.prepare()
        with self.log.open("ab") as log:
            begun = log.tell()
            self._process = subprocess.Popen(
                tied(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._until_it_runs(begun)

    def stop(self) -> None:
        """End it in its own time; harmless when it is not running."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _until_it_runs(self, begun: int) -> None:
        """Wait for its own word: the port opens before it has found its key usable."""
        assert self._process is not None
        deadline = time.monotonic() + _STARTS_WITHIN_SECONDS
        while time.monotonic() < deadline:
            ended = self._process.poll() is not None
            said = self.log.read_bytes()[begun:].decode(errors="replace").strip()
            if " running" in said:
                return
            if ended:
                break
            time.sleep(0.005)
        self.kill()
        lines = said.splitlines() or ["nothing"]
        why = next((line for line in lines if ": Error: " in line), lines[-1])
        raise EnvironmentProblem(f"mosquitto did not start on port {self.port}; it said: {why}")

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)  # does nothing once it has been waited for
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
