"""What a darkroom demands before it opens the camera, and before it takes a photo (P1).

The panel has checked all of this. The darkroom does it again, because it is the one that
holds the camera: a panel that went wrong, or whoever else reached the socket, gets no frame
without an entry that this device signed, in this boot, a moment ago.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from base.errors import VerificationError
from wire import events, keyset, ledger, shapes
from wire.envelope import Header
from wire.ledger import EntryType, SignedEntry
from wire.signing import PublicKey

_SECOND: Final = 1_000_000_000
MAX_AGE_NS: Final = 10 * _SECOND
WINDOW_NS: Final = 330 * _SECOND
"""A consent window is five minutes at most; half a minute more for what is under way."""


class Refusal(VerificationError):
    """The order is not backed by what it must be backed by; the text says by what."""


@dataclass(frozen=True)
class Admission:
    """What an accepted consent gives: that entry, and the keyset to seal to."""

    consent: SignedEntry
    keyset: keyset.SignedKeyset


@dataclass(frozen=True)
class Permit:
    """What an accepted intent allows: a photo with this header (its length is 1).

    ``attest``: the commitment to the badge that stands for it, if one does.
    """

    header: Header
    attest: bytes | None


class Doorkeeper:
    """Checks orders for one darkroom life: one consent, then intents with rising numbers.

    ``now`` returns CLOCK_BOOTTIME in nanoseconds. Raises Refusal, or the FormatError or
    VerificationError of what was not even well formed or signed.
    """

    def __init__(
        self,
        *,
        device: str,
        device_key: PublicKey,
        root: PublicKey,
        boot: bytes,
        now: Callable[[], int],
    ) -> None:
        self._device = device
        self._device_key = device_key
        self._root = root
        self._boot = boot
        self._now = now
        self._admitted: Admission | None = None
        self._last_seq = -1

    def admit(self, consent: bytes, signed_keyset: bytes) -> Admission:
        """Accept a consent and a keyset; once in a life."""
        if self._admitted is not None:
            raise Refusal("this darkroom has had its consent; each one needs a darkroom of its own")
        entry = self._entry(consent, EntryType.CONSENT)
        self._admitted = Admission(entry, keyset.open_keyset(signed_keyset, [self._root]))
        self._last_seq = entry.entry.seq
        return self._admitted

    def photo(
        self, intent: bytes, header: Mapping[str, object], consent: bytes | None = None
    ) -> Permit:
        """Accept an intent and the header that goes with it.

        ``consent``: a later CONSENT entry of the same window, if the intent refers to one.
        """
        if self._admitted is None:
            raise Refusal("there is no consent for a photo")
        entry = self._entry(intent, EntryType.INTENT)
        body: events.Intent = events.body_of(entry.entry)
        under = self._consent_of(body, consent)
        first = self._admitted.consent.entry
        if entry.entry.ledger != first.ledger or entry.entry.seq <= self._last_seq:
            raise Refusal("the intent is not a new entry of this consent's ledger")
        if entry.entry.mono_ns < first.mono_ns:
            raise Refusal("the intent is older than the consent")
        if entry.entry.mono_ns - first.mono_ns > WINDOW_NS:
            raise Refusal("the consent window is over")
        found = shapes.from_map(Header, {**header, "length": 1}, "the photo's header")
        due = Header(
            device=self._device,
            boot=self._boot,
            seq=entry.entry.seq,
            consent=under.digest,
            intent=entry.digest,
            epoch=self._admitted.keyset.keyset.epoch,
            keyset=self._admitted.keyset.hash,
            time_ms=found.time_ms,
            trust=found.trust,
            length=1,
        )
        if found != due:
            wrong = [name for name, value in vars(due).items() if getattr(found, name) != value]
            raise Refusal(f"the photo's header does not fit its intent: {', '.join(wrong)}")
        self._last_seq = entry.entry.seq
        return Permit(found, body.attest)

    def _consent_of(self, body: events.Intent, later: bytes | None) -> SignedEntry:
        assert self._admitted is not None
        first = self._admitted.consent
        if body.consent == first.digest:
            return first
        if later is not None:
            entry = ledger.open_entry(later, [self._device_key])
            self._check(entry, EntryType.CONSENT)
            same_window = (
                entry.entry.ledger == first.entry.ledger and entry.entry.seq > first.entry.seq
            )
            if same_window and body.consent == entry.digest:
                return entry
        raise Refusal("the intent names another consent")

    def _entry(self, raw: bytes, kind: EntryType) -> SignedEntry:
        """Open an entry that was made a moment ago."""
        entry = ledger.open_entry(raw, [self._device_key])
        self._check(entry, kind)
        if not 0 <= self._now() - entry.entry.mono_ns <= MAX_AGE_NS:
            raise Refusal(f"the {kind} entry is not of the last {MAX_AGE_NS // _SECOND} seconds")
        return entry

    def _check(self, entry: SignedEntry, kind: EntryType) -> None:
        if entry.entry.type is not kind:
            raise Refusal(f"needed is a ledger entry {kind}, not {entry.entry.type}")
        if entry.entry.device != self._device:
            raise Refusal(f"the {kind} entry is another device's")
        if entry.entry.boot != self._boot:
            raise Refusal(f"the {kind} entry is from before this start of the device")
        events.body_of(entry.entry)
