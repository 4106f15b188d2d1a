"""Shape of a level's map with its area taken out of the comparison.

Distances are measured from the middle of the main part (the region around the peak with p at least half the peak), because
the maximum of a plateau lies anywhere on it. r_ref = sqrt(median_k A_k / pi) over the levels found, A_k = #{p_k > 0.5}.
All are undefined where the level is not found.
"""

from __future__ import annotations

import numpy as np

from lstv.base.arrays import BoolArray, FloatArray
from lstv.base.levels import LEVELS
from lstv.uncertainty.context import StudyContext
from lstv.uncertainty.fields import main_part_centre, squared_distances
from lstv.uncertainty.localization import entropy, region_px
from lstv.uncertainty.registry import level_metric, study_metric

_RADII = 1.5
_ERE_CUT = 0.05


def _main_part(study: StudyContext, level: int) -> FloatArray:
    return main_part_centre(study.found_map(level))


def _typical_radius(study: StudyContext) -> float:
    """r_ref in grid pixels; there must be a level that is found."""
    areas = [study.once(region_px, level) for level in range(len(LEVELS))]
    return float(np.sqrt(np.median([area for area in areas if area > 0]) / np.pi))


def _outside(study: StudyContext, level: int) -> BoolArray:
    """Whether a pixel (H, W) lies more than 1.5 r_ref from the level's main part."""
    radius = _RADII * study.once(_typical_radius)
    outside: BoolArray = squared_distances(study.support.shape, study.once(_main_part, level)) > radius**2
    return outside


@level_metric("shape")
def effective_area(study: StudyContext, level: int) -> float:
    """Area of a uniform blob with the same entropy: what the plain entropy says, in pixels.

    Formula: e^{H_k}
    Unit: pixels of the 160 x 160 grid
    Range: 1 to 25600
    Direction: high = larger or more diffuse
    Undefined: as entropy
    Source: perplexity of the map; textbook
    """
    return float(np.exp(study.once(entropy, level)))


@level_metric("shape")
def expected_radial_error(study: StudyContext, level: int) -> float:
    """Mean distance of the map's mass from its main part's middle.

    Formula: sum_x q(x) ||x - c_k||, q = p_k over {p_k > 0.05 max p_k}, normalised
    Unit: mm
    Range: 0 upwards
    Direction: high = larger, elongated or with a second part
    Undefined: level not found (flag {level}_not_found)
    Source: ERE of McCouat and Voiculescu 2022, from the main part's middle in place of the maximum
    """
    probability = study.found_map(level)
    kept = probability > _ERE_CUT * probability.max()
    away = np.sqrt(squared_distances(kept.shape, study.once(_main_part, level), study.spacing)[kept])
    return float((probability[kept] * away).sum() / probability[kept].sum())


@level_metric("shape")
def second_peak_ratio(study: StudyContext, level: int) -> float:
    """Height of the strongest response away from the main part, against the peak.

    Formula: max p_k outside 1.5 r_ref of the main part's middle / max p_k
    Unit: ratio
    Range: 0 to 1
    Direction: high = the level claims a second place
    Undefined: level not found (flag {level}_not_found)
    Source: proposal of this project, not validated
    """
    probability, outside = study.found_map(level), study.once(_outside, level)
    return float(probability[outside].max() / probability.max()) if outside.any() else 0.0


@level_metric("shape")
def leak(study: StudyContext, level: int) -> float:
    """Share of the map's mass away from its main part.

    Formula: 1 - sum_{||x - c_k|| <= 1.5 r_ref} p_k / sum_x p_k
    Unit: share
    Range: 0 to 1
    Direction: high = mass elsewhere: a tail or a second place
    Undefined: level not found (flag {level}_not_found)
    Source: proposal of this project, not validated
    """
    probability, outside = study.found_map(level), study.once(_outside, level)
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


def _covariance(study: StudyContext, level: int) -> FloatArray:
    return covariance(study.found_map(level), study.spacing)


@level_metric("shape")
def spread(study: StudyContext, level: int) -> float:
    """Extent of the map as the area of its covariance ellipse (over pi).

    Formula: sqrt(det Sigma); r^2 / 4 for a disc of radius r
    Unit: mm^2
    Range: 0 upwards
    Direction: high = larger or more diffuse
    Undefined: as entropy
    Source: moments of the heatmap after Thaler et al., MELBA 2021:014, arXiv 2109.09533 (they fit during training)
    """
    return float(np.sqrt(max(0.0, np.linalg.det(study.once(_covariance, level)))))


@level_metric("shape")
def elongation(study: StudyContext, level: int) -> float:
    """How far the map is from round.

    Formula: 1 - smaller / larger eigenvalue of Sigma; 0 where Sigma vanishes (one pixel)
    Unit: ratio
    Range: 0 to 1
    Direction: high = drawn out in one direction, as by a second place
    Undefined: level not found (flag {level}_not_found)
    Source: as spread
    """
    smaller, larger = np.linalg.eigvalsh(study.once(_covariance, level))
    return float(1 - max(0.0, smaller) / larger) if larger > 0 else 0.0


@study_metric("shape")
def entropy_difference(study: StudyContext) -> float:
    """Entropy of L5/S1 against the other levels of the same patient; blob size, field of view and tail cancel.

    Formula: dH = H_5 - median(H_1..H_4), the median over the levels found
    Unit: nat
    Range: -10.15 to 10.15
    Direction: high = L5/S1 is more diffuse than the patient's other levels
    Undefined: L5/S1 or all but one of the others not found (flags {level}_not_found,
        {level}_not_found_in_whole_field)
    Source: proposal of this project, not validated
    """
    return float(study.once(entropy, 4) - study.upper_median(entropy))
