"""A record as DICOM instances. Pure, and the same bytes for the same record.

    VL Photographic Image   PS3.3 A.32.4; the JPEG is encapsulated as it is, never re-encoded
    Encapsulated PDF        PS3.3 A.45.1; the report
    Key Object Selection    PS3.3 A.35.4 as a rejection note (IHE IOCM)

UIDs follow from the record's key, so filing again means the same instances, and a photo that
was moved to another patient has new ones. Photos of one consent are one study.
"""

import io
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.filewriter import dcmwrite
from pydicom.uid import (
    UID,
    EncapsulatedPDFStorage,
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    KeyObjectSelectionDocumentStorage,
    VLPhotographicImageStorage,
)

from gateway.filing.base import Filed
from gateway.filing.record import Assignment, Record
from gateway.filing.settings import DicomSettings
from gateway.filing.text import plain
from gateway.receipts import clip
from gateway.report.making import Style

WRONG_PATIENT: Final = ("113038", "DCM", "Incorrect Modality Worklist Entry")
REPLACED: Final = ("113001", "DCM", "Rejected for Quality Reasons")
OBJECTION: Final = ("113037", "DCM", "Rejected for Patient Safety Reasons")
_SIDES: Final = {"left": "L", "right": "R", "both": "B"}
_SEXES: Final = {"male": "M", "female": "F", "other": "O"}
_IMPLEMENTATION: Final = "2.25.241873062940276151846372093410231"
_PN: Final = str.maketrans({"^": " ", "=": " ", "\\": "/"})


@dataclass(frozen=True)
class Uids:
    """The UIDs of what is filed under ``key``; the study's needs the record."""

    root: str
    key: str

    def of(self, what: str) -> str:
        """Return the UID of ``what``, of at most 64 characters."""
        return _uid(self.root, f"{self.key}/{what}")

    @property
    def photo(self) -> str:
        return self.of("photo")

    @property
    def report(self) -> str:
        return self.of("report")


@dataclass(frozen=True)
class Place:
    """Where an instance is: what a reference says, and a rejection note refers to."""

    study: str
    series: str
    instance: str

    @property
    def path(self) -> str:
        return f"studies/{self.study}/series/{self.series}/instances/{self.instance}"


def place_of(record: Record, settings: DicomSettings) -> Place:
    """Return where the photo goes."""
    uids = Uids(settings.uid_root, record.key)
    return Place(_study(record, settings), uids.of("photos"), uids.photo)


def photo(record: Record, settings: DicomSettings, style: Style) -> bytes:
    """Return the image as a DICOM file."""
    place = place_of(record, settings)
    ds = instance(VLPhotographicImageStorage, place, JPEGBaseline8Bit)
    when = _captured(record, style)
    _patient(ds, record.assignment)
    _study_and_series(ds, when, modality="XC", number=1)
    _equipment(ds, record.device, settings)
    ds.InstanceNumber = 1
    ds.PatientOrientation = None
    ds.ImageType = ["ORIGINAL", "PRIMARY"]
    ds.AcquisitionContextSequence = []
    if when is not None:
        ds.AcquisitionDateTime = when.strftime("%Y%m%d%H%M%S.%f%z")
        ds.ContentDate, ds.ContentTime = _date(when), _time(when)
    ds.ImageComments = plain(
        f"Wardseal {record.photo}; level {record.level}; basis {record.basis}; bed {record.bed}"
        + (f"; {record.assignment.note}" if record.assignment.note else "")
    ).replace("\\", "/")[:1024]
    if record.badge is not None:
        ds.OperatorIdentificationSequence = [_operator(record.badge, settings)]
    site = record.assignment.site
    if site is not None:
        ds.AnatomicRegionSequence = [code(site.code, "SCT", site.display)]
    label = record.read_label
    side = _SIDES.get(site.side) if site is not None else label and label.side
    if side:
        ds.ImageLaterality = side
    else:
        ds.Laterality = None  # not known, which is never a guess
    put_picture(ds, record.jpeg, record.width, record.height)
    return file_of(ds)


