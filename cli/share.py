"""``wardseal share``: one photo for one named person outside, as a file and a pass-phrase."""

import os
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from base.durable import write_all
from base.memory import Buffer, harden_process
from cli import share_teaching
from cli.outcome import OK, UsageError
from gateway import config as configuration
from gateway.config import MIB
from gateway.database import engine_for
from gateway.devices import Registry
from gateway.filing.record import Assignment, Record
from gateway.filing.sinks import style_of
from gateway.keyring.keys import GatewayKeys
from gateway.lightbox import Lightbox
from gateway.opening import Opener
from gateway.reopening import Reopener
from gateway.sharing.desk import Sharing
from gateway.sharing.shares import Form
from gateway.sharing.teaching import Teaching
from gateway.store import Store
from gateway.tables import Photo
from gateway.vault import Vault


def share(arguments: Namespace) -> int:
    """Write the file and say the pass-phrase, once."""
    harden_process()
    if arguments.teaching != (arguments.form in ("jpg", "dcm")):
        raise UsageError("pdf and html are for a named colleague, jpg and dcm go with --teaching")
    if not arguments.teaching and (arguments.look or arguments.looked_at):
        raise UsageError("--look and --looked-at go with --teaching")
    if arguments.teaching and bool(arguments.look) == bool(arguments.looked_at):
        raise UsageError("a teaching copy is looked at first: --look, and then --looked-at SHA256")
    if arguments.output.exists():
        raise UsageError(f"{arguments.output} exists already; give a new name")
    with _desk(arguments) as (desk, teaching):
        if arguments.look:
            _write(arguments.output, share_teaching.look(teaching, arguments))
            return OK
        if arguments.teaching:
            _write(arguments.output, share_teaching.give(teaching, arguments).file)
            print(f"For {arguments.to}: {arguments.output}", file=sys.stderr)
            return OK
        shared = desk.share(
            arguments.photo,
            to=arguments.to,
            reason=arguments.reason,
            by=arguments.by,
            form=Form(arguments.form),
        )
    _write(arguments.output, shared.file)
    print(f"For {arguments.to}: {arguments.output}", file=sys.stderr)
    print("Tell them these words by another way than the file. They are shown once:\n")
    print(f"    {shared.phrase}\n")
    return OK


def _write(path: Path, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    try:
        write_all(descriptor, data)
    finally:
        os.close(descriptor)


@contextmanager
def _desk(arguments: Namespace) -> Iterator[tuple[Sharing, Teaching]]:
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

            def opened(row: Photo, whose: Assignment) -> AbstractContextManager[Record]:
                return reopener.reopen(row, whose, room)

            desk = Sharing(
                store=store,
                opened=opened,
                style=style_of(config.report),
                clock=lambda: time.time_ns() // 1_000_000,
            )
            pixels = config.limits.megapixels * 1_000_000
            yield desk, Teaching(store=store, opened=opened, sharing=desk, pixels=pixels)
    finally:
        store.close()
