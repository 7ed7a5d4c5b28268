"""The doctor at the gateway: keys that belong together, a registry that can be read, room."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from base import keyfiles
from base.errors import ConfigError, FormatError, WardsealError
from base.tls import TlsFiles
from cli import check_parts as parts
from cli import check_webhooks
from cli.findings import Finding, broken, off, ok
from gateway.audit.syslog import Syslog
from gateway.beds import Beds
from gateway.config import GatewayConfig
from gateway.database import engine_for
from gateway.devices import Registry
from gateway.filing.base import Sink
from gateway.filing.dicom import Dicom
from gateway.filing.fhir import Fhir
from gateway.filing.hl7 import Hl7
from gateway.filing.storage import Storage
from gateway.identity.csv_feed import parse as read_list
from gateway.identity.settings import IdentitySettings
from gateway.keyring.keys import GatewayKeys, handed_over, read_epochs, secrets
from gateway.keyring.retiring import exists_in_clear
from gateway.migrations import revision_of
from gateway.report.making import Style
from wire import pem


def look(config: GatewayConfig, environ: Mapping[str, str]) -> list[Finding]:
    """Everything that the gateway's settings name; ``environ`` says what systemd hands over."""
    broker = config.broker
    key = handed_over(broker.key, environ)
    files = TlsFiles(ca=broker.ca, certificate=broker.certificate, key=key)
    return [
        *_private_keys(config, environ),
        *_keys(config, environ),
        _registry(config),
        *_store(config),
        *_identity(config),
        parts.folder("state folder", config.paths.state, needs_mib=config.limits.incoming_mib),
        parts.folder("record folder", config.filing.folder, needs_mib=64),
        *_record_systems(config),
        *check_webhooks.look(config),
        *_audit(config),
        parts.certificate(broker.certificate, broker.user),
        parts.broker(broker.host, broker.port, files),
    ]


def _record_systems(config: GatewayConfig) -> list[Finding]:
    """Each record system by its name: can it be set up as the settings say, and is it there."""
    makers: list[tuple[str, Callable[[], Sink]]] = [
        *((one.name, partial(Fhir, one, Style(), _never)) for one in config.fhir),
        *((one.name, partial(Dicom, one, Style())) for one in config.dicom),
        *((one.name, partial(Hl7, one, Style(), _never)) for one in config.hl7),
        *((one.name, partial(Storage, one, Path)) for one in config.storage),
    ]
    return [_set_up(name, make) for name, make in makers]


def _set_up(name: str, make: Callable[[], Sink]) -> Finding:
    try:
        sink = make()
    except WardsealError as e:
        return broken(name, str(e))
    try:
        sink.probe()
    except WardsealError as e:
        return broken(name, str(e), "photos wait for it, and are filed when it answers")
    finally:
        sink.close()
    return ok(name, "answers")


def _audit(config: GatewayConfig) -> list[Finding]:
    """The syslog server, where one is told of the audit."""
    if not config.audit.syslog:
        return []
    try:
        Syslog(config.audit, source=f"wardseal {config.name}").probe()
    except WardsealError as e:
        return [broken("audit", str(e), "audit records wait until it answers")]
    confirms = config.audit.kind == "tls"
    says = "answers" if confirms else "is reached; it confirms nothing, as only TLS does"
    return [ok("audit", f"{config.audit.syslog} {says}")]


def _never() -> int:
    return 0


def _private_keys(config: GatewayConfig, environ: Mapping[str, str]) -> list[Finding]:
    """Each private key, and whether whoever holds the disk holds the keys."""
    kinds = (
        ("opening key", config.keys.opening),
        ("receipt key", config.keys.receipt),
    )
    found = []
    for name, base in kinds:
        files = [secret.path for secret in secrets(base, environ)] or [base]
        found += [parts.private_key(name, path) for path in files]
    found.append(parts.private_key("TLS key", handed_over(config.broker.key, environ)))
    clear = exists_in_clear(config.keys, (config.broker.key,))
    if clear:
        names = ", ".join(path.name for path in clear)
        says = f"{names} lie in the clear on the disk: who takes the disk has them"
        mend = "wardseal keys encrypt, and the gateway's unit: docs/howto/keys.md"
        return [*found, off("keys at rest", says, mend)]
    return [*found, ok("keys at rest", "handed over by systemd; none lies in the clear here")]


def _keys(config: GatewayConfig, environ: Mapping[str, str]) -> list[Finding]:
    """The keysets, and whether our private keys are among those that devices are told of."""
    settings = config.keys
    try:
        root = pem.public_key(keyfiles.read_public(settings.root, "keys.root"))
    except WardsealError as e:
        return [broken("keyset", str(e))]
    try:
        newest = read_epochs(settings.keyset, root)[-1].path
    except WardsealError as e:
        return [broken("keyset", str(e), "bring the site's keysets here again")]
    found, _ = parts.keyset(newest, root)
    try:
        keys = GatewayKeys.load(settings, environ)
    except WardsealError as e:
        return [found, broken("keys", str(e), "use the keys and the keysets of the same site")]
    several = len(keys.kept) > 1
    older = (
        f"; {len(keys.kept) - 1} older epochs are kept (wardseal keys status)" if several else ""
    )
    says = f"devices seal to our opening key and believe our receipt key{older}"
    return [found, ok("keys", says)]


def _registry(config: GatewayConfig) -> Finding:
    try:
        count = Registry(config.paths.devices).check()
    except ConfigError as e:
        return broken("devices", str(e))
    return ok("devices", f"{count} registered in {config.paths.devices}")


def _store(config: GatewayConfig) -> list[Finding]:
    """PostgreSQL has to answer; SQLite is a file in the state folder."""
    if not config.store.url:
        return [ok("database", f"SQLite, in {config.paths.database}")]
    engine = engine_for(config.store.url, config.paths.database)
    try:
        with engine.connect() as connection:
            tables = revision_of(connection) or "none yet: made at the first start"
        return [ok("database", f"PostgreSQL answers; tables: {tables}")]
    except SQLAlchemyError as e:
        says = str(getattr(e, "orig", None) or type(e).__name__).partition("\n")[0]
        return [broken("database", f"store.url: {says}", "start it, or mend store.url")]
    finally:
        engine.dispose()


def _identity(config: GatewayConfig) -> list[Finding]:
    """Where devices hang, and who says whose photo it is."""
    identity = config.identity
    try:
        beds = Beds(config.paths.beds).check()
    except ConfigError as e:
        return [broken("beds", str(e))]
    if not isinstance(identity, IdentitySettings):
        return [ok("identity", '"none": photos are filed without a patient, and say so')]
    found = [ok("beds", f"{beds} devices hang at a bed, says {config.paths.beds}")]
    if not beds:
        says = f"{config.paths.beds} names no device: every photo would be HELD"
        found = [broken("beds", says, "one line for each device: docs/howto/identity.md")]
    if not (identity.csv or identity.adt or identity.fhir):
        says = "no source of patients: every photo would be HELD"
        found.append(broken("identity", says, "configure identity.adt, identity.fhir or csv"))
    if identity.csv is not None:
        try:
            stays = read_list(identity.csv.read_bytes())
            found.append(ok("patients", f"{len(stays)} stays in {identity.csv}"))
        except (OSError, FormatError) as e:
            found.append(broken("patients", f"identity.csv: {identity.csv}: {e}"))
    if identity.bed_alone == "file":
        says = f"photos without a band are filed by the bed; {identity.risk_owner} answers"
        found.append(off("bed alone", says, 'bed_alone = "hold" waits for a person'))
    return found
