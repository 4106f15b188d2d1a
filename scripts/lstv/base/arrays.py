"""Names for the arrays that pass between modules; their shapes stand in the docstrings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float64]
RealArray: TypeAlias = npt.NDArray[np.floating[Any]]
"""Of any precision."""

IndexArray: TypeAlias = npt.NDArray[np.intp]
BoolArray: TypeAlias = npt.NDArray[np.bool_]
ByteArray: TypeAlias = npt.NDArray[np.uint8]
StoredArray: TypeAlias = npt.NDArray[np.integer[Any]]
"""Stored values of an image, of whatever width and sign its file has."""


def triple(values: Iterable[float]) -> tuple[float, float, float]:
    """Three numbers as a tuple of Python floats. Raises ValueError where there are not three."""
    x, y, z = (float(value) for value in values)
    return x, y, z
