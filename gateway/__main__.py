"""Builds every part by keyword and runs the gateway.

This is the one place that knows which parts there are. ``python -m gateway --config FILE`` is
what the unit calls; it wants the allocator settings of ``base.memory`` in its environment, so
that opened photos leave nothing behind in freed memory.
"""

import argparse
import logging
import os
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from selectors import DefaultSelector
from typing import Final, Protocol

from base.errors import WardsealError
from base.memory import Buffer, assert_allocator, harden_process
from base.mqtt import Link, LinkSettings
from base.tls import TlsFiles
from gateway import config as configuration
from gateway import database, logs
from gateway.audit.syslog import Syslog
from gateway.audit.teller import Receiver, Teller
from gateway.audit.trail import Trail
from gateway.beds import Beds
from gateway.bell import Bell
from gateway.cases import Mover
from gateway.config import MIB, GatewayConfig
from gateway.custody import Custodian
from gateway.decoding import Decoders
from gateway.desk import Desk
from gateway.devices import Registry
from gateway.filing.cabinet import Cabinet
from gateway.filing.errands import Errands, Reviewer
from gateway.filing.follower import Follower
from gateway.filing.sinks import Sinks
from gateway.housekeeping import EVERY_SECONDS, Housekeeping
from gateway.identity.mllp import AdtLine
from gateway.identity.opened import open_identity
from gateway.inbox import Inbox, subscriptions
from gateway.keyring.announcing import Announcer
from gateway.keyring.keys import GatewayKeys, handed_over
from gateway.ledgers import Ledgers
from gateway.lightbox import Lightbox
from gateway.missing_pictures import MissingPictures
from gateway.opening import Opener
from gateway.owed import Owed
from gateway.presence import Presences
from gateway.receipts import Receipts
from gateway.reception import Reception
from gateway.registrar import Registrar
from gateway.reopening import Reopener
from gateway.service import Service, keeper, sender
from gateway.sites import SiteFiler
from gateway.store import Store
from gateway.transfers import Transfers
from gateway.vault import Vault
from gateway.webhooks.outbox import Outbox
from gateway.webhooks.postman import Postman
from gateway.withdrawal import Withdrawals
from gateway.workers import Mailbox, Worker
from gateway.worklist_desk import Worklist

_MOST_JOBS: Final = 256
_SWITCH_SECONDS: Final = 0.0005


@dataclass(frozen=True)
class House:
    """What the loop needs to know of the gateway's parts."""

    heard: Callable[[str, bytes], None]
    now_and_then: Callable[[], None]
    worklist: Worklist
    line: AdtLine | None


def run(config_file: Path) -> int:
    """Run the gateway until SIGTERM; return its exit code. Raises WardsealError."""
    config = configuration.load(config_file)
    logs.begin("gateway")
    assert_allocator(os.environ)
    harden_process()
    os.umask(0o027)  # the record is for others of its group; all else has modes of its own
    # Three threads hand each photo on; with the usual 5 ms each hand-over could take as long.
    sys.setswitchinterval(_SWITCH_SECONDS)
    link, mailbox = _link(config), Mailbox()
    with ExitStack() as stack:
        selector = stack.enter_context(DefaultSelector())
        stack.callback(link.stop)
        house = build(config, stack, send=sender(link), keep=keeper(link), mailbox=mailbox)
        logging.getLogger(__name__).info("ready: %s", config.name)
        service = Service(
            selector=selector,
            link=link,
            mailbox=mailbox,
            heard=house.heard,
            now_and_then=house.now_and_then,
            every_seconds=EVERY_SECONDS,
        )
        service.run()
    return 0


