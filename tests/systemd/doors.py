"""Every door that somebody who owns one role would try, tried from inside that role's sandbox.

Run by the role's own unit with only its command changed. Says, door by door, "open" or the name
of the error that kept it shut.
"""

import ctypes
import errno
import json
import mmap
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

RUN = Path("/run/wardseal")
STATE = Path("/var/lib/wardseal")
ETC = Path("/etc/wardseal")
libc = ctypes.CDLL(None, use_errno=True)


def read(path: Path) -> None:
    with path.open("rb") as file:
        file.read(1)


def entries(folder: Path) -> None:
    list(folder.iterdir())


def read_one(folder: Path, pattern: str) -> None:
    read(next(iter(sorted(folder.glob(pattern))), folder / "none of these"))


def write_one(folder: Path, pattern: str) -> None:
    path = next(iter(sorted(folder.glob(pattern))), folder / "none of these")
    os.close(os.open(path, os.O_WRONLY))


def create(folder: Path, name: str = "door-test") -> None:
    path = folder / name
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    path.unlink()


def remove_one(folder: Path, pattern: str) -> None:
    path = next(iter(sorted(folder.glob(pattern))), folder / "none of these")
    other = path.with_name("moved")
    path.rename(other)
    other.rename(path)


def connect(path: Path, kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_UNIX, kind) as way:
        way.connect(str(path))


