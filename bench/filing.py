"""Filing one photo after the other, beside the bare cost of the same work.

    python -m bench.filing [--photos N] [--keep]

The same 12 MP JPEG goes into the folder, into a FHIR server and into an archive (``neighbours``),
each photo under an id of its own. Bare means: the same bytes written and fsynced, the report set,
the finished requests sent and the content fetched again with httpx2 and compared, and nothing
looked for, built, checked or parsed. ``--keep`` writes the table to docs/bench.md.
"""

import argparse
import hashlib
import io
import json
import os
import socket
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx2
from PIL import Image

from base.durable import fsync_dir
from bench import report
from gateway.filing.base import Sink
from gateway.filing.dicom import Dicom, multipart, objects
from gateway.filing.fhir import Fhir
from gateway.filing.fhir.resources import transaction
from gateway.filing.folder import Folder
from gateway.filing.record import Record
from gateway.filing.settings import DicomSettings, FhirSettings
from gateway.report.making import Style, make_report
from neighbours.archive import Orthanc
from neighbours.fhir import FhirServer
from tests.gateway.filing.photos import AT_MS, record

SCENE = Path(__file__).parents[1] / "appliance" / "simulator" / "scenes" / "retina.jpg"


def photograph() -> bytes:
    """A 12 MP JPEG as the device would write it: with a sensor's noise."""
    out = io.BytesIO()
    noise = Image.effect_noise((4056, 3040), 12).convert("RGB")
    with Image.open(SCENE) as image:
        large = image.convert("RGB").resize(noise.size)
        Image.blend(large, noise, 0.5).save(out, "JPEG", quality=92)
    return out.getvalue()


class Work:
    """One way to file: ``ours`` by the sinks, ``bare`` by hand."""

    def __init__(self, folder: Path, fhir: FhirServer, archive: Orthanc) -> None:
        self._folder = folder
        self._style = Style()
        self._fhir = FhirSettings(url=fhir.url, required=True)
        self._dicom = DicomSettings(url=archive.url, required=True)
        self.to_folder: list[Sink] = [Folder(folder / "ours")]
        self.to_servers: list[Sink] = [
            *self.to_folder,
            Fhir(self._fhir, self._style, lambda: AT_MS),
            Dicom(self._dicom, self._style),
        ]
        self._client = httpx2.Client(trust_env=False, timeout=60)
        (folder / "bare").mkdir()

    def ours(self, sinks: list[Sink], one: Record) -> None:
        placed = [(sink, sink.file(one)) for sink in sinks]
        for sink, reference in placed:
            sink.read_back(one, reference)

    def bare_folder(self, one: Record) -> None:
        for end, content in ((".jpg", one.jpeg), (".json", b"{}" * 400)):
            path = self._folder / "bare" / f"{one.key}{end}"
            with path.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        fsync_dir(self._folder / "bare")
        assert (self._folder / "bare" / f"{one.key}.jpg").read_bytes() == one.jpeg

    def prepare(self, one: Record) -> tuple[bytes, str, bytes]:
        """Build the requests; not timed."""
        pdf = make_report(one, self._style)
        bundle = transaction(one, pdf, None, self._fhir, AT_MS)
        files = [
            objects.photo(one, self._dicom, self._style),
            objects.report(one, pdf, self._dicom, self._style),
        ]
        return json.dumps(bundle).encode(), *multipart.join(files)

    def bare_servers(self, one: Record, ready: tuple[bytes, str, bytes]) -> None:
        body, kind, instances = ready
        self.bare_folder(one)
        pdf = make_report(replace(one), self._style)  # another object: it is set anew
        json_kind = {"content-type": "application/fhir+json"}
        done = self._client.post(self._fhir.url, content=body, headers=json_kind).json()
        for number, kind_of in ((1, "image/jpeg"), (2, "application/pdf")):
            where = done["entry"][number]["response"]["location"]
            url = f"{self._fhir.url}/{where}"
            got = self._client.get(url, headers={"accept": kind_of}).content
            assert got == (one.jpeg if number == 1 else pdf)
        self._client.post(
            f"{self._dicom.url}/studies",
            content=instances,
            headers={"content-type": kind, "accept": "application/dicom+json"},
        ).raise_for_status()
        whole = {"accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}
        place = objects.place_of(one, self._dicom)
        uids = objects.Uids("2.25", one.key)
        for path in (
            place.path,
            replace(place, series=uids.of("reports"), instance=uids.report).path,
        ):
            got = self._client.get(f"{self._dicom.url}/{path}", headers=whole).content
            assert bytes(one.jpeg) in got

    def close(self) -> None:
        for sink in self.to_servers:
            sink.close()
        self._client.close()


def measure(photos: int) -> list[tuple[str, float, float]]:
    """Return (what, bare ms, our ms), medians of interleaved rounds."""
    jpeg = photograph()
    usual = record(jpeg=jpeg, width=4056, height=3040)
    digest = hashlib.sha256(jpeg).hexdigest()
    numbers = iter(range(10**6))

    def fresh() -> Record:
        number = next(numbers)
        proof = {**usual.proof, "consent": f"{number:064x}"}
        return replace(usual, photo=f"{number:064x}", jpeg_sha256=digest, proof=proof)

    def timed(work: Callable[[], None]) -> float:
        begun = time.perf_counter()
        work()
        return (time.perf_counter() - begun) * 1000

    with tempfile.TemporaryDirectory() as name, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        fhir, archive = FhirServer().wait(), Orthanc(Path(name) / "orthanc", port).wait()
        work = Work(Path(name), fhir, archive)
        times: dict[str, list[float]] = {}
        try:
            for _ in range(photos):
                one, two, three = fresh(), fresh(), fresh()
                four = fresh()
                ready = work.prepare(three)
                for what, do in (
                    ("folder bare", lambda: work.bare_folder(one)),  # noqa: B023
                    ("folder ours", lambda: work.ours(work.to_folder, two)),  # noqa: B023
                    ("servers bare", lambda: work.bare_servers(three, ready)),  # noqa: B023
                    ("servers ours", lambda: work.ours(work.to_servers, four)),  # noqa: B023
                ):
                    times.setdefault(what, []).append(timed(do))
        finally:
            work.close()
            archive.close()
            fhir.close()
    middle = {what: statistics.median(taken) for what, taken in times.items()}
    return [
        ("folder", middle["folder bare"], middle["folder ours"]),
        ("folder, FHIR and DICOM", middle["servers bare"], middle["servers ours"]),
    ]


def main() -> None:
    """Measure, print, and keep if asked to."""
    parser = argparse.ArgumentParser(prog="python -m bench.filing", description=__doc__)
    parser.add_argument("--photos", type=int, default=20)
    parser.add_argument("--keep", action="store_true", help="write docs/bench.md")
    options = parser.parse_args()
    rows = [
        (f"{what}: bare, **ours**", f"{bare:.0f}", f"**{ours:.0f}**", f"**{ours / bare:.2f}**",
         f"{1000 / ours:.1f}")
        for what, bare, ours in measure(options.photos)
    ]  # fmt: skip
    head = ("one 12 MP photo filed and read back, median", "bare ms", "ms", "to bare", "a second")
    size = len(photograph()) / 1e6
    text = (
        f"## Filing\n\n{report.machine()} `python -m bench.filing`: a JPEG of {size:.1f} MB; both"
        " servers on the same two cores, which is most of the time.\n\n"
        f"{report.table(head, rows)}"
    )
    print(text)
    if options.keep:
        report.keep("filing", text)


if __name__ == "__main__":
    main()
