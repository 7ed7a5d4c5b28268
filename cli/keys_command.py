"""``wardseal keys status``, ``rewrap`` and ``retire``: what becomes of keys that were replaced."""

import json
import os
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from base.memory import Buffer, harden_process
from cli.keys_rotation import check_owner
from cli.outcome import OK, WRONG
from cli.terminal import moment, plain, progress
from gateway import config as configuration
from gateway.config import MIB, GatewayConfig
from gateway.database import engine_for
from gateway.devices import Registry
from gateway.filing.base import FilingError
from gateway.keyring.keys import Epoch, GatewayKeys, named
from gateway.keyring.keyset_uses import GatewayEpoch, epochs_in_force
from gateway.keyring.retiring import Judgement, Retiring
from gateway.keyring.rewrapping import Counts, Folder, Rewrapper, Shelf
from gateway.keyring.stored_copies import StoredCopies
from gateway.store import Store

_ELSEWHERE = """\
Object stores are not looked at here: a sealed copy there that `wardseal keys rewrap` has not
re-wrapped opens with the recovery key alone from then on."""
_NOTHING = "Nothing was changed: this was a dry run."


def status(arguments: Namespace) -> int:
    """Say which epochs there are, who has which, and what keeps old keys."""
    harden_process()
    config = configuration.load(arguments.config)
    keys = GatewayKeys.load(config.keys)
    with _store(config) as store:
        judged = {one.epoch.number: one for one in _retiring(config, store).judge()}
        with store.read() as session:
            has = epochs_in_force(session)
            gateways = list(session.scalars(select(GatewayEpoch).order_by(GatewayEpoch.gateway)))
    registered = Registry(config.paths.devices).all()
    devices = [
        {"device": one.id, "status": one.status, "epoch": has.get(one.id)} for one in registered
    ]
    told = [
        {"gateway": g.gateway, "epoch": g.epoch, "announced": g.announced, "seen_ms": g.seen_ms}
        for g in gateways
    ]
    epochs = [_as_json(keys, epoch, judged.get(epoch.number)) for epoch in keys.epochs]
    if arguments.json:
        print(json.dumps({"epochs": epochs, "gateways": told, "devices": devices}))
        return OK
    for epoch in keys.epochs:
        _tell_epoch(keys, epoch, judged.get(epoch.number))
    sealed_to = ", ".join(key.kid.hex()[:16] for key in keys.keyset.keyset.recipients)
    print(f"photos are sealed to {sealed_to}")
    for g in gateways:
        seen = moment(g.seen_ms)
        print(f"gateway {g.gateway}: has epoch {g.epoch}, announced {g.announced}, seen {seen}")
    newest = keys.keyset.keyset.epoch
    for one in registered:
        number = has.get(one.id)
        behind = "" if number == newest or one.status != "active" else "  <- not the newest"
        said = f"epoch {number}" if number else "has not said which it has"
        print(f"device {one.id} ({one.status}): {said}{behind}")
    return OK


def _as_json(keys: GatewayKeys, epoch: Epoch, judged: Judgement | None) -> dict[str, Any]:
    opening, receipt = keys.opening_of(epoch), keys.receipt_of(epoch)
    return {
        "epoch": epoch.number,
        "retired": epoch.retired,
        "until_ms": epoch.signed.keyset.not_after_ms,
        "sealed_to": [key.kid.hex()[:16] for key in epoch.signed.keyset.recipients],
        "opening_key": None if opening is None or epoch.retired else named(opening),
        "receipt_key": None if receipt is None or epoch.retired else named(receipt),
        "kept_by": [o.why for o in judged.obstacles] if judged else [],
    }


def _tell_epoch(keys: GatewayKeys, epoch: Epoch, judged: Judgement | None) -> None:
    if epoch.retired:
        print(f"epoch {epoch.number}: its keys are out of use")
        return
    opening, receipt = keys.opening_of(epoch), keys.receipt_of(epoch)
    assert opening is not None and receipt is not None
    end = moment(epoch.signed.keyset.not_after_ms)[:10]
    newest = "the newest, " if epoch == keys.epochs[-1] else ""
    signs = ", signs receipts" if receipt is keys.receipt and epoch == keys.kept[0] else ""
    print(f"epoch {epoch.number}: {newest}until {end}")
    print(f"  opening key {named(opening)}, receipt key {named(receipt)}{signs}")
    if judged is not None:
        _tell_obstacles(judged)


