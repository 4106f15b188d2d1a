"""Vertebra centroids that another program found, read into the patient's coordinates.

A study's file is ``<study_id>_ctd.json`` in the folder of centroids. Two forms are taken:

1. Plain: ``{"L1": [x, y, z], ..., "S1": [x, y, z]}`` in mm of the DICOM patient system (x to the left, y to posterior,
   z to superior).
2. As SPINEPS writes it through TPTBox: a list whose first element describes the grid and whose other elements hold points.
   ``direction`` (axis codes such as ["P", "I", "R"]), ``zoom`` (mm), ``rotation`` (3 x 3) and ``origin`` (mm) place voxel
   coordinates in the NIfTI world, whose x and y run against DICOM's: world = rotation (voxel * zoom) + origin. With
   ``format`` POI_GLOBAL the points are millimetres already, of the NIfTI world (``coordinate_system`` nib) or of ITK's,
   which is DICOM's (itk). Points stand as ``{"label": 20, "X": .., "Y": .., "Z": ..}``, the label being the vertebra
   + 256 * the part of it, or as one element ``{"20" or "L1": {"50": [x, y, z]}}``. Of a vertebra's parts the body's
   centroid (50) is taken. Vertebrae: 20 to 24 = L1 to L5, 25 = L6, 26 = S1. SPINEPS segments the sacrum as one piece, so
   its S1 may be the centroid of the whole visible sacrum.

A list of voxel coordinates without zoom, rotation and origin (as in VerSe) does not say where its points lie in the
patient and is refused, never guessed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from lstv.base.arrays import FloatArray
from lstv.base.errors import StudyError, cause

VERTEBRAE = {"L1": 20, "L2": 21, "L3": 22, "L4": 23, "L5": 24, "L6": 25, "S1": 26}
"""Names and TPTBox's numbers of the vertebrae used here."""

BODY = 50
_PARTS = 256
_NAME_OF = {number: name for name, number in VERTEBRAE.items()}
_WORLD_AXES = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}
_SPACING_MM = (12.0, 90.0)
"""Distance of neighbouring centroids beyond which the numbers cannot be millimetres of a patient."""


def centroid_file(folder: Path, study_id: str) -> Path:
    """Where the centroids of a study are looked for."""
    return Path(folder) / f"{study_id}_ctd.json"


def existing_files(folder: str | None, study_ids: Iterable[str]) -> list[str]:
    """The centroid files that there are for these studies; none without a folder."""
    files = [centroid_file(Path(folder), study_id) for study_id in study_ids] if folder else []
    return [str(path) for path in files if path.is_file()]


