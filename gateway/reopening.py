"""Opening a sealed copy once more, after the photo was looked at and filed.

For whoever comes later: a record system that catches up, a photo that moves to another patient.
What the device signed is verified anew; the picture is not decoded again, since the decoder has
seen exactly these bytes. A device that was revoked meanwhile is no obstacle: its photo is in the
hospital's custody.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from base.errors import WardsealError
from base.memory import Buffer
from gateway.devices import Registry
from gateway.filing import record
from gateway.filing.record import Assignment, Record
from gateway.opening import Opener
from gateway.tables import Photo
from gateway.vault import Vault
from wire import envelope as envelopes
from wire.proof import check_envelope, open_proof, parse_bundle


class NotReopened(WardsealError):
    """The sealed copy is not there, or is not what the device signed."""


class Reopener:
    """Opens what ``vault`` keeps, with the keys that ``opener`` has."""

    def __init__(self, *, registry: Registry, opener: Opener, vault: Vault) -> None:
        self._registry = registry
        self._opener = opener
        self._vault = vault

    @contextmanager
    def reopen(self, photo: Photo, assignment: Assignment, room: Buffer) -> Iterator[Record]:
        """Open into ``room``, which is wiped at the end. Raises NotReopened."""
        used = 0
        try:
            try:
                bundle = parse_bundle(self._vault.path(photo.photo).read_bytes())
                known = self._registry.find(photo.device)
                if known is None:
                    raise NotReopened(f"device {photo.device} is not registered any more")
                proof = open_proof(bundle.consent, bundle.intent, bundle.sealed, (known.key,))
                sealed = envelopes.parse(bundle.envelope)
                check_envelope(bundle.envelope, sealed, proof)
                used = sealed.header.length
                opened = self._opener.open(sealed, proof, room.view[:used])
            except FileNotFoundError as e:
                raise NotReopened("its sealed copy is gone") from e
            except (OSError, WardsealError) as e:
                raise NotReopened(f"its sealed copy cannot be opened: {e}") from e
            if opened.content is None:
                raise NotReopened("its sealed copy holds no photo")
            digest = hashlib.sha256(opened.content.jpeg).hexdigest()
            picture = (photo.width, photo.height)
            yield record.of(opened.content, proof, picture, digest, assignment)
        finally:
            room.wipe(used)
