"""Opening a sealed photo: the numbered verification, and what each failure means.

A photo arrives with three signed entries that inbox and reception have verified, and its bytes
hash to the id that the device signed. Then, in this order:

1. the device is still registered and active                          else REJECTED
2. the envelope is what docs/spec/envelope.md says, to its last byte  else REJECTED
3. it decrypts with a key of this gateway                             else REJECTED
4. its header names exactly the INTENT, CONSENT and time signed for   else HELD, alarm
5. its keyset is one this gateway knows, by epoch and hash            else HELD, alarm
6. it is sealed to exactly the keys of that keyset                    else HELD, alarm
7. its entries and its INTENT are nobody else's (equivocation)        else HELD, alarm
8. its content is a private header and a JPEG                         else HELD
   and its badge is the one that its INTENT names                     else HELD, alarm
9. the JPEG is one our device writes, and it decodes                  else HELD
10. it is one patient's, beyond doubt                                 else HELD

REJECTED gives the device nothing, so it keeps the photo. HELD is custody: whatever decrypts is
kept, however doubtful, until a named person has looked at it. 1 to 6 and 8 are here, 7 is in
gateway.rivals, 9 the decoder's (gateway.decoding), 10 in gateway.identity.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from base.errors import FormatError, VerificationError, WardsealError
from gateway.devices import NotAdmitted, Registry
from wire import envelope as envelopes
from wire import rewrap
from wire.attestation import check_badge
from wire.envelope import Content, Envelope, Recipient
from wire.hpke import RecipientPrivate
from wire.keyset import SignedKeyset
from wire.proof import Proof, check_header, check_keyset
from wire.reasons import Reason, worded


class Rejected(WardsealError):
    """The photo does not authenticate or does not decrypt; the text becomes the receipt's."""

    def __init__(self, reason: Reason, why: str) -> None:
        super().__init__(worded(reason, why))


@dataclass(frozen=True)
class Doubt:
    """Why a photo is HELD. ``alarm``: somebody or something may be lying.

    ``patient`` is the record number of whom the photo likely is of; it never goes into words.
    """

    why: str
    alarm: bool = False
    patient: str | None = None


@dataclass(frozen=True)
class Opened:
    """A photo that decrypts. ``content`` is None when what is inside is no photo of ours."""

    content: Content | None
    doubts: tuple[Doubt, ...]


class Opener:
    """Opens what is sealed to one of ``keys``; ``keysets`` are those it knows by now.

    ``further`` gives the recipients of a photo's (hex) re-wrap: asked when no key fits by itself.
    """

    def __init__(
        self,
        *,
        registry: Registry,
        keys: Sequence[RecipientPrivate],
        keysets: Sequence[SignedKeyset],
        further: Callable[[str], Sequence[Recipient]],
    ) -> None:
        self._registry = registry
        self._keys = {key.public.kid: key for key in keys}
        self._keysets = {keyset.hash: keyset for keyset in keysets}
        self._further = further
        self._newest = max(keysets, key=lambda keyset: keyset.keyset.epoch)

    def parse(self, untrusted: memoryview, proof: Proof) -> Envelope:
        """Steps 1 and 2. Raises Rejected."""
        try:
            self._registry.admit(proof.sealed.entry.device)
            return envelopes.parse(untrusted)
        except NotAdmitted as e:
            raise Rejected(e.reason, str(e)) from e
        except FormatError as e:
            raise Rejected(Reason.DAMAGED, str(e)) from e

    def open(self, sealed: Envelope, proof: Proof, out: memoryview) -> Opened:
        """Steps 3 to 6 and 8, into ``out`` of ``header.length`` bytes. Raises Rejected."""
        content, doubts = None, []
        to_open, key = sealed, self._key_of(sealed)
        if key is None:
            to_open = rewrap.extended(sealed, self._further(proof.photo.hex()))
            key = self._key_of(to_open)
        if key is None:
            why = "the photo is sealed to keys that this hospital's gateway does not have"
            raise Rejected(Reason.WRONG_KEY, why)
        try:
            content = envelopes.open_into(to_open, key, out)
        except VerificationError as e:
            raise Rejected(Reason.DAMAGED, str(e)) from e
        except FormatError as e:
            doubts.append(Doubt(f"it decrypts, but holds no photo: {e}"))
        try:
            check_header(sealed.header, proof.consent, proof.intent)
        except VerificationError as e:
            doubts.append(Doubt(str(e), alarm=True))
        try:
            check_keyset(sealed, self._keysets.get(sealed.header.keyset, self._newest))
        except VerificationError as e:
            # Somebody else may be able to read it too.
            doubts.append(Doubt(str(e), alarm=True))
        if content is not None:
            try:
                check_badge(content.private, proof.intent)
            except VerificationError as e:
                doubts.append(Doubt(str(e), alarm=True))
        return Opened(content, tuple(doubts))

    def _key_of(self, sealed: Envelope) -> RecipientPrivate | None:
        return next(
            (self._keys[box.kid] for box in sealed.recipients if box.kid in self._keys), None
        )
