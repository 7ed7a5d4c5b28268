"""The gateway's keys, read from their files and checked against each other."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

from base.errors import ConfigError, FormatError, VerificationError
from base.keyfiles import read_public, read_secret
from gateway.config import KeySettings
from wire import pem
from wire.hpke import RecipientPrivate
from wire.keyset import SignedKeyset, open_keyset
from wire.signing import Signer

T = TypeVar("T")


@dataclass(frozen=True)
class GatewayKeys:
    """``opening`` opens photos, ``receipt`` signs for them; ``keyset`` is what devices trust."""

    opening: RecipientPrivate
    receipt: Signer
    keyset: SignedKeyset

    @classmethod
    def load(cls, settings: KeySettings) -> Self:
        """Read the four files; ConfigError names the setting of one that is wrong.

        A gateway whose keys are not in its keyset would take photos that it cannot open, or
        sign receipts that no device believes, so it does not start.
        """
        secret = read_secret(settings.opening, "keys.opening")
        opening = _parse("keys.opening", settings.opening, lambda: RecipientPrivate.decode(secret))
        seed = read_secret(settings.receipt, "keys.receipt")
        receipt = _parse("keys.receipt", settings.receipt, lambda: pem.signer(seed))
        public = read_public(settings.root, "keys.root")
        root = _parse("keys.root", settings.root, lambda: pem.public_key(public))
        raw = read_public(settings.keyset, "keys.keyset")
        keyset = _parse("keys.keyset", settings.keyset, lambda: open_keyset(raw, (root,)))
        if opening.public not in keyset.keyset.recipients:
            raise ConfigError("keys.opening", "is none of the keys that photos are sealed to")
        if receipt.public not in keyset.keyset.receipt_keys:
            raise ConfigError("keys.receipt", "is none of the keys whose receipts devices believe")
        return cls(opening, receipt, keyset)


def _parse(setting: str, path: Path, parse: Callable[[], T]) -> T:
    try:
        return parse()
    except (FormatError, VerificationError) as e:
        raise ConfigError(setting, f"{path}: {e}") from e
