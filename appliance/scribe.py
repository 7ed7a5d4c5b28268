"""The panel's scribe: enters what the session decides, and knows under what photos are taken.

Photos of a window stand under its latest CONSENT, and under the ATTEST for the badge that was
read in it, if one was. Which badge that is nobody here knows: the darkroom gives its commitment
and keeps the code (P9).
"""

from collections.abc import Callable

from appliance import signals
from appliance.custody import Register
from wire import events, shapes
from wire.events import Basis, Level
from wire.ledger import SignedEntry

Log = (
    signals.LogConsent
    | signals.LogTeaching
    | signals.LogAttest
    | signals.LogWindow
    | signals.LogUndo
    | signals.LogFault
)


class Scribe:
    """``append`` enters a body on the ledger, durably, and raises LedgerUnavailable."""

    def __init__(
        self,
        *,
        append: Callable[[object], SignedEntry],
        register: Register,
        wording: events.Wording,
    ) -> None:
        self._append = append
        self._register = register
        self._wording = wording
        self._consent: SignedEntry | None = None
        self._shown: bytes | None = None
        self._attest: bytes | None = None

    @property
    def consent(self) -> SignedEntry:
        """The CONSENT entry that photos are taken under now."""
        assert self._consent is not None, "the session takes no photo without one"
        return self._consent

    def new_darkroom(self) -> None:
        """Forget the badge: what was read before, this darkroom has not read."""
        self._shown = self._attest = None

    def badge_shown(self, commitment: bytes) -> None:
        """Take note of the badge that the session is about to log."""
        self._shown = commitment

    def intent(self) -> events.Intent:
        """The body of the next photo's INTENT."""
        granted: events.Consent = events.body_of(self.consent.entry)
        return events.Intent(self.consent.digest, granted.level, granted.basis, self._attest)

    def log(self, effect: Log) -> None:
        """Enter it; LedgerUnavailable when that fails."""
        match effect:
            case signals.LogConsent(level=level, basis=basis):
                self._log_consent(level, basis)
            case signals.LogTeaching():
                granted: events.Consent = events.body_of(self.consent.entry)
                self._log_consent(Level.TEACHING, granted.basis)
                if self._attest is not None:
                    self._log_attest(self._attest)
            case signals.LogAttest():
                assert self._shown is not None
                self._log_attest(self._shown)
            case signals.LogWindow(why=why, photos=photos):
                self._append(events.Window(self.consent.digest, why, photos))
            case signals.LogUndo(ns=ns):
                for n in ns:
                    self._log_undo(n)
            case signals.LogFault(code=code, why=why):
                self._append(events.Fault(code, shapes.short(why)))

    def _log_consent(self, level: Level, basis: Basis) -> None:
        """Step 1 (and +TEACHING, for later photos)."""
        self._consent = self._append(events.Consent(level, basis, self._wording))

    def _log_attest(self, commitment: bytes) -> None:
        """Step 2: whose badge was shown, for those alone who can open the photo."""
        self._append(events.Attest(self.consent.digest, commitment))
        self._attest = commitment

    def _log_undo(self, n: int) -> None:
        photo = self._register.get(n)
        if photo is not None:
            self._append(events.Undo(photo.intent.digest, photo.id))
            self._register.update(photo, undone=True)
