"""Bed 12 on a Tuesday: photos with badge, label and band; one moved, one shared, some looked at."""

import os
from pathlib import Path
from typing import Any

from tests.console.reception import Console
from tests.gateway.bedside import Photo, jpeg
from tests.gateway.ward import BEDS, PATIENTS, SHOWN
from wire import attestation, events, shapes
from wire.envelope import Private
from wire.label import Label

BADGE = "N-20931"
TUESDAY = "2023-11-14"
BED = f"/questions/bed?ward=W3&bed=12&day={TUESDAY}"


class Tuesday(Console):
    """A console before a ward that knows its beds and its patients."""

    @classmethod
    def made(cls, folder: Path, port: int) -> "Tuesday":
        (folder / "census.csv").write_text(PATIENTS)
        (folder / "beds.csv").write_text(BEDS)
        return cls(
            folder,
            port,
            settings=f'beds = "{folder / "beds.csv"}"\n',
            gateway={
                "identity": {"csv": str(folder / "census.csv"), "authority": "MRN"},
                "paths": {"beds": str(folder / "beds.csv")},
            },
        )

    def photograph(
        self,
        *,
        words: str | None = "W2 HEEL L",
        nm_per_px: int | None = 3_000_000,
        badge: str | None = BADGE,
        picture: bytes | None = None,
        poor: tuple[str, ...] = (),
    ) -> Photo:
        """A badge is held up, a label lies in the picture; the photo is filed to patient 4711."""
        device = self.ward_device
        consent = device.consent()
        salt = os.urandom(attestation.SALT_LENGTH) if badge else None
        commitment = attestation.commitment(salt, badge) if salt and badge else None
        if commitment is not None:
            device.write(events.Attest(consent.digest, commitment))
        photo = device.photo(
            picture or jpeg(seed=len(self.photos)),
            consent=consent,
            attest=commitment,
            private=Private(
                bed=SHOWN,
                quality={"poor": list(poor)},
                band="4711",
                badge=badge,
                salt=salt,
                label=None if words is None else shapes.to_map(_label(words, nm_per_px)),
            ),
        )
        self.hospital.sync(device, device.batch())
        self.hospital.receive(device, photo)
        self.photos.append(photo)
        return photo

    def rounds(self, done: Any, what: str) -> Any:
        """The gateway's rounds, until it has carried something out."""

        def look() -> Any:
            self.hospital.look_around()
            return done()

        return self.hospital.until(look, 20, what)


def _label(words: str, nm_per_px: int | None) -> Label:
    side = words[-1] if words[-2:] in (" L", " R") else None
    wound, _, rest = words.rpartition("W")[2].partition(" ") if words[0] == "W" else ("", "", words)
    return Label(
        marker_um=20_000,
        corners=(10, 10, 100, 10, 100, 100, 10, 100),
        tilt=3,
        nm_per_px=nm_per_px,
        refused=None if nm_per_px else "oblique",
        code=words,
        site=rest.removesuffix(f" {side}") if side else rest,
        side=side,
        wound=int(wound) if wound else None,
    )
