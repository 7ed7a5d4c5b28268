"""The end of an epoch's keys: only when nobody can need them any more, and then for good.

An epoch goes when a later one is in force, and
* every device that may send says on its ledger that it has a later keyset, and
* nothing that a device sealed is still on its way here, and
* every sealed copy that its key opens is opened by a key of a later epoch as well.

The oldest goes first, since receipts are signed with its key. What remains is the keyset itself,
which old photos name, and the recovery key in the safe, which opens them all the same. First the
marker is written, then the keys are wiped: after the marker they count for nothing.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from base.durable import write_atomic
from base.keyfiles import read_secret
from gateway.config import KeySettings
from gateway.devices import Registry
from gateway.keyring.keys import (
    Epoch,
    GatewayKeys,
    Secret,
    marker,
    remove,
    remove_leftovers,
    secrets,
)
from gateway.keyring.keyset_uses import epochs_in_force
from gateway.keyring.rewrapping import Folder
from gateway.store import Store
from gateway.tables import Expected, Photo, State, WorkItem, WorkKind
from wire import pem
from wire.hpke import RecipientPrivate


@dataclass(frozen=True)
class Obstacle:
    """Why an epoch stays, and what would change that."""

    why: str
    mend: str


@dataclass(frozen=True)
class Judgement:
    """What becomes of an epoch: ``obstacles`` is empty when it can go."""

    epoch: Epoch
    obstacles: tuple[Obstacle, ...]


class Retiring:
    """Judges and retires epochs. ``sealed``: the folder of sealed copies."""

    def __init__(
        self,
        *,
        settings: KeySettings,
        environ: Mapping[str, str],
        store: Store,
        registry: Registry,
        sealed: Path,
    ) -> None:
        self._settings = settings
        self._environ = environ
        self._store = store
        self._registry = registry
        self._sealed = sealed

    def judge(self) -> list[Judgement]:
        """Judge every kept epoch but the newest, the oldest first; changes nothing."""
        keys = GatewayKeys.load(self._settings, self._environ)
        found: list[Judgement] = []
        for epoch in keys.kept[:-1]:
            obstacles = [*self._devices(epoch), *self._on_their_way(), *self._copies(keys, epoch)]
            if found and found[-1].obstacles:
                before = found[-1].epoch.number
                obstacles.append(Obstacle(f"epoch {before} goes first", "retire that one"))
            found.append(Judgement(epoch, tuple(obstacles)))
        return found

    def retire(self, epoch: Epoch, *, on: str) -> list[Path]:
        """Put an epoch's keys out of use and wipe them; return those that only root can remove.

        May be repeated: an epoch that is retired already is wiped to the end. ``on``: the day.
        """
        write_atomic(marker(epoch.path), f"retired on {on}\n".encode(), mode=0o644)
        return self.wipe()

    def wipe(self) -> list[Path]:
        """Wipe every private key on the disk that only retired keysets name."""
        for base in (self._settings.opening, self._settings.receipt):
            remove_leftovers(base.parent)
        keys = GatewayKeys.load(self._settings, self._environ)
        sealed_to = {key.public.kid for key in keys.openings}
        signing = {r.public.kid for epoch in keys.kept if (r := keys.receipt_of(epoch))}
        named = {key.kid for epoch in keys.epochs for key in epoch.signed.keyset.recipients}
        named |= {key.kid for epoch in keys.epochs for key in epoch.signed.keyset.receipt_keys}
        left = []
        for secret, kid in self._private():
            if kid not in named or kid in sealed_to | signing:
                continue
            if secret.handed:
                left.append(secret.path)
                continue
            remove(secret.path)
        return left

    def _private(self) -> Iterator[tuple[Secret, bytes]]:
        for secret in secrets(self._settings.opening, self._environ):
            data = read_secret(secret.path, "keys.opening")
            yield secret, RecipientPrivate.decode(data).public.kid
        for secret in secrets(self._settings.receipt, self._environ):
            yield secret, pem.signer(read_secret(secret.path, "keys.receipt")).public.kid

    def _active(self) -> list[str]:
        return [one.id for one in self._registry.all() if one.status != "revoked"]

    def _devices(self, epoch: Epoch) -> Iterator[Obstacle]:
        with self._store.read() as session:
            has = epochs_in_force(session)
        for device in self._active():
            number = has.get(device, 0)
            if number <= epoch.number:
                said = (
                    f"has the keyset of epoch {number}" if number else "has not said which it has"
                )
                mend = "switch it on in reach of the broker, or revoke it"
                yield Obstacle(f"device {device} {said}", mend)

    def _on_their_way(self) -> Iterator[Obstacle]:
        """Photos that a device's ledger names, or that are arriving, and are not in custody."""
        active = self._active()
        arriving = select(Photo.device).where(Photo.state == State.ARRIVING)
        expected = select(Expected.device)
        unsent = select(WorkItem.device).where(
            WorkItem.kind == WorkKind.UNSENT, WorkItem.closed_ms.is_(None)
        )
        with self._store.read() as session:
            waiting = [
                device
                for query in (arriving, expected, unsent)
                for device in session.scalars(query)
                if device in active
            ]
        for device in sorted(set(waiting)):
            count = waiting.count(device)
            photos = "1 photo" if count == 1 else f"{count} photos"
            mend = "wait for them; close what will never come on the worklist"
            yield Obstacle(f"{photos} of device {device} may still be on the way", mend)

    def _copies(self, keys: GatewayKeys, epoch: Epoch) -> Iterator[Obstacle]:
        ours = keys.opening_of(epoch)
        assert ours is not None
        later = {
            key.public.kid
            for kept in keys.kept
            if kept.number > epoch.number and (key := keys.opening_of(kept))
        }
        only = strange = 0
        for copy in Folder(self._sealed).copies():
            only += ours.public.kid in copy.kids and not copy.kids & later
            strange += bool(copy.problem)
        if only:
            yield Obstacle(f"{only} sealed copies open with its key alone", "wardseal keys rewrap")
        if strange:
            mend = "wardseal keys rewrap says which; look at each by hand"
            yield Obstacle(f"{strange} files here are no sealed copies that can be read", mend)


def exists_in_clear(settings: KeySettings, more: tuple[Path, ...] = ()) -> list[Path]:
    """Return the private keys that lie on the disk as they are, for whoever holds the disk."""
    found = [s.path for base in (settings.opening, settings.receipt) for s in secrets(base, {})]
    return [*found, *(path for path in more if os.path.lexists(path))]
