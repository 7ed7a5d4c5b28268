"""What goes into the record: the photo, and what its device attested about it."""

from dataclasses import dataclass

from wire import events
from wire.envelope import Content
from wire.proof import Proof


@dataclass(frozen=True)
class Record:
    """A photo as it goes into the record. ``jpeg`` is a view that is wiped right after.

    ``photo`` is the id in hex. Hashes are hex as well, times milliseconds since 1970 UTC.
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


def of(content: Content, proof: Proof, picture: tuple[int, int], digest: str) -> Record:
    """Bring together what the opened photo, its entries and the decoder say.

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
    )
