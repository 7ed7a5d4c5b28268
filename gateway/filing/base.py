"""The one shape of every record system that a photo can be filed into.

A sink is told the same thing twice as often as once: after a crash, a lost answer, a repeated
transfer. So ``file`` is idempotent by the record's key, ``undo`` and ``correct`` may come for a
photo that was never filed, and ``read_back`` looks at what the record system really has before
anybody signs for it.

While a photo is being looked at, a sink may already ``stage`` it: put the bytes where they will
be needed, out of sight. It is in the record only once it is filed.

A sink is used by one thread at a time for the same photo. It waits for its record system for a
bounded time only, and then raises FilingError: whoever called tries again, later and later.
"""

from dataclasses import dataclass
from typing import Protocol

from base.errors import WardsealError
from gateway.filing.record import Assignment, Record, key_of


class FilingError(WardsealError):
    """The record system did not take the photo, or does not give back what it was given."""


@dataclass(frozen=True)
class Filed:
    """A photo under one assignment, as it was filed, or was about to be.

    ``reference`` is where ``file`` said. None: as far as is known it was not filed, but a crash
    may have come between filing and the knowledge of it. ``replaced``: it is the same patient's
    still, and stands anew under the next assignment, with more said about it. ``next``: to whom,
    by whom and why it went on, if it did.
    """

    photo: str
    captured_ms: int
    clock: str
    assignment: Assignment
    reference: str | None
    replaced: bool = False
    next: Assignment | None = None

    @property
    def key(self) -> str:
        """The record's key, as in ``Record.key``."""
        return key_of(self.photo, self.assignment.number)


class Sink(Protocol):
    """One record system.

    ``deletes``: ``correct`` takes the picture away. Where it does not, the record system marks it
    and goes on holding it, until its own keeper deletes it.
    """

    name: str
    deletes: bool

    def stage(self, photo: str, jpeg: memoryview) -> None:
        """Begin to prepare for ``file``, if there is anything to prepare; never waits.

        ``jpeg`` may be read until ``file`` or ``unstage`` returns.
        """
        ...

    def unstage(self, photo: str) -> None:
        """Forget what was staged and not filed, leaving no trace of it, and let go of it."""
        ...

    def file(self, record: Record) -> str:
        """Put the photo into the record, for good, and return where (printable ASCII).

        A photo that is there already under this key stays as it is. Raises FilingError.
        """
        ...

    def read_back(self, record: Record, reference: str) -> None:
        """Raise FilingError unless the record system has exactly this photo at ``reference``."""
        ...

    def undo(self, filed: Filed, at_ms: int) -> None:
        """Mark the photo ``objection recorded``. Raises FilingError if that cannot be done now.

        What is not there is not marked, and marking twice changes nothing.
        """
        ...

    def correct(self, filed: Filed, at_ms: int) -> None:
        """Mark the photo ``entered in error``: it was filed to the wrong patient, or not to him.

        One that is ``replaced`` is marked so, where the record system knows the difference.
        What is not there is not marked, and marking twice changes nothing. Raises FilingError.
        """
        ...

    def probe(self) -> None:
        """Raise FilingError unless the record system answers now; nothing is filed."""
        ...

    def close(self) -> None:
        """Take no more photos."""
        ...
