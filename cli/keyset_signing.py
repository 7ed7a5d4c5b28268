"""The offline root's side of a rotation: look at a request, and sign the next keyset.

Done where the keys from the safe are, best on a machine without a network. The site's folder (what
``wardseal pki init`` made) remembers every keyset that was signed, so that no epoch is ever given
twice, and new devices get the newest.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from base import keyfiles
from base.durable import write_atomic
from base.errors import FormatError, VerificationError
from cli.outcome import UsageError
from cli.pki import KEYSET_DAYS, Site
from gateway.keyring import keyset_request
from gateway.keyring.keys import Epoch, beside, read_epochs
from gateway.keyring.keyset_request import Request
from wire import keyset, pem
from wire.keyset import Keyset, SignedKeyset
from wire.signing import PublicKey, Signer


@dataclass(frozen=True)
class Draft:
    """What would be signed after ``last``; ``signed`` when that was done before."""

    last: SignedKeyset
    keyset: Keyset
    signed: SignedKeyset | None


class RootDesk:
    """A site's folder, and the root key from the safe."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._file = site.folder / "keyset.cose"

    @property
    def root_file(self) -> Path:
        return self._site.offline / "root.key"

    def check(self) -> None:
        """Raise UsageError unless the root key is here and is this site's."""
        self._root()

    def draft(self, raw: bytes, *, days: int = KEYSET_DAYS, now: datetime | None = None) -> Draft:
        """Verify a request and say what it would lead to; changes nothing."""
        root = self._root_public()
        try:
            request = keyset_request.read(raw, (root,))
        except (FormatError, VerificationError) as e:
            raise UsageError(f"this is no request of this site's gateway: {e}") from e
        epochs = self._signed(root)
        for epoch in epochs:
            if _answers(epoch.signed, request):
                return Draft(request.current, epoch.signed.keyset, epoch.signed)
        newest = max((epoch.number for epoch in epochs), default=0)
        end = (now or datetime.now(UTC)) + timedelta(days=days)
        wanted = keyset_request.propose(
            request,
            epoch=max(newest, request.current.keyset.epoch) + 1,
            not_after_ms=int(end.timestamp() * 1000),
        )
        return Draft(request.current, wanted, None)

    def sign(self, draft: Draft) -> SignedKeyset:
        """Sign it, and remember it before anybody gets it; the same again is not signed twice."""
        root = self._root()
        signed = draft.signed or keyset.issue(draft.keyset, root)
        for one in self._signed(root.public):  # the first lies under the plain name alone
            if not (own := beside(self._file, str(one.number))).exists():
                write_atomic(own, one.signed.raw, mode=0o644)
        write_atomic(beside(self._file, str(signed.keyset.epoch)), signed.raw, mode=0o644)
        if signed.keyset.epoch >= max(one.number for one in self._signed(root.public)):
            write_atomic(self._file, signed.raw, mode=0o644)
        return signed

    def _signed(self, root: PublicKey) -> tuple[Epoch, ...]:
        return read_epochs(self._file, root)

    def _root_public(self) -> PublicKey:
        path = self._site.folder / "root.pub"
        return pem.public_key(keyfiles.read_public(path, "the site's folder"))

    def _root(self) -> Signer:
        path = self.root_file
        if not path.exists():
            raise UsageError(
                f"{path} is not there: it belongs to the keys in the safe. Bring them here and"
                " name their folder with --offline"
            )
        signer = pem.signer(keyfiles.read_secret(path, "--offline"))
        if signer.public != self._root_public():
            raise UsageError(f"{path} is not the root key of this site")
        return signer


def _answers(signed: SignedKeyset, request: Request) -> bool:
    """Tell whether a keyset is what a request asks for, whenever it was signed."""
    found = signed.keyset
    return request.opening in found.recipients and found.receipt_keys == request.receipt_keys


def told(draft: Draft) -> list[str]:
    """Say in words what a keyset would change, key by key, for a person to compare."""
    last, new = draft.last.keyset, draft.keyset
    day = datetime.fromtimestamp(new.not_after_ms / 1000, UTC).date().isoformat()
    lines = [f"the keyset of epoch {new.epoch}, until {day}, after epoch {last.epoch}"]
    for before, after in zip(last.recipients, new.recipients, strict=True):
        where = "photos are sealed to "
        same = before == after
        lines.append(f"  {where}{_id(after.kid)}{'' if same else f', not {_id(before.kid)}: NEW'}")
    known = {key.kid for key in last.receipt_keys}
    lines += [
        f"  devices believe receipts by {_id(key.kid)}{'' if key.kid in known else ': NEW'}"
        for key in new.receipt_keys
    ]
    kept = {key.kid for key in new.receipt_keys}
    lines += [f"  and no more by {_id(kid)}" for kid in sorted(known - kept)]
    return lines


def _id(kid: bytes) -> str:
    return kid.hex()[:16]


def save(path: Path, data: bytes) -> None:
    """Write a file that somebody carries elsewhere; never over another."""
    if path.exists() and path.read_bytes() != data:
        raise UsageError(f"{path} exists already; give a new name")
    write_atomic(path, data, mode=0o644)
