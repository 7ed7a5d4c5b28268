"""The DICOM sink against a real archive: stored once, found by QIDO, byte for byte by WADO."""

import io
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.encaps import generate_frames

from base.errors import ConfigError, FormatError
from gateway.filing.base import FilingError, Sink
from gateway.filing.dicom import Dicom, multipart, objects
from gateway.filing.dicom.objects import Uids
from gateway.filing.record import Assignment, Record
from gateway.filing.settings import DicomSettings
from gateway.report.making import Style
from neighbours.archive import Orthanc
from tests.gateway.filing.faulty import FAULTS, FaultyLine
from tests.gateway.filing.photos import (
    AT_MS,
    HOSTILE,
    OTHER,
    PHOTO,
    WHOSE,
    filed_of,
    hostile,
    picture,
    record,
)

UIDS = Uids("2.25", PHOTO)


@pytest.fixture(scope="module")
def started(
    tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]
) -> Iterator[Orthanc]:
    orthanc = Orthanc(tmp_path_factory.mktemp("archive") / "orthanc", free_port()).wait()
    yield orthanc
    orthanc.close()


@pytest.fixture
def archive(started: Orthanc) -> Orthanc:
    """An archive that has nothing."""
    started.clear()
    return started


@pytest.fixture
def opened() -> Iterator[Callable[..., Dicom]]:
    made: list[Dicom] = []

    def make(url: str, **settings: Any) -> Dicom:
        made.append(Dicom(DicomSettings(url=url, **({"report": False} | settings)), Style()))
        return made[-1]

    yield make
    for one in made:
        one.close()


def file(sink: Sink, one: Record) -> str:
    """As the cabinet does."""
    reference = sink.file(one)
    sink.read_back(one, reference)
    return reference


def verdict(tmp_path: Path, raw: bytes) -> list[str]:
    """What dciodvfy finds wrong with a DICOM file."""
    path = tmp_path / "one.dcm"
    path.write_bytes(raw)
    said = subprocess.run(["dciodvfy", path], capture_output=True, text=True)
    return [line for line in said.stderr.splitlines() if line.startswith("Error")]


def test_a_photo_is_stored_unchanged_and_a_viewer_finds_it(
    archive: Orthanc, opened: Callable[..., Dicom], tmp_path: Path
) -> None:
    sink: Sink = opened(archive.url, report=True, institution="St Example")
    reference = file(sink, record())
    (image,) = archive.instances("XC")
    (report,) = archive.instances("DOC")
    assert image["00080018"]["Value"] == [UIDS.photo]
    assert image["00100010"]["Value"][0]["Alphabetic"] == "Muster^Erika"
    assert image["00100020"]["Value"] == ["4711"]
    assert image["0020000D"] == report["0020000D"]
    assert picture() in archive.frame(reference)
    ds = dcmread(io.BytesIO(archive.file(UIDS.photo)))
    assert str(ds.file_meta.TransferSyntaxUID) == "1.2.840.10008.1.2.4.50"
    (frame,) = generate_frames(ds.PixelData, number_of_frames=1)
    assert frame.rstrip(b"\0") == picture()
    assert (ds.Modality, ds.LossyImageCompression, ds.ImageLaterality) == ("XC", "01", "L")
    assert ds.AnatomicRegionSequence[0].CodeValue == "76853006"
    assert (ds.AcquisitionDateTime, ds.DeviceSerialNumber) == (
        "20231114221320.000000+0000",
        "ward3-bed12",
    )
    assert not [element for element in ds.iterall() if "GPS" in element.name]
    for uid in (UIDS.photo, UIDS.report):
        assert verdict(tmp_path, archive.file(uid)) == []


