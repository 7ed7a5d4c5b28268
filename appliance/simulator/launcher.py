"""A whole virtual ward device: the three roles as processes, started the way systemd does it.

``Keeper`` stands in for systemd: it starts processes, starts them again when they die, and
answers each connection to ``darkroom.sock`` with a darkroom of its own, the connection being
its standard input (``Accept=yes``). ``VirtualDevice`` adds the verbs of somebody who stands in
front of the device, among them pulling its plug.
"""

import contextlib
import logging
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from queue import Empty, SimpleQueue
from selectors import EVENT_READ, DefaultSelector
from typing import Final

from appliance.config import ApplianceConfig, load
from appliance.simulator import refuse_production
from base.lifeline import tied
from base.memory import ALLOCATOR_ENV

log = logging.getLogger(__name__)

_RESTART_SECONDS: Final = 0.1
_GRACE_SECONDS: Final = 5.0
_STARTS_WITHIN: Final = 30.0


class Keeper:
    """Keeps processes running until it is closed; all of them end with it, even if it is killed.

    For that (``base.lifeline``) its own thread starts every one of them.
    """

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        logs.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._selector = DefaultSelector()
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._again: dict[str, Callable[[], None]] = {}
        self._due: dict[str, float] = {}
        self._listeners: dict[Path, socket.socket] = {}
        self._errands: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._wake, self._woken = socket.socketpair()
        self._selector.register(self._woken, EVENT_READ, self._run_errands)
        self._closing = False
        self._thread = threading.Thread(target=self._keep, name="keeper", daemon=True)
        self._thread.start()

    def start(
        self,
        name: str,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        stdin: int = subprocess.DEVNULL,
        keep: bool = True,
    ) -> None:
        """Start a process; with ``keep`` it is started again whenever it ends."""
        self._on_own_thread(
            lambda: self._start(name, argv, environment=environment, stdin=stdin, keep=keep)
        )

    def _start(
        self,
        name: str,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str] | None,
        stdin: int = subprocess.DEVNULL,
        keep: bool = True,
    ) -> None:
        with self._lock, (self._logs / f"{name}.log").open("ab") as output:
            process = subprocess.Popen(
                tied(argv),
                stdin=stdin,
                stdout=output,
                stderr=output,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )
            self._running[name] = process
            if keep:
                self._again[name] = lambda: self._start(name, argv, environment=environment)
            pidfd = os.pidfd_open(process.pid)
            self._selector.register(pidfd, EVENT_READ, lambda: self._ended(name, process, pidfd))

    def _on_own_thread(self, errand: Callable[[], None]) -> None:
        """Have the keeper's thread do it; return, or raise, when it is done."""
        if threading.current_thread() is self._thread:
            errand()
            return
        done: Future[None] = Future()

        def run() -> None:
            try:
                errand()
            except BaseException as e:  # noqa: BLE001  # it is the asker's
                done.set_exception(e)
            else:
                done.set_result(None)

        self._errands.put(run)
        self._ring()
        done.result(_STARTS_WITHIN)

    def answer(self, path: Path, accept: Callable[[socket.socket], None]) -> None:
        """Listen on a SEQPACKET socket and hand each connection to ``accept``."""
        self._no_longer_answer(path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.bind(str(path))
        listener.listen(8)

        def connected() -> None:
            connection, _ = listener.accept()
            with connection:
                accept(connection)

        with self._lock:
            self._listeners[path] = listener
            self._selector.register(listener, EVENT_READ, connected)
            self._ring()

    def _no_longer_answer(self, path: Path) -> None:
        with self._lock:
            listener = self._listeners.pop(path, None)
            if listener is not None:
                self._selector.unregister(listener)
                listener.close()
        path.unlink(missing_ok=True)

    def pid(self, name: str) -> int | None:
        """The process id of a running process."""
        with self._lock:
            process = self._running.get(name)
            return process.pid if process is not None and process.poll() is None else None

    def pids(self, prefix: str = "") -> dict[str, int]:
        """All running processes whose names start so."""
        with self._lock:
            return {
                name: process.pid
                for name, process in self._running.items()
                if name.startswith(prefix) and process.poll() is None
            }

    def kill(self, name: str) -> None:
        """SIGKILL one process; it is started again if it is kept."""
        with self._lock, contextlib.suppress(KeyError, ProcessLookupError):
            self._running[name].kill()

    def stop(self, *names: str, sharply: bool = False) -> None:
        """End processes for good (SIGTERM, then SIGKILL; at once if ``sharply``)."""
        with self._lock:
            found = [self._running[name] for name in names if name in self._running]
            for name in names:
                self._again.pop(name, None)
                self._due.pop(name, None)
            for process in found:
                process.send_signal(signal.SIGKILL if sharply else signal.SIGTERM)
        deadline = time.monotonic() + _GRACE_SECONDS
        for process in found:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def close(self) -> None:
        """End everything that was started here."""
        with self._lock:
            names = list(self._running)
        self.stop(*names)
        self._closing = True
        self._ring()
        self._thread.join()
        for path in list(self._listeners):
            self._no_longer_answer(path)
        self._selector.close()
        self._wake.close()
        self._woken.close()

    def _ring(self) -> None:
        self._wake.send(b"!")

    def _run_errands(self) -> None:
        self._woken.recv(64)
        with contextlib.suppress(Empty):
            while True:
                self._errands.get_nowait()()

    def _keep(self) -> None:
        while not self._closing:
            wait = min(self._due.values(), default=None)
            timeout = None if wait is None else max(0.0, wait - time.monotonic())
            for key, _ in self._selector.select(timeout):
                key.data()
            with self._lock:
                now = time.monotonic()
                for name in [name for name, at in self._due.items() if at <= now]:
                    del self._due[name]
                    self._again[name]()

    def _ended(self, name: str, process: subprocess.Popen[bytes], pidfd: int) -> None:
        self._selector.unregister(pidfd)
        os.close(pidfd)
        code = process.wait()
        with self._lock:
            if self._running.get(name) is not process:
                return
            del self._running[name]
            log.info("%s ended with %s", name, code)
            if name in self._again:
                self._due[name] = time.monotonic() + _RESTART_SECONDS


class VirtualDevice:
    """One device: its directories, its boot, its three roles."""

    def __init__(self, config_file: Path, keeper: Keeper, *, name: str = "") -> None:
        self.config: ApplianceConfig = load(config_file)
        refuse_production(self.config.paths.production, "the whole device")
        self._file = config_file
        self._keeper = keeper
        self._prefix = f"{name}-" if name else ""
        self._lives = 0
        self.powered = False

    def name_of(self, role: str) -> str:
        """What the keeper calls one of this device's processes."""
        return f"{self._prefix}{role}"

    def power_on(self) -> None:
        """Boot: empty tmpfs directories, a new boot id, then the roles."""
        paths = self.config.paths
        for directory in (paths.sealing, paths.outbox, paths.mailbox):
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir(mode=0o750, parents=True)
        paths.state.mkdir(parents=True, exist_ok=True)
        paths.boot_id.write_text(secrets.token_hex(16))
        self._keeper.answer(paths.darkroom_socket, self._give_darkroom)
        for role in ("panel", "uplink"):
            self._keeper.start(self.name_of(role), self._argv(role))
        self.powered = True

    def cut_power(self) -> None:
        """Kill everything at once and lose the RAM; what was on disk stays."""
        self.powered = False
        names = [self.name_of(role) for role in ("panel", "uplink")]
        names += list(self._keeper.pids(self.name_of("darkroom")))
        self._keeper.stop(*names, sharply=True)
        shutil.rmtree(self.config.paths.run, ignore_errors=True)

    def busy(self) -> bool:
        """Whether a darkroom holds a consent, or an envelope is still on the device."""
        paths = self.config.paths
        return any(next(directory.iterdir(), None) for directory in (paths.sealing, paths.outbox))

    def fill_spool(self) -> None:
        """Let somebody else's file take the RAM that the next photo would need."""
        self.config.paths.no_room.touch()

    def empty_spool(self) -> None:
        """Take it away."""
        self.config.paths.no_room.unlink(missing_ok=True)

    @property
    def spool_is_filled(self) -> bool:
        """Whether it lies there: it is in RAM, so it goes with the power."""
        return self.config.paths.no_room.exists()

    def _argv(self, role: str) -> list[str]:
        return [
            sys.executable,
            "-P",
            "-m",
            "appliance",
            "--role",
            role,
            "--config",
            str(self._file),
        ]

    def _give_darkroom(self, connection: socket.socket) -> None:
        self._lives += 1
        self._keeper.start(
            f"{self.name_of('darkroom')}-{self._lives}",
            self._argv("darkroom"),
            environment=ALLOCATOR_ENV,
            stdin=connection.fileno(),
            keep=False,
        )
