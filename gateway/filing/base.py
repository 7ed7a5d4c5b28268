"""The one shape of every record system that a photo can be filed into.

A sink is told the same thing twice as often as once: after a crash, a lost answer, a repeated
transfer. So ``file`` is idempotent by the photo's id, ``undo`` may come for a photo that was
never filed, and ``read_back`` looks at what the record system really has before anybody signs
for it.

While a photo is being looked at, a sink may already ``stage`` it: put the bytes where they will
be needed, out of sight. It is in the record only once it is filed.
"""

from typing import Protocol

from base.errors import WardsealError
from gateway.filing.record import Record


class FilingError(WardsealError):
    """The record system did not take the photo, or does not give back what it was given."""


class Sink(Protocol):
    """One record system."""

    name: str

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

        A photo that is there already stays as it is. Raises FilingError.
        """
        ...

    def read_back(self, record: Record, reference: str) -> None:
        """Raise FilingError unless the record system has exactly this photo at ``reference``."""
        ...

    def undo(self, photo: str, reference: str | None, at_ms: int) -> None:
        """Mark the photo ``objection recorded``. Raises FilingError if that cannot be done now.

        ``reference`` is where it was filed. None: as far as is known it was not, but a crash may
        have come between filing and the knowledge of it; if it is not there, nothing is done.
        """
        ...

    def close(self) -> None:
        """Take no more photos."""
        ...
