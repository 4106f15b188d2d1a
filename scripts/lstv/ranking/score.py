"""One ranking of a cohort, fixed before looking at any result, and each study's reasons in words.

Score = mean, over six components, of how far out in the upper tail of the cohort a study lies. The components are
  U1   junction_identity_entropy
  F_J  junction_flip_rate_views
  |z|  |angle_difference - cohort median| (the same order as the robust z value)
  R    caudal_residual
  dH   entropy_difference
  N    count_anomaly
The upper tail of a value is t = (number above + half the number equal, itself included) / n over the studies of the
cohort that have the value and are of good quality, and its place ln t / ln(1 / (2 n + 2)): 0 for the lowest, near 1
for the highest, 0.5 for a cohort of one. This is Fisher's way of combining tail probabilities, put on a scale from 0
to 1. A plain mean of percentile ranks would lose a study that is extreme in one component and ordinary in the others,
and what a localizer can tell of a transitional vertebra sits in the tail of few components. Below a floor a value
counts as the floor: differences between blobs that are 99.0 and 99.9 % one level are noise, and must not rank anybody.
Floors and rule were set without labels. A value that is undefined takes no part: the mean is over those there are, at
least three, else the score is None. Nothing is weighted, for there are no labels to weight by.

The order has three groups. First the studies whose L4/L5 or L5/S1 is not found (a transitional vertebra or a failure of
the localizer: in either case somebody must look), then the other studies, last those with a quality problem. Within a group
the higher score comes first, then the unscored, then the study id. The score says who is unusual in this cohort. It is no
probability.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from lstv.base.arrays import BoolArray, FloatArray
from lstv.base.levels import LEVEL_LABELS, LEVELS
from lstv.uncertainty.records import StudyRecord, Values

COMPONENTS = (
    "junction_identity_entropy",
    "junction_flip_rate_views",
    "angle_difference",
    "caudal_residual",
    "entropy_difference",
    "count_anomaly",
)
"""Study metrics that enter the score; angle_difference by its distance from the cohort's median."""

MIN_COMPONENTS = 3
UNUSUAL = 0.9
_MIN_COHORT = 10
_MAD_TO_SD = 1.4826


@dataclass(frozen=True)
class Standing:
    """A study's place: ``rank`` 1 = first to look at; ``group`` not_found | scored | quality; ``rank_entropy`` by the
    L5/S1 entropy alone (None where it is undefined or L5/S1 is not found); ``percentiles`` of the components."""

    study_id: str
    rank: int
    score: float | None
    group: str
    rank_entropy: int | None
    percentiles: dict[str, float]
    reasons: tuple[str, ...]


def rank_studies(records: Iterable[StudyRecord]) -> list[Standing]:
    """Rank the metrics records with status ok; the others are left out. The list is in the order of the ranks."""
    records = sorted((r for r in records if r["status"] == "ok"), key=lambda r: r["study_id"])
    if not records:
        return []
    fit = [r["study"]["quality"] == "ok" for r in records]
    reference = fit if any(fit) else [True] * len(records)
    columns, angle_z = _columns(records, reference)
    percentiles = {name: percentile_ranks(values, reference) for name, values in columns.items()}
    places = {name: tail_places(values, reference) for name, values in columns.items()}
    by_entropy = _ranks_by_entropy(records)
    placed = []
    for index, record in enumerate(records):
        own = {name: float(p[index]) for name, p in percentiles.items() if np.isfinite(p[index])}
        score = float(np.mean([places[name][index] for name in own])) if len(own) >= MIN_COMPONENTS else None
        group = _group(record)
        words = reasons(record, own if sum(reference) >= _MIN_COHORT else {}, angle_z[index])
        order = (_GROUPS.index(group), -1.0 if score is None else -score - 1, record["study_id"])
        placed.append((order, record["study_id"], score, group, by_entropy[index], own, words))
    placed.sort(key=lambda item: item[0])
    return [Standing(item[1], rank, *item[2:]) for rank, item in enumerate(placed, start=1)]


_GROUPS = ("not_found", "scored", "quality")


def _group(record: StudyRecord) -> str:
    if record["study"]["quality"] != "ok":
        return "quality"
    return "not_found" if _junction_missing(record) else "scored"


