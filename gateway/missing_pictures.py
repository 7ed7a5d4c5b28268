"""Opened pictures that a crash kept from people: made again from the sealed copy.

A photo is shown once its receipt has left, so a gateway that dies in between leaves a photo that
is filed or HELD, and nothing to look at; a power cut may leave an empty file. Whoever starts
again looks once for what is missing. A photo that cannot be decoded stays unseen, as before.
"""

import logging
from collections.abc import Callable
from typing import Final

from sqlalchemy import select

from base.errors import WardsealError
from base.memory import Buffer
from gateway.decoding import Decoders, Undecodable
from gateway.filing.record import FIRST, Assignment
from gateway.lightbox import Lightbox
from gateway.reopening import Reopener
from gateway.store import Store
from gateway.tables import Photo, State
from gateway.vault import Vault

log = logging.getLogger(__name__)

_AT_ONCE: Final = 8
_ASKED_AT_ONCE: Final = 500


class MissingPictures:
    """``submit`` gives a job to custody's thread, which ``decoders`` and ``room`` belong to.

    It says whether the job was taken. ``unveil`` shows what a decoder has seen last, before it
    is shown the next one. ``room`` is where a photo is opened, wiped after each.
    """

    def __init__(
        self,
        *,
        store: Store,
        vault: Vault,
        lightbox: Lightbox,
        reopener: Reopener,
        decoders: Decoders,
        room: Buffer,
        unveil: Callable[[], None],
        submit: Callable[[Callable[[], None]], bool],
    ) -> None:
        self._store = store
        self._vault = vault
        self._lightbox = lightbox
        self._reopener = reopener
        self._decoders = decoders
        self._room = room
        self._unveil = unveil
        self._submit = submit
        self._left: list[str] | None = None

    def round(self) -> None:
        """Have a few of them made; the first time, find out which."""
        if self._left is None:
            self._left = [photo for photo in self._vault.all() if not self._lightbox.has(photo)]
        some, self._left = self._left[:_ASKED_AT_ONCE], self._left[_ASKED_AT_ONCE:]
        with self._store.begin(durable=False) as session:
            settled = select(Photo).where(
                Photo.photo.in_(some), Photo.state.in_((State.FILED, State.HELD))
            )
            rows = list(session.scalars(settled))
            session.expunge_all()
        for row in rows[:_AT_ONCE]:
            if not self._submit(lambda row=row: self._make(row)):  # type: ignore[misc]
                self._left.append(row.photo)
        self._left += [row.photo for row in rows[_AT_ONCE:]]

    def _make(self, row: Photo) -> None:
        """On custody's thread: as when it came, but for everything that is signed and filed."""
        photo = row.photo
        self._unveil()
        if self._lightbox.has(photo):
            return  # it was in hand, and has been shown since
        try:
            with self._reopener.reopen(row, Assignment(FIRST), self._room) as record:
                verdict = self._decoders.show(record.jpeg)
                self._lightbox.prepare(photo, record.jpeg)
                self._lightbox.show(photo, self._decoders.small(verdict()))
            log.info("photo %s: its picture was made again", photo)
        except Undecodable:
            self._lightbox.take_away(photo)  # it waits for a person for that very reason
        except (OSError, WardsealError) as e:
            log.warning("photo %s: it cannot be shown: %s", photo, e)
        finally:
            self._decoders.bury()
