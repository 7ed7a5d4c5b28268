"""``wardseal share``: one photo for one named person outside, as a file and a pass-phrase."""

import os
import sys
import time
from argparse import Namespace

from base.durable import write_all
from base.memory import Buffer, harden_process
from cli.outcome import OK, UsageError
from gateway import config as configuration
from gateway.config import MIB
from gateway.database import engine_for
from gateway.devices import Registry
from gateway.filing.sinks import style_of
from gateway.keys import GatewayKeys
from gateway.lightbox import Lightbox
from gateway.opening import Opener
from gateway.reopening import Reopener
from gateway.sharing.desk import Shared, Sharing
from gateway.sharing.shares import Form
from gateway.store import Store
from gateway.vault import Vault


def share(arguments: Namespace) -> int:
    """Write the file and say the pass-phrase, once."""
    harden_process()
    if arguments.output.exists():
        raise UsageError(f"{arguments.output} exists already; give a new name")
    shared = _shared(arguments)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    descriptor = os.open(arguments.output, flags, 0o600)
    try:
        write_all(descriptor, shared.file)
    finally:
        os.close(descriptor)
    print(f"For {arguments.to}: {arguments.output}", file=sys.stderr)
    print("Tell them these words by another way than the file. They are shown once:\n")
    print(f"    {shared.phrase}\n")
    return OK


def _shared(arguments: Namespace) -> Shared:
    config = configuration.load(arguments.config)
    keys, registry = GatewayKeys.load(config.keys), Registry(config.paths.devices)
    vault = Vault(config.paths.sealed, Lightbox(config.paths.opened))
    opener = Opener(
        registry=registry, keys=keys.openings, keysets=keys.keysets, further=vault.further
    )
    store = Store(engine_for(config.store.url, config.paths.database))
    try:
        with Buffer(config.limits.envelope_mib * MIB) as room:
            reopener = Reopener(registry=registry, opener=opener, vault=vault)
            desk = Sharing(
                store=store,
                opened=lambda row, whose: reopener.reopen(row, whose, room),
                style=style_of(config.report),
                clock=lambda: time.time_ns() // 1_000_000,
            )
            return desk.share(
                arguments.photo,
                to=arguments.to,
                reason=arguments.reason,
                by=arguments.by,
                form=Form(arguments.form),
            )
    finally:
        store.close()
