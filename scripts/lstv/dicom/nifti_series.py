"""A NIfTI file and the JSON beside it -> the images of a series, as if each slice were a DICOM file.

So one definition of a stack, one choice of a series and one reader serve both. What the JSON (a BIDS sidecar) says of the
sequence goes where the DICOM header says it; what is not said stays unknown. Beside BIDS' own keys it may have
``RescaleSlope`` and ``RescaleIntercept`` in full precision (the NIfTI header has 32 bits); ``PixelPaddingRange``, the lowest
and highest stored value that is no image; and ``SeriesFlags``, what was flagged of the DICOM series.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lstv.base.arrays import StoredArray
from lstv.base.errors import StudyError
from lstv.base.text import counted, printable
from lstv.dicom import facts, stacks
from lstv.dicom.affine import planes_of
from lstv.dicom.facts import MR_IMAGE, Image, Problem
from lstv.dicom.headers import FIELDS, OWN, Header
from lstv.dicom.intensities import Padding, Transform
from lstv.dicom.nifti import NiftiError, NiftiHeader, read, read_header
from lstv.dicom.stored import FLAGS, PHANTOM_MODEL, StoredSeries

SIDECAR_BYTES = 1 << 22
_THICK_SLICES = 1.2
"""Slices lie along the axis whose spacing exceeds the others' by this factor; without one, along the left-right axis."""
_LONGEST_ECHO_S = 1.0
"""A longer echo time is a mistake of unit."""
_TIMES = {"EchoTime": "echo_time", "RepetitionTime": "repetition_time", "InversionTime": "inversion_time"}
_TEXTS = {
    "Modality": "modality",
    "Manufacturer": "manufacturer",
    "ManufacturersModelName": "model",
    "BodyPartExamined": "body_part",
    "ScanningSequence": "scanning_sequence",
    "SequenceVariant": "sequence_variant",
    "ScanOptions": "scan_options",
    "MRAcquisitionType": "acquisition_type",
    "SequenceName": "sequence_name",
    "ImageType": "image_type",
    "ProtocolName": "protocol_name",
}


def sidecar_of(path: Path) -> Path:
    """Where the JSON of a ``.nii`` or ``.nii.gz`` file is."""
    name = path.name[: -len(".gz")] if path.name.lower().endswith(".gz") else path.name
    return path.with_name(name[: -len(".nii")] + ".json")


def read_sidecar(path: Path) -> dict[str, Any]:
    """A sidecar's keys; none where there is no such file. Raises NiftiError where it is not a JSON object."""
    try:
        with open(path, "rb") as stream:
            content = stream.read(SIDECAR_BYTES + 1)
        known = json.loads(content.decode("utf-8-sig")) if len(content) <= SIDECAR_BYTES else None
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise NiftiError(f"the JSON file beside it cannot be opened ({error.strerror})") from error
    except (ValueError, RecursionError):
        known = None
    if not isinstance(known, dict):
        raise NiftiError("the JSON file beside it is not a JSON object; correct or remove it")
    return known


@dataclass(frozen=True)
class Names:
    """What stands where a DICOM header has SeriesInstanceUID, SeriesDescription and the UID of the frame of reference."""

    series: str = ""
    description: str = ""
    session: str = ""

    @property
    def fields(self) -> dict[str, str]:
        return {
            "series_uid": self.series,
            "series_description": self.description,
            "frame_of_reference": self.session,
        }


def images(path: Path, sidecar: Mapping[str, Any], names: Names = Names()) -> list[Image]:
    """One image for each slice of a file, with its path as source and the index along the slices' axis as frame. Where the
    file cannot be used, the one image has the problem that says why."""
    try:
        header = read_header(path)
        return _images(path, header, slice_axis(header), sidecar, names)
    except NiftiError as error:
        return [unusable(path, str(error), names)]


def unusable(path: Path, text: str, names: Names = Names()) -> Image:
    """An image for a file that is not looked at or cannot be used; ``text`` is a clause that says why."""
    shared = _shared({}, names.fields)
    image = facts.image(str(path), Header(shared, (b"",) * len(OWN), 0))
    return replace(image, problem=Problem("values", text))


def slice_axis(header: NiftiHeader) -> int:
    """The axis along which an image's slices lie. Raises NiftiError where it is not one grey image of three dimensions."""
    if len(header.shape) != 3:
        said = " x ".join(map(str, header.shape))
        what = "is a single slice" if len(header.shape) < 3 else "holds several images"
        raise NiftiError(f"it {what} ({said} voxels); give a file of one image of three dimensions")
    if header.dtype.names:
        raise NiftiError("its values are colours, such as a screenshot's; give the original grey image")
    if header.dtype.kind not in "iuf":
        raise NiftiError("its values are complex numbers; give the magnitude image")
    spacing = np.array(header.spacing)
    largest = int(np.argmax(spacing))
    if spacing[largest] >= _THICK_SLICES * np.delete(spacing, largest).max():
        return largest
    directions = header.affine[:3, :3] / spacing
    return int(np.argmax(np.abs(directions[0])))


