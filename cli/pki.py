"""Making a site's keys, and a device's: what is made, where it lies, who may see it.

Three rooms: ``offline/`` goes into a safe, ``gateway/`` and ``broker/`` each onto one machine.
A folder is filled beside its final place and renamed there, so an interrupted run leaves
nothing half made, and nothing that exists is ever overwritten. docs/howto/keys.md tells what
each file is for and what its loss would mean.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from base import keyfiles
from base.durable import fsync_dir, write_all
from base.errors import FormatError
from cli.outcome import UsageError
from cli.pki_x509 import Identity, issue, make_ca
from gateway import config as gateway_config
from gateway.devices import Device, register
from wire import keyset, pem
from wire.hpke import RecipientPrivate, SuiteName
from wire.topics import check_name

GATEWAY_USER: Final = gateway_config.BrokerSettings.user
LOCAL: Final = ("localhost", "127.0.0.1", "::1")
KEYSET_DAYS: Final = 730
_HOST: Final = re.compile(r"[A-Za-z0-9:]([A-Za-z0-9.:-]{0,251}[A-Za-z0-9:])?")


@dataclass(frozen=True)
class Site:
    """The folder that ``init`` makes; ``offline`` may since have been moved to another place."""

    folder: Path
    moved: Path | None = None

    @property
    def offline(self) -> Path:
        return self.moved or self.folder / "offline"

    @property
    def gateway(self) -> Path:
        return self.folder / "gateway"

    @property
    def broker(self) -> Path:
        return self.folder / "broker"

    @property
    def registry(self) -> Path:
        return self.gateway / "devices"

    def device(self, device: str) -> Path:
        """Return the folder of one device's bundle."""
        return self.folder / "devices" / device


def init(
    folder: Path,
    *,
    site: str,
    suite: SuiteName = SuiteName.HYBRID,
    hosts: Sequence[str] = (),
    now: datetime | None = None,
) -> Site:
    """Make a site's keys in ``folder``, which must not exist yet; ``hosts`` name the broker."""
    check_name(site, "site name")
    _check_hosts(hosts)
    now = now or datetime.now(UTC)
    root_key, receipt_key = pem.generate_ed25519(), pem.generate_ed25519()
    root, receipt = pem.signer(root_key), pem.signer(receipt_key)
    opening, recovery = RecipientPrivate.generate(suite), RecipientPrivate.generate(suite)
    ca = make_ca(f"Wardseal {site}", now=now)
    host, *others = dict.fromkeys((*hosts, *LOCAL))
    broker = issue(ca, host, kind="server", days=730, san=others, now=now)
    gateway = issue(ca, GATEWAY_USER, kind="hospital", days=730, now=now)
    end_ms = int((now + timedelta(days=KEYSET_DAYS)).timestamp() * 1000)
    keys = keyset.Keyset(1, end_ms, (opening.public, recovery.public), (receipt.public,), ())
    public = {
        "ca.crt": ca.certificate_pem,
        "root.pub": pem.encode_public(root.public),
        "receipt.pub": pem.encode_public(receipt.public),
        "keyset.cose": keyset.issue(keys, root).raw,
    }
    with _new_folder(folder) as fresh:
        made = Site(fresh)
        _secret(made.offline / "root.key", root_key)
        _secret(made.offline / "recovery.key", recovery.encode())
        _secret(made.offline / "ca.key", ca.key_pem)
        _secret(made.gateway / "opening.key", opening.encode())
        _secret(made.gateway / "receipt.key", receipt_key)
        _identity(made.gateway, gateway)
        _identity(made.broker, broker)
        for name, data in public.items():
            _public(made.folder / name, data)
            _public(made.gateway / name, data)
        _public(made.offline / "ca.crt", public["ca.crt"])
        _public(made.broker / "ca.crt", public["ca.crt"])
        _public(made.gateway / "gateway.toml", _gateway_toml(host))
        for empty in (made.registry, made.folder / "devices"):
            empty.mkdir(mode=0o700)
    return Site(folder)


