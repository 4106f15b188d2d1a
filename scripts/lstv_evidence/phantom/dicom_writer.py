"""Slices -> DICOM MR images (PS3.3 A.4) in one of several transfer syntaxes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import gdcm
import numpy as np
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    MRImageStorage,
    RLELossless,
    generate_uid,
)

from lstv.dicom.geometry import SliceGeometry
from lstv.dicom.stored import PHANTOM_MODEL

SYNTAXES = {
    "explicit_le": ExplicitVRLittleEndian,
    "implicit_le": ImplicitVRLittleEndian,
    "explicit_be": ExplicitVRBigEndian,
    "deflated": DeflatedExplicitVRLittleEndian,
    "rle": RLELossless,
    "jpeg_lossless": JPEGLosslessSV1,
    "jpeg_ls": JPEGLSLossless,
    "jpeg_2000": JPEG2000Lossless,
    "jpeg_baseline": JPEGBaseline8Bit,
}
"""Transfer syntaxes by the names of the study list; ``jpeg_baseline`` stores 8 bits and loses a little."""

TRUNCATED = "truncated"
"""Damage: every file ends in the middle of its pixel data, as after a broken copy."""


@dataclass(frozen=True)
class SeriesHeader:
    """What the files of a series have in common. ``number`` is the series number, ``instances`` the instance number of
    each slice, ``study_id`` stands in every identifying attribute."""

    study_id: str
    series_id: str
    seed: int
    number: int
    description: str
    echo_ms: float
    repetition_ms: float
    thickness_mm: float
    spacing_mm: float
    instances: tuple[int, ...]


def write_series(
    folder: Path,
    images: np.ndarray,
    planes: tuple[SliceGeometry, ...],
    header: SeriesHeader,
    syntax: str = "explicit_le",
    damage: str = "",
) -> None:
    """Write ``images`` uint16 (D, H, W), 12 bits used, to ``folder/<instance number>.dcm``; the folder is made.

    Raises KeyError for an unknown syntax, ValueError for an unknown damage.
    """
    if damage not in ("", TRUNCATED):
        raise ValueError(f"damage {damage!r} is unknown")
    folder.mkdir(parents=True, exist_ok=True)
    for image, plane, instance in zip(images, planes, header.instances):
        path = folder / f"{instance}.dcm"
        dcmwrite(path, _dataset(image, plane, header, instance, SYNTAXES[syntax]), enforce_file_format=True)
        if damage == TRUNCATED:
            size = path.stat().st_size
            with open(path, "r+b") as stream:
                stream.truncate(size * 2 // 5)


def _dataset(image: np.ndarray, plane: SliceGeometry, header: SeriesHeader, instance: int, syntax: str) -> Dataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = MRImageStorage
    meta.MediaStorageSOPInstanceUID = UID(_uid(header, "image", header.series_id, instance))
    meta.TransferSyntaxUID = UID(syntax)
    data = Dataset()
    data.file_meta = meta
    data.ImageType = ["ORIGINAL", "PRIMARY", "M", "SE"]
    data.SOPClassUID = meta.MediaStorageSOPClassUID
    data.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    data.StudyDate = data.StudyTime = data.AccessionNumber = data.ReferringPhysicianName = ""
    data.Modality = "MR"
    data.Manufacturer = "synthetic"
    data.ManufacturerModelName = PHANTOM_MODEL
    data.SeriesDescription = header.description
    data.PatientName = f"Phantom^{header.study_id}"
    data.PatientID = f"PHANTOM-{header.study_id}"
    data.PatientBirthDate = data.PatientSex = ""
    data.BodyPartExamined = "LSPINE"
    data.ScanningSequence = "SE"
    data.SequenceVariant = "SK"
    data.ScanOptions = ""
    data.MRAcquisitionType = "2D"
    data.SliceThickness = header.thickness_mm
    data.RepetitionTime = header.repetition_ms
    data.EchoTime = header.echo_ms
    data.EchoTrainLength = 16
    data.MagneticFieldStrength = 1.5
    data.SpacingBetweenSlices = header.spacing_mm
    data.PatientPosition = "HFS"
    data.StudyInstanceUID = _uid(header, "study")
    data.SeriesInstanceUID = _uid(header, "series", header.series_id)
    data.StudyID = header.study_id[:16]
    data.SeriesNumber = header.number
    data.InstanceNumber = instance
    data.ImagePositionPatient = [round(v, 6) for v in plane.position]
    data.ImageOrientationPatient = [round(v, 9) for v in (*plane.row_direction, *plane.column_direction)]
    data.FrameOfReferenceUID = _uid(header, "frame of reference")
    data.PositionReferenceIndicator = ""
    data.PixelSpacing = [plane.row_spacing, plane.column_spacing]
    _pixels(data, image, syntax)
    return data


def _pixels(data: Dataset, image: np.ndarray, syntax: str) -> None:
    stored = 8 if syntax == JPEGBaseline8Bit else 12
    if stored == 8:
        image = np.clip(np.rint(image * (255 / max(int(image.max()), 1))), 0, 255).astype(np.uint8)
        data.LossyImageCompression = "01"
        data.LossyImageCompressionMethod = "ISO_10918_1"
    data.SamplesPerPixel = 1
    data.PhotometricInterpretation = "MONOCHROME2"
    data.Rows, data.Columns = image.shape
    data.BitsAllocated = image.itemsize * 8
    data.BitsStored = stored
    data.HighBit = stored - 1
    data.PixelRepresentation = 0
    low, high = np.percentile(image, [1, 99])
    data.WindowCenter = round(float(low + high) / 2, 1)
    data.WindowWidth = round(float(max(high - low, 1)), 1)
    if not data.file_meta.TransferSyntaxUID.is_encapsulated:
        order: Literal["<", ">"] = ">" if syntax == ExplicitVRBigEndian else "<"
        data.PixelData = image.astype(image.dtype.newbyteorder(order)).tobytes()
        data["PixelData"].VR = "OW"
        return
    frame = _encode(image, stored, syntax)
    if stored == 8:
        data.LossyImageCompressionRatio = round(image.size / len(frame), 2)
    data.PixelData = encapsulate([frame])
    data["PixelData"].VR = "OB"


def _encode(image: np.ndarray, stored: int, syntax: str) -> bytes:
    """One compressed frame, made by GDCM."""
    # the image belongs to the writer, which must live as long as it
    writer = gdcm.ImageWriter()
    source = writer.GetImage()
    source.SetNumberOfDimensions(2)
    source.SetDimensions((image.shape[1], image.shape[0], 1))
    source.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(gdcm.PhotometricInterpretation.MONOCHROME2))
    source.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.ImplicitVRLittleEndian))
    source.SetPixelFormat(gdcm.PixelFormat(1, image.itemsize * 8, stored, stored - 1, 0))
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetByteStringValue(image.astype(image.dtype.newbyteorder("<")).tobytes())
    source.SetDataElement(element)
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(str(syntax))))
    change.SetInput(source)
    if not change.Change():
        raise RuntimeError(f"GDCM could not encode a slice as {syntax}")
    encoded = change.GetOutput()
    fragments = encoded.GetDataElement().GetSequenceOfFragments()
    return fragments.GetFragment(0).GetByteValue().GetBuffer().encode("utf-8", "surrogateescape")


def _uid(header: SeriesHeader, *parts: object) -> str:
    """Valid UID, always the same for a study, its seed and the parts."""
    return generate_uid(entropy_srcs=[PHANTOM_MODEL, header.study_id, str(header.seed), *map(str, parts)])
