"""One gateway that files photo after photo, beside the bare cost of the same work.

    python -m bench.filing [--photos N] [--keep]

The gateway (bench.one_gateway) gets sealed photos of 12 MP, every one another, and takes each its
whole way: received, verified, opened, looked at by a decoder in its walls, given to a patient by
wristband and bed, filed, read back and signed for. First its folder is all it has; then it has a
report to set, write and read back as well; then a FHIR server and an archive (``neighbours``)
besides, which FILED waits for. Bare are the parts of that work alone (bench.bare_filing), with a
whole decode as in bench.journey, and beside it the gateway's own at an eighth. Both take turns,
batch by batch.

What is compared is processor time, the gateway's with that of all its children: so the figures are
those of one core, whatever else a machine does. The servers' own time is in neither. ``--keep``
writes the table to docs/bench.md.
"""

import argparse
import hashlib
import io
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from PIL import Image, ImageChops

from base.lifeline import tied
from base.memory import ALLOCATOR_ENV
from bench import report
from bench.bare_filing import Bare
from bench.one_gateway import SETTINGS, Sent, processor_seconds
from gateway.decoder import SHRINK
from gateway.filing.record import Record
from gateway.filing.settings import DicomSettings, FhirSettings
from neighbours.archive import Orthanc
from neighbours.fhir import FhirServer
from tests.gateway.bedside import Device, Photo
from tests.gateway.filing.photos import record
from tests.gateway.hospital import Hospital
from tests.gateway.ward import SHOWN, furnish
from wire.envelope import Private
from wire.hpke import RecipientPrivate, SuiteName

ROOT: Final = Path(__file__).parents[1]
SCENE: Final = ROOT / "appliance" / "simulator" / "scenes" / "retina.jpg"
WIDTH, HEIGHT = 4056, 3040
BATCH: Final = 5
MOST: Final = 1.5
EIGHTH: Final = "decode at an eighth of the size"

Costs = dict[str, list[float]]
"""Milliseconds of the processor a photo, by what they went to; "wall" in a name: the clock's."""


def photograph(number: int = 0) -> bytes:
    """A 12 MP JPEG as the device would write it, with a sensor's noise; each number another."""
    out = io.BytesIO()
    noise = Image.effect_noise((WIDTH, HEIGHT), 12).convert("RGB")
    with Image.open(SCENE) as image:
        large = ImageChops.offset(image.convert("RGB").resize(noise.size), 8 * number)
        Image.blend(large, noise, 0.5).save(out, "JPEG", quality=92)
    return out.getvalue()


@contextmanager
def gateway(folder: Path, device: str) -> Iterator[Callable[[list[int]], dict[str, float]]]:
    """Run one; what is given files photos by their numbers."""
    argv = [sys.executable, "-m", "bench.one_gateway", str(folder), device]
    process = subprocess.Popen(
        tied(argv),
        cwd=ROOT,
        env={**os.environ, **ALLOCATOR_ENV},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=(folder / "log").open("wb"),
        text=True,
    )
    assert process.stdin is not None and process.stdout is not None

    def file(numbers: list[int]) -> dict[str, float]:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps(numbers) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        assert line, (folder / "log").read_text()[-2000:]
        found: dict[str, float] = json.loads(line)
        return found

    try:
        yield file
    finally:
        process.stdin.close()
        process.wait(30)
        process.stdout.close()


class Site:
    """A hospital, a device that has sealed so many photos, and the bare work on the same photos."""

    def __init__(self, folder: Path, photos: int, more: dict[str, dict[str, Any]]) -> None:
        self.folder = folder
        (folder / "sent").mkdir(parents=True)
        hospital = furnish(Hospital(folder, suite=SuiteName.HYBRID), **more)
        (folder / SETTINGS).write_text(json.dumps(hospital.settings))
        self.device: Device = hospital.enrol()
        private = Private(bed=SHOWN, quality={}, band="4711")
        self.photos: list[Photo] = []
        for number in range(photos):
            photo = self.device.photo(photograph(number), private=private)
            Sent.of(photo).write(folder / "sent" / str(number))
            self.photos.append(photo)
        key = RecipientPrivate.decode((hospital.site.gateway / "opening.key").read_bytes())
        self.bare = Bare(folder / "bare", key, WIDTH * HEIGHT)

    def record(self, number: int, jpeg: memoryview) -> Record:
        """What a photo's record is like; for bare work, which does not find it out."""
        usual = record(width=WIDTH, height=HEIGHT)
        digest = hashlib.sha256(jpeg).hexdigest()
        proof = {**usual.proof, "consent": f"{number:064x}"}
        return replace(usual, photo=f"{number:064x}", jpeg=jpeg, jpeg_sha256=digest, proof=proof)


def in_folder(site: Site, number: int, costs: Costs, *, reported: bool) -> Record:
    """Do the bare work of filing into the folder."""
    with timed(costs, "decrypt"):
        jpeg = site.bare.decrypt(site.photos[number].envelope)
    one = site.record(number, jpeg)
    with timed(costs, "write and compare"):
        path = site.bare.write(one)
    with timed(costs, "decode"):
        site.bare.decode(jpeg)
    with timed(costs, EIGHTH):
        site.bare.decode(jpeg, shrink=SHRINK)
    if reported:
        with timed(costs, "report"):
            site.bare.report(one, path)
    return one