def read_centroids(path: Path) -> dict[str, FloatArray]:
    """Vertebra names (keys of VERTEBRAE, cranial to caudal) -> body centroid, float64 (3,), mm in the DICOM patient system.

    Raises StudyError (one sentence) where the file cannot be read or does not place its points in the patient.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise StudyError(f"centroid file {path.name} is not readable JSON ({cause(error)}); write it again.") from error
    points = _of_list(path, content) if isinstance(content, list) else _plain(path, content)
    found = {name: points[name] for name in VERTEBRAE if name in points}
    _check_distances(path, found)
    return found


def _plain(path: Path, content: object) -> dict[str, FloatArray]:
    if not isinstance(content, dict):
        raise StudyError(f"centroid file {path.name} is neither a JSON object nor a list; see config/README.md.")
    return {name: _point(path, name, value) for name, value in _by_name(content.items())}


def _by_name(items: Iterable[tuple[object, object]]) -> list[tuple[str, object]]:
    """Those of (label, value) whose label is a vertebra used here, by number or name."""
    named = []
    for label, value in items:
        text = str(label).strip().upper()
        name = _NAME_OF.get(int(text)) if text.isdigit() else text
        if name in VERTEBRAE:
            named.append((name, value))
    return named


def _point(path: Path, name: str, value: object) -> FloatArray:
    try:
        point = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        point = np.empty(0)
    if point.shape != (3,) or not np.isfinite(point).all():
        raise StudyError(f"centroid file {path.name} gives {value!r} for {name} where three numbers are expected.")
    return point


def _of_list(path: Path, content: list[dict[str, Any]]) -> dict[str, FloatArray]:
    if len(content) < 2 or not all(isinstance(element, dict) for element in content):
        raise StudyError(f"centroid file {path.name} is a list without points; see config/README.md for its form.")
    header, *elements = content
    points: dict[str, FloatArray] = {}
    for element in elements:
        points |= {name: _point(path, name, value) for name, value in _by_name(_bodies(path, element))}
    to_patient = _to_patient(path, header)
    return {name: to_patient(point) for name, point in points.items()}


def _bodies(path: Path, element: dict[str, Any]) -> list[tuple[object, object]]:
    """(vertebra, coordinates) of the body centroids in one element of the list; NaN points are left out."""
    if "label" in element:
        found = [(element["label"], [element.get(axis) for axis in "XYZ"])]
        number = str(element["label"]).strip()
        if number.isdigit():
            part, vertebra = divmod(int(number), _PARTS)
            found = [(vertebra, found[0][1])] if part in (0, BODY) else []
        return [(label, value) for label, value in found if "nan" not in str(value).lower()]
    if not all(isinstance(parts, dict) for parts in element.values()):
        raise StudyError(f"centroid file {path.name} holds an element without label or parts; see config/README.md.")
    return [(label, parts[str(BODY)]) for label, parts in element.items() if str(BODY) in parts]


def _to_patient(path: Path, header: dict[str, Any]) -> Callable[[FloatArray], FloatArray]:
    """Function of a point as written -> mm in the DICOM patient system."""
    flip = np.array([-1.0, -1.0, 1.0])
    if header.get("format") == "POI_GLOBAL":
        system = header.get("coordinate_system", "nib")
        if system not in ("nib", "itk"):
            raise StudyError(f"centroid file {path.name} has coordinate_system {system!r}; use nib or itk.")
        return (lambda point: point * flip) if system == "nib" else (lambda point: point)
    missing = [name for name in ("direction", "zoom", "rotation", "origin") if header.get(name) is None]
    if missing:
        raise StudyError(
            f"centroid file {path.name} gives voxel coordinates without {', '.join(missing)}, so their place in the patient "
            "is unknown; save it with a TPTBox that writes these, or give the points in patient millimetres."
        )
    try:
        zoom, origin = (np.array(header[name], dtype=np.float64).reshape(3) for name in ("zoom", "origin"))
        rotation = np.array(header["rotation"], dtype=np.float64).reshape(3, 3)
        axes = [_WORLD_AXES[str(code)] for code in header["direction"]]
    except (KeyError, TypeError, ValueError) as error:
        raise StudyError(f"centroid file {path.name} has a grid that cannot be read ({error}).") from error
    orthonormal = np.abs(rotation.T @ rotation - np.eye(3)).max() < 1e-2
    if not orthonormal or not np.isfinite(origin).all() or not (np.isfinite(zoom) & (zoom > 0)).all():
        raise StudyError(f"centroid file {path.name} has an invalid grid: check its zoom, rotation and origin.")
    if [(int(np.abs(column).argmax()), int(np.sign(column[np.abs(column).argmax()]))) for column in rotation.T] != axes:
        raise StudyError(
            f"centroid file {path.name} contradicts itself: its rotation is not that of direction "
            f"{' '.join(map(str, header['direction']))}; save it again from the image it belongs to."
        )
    return lambda point: flip * (rotation @ (point * zoom) + origin)


def _check_distances(path: Path, points: dict[str, FloatArray]) -> None:
    low, high = _SPACING_MM
    names = list(points)
    for upper, lower in zip(names, names[1:]):
        steps = list(VERTEBRAE).index(lower) - list(VERTEBRAE).index(upper)
        distance = float(np.linalg.norm(points[lower] - points[upper]))
        if not low <= distance <= high * steps:
            raise StudyError(
                f"centroid file {path.name} has {upper} and {lower} {distance:.3g} mm apart, which no spine is; "
                "check that the coordinates are of this study and in the unit they claim."
            )
