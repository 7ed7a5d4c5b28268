"""What the doctor asks on both sides: certificates, keysets, folders, the way to the broker."""

import os
import re
import shutil
import socket
import time
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID

from base import keyfiles
from base.errors import ConfigError, WardsealError
from base.tls import TlsFiles, client_context, words
from cli.findings import Finding, Machine, broken, off, ok
from wire.keyset import MAX_KEYSET, SignedKeyset, open_keyset
from wire.signing import PublicKey

MIB: Final = 1024 * 1024
_DAY: Final = 86_400
_SOON_DAYS: Final = 30
_CONNECT_SECONDS: Final = 5.0
_ALERT_SECONDS: Final = 0.5


def certificate(path: Path, owner: str) -> Finding:
    """Whose certificate it is, and for how long yet."""
    name = "certificate"
    try:
        found = x509.load_pem_x509_certificate(keyfiles.read_public(path, name))
    except ConfigError as e:
        return broken(name, e.problem)
    except ValueError:
        return broken(name, f"{path} holds no certificate in PEM")
    names = [str(part.value) for part in found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if names != [owner]:
        return broken(
            name,
            f"{path} is for {', '.join(names) or 'nobody'}, not for {owner}",
            "give this machine its own certificate (wardseal pki device)",
        )
    return _until(name, f"the certificate of {owner}", found.not_valid_after_utc.timestamp())


def keyset(path: Path, root: PublicKey) -> tuple[Finding, SignedKeyset | None]:
    """Whether the keyset is the root's, and for how long yet."""
    name = "keyset"
    try:
        found = open_keyset(keyfiles.read_public(path, name, limit=MAX_KEYSET), [root])
    except ConfigError as e:
        return broken(name, e.problem), None
    except WardsealError as e:
        return broken(name, f"{path}: {e}", "bring the site's keyset.cose here again"), None
    what = f"the keyset of epoch {found.keyset.epoch}"
    return _until(name, what, found.keyset.not_after_ms / 1000), found


def _until(name: str, what: str, end: float) -> Finding:
    days = int((end - time.time()) // _DAY)
    mend = "renew it"
    if days < 0:
        return broken(name, f"{what} ended {-days} days ago", mend)
    if days < _SOON_DAYS:
        return off(name, f"{what} ends in {days} days", mend)
    try:
        day = datetime.fromtimestamp(end).astimezone().date().isoformat()
    except (OverflowError, ValueError):
        day = "the end of the calendar"
    return ok(name, f"{what} holds until {day}")


def private_key(name: str, path: Path) -> Finding:
    """Only its owner may be able to read it."""
    try:
        keyfiles.read_secret(path, name)
    except ConfigError as e:
        return broken(name, e.problem)
    except WardsealError as e:
        says, _, mend = str(e).partition(". Mend it with: ")
        return broken(name, says, mend)
    return ok(name, f"{path} can be read by its owner only")


def folder(name: str, path: Path, *, needs_mib: int) -> Finding:
    """Whether it can be written, and how much room there is."""
    there = _nearest(path)
    if there.exists() and not there.is_dir():
        return broken(name, f"{there} is not a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        return broken(
            name, f"{there} cannot be written", f"chown it, or start as its owner: {there}"
        )
    free = shutil.disk_usage(there).free // MIB
    if free < needs_mib:
        return broken(name, f"{there} has {free} MiB left; {needs_mib} are needed", "make room")
    return ok(name, f"{path} can be written, {free:,} MiB are free")


def in_memory(machine: Machine, name: str, path: Path) -> Finding:
    """Sealed photos must be in RAM: a tmpfs, and one that is never swapped out."""
    kind, options = _mount(machine, _nearest(path))
    if kind not in {"tmpfs", "ramfs"}:
        return broken(
            name,
            f"{path} is on a disk ({kind or 'unknown'}), or would be; there, wiping does not wipe",
            "mount a tmpfs there: mount -t tmpfs -o noswap,size=512m,mode=0750 tmpfs DIR",
        )
    if kind == "tmpfs" and "noswap" not in options:
        return off(name, f"{path} is in memory, but may be swapped out", "mount it with noswap")
    return ok(name, f"{path} is in memory and stays there")


def _nearest(path: Path) -> Path:
    """The path itself, or what there is of the way to it."""
    return next((p for p in (path, *path.parents) if p.exists()), path)


def _mount(machine: Machine, path: Path) -> tuple[str, list[str]]:
    """Kind and options of the mount that holds ``path`` (proc(5), mountinfo)."""
    best, found = -1, ("", list[str]())
    real = path.resolve()
    for line in machine.text("proc/self/mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        fields, kinds = before.split(), after.split()
        if len(fields) < 6 or len(kinds) < 3:
            continue
        point = Path(re.sub(r"\\(\d{3})", lambda m: chr(int(m[1], 8)), fields[4]))
        if real.is_relative_to(point) and len(point.parts) >= best:
            best = len(point.parts)
            found = (kinds[0], f"{fields[5]},{kinds[2]}".split(","))
    return found


def broker(host: str, port: int, files: TlsFiles) -> Finding:
    """Connect as far as TLS goes, and wait a moment for a refusal of our certificate.

    No MQTT is spoken: a second client with this name would throw the running one out.
    """
    name = "broker"
    try:
        context = client_context(files)
    except ConfigError as e:
        return broken(name, str(e))
    try:
        with (
            socket.create_connection((host, port), timeout=_CONNECT_SECONDS) as tcp,
            context.wrap_socket(tcp, server_hostname=host) as tls,
        ):
            tls.settimeout(_ALERT_SECONDS)
            try:
                if not tls.recv(1):
                    return broken(name, f"{host}:{port} ends the connection at once")
            except TimeoutError:
                pass  # it waits for us to speak: we are welcome
    except OSError as e:
        return broken(name, f"port {port}: {words(e, host)}")
    return ok(name, f"{host}:{port} answers by TLS 1.3 and takes our certificate")
