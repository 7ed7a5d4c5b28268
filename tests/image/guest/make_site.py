"""The keys of the hospital that the emulated device belongs to, and the device's own bundle."""

import sys
from pathlib import Path

from cli import pki
from tests.image.scene import HEIGHT, WIDTH

NAME = "ward3-bed12"
BED = "Bed 12"
BROKER = "broker.hospital.example"

SETTINGS = f"""
[window]
release_seconds = 1.0

[camera]
# A sensor that an emulated processor can serve, and the time it takes.
width = {WIDTH}
height = {HEIGHT}
deadline_seconds = 30.0
"""


def main(folder: Path) -> None:
    site = pki.init(folder, site="demo", hosts=(BROKER,))
    bundle = pki.device(site, NAME, bed=BED)
    settings = bundle / "appliance.toml"
    settings.write_text(settings.read_text() + SETTINGS)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
