"""Which wristband and which badge were seen in this window, and what that means for a photo.

The memory of one darkroom, which dies with its window; nothing of it goes to the panel but that
something was read (``appliance.orders``), and the badge's commitment.

A code counts once it has been read in two looks: a misreading that still has a valid check digit
hardly happens twice. The first band that counts names the patient. Another one means one of two
things:

* in sight together with the first (mother and child, a neighbour's arm): nobody can tell whose
  photo it is. The window stays open, the screen says so, and each photo carries all the bands;
* instead of the first: the nurse has moved on to another patient, whom nobody has asked yet. The
  panel closes the window, and what was ordered meanwhile carries both bands.

Either way nothing is filed to either. A photo that is taken while a different band has been read
only once carries both as well: better held for a person than filed to the wrong patient. The
first badge that counts stands for the window.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from appliance.codes import Code, Kind
from appliance.orders import BadgeRead, BandRead, Bands
from wire.attestation import SALT_LENGTH, commitment
from wire.envelope import MOST_BANDS

News = BandRead | BadgeRead

LOOKS: Final = 2
_MOST_CANDIDATES: Final = 32


@dataclass(frozen=True)
class Inside:
    """What of this goes into a photo's private header (``wire.envelope.Private``)."""

    band: str | None = None
    bands: tuple[str, ...] | None = None
    badge: str | None = None
    salt: bytes | None = None


NOTHING: Final = Inside()


class Sightings:
    """The memory; ``salt`` makes this window's commitment one that nobody can try badges on."""

    def __init__(self, salt: bytes | None = None) -> None:
        self._salt = os.urandom(SALT_LENGTH) if salt is None else salt
        self._looks: dict[Code, int] = {}
        self._bands: list[str] = []
        self._here: list[str] = []
        self._beside: dict[str, set[str]] = {}
        self._badge: str | None = None

    @property
    def commitment(self) -> bytes | None:
        """The commitment to the badge that was read, if one was."""
        return None if self._badge is None else commitment(self._salt, self._badge)

    def look(self, codes: Iterable[Code]) -> list[News]:
        """Take in what was read in one look, all of it together."""
        seen = list(dict.fromkeys(codes))
        self._here = [code.text for code in seen if code.kind is Kind.BAND]
        news: list[News] = []
        for code in seen:
            if code not in self._looks and len(self._looks) >= _MOST_CANDIDATES:
                continue
            self._looks[code] = self._looks.get(code, 0) + 1
            self._beside.setdefault(code.text, set()).update(self._here)
            if self._looks[code] == LOOKS:
                news += self._count_in(code)
        return news

    def _count_in(self, code: Code) -> list[News]:
        if code.kind is Kind.BADGE:
            if self._badge is not None:
                return []
            self._badge = code.text
            return [BadgeRead(commitment(self._salt, code.text))]
        known = set(self._bands)
        self._bands.append(code.text)
        if not known:
            return [BandRead(Bands.ONE)]
        beside = known & self._beside[code.text]
        return [BandRead(Bands.SEVERAL if beside else Bands.OTHER)]

    def inside(self, attest: bytes | None) -> Inside:
        """What a photo carries whose INTENT names the commitment ``attest``."""
        bands = self._bands
        if bands:
            bands = list(dict.fromkeys((*bands, *self._here)))[:MOST_BANDS]
        badge = self._badge if attest is not None and attest == self.commitment else None
        return Inside(
            band=bands[0] if len(bands) == 1 else None,
            bands=tuple(bands) if len(bands) > 1 else None,
            badge=badge,
            salt=None if badge is None else self._salt,
        )
