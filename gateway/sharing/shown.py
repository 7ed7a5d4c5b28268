"""A photo as a record, from the picture that lies out for people, without any key.

The console shares from here: what it shares is what its people may look at anyway. What is said
beside the picture comes from the device's signed entries, verified here, and from the photo's row.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from base.errors import FormatError
from base.memory import wipe
from gateway import evidence
from gateway.evidence import KeyOf
from gateway.filing.record import Assignment, Record
from gateway.lightbox import Lightbox
from gateway.reopening import NotReopened
from gateway.store import Store
from gateway.tables import Photo
from wire import events
from wire.ledger import EntryType, SignedEntry

_GONE = (
    "its picture does not lie here any more: share it from the record, or have the gateway's"
    " administrator do it with wardseal share"
)


class Shown:
    """Lends photos as ``gateway.sharing.desk.Opened``."""

    def __init__(self, *, store: Store, lightbox: Lightbox, key_of: KeyOf) -> None:
        self._store = store
        self._lightbox = lightbox
        self._key_of = key_of

    @contextmanager
    def __call__(self, photo: Photo, assignment: Assignment, /) -> Iterator[Record]:
        """Lend a photo; its picture is wiped at the end. Raises NotReopened."""
        with self._store.read() as session:
            raws = evidence.raws_of(session, photo)
        entries = {
            signed.entry.type: signed
            for signed, _ in evidence.of_photo(raws, self._key_of(photo.device), photo)
        }
        try:
            jpeg = bytearray(self._lightbox.picture(photo.photo).read_bytes())
        except OSError as e:
            raise NotReopened(_GONE) from e
        try:
            with memoryview(jpeg) as view:
                yield _record(photo, assignment, entries, view)
        finally:
            wipe(jpeg)


def _record(
    photo: Photo,
    assignment: Assignment,
    entries: dict[EntryType, SignedEntry],
    jpeg: memoryview,
) -> Record:
    try:
        consent, intent = entries[EntryType.CONSENT], entries[EntryType.INTENT]
        agreed: events.Consent = events.body_of(consent.entry)
        pressed: events.Intent = events.body_of(intent.entry)
    except (KeyError, FormatError) as e:
        raise NotReopened("its device's entries are not all here, or do not verify") from e
    sealed = entries.get(EntryType.SEALED)
    return Record(
        photo=photo.photo,
        device=photo.device,
        captured_ms=photo.captured_ms,
        clock=photo.clock,
        level=pressed.level.value,
        basis=pressed.basis.value,
        wording={
            "id": agreed.wording.id,
            "language": agreed.wording.language,
            "sha256": agreed.wording.hash.hex(),
        },
        bed=photo.bed,
        quality={"poor": ["poor"]} if photo.poor else {},
        label=_label(photo),
        proof={
            "ledger": photo.ledger,
            "seq": photo.seq,
            "consent": consent.digest.hex(),
            "intent": photo.intent,
            "sealed": "" if sealed is None else sealed.digest.hex(),
        },
        width=photo.width,
        height=photo.height,
        jpeg_sha256=hashlib.sha256(jpeg).hexdigest(),
        jpeg=jpeg,
        badge=photo.badge or None,
        assignment=assignment,
    )


def _label(photo: Photo) -> dict[str, object] | None:
    """What the label said: its words and its scale; where it lay is not in the row, nor used."""
    if not photo.label and photo.nm_per_px is None:
        return None
    known: dict[str, object] = {"marker_um": 1000, "corners": [0] * 8, "tilt": 0}
    if photo.nm_per_px is not None:
        known["nm_per_px"] = photo.nm_per_px
    if photo.label:
        known["code"] = photo.label
    return known
