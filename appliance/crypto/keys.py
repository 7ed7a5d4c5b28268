"""The device's own keys, and the hospital's keys that it believes.

The panel alone holds the device's signing key and decides which keyset is in force. A keyset
must be signed by the root key that was pinned at enrolment, and its epoch may only rise: the
highest one ever accepted (the floor) is kept beside it, so that neither the network nor the
loss of one file can bring an old keyset back. Who can rewrite both files can also rewrite the
program; that is the image's to prevent, not this module's.

The other roles take what they need as public keys, with the functions at the end.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from base import keyfiles
from base.durable import write_atomic
from base.errors import ConfigError, FormatError, VerificationError, WardsealError
from wire import pem
from wire.keyset import MAX_KEYSET, SignedKeyset, check_follows, open_keyset
from wire.ledger import ClockTrust
from wire.signing import PublicKey, Signer

_DAY_MS: Final = 24 * 60 * 60 * 1000
_FLOOR: Final = "keyset.epoch"


class NoKeyset(VerificationError):
    """The device has no keyset that it may seal photos to; the text says what became of it."""


@dataclass(frozen=True)
class DeviceKeys:
    """What the panel needs of its own: the key it signs with, and the root that it trusts."""

    signer: Signer
    root: PublicKey

    @classmethod
    def load(cls, *, signing: Path, public: Path, root: Path) -> "DeviceKeys":
        """Read the key files; the public half must belong to the private one.

        The darkroom verifies with ``public`` what the panel signs with ``signing``: two files
        that do not fit would be noticed only when somebody presses CONSENT.
        """
        signer = load_signer(signing, "keys.signing")
        if load_public(public, "keys.public") != signer.public:
            raise ConfigError("keys.public", f"{public} does not belong to {signing}")
        return cls(signer, load_public(root, "keys.root"))


class TrustedKeyset:
    """The keyset in force. ``current`` is verified; ``offer`` may replace it by a later one."""

    def __init__(self, state: Path, root: PublicKey, current: SignedKeyset) -> None:
        self._state = state
        self._root = root
        self.current = current

    @classmethod
    def load(cls, *, state: Path, enrolled: Path, root: PublicKey) -> "TrustedKeyset":
        """Take the later of the keyset in ``state`` (a folder) and the one given at enrolment.

        Raises NoKeyset, saying why of each, when neither is there, verifies, and is at least as
        late as the latest that was ever in force.
        """
        floor = _read_floor(state)
        best: SignedKeyset | None = None
        problems: list[str] = []
        for path in (state / "keyset.cose", enrolled):
            try:
                raw = keyfiles.read_public(path, "keys.keyset", limit=MAX_KEYSET)
                found = open_keyset(raw, [root])
            except WardsealError as e:
                problems.append(f"{path}: {e.problem if isinstance(e, ConfigError) else e}")
                continue
            if found.keyset.epoch < floor:
                epoch = found.keyset.epoch
                problems.append(f"{path}: epoch {epoch}, but {floor} was in force here before")
            elif best is None or found.keyset.epoch > best.keyset.epoch:
                best = found
        if best is None:
            raise NoKeyset(f"no keyset can be used ({'; '.join(problems)})")
        trusted = cls(state, root, best)
        trusted._keep(best)
        return trusted

    def offer(self, raw: bytes) -> bool:
        """Accept a keyset that came over the network; True when it is new and now in force.

        Raises FormatError or VerificationError, and nothing changes, when it is not signed by
        the pinned root, is older than the one in force, or is another one of the same epoch.
        """
        offered = open_keyset(raw, [self._root])
        check_follows(offered, self.current)
        if offered.hash == self.current.hash:
            return False
        self._keep(offered)
        self.current = offered
        return True

    def check_usable(self, wall_ms: int, trust: ClockTrust) -> None:
        """Raise NoKeyset when the keyset's time is over, as far as the clock can tell.

        A floor is a time that has certainly passed, so it counts. A clock that is worth
        nothing cannot end a keyset: a flat battery must not stop the ward.
        """
        end = self.current.keyset.not_after_ms
        if trust is not ClockTrust.NONE and wall_ms > end:
            days = (wall_ms - end) // _DAY_MS
            raise NoKeyset(
                f"the keyset of epoch {self.current.keyset.epoch} ended {days} days ago; the"
                " hospital must send a new one"
            )

    def _keep(self, keyset: SignedKeyset) -> None:
        # The keyset first: a crash in between leaves a floor one step too low, and the keyset
        # itself makes up for that. The other order would leave a keyset that is refused.
        self._state.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(self._state / "keyset.cose", keyset.raw)
        _write(self._state / _FLOOR, f"{keyset.keyset.epoch}\n".encode())


def _write(path: Path, data: bytes) -> None:
    """Spare the SD card when nothing changes, as at nearly every start."""
    if not path.is_file() or path.read_bytes() != data:
        write_atomic(path, data, mode=0o644)


def _read_floor(state: Path) -> int:
    try:
        text = (state / _FLOOR).read_text("ascii")
        return int(text)
    except FileNotFoundError:
        return 0
    except (OSError, ValueError) as e:
        raise NoKeyset(f"{state / _FLOOR} does not hold the number of an epoch") from e


def load_signer(path: Path, setting: str) -> Signer:
    """Read a private signing key; refused unless only its owner can."""
    data = keyfiles.read_secret(path, setting)
    try:
        return pem.signer(data)
    except FormatError as e:
        raise ConfigError(setting, f"{path}: {e}") from e


def load_public(path: Path, setting: str) -> PublicKey:
    """Read a verification key: PEM, COSE_Key or its hexadecimal digits."""
    data = keyfiles.read_public(path, setting)
    try:
        return pem.public_key(data)
    except FormatError as e:
        raise ConfigError(setting, f"{path}: {e}") from e
