"""Filing into a DICOMweb archive: STOW-RS in, WADO-RS back."""

from gateway.filing.dicom.sink import Dicom as Dicom
