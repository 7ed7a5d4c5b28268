"""The DICOMweb archive as a record system.

Idempotent: instances have the same UIDs and bytes whenever they are made, and the archive is
asked for them first (QIDO-RS). What is stored is fetched again (WADO-RS), whole, and the
encapsulated JPEG is compared byte for byte.
"""

import io
from typing import Any, Final

from pydicom import dcmread
from pydicom.dataset import FileDataset
from pydicom.encaps import generate_frames
from pydicom.errors import InvalidDicomError
from pydicom.uid import EncapsulatedPDFStorage, VLPhotographicImageStorage

from base.errors import FormatError
from gateway.filing.base import Filed, FilingError
from gateway.filing.dicom import multipart, objects
from gateway.filing.dicom.objects import Place, Uids
from gateway.filing.record import Record
from gateway.filing.settings import DicomSettings
from gateway.filing.web import Gone, Web
from gateway.report.making import ReportError, Style, make_report

_JSON: Final = "application/dicom+json"
_WHOLE: Final = 'multipart/related; type="application/dicom"; transfer-syntax=*'
_FAILED: Final = "00081198"
_STORED: Final = "00081199"


class Dicom:
    """One archive."""

    deletes = False

    def __init__(self, settings: DicomSettings, style: Style) -> None:
        self.name = settings.name
        self._settings = settings
        self._style = style
        self._web = Web(settings)

    def stage(self, photo: str, jpeg: memoryview) -> None:
        """Nothing of it may be in the archive before it is filed."""

    def unstage(self, photo: str) -> None:
        """Nothing was staged."""

    def probe(self) -> None:
        """Ask for an instance that nobody has."""
        self._find("2.25.0")

    def close(self) -> None:
        """Close every connection."""
        self._web.close()

    def file(self, record: Record) -> str:
        """Store the photo, and its report, unless they are there."""
        uids = Uids(self._settings.uid_root, record.key)
        there = self._find(uids.photo)
        wanted = [uids.photo]
        fresh: list[bytes] = []
        if there is None:
            fresh.append(objects.photo(record, self._settings, self._style))
        if self._settings.report and self._find(uids.report) is None:
            wanted.append(uids.report)
            try:
                pdf = make_report(record, self._style)
            except ReportError as e:
                raise FilingError(str(e)) from e
            fresh.append(objects.report(record, pdf, self._settings, self._style))
        if fresh:
            self._store(fresh, wanted if there is None else wanted[1:])
        return objects.place_of(record, self._settings).path

    def _store(self, files: list[bytes], wanted: list[str]) -> None:
        kind, body = multipart.join(files)
        answer = self._web.request(
            "POST",
            "/studies",
            headers={"Content-Type": kind, "Accept": _JSON},
            content=body,
        )
        said = _first(_json(answer, self.name))
        stored = {_value(item, "00081155") for item in said.get(_STORED, {}).get("Value", [])}
        if said.get(_FAILED, {}).get("Value") or not set(wanted) <= stored:
            raise FilingError(f"{self.name} did not store all of it")

    def read_back(self, record: Record, reference: str) -> None:
        """Fetch both instances and compare what must not have changed."""
        uids = Uids(self._settings.uid_root, record.key)
        ds = self._fetch(reference)
        try:
            frames = list(generate_frames(ds.PixelData, number_of_frames=1))
            same = ds.SOPInstanceUID == uids.photo and _unpadded(frames[0], record.jpeg)
        except (AttributeError, ValueError, IndexError, EOFError) as e:
            raise FilingError(f"{self.name} gives back something else") from e
        patient = record.assignment.patient
        whose = "" if patient is None else objects.line(patient.number)
        if not same or str(ds.get("PatientID") or "") != whose:
            raise FilingError(f"{self.name} gives back something else")
        if self._settings.report:
            there = self._find(uids.report)
            if there is None:
                raise FilingError(f"{self.name} has the photo and not its report")
            pdf = self._fetch(there.path).get("EncapsulatedDocument") or b""
            if not pdf.startswith(b"%PDF-") or bytes(record.jpeg) not in pdf:
                raise FilingError(f"{self.name} gives back another report")

    def undo(self, filed: Filed, at_ms: int) -> None:
        """Reject the instances where the site wants that; otherwise the care copy stays as is."""
        if self._settings.reject_undone:
            self._reject(filed, objects.OBJECTION, at_ms)

    def correct(self, filed: Filed, at_ms: int) -> None:
        """Reject the instances as filed to the wrong patient (IHE IOCM, 113038).

        Those that stand anew with more said about them are rejected for quality (113001).
        """
        why = objects.REPLACED if filed.replaced else objects.WRONG_PATIENT
        self._reject(filed, why, at_ms)

    def _reject(self, filed: Filed, why: tuple[str, str, str], at_ms: int) -> None:
        uids = Uids(self._settings.uid_root, filed.key)
        looked = [
            (VLPhotographicImageStorage, self._find(uids.photo)),
            (EncapsulatedPDFStorage, self._find(uids.report)),
        ]
        places = [(str(kind), place) for kind, place in looked if place is not None]
        note = uids.of(f"note {why[0]}")
        if places and self._find(note) is None:
            made = objects.rejection(places, filed, why, self._settings, at_ms)
            self._store([made], [note])

    # -- DICOMweb ---------------------------------------------------------------------------------

    def _find(self, instance: str) -> Place | None:
        """QIDO-RS: where the archive has this instance, if it does."""
        try:
            answer = self._web.request(
                "GET",
                "/instances",
                headers={"Accept": _JSON},
                params={"SOPInstanceUID": instance},
            )
        except Gone:
            return None
        if not answer.content:
            return None  # 204: nothing matches
        for found in _json(answer, self.name):
            if isinstance(found, dict) and _value(found, "00080018") == instance:
                study, series = _value(found, "0020000D"), _value(found, "0020000E")
                if _is_uid(study) and _is_uid(series):
                    return Place(study, series, instance)
                raise FilingError(f"{self.name} does not say where an instance is")
        return None

    def _fetch(self, path: str) -> FileDataset:
        """WADO-RS: the instance as it was stored."""
        try:
            answer = self._web.request("GET", f"/{path}", headers={"Accept": _WHOLE})
            (part,) = multipart.split(answer.headers.get("content-type", ""), answer.content)
            return dcmread(io.BytesIO(part))
        except (Gone, FormatError, InvalidDicomError, ValueError, EOFError) as e:
            raise FilingError(f"{self.name} does not give it back") from e


def _json(answer: Any, name: str) -> list[Any]:
    try:
        found = answer.json()
    except ValueError as e:
        raise FilingError(f"{name} answered with something that is no JSON") from e
    return found if isinstance(found, list) else [found]


def _first(found: list[Any]) -> dict[str, Any]:
    return found[0] if found and isinstance(found[0], dict) else {}


def _value(item: Any, tag: str) -> str:
    values = item.get(tag, {}).get("Value", []) if isinstance(item, dict) else []
    return str(values[0]) if values else ""


def _is_uid(text: str) -> bool:
    return 0 < len(text) <= 64 and set(text) <= set("0123456789.")


def _unpadded(frame: bytes, jpeg: memoryview) -> bool:
    """An encapsulated frame may have one byte more, to be even."""
    extra = len(frame) - len(jpeg)
    return extra in (0, 1) and frame[: len(jpeg)] == jpeg