def test_P5_filing_twice_is_filing_once(archive: Orthanc, opened: Callable[..., Dicom]) -> None:
    sink = opened(archive.url, report=True)
    one = file(sink, record())
    before = archive.file(UIDS.photo), archive.file(UIDS.report)
    assert file(opened(archive.url, report=True), record()) == one
    assert (archive.file(UIDS.photo), archive.file(UIDS.report)) == before
    assert len(archive.instances("XC")) == len(archive.instances("DOC")) == 1


def test_P5_a_report_that_got_lost_is_stored_again(
    archive: Orthanc, opened: Callable[..., Dicom]
) -> None:
    sink = opened(archive.url, report=True)
    reference = file(sink, record())
    archive.delete(UIDS.report)
    with pytest.raises(FilingError, match="has the photo and not its report"):
        sink.read_back(record(), reference)
    file(sink, record())


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_P5_an_archive_that_fails_in_the_middle_has_it_once_in_the_end(
    archive: Orthanc, opened: Callable[..., Dicom], method: str, fault: str
) -> None:
    line = FaultyLine("127.0.0.1", archive.port)
    try:
        sink = opened(f"http://127.0.0.1:{line.port}/dicom-web", timeout_seconds=3)
        line.fail(method, fault)
        # An empty answer to a question cannot break off in its middle.
        if fault in ("error", "silence") or (fault, method) == ("half", "POST"):
            with pytest.raises(FilingError, match=r"answered|in time|cannot be reached|no JSON"):
                file(sink, record())
        file(opened(archive.url), record())
        assert len(archive.instances("XC")) == 1
    finally:
        line.close()


def test_P5_an_archive_that_gives_back_another_picture_is_found_out(
    archive: Orthanc, opened: Callable[..., Dicom]
) -> None:
    sink = opened(archive.url)
    reference = file(sink, record())
    for other in (
        record(jpeg=picture(32, 32)),
        record(assignment=Assignment(patient=OTHER.patient)),
    ):
        with pytest.raises(FilingError, match="gives back something else"):
            sink.read_back(other, reference)
    archive.delete(UIDS.photo)
    with pytest.raises(FilingError, match="does not give it back"):
        sink.read_back(record(), reference)


def test_photos_of_one_consent_are_one_study_of_one_patient() -> None:
    settings = DicomSettings(url="https://h")
    one, two = record(), record(photo="cd" * 32)
    moved = record(assignment=OTHER)
    places = [objects.place_of(each, settings) for each in (one, two, moved)]
    assert places[0].study == places[1].study != places[2].study
    assert len({place.instance for place in places}) == 3
    assert all(len(place.instance) <= 64 for place in places)


def test_a_moved_photo_is_rejected_at_a_and_exactly_once_at_b(
    archive: Orthanc, opened: Callable[..., Dicom], tmp_path: Path
) -> None:
    sink = opened(archive.url, report=True)
    at_a, at_b = record(), record(assignment=OTHER)
    first = file(sink, at_a)
    assert file(sink, at_b) != first
    for known in (first, None):
        sink.correct(filed_of(at_a, known), AT_MS)
    (note,) = archive.instances("KO")
    raw = archive.file(note["00080018"]["Value"][0])
    assert verdict(tmp_path, raw) == []
    ds = dcmread(io.BytesIO(raw))
    assert ds.ConceptNameCodeSequence[0].CodeValue == "113038"
    assert ds.PatientID == "4711"
    rejected = [
        item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for item in ds.ContentSequence
    ]
    assert rejected == [UIDS.photo, UIDS.report]
    at_patients = sorted(image["00100020"]["Value"][0] for image in archive.instances("XC"))
    assert at_patients == ["4711", "9001"]