def _tell_obstacles(judged: Judgement) -> None:
    if not judged.obstacles:
        print("  nobody needs its keys any more: wardseal keys retire")
    for obstacle in judged.obstacles:
        print(f"  stays: {plain(obstacle.why)}\n    mend: {obstacle.mend}")


def rewrap(arguments: Namespace) -> int:
    """Give every sealed copy, here and in object stores, recipients of the newest keyset."""
    harden_process()
    config = configuration.load(arguments.config)
    folder = config.paths.sealed
    check_owner(folder)
    keys = GatewayKeys.load(config.keys)
    stores = [StoredCopies(one) for one in config.storage if one.content == "sealed"]
    shelves: list[tuple[str, Shelf]] = [("here", Folder(folder))]
    shelves += [(f"in {store.name}", store) for store in stores]
    wrong = False
    with Buffer(config.limits.envelope_mib * MIB) as room:
        for where, shelf in shelves:
            work = Rewrapper(shelf=shelf, keys=keys.openings, keyset=keys.keyset, room=room)
            try:
                counts = _rewrapped(work, shelf, where, dry_run=arguments.dry_run)
            except FilingError as e:
                print(f"Copies {where}: {plain(str(e))}. They are not looked at.")
                wrong = True
                continue
            _tell_counts(counts, keys.keyset.keyset.epoch, where, dry_run=arguments.dry_run)
            wrong = wrong or bool(counts.problems)
    if arguments.dry_run:
        print(_NOTHING)
    return WRONG if wrong else OK


def _rewrapped(work: Rewrapper, shelf: Shelf, where: str, *, dry_run: bool) -> Counts:
    if dry_run:
        return work.survey()
    counts = Counts()
    for so_far in progress(work.run(), shelf.count(), f"sealed copies {where}"):
        counts = so_far
    return counts


def _tell_counts(counts: Counts, epoch: int, where: str, *, dry_run: bool) -> None:
    for photo, why in counts.problems:
        print(f"photo {photo}: {plain(why)}")
    print(
        f"Copies {where}, for epoch {epoch}: {counts.wrapped}"
        f" {'would be re-wrapped' if dry_run else 're-wrapped'}"
        f" ({counts.bytes_written:,} bytes beside {counts.bytes_read:,}),"
        f" {counts.current} open with its key already, {len(counts.problems)} cannot be re-wrapped."
    )


def retire(arguments: Namespace) -> int:
    """Wipe the private keys of every epoch that nobody needs any more."""
    harden_process()
    config = configuration.load(arguments.config)
    if not arguments.dry_run:
        check_owner(config.keys.keyset.parent)
    with _store(config) as store:
        retiring = _retiring(config, store)
        judged = retiring.judge()
        left = [] if arguments.dry_run else retiring.wipe()  # what a crash may have left
        for one in judged:
            print(f"epoch {one.epoch.number}:")
            if one.obstacles:
                _tell_obstacles(one)
            elif arguments.dry_run:
                print("  its private keys would be wiped here")
            else:
                left = retiring.retire(one.epoch, on=datetime.now(UTC).date().isoformat())
                print("  its private keys are out of use and wiped; restart the gateway")
    if any(one.content == "sealed" for one in config.storage):
        print(_ELSEWHERE)
    if not judged:
        print("There is one epoch in use, and its keys are needed.")
    for path in left:
        print(f"systemd hands over {path.name}: remove that credential and restart the gateway")
    if arguments.dry_run:
        print(_NOTHING)
    return WRONG if any(one.obstacles for one in judged) else OK


def _retiring(config: GatewayConfig, store: Store) -> Retiring:
    return Retiring(
        settings=config.keys,
        environ=os.environ,
        store=store,
        registry=Registry(config.paths.devices),
        sealed=config.paths.sealed,
    )


@contextmanager
def _store(config: GatewayConfig) -> Iterator[Store]:
    store = Store(engine_for(config.store.url, config.paths.database))
    try:
        yield store
    finally:
        store.close()
