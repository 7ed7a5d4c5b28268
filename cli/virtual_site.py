"""A hospital in a folder: keys, a real broker, the gateway and virtual ward devices.

The demo, the tests and the benches all run this one. Everything in it is the real program;
only the hardware is simulated, and the keys are throw-away. Sealed photos lie in a tmpfs, as
on a device; the rest lies in the state folder.
"""

import os
import secrets
import shutil
import socket
import sqlite3
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from appliance.config import PathSettings
from appliance.simulator.cable import Cable
from appliance.simulator.launcher import Keeper, VirtualDevice
from appliance.simulator.world import CameraWorld
from base.durable import write_atomic
from base.errors import EnvironmentProblem
from base.memory import ALLOCATOR_ENV
from base.tls import TlsFiles
from cli import pki
from cli.broker import Broker, BrokerSettings

_SHM: Final = Path("/dev/shm")
_STARTS_WITHIN: Final = 30.0

Tables = Mapping[str, Mapping[str, object]]
"""Settings by the table they stand in."""


@dataclass(frozen=True)
class Virtual:
    """What a virtual device is made with."""

    id: str = "ward3-bed12"
    bed: str = "Bed 12"
    language: str = "en"
    release_seconds: float = 5.0
    width: int = 4056
    height: int = 3040
    cable: bool = False
    """Whether a cable leads from the device to the broker, for somebody to pull."""
    extra: dict[str, dict[str, object]] = field(default_factory=dict)
    """Further settings by table, such as ``{"spool": {"capacity_mib": 16}}``."""


class VirtualSite:
    """One site. A context manager: leaving it ends every process and empties the tmpfs.

    ``state`` is kept, and taken up again by the next site that is given the same folder.
    """

    def __init__(
        self, state: Path, device: Virtual | None = None, gateway: Tables | None = None
    ) -> None:
        """``gateway``: further settings of the gateway, by table, such as ``[dicom]`` for one
        of several.
        """
        self.state = state
        self.state.mkdir(parents=True, exist_ok=True)
        self.settings = device or Virtual()
        self._gateway_tables = gateway or {}
        ram = _SHM if _SHM.is_dir() and os.access(_SHM, os.W_OK) else self.state
        self.ram = ram / f"wardseal-{secrets.token_hex(4)}"
        self._begun_ms = time.time_ns() // 1_000_000
        self.keeper = Keeper(self.state / "logs")
        site = self.state / "site"
        self.pki = pki.Site(site) if site.exists() else pki.init(site, site="demo")
        self.broker = Broker(
            BrokerSettings(
                directory=self.state / "broker",
                files=_tls(self.pki.broker),
                hospital_users=[pki.GATEWAY_USER],
                keep=self.state / "broker",
            )
        )
        self.cable = Cable() if self.settings.cable else None
        if self.cable is not None:
            self.cable.target = self.broker.port
        self.device = VirtualDevice(self._device_config(), self.keeper)
        paths = self.device.config.paths
        paths.world.parent.mkdir(parents=True, exist_ok=True)
        paths.run.mkdir(parents=True, exist_ok=True)
        self.world = CameraWorld(paths.world)

    def start(self) -> None:
        """Start broker, gateway and device; return when the broker answers."""
        self.start_broker()
        self.start_gateway()
        self.device.power_on()

    def start_broker(self) -> None:
        """Start the broker, kept running."""
        self.keeper.start("broker", self.broker.prepare())
        wait_for(self._broker_answers, _STARTS_WITHIN, "the broker to answer")

    def start_gateway(self) -> None:
        """Start the gateway, kept running."""
        config = str(self._gateway_config())
        argv = [sys.executable, "-P", "-m", "gateway", "--config", config]
        self.keeper.start("gateway", argv, environment=ALLOCATOR_ENV)

    def hospital_hears(self) -> bool:
        """Tell whether the gateway is up, and has heard since then that the device is, too."""
        uri = f"file:{self.gateway_database}?mode=ro"
        query = "select 1 from presence where device = ? and online and at_ms >= ?"
        try:
            with closing(sqlite3.connect(uri, uri=True)) as database:
                row = database.execute(query, (self.settings.id, self._begun_ms)).fetchone()
        except sqlite3.OperationalError:  # it is not made yet
            return False
        return row is not None

    def close(self) -> None:
        """End every process and empty the tmpfs."""
        self.keeper.close()
        if self.cable is not None:
            self.cable.close()
        shutil.rmtree(self.ram, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def record(self) -> Path:
        """Where the gateway files photos."""
        return self.state / "record"

    @property
    def gateway_database(self) -> Path:
        """What the gateway remembers."""
        return self.state / "gateway" / "gateway.db"

    @property
    def tmpfs(self) -> list[Path]:
        """The device's directories in RAM."""
        paths: PathSettings = self.device.config.paths
        return [paths.run, paths.world.parent]

    @property
    def device_key(self) -> Path:
        """The public key that the device's ledger is verified with."""
        return self.pki.device(self.settings.id) / "device.pub"

    def _broker_answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.broker.port), timeout=1).close()
        except OSError:
            return False
        return True

    def _device_config(self) -> Path:
        bundle = self.pki.device(self.settings.id)
        if not bundle.exists():
            pki.device(self.pki, self.settings.id, bed=self.settings.bed)
        made = self.settings
        port = self.broker.port if self.cable is None else self.cable.port
        tables: dict[str, dict[str, object]] = {
            "device": {"id": made.id, "bed": made.bed, "language": made.language},
            "broker": {"host": "127.0.0.1", "port": port},
            "paths": {
                "run": str(self.ram / "run"),
                "state": str(self.state / "device"),
                "boot_id": str(self.ram / "run" / "boot_id"),
            },
            "window": {"release_seconds": made.release_seconds},
            "camera": {"adapter": "simulated", "width": made.width, "height": made.height},
            "hardware": {"adapter": "simulated"},
        }
        for name, settings in made.extra.items():
            tables[name] = {**tables.get(name, {}), **settings}
        return _write_toml(bundle / "virtual.toml", {}, tables)

    def _gateway_config(self) -> Path:
        tables: dict[str, dict[str, object]] = {
            "broker": {"host": "127.0.0.1", "port": self.broker.port},
            "paths": {"state": str(self.state / "gateway")},
            "filing": {"folder": str(self.record)},
        }
        for name, settings in self._gateway_tables.items():
            tables[name] = {**tables.get(name, {}), **settings}
        top: dict[str, object] = {} if "identity" in tables else {"identity": "none"}
        return _write_toml(self.pki.gateway / "virtual.toml", top, tables)


def wait_for(done: Callable[[], object], seconds: float, what: str) -> None:
    """Poll until ``done``; EnvironmentProblem names what did not happen in time."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise EnvironmentProblem(f"waited {seconds:g} s in vain for {what}")
        time.sleep(0.01)


def _tls(folder: Path) -> TlsFiles:
    return TlsFiles(ca=folder / "ca.crt", certificate=folder / "tls.crt", key=folder / "tls.key")


def _write_toml(path: Path, top: dict[str, object], tables: dict[str, dict[str, object]]) -> Path:
    lines = [f"{name} = {_literal(value)}" for name, value in top.items()]
    for table, settings in tables.items():
        lines += ["", f"[{table}]"]
        lines += [f"{name} = {_literal(value)}" for name, value in settings.items()]
    write_atomic(path, ("\n".join(lines) + "\n").encode())
    return path


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_literal, value))}]"
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
