"""What goes into the record: the photo, what its device attested about it, and whose it is."""

from dataclasses import dataclass, field
from typing import Final

from base.errors import FormatError
from wire import events, shapes
from wire.envelope import Content, Private
from wire.label import Label
from wire.proof import Proof

FIRST: Final = 1


@dataclass(frozen=True)
class Patient:
    """A patient as the hospital knows him. Whatever is not known is empty.

    ``number`` is the hospital's, ``authority`` who gives such numbers out (a URI for FHIR, or a
    namespace of HL7 v2). ``born`` is ``YYYY-MM-DD``, ``sex`` one of FHIR's words (male, female,
    other, unknown), ``fhir`` where the FHIR server has him (``Patient/123``).
    """

    number: str
    authority: str = ""
    family: str = ""
    given: str = ""
    born: str = ""
    sex: str = ""
    fhir: str = ""


@dataclass(frozen=True)
class Encounter:
    """The stay or visit that the photo belongs to; fields as in ``Patient``."""

    number: str
    authority: str = ""
    fhir: str = ""


@dataclass(frozen=True)
class Site:
    """Where on the body, said by a label in the picture or by a person, never guessed.

    ``code`` is a SNOMED CT body structure, ``side`` ``left``, ``right``, ``both`` or empty.
    """

    code: str
    display: str
    side: str = ""


@dataclass(frozen=True)
class Assignment:
    """To whom a photo is filed. A misfiled photo gets another one with the next ``number``.

    ``how`` says in a few words who or what named the patient; it goes into the record, and so does
    ``note``, what a person wrote about the picture. ``by`` who decided it, ``second`` who confirmed
    a move, ``reason`` why: all empty where the rules did.
    """

    number: int = FIRST
    patient: Patient | None = None
    encounter: Encounter | None = None
    site: Site | None = None
    note: str = ""
    how: str = "none: filed without knowing the patient"
    by: str = ""
    second: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Record:
    """A photo as it goes into the record. ``jpeg`` is a view that is wiped right after.

    ``photo`` is the id in hex. Hashes are hex as well, times milliseconds since 1970 UTC.
    ``bands`` are the codes of the wristbands that were seen, spelled as docs/spec/envelope.md says:
    one that names the patient, several when nobody could tell, or none. ``badge`` is the code of
    the member of staff who attested, if it was read; ``salt`` opens its commitment.
    """

    photo: str
    device: str
    captured_ms: int
    clock: str
    level: str
    basis: str
    wording: dict[str, str]
    bed: str
    quality: dict[str, object]
    label: dict[str, object] | None
    proof: dict[str, str | int]
    width: int
    height: int
    jpeg_sha256: str
    jpeg: memoryview
    bands: tuple[str, ...] = ()
    badge: str | None = None
    salt: bytes | None = None
    assignment: Assignment = field(default_factory=Assignment)

    @property
    def read_label(self) -> Label | None:
        """What the label in the picture says; None without one, or if it is not to be believed."""
        try:
            return None if self.label is None else shapes.from_map(Label, self.label, "label")
        except FormatError:
            return None

    @property
    def key(self) -> str:
        """What this photo under this assignment is called in every record system."""
        return key_of(self.photo, self.assignment.number)


def key_of(photo: str, number: int) -> str:
    """Return the photo's id, with the assignment's number behind it from the second one on.

    So a photo that was moved to another patient is never taken for a duplicate of itself.
    """
    return photo if number == FIRST else f"{photo}-{number}"


def of(
    content: Content,
    proof: Proof,
    picture: tuple[int, int],
    digest: str,
    assignment: Assignment,
) -> Record:
    """Bring together what the opened photo, its entries, the decoder and identity say.

    ``picture`` is width and height in pixels, ``digest`` the SHA-256 of the JPEG in hex.
    """
    consent: events.Consent = events.body_of(proof.consent.entry)
    intent: events.Intent = events.body_of(proof.intent.entry)
    entry = proof.intent.entry
    return Record(
        photo=proof.photo.hex(),
        device=entry.device,
        captured_ms=entry.wall_ms,
        clock=entry.trust.value,
        level=intent.level.value,
        basis=intent.basis.value,
        wording={
            "id": consent.wording.id,
            "language": consent.wording.language,
            "sha256": consent.wording.hash.hex(),
        },
        bed=content.private.bed,
        quality=content.private.quality,
        label=content.private.label,
        proof={
            "ledger": entry.ledger.hex(),
            "seq": entry.seq,
            "consent": proof.consent.digest.hex(),
            "intent": proof.intent.digest.hex(),
            "sealed": proof.sealed.digest.hex(),
        },
        width=picture[0],
        height=picture[1],
        jpeg_sha256=digest,
        jpeg=content.jpeg,
        bands=_bands(content.private),
        badge=content.private.badge,
        salt=content.private.salt,
        assignment=assignment,
    )


def _bands(private: Private) -> tuple[str, ...]:
    one = () if private.band is None else (private.band,)
    return private.bands or one
