"""Which way the patient lies in a picture, as the letters of a workstation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lstv.dicom.geometry import SliceGeometry

_DIRECTIONS = (("R", "L"), ("A", "P"), ("I", "S"))
"""Letters at the decreasing and the increasing end of the DICOM patient axes x, y, z."""

_OPPOSITE = {end: start for pair in _DIRECTIONS for start, end in (pair, pair[::-1])}


def edge_letters(geometry: SliceGeometry) -> dict[str, str]:
    """Patient directions at the four edges of a slice: ``left``, ``right``, ``top``, ``bottom``."""
    right, down = _letter(geometry.row_direction), _letter(geometry.column_direction)
    return {"left": _OPPOSITE[right], "right": right, "top": _OPPOSITE[down], "bottom": down}


def end_letters(slices: Sequence[SliceGeometry]) -> dict[str, str]:
    """Patient directions at the ``first`` and the ``last`` slice of a stack."""
    last = _letter(tuple(np.subtract(slices[-1].position, slices[0].position)))
    return {"first": _OPPOSITE[last], "last": last}


def _letter(direction: Sequence[float]) -> str:
    axis = int(np.argmax(np.abs(direction)))
    return _DIRECTIONS[axis][int(direction[axis] > 0)]
