"""``wardseal keys request``, ``sign``, ``install``, and ``rotate``, which is all three."""

import os
from argparse import Namespace
from pathlib import Path
from typing import Final

from base.errors import EnvironmentProblem
from base.memory import harden_process
from cli.keyset_signing import RootDesk, save, told
from cli.outcome import OK
from cli.pki import Site
from cli.terminal import read_file
from gateway import config as configuration
from gateway.keyring.rotation import Plan, Rotation
from wire.keyset import MAX_KEYSET

_LARGEST: Final = 4 * MAX_KEYSET
_TO_MAKE: Final = "a new one"
_NOTHING: Final = "Nothing was changed: this was a dry run."
_NEXT: Final = """\
Next:
  1. on every gateway: bring the new keys and this keyset there, and restart it. Devices are told
     once all gateways that run have it
  2. wardseal keys status   says which devices have it
  3. wardseal keys rewrap   sealed copies, here and in object stores
  4. wardseal keys retire   the old keys, when nobody needs them any more
"""


def request(arguments: Namespace) -> int:
    """Make the new keys here and write what the root is to sign."""
    rotation = _rotation(arguments)
    if arguments.dry_run:
        _tell(rotation.plan(receipt=arguments.receipt, replaces=arguments.replaces))
        print(f"  The request would be written to {arguments.request}.\n{_NOTHING}")
        return OK
    save(
        arguments.request, rotation.request(receipt=arguments.receipt, replaces=arguments.replaces)
    )
    _tell(rotation.plan(receipt=arguments.receipt))
    print(
        f"Carry {arguments.request} to the root key, and compare these ids with what is said there."
    )
    return OK


def sign(arguments: Namespace) -> int:
    """Sign a request with the root key from the safe."""
    harden_process()
    desk = RootDesk(Site(arguments.folder, arguments.offline))
    raw = read_file(arguments.request, limit=_LARGEST, what="a request")
    draft = desk.draft(raw, days=arguments.days)
    print("Signed before:" if draft.signed else "To be signed:")
    print("\n".join(told(draft)))
    if arguments.dry_run:
        print(_NOTHING)
        return OK
    save(arguments.keyset, desk.sign(draft).raw)
    print(f"{arguments.keyset}: carry it to the gateway, and there:")
    print(f"  wardseal keys install --config gateway.toml {arguments.keyset.name}")
    return OK


def install(arguments: Namespace) -> int:
    """Make a signed keyset the newest at this gateway."""
    rotation = _rotation(arguments)
    raw = read_file(arguments.keyset, limit=MAX_KEYSET, what="a keyset")
    if arguments.dry_run:
        epoch = rotation.check(raw).keyset.epoch
        print(f"The keyset of epoch {epoch} can be installed here.\n{_NOTHING}")
        return OK
    signed = rotation.install(raw)
    print(f"The keyset of epoch {signed.keyset.epoch} is the newest here.\n{_NEXT}", end="")
    return OK


def rotate(arguments: Namespace) -> int:
    """Request, sign and install on one machine, where the root key is at hand."""
    rotation = _rotation(arguments)
    desk = RootDesk(Site(arguments.folder, arguments.offline))
    _tell(rotation.plan(receipt=arguments.receipt, replaces=arguments.replaces))
    if arguments.dry_run:
        desk.check()
        print(f"  {desk.root_file} would sign the keyset, for {arguments.days} days")
        print(f"  it would be installed beside {rotation.keyset_file}")
        print(_NOTHING)
        return OK
    desk.check()  # before a key is made that would wait for it
    draft = desk.draft(
        rotation.request(receipt=arguments.receipt, replaces=arguments.replaces),
        days=arguments.days,
    )
    signed = rotation.install(desk.sign(draft).raw)
    print("\n".join(told(draft)))
    print(f"The keyset of epoch {signed.keyset.epoch} is the newest here.\n{_NEXT}", end="")
    return OK


def _tell(plan: Plan) -> None:
    print(f"After epoch {plan.after}, at this gateway:")
    print(f"  opening key, that photos are sealed to: {plan.opening or _TO_MAKE}")
    if plan.receipt is not None:
        print(f"  receipt key, used once every device believes it: {plan.receipt or _TO_MAKE}")
    print(f"  receipt keys that stay, since devices need them: {', '.join(plan.believed)}")


def _rotation(arguments: Namespace) -> Rotation:
    harden_process()
    keys = configuration.load(arguments.config).keys
    check_owner(keys.keyset.parent)
    return Rotation(keys, os.environ)


def check_owner(folder: Path) -> None:
    """Raise EnvironmentProblem unless what is written here will belong to the right user."""
    owner = folder.stat().st_uid if folder.exists() else os.geteuid()
    if owner != os.geteuid():
        raise EnvironmentProblem(
            f"{folder} belongs to another user (uid {owner}), who could not read what is written"
            f" now. Start it as that user: sudo -u '#{owner}' wardseal ..."
        )
