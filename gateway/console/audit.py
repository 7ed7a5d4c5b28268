"""Every view is written down before it is shown: no row, no page."""

from collections.abc import Callable
from enum import StrEnum

from gateway.console.accounts import Person
from gateway.console.tables import Viewing
from gateway.store import Store


class What(StrEnum):
    """What somebody saw or did."""

    LIST = "list"
    PHOTO = "photo"
    PICTURE = "picture"
    PATIENT = "patient"
    WORKLIST = "worklist"
    LEDGERS = "ledgers"
    LEDGER = "ledger"
    LEDGER_FILE = "ledger file"
    QUESTIONS = "questions"
    DEVICES = "devices"
    SIGN_IN = "sign-in"
    SIGN_OUT = "sign-out"
    REFUSED = "refused"


class Audit:
    """Writes viewings; ``clock`` gives milliseconds since 1970 UTC."""

    def __init__(self, *, store: Store, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock

    def seen(self, person: Person, what: What, subject: str) -> None:
        """Write one down. ``subject``: a photo's id, a filter, a ledger. Raises StoreError."""
        with self._store.begin() as session:
            session.add(
                Viewing(
                    at_ms=self._clock(),
                    login=person.login,
                    name=person.name,
                    what=what.value,
                    subject=subject[:200],
                )
            )