def report(record: Record, pdf: bytes, settings: DicomSettings, style: Style) -> bytes:
    """Return the PDF report as a DICOM file, in a series of its own."""
    uids = Uids(settings.uid_root, record.key)
    there = Place(_study(record, settings), uids.of("reports"), uids.report)
    ds = instance(EncapsulatedPDFStorage, there, ExplicitVRLittleEndian)
    when = _captured(record, style)
    _patient(ds, record.assignment)
    _study_and_series(ds, when, modality="DOC", number=2)
    _equipment(ds, record.device, settings)
    ds.ConversionType = "WSD"
    ds.InstanceNumber = 1
    ds.ContentDate, ds.ContentTime = _date(when), _time(when)
    ds.AcquisitionDateTime = when and when.strftime("%Y%m%d%H%M%S.%f%z")
    ds.BurnedInAnnotation = "YES"
    ds.DocumentTitle = "Clinical photograph"
    ds.ConceptNameCodeSequence = [
        code("72170-4", "LN", "Photographic image Unspecified body region Document")
    ]
    source = Dataset()
    source.ReferencedSOPClassUID, source.ReferencedSOPInstanceUID = (
        VLPhotographicImageStorage,
        uids.photo,
    )
    ds.SourceInstanceSequence = [source]
    ds.MIMETypeOfEncapsulatedDocument = "application/pdf"
    ds.EncapsulatedDocumentLength = len(pdf)
    ds.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)
    return file_of(ds)


def rejection(
    places: list[tuple[str, Place]],
    filed: Filed,
    why: tuple[str, str, str],
    settings: DicomSettings,
    at_ms: int,
) -> bytes:
    """Return the note that rejects instances: ``places`` are (SOP class, where), of one study."""
    study = places[0][1].study
    uids = Uids(settings.uid_root, filed.key)
    note = Place(study, uids.of(f"notes {why[0]}"), uids.of(f"note {why[0]}"))
    ds = instance(KeyObjectSelectionDocumentStorage, note, ExplicitVRLittleEndian)
    when = datetime.fromtimestamp(at_ms / 1000, UTC)
    _patient(ds, filed.assignment)
    _study_and_series(ds, None, modality="KO", number=3)
    _equipment(ds, "gateway", settings)
    ds.InstanceNumber = 1
    ds.ContentDate, ds.ContentTime = _date(when), _time(when)
    ds.ReferencedPerformedProcedureStepSequence = []
    ds.ValueType = "CONTAINER"
    ds.ConceptNameCodeSequence = [code(*why)]
    ds.ContinuityOfContent = "SEPARATE"
    template = Dataset()
    template.MappingResource, template.TemplateIdentifier = "DCMR", "2010"
    ds.ContentTemplateSequence = [template]
    ds.CurrentRequestedProcedureEvidenceSequence = [_evidence(study, places)]
    ds.ContentSequence = [_content(kind, place) for kind, place in places]
    return file_of(ds)


def _evidence(study: str, places: list[tuple[str, Place]]) -> Dataset:
    found = Dataset()
    found.StudyInstanceUID = study
    found.ReferencedSeriesSequence = []
    for kind, place in places:
        series = Dataset()
        series.SeriesInstanceUID = place.series
        series.ReferencedSOPSequence = [_referenced(kind, place)]
        found.ReferencedSeriesSequence.append(series)
    return found


def _content(kind: str, place: Place) -> Dataset:
    item = Dataset()
    item.RelationshipType = "CONTAINS"
    item.ValueType = "IMAGE" if kind == VLPhotographicImageStorage else "COMPOSITE"
    item.ReferencedSOPSequence = [_referenced(kind, place)]
    return item


def _referenced(kind: str, place: Place) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = kind, place.instance
    return item


# -- modules ------------------------------------------------------------------------------------


def put_picture(ds: Dataset, jpeg: memoryview | bytes, width: int, height: int) -> None:
    """The Image Pixel module; the JPEG is encapsulated as it is."""
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 3, "YBR_FULL_422"
    ds.PlanarConfiguration = 0
    ds.Rows, ds.Columns = height, width
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    ds.LossyImageCompression = "01"
    ratio = width * height * 3 / max(1, len(jpeg))
    ds.LossyImageCompressionRatio = f"{ratio:.2f}"
    ds.LossyImageCompressionMethod = "ISO_10918_1"
    ds.PixelData = encapsulate([bytes(jpeg)])
    ds["PixelData"].VR = "OB"