@contextmanager
def timed(costs: Costs, what: str) -> Iterator[None]:
    """Note what is done in it."""
    used, begun = processor_seconds(), time.perf_counter()
    yield
    costs.setdefault(f"{what}, wall", []).append((time.perf_counter() - begun) * 1000)
    costs.setdefault(what, []).append((processor_seconds() - used) * 1000)


def measure(site: Site, photos: int, bare: Callable[[int, Costs], None]) -> Costs:
    """Have ``photos`` filed, and do the bare work on the same ones, batch by batch."""
    costs: Costs = {}
    with gateway(site.folder, site.device.name) as file:
        for first in range(0, photos, BATCH):
            numbers = list(range(first, min(first + BATCH, photos)))
            took = file(numbers)
            for number in numbers:
                bare(number, costs)
            if first:  # what the first batch loads and finds is there for all that follow
                for what, seconds in (("ours", "processor"), ("ours, filed", "filed")):
                    costs.setdefault(what, []).append(took[seconds] * 1000 / len(numbers))
    return costs


def folder_alone(folder: Path, photos: int, *, reported: bool) -> Costs:
    """File into the folder."""
    site = Site(folder, photos, {"filing": {"report": "later" if reported else "none"}})

    def bare(number: int, costs: Costs) -> None:
        in_folder(site, number, costs, reported=reported)

    try:
        return measure(site, photos, bare)
    finally:
        site.bare.close()


def everywhere(folder: Path, photos: int) -> Costs:
    """File into the folder, a FHIR server and an archive."""
    with ExitStack() as stack:
        server = stack.enter_context(FhirServer().wait())
        archive = Orthanc(folder / "orthanc", _free_port()).wait()
        stack.callback(archive.close)
        fhir = FhirSettings(url=server.url, required=True)
        dicom = DicomSettings(url=archive.url, required=True)
        site = Site(
            folder / "site",
            photos,
            {
                "filing": {"report": "later"},
                "[fhir]": {"url": fhir.url, "required": True},
                "[dicom]": {"url": dicom.url, "required": True},
            },
        )
        stack.callback(site.bare.close)

        def bare(number: int, costs: Costs) -> None:
            one = in_folder(site, number, costs, reported=True)
            ready = site.bare.prepare(one, fhir, dicom)
            with timed(costs, "FHIR"):
                site.bare.to_fhir(one, ready, fhir)
            with timed(costs, "DICOM"):
                site.bare.to_archive(one, ready, dicom)

        return measure(site, photos, bare)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def table(costs: Costs) -> tuple[list[Sequence[str]], float, float]:
    """Return the rows of one way to file, and the ratios: to all bare parts, with either decode."""
    middle = {what: statistics.median(taken) for what, taken in costs.items()}
    parts = [what for what in middle if "," not in what and what not in ("ours", EIGHTH)]
    bare = sum(middle[what] for what in parts)
    less = bare - middle["decode"] + middle[EIGHTH]

    def row(what: str, cost: float, *, each: bool = False) -> Sequence[str]:
        return what, f"{cost:.0f}", f"{cost / bare:.2f}", f"{1000 / cost:.1f}" if each else ""

    rows = [row(f"bare: {what}", middle[what]) for what in parts]
    rows += [row("bare, together", bare, each=True), row(EIGHTH, middle[EIGHTH])]
    rows.append(row("the sum with that instead", less, each=True))
    what, *figures = row("ours", middle["ours"], each=True)
    rows.append((f"**{what}**", *(f"**{figure}**" for figure in figures)))
    return rows, middle["ours"] / bare, middle["ours"] / less


def main() -> None:
    """Measure, print, and keep if asked to."""
    parser = argparse.ArgumentParser(prog="python -m bench.filing", description=__doc__)
    parser.add_argument("--photos", type=int, default=25)
    parser.add_argument("--keep", action="store_true", help="write docs/bench.md")
    options = parser.parse_args()
    ways: dict[str, Callable[[Path, int], Costs]] = {
        "folder": partial(folder_alone, reported=False),
        "folder, with its report": partial(folder_alone, reported=True),
        "folder, FHIR and DICOM, with reports": everywhere,
    }
    said, load = [], os.getloadavg()[0]
    for what, way in ways.items():
        with tempfile.TemporaryDirectory(prefix="ws-fil-") as name:
            costs = way(Path(name) / "one", options.photos)
        rows, ratio, strict = table(costs)
        walls = {name: statistics.median(ms) for name, ms in costs.items() if "," in name}
        bare_wall = sum(ms for name, ms in walls.items() if name.endswith(", wall"))
        bare_wall -= walls[f"{EIGHTH}, wall"]
        head = (f"{what}: one photo, median", "processor ms", "to bare", "a second and core")
        said.append(
            f"{report.table(head, rows)}\n\n"
            f"{ratio:.2f} x bare (at most {MOST}), and {strict:.2f} x with the smaller decode,"
            f" the gateway's own. By the clock {1000 / walls['ours, filed']:.1f} photos a second"
            f" were filed, and {1000 / bare_wall:.1f} by bare work."
        )
    text = (
        f"## Filing\n\n{report.machine()} `python -m bench.filing`: {options.photos} photos of 12"
        f" MP; load {load:.1f} on {os.cpu_count()}.\n\n" + "\n\n".join(said)
    )
    print(text)
    if options.keep:
        report.keep("filing", text)


if __name__ == "__main__":
    main()