def build(
    config: GatewayConfig,
    stack: ExitStack,
    *,
    send: Callable[[str, bytes], None],
    keep: Callable[[str, bytes], bool],
    mailbox: Mailbox,
) -> House:
    """Put the gateway together; ``stack`` takes it apart again, in the right order."""
    keys = GatewayKeys.load(config.keys)
    paths, limits = config.paths, config.limits
    for folder in (paths.state, paths.incoming, paths.sealed):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    paths.opened.mkdir(mode=0o750, exist_ok=True)
    registry = Registry(paths.devices)
    registry.check()
    beds = Beds(paths.beds)
    beds.check()
    store = Store(database.engine_for(config.store.url, paths.database))
    stack.callback(store.close)
    announcer = Announcer(
        name=config.name,
        store=store,
        registry=registry,
        keysets=keys.keysets,
        publish=keep,
        mailbox=mailbox,
        clock=_now_ms,
    )
    announcer.check()
    decoders = Decoders(
        room=limits.envelope_mib * MIB,
        pixels=limits.megapixels * 1_000_000,
        seconds=limits.decode_seconds,
    )
    stack.callback(decoders.close)
    decoders.check()
    known = open_identity(config.identity, stack, beds=beds, store=store, clock=_now_ms)
    lightbox = Lightbox(paths.opened)
    vault = Vault(paths.sealed, lightbox)
    sinks = Sinks.open(config, stack, clock=_now_ms, sealed=vault.path)
    postmen: dict[str, Postman] = {}
    outbox = Outbox(config.webhook, clock=_now_ms, ring=lambda hook: postmen[hook].ring())
    receipts = Receipts(signer=keys.receipt, clock=_now_ms, announce=outbox.announce)
    followers: dict[str, Follower] = {}
    cabinet = Cabinet(
        name=config.name,
        required=sinks.required,
        later=sinks.later,
        assigned=known.assigned,
        clock=_now_ms,
        ring=lambda sink: followers[sink].ring(),
    )
    withdrawals = Withdrawals(
        name=config.name,
        store=store,
        cabinet=cabinet,
        vault=vault,
        receipts=receipts,
        clock=_now_ms,
    )
    opener = Opener(
        registry=registry, keys=keys.openings, keysets=keys.keysets, further=vault.further
    )
    room = stack.enter_context(Buffer(limits.envelope_mib * MIB))
    custodian = Custodian(
        store=store,
        opener=opener,
        decoders=decoders,
        room=room,
        cabinet=cabinet,
        identity=known.identity,
        vault=vault,
        lightbox=lightbox,
        withdrawals=withdrawals,
        receipts=receipts,
        clock=_now_ms,
    )
    reception = Reception(
        name=config.name,
        store=store,
        registry=registry,
        limits=limits,
        receipts=receipts,
        clock=_now_ms,
    )
    transfers = Transfers(limits)
    stack.callback(transfers.close)
    desk_worker = Worker("desk", most=_MOST_JOBS)
    # Starting a decoder takes a processor as long as looking at a photo: not while a nurse waits.
    custody_worker = Worker("custody", most=_MOST_JOBS + limits.transfers, idle=decoders.refill)
    desk = Desk(
        worker=desk_worker,
        mailbox=mailbox,
        reception=reception,
        ledgers=Ledgers(store=store, registry=registry, signer=keys.receipt, clock=_now_ms),
        presences=Presences(store=store, registry=registry, clock=_now_ms),
        incoming=paths.incoming,
        connected=announcer.connected,
    )
    inbox = Inbox(
        name=config.name,
        credit=limits.credit,
        send=send,
        desk=desk,
        custody=custody_worker,
        mailbox=mailbox,
        custodian=custodian,
        withdrawals=withdrawals,
        transfers=transfers,
    )
    worklist = Worklist(
        store=store,
        beds=beds,
        settings=config.worklist,
        clock=_now_ms,
        occupied=known.occupied,
    )
    mover = Mover(store=store, cabinet=cabinet, clock=_now_ms, announce=outbox.announce)
    registrar = Registrar(store=store, cabinet=cabinet, vault=vault, clock=_now_ms)
    reopener = Reopener(registry=registry, opener=opener, vault=vault)
    pictures = MissingPictures(
        store=store,
        vault=vault,
        lightbox=lightbox,
        reopener=reopener,
        decoders=decoders,
        room=room,
        unveil=custodian.unveil,
        submit=custody_worker.submit,
    )
    housekeeping = Housekeeping(
        name=config.name,
        store=store,
        registry=registry,
        reception=reception,
        withdrawals=withdrawals,
        vault=vault,
        transfers=transfers,
        desk=desk_worker,
        mailbox=mailbox,
        incoming=paths.incoming,
        limits=limits,
        take_up=inbox.take_up,
        undo=inbox.undo,
        paperwork=(
            mover.round,
            SiteFiler(store=store, cabinet=cabinet, vault=vault, clock=_now_ms).round,
            registrar.round,
            Owed(store=store, clock=_now_ms).round,
            worklist.round,
            pictures.round,
            lambda: outbox.forget(store),
            announcer.round,
        ),
    )
    for sink in (*sinks.required, *sinks.later):
        errands: Callable[[], bool] = lambda: False  # noqa: E731
        if isinstance(sink, Reviewer):
            errands = Errands(sink=sink, store=store, assigned=known.assigned, clock=_now_ms).round
        follower = followers[sink.name] = Follower(
            name=config.name,
            sink=sink,
            cabinet=cabinet,
            store=store,
            reopener=reopener,
            room=limits.envelope_mib * MIB,
            clock=_now_ms,
            undo=lambda device, photo: mailbox.post(lambda: inbox.undo(device, photo)),
            errands=errands,
        )
        _start(stack, follower)
    for hook in config.webhook:
        postman = postmen[hook.name] = Postman(hook, store=store, clock=_now_ms)
        _start(stack, postman)
    _start(stack, Bell(store, housekeeping.decided))
    _tell_the_audit(config, stack, sinks, store)
    # Undone backwards: the workers finish what they have in hand, and what comes of it is sent.
    stack.callback(mailbox.run)
    stack.callback(custody_worker.stop)
    stack.callback(desk_worker.stop)
    return House(
        heard=inbox.heard, now_and_then=housekeeping.round, worklist=worklist, line=known.line
    )


class _Runs(Protocol):
    """A part with a thread of its own."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


def _start(stack: ExitStack, part: _Runs) -> None:
    stack.callback(part.stop)
    part.start()


def _tell_the_audit(config: GatewayConfig, stack: ExitStack, sinks: Sinks, store: Store) -> None:
    """Start a thread for everybody who is told what happened to photos."""
    receivers: list[Receiver] = [*sinks.auditors]
    if config.audit.syslog:
        receivers.append(Syslog(config.audit, source=f"wardseal {config.name}"))
    trail = Trail(name=config.name, store=store, clock=_now_ms)
    for receiver in receivers:
        _start(stack, Teller(receiver=receiver, trail=trail, store=store, clock=_now_ms))


def _link(config: GatewayConfig) -> Link:
    broker = config.broker
    return Link(
        LinkSettings(
            host=broker.host,
            port=broker.port,
            name=broker.user,
            tls=TlsFiles(
                ca=broker.ca,
                certificate=broker.certificate,
                key=handed_over(broker.key, os.environ),
            ),
        ),
        subscriptions=subscriptions(config.name),
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def main(argv: list[str] | None = None) -> int:
    """``python -m gateway --config FILE``: what the unit calls."""
    parser = argparse.ArgumentParser(prog="python -m gateway", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="the gateway's TOML file")
    options = parser.parse_args(argv)
    try:
        return run(options.config)
    except WardsealError as e:
        sys.stderr.write(f"wardseal gateway: {e}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
