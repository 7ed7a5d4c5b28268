"""Builds every part by keyword and runs one role: panel, darkroom or uplink.

This is the one place that knows which parts there are; the parts do not know each other.
"""

import argparse
import logging
import os
import sys
from dataclasses import replace
from pathlib import Path
from selectors import DefaultSelector
from typing import Final

from appliance import config as configuration
from appliance.config import ApplianceConfig
from appliance.credentials import handed_over
from base.errors import WardsealError

ROLES: Final = ("panel", "darkroom", "uplink")
VERSION: Final = "0.1.0"


def run(role: str, config_file: Path) -> int:
    """Run one role until it is told to stop; return its exit code. Raises WardsealError."""
    config = handed_over(configuration.load(config_file), os.environ)
    logging.basicConfig(
        level=logging.INFO, format=f"{role} %(levelname)s %(message)s", stream=sys.stderr
    )
    if role == "panel":
        return _run_panel(config)
    if role == "darkroom":
        # Imported here, like all of a role's parts: each role loads what it uses and no more.
        from appliance import darkroom

        return darkroom.run(config)
    from appliance.uplink import client

    return client.run(config)


def _run_panel(config: ApplianceConfig) -> int:
    from appliance.clock import boot_id
    from appliance.crypto.keys import DeviceKeys, TrustedKeyset
    from appliance.custody import Custodian, Recovered, Register, read_ledger
    from appliance.desk import Parts
    from appliance.fittings import clock_of, hands_and_face, spool_of
    from appliance.ledger import DurableLedger, LedgerUnavailable
    from appliance.panel import Panel
    from appliance.post import Post
    from appliance.wording import consent_wording
    from base.memory import harden_process
    from wire import events

    harden_process()
    clock = clock_of(config)
    boot = boot_id(config.paths.boot_id)
    keys = DeviceKeys.load(
        signing=config.keys.signing, public=config.keys.public, root=config.keys.root
    )
    keyset = TrustedKeyset.load(
        state=config.paths.state, enrolled=config.keys.keyset, root=keys.root
    )
    ledger = DurableLedger(
        config.paths.ledger,
        mark=config.paths.tidemark,
        device=config.device.id,
        signer=keys.signer,
        clock=clock,
        boot=boot,
    )
    register = Register()
    spool = spool_of(config)
    custodian = Custodian(
        register=register,
        ledger=ledger,
        spool=spool,
        keyset=keyset,
        ciphers=frozenset({config.camera.content_alg}),
    )
    recovered, trouble = Recovered((), (), ()), ""
    try:
        ledger.open(VERSION)
        history = read_ledger(register, ledger.entries)
        recovered = custodian.recover(boot)
        recovered = replace(recovered, lost=history.lost + recovered.lost)
        if history.window is not None:
            ledger.append(events.Window(history.window.digest, "restart", history.taken))
        if history.keyset != keyset.current.hash:
            current = keyset.current
            ledger.append(events.KeysetInUse(current.keyset.epoch, current.hash))
    except LedgerUnavailable as e:
        # The panel still has to run: to say so on the screen, and to go on when it is mended.
        trouble = str(e)
    selector = DefaultSelector()
    hands, face = hands_and_face(config, selector, clock)
    parts = Parts(
        config=config,
        clock=clock,
        ledger=ledger,
        spool=spool,
        post=Post(config.paths.mailbox, config.device.id),
        custodian=custodian,
        keyset=keyset,
        hands=hands,
        face=face,
        wording=consent_wording(config.device.language),
    )
    return Panel(parts, selector, recovered, trouble).run()


def main(argv: list[str] | None = None) -> int:
    """``python -m appliance --role ROLE --config FILE``: what the units call."""
    parser = argparse.ArgumentParser(prog="python -m appliance", description=__doc__)
    parser.add_argument("--role", choices=ROLES, required=True)
    parser.add_argument("--config", type=Path, required=True)
    options = parser.parse_args(argv)
    try:
        return run(options.role, options.config)
    except WardsealError as e:
        sys.stderr.write(f"wardseal {options.role}: {e}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
