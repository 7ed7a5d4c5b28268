"""What the session hears and what it answers: its whole vocabulary.

Events are facts with the time they happened, effects are orders to the panel. Times are
nanoseconds of a clock that never runs backwards (``at``). A photo has a number ``n``, given
by the session when CAPTURE is accepted; numbers rise and are never used twice.

The panel carries out the effects of one step in their order. When an effect that writes the
ledger fails, it drops the rest of the list and tells ``LedgerFault``.
"""

from dataclasses import dataclass
from enum import StrEnum

from wire.events import Basis, Level
from wire.reasons import Reason


class Line(StrEnum):
    """One of the two button lines (the foot switch lies on CAPTURE's)."""

    CONSENT = "consent"
    CAPTURE = "capture"


class Buzzer(StrEnum):
    """What the buzzer says; its sound is a matter of ``appliance.lights``."""

    OPENED = "opened"
    KEPT = "kept"
    POOR = "poor"
    CLOSED = "closed"
    DONE = "done"
    REFUSED = "refused"
    MENU = "menu"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened at ``at`` (monotonic nanoseconds)."""

    at: int


@dataclass(frozen=True, slots=True)
class ConsentDown(Event):
    """CONSENT went down (debounced)."""


@dataclass(frozen=True, slots=True)
class ConsentUp(Event):
    """CONSENT came up (debounced)."""


@dataclass(frozen=True, slots=True)
class CaptureDown(Event):
    """CAPTURE went down (debounced)."""


@dataclass(frozen=True, slots=True)
class CaptureUp(Event):
    """CAPTURE came up (debounced)."""


@dataclass(frozen=True, slots=True)
class Tick(Event):
    """Nothing but time: fed at ``next_deadline``."""


@dataclass(frozen=True, slots=True)
class CameraReady(Event):
    """The darkroom's camera delivers frames."""


@dataclass(frozen=True, slots=True)
class CameraFault(Event):
    """The camera failed; ``code`` as in ``appliance.orders``.

    Outside a window it means that a self-test failed: consent is refused from then on, until
    the same event comes with an empty code.
    """

    code: str


@dataclass(frozen=True, slots=True)
class DarkroomEnded(Event):
    """The darkroom's process is gone, and with it everything it held.

    Told after every report the darkroom still sent, and told also in answer to a
    ``CloseDarkroom`` that found no darkroom open.
    """


@dataclass(frozen=True, slots=True)
class BandRead(Event):
    """A wristband was read; ``several``: another one beside it, so nobody can tell whose photo."""

    several: bool = False


@dataclass(frozen=True, slots=True)
class BadgeRead(Event):
    """A badge was read."""


@dataclass(frozen=True, slots=True)
class Verdict(Event):
    """Photo ``n`` was looked at; ``poor`` names what is wrong with it, empty when nothing is."""

    n: int
    poor: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sealed(Event):
    """Photo ``n`` is sealed, checked, and its SEALED entry is on the ledger."""

    n: int


@dataclass(frozen=True, slots=True)
class LostPhoto(Event):
    """Photo ``n`` is gone and its LOST entry is on the ledger (or its INTENT never was)."""

    n: int


@dataclass(frozen=True, slots=True)
class Released(Event):
    """The envelope of photo ``n`` is in the outbox."""

    n: int


@dataclass(frozen=True, slots=True)
class Sent(Event):
    """The hospital's side has all of photo ``n``, unproven until a receipt says so."""

    n: int


@dataclass(frozen=True, slots=True)
class Filed(Event):
    """A verified receipt: photo ``n`` is in the record since ``when_ms`` (wall time)."""

    n: int
    when_ms: int


@dataclass(frozen=True, slots=True)
class Held(Event):
    """A verified receipt: photo ``n`` is kept for a person to decide, since ``when_ms``."""

    n: int
    when_ms: int
    why: str = ""