def _junction_missing(record: StudyRecord) -> list[str]:
    """Junction levels without a point, or with one whose response is too small to be a disc."""
    return [
        name
        for name in ("l4_l5", "l5_s1")
        if record["levels"][name]["point_px"] is None or f"{name}_no_blob" in record["flags"]
    ]


def _columns(records: list[StudyRecord], reference: list[bool]) -> tuple[dict[str, FloatArray], FloatArray]:
    """Component values (n) from their floors up, the angle as distance from the median; and the robust z of the angle (n).

    NaN = undefined.
    """
    columns = {
        name: np.array([np.nan if r["study"][name] is None else r["study"][name] for r in records], dtype=np.float64)
        for name in COMPONENTS
    }
    for name, values in columns.items():
        if name != "angle_difference":
            np.maximum(values, _LIMITS[name].floor, out=values)
    angle = columns["angle_difference"]
    known = angle[np.asarray(reference) & np.isfinite(angle)]
    if not known.size:
        return columns, np.full(len(records), np.nan)
    away = angle - np.median(known)
    spread = _MAD_TO_SD * float(np.median(np.abs(known - np.median(known))))
    # rounded so that equal distances on both sides stay equal
    columns["angle_difference"] = np.maximum(np.abs(away).round(9), _LIMITS["angle_difference"].floor * spread)
    return columns, away / spread if spread > 0 else np.full(len(records), np.nan)


def percentile_ranks(values: FloatArray, reference: list[bool] | BoolArray) -> FloatArray:
    """(below + half of equal) / n of each value among the defined values of the ``reference`` studies, NaN = undefined.

    A study of the reference counts itself among the equal, so that its rank is that of average ranks: (r - 0.5) / n.
    """
    known = np.sort(values[np.asarray(reference, dtype=bool) & np.isfinite(values)])
    ranks = np.full(len(values), np.nan)
    if known.size:
        defined = np.isfinite(values)
        below = np.searchsorted(known, values[defined], side="left")
        up_to = np.searchsorted(known, values[defined], side="right")
        ranks[defined] = (below + up_to) / 2 / known.size
    return ranks


def tail_places(values: FloatArray, reference: list[bool] | BoolArray) -> FloatArray:
    """ln t / ln(1 / (2 n + 2)) of each value, t its upper tail among the n defined values of the ``reference``.

    0 where all others are above, 1 where none of the reference is as high, NaN where the value is undefined.
    """
    count = int((np.asarray(reference, dtype=bool) & np.isfinite(values)).sum())
    least = 1 / (2 * count + 2)
    places: FloatArray = np.log(np.clip(1 - percentile_ranks(values, reference), least, 1)) / np.log(least)
    return places


def _ranks_by_entropy(records: list[StudyRecord]) -> list[int | None]:
    """1 = highest L5/S1 entropy; equal ones in the order of their ids."""
    known = [
        index
        for index, record in enumerate(records)
        if record["levels"]["l5_s1"]["point_px"] is not None and record["levels"]["l5_s1"]["entropy"] is not None
    ]
    known.sort(key=lambda index: -records[index]["levels"]["l5_s1"]["entropy"])
    ranks: list[int | None] = [None] * len(records)
    for rank, index in enumerate(known, start=1):
        ranks[index] = rank
    return ranks


# --- reasons --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Limit:
    """A reason is given from ``plain`` on in any cohort, from above ``floor`` on where the percentile is 90 or more; up to
    ``floor`` all values count as one."""

    floor: float
    plain: float


_LIMITS = {
    "junction_identity_entropy": _Limit(floor=0.1, plain=0.5),
    "junction_flip_rate_views": _Limit(floor=0.04, plain=0.2),
    "angle_difference": _Limit(floor=1.5, plain=3.5),
    "caudal_residual": _Limit(floor=0.05, plain=0.5),
    "entropy_difference": _Limit(floor=0.1, plain=0.5),
    "count_anomaly": _Limit(floor=0, plain=1),
}