def device(
    site: Site,
    name: str,
    *,
    bed: str = "",
    now: datetime | None = None,
) -> Path:
    """Make one device's bundle, enter the device in the registry, and return the bundle's folder.

    A name that was ever used is refused: what one device signed must never be taken for the
    work of another.
    """
    check_name(name)
    if not bed.isprintable() or len(bed.encode()) > 200 or set(bed) & set('"\\'):
        raise UsageError("a bed's name has up to 200 printable characters, without \" and \\")
    entry = site.registry / f"{name}.toml"
    if os.path.lexists(entry):
        raise UsageError(
            f"the device {name} is registered already ({entry}); names are never used again"
        )
    ca = _load_ca(site)
    host = gateway_config.load(site.gateway / "gateway.toml").broker.host
    signing = pem.generate_ed25519()
    public = pem.signer(signing).public
    bundle = site.device(name)
    with _new_folder(bundle) as fresh:
        _secret(fresh / "device.key", signing)
        _public(fresh / "device.pub", pem.encode_public(public))
        _identity(fresh, issue(ca, name, kind="device", days=730, now=now))
        for shared in ("ca.crt", "root.pub", "keyset.cose"):
            _public(fresh / shared, _read(site.folder / shared))
        _public(fresh / "appliance.toml", _appliance_toml(name, bed, host))
        # Before the bundle appears: a crash in between costs a name, the other order a device
        # that takes photos and is known to nobody.
        register(site.registry, Device(name, public, "active", bed))
    return bundle


def keyset_end(site: Site) -> str:
    """Return the day on which the site's keyset ends."""
    root = pem.public_key(_read(site.folder / "root.pub"))
    found = keyset.open_keyset(_read(site.folder / "keyset.cose"), [root])
    return datetime.fromtimestamp(found.keyset.not_after_ms / 1000, UTC).date().isoformat()


def _load_ca(site: Site) -> Identity:
    key_file = site.offline / "ca.key"
    if not key_file.exists():
        raise UsageError(
            f"{key_file} is not there: it belongs to the keys in the safe. Bring them here and"
            " name their folder with --offline"
        )
    secret = keyfiles.read_secret(key_file, "--offline")
    try:
        key = load_pem_private_key(secret, None)
        certificate = x509.load_pem_x509_certificate(_read(site.folder / "ca.crt"))
    except (TypeError, ValueError) as e:  # TypeError: locked with a pass-phrase
        raise FormatError(
            f"{key_file} and ca.crt are not an authority's key and certificate"
        ) from e
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise FormatError(f"{key_file} is not the key of this site's authority")
    if key.public_key() != certificate.public_key():
        raise FormatError(f"{key_file} belongs to another site's authority")
    return Identity(certificate, key)


def _check_hosts(hosts: Sequence[str]) -> None:
    for host in hosts:
        if not _HOST.fullmatch(host) or ".." in host:
            raise UsageError(f"{host[:60]!r} is neither a host name nor an IP address")


def _read(path: Path) -> bytes:
    return keyfiles.read_public(path, "the site's folder")


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """Give an empty folder that becomes ``folder`` at the end, or vanishes on an error."""
    if os.path.lexists(folder):
        raise UsageError(f"{folder} exists already, and keys are never overwritten")
    if not folder.parent.is_dir():
        raise UsageError(f"{folder.parent} is not a folder")
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        yield fresh
        for inner in (*fresh.rglob("*/"), fresh):
            fsync_dir(inner)
        os.rename(fresh, folder)
        fsync_dir(folder.parent)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _identity(folder: Path, identity: Identity) -> None:
    _public(folder / "tls.crt", identity.certificate_pem)
    _secret(folder / "tls.key", identity.key_pem)


def _gateway_toml(host: str) -> bytes:
    return f"""\
# The gateway's settings. Paths are taken from this file's folder; an unknown setting is an error.

[broker]
host = "{host}"
""".encode()


def _appliance_toml(name: str, bed: str, host: str) -> bytes:
    return f"""\
# The settings of one ward device. Paths are taken from this file's folder; an unknown setting is
# an error.

[device]
id = "{name}"
bed = "{bed}"

[broker]
host = "{host}"
""".encode()


def _secret(path: Path, data: bytes) -> None:
    _create(path, data, 0o600)


def _public(path: Path, data: bytes) -> None:
    _create(path, data, 0o644)


def _create(path: Path, data: bytes, mode: int) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    try:
        write_all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
