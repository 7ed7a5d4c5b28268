"""An emulated ward device: QEMU, its monitor, and the guest's agent in it.

The device's memory is a file here, so that every byte of it can be looked at (``frozen``). Its
root is read only and shared by all; its ledger is on a disk of its own, which outlives a power
cut. On the network it reaches one thing, the hospital's broker.
"""

import base64
import contextlib
import json
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.waiting import until

MEMORY_MIB = 1536
_QEMU = "qemu-system-x86_64"
_RELAY = Path(__file__).with_name("relay.py")


class MachineError(Exception):
    """The emulated machine, or its agent, does not do what it was asked."""


class Machine:
    """One device. ``image``: what guest/build made; ``folder``: for its disk, memory and logs.

    ``memory``: where its memory file lies, which wants to be in RAM itself.
    """

    def __init__(self, image: Path, folder: Path, memory: Path, broker_port: int) -> None:
        self._image = image
        self._folder = folder
        self._port = broker_port
        self.memory = memory
        self.disk = folder / "ledger.ext4"
        self.console = folder / "console"
        self._qemu: subprocess.Popen[bytes] | None = None
        self._tpm: subprocess.Popen[bytes] | None = None
        self._monitor: _Talk | None = None
        self._agent: _Talk | None = None
        self.booted = 0.0
        if not self.disk.exists():
            subprocess.run(
                ["mke2fs", "-q", "-t", "ext4", "-L", "wardseal", self.disk, "64M"], check=True
            )

    # -- power

    def power_on(self, *words: str) -> None:
        """Start it; ``words`` come after the image's kernel command line."""
        given = (self._image / "cmdline").read_text().strip()
        line = f"root=/dev/vda console=ttyS0 quiet {given} {' '.join(words)}".strip()
        talks = [self._folder / name for name in ("monitor", "agent")]
        for path in talks:
            path.unlink(missing_ok=True)
        self.memory.unlink(missing_ok=True)
        ram = f"id=ram,size={MEMORY_MIB}M,mem-path={self.memory},share=on"
        relay = f"{sys.executable} -P {_RELAY} {self._port}"
        # fmt: off
        command = [
            _QEMU, "-nodefaults", "-display", "none", "-no-reboot",
            "-machine", "q35,memory-backend=ram", "-accel", "tcg,thread=multi",
            "-cpu", "Westmere", "-smp", "2", "-m", f"{MEMORY_MIB}M",
            "-object", f"memory-backend-file,{ram}",
            "-kernel", str(self._image / "vmlinuz"), "-initrd", str(self._image / "initrd"),
            "-append", line,
            "-drive", f"file={self._image}/root.ext4,if=virtio,format=raw,readonly=on",
            "-drive", f"file={self.disk},if=virtio,format=raw",
            "-device", "virtio-rng-pci", "-device", "virtio-serial",
            "-chardev", f"socket,id=agent,path={talks[1]},server=on,wait=off",
            "-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0",
            "-netdev", f"user,id=ward,restrict=on,guestfwd=tcp:10.0.2.100:8883-cmd:{relay}",
            "-device", "virtio-net-pci,netdev=ward",
            "-qmp", f"unix:{talks[0]},server=on,wait=off",
            "-chardev", f"socket,id=tpm,path={self._start_tpm()}",
            "-tpmdev", "emulator,id=tpm,chardev=tpm", "-device", "tpm-crb,tpmdev=tpm",
            "-serial", f"file:{self.console}",
        ]
        # fmt: on
        self.booted = time.monotonic()
        with (self._folder / "qemu.log").open("ab") as log:
            self._qemu = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until(lambda: all(path.exists() for path in talks) or self._gone(), 20, "QEMU to start")
        self._monitor = _Talk(talks[0])
        self._monitor.line(10)  # its greeting
        self._monitor.ask({"execute": "qmp_capabilities"}, 10)

    def _start_tpm(self) -> Path:
        """Start a TPM; what it knows outlives a power cut, as a chip's would."""
        state, door = self._folder / "tpm", self._folder / "tpm.sock"
        state.mkdir(exist_ok=True)
        door.unlink(missing_ok=True)
        # fmt: off
        self._tpm = subprocess.Popen([
            "swtpm", "socket", "--tpm2", "--tpmstate", f"dir={state}",
            "--ctrl", f"type=unixio,path={door}", "--terminate",
        ])
        # fmt: on
        until(door.exists, 10, "the TPM to start")
        return door

    def wait_for_agent(self, seconds: float = 600) -> None:
        """Return when commands can be run in it."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._still_there()
            self._agent = _Talk(self._folder / "agent")
            with contextlib.suppress(TimeoutError):
                self._agent.greet(3)
                return
            self._agent.close()
        raise MachineError(f"the agent did not answer in {seconds:g} s\n{self.said()}")

    def cut_power(self) -> None:
        """End it between two instructions."""
        if self._qemu is not None:
            self._qemu.send_signal(signal.SIGKILL)
            self._qemu.wait()
            self._qemu = None
        if self._tpm is not None:
            self._tpm.kill()  # it ends by itself with QEMU, in its own time
            self._tpm.wait()
            self._tpm = None
        for talk in (self._monitor, self._agent):
            if talk is not None:
                talk.close()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[Path]:
        """Stop its processors; the file given holds all of its memory as it is now."""
        assert self._monitor is not None
        self._monitor.ask({"execute": "stop"}, 30)
        try:
            yield self.memory
        finally:
            self._monitor.ask({"execute": "cont"}, 30)

    def _gone(self) -> bool:
        return self._qemu is not None and self._qemu.poll() is not None

    def _still_there(self) -> None:
        if self._gone():
            log = (self._folder / "qemu.log").read_text(errors="replace")
            raise MachineError(f"QEMU has ended: {log[-800:]}\n{self.said()}")

    def said(self) -> str:
        """The end of what it said on its serial port."""
        return self.console.read_text(errors="replace")[-2000:] if self.console.exists() else ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.cut_power()
        self.memory.unlink(missing_ok=True)

    # -- inside, as root

    def run(self, *command: str, given: bytes = b"", seconds: float = 120) -> bytes:
        """Run a command and return what it printed; it must succeed."""
        code, out, err = self.try_to(*command, given=given, seconds=seconds)
        if code != 0:
            raise MachineError(f"{' '.join(command)}: {err.decode(errors='replace')[-1500:]}")
        return out

    def try_to(
        self, *command: str, given: bytes = b"", seconds: float = 120
    ) -> tuple[int, bytes, bytes]:
        """Run a command; return its exit code and what it printed on both."""
        arguments: dict[str, Any] = {
            "path": command[0],
            "arg": list(command[1:]),
            "capture-output": True,
        }
        if given:
            arguments["input-data"] = base64.b64encode(given).decode()
        pid = self._guest("guest-exec", arguments)["pid"]
        deadline = time.monotonic() + seconds
        while not (status := self._guest("guest-exec-status", {"pid": pid}))["exited"]:
            if time.monotonic() > deadline:
                raise MachineError(f"{' '.join(command)}: not done after {seconds:g} s")
            time.sleep(0.05)
        out, err = (base64.b64decode(status.get(name, "")) for name in ("out-data", "err-data"))
        return status.get("exitcode", -1), out, err

    def shell(self, script: str, seconds: float = 120) -> str:
        """Run a line of shell and return what it printed."""
        return self.run("/bin/sh", "-ec", script, seconds=seconds).decode(errors="replace")

    def write(self, path: str, data: bytes) -> None:
        """Write a file where it can be written."""
        self.run("/bin/sh", "-ec", f"mkdir -p $(dirname {path}); cat >{path}", given=data)

    def journal(self) -> str:
        """What it logged since its start."""
        self.shell("journalctl -b --no-pager >/run/journal; gzip -kf /run/journal || true")
        return self.shell("tail -c 200000 /run/journal")

    def _guest(self, command: str, arguments: dict[str, Any]) -> Any:
        self._still_there()
        assert self._agent is not None
        return self._agent.ask({"execute": command, "arguments": arguments}, 60)


class _Talk:
    """Lines of JSON over a socket, one question at a time."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._heard = b""

    def ask(self, question: dict[str, Any], seconds: float) -> Any:
        self._socket.sendall(json.dumps(question).encode() + b"\n")
        while True:
            answer = self.line(seconds)
            if "error" in answer:
                raise MachineError(f"{question['execute']}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def greet(self, seconds: float) -> None:
        """Find the agent's answer to this, past what it has still to say to others."""
        number = secrets.randbelow(2**31)
        question = {"execute": "guest-sync", "arguments": {"id": number}}
        self._socket.sendall(json.dumps(question).encode() + b"\n")
        while self.line(seconds).get("return") != number:
            pass

    def line(self, seconds: float) -> Any:
        deadline = time.monotonic() + seconds
        while b"\n" not in self._heard:
            self._socket.settimeout(max(0.01, deadline - time.monotonic()))
            data = self._socket.recv(65536)
            if not data:
                raise MachineError("the line was hung up")
            self._heard += data
        line, _, self._heard = self._heard.partition(b"\n")
        return json.loads(line)

    def close(self) -> None:
        self._socket.close()