def reasons(record: StudyRecord, percentiles: dict[str, float], angle_z: float = float("nan")) -> tuple[str, ...]:
    """Why a study stands where it does, most telling first, with its own numbers; empty where nothing is unusual.

    ``percentiles`` are those of the components in a cohort large enough to call something unusual, else empty; ``angle_z``
    is the robust z value of angle_difference, NaN where there is none.
    """
    study, flags = record["study"], record["flags"]
    words = [_QUALITY_WORDS[flag] for flag in flags if flag in _QUALITY_WORDS]
    words += [f"no {LEVEL_LABELS[name]} disc found" for name in _junction_missing(record)]
    values = {name: study[name] for name in COMPONENTS}
    values["angle_difference"] = abs(angle_z) if np.isfinite(angle_z) else None
    for name, describe in _DESCRIPTIONS:
        value, limit = values[name], _LIMITS[name]
        unusual = percentiles.get(name, 0.0) >= UNUSUAL
        if value is not None and (value >= limit.plain or (unusual and value > limit.floor)):
            words.append(describe(study, angle_z))
    named = len(LEVELS) - study["missing_levels"]
    if study["blob_count"] != named:
        words.append(f"{_count(study['blob_count'], 'disc-like response')} for {_count(named, 'level')} found")
    if study["duplicate_labels"]:
        words.append(f"{_count(study['duplicate_labels'], 'disc')} called by a level that already has one")
    if study["order_violations"]:
        words.append(f"the order of the levels is broken in {_count(study['order_violations'], 'place')}")
    return tuple(words)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _identity_words(study: Values, _: float) -> str:
    mixtures = []
    for place in ("lowest", "second_lowest"):
        upper, lower = study[f"{place}_disc_share_l4_l5"], study[f"{place}_disc_share_l5_s1"]
        if upper is not None:
            mixtures.append((place.replace("_", " "), upper, lower))
    # of the two lowest blobs the one that the two junction levels share most evenly
    place, upper, lower = max(mixtures, key=lambda item: min(item[1], item[2]))
    if min(upper, lower) < 0.02:
        return (
            f"the class of one of the two lowest discs is mixed (entropy {study['junction_identity_entropy']:.2f} nat)"
        )
    (first, one), (second, two) = sorted((("L4/L5", upper), ("L5/S1", lower)), key=lambda item: -item[1])
    return f"the {place} disc is {one:.0%} {first} and {two:.0%} {second}".replace("%", " %")


def _flip_words(study: Values, _: float) -> str:
    votes = study["junction_votes_views"]
    return (
        f"the level of the lowest disc changes in {round(study['junction_flip_rate_views'] * votes)} of {votes} views "
        "(the untouched slice included)"
    )


def _angle_words(study: Values, angle_z: float) -> str:
    return (
        f"the line of points bends {abs(study['angle_difference']):.0f} degrees "
        f"{'more' if study['angle_difference'] > 0 else 'less'} at L4/L5 than at L3/L4 "
        f"(robust z {angle_z:+.1f} in this cohort)"
    )


def _residual_words(study: Values, _: float) -> str:
    return (
        f"disc-like response {study['caudal_residual']:.2g} at {study['caudal_residual_distance']:.0f} mm below L5/S1"
    )


def _entropy_words(study: Values, _: float) -> str:
    return f"the L5/S1 heatmap is {study['entropy_difference']:.2f} nat more diffuse than this patient's other levels"


_DESCRIPTIONS: tuple[tuple[str, Callable[[Values, float], str]], ...] = (
    ("junction_identity_entropy", _identity_words),
    ("junction_flip_rate_views", _flip_words),
    ("caudal_residual", _residual_words),
    ("angle_difference", _angle_words),
    ("entropy_difference", _entropy_words),
)

_QUALITY_WORDS = {
    "quality_blank_image": "quality: the slice is blank",
    "quality_low_contrast": "quality: very low contrast",
    "quality_no_level_found": "quality: no level found, probably not a sagittal lumbar series",
    "quality_few_levels_found": "quality: fewer than three levels found",
    "quality_cropped_cranial": "quality: the spine is cut off at the upper edge",
    "quality_cropped_caudal": "quality: the spine is cut off at the lower edge",
    "quality_unlike_reference": "quality: the picture is unlike the reference studies",
}