def test_a_photo_whose_site_was_said_later_stands_anew_and_is_rejected_for_quality(
    archive: Orthanc, opened: Callable[..., Dicom], tmp_path: Path
) -> None:
    sink = opened(archive.url)
    before = record(assignment=replace(WHOSE, site=None))
    after = record(assignment=replace(WHOSE, number=2, note="grade 2"))
    file(sink, before)
    file(sink, after)
    for _ in range(2):
        sink.correct(replace(filed_of(before), replaced=True), AT_MS)
    (note,) = archive.instances("KO")
    ds = dcmread(io.BytesIO(archive.file(note["00080018"]["Value"][0])))
    assert ds.ConceptNameCodeSequence[0].CodeValue == "113001"
    raw = archive.file(Uids(UIDS.root, after.key).photo)
    assert verdict(tmp_path, raw) == []
    ds = dcmread(io.BytesIO(raw))
    assert ds.AnatomicRegionSequence[0].CodeValue == "76853006"
    assert ds.ImageLaterality == "L" and ds.ImageComments.endswith("; grade 2")


@pytest.mark.parametrize(("wanted", "notes"), [(False, 0), (True, 1)])
def test_an_objection_rejects_where_the_site_says_so(
    archive: Orthanc, opened: Callable[..., Dicom], wanted: bool, notes: int
) -> None:
    sink = opened(archive.url, reject_undone=wanted)
    sink.undo(filed_of(record()), AT_MS)
    assert archive.instances("KO") == []
    file(sink, record())
    for _ in range(2):
        sink.undo(filed_of(record()), AT_MS)
    assert len(archive.instances("KO")) == notes


@pytest.mark.parametrize("evil", HOSTILE)
def test_injection_what_others_wrote_stays_one_value(
    archive: Orthanc, opened: Callable[..., Dicom], tmp_path: Path, evil: str
) -> None:
    sink, one = opened(archive.url), hostile(evil)
    file(sink, one)
    raw = archive.file(UIDS.photo)
    assert verdict(tmp_path, raw) == []
    ds = dcmread(io.BytesIO(raw))
    assert ds["PatientID"].VM == 1
    assert str(ds.PatientName).count("^") <= 1
    assert ds["AdmissionID"].VM == 1
    assert ds.OperatorIdentificationSequence[0].PersonIdentificationCodeSequence
    sink.correct(filed_of(one), AT_MS)
    assert len(archive.instances("KO")) == 1


@pytest.mark.parametrize(
    "variant",
    [
        record(assignment=Assignment(), badge=None, clock="none"),
        record(captured_ms=2**53),
        record(badge="a badge whose code is longer than sixteen characters"),
    ],
)
def test_what_is_not_known_is_left_empty_and_still_valid(tmp_path: Path, variant: Record) -> None:
    settings = DicomSettings(url="https://h", uid_root="1.2.840.99999.1", station="W3")
    assert verdict(tmp_path, objects.photo(variant, settings, Style())) == []
    assert verdict(tmp_path, objects.report(variant, b"%PDF-1.7 x", settings, Style())) == []


def test_P10_an_answer_in_parts_is_taken_apart_or_refused() -> None:
    kind, body = multipart.join([b"one\r\n--", b"", b"\x00" * 10])
    assert multipart.split(kind, body) == [b"one\r\n--", b"", b"\x00" * 10]
    for broken in (body[: len(body) // 2], b"", body[:-4]):
        with pytest.raises(FormatError, match=r"breaks off|no head"):
            multipart.split(kind, broken)
    with pytest.raises(FormatError, match="not multipart"):
        multipart.split("application/json", body)


@pytest.mark.parametrize(
    ("settings", "setting"),
    [
        ({"url": "http://pacs.example"}, "url"),
        ({"url": "https://h", "uid_root": "1.02"}, "uid_root"),
        ({"url": "https://h", "uid_root": "1." + "2" * 30}, "uid_root"),
        ({"url": "https://h", "station": "a station whose name is too long"}, "station"),
        ({"url": "https://h", "institution": "a\\b"}, "institution"),
    ],
)
def test_P10_a_wrong_setting_is_named(settings: dict[str, Any], setting: str) -> None:
    with pytest.raises(ConfigError) as caught:
        DicomSettings(**settings)
    assert caught.value.setting == setting
