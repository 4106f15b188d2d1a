"""Feature distance: is this slice, inside the network, like those of a feature bank? A quality gate, no LSTV score.

``feature_distance`` looks at the whole slice. On phantoms it flags turned, inverted and cropped pictures and no transitional
spine. ``feature_deviation`` looks at one level; on phantoms it is raised by bad pictures and by transitional junctions
alike, so it raises no flag. Real references hold transitional spines too. Neither says why a study is unlike the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lstv.base.arrays import RealArray
from lstv.base.levels import LEVELS
from lstv.localizer.heatmap_file import Features
from lstv.uncertainty.context import StudyContext
from lstv.uncertainty.flags import Undefined
from lstv.uncertainty.registry import level_metric, study_metric, warning

if TYPE_CHECKING:  # the feature bank is made with this module's distances
    from lstv.uncertainty.feature_bank import FeatureBank

NEIGHBOUR = 10
"""k of the k-th nearest neighbour."""

MIN_LEVEL_STUDIES = 100
"""Reference studies with a level that its mean and covariance take."""

UNLIKE = 0.99
"""A distance beyond this quantile of the reference's own leave-one-out distances is flagged."""


def direction(bottleneck: RealArray) -> npt.NDArray[np.float32]:
    """Bottleneck features (C,) at length 1, float32; zeros stay zeros."""
    features = bottleneck.astype(np.float32)
    length = np.linalg.norm(features)
    return (features / length).astype(np.float32, copy=False) if length > 0 else features


def neighbour_distance(own: npt.NDArray[np.float32], feature_bank: npt.NDArray[np.float32]) -> float:
    """Distance of a direction (C,) to the tenth nearest of the reference's (n, C)."""
    distances = np.linalg.norm(feature_bank - own, axis=1)
    return float(np.partition(distances, NEIGHBOUR - 1)[NEIGHBOUR - 1])


def _compared(study: StudyContext) -> tuple[FeatureBank, Features]:
    if study.feature_bank is None:
        raise Undefined("no_reference_features")
    if study.maps.features is None:
        raise Undefined("no_features")
    return study.feature_bank, study.maps.features


@study_metric("quality")
def feature_distance(study: StudyContext) -> float:
    """Distance of the slice's deepest features to the tenth nearest study of the feature bank.

    Formula: ||f - f_(10)||, f = bottleneck features averaged over the slice, brought to length 1; the study itself, if it
        stands in the reference, is left out
    Unit: 1 (length of the normalised features)
    Range: 0 to 2
    Direction: high = unlike the studies of the feature bank (flag quality_unlike_reference beyond their own 99th percentile)
    Undefined: no feature bank (flag no_reference_features); heatmaps without features (flag no_features)
    Source: k-th nearest neighbour on pooled bottleneck features: Woodland et al., MELBA 2024:020; at length 1: Sun et al.
        2022, arXiv 2204.06507. No principal components: a distance within 32 of them is blind to all else, and
        normalising after them was seen to be blind even to turned and inverted pictures
    """
    feature_bank, own = _compared(study)
    return neighbour_distance(direction(own.bottleneck), feature_bank.others(study.maps.study_id))


@study_metric("quality")
def feature_percentile(study: StudyContext) -> float:
    """Share of the feature bank's studies that lie no further from their tenth neighbour than this study from its own.

    Formula: #{i: d_i <= feature_distance} / n, d_i the leave-one-out distances of the n studies of the feature bank
    Unit: share
    Range: 0 to 1
    Direction: high = unlike the studies of the feature bank
    Undefined: as feature_distance
    Source: empirical distribution of the distance of feature_distance; this project
    """
    feature_bank, _ = _compared(study)
    return float(np.mean(feature_bank.distances <= study.once(feature_distance)))


@warning
def unlike_reference(study: StudyContext) -> list[str]:
    """The study lies beyond the reference's own 99th percentile."""
    return ["quality_unlike_reference"] if study.once(feature_percentile) > UNLIKE else []


@level_metric("features")
def feature_deviation(study: StudyContext, level: int) -> float:
    """Mahalanobis distance of the level's features from those of the same level in the feature bank.

    Formula: sqrt((f - m)' S^-1 (f - m)), f = last decoder features averaged over {p_k >= 0.5}, m and S (Ledoit-Wolf) mean
        and covariance of f over the studies of the feature bank
    Unit: standard deviations of the reference
    Range: 0 upwards
    Direction: high = the place called by this level looks unlike that of the reference
    Undefined: no feature bank (flag no_reference_features); heatmaps without features (flag no_features); level not found
        (flag {level}_not_found) or empty in the network's own precision (flag {level}_no_features); found in fewer than
        100 studies of the feature bank (flag {level}_few_reference_studies)
    Source: Gonzalez et al. 2022, arXiv 2208.03217; shrinkage: Ledoit and Wolf 2004
    """
    feature_bank, own = _compared(study)
    if feature_bank.level_count[level] < MIN_LEVEL_STUDIES:
        raise Undefined(f"{LEVELS[level]}_few_reference_studies")
    study.need(level)
    feature = own.discs[1 + level]
    if not np.isfinite(feature).all():
        # the network's own precision put the peak just below one half, float64 just above
        raise Undefined(f"{LEVELS[level]}_no_features")
    away = np.asarray(feature, dtype=np.float64) - feature_bank.level_mean[level]
    return float(np.sqrt(max(0.0, float(away @ feature_bank.level_precision[level] @ away))))
