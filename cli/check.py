"""``wardseal check``: the doctor. He looks and says; he never changes anything."""

import json
from argparse import Namespace
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from base.errors import ConfigError
from cli import check_machine
from cli.findings import DEVICE, GATEWAY, Finding, Machine, State, broken, ok
from cli.outcome import OK, WRONG
from cli.terminal import plain, read_file

_LARGEST_SETTINGS = 1 << 20


def check(arguments: Namespace) -> int:
    """``check``; the exit code is 1 when something is BROKEN, whatever is off."""
    findings = examine(Machine(), arguments.role, arguments.config)
    healthy = all(finding.state is not State.BROKEN for finding in findings)
    if arguments.json:
        lines = [asdict(finding) for finding in findings]
        print(json.dumps({"role": arguments.role, "ok": healthy, "findings": lines}))
    else:
        _tell(findings)
    return OK if healthy else WRONG


def examine(machine: Machine, role: str | None, config: Path | None) -> list[Finding]:
    """Return every finding, the machine's first."""
    found = check_machine.look(machine, role, hardware=config is None)
    return found if config is None else found + _settings(machine, role, config)


def _settings(machine: Machine, role: str | None, path: Path) -> list[Finding]:
    """What a settings file names; which side's file it is, the role says, or else the file."""
    name = "settings"
    text = read_file(path, limit=_LARGEST_SETTINGS, what="a settings file")
    ours = role in DEVICE or (role is None and b"[device]" in text)
    try:
        if ours:
            from appliance.config import load as load_device
            from cli import check_device

            device = load_device(path)
            return [ok(name, f"{path} is understood"), *check_device.look(machine, role, device)]
        from cli import check_gateway
        from gateway.config import load as load_gateway

        return [ok(name, f"{path} is understood"), *check_gateway.look(load_gateway(path))]
    except ConfigError as e:
        side = "the device's" if ours else f"the {GATEWAY}'s"
        return [broken(name, str(e), f"mend {side} settings; docs/howto/ tells each of them")]


def _tell(findings: Sequence[Finding]) -> None:
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        print(f"{finding.state:6}  {finding.name:{width}}  {plain(finding.says)}")
        if finding.mend:
            print(f"{'':6}  {'':{width}}    mend: {plain(finding.mend)}")
    count = Counter(finding.state for finding in findings)
    print(", ".join(f"{count[state]} {state}" for state in State))