@dataclass(frozen=True, slots=True)
class Rejected(Event):
    """A verified receipt: the hospital could not open or believe photo ``n``."""

    n: int
    why: str = ""


@dataclass(frozen=True, slots=True)
class Undone(Event):
    """Photo ``n`` is undone: wiped before it was sent, or acknowledged by a signed receipt."""

    n: int


@dataclass(frozen=True, slots=True)
class Link(Event):
    """The line to the hospital is up, or not."""

    online: bool


@dataclass(frozen=True, slots=True)
class Refusal(Event):
    """A gateway says that it takes nothing, and why; None: no more. Unsigned, so only words."""

    reason: Reason | None


@dataclass(frozen=True, slots=True)
class Spool(Event):
    """There is no room for another photo, or there is again."""

    full: bool


@dataclass(frozen=True, slots=True)
class LedgerFault(Event):
    """The ledger cannot be written: no consent can be logged. An empty ``why`` ends it."""

    why: str


@dataclass(frozen=True, slots=True)
class ScreenFault(Event):
    """The screen cannot show the level, or can again."""

    broken: bool


@dataclass(frozen=True, slots=True)
class KeysEnded(Event):
    """The time of the hospital's keyset is over, so there is nobody to seal to, or no longer."""

    ended: bool


@dataclass(frozen=True, slots=True)
class Stuck(Event):
    """A button has been down for longer than any finger holds it; its Up event ends it."""

    button: Line


@dataclass(frozen=True, slots=True)
class OtherBand(Event):
    """The camera saw a different wristband than before in this window."""


class Effect:
    """An order to the panel."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class LogConsent(Effect):
    """Append CONSENT: it opens a window and is what the darkroom will be given."""

    level: Level
    basis: Basis


@dataclass(frozen=True, slots=True)
class LogTeaching(Effect):
    """Append a CONSENT of level teaching: later photos of this window refer to it.

    If a badge was read, its ATTEST stands under the new CONSENT as well.
    """


@dataclass(frozen=True, slots=True)
class LogAttest(Effect):
    """Append ATTEST for the badge that was read, under the window's latest consent."""


@dataclass(frozen=True, slots=True)
class LogWindow(Effect):
    """Append WINDOW: the window closed, why, and how many photos were taken in it."""

    why: str
    photos: int


@dataclass(frozen=True, slots=True)
class LogUndo(Effect):
    """Append one UNDO for each photo of ``ns``."""

    ns: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LogFault(Effect):
    """Append FAULT."""

    code: str
    why: str


@dataclass(frozen=True, slots=True)
class OpenDarkroom(Effect):
    """Give the waiting darkroom the latest CONSENT.

    Answered by CameraReady, or by CameraFault or DarkroomEnded when the deadline passes.
    """


@dataclass(frozen=True, slots=True)
class CloseDarkroom(Effect):
    """Close the darkroom's line, and kill it when it does not end; may be asked twice.

    Always answered by DarkroomEnded once it has ended (at once when none was open). While it
    cannot be ended, nothing is answered and the lamp stays on.
    """


@dataclass(frozen=True, slots=True)
class Capture(Effect):
    """Append INTENT for photo ``n`` under the window's latest consent, then order the frame.

    Answered by Verdict and Sealed, or by LostPhoto (also when INTENT could not be appended).
    """

    n: int


@dataclass(frozen=True, slots=True)
class Release(Effect):
    """Move photo ``n`` into the outbox; answered by Released."""

    n: int


@dataclass(frozen=True, slots=True)
class WipeUnsent(Effect):
    """Wipe the sealed photo ``n``, which was never released; answered by Undone."""

    n: int


@dataclass(frozen=True, slots=True)
class Lamp(Effect):
    """Switch the lamp: on means that the camera can see the patient."""

    on: bool


@dataclass(frozen=True, slots=True)
class Buzz(Effect):
    """Sound a pattern."""

    pattern: Buzzer