def send_to(address: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
        way.sendto(b"x", (address, 9))


def listen() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as door:
        door.bind(("127.0.0.1", 0))
        door.listen()


def call(name: str, *arguments: int) -> None:
    """A system call by glibc's name for it; raises what it answers."""
    ctypes.set_errno(0)
    if getattr(libc, name)(*arguments) == -1:
        raise OSError(ctypes.get_errno(), name)


def look_into(pid: int) -> None:
    """Read another process's memory, whatever it is."""
    local = ctypes.create_string_buffer(8)
    mine = (ctypes.c_void_p * 2)(ctypes.addressof(local), 8)
    theirs = (ctypes.c_void_p * 2)(0x400000, 8)
    call("process_vm_readv", pid, mine, 1, theirs, 1, 0)  # type: ignore[arg-type]


def execute_what_was_written() -> None:
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.close()


def core_dump_limit() -> None:
    if resource.getrlimit(resource.RLIMIT_CORE) == (0, 0):
        raise OSError(errno.EPERM, "no core dumps")


def open_device(name: str) -> None:
    os.close(os.open(f"/dev/{name}", os.O_RDWR | os.O_NONBLOCK))


def seen_in_proc(pid: int) -> None:
    os.stat(f"/proc/{pid}")


def doors(others: dict[str, int]) -> dict[str, Callable[[], object]]:
    """Each door by name; ``others``: process ids of the other roles."""
    credentials = Path(os.environ.get("CREDENTIALS_DIRECTORY", "/nowhere"))
    found: dict[str, Callable[[], object]] = {
        "read the file device.key": lambda: read(ETC / "device.key"),
        "read the file tls.key": lambda: read(ETC / "tls.key"),
        "be handed device.key": lambda: read(credentials / "device.key"),
        "be handed tls.key": lambda: read(credentials / "tls.key"),
        "read the panel's credential": lambda: read(
            Path("/run/credentials/wardseal-panel.service/device.key")
        ),
        "read the uplink's credential": lambda: read(
            Path("/run/credentials/wardseal-uplink.service/tls.key")
        ),
        "read the settings": lambda: read(ETC / "appliance.toml"),
        "change the settings": lambda: write_one(ETC, "appliance.toml"),
        "list sealing": lambda: entries(RUN / "sealing"),
        "write sealing": lambda: create(RUN / "sealing"),
        "list outbox": lambda: entries(RUN / "outbox"),
        "read an envelope": lambda: read_one(RUN / "outbox", "*.cose"),
        "read its entries": lambda: read_one(RUN / "outbox", "*.init"),
        "change an envelope": lambda: write_one(RUN / "outbox", "*.cose"),
        "move an envelope": lambda: remove_one(RUN / "outbox", "*.cose"),
        "write outbox": lambda: create(RUN / "outbox"),
        "list mailbox": lambda: entries(RUN / "mailbox"),
        "write mailbox": lambda: create(RUN / "mailbox"),
        "forge a doorbell": lambda: create(RUN, "panel.bell.new"),
        "ring at the panel": lambda: connect(RUN / "panel.bell", socket.SOCK_DGRAM),
        "ring at the uplink": lambda: connect(RUN / "mailbox/uplink.bell", socket.SOCK_DGRAM),
        "knock at the darkroom": lambda: connect(RUN / "darkroom.sock", socket.SOCK_SEQPACKET),
        "read the ledger": lambda: read_one(STATE / "ledger", "*.wsl"),
        "read how far the ledger is durable": lambda: read(RUN / "ledger.mark"),
        "write the ledger": lambda: write_one(STATE / "ledger", "*.wsl"),
        "add to the ledger's folder": lambda: create(STATE / "ledger"),
        "list the state": lambda: entries(STATE),
        "write the state": lambda: create(STATE),
        "write /usr": lambda: create(Path("/usr/lib/wardseal")),
        "write /etc": lambda: create(Path("/etc")),
        "write /dev/shm": lambda: create(Path("/dev/shm")),
        "write /run": lambda: create(Path("/run")),
        "see root's home": lambda: entries(Path("/root")),
        "speak on D-Bus": lambda: connect(Path("/run/dbus/system_bus_socket"), socket.SOCK_STREAM),
        "open an internet socket": lambda: socket.socket(socket.AF_INET).close(),
        "open a netlink socket": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close(),
        "open a packet socket": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close(),
        "reach this machine": lambda: send_to("127.0.0.1"),
        "reach the hospital's network": lambda: send_to("10.1.2.3"),
        "reach the internet": lambda: send_to("198.51.100.7"),
        "listen": listen,
        "become root": lambda: os.setuid(0),
        "set the clock": lambda: time.clock_settime(time.CLOCK_REALTIME, time.time()),
        "make a namespace": lambda: call("unshare", 0x10000000),
        "mount": lambda: call("mount", 0, 0, 0, 0, 0),
        "execute what was written": execute_what_was_written,
        "be scheduled in real time": lambda: os.sched_setscheduler(
            0, os.SCHED_FIFO, os.sched_param(1)
        ),
        "leave a core dump": core_dump_limit,
        "read the pins": lambda: open_device("gpiochip0"),
        "speak to the display": lambda: open_device("i2c-1"),
        "open the camera": lambda: open_device("video0"),
        "open the camera's media": lambda: open_device("media0"),
        "take frame memory": lambda: open_device("dma_heap/system"),
        "read the disk": lambda: open_device("vda"),
        "read the machine's memory": lambda: open_device("mem"),
    }
    for name, pid in others.items():
        found[f"see the {name} in /proc"] = lambda pid=pid: seen_in_proc(pid)  # type: ignore[misc]
        found[f"trace the {name}"] = lambda pid=pid: call("ptrace", 0x4206, pid, 0, 0)  # type: ignore[misc]
        found[f"look into the {name}"] = lambda pid=pid: look_into(pid)  # type: ignore[misc]
        found[f"end the {name}"] = lambda pid=pid: os.kill(pid, signal.SIGCONT)  # type: ignore[misc]
    return found


def main() -> None:
    others = {name: int(pid) for name, pid in (word.split("=") for word in sys.argv[1:])}
    result = {}
    for name, door in doors(others).items():
        try:
            door()
            result[name] = "open"
        except OSError as e:
            result[name] = errno.errorcode.get(e.errno or 0, str(e))
    sys.stdout.write(json.dumps(result))


if __name__ == "__main__":
    main()
