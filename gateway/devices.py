"""The registry: which devices this hospital has, their public keys, and who may send.

One file per device, ``<id>.toml``, written by ``wardseal pki device`` and edited by hand or by
the fleet page. A file is read again when it has changed, so a revocation holds from the next
message on, without a restart. Nobody is in the registry by default.
"""

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from base import settings
from base.durable import write_atomic
from base.errors import ConfigError, FormatError, VerificationError
from wire.reasons import Reason
from wire.signing import PublicKey
from wire.topics import check_name

log = logging.getLogger(__name__)

Status = Literal["active", "claimed", "revoked"]


class NotAdmitted(VerificationError):
    """The device is unknown, revoked, or not enrolled to the end; ``reason`` is for its screen."""

    def __init__(self, why: str, reason: Reason = Reason.NOT_PROVEN) -> None:
        super().__init__(why)
        self.reason = reason


@dataclass(frozen=True)
class _DeviceFile:
    """The file: ``public_key`` is the COSE_Key in hex."""

    id: str
    public_key: str
    status: Status
    note: str = ""


@dataclass(frozen=True)
class Device:
    """A registered device: ``claimed`` is one whose enrolment is not finished."""

    id: str
    key: PublicKey
    status: Status
    note: str = ""


class Registry:
    """The devices in ``folder``, as the files say now."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[str, tuple[tuple[int, int, int], Device]] = {}

    def check(self) -> int:
        """Read every file and return how many there are; ConfigError names a wrong one."""
        if not self._folder.is_dir():
            raise ConfigError("paths.devices", f"{self._folder} is not a folder")
        names = [path.stem for path in sorted(self._folder.glob("*.toml"))]
        for name in names:
            self._load(name)
        return len(names)

    def admit(self, device: str) -> Device:
        """Return the device if it may send photos now, else raise NotAdmitted."""
        found = self.find(device)
        if found is None:
            why = f"the device {device} is not registered here"
            raise NotAdmitted(why, Reason.NOT_ENROLLED)
        if found.status == "revoked":
            raise NotAdmitted(f"the device {device} has been revoked", Reason.REVOKED)
        if found.status != "active":
            why = f"the device {device} is not enrolled to the end"
            raise NotAdmitted(why, Reason.NOT_ENROLLED)
        return found

    def find(self, device: str) -> Device | None:
        """Return the device whatever its status; None when it has no file that can be used."""
        try:
            return self._load(check_name(device))
        except FileNotFoundError:
            return None
        except (ConfigError, OSError) as e:
            log.error("the registry's file of %s cannot be used: %s", device, e)
            return None

    def all(self) -> list[Device]:
        """Return every device whose file can be used, by name."""
        names = [path.stem for path in sorted(self._folder.glob("*.toml"))]
        return [device for name in names if (device := self.find(name)) is not None]

    def _load(self, device: str) -> Device:
        path = self._folder / f"{device}.toml"
        stat = os.stat(path)
        version = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        known = self._read.get(device)
        if known is None or known[0] != version:
            known = (version, _parse(path))
            self._read[device] = known
        return known[1]


def register(folder: Path, device: Device) -> Path:
    """Write a device's file into the registry, durably, and return its path."""
    path = folder / f"{check_name(device.id)}.toml"
    note = "".join(c if c.isprintable() and c not in '"\\' else " " for c in device.note)
    text = (
        f'id = "{device.id}"\n'
        f'status = "{device.status}" # active, claimed or revoked\n'
        f'public_key = "{device.key.encode().hex()}"\n'
        f'note = "{note}"\n'
    )
    write_atomic(path, text.encode(), mode=0o644)
    return path


def _parse(path: Path) -> Device:
    file = settings.load(path, _DeviceFile)
    if file.id != path.stem:
        raise ConfigError("id", f"is {file.id!r}, but the file is called {path.name}")
    try:
        key = PublicKey.decode(bytes.fromhex(file.public_key))
    except (FormatError, ValueError) as e:
        raise ConfigError("public_key", f"is not a public key in hex (in {path})") from e
    return Device(file.id, key, file.status, file.note)
