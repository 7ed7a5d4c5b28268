"""The doctor on a ward device: what its settings name, and the hardware they ask for.

Each role is asked only for what it uses. What it must *not* be able to reach is asked as well:
the uplink and the darkroom have no business with the signing key.
"""

import os

from appliance.config import ApplianceConfig
from appliance.crypto.keys import DeviceKeys, load_public
from base.errors import ConfigError, EnvironmentProblem, WardsealError
from base.tls import TlsFiles
from cli import check_parts as parts
from cli.check_machine import bus, camera, gpio
from cli.findings import DARKROOM, PANEL, UPLINK, Finding, Machine, broken, needed, off, ok
from cli.ledger_file import read_ledger
from wire.ledger import verify_chain


def look(machine: Machine, role: str | None, config: ApplianceConfig) -> list[Finding]:
    """Everything that concerns ``role`` (None: all three)."""
    found = [*_hardware(machine, role, config)]
    found.append(parts.in_memory(machine, "run folder", config.paths.run))
    if role in {PANEL, None}:
        found.append(parts.folder("state folder", config.paths.state, needs_mib=64))
        found.append(_signing_key(config))
        found += _ledgers(config)
    elif os.access(config.keys.signing, os.R_OK) and machine.uid != 0:
        found.append(
            off(
                "signing key",
                f"the {role} can read {config.keys.signing}, which is the panel's alone",
                "run each role as a user of its own",
            )
        )
    if role in {PANEL, DARKROOM, None}:
        found.append(_keyset(config))
    if role in {UPLINK, None}:
        broker = config.broker
        found.append(parts.private_key("TLS key", broker.key))
        found.append(parts.certificate(broker.certificate, config.device.id))
        files = TlsFiles(ca=broker.ca, certificate=broker.certificate, key=broker.key)
        found.append(parts.broker(broker.host, broker.port, files))
    return found


def _hardware(machine: Machine, role: str | None, config: ApplianceConfig) -> list[Finding]:
    found = []
    if role in {PANEL, None}:
        hardware = config.hardware
        if hardware.adapter == "simulated":
            found.append(_simulated("buttons, screen", config))
        else:
            found.append(needed(gpio(machine)))
            found.append(needed(bus(machine, hardware.oled_bus, hardware.oled_port)))
    if role in {DARKROOM, None}:
        simulated = config.camera.adapter == "simulated"
        found.append(_simulated("camera", config) if simulated else needed(camera(machine)))
    return found


def _simulated(name: str, config: ApplianceConfig) -> Finding:
    if config.paths.production.exists():
        return broken(
            name,
            "simulated, on a machine that takes photos of patients",
            f"set the adapter in the settings; {config.paths.production} forbids simulation",
        )
    return ok(name, "simulated")


def _signing_key(config: ApplianceConfig) -> Finding:
    keys = config.keys
    try:
        DeviceKeys.load(signing=keys.signing, public=keys.public, root=keys.root)
    except EnvironmentProblem as e:
        says, _, mend = str(e).partition(". Mend it with: ")
        return broken("signing key", says, mend)
    except WardsealError as e:
        return broken("signing key", str(e), "bring the device's bundle here again")
    return ok("signing key", f"{keys.signing} can be read by its owner only, and fits device.pub")


def _keyset(config: ApplianceConfig) -> Finding:
    try:
        root = load_public(config.keys.root, "keys.root")
    except ConfigError as e:
        return broken("keyset", str(e))
    kept = config.paths.state / "keyset.cose"
    return parts.keyset(kept if kept.exists() else config.keys.keyset, root)[0]


def _ledgers(config: ApplianceConfig) -> list[Finding]:
    try:
        key = load_public(config.keys.public, "keys.public")
    except ConfigError:
        return []  # the signing key's line has said so
    found = []
    for path in sorted(config.paths.ledger.glob("*.wsl")):
        name = f"ledger {path.stem[:8]}"
        try:
            file = read_ledger(path)
        except WardsealError as e:
            found.append(broken(name, str(e)))
            continue
        report = verify_chain(file.raws, [key])
        more = f"wardseal ledger verify {path} --key {config.keys.public}"
        if report.problems or (file.tail and not file.torn):
            found.append(broken(name, "does not hold", f"keep it as evidence, and see: {more}"))
        elif file.tail:
            found.append(off(name, "ends in a torn entry", "the panel cuts it off when it starts"))
        else:
            found.append(ok(name, f"holds, {len(file.raws)} entries"))
    return found or [ok("ledger", f"none yet in {config.paths.ledger}")]
