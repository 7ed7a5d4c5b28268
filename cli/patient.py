"""``wardseal patient export``: what the gateway knows of one patient, as a folder."""

import getpass
import os
from argparse import Namespace
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from base.memory import Buffer, harden_process
from cli.outcome import OK
from gateway import config as configuration
from gateway.config import MIB
from gateway.console.tables import Viewing
from gateway.database import engine_for
from gateway.devices import Registry
from gateway.export import Exporter
from gateway.keyring.keys import GatewayKeys
from gateway.lightbox import Lightbox
from gateway.lookers import in_wrong_charts
from gateway.opening import Opener
from gateway.reopening import Reopener
from gateway.store import Store
from gateway.vault import Vault


def export(arguments: Namespace) -> int:
    """Write the folder and say what is in it."""
    harden_process()
    config = configuration.load(arguments.config)
    keys, registry = GatewayKeys.load(config.keys), Registry(config.paths.devices)
    vault = Vault(config.paths.sealed, Lightbox(config.paths.opened))
    opener = Opener(
        registry=registry, keys=keys.openings, keysets=keys.keysets, further=vault.further
    )
    store = Store(engine_for(config.store.url, config.paths.database))
    try:
        with Buffer(config.limits.envelope_mib * MIB) as room:
            exporter = Exporter(
                store=store,
                reopener=Reopener(registry=registry, opener=opener, vault=vault),
                room=room,
                looked=_looked,
                wrongly=_wrongly,
            )
            done = exporter.export(arguments.patient, arguments.folder, by=_who())
    finally:
        store.close()
    print(f"{arguments.folder}: {done.photos} photos, {done.opened} of them opened from here")
    if done.opened < done.photos:
        print("The others are in the record systems that export.json names.")
    return OK


def _who() -> str:
    """Who sits at the shell, as the audit calls them: also behind sudo(8)."""
    return f"shell:{os.environ.get('SUDO_USER') or getpass.getuser()}"[:100]


def _wrongly(session: Session, photo: str, patient: str) -> list[dict[str, Any]]:
    """Who saw a photo while it was in this patient's chart by mistake."""
    return [
        {"at_ms": look.at_ms, "name": look.name, "what": look.what}
        for chart in in_wrong_charts(session, photo)
        if chart.patient == patient
        for look in chart.lookers
    ]


def _looked(session: Session, photo: str) -> list[dict[str, Any]]:
    """Who looked at a photo in the console."""
    query = select(Viewing).where(Viewing.subject == photo).order_by(Viewing.at_ms)
    return [
        {"at_ms": row.at_ms, "name": row.name, "what": row.what} for row in session.scalars(query)
    ]
