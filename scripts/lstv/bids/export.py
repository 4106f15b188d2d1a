"""One study's chosen stack -> a NIfTI image with BIDS name and sidecar, on the grid that the localizer sees.

Voxels are (column, row, slice), slices from the patient's left to right, rows to posterior, columns to inferior; values are
exactly those of the DICOM files. The sidecar has technical terms only: whatever in a header is free text stays out.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lstv import __version__
from lstv.base import atomic, checksums
from lstv.base.arrays import StoredArray
from lstv.base.errors import StudyError
from lstv.bids.exported import Exported
from lstv.bids.names import image_name
from lstv.cohort.study_sheet import Row
from lstv.dicom import intensities, nifti
from lstv.dicom.affine import EXACT_MM, UnevenSlices, affine_of, misplacement
from lstv.dicom.facts import Facts
from lstv.dicom.intensities import Padding, Transform
from lstv.dicom.nifti_series import sidecar_of
from lstv.dicom.series import read_stored
from lstv.dicom.stacks import spacing
from lstv.dicom.stored import PHANTOM_MODEL, StoredSeries

_MANUFACTURERS = ("Siemens", "GE", "Philips", "Toshiba", "Canon", "Hitachi", "Fujifilm", "United Imaging", "Esaote")
_DEFINED = {
    "ScanningSequence": ("scanning_sequence", {"SE", "IR", "GR", "EP", "RM"}),
    "SequenceVariant": ("sequence_variant", {"SK", "MTC", "SS", "TRSS", "SP", "MP", "OSP", "NONE"}),
    "ScanOptions": ("scan_options", {"PER", "RG", "CG", "PPG", "FC", "PFF", "PFP", "SP", "FS", "CT"}),
    "ImageType": (
        "image_type",
        {"ORIGINAL", "DERIVED", "PRIMARY", "SECONDARY", "M", "SE", "W", "WATER", "IP", "IN_PHASE"},
    ),
}
"""Defined terms of DICOM PS3.3 C.8.3.1 and C.7.6.1.1.2, with those of Image Type that the choice of a series goes by."""
_BODY_PARTS = frozenset(["LSPINE", "TLSPINE", "LSSPINE", "SPINE", "TSPINE"])


def export(row: Row, folder: Path) -> Exported:
    """Write image and sidecar of a study of the sheet below ``folder``. A study that cannot be exported is returned with its
    reason, and what an earlier run wrote of it is removed."""
    name = image_name(row.study_id)
    image = folder / name
    try:
        if row.use != "yes":
            _remove(image)
            return Exported(row.study_id, "excluded", row.reason)
        if not row.series_dir:
            raise StudyError(row.reason or "the study sheet names no series")
        counted = int(row.n_slices) if row.series_dir.endswith(".txt") and row.n_slices.isdecimal() else None
        content, told = encoded(read_stored(Path(row.series_dir), n_slices=counted))
    except StudyError as error:
        _remove(image)
        return Exported(row.study_id, "failed", str(error))
    except MemoryError:
        _remove(image)
        return Exported(row.study_id, "failed", "its images need more memory than this job has")
    except Exception as error:  # one study's defect must not take the others with it; its text may hold a path
        _remove(image)
        return Exported(row.study_id, "failed", f"unexpected {type(error).__name__}")
    image.parent.mkdir(parents=True, exist_ok=True)
    # the image last: where it is, its sidecar is too
    atomic.write_text(sidecar_of(image), json.dumps(told, indent=2, sort_keys=True) + "\n")
    atomic.write_bytes(image, content)
    return Exported(row.study_id, "ok", "", name, len(content), checksums.file_digest(image), row.split)


def _remove(image: Path) -> None:
    for path in (image, sidecar_of(image)):
        path.unlink(missing_ok=True)
    for folder in (image.parent, image.parent.parent):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def encoded(series: StoredSeries) -> tuple[bytes, dict[str, Any]]:
    """The NIfTI file of a stack and its sidecar. Raises StudyError where no affine stands for its slices."""
    try:
        affine = affine_of(series.planes)
    except UnevenSlices as error:
        raise StudyError(f"the series has no NIfTI form: {error}.") from error
    values, transform, padding = _one_scale(series)
    told = _sidecar(series.facts) | {"SpacingBetweenSlices": round(_distance(series), 6)}
    if transform != intensities.IDENTITY:
        told |= {"RescaleSlope": transform.slope, "RescaleIntercept": transform.intercept}
    if padding is not None:
        told["PixelPaddingRange"] = list(padding)
    if series.flags:
        told["SeriesFlags"] = sorted(series.flags)
    if (away := misplacement(affine, series.planes)) > EXACT_MM:
        told["LargestMisplacementMm"] = round(away, 3)
    return nifti.encoded(values, affine, transform.slope, transform.intercept), told


def _distance(series: StoredSeries) -> float:
    first = series.planes[0]
    return spacing(list(series.planes), np.cross(first.row_direction, first.column_direction))


def _one_scale(series: StoredSeries) -> tuple[npt.NDArray[Any], Transform, Padding | None]:
    """Values (column, row, slice), what makes them the values meant, and which of them are no image.

    Integers as they are stored where all slices have one rescale and one padding; otherwise the values meant, of which
    those that are no image are not numbers.
    """
    cells = [_mirrored(array, transform) for array, transform in zip(series.cells, series.transforms)]
    padding = [_mirrored_ends(ends, transform) for ends, transform in zip(series.padding, series.transforms)]
    scales = {Transform(transform.slope, transform.intercept) for transform in series.transforms}
    if len(scales) == 1 and len(set(padding)) == 1 and cells[0].dtype.kind != "f":
        stored = _small(np.stack([array.T for array in cells], axis=-1))
        ends = padding[0]
        present = ends is not None and bool(((stored >= ends[0]) & (stored <= ends[1])).any())
        return stored, scales.pop(), ends if present else None
    values = [transform(array) for array, transform in zip(series.cells, series.transforms)]
    if intensities.stretches(series.cells, series.transforms, series.padding, intensities.TRAINED_PERCENTILES):
        for meant, array, ends in zip(values, series.cells, series.padding):
            if ends is not None:
                meant[(array >= ends[0]) & (array <= ends[1])] = np.nan
    whole = np.stack([array.T for array in values], axis=-1)
    short = whole.astype(np.float32)
    return short if np.array_equal(short, whole, equal_nan=True) else whole, intensities.IDENTITY, None


def _mirrored(stored: StoredArray, transform: Transform) -> StoredArray:
    return stored if transform.mirror is None else transform.mirror - stored.astype(np.int64)


def _mirrored_ends(ends: Padding | None, transform: Transform) -> Padding | None:
    if ends is None or transform.mirror is None:
        return ends
    return transform.mirror - ends[1], transform.mirror - ends[0]


def _small(stored: StoredArray) -> StoredArray:
    """The same integers in the first type that holds them, of those that all programs read."""
    low, high = int(stored.min()), int(stored.max())
    for dtype in (np.uint8, np.int16, np.uint16, np.int32, np.uint32):
        if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
            return stored.astype(dtype)
    return stored.astype(np.int64)


def _sidecar(facts: Facts) -> dict[str, Any]:
    """BIDS' names of what the header says in numbers or in DICOM's defined terms; times in seconds."""
    known: dict[str, Any] = {"Modality": "MR", "ConversionSoftware": "lstv-uncertainty"}
    known["ConversionSoftwareVersion"] = __version__
    maker = facts.manufacturer.upper()
    known["Manufacturer"] = next((name for name in _MANUFACTURERS if maker.startswith(name.upper())), None)
    known["ManufacturersModelName"] = facts.model if facts.model == PHANTOM_MODEL else None
    known["BodyPartExamined"] = facts.body_part if facts.body_part in _BODY_PARTS else None
    known["MRAcquisitionType"] = facts.acquisition_type or None
    for key, (field, terms) in _DEFINED.items():
        known[key] = [term for term in getattr(facts, field) if term in terms] or None
    for key, time in (
        ("EchoTime", facts.echo_time),
        ("RepetitionTime", facts.repetition_time),
        ("InversionTime", facts.inversion_time),
    ):
        known[key] = None if time is None else round(time / 1000, 9)
    known["EchoTrainLength"] = int(facts.echo_train_length) if facts.echo_train_length.isdecimal() else None
    known["SliceThickness"] = facts.slice_thickness
    return {key: value for key, value in known.items() if value is not None}
