"""DICOM files for the tests of the folder source, written when a test runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

MR = "1.2.840.10008.5.1.4.1.1.4"
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
T2 = {"ScanningSequence": "SE", "RepetitionTime": 3500, "EchoTime": 105}
T1 = {"ScanningSequence": "SE", "RepetitionTime": 550, "EchoTime": 10}
STIR = {"ScanningSequence": ["SE", "IR"], "RepetitionTime": 4000, "EchoTime": 60, "InversionTime": 160}
BARE = {"ScanningSequence": None, "RepetitionTime": None, "EchoTime": None}


def image(study: str, series: str, number: int, /, **values: object) -> Dataset:
    """One MR image; a keyword replaces an element, None leaves it out. ``at`` is the Image Position (Patient) and
    ``pixels`` the bytes of the pixel data, a few by default."""
    orientation = values.pop("orientation", SAGITTAL)
    normal = np.cross(orientation[:3], orientation[3:])
    at = values.pop("at", np.array([0.0, -120.0, 140.0]) + number * 4.4 * normal)
    pixels = values.pop("pixels", b"\0" * 16)
    side = 640
    elements = {
        "SpecificCharacterSet": "ISO_IR 192",
        "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"],
        "SOPClassUID": MR,
        "SOPInstanceUID": f"{series}.{number + 1}",
        "StudyDate": "20200229",
        "Modality": "MR",
        "StudyDescription": "MRI Lumbar Spine",
        "SeriesDescription": "t2_tse_sag",
        "PatientName": "Geheim^Gerda",
        "PatientID": "PID-4711",
        "MRAcquisitionType": "2D",
        "SliceThickness": 4,
        "ProtocolName": "",
        "StudyInstanceUID": study,
        "SeriesInstanceUID": series,
        "SeriesNumber": 3,
        "InstanceNumber": number + 1,
        "ImagePositionPatient": [f"{v:.3f}" for v in at],
        "ImageOrientationPatient": list(orientation),
        "FrameOfReferenceUID": f"{study}.9",
        "Rows": side,
        "Columns": side,
        "PixelSpacing": [0.4375, 0.4375],
        "BitsAllocated": 16,
        "PixelRepresentation": 0,
        "SamplesPerPixel": 1,
    }
    elements.update(T2)
    elements.update(values)
    dataset = Dataset()
    for keyword, value in elements.items():
        if value is not None:
            setattr(dataset, keyword, value)
    reference = Dataset()
    reference.ReferencedSOPClassUID = MR
    reference.StudyInstanceUID = "9.9.9"  # a nested element must not be taken for the file's own
    reference.is_undefined_length_sequence_item = True
    dataset.ReferencedImageSequence = Sequence([reference])
    dataset["ReferencedImageSequence"].is_undefined_length = True
    dataset.PixelData = pixels
    return dataset


def save(path: Path, dataset: Dataset, syntax: str = ExplicitVRLittleEndian, *, bare: bool = False) -> Path:
    """Write with preamble and meta group, or (``bare``) without."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if bare:
        dataset.save_as(path, implicit_vr=False, little_endian=True)
        return path
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID", MR)
    dataset.save_as(path, enforce_file_format=True)
    return path


def stack(folder: Path, study: str, series: str, count: int = 15, name: str = "{:04d}", **values: object) -> list[Path]:
    """A series of ``count`` images in ``folder``."""
    return [save(folder / name.format(n), image(study, series, n, **values)) for n in range(count)]


def enhanced(study: str, series: str, count: int = 15, **values: object) -> Dataset:
    """A series as one enhanced multi-frame object; ``values`` as for ``image``."""
    plain = [image(study, series, number, **values) for number in range(count)]
    first = plain[0]
    shared = Dataset()
    shared.PlaneOrientationSequence = _item(ImageOrientationPatient=first.ImageOrientationPatient)
    shared.PixelMeasuresSequence = _item(PixelSpacing=first.PixelSpacing, SliceThickness=first.SliceThickness)
    shared.MRTimingAndRelatedParametersSequence = _item(RepetitionTime=first.RepetitionTime)
    shared.MREchoSequence = _item(EffectiveEchoTime=float(first.EchoTime))
    shared.MRImageFrameTypeSequence = _item(FrameType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"])
    inversion = first.get("InversionTime")
    recovery = {"InversionTimes": float(inversion)} if inversion else {}
    shared.MRModifierSequence = _item(InversionRecovery="YES" if inversion else "NO", **recovery)
    own = []
    for dataset in plain:
        frame = Dataset()
        frame.PlanePositionSequence = _item(ImagePositionPatient=dataset.ImagePositionPatient)
        own.append(frame)
    result = first
    for keyword in (
        "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "RepetitionTime", "EchoTime",
        "InversionTime", "ScanningSequence", "ImageType",
    ):  # fmt: skip
        if keyword in result:
            delattr(result, keyword)
    result.SOPClassUID = "1.2.840.10008.5.1.4.1.1.4.1"
    result.EchoPulseSequence = "SPIN"
    result.EchoPlanarPulseSequence = "NO"
    result.NumberOfFrames = count
    result.SharedFunctionalGroupsSequence = Sequence([shared])
    result.PerFrameFunctionalGroupsSequence = Sequence(own)
    return result


def _item(**values: object) -> Sequence:
    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return Sequence([dataset])
