"""A teaching copy as a DICOM file: PS3.15 E.1, Basic Application Level Confidentiality Profile.

DeidentificationMethodCodeSequence (0012,0064) says, in the words of PS3.16 CID 7050:

    113100  Basic Application Confidentiality Profile
    113101  Clean Pixel Data Option: nothing burned in, a person has looked
    113102  Clean Recognizable Visual Features Option: no face, a person has looked

It is built from nothing but the picture: no attribute of the record's instance is copied, every
UID is random, there are no dates. So nothing leads back, but the hospital's own list of shares.
"""

import secrets
import uuid
from typing import Final

from pydicom.uid import JPEGBaseline8Bit, VLPhotographicImageStorage

from gateway.filing.dicom.objects import Place, code, file_of, instance, put_picture

METHODS: Final = (
    ("113100", "Basic Application Confidentiality Profile"),
    ("113101", "Clean Pixel Data Option"),
    ("113102", "Clean Recognizable Visual Features Option"),
)


def teaching(jpeg: bytes, width: int, height: int) -> bytes:
    """Return the picture as a DICOM file that names nobody."""
    place = Place(_uid(), _uid(), _uid())
    ds = instance(VLPhotographicImageStorage, place, JPEGBaseline8Bit)
    ds.PatientName, ds.PatientID = "Teaching^Copy", f"TEACHING-{secrets.token_hex(8)}"
    ds.PatientBirthDate = ds.PatientSex = None
    ds.PatientIdentityRemoved = "YES"
    ds.DeidentificationMethod = "Made anew from pixels that a person has looked at"
    ds.DeidentificationMethodCodeSequence = [
        code(value, "DCM", meaning) for value, meaning in METHODS
    ]
    ds.LongitudinalTemporalInformationModified = "REMOVED"
    ds.StudyDate = ds.StudyTime = ds.ReferringPhysicianName = ds.AccessionNumber = None
    ds.StudyID = "1"
    ds.Modality, ds.SeriesNumber, ds.InstanceNumber = "XC", 1, 1
    ds.Manufacturer, ds.ManufacturerModelName = "Wardseal", "Wardseal"
    ds.DeviceSerialNumber, ds.SoftwareVersions = "0", "1"
    ds.PatientOrientation = ds.Laterality = None
    ds.ImageType = ["DERIVED", "PRIMARY"]
    ds.AcquisitionContextSequence = []
    ds.BurnedInAnnotation = "NO"
    ds.RecognizableVisualFeatures = "NO"
    put_picture(ds, jpeg, width, height)
    return file_of(ds)


def _uid() -> str:
    return f"2.25.{uuid.uuid4().int}"