def instance(kind: str, place: Place, syntax: str) -> FileDataset:
    """Return an instance with its SOP Common module and its place."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(kind)
    meta.MediaStorageSOPInstanceUID = UID(place.instance)
    meta.TransferSyntaxUID = UID(syntax)
    meta.ImplementationClassUID = UID(_IMPLEMENTATION)
    ds = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID, ds.SOPInstanceUID = UID(kind), UID(place.instance)
    ds.StudyInstanceUID, ds.SeriesInstanceUID = place.study, place.series
    return ds


def _patient(ds: Dataset, assignment: Assignment) -> None:
    """The Patient module, empty where nobody is known; the stay as its admission."""
    patient, encounter = assignment.patient, assignment.encounter
    name = "" if patient is None else f"{_name(patient.family)}^{_name(patient.given)}"
    ds.PatientName = clip(name, 64).strip("^") or None
    ds.PatientID = patient and line(patient.number)
    if patient is not None and patient.authority:
        ds.IssuerOfPatientID = line(patient.authority)
    born = "" if patient is None else patient.born.replace("-", "")
    ds.PatientBirthDate = born if len(born) == 8 and born.isascii() and born.isdigit() else None
    ds.PatientSex = _SEXES.get(patient.sex) if patient is not None else None
    if encounter is not None:
        ds.AdmissionID = line(encounter.number)


def _study_and_series(ds: Dataset, when: datetime | None, *, modality: str, number: int) -> None:
    ds.StudyDate, ds.StudyTime = _date(when), _time(when)
    ds.ReferringPhysicianName = ds.AccessionNumber = None
    ds.StudyID = ds.StudyInstanceUID[-16:]
    ds.Modality, ds.SeriesNumber = modality, number
    if when is not None:
        ds.TimezoneOffsetFromUTC = when.strftime("%z")[:5]


def _equipment(ds: Dataset, serial: str, settings: DicomSettings) -> None:
    ds.Manufacturer, ds.ManufacturerModelName = "Wardseal", "Wardseal"
    ds.DeviceSerialNumber, ds.SoftwareVersions = line(serial), "1"
    if settings.institution:
        ds.InstitutionName = line(settings.institution)
    if settings.station:
        ds.StationName = line(settings.station, 16)


def _study(record: Record, settings: DicomSettings) -> str:
    whose = record.assignment
    patient = "" if whose.patient is None else f"{whose.patient.authority}/{whose.patient.number}"
    name = f"{record.proof.get('consent', record.photo)}/{whose.number}/{patient}/study"
    return _uid(settings.uid_root, name)


def _uid(root: str, name: str) -> str:
    return f"{root}.{uuid.uuid5(uuid.NAMESPACE_OID, f'wardseal/{name}').int}"


def _captured(record: Record, style: Style) -> datetime | None:
    if record.clock == "none":
        return None
    try:
        return datetime.fromtimestamp(record.captured_ms / 1000, UTC).astimezone(style.zone)
    except (ValueError, OverflowError, OSError):
        return None


def _date(when: datetime | None) -> str | None:
    return None if when is None else when.strftime("%Y%m%d")


def _time(when: datetime | None) -> str | None:
    return None if when is None else when.strftime("%H%M%S.%f")


def line(text: str, most: int = 64) -> str:
    """A value of LO or SH: one line without the backslash that separates values.

    ``most`` bytes, for that is how validators count.
    """
    return clip(plain(text).replace("\\", "/").strip(), most)


def _name(text: str) -> str:
    """A part of a person's name, without the marks that separate its parts."""
    return plain(text).translate(_PN).strip()


def _operator(badge: str, settings: DicomSettings) -> Dataset:
    """Who attested: known by the code on a badge, not by name."""
    person, known = Dataset(), code(badge, "99WARDSEAL", "Staff badge")
    if len(plain(badge).encode()) > 16:
        del known.CodeValue
        known.LongCodeValue = plain(badge).replace("\\", "/")
    person.PersonIdentificationCodeSequence = [known]
    person.InstitutionName = line(settings.institution) or "unknown"
    return person


def code(value: str, scheme: str, meaning: str) -> Dataset:
    """Return a coded entry (PS3.3, 8.8)."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator = line(value, 16), scheme
    item.CodeMeaning = line(meaning)
    return item


def file_of(ds: Any) -> bytes:
    """Return a data set as a DICOM file (PS3.10)."""
    out = io.BytesIO()
    dcmwrite(out, ds, enforce_file_format=True)
    return out.getvalue()