def _images(path: Path, header: NiftiHeader, axis: int, sidecar: Mapping[str, Any], names: Names) -> list[Image]:
    planes = planes_of(header.affine, header.shape, axis)
    first = planes[0]
    own = names.fields | {
        "series_description": f"{names.description} {_text(sidecar.get('SeriesDescription'))}".strip(),
        "orientation": _numbers(*first.row_direction, *first.column_direction),
        "pixel_spacing": _numbers(first.row_spacing, first.column_spacing),
        "rows": str(first.height),
        "columns": str(first.width),
    }
    shared = _shared(sidecar, own)
    slope, intercept = _rescale(header, sidecar)
    found = []
    for index, plane in enumerate(planes):
        values = {
            "position": _numbers(*plane.position),
            "rescale_slope": repr(slope),
            "rescale_intercept": repr(intercept),
            "instance_number": str(index),
        }
        own_values = tuple(values.get(name, "").encode() for name in OWN.values())
        found.append(facts.image(str(path), Header(shared, own_values, index)))
    return found


def _shared(sidecar: Mapping[str, Any], own: Mapping[str, str]) -> tuple[bytes, ...]:
    values = {
        "sop_class": MR_IMAGE,
        "modality": "MR",
        "samples": "1",
        "photometric": "MONOCHROME2",
        "bits_allocated": "16",
        "pixel_data": "1",
        "character_set": "ISO_IR 192",
    }
    values |= {field: text for key, field in _TEXTS.items() if (text := _text(sidecar.get(key)))}
    for key, field in _TIMES.items():
        seconds = _number(sidecar.get(key))
        if seconds is not None and (field != "echo_time" or seconds <= _LONGEST_ECHO_S):
            values[field] = repr(seconds * 1000)
    thickness = _number(sidecar.get("SliceThickness"))
    if thickness is not None:
        values["slice_thickness"] = repr(thickness)
    values |= own
    return tuple(values.get(name, "").encode("utf-8", "replace") for name in FIELDS)


def _text(value: Any) -> str:
    """A text or a list of texts as DICOM writes it; "" for anything else."""
    if isinstance(value, list):
        return "\\".join(printable(part, 64) for part in value[:16] if isinstance(part, str))
    return printable(value) if isinstance(value, str) else ""


def _number(value: Any) -> float | None:
    ordinary = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if ordinary and math.isfinite(value) and abs(value) < 1e9 else None


def _numbers(*values: float) -> str:
    return "\\".join(repr(float(value)) for value in values)


def _rescale(header: NiftiHeader, sidecar: Mapping[str, Any]) -> tuple[float, float]:
    """Slope and intercept of the header, in the sidecar's precision where that says the same."""
    exact = _number(sidecar.get("RescaleSlope")), _number(sidecar.get("RescaleIntercept"))
    slope, intercept = (
        full if full is not None and np.float32(full) == np.float32(short) else short
        for full, short in zip(exact, (header.slope, header.intercept))
    )
    return float(slope), float(intercept)


def read_series(path: Path) -> StoredSeries:
    """The sagittal stack that a NIfTI file holds. Raises StudyError (one sentence)."""
    try:
        sidecar = read_sidecar(sidecar_of(path))
        found = images(path, sidecar)
        problem = next((image.problem for image in found if image.problem is not None), None)
        if problem is not None:
            raise StudyError(f"the NIfTI file cannot be used: {problem.text}.")
        stack = stacks.build(found)
        image = read(path)
    except stacks.StackError as error:
        raise StudyError(f"the NIfTI image {error}.") from error
    except NiftiError as error:
        raise StudyError(f"the NIfTI file cannot be used: {error}.") from error
    chosen = [slice_position[0] for slice_position in stack.slice_positions]
    if len(chosen) < stacks.MIN_SLICES:
        raise StudyError(
            f"the NIfTI image has {counted(len(chosen), 'slice')}, but a stack needs at least {stacks.MIN_SLICES}; "
            "give the whole series."
        )
    values, padding = _finite(image.stored, _padding(sidecar))
    by_slice = np.moveaxis(values, slice_axis(image.header), 0)
    cells = [stack.turn.pixels(by_slice[one.frame].T) for one in chosen]
    planes = tuple(stack.turn.geometry(one.plane) for one in chosen)
    flags = frozenset(flag for flag in _listed(sidecar.get("SeriesFlags")) if flag in FLAGS)
    provenance = {
        "series_uid": "",
        "n_files": 1,
        "n_slices": len(chosen),
        "slice_spacing_mm": stacks.spacing(list(planes), stack.normal),
        "transfer_syntaxes": {},
        "decoders": {"nibabel": 1},
        "reorientation": stack.turn.name,
        "dropped": {},
        "unreadable_files": [],
    }
    transforms = [Transform(one.slope, one.intercept) for one in chosen]
    model = chosen[0].facts.model
    return StoredSeries(
        cells, planes, transforms, [padding] * len(cells), flags, provenance, model == PHANTOM_MODEL, chosen[0].facts
    )


def _listed(value: Any) -> list[str]:
    return [part for part in value if isinstance(part, str)] if isinstance(value, list) else []


def _padding(sidecar: Mapping[str, Any]) -> Padding | None:
    value = sidecar.get("PixelPaddingRange")
    if isinstance(value, list) and len(value) == 2 and all(isinstance(end, int) for end in value):
        return min(value), max(value)
    return None


def _finite(stored: Any, padding: Padding | None) -> tuple[StoredArray, Padding | None]:
    """Values that can be ordered: of floating-point ones, those that are not finite become one value of padding."""
    if stored.dtype.kind != "f":
        return stored, padding
    values = stored.astype(np.float64)
    there = np.isfinite(values)
    if there.all():
        return values, padding
    if not there.any():
        return np.zeros(values.shape), None
    low, high = float(values[there].min()), float(values[there].max())
    nowhere: Any = 2 * low - high - 1  # far enough from the image to be left out of its intensity window
    values[~there] = nowhere
    return values, (nowhere, nowhere)
