"""How alike the slices on either side of the centre slice are: a body is symmetric, and so are they while it is midway."""

from __future__ import annotations

import numpy as np

from lstv.anatomy.strip import Strip

_BOTH_SIDES = 3
_LEAST_PIXELS = 100


def asymmetry(strip: Strip, row_mm: float, reach_mm: float) -> float:
    """1 - r (0 to 2), r the correlation of the pixels of the two neighbours of the centre slice, over the rows of the strip
    from ``row_mm`` - ``reach_mm`` to ``row_mm`` + ``reach_mm``.

    NaN where a neighbour is missing, fewer than 100 pixels (mm^2) are seen, or one of the neighbours is of one grey.
    """
    if len(strip.pixels) < _BOTH_SIDES:
        return float("nan")
    first, last = (max(0, round(row_mm + side * reach_mm)) for side in (-1, 1))
    shown = strip.pixels[:, first:last].astype(np.float64)
    sides = shown[1:, (shown > 0).all(axis=0)]
    if sides.shape[1] < _LEAST_PIXELS or bool((sides.std(axis=1) == 0).any()):
        return float("nan")
    return float(1 - np.corrcoef(sides[0], sides[1])[0, 1])
