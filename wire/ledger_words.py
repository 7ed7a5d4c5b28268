"""What a ledger entry means, in the words of the ward.

The bodies are those of wire.events; a body that is none of them is shown as it stands. Photos
and entries are named by the start of their hash, earlier entries by their number.
"""

from base.errors import FormatError
from wire import events
from wire.events import Basis, Level
from wire.ledger import Entry

_BASES = {
    Basis.AGREED: "staff attest that they asked and the patient agreed",
    Basis.EMERGENCY: "no consent asked: emergency, best interests",
    Basis.NO_CAPACITY: "no consent asked: no capacity, best interests",
    Basis.PROXY: "staff attest that the patient's representative agreed",
}
_LEVELS = {Level.CARE: "for care only", Level.TEACHING: "for care and teaching"}


def short(value: bytes) -> str:
    """Return enough of a hash to tell it from others of the same ledger."""
    return value.hex()[:12]


class Numbers:
    """Names earlier entries by their number, and by the start of their digest until known."""

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {}

    def add(self, digest: bytes, seq: int) -> None:
        """Remember an entry."""
        self._numbers[digest] = seq

    def of(self, digest: bytes) -> str:
        """Return the words for the entry with this digest."""
        return f"entry {self._numbers.get(digest, short(digest) + '...')}"


def meaning(entry: Entry, numbers: Numbers) -> str:
    """Say in one line what an entry tells."""
    try:
        body = events.body_of(entry)
    except FormatError:
        return f"{entry.body!r:.160}"
    return _of_the_patient(body, numbers) or _of_the_device(body) or repr(body)


def _of_the_patient(body: object, numbers: Numbers) -> str:
    of = numbers.of
    match body:
        case events.Consent(level=level, basis=basis, wording=wording):
            return f"{_BASES[basis]}; {_LEVELS[level]}; wording {wording.id} ({wording.language})"
        case events.Attest(consent=consent):
            return f"a badge was shown under the consent of {of(consent)}"
        case events.Intent(consent=consent, level=level, attest=attest):
            badge = "" if attest is None else ", attested by a badge"
            return f"CAPTURE pressed, {_LEVELS[level]}, under the consent of {of(consent)}{badge}"
        case events.Sealed(intent=intent, photo=photo, size=size):
            return f"photo {short(photo)} of {of(intent)} is sealed, {size:,} bytes"
        case events.Undo(intent=intent, photo=photo):
            return f"consent withdrawn for the photo of {of(intent)}{_named(photo)}"
        case events.Window(consent=consent, why=why, photos=photos):
            return f"the window of {of(consent)} closed ({why}), photos taken: {photos}"
        case events.ReceiptSeen(photo=photo, status=status, number=number, reason=reason):
            why = "" if reason is None else f": {reason}"
            return f"the hospital signed {status} for photo {short(photo)} (receipt {number}){why}"
        case events.Wiped(intent=intent, why=why, photo=photo):
            return f"the photo of {of(intent)} is wiped ({why}){_named(photo)}"
        case events.Lost(intent=intent, why=why, photo=photo):
            return f"the photo of {of(intent)} is LOST: {why}{_named(photo)}"
    return ""


def _of_the_device(body: object) -> str:
    match body:
        case events.Boot(version=version, why=why, previous=None):
            return f"the panel started, version {version}: {why}"
        case events.Boot(version=version, why=why, previous=events.Previous() as old):
            where = f"entry {old.seq} of ledger {old.ledger.hex()}"
            return f"the panel started, version {version}: {why}; goes on from {where}"
        case events.Fault(code=code, why=why):
            return f"{code}: {why}"
        case events.KeysetInUse(epoch=epoch, hash=digest):
            return f"from here on photos are sealed to the keys of epoch {epoch} ({short(digest)})"
    return ""


def _named(photo: bytes | None) -> str:
    return f", photo {short(photo)}" if photo else ""
