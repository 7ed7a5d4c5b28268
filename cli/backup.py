"""``wardseal gateway backup`` and ``restore``."""

import time
from argparse import Namespace
from functools import partial

from cli.outcome import OK
from gateway import backup as backups
from gateway import config as configuration
from gateway import database, migrations


def backup(arguments: Namespace) -> int:
    """Write the backup and say what is in it, and what is not."""
    config = configuration.load(arguments.config)
    engine = database.engine_for(config.store.url, config.paths.database)
    try:
        made = backups.backup(
            engine, config.paths.sealed, arguments.file, now_ms=time.time_ns() // 1_000_000
        )
    finally:
        engine.dispose()
    print(f"{arguments.file}: {made.photos} photos in the database, {made.sealed} sealed copies")
    print("It names patients: keep it where such things are kept. Keys are not in it; nor is what")
    print("record systems hold.")
    return OK


def restore(arguments: Namespace) -> int:
    """Put a backup into an empty place and say what came back."""
    config = configuration.load(arguments.config)
    config.paths.sealed.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = partial(database.engine_for, config.store.url, config.paths.database)
    found = backups.restore(arguments.file, engine, config.paths.sealed, to=migrations.upgrade)
    print(f"restored: {found.photos} photos in the database, {found.sealed} sealed copies")
    print("Devices send what they still have; their ledgers bring what was not in the backup.")
    return OK
