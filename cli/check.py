"""``wardseal check``: the doctor. He looks and says; he never changes anything."""

import json
from argparse import Namespace
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from base.errors import ConfigError
from cli import check_machine
from cli.findings import GATEWAY, PANEL, Finding, Machine, State, broken, ok
from cli.outcome import OK, WRONG, UsageError
from cli.terminal import plain, read_file

_LARGEST_SETTINGS = 1 << 20


def check(arguments: Namespace) -> int:
    """``check``; the exit code is 1 when something is BROKEN, whatever is off."""
    if arguments.wiring:
        findings = _wiring(arguments)
    else:
        findings = examine(Machine(), arguments.role, arguments.config)
    healthy = all(finding.state is not State.BROKEN for finding in findings)
    if arguments.json:
        lines = [asdict(finding) for finding in findings]
        print(json.dumps({"role": arguments.role, "ok": healthy, "findings": lines}))
    else:
        _tell(findings)
    return OK if healthy else WRONG


def _wiring(arguments: Namespace) -> list[Finding]:
    if arguments.config is None or arguments.role not in {None, PANEL} or arguments.json:
        raise UsageError(
            "--wiring goes with --config FILE, the device's settings; with no other role than the"
            " panel's, and without --json: it asks and waits for answers"
        )
    from appliance.config import load
    from cli.check_wiring import walk

    return walk(load(arguments.config))


def examine(machine: Machine, role: str | None, config: Path | None) -> list[Finding]:
    """Return every finding, the machine's first. Whose settings they are, role or file say."""
    if config is None:
        return check_machine.look(machine, role, hardware=True)
    text = read_file(config, limit=_LARGEST_SETTINGS, what="a settings file")
    if role is None and b"[device]" not in text:
        role = GATEWAY
    return [*check_machine.look(machine, role, hardware=False), *_settings(machine, role, config)]


def _settings(machine: Machine, role: str | None, path: Path) -> list[Finding]:
    """What a settings file names."""
    understood = ok("settings", f"{path} is understood")
    try:
        if role == GATEWAY:
            from cli import check_gateway
            from gateway.config import load as load_gateway

            return [understood, *check_gateway.look(load_gateway(path), machine.environ)]
        from appliance.config import load as load_device
        from cli import check_device

        return [understood, *check_device.look(machine, role, load_device(path))]
    except ConfigError as e:
        return [broken("settings", str(e), "mend it; a device and the gateway have different ones")]


def _tell(findings: Sequence[Finding]) -> None:
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        print(f"{finding.state:6}  {finding.name:{width}}  {plain(finding.says)}")
        if finding.mend:
            print(f"{'':6}  {'':{width}}    mend: {plain(finding.mend)}")
    count = Counter(finding.state for finding in findings)
    print(", ".join(f"{count[state]} {state}" for state in State))
