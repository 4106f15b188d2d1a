"""Enhanced (multi-frame) MR: each frame described as if it were a classic image.

Geometry and timing of these objects stand in functional groups (PS3.3 C.7.6.16 and C.8.13) behind everything that the
quick walk reads. There are few such files, one a series, so pydicom reads them.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pydicom
from pydicom.dataset import Dataset

from lstv.dicom.pixels import quiet_pydicom
from lstv.folder.header import STUDY_TAGS, DamagedHeader, Header

SOP_CLASSES = frozenset({b"1.2.840.10008.5.1.4.1.1.4.1", b"1.2.840.10008.5.1.4.1.1.4.4"})
"""Enhanced MR Image Storage and Legacy Converted Enhanced MR Image Storage."""

LONGEST_HEADER = 64 * 1024 * 1024
_FIELDS = tuple(STUDY_TAGS.values())
_SOP_CLASS = _FIELDS.index("sop_class")
_GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
_TOP = ("EchoPulseSequence", "EchoPlanarPulseSequence")


def is_enhanced(header: Header) -> bool:
    """Whether the file is of one of ``SOP_CLASSES``."""
    return header.shared[_SOP_CLASS] in SOP_CLASSES


def frames(header: Header, read: Callable[[int], bytes]) -> list[Header]:
    """One header for each frame of a file; ``read(n)`` gives its first n bytes. Raises DamagedHeader."""
    try:
        with quiet_pydicom():
            dataset = pydicom.dcmread(
                BytesIO(read(LONGEST_HEADER)), stop_before_pixels=True, specific_tags=[*_GROUPS, *_TOP]
            )
            shared = (dataset.get(_GROUPS[0]) or [Dataset()])[0]
            own = dataset.get(_GROUPS[1]) or []
            return [_frame(header, dataset, shared, group, number) for number, group in enumerate(own)]
    except Exception as error:  # on damaged data pydicom raises nearly anything
        raise DamagedHeader(str(error) or type(error).__name__) from error


def _frame(header: Header, dataset: Dataset, shared: Dataset, own: Dataset, number: int) -> Header:
    def value(sequence: str, keyword: str) -> Any:
        for group in (own, shared):
            items = group.get(sequence)
            if items and keyword in items[0]:
                return items[0][keyword].value
        return None

    inverted = value("MRModifierSequence", "InversionRecovery") == "YES"
    kinds = {
        "SE": dataset.get("EchoPulseSequence") in ("SPIN", "BOTH"),
        "GR": dataset.get("EchoPulseSequence") in ("GRADIENT", "BOTH"),
        "EP": dataset.get("EchoPlanarPulseSequence") == "YES",
        "IR": inverted,
    }
    image_type = value("MRImageFrameTypeSequence", "FrameType")
    if image_type and value("MRImageFrameTypeSequence", "ComplexImageComponent") in ("PHASE", "REAL", "IMAGINARY"):
        image_type = [*image_type, value("MRImageFrameTypeSequence", "ComplexImageComponent")]
    found = {
        "image_type": image_type,
        "scanning_sequence": [name for name, there in kinds.items() if there],
        "slice_thickness": value("PixelMeasuresSequence", "SliceThickness"),
        "repetition_time": value("MRTimingAndRelatedParametersSequence", "RepetitionTime"),
        "echo_time": value("MREchoSequence", "EffectiveEchoTime"),
        "inversion_time": value("MRModifierSequence", "InversionTimes") if inverted else None,
        "orientation": value("PlaneOrientationSequence", "ImageOrientationPatient"),
        "pixel_spacing": value("PixelMeasuresSequence", "PixelSpacing"),
        "frames": 1,
    }
    values = [_bytes(found[name]) or old if name in found else old for name, old in zip(_FIELDS, header.shared)]
    position = _bytes(value("PlanePositionSequence", "ImagePositionPatient"))
    return Header(tuple(values), header.sop_instance + b"/%d" % number, position)


def _bytes(value: Any) -> bytes:
    if value is None:
        return b""
    parts = [value] if isinstance(value, str) or not hasattr(value, "__iter__") else value
    return "\\".join(str(part) for part in parts).encode()
