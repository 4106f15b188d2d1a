"""Shape of a level's map with its area taken out of the comparison.

Distances are measured from the middle of the main part (the region around the peak with p at least half the peak), because
the maximum of a plateau lies anywhere on it. r_ref = sqrt(median_k A_k / pi) over the levels found, A_k = area_px.
All are undefined where the level is not found.
"""

from __future__ import annotations

import numpy as np

from lstv.base.arrays import FloatArray
from lstv.uncertainty.fields import distances, main_part_centre, shannon
from lstv.uncertainty.registry import metric

_RADII = 1.5
_ERE_CUT = 0.05


def reference_radius(areas: list[int]) -> float | None:
    """r_ref in grid pixels from the areas of the levels, those of 0 left out; None where none was found."""
    found = [area for area in areas if area > 0]
    return float(np.sqrt(np.median(found) / np.pi)) if found else None


@metric("effective_area", scope="level", family="shape")
def effective_area(probability: FloatArray) -> float:
    """Area of a uniform blob with the same entropy: what the plain entropy says, in pixels.

    Formula: e^{H_k}
    Unit: pixels of the 160 x 160 grid
    Range: 1 to 25600
    Direction: high = larger or more diffuse
    Undefined: level not found (flag {level}_not_found)
    Source: perplexity of the map; textbook
    """
    return float(np.exp(shannon(probability)))


@metric("expected_radial_error", scope="level", family="shape")
def expected_radial_error(probability: FloatArray, spacing: tuple[float, float]) -> float:
    """Mean distance of the map's mass from its main part's middle.

    Formula: sum_x q(x) ||x - c_k||, q = p_k over {p_k > 0.05 max p_k}, normalised
    Unit: mm
    Range: 0 upwards
    Direction: high = larger, elongated or with a second part
    Undefined: level not found (flag {level}_not_found)
    Source: ERE of McCouat and Voiculescu 2022, from the main part's middle in place of the maximum
    """
    kept = np.where(probability > _ERE_CUT * probability.max(), probability, 0.0)
    away = distances(probability.shape, main_part_centre(probability), spacing)
    return float((kept * away).sum() / kept.sum())


@metric("second_peak_ratio", scope="level", family="shape")
def second_peak_ratio(probability: FloatArray, radius: float) -> float:
    """Height of the strongest response away from the main part, against the peak.

    Formula: max p_k outside 1.5 r_ref of the main part's middle / max p_k
    Unit: ratio
    Range: 0 to 1
    Direction: high = the level claims a second place
    Undefined: level not found (flag {level}_not_found)
    Source: proposal of this project, not validated
    """
    outside = distances(probability.shape, main_part_centre(probability)) > _RADII * radius
    return float(probability[outside].max() / probability.max()) if outside.any() else 0.0


@metric("leak", scope="level", family="shape")
def leak(probability: FloatArray, radius: float) -> float:
    """Share of the map's mass away from its main part.

    Formula: 1 - sum_{||x - c_k|| <= 1.5 r_ref} p_k / sum_x p_k
    Unit: share
    Range: 0 to 1
    Direction: high = mass elsewhere: a tail or a second place
    Undefined: level not found (flag {level}_not_found)
    Source: proposal of this project, not validated
    """
    outside = distances(probability.shape, main_part_centre(probability)) > _RADII * radius
    return float(probability[outside].sum() / probability.sum())


def covariance(probability: FloatArray, spacing: tuple[float, float]) -> FloatArray:
    """Sigma = sum p~ (x - mu)(x - mu)^T in mm^2, float64 (2, 2), p~ = p_k / sum p_k over all pixels."""
    share = probability / probability.sum()
    rows = np.arange(share.shape[0]) * spacing[0]
    columns = np.arange(share.shape[1]) * spacing[1]
    by_row, by_column = share.sum(axis=1), share.sum(axis=0)
    rows, columns = rows - by_row @ rows, columns - by_column @ columns
    mixed = float(rows @ share @ columns)
    return np.array([[by_column @ columns**2, mixed], [mixed, by_row @ rows**2]])


@metric("spread", scope="level", family="shape")
def spread(sigma: FloatArray) -> float:
    """Extent of the map as the area of its covariance ellipse (over pi).

    Formula: sqrt(det Sigma); r^2 / 4 for a disc of radius r
    Unit: mm^2
    Range: 0 upwards
    Direction: high = larger or more diffuse
    Undefined: level not found (flag {level}_not_found)
    Source: moments of the heatmap after Thaler et al., MELBA 2021:014, arXiv 2109.09533 (they fit during training)
    """
    return float(np.sqrt(max(0.0, np.linalg.det(sigma))))


@metric("elongation", scope="level", family="shape")
def elongation(sigma: FloatArray) -> float:
    """How far the map is from round.

    Formula: 1 - smaller / larger eigenvalue of Sigma; 0 where Sigma vanishes (one pixel)
    Unit: ratio
    Range: 0 to 1
    Direction: high = drawn out in one direction, as by a second place
    Undefined: level not found (flag {level}_not_found)
    Source: as spread
    """
    smaller, larger = np.linalg.eigvalsh(sigma)
    return float(1 - max(0.0, smaller) / larger) if larger > 0 else 0.0


@metric("entropy_difference", scope="study", family="shape")
def entropy_difference(entropies: list[float | None], found: list[bool]) -> float | None:
    """Entropy of L5/S1 against the other levels of the same patient; blob size, field of view and tail cancel.

    Formula: dH = H_5 - median(H_1..H_4), the median over the levels found
    Unit: nat
    Range: -10.15 to 10.15
    Direction: high = L5/S1 is more diffuse than the patient's other levels
    Undefined: L5/S1 or all but one of the others not found (flags {level}_not_found)
    Source: proposal of this project, not validated
    """
    own = entropies[4] if found[4] else None
    others = [value for value, known in zip(entropies[:4], found[:4]) if known and value is not None]
    return float(own - np.median(others)) if own is not None and len(others) >= 2 else None
