"""One stack of a series with its stored values, before an intensity window is chosen; what its flags say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lstv.base.arrays import StoredArray
from lstv.dicom.facts import Facts
from lstv.dicom.geometry import SliceGeometry
from lstv.dicom.intensities import Padding, Transform

PHANTOM_MODEL = "lstv-uncertainty phantom"
"""ManufacturerModelName of every synthetic file of this project."""

FLAGS = {
    "colour_images": "colour images beside the slices were left out",
    "duplicate_slices": "several images at one position; the last by echo, first by acquisition and instance was used",
    "implausible_pixels": "a slice has patches of noise that its neighbours have not, as damaged compressed data decodes to",
    "missing_geometry": "images without usable position, orientation or pixel spacing were left out",
    "missing_slices": "distances between slices are unequal, slices may be missing",
    "mixed_echoes": "the series holds several echoes; the one with T2-weighted times or most slices was used",
    "mixed_kinds": "the series holds several kinds of image (such as magnitude and phase, water and fat); one was used",
    "mixed_orientations": "the series holds several orientations; the most sagittal one was used",
    "mixed_shapes": "slices of another size or pixel spacing than the majority were left out",
    "monochrome1": "bright and dark were stored inverted and were turned back",
    "other_objects": "files that are no MR images were left out",
    "photometric_assumed": "PhotometricInterpretation is missing; MONOCHROME2 was assumed",
    "pixel_padding": "values that the header calls padding were left out of the brightness window and are black",
    "reoriented": "slices were stored turned or mirrored; rows now run to posterior and columns to inferior",
    "several_series": "the folder holds several series; the most sagittal one with most slices was used",
    "unreadable_files": "damaged files were left out",
}
"""What each flag of a series says."""


@dataclass(frozen=True)
class StoredSeries:
    """Slices in order along their normal, from the patient's left to right, rows to posterior, columns to inferior.

    ``cells``: the stored values of each slice, (H, W); of NIfTI files they may be float64. With the plane, the transform
    to the value meant and the stored values that are padding, of each. ``flags`` are keys of FLAGS, ``provenance``
    JSON-ready facts, ``phantom`` whether every file is one of this project's synthetic ones, ``facts`` the header of the
    first slice.
    """

    cells: list[StoredArray]
    planes: tuple[SliceGeometry, ...]
    transforms: list[Transform]
    padding: list[Padding | None]
    flags: frozenset[str]
    provenance: dict[str, Any]
    phantom: bool
    facts: Facts
