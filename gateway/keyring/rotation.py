"""New keys for the gateway: asked for, signed elsewhere, installed. Each step may be repeated.

1. ``request``   the new private keys are made here and stay here; they count for nothing yet
2. the offline root signs (gateway.keyring.keyset_request), on whatever machine it is
3. ``install``   the keyset's file appears, whole, in one step: from then on it is the newest

A crash leaves keys that wait for their keyset, and the step is done again with the same keys. The
gateway takes the new epoch at its next start, and only then are devices told of it
(gateway.keyring.announcing). The keys of earlier epochs stay until gateway.keyring.retiring takes
them.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from base.durable import fsync_dir, write_all, write_atomic
from base.errors import FormatError, VerificationError, WardsealError
from gateway.config import KeySettings
from gateway.keyring import keyset_request
from gateway.keyring.keys import GatewayKeys, beside, named, read_openings, read_receipts
from gateway.keyring.keyset_request import Request
from wire import pem
from wire.hpke import RecipientPrivate
from wire.keyset import SignedKeyset, check_follows, open_keyset
from wire.signing import Signer

_MOST_RECEIPT_KEYS: Final = 4


class NotRotated(WardsealError):
    """Nothing was changed; the text says what to do first."""


@dataclass(frozen=True)
class Plan:
    """What a request is for: ids of keys; "" for one that is yet to be made.

    ``receipt`` is None when the receipt key stays. ``believed``: those that devices go on needing.
    """

    after: int
    opening: str
    receipt: str | None
    believed: tuple[str, ...]


class Rotation:
    """The steps on the gateway's side. ``environ`` says where systemd hands keys over."""

    def __init__(self, settings: KeySettings, environ: Mapping[str, str]) -> None:
        self._settings = settings
        self._environ = environ

    @property
    def keyset_file(self) -> Path:
        return self._settings.keyset

    def plan(self, *, receipt: bool, replaces: str = "") -> Plan:
        """Say what ``request`` would do. Raises NotRotated or ConfigError; changes nothing."""
        here = GatewayKeys.load(self._settings, self._environ)
        _replaced(here, replaces)
        opening, own = self._waiting(here)
        believed = _believed(here)
        if len(believed) + receipt > _MOST_RECEIPT_KEYS:
            raise NotRotated(
                f"devices would have to believe {len(believed) + 1} receipt keys, and a keyset"
                f" holds {_MOST_RECEIPT_KEYS}: first retire the oldest (wardseal keys retire)"
            )
        return Plan(
            after=here.keyset.keyset.epoch,
            opening=named(opening) if opening else "",
            receipt=(named(own) if own else "") if receipt else None,
            believed=tuple(named(key) for key in believed),
        )

    def request(self, *, receipt: bool, replaces: str = "") -> bytes:
        """Make the new keys, durably, and return the signed request for the root.

        ``replaces``: the start of the id of the key that the new one takes the place of, where
        that is not this gateway's own.
        """
        self.plan(receipt=receipt, replaces=replaces)
        here = GatewayKeys.load(self._settings, self._environ)
        opening, own = self._waiting(here)
        newest = here.kept[-1]
        last = here.opening_of(newest)
        assert last is not None
        if opening is None:
            opening = RecipientPrivate.generate(last.public.suite)
            self._make(self._settings.opening, named(opening), opening.encode())
        if receipt and own is None:
            made = pem.generate_ed25519()
            own = pem.signer(made)
            self._make(self._settings.receipt, named(own), made)
        new = (own,) if receipt and own else ()
        signer = here.receipt_of(newest)
        assert signer is not None
        asked = Request(
            current=newest.signed,
            opening=opening.public,
            replaces=_replaced(here, replaces),
            receipt_keys=tuple(key.public for key in (*new, *_believed(here))),
        )
        return keyset_request.issue(asked, signer)

    def check(self, raw: bytes) -> SignedKeyset:
        """Say whether a keyset can be installed here. Raises NotRotated or ConfigError."""
        here = GatewayKeys.load(self._settings, self._environ)
        try:
            offered = open_keyset(raw, (here.root,))
            check_follows(offered, here.keyset)
        except (FormatError, VerificationError) as e:
            raise NotRotated(f"this keyset cannot be installed: {e}") from e
        kids = {key.kid for key in offered.keyset.recipients}
        if not any(k.public.kid in kids for k in read_openings(self._settings, self._environ)):
            raise NotRotated(
                "this keyset's photos could not be opened here: none of its keys is this gateway's."
                " Install it where the request was made, or bring that gateway's opening key first"
            )
        believed = {key.kid for key in offered.keyset.receipt_keys}
        for needed in _believed(here):
            if needed.public.kid not in believed:
                raise NotRotated(
                    f"this keyset drops the receipt key {named(needed)}, and devices that have an"
                    " earlier one still need it; make a new request"
                )
        return offered

    def install(self, raw: bytes) -> SignedKeyset:
        """Make a signed keyset the newest here; the same one again changes nothing."""
        offered = self.check(raw)
        here = GatewayKeys.load(self._settings, self._environ)
        if offered.hash in {one.hash for one in here.keysets}:
            return offered
        folder = self._settings.receipt.parent
        new = {key.kid for key in offered.keyset.receipt_keys} - {
            key.kid for one in here.keysets for key in one.keyset.receipt_keys
        }
        for signer in read_receipts(self._settings, self._environ):
            if signer.public.kid in new:
                public = folder / f"{self._settings.receipt.stem}-{named(signer)}.pub"
                write_atomic(public, pem.encode_public(signer.public), mode=0o644)
        # The one step that counts: before it the old epoch is the newest, after it the new one.
        path = beside(self._settings.keyset, str(offered.keyset.epoch))
        write_atomic(path, offered.raw, mode=0o644)
        return offered

    def _waiting(self, here: GatewayKeys) -> tuple[RecipientPrivate | None, Signer | None]:
        """Return keys that an earlier request made and no keyset names yet."""
        sealed_to = {key.kid for one in here.keysets for key in one.keyset.recipients}
        believed = {key.kid for one in here.keysets for key in one.keyset.receipt_keys}
        openings = read_openings(self._settings, self._environ)
        opening = next((key for key in openings if key.public.kid not in sealed_to), None)
        own = next((key for key in here.receipts if key.public.kid not in believed), None)
        return opening, own

    def _make(self, base: Path, name: str, data: bytes) -> None:
        path = beside(base, name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        # Under another name until it is whole: half a key would keep the gateway from starting.
        fresh = path.with_suffix(".part")
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, flags, 0o600)
        try:
            write_all(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.rename(fresh, path)
        fsync_dir(path.parent)


def _replaced(here: GatewayKeys, start: str) -> bytes:
    """Return the id of the recipient of the newest keyset that gives way."""
    newest = here.kept[-1]
    if not start:
        own = here.opening_of(newest)
        assert own is not None
        return own.public.kid
    kids = [key.kid for key in newest.signed.keyset.recipients]
    found = [kid for kid in kids if kid.hex().startswith(start.lower())]
    if len(found) != 1:
        ids = ", ".join(kid.hex()[:16] for kid in kids)
        raise NotRotated(f"--replaces {start}: photos are sealed to {ids}; name one of them")
    return found[0]


def _believed(here: GatewayKeys) -> list[Signer]:
    """The receipt keys of all kept epochs, newest first: none may be dropped before its time."""
    found: dict[bytes, Signer] = {}
    for epoch in reversed(here.kept):
        signer = here.receipt_of(epoch)
        assert signer is not None
        found.setdefault(signer.public.kid, signer)
    return list(found.values())
