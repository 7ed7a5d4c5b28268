"""The bare parts of filing a photo, each done as a few lines of Python around a library would.

Nothing is looked for, verified, remembered, built, checked or parsed but what the library needs:
decrypting the envelope, decoding the JPEG at the size at which the gateway does, writing and
fsyncing files and comparing them, setting the report, sending finished requests and fetching their
content again. They run in this process, one after the other.
"""

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import httpx2
import typst

from base.durable import fsync_dir
from base.memory import Buffer
from base.turbojpeg import Decoder
from gateway.filing.dicom import multipart, objects
from gateway.filing.fhir.resources import transaction
from gateway.filing.record import Record
from gateway.filing.settings import DicomSettings, FhirSettings
from gateway.filing.text import plain_all
from gateway.report import typesetter
from gateway.report.making import Style, describe, make_report
from tests.gateway.filing.photos import AT_MS
from wire import envelope
from wire.hpke import RecipientPrivate

PAGE: Final = b"{}" * 600
"""About the JSON of a photo."""

STAND_IN: Final = b"stand-in.jpg"
"""What the gateway's template shows in place of the photo."""

_WHOLE: Final = 'multipart/related; type="application/dicom"; transfer-syntax=*'


@dataclass(frozen=True)
class Requests:
    """What is sent for one photo, ready: a FHIR transaction, and two instances as multipart."""

    bundle: bytes
    kind: str
    instances: bytes
    pdf: bytes


class Bare:
    """The parts; ``folder`` is where photos are written, ``key`` the one they are sealed to.

    ``pixels``: of the largest photo.
    """

    def __init__(self, folder: Path, key: RecipientPrivate, pixels: int) -> None:
        folder.mkdir()
        self._folder = folder
        self._key = key
        self._room = Buffer(envelope.MAX_ENVELOPE)
        self._decoder = Decoder()
        self._planes = Buffer(2 * pixels)
        self._client = httpx2.Client(trust_env=False, timeout=60)
        self._style = Style()

    def close(self) -> None:
        """Let go of everything."""
        self._client.close()
        self._decoder.close()
        self._planes.close()
        self._room.close()

    def decrypt(self, sealed: bytes) -> memoryview:
        """Return the JPEG."""
        return envelope.open_into(envelope.parse(sealed), self._key, self._room.view).jpeg

    def decode(self, jpeg: memoryview, *, shrink: int = 1) -> None:
        """Decode by libjpeg-turbo, into memory that is there."""
        self._decoder.decode_yuv(jpeg, self._planes.view, shrink=shrink)

    def write(self, one: Record) -> Path:
        """Write JPEG and page, and compare the JPEG; return where it is."""
        path = self._folder / f"{one.key}.jpg"
        self._write(path, one.jpeg)
        self._write(path.with_suffix(".json"), PAGE)
        fsync_dir(self._folder)
        assert path.read_bytes() == one.jpeg
        return path

    def report(self, one: Record, jpeg: Path) -> bytes:
        """Set the report with its photo, write it, and find the photo in it."""
        shape = {"width": one.width, "height": one.height, "alt": "photo"}
        data = plain_all(describe(one, self._style) | {"picture": shape})
        template = typesetter.TEMPLATE.read_bytes()
        assert STAND_IN in template
        pdf: Any = typst.compile(  # type: ignore[call-overload]  # of its stub
            template.replace(STAND_IN, jpeg.name.encode()),
            root=self._folder,
            sys_inputs={"data": json.dumps(data)},
            pdf_standards="ua-1",
        )
        path = jpeg.with_suffix(".pdf")
        self._write(path, memoryview(pdf))
        fsync_dir(self._folder)
        assert path.read_bytes().find(bytes(one.jpeg)) > 0
        return bytes(pdf)

    def _write(self, path: Path, content: bytes | memoryview) -> None:
        with path.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    # -- record systems ---------------------------------------------------------------------------

    def prepare(self, one: Record, fhir: FhirSettings, dicom: DicomSettings) -> Requests:
        """Build the requests; not to be timed."""
        pdf = make_report(one, self._style)
        bundle = transaction(one, pdf, None, fhir, AT_MS)
        files = [
            objects.photo(one, dicom, self._style),
            objects.report(one, pdf, dicom, self._style),
        ]
        return Requests(json.dumps(bundle).encode(), *multipart.join(files), pdf)

    def to_fhir(self, one: Record, ready: Requests, fhir: FhirSettings) -> None:
        """Send the transaction; fetch photo and report, and compare them."""
        kind = {"content-type": "application/fhir+json"}
        done = self._client.post(fhir.url, content=ready.bundle, headers=kind).json()
        for number, accept in ((1, "image/jpeg"), (2, "application/pdf")):
            url = f"{fhir.url}/{done['entry'][number]['response']['location']}"
            got = self._client.get(url, headers={"accept": accept}).content
            assert got == (one.jpeg if number == 1 else ready.pdf)

    def to_archive(self, one: Record, ready: Requests, dicom: DicomSettings) -> None:
        """Store both instances; fetch both, and find the photo in them."""
        headers = {"content-type": ready.kind, "accept": "application/dicom+json"}
        studies = f"{dicom.url}/studies"
        self._client.post(studies, content=ready.instances, headers=headers).raise_for_status()
        place, uids = objects.place_of(one, dicom), objects.Uids("2.25", one.key)
        report = replace(place, series=uids.of("reports"), instance=uids.report)
        for one_of_them in (place, report):
            url = f"{dicom.url}/{one_of_them.path}"
            got = self._client.get(url, headers={"accept": _WHOLE}).content
            assert bytes(one.jpeg) in got
