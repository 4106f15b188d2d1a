"""Numbering stability: does the level of a disc change from slice to slice, or when the picture is turned, dimmed or noisy.

Members are the readings of other slices (``slice``) and of transformed views of the centre slice (``view``), mapped back to
the centre slice. The two kinds are never mixed: another slice is other anatomy, another view is other input. The centre
slice itself is the first reading of either kind. A reading has a vote at a disc blob of the centre slice if it saw at
least 80 % of the blob and found a disc there (mean S >= 0.25).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lstv.anatomy.points import level_point
from lstv.base.arrays import BoolArray, ByteArray, FloatArray, IndexArray
from lstv.base.levels import LEVELS
from lstv.uncertainty.context import StudyContext
from lstv.uncertainty.fields import shannon
from lstv.uncertainty.flags import Undefined
from lstv.uncertainty.registry import level_metric, study_metric

KINDS = {"slices": "slice", "views": "view"}
"""Suffix of the metrics of a kind -> what the members of it are called in the heatmap file."""

MIN_VOTES = 2
_COVERAGE = 0.8
_DISC = 0.25
_HALF = 128


@dataclass(frozen=True)
class MemberPredictions:
    """Centre slice and members of one kind: ``probability`` uint8 (T, 5, H, W) as 255 p, ``valid`` bool (T, H, W)."""

    probability: ByteArray
    valid: BoolArray


def member_predictions(study: StudyContext, kind: str) -> MemberPredictions:
    """The members of one kind behind the centre slice's own level maps. Raises Undefined where none ran."""
    members = study.maps.members
    if members is None or not set(KINDS.values()) & set(members.kinds):
        raise Undefined("members_centre_only")
    chosen = [index for index, name in enumerate(members.kinds) if name == KINDS[kind]]
    if not chosen:
        raise Undefined(f"members_no_{kind}")
    own = np.rint(255 * study.probability).astype(np.uint8)
    return MemberPredictions(
        np.concatenate([own[None], members.probability[chosen]]),
        np.concatenate([np.ones((1, *own.shape[1:]), bool), members.valid[chosen].astype(bool)]),
    )


@dataclass(frozen=True)
class Votes:
    """What the readings say at one blob: class shares (V, 5) of those with a vote, their indices ``readings`` (V,), and how
    many saw the blob at all.

    The centre slice always saw it.
    """

    shares: FloatArray
    readings: IndexArray
    saw: int


def votes(study: StudyContext, kind: str, index: int) -> Votes:
    """Class shares of each reading at a disc blob of the centre slice."""
    predictions, blob = study.once(member_predictions, kind), study.blobs[index]
    count, levels = predictions.probability.shape[:2]
    saw = predictions.valid.reshape(count, -1)[:, blob].mean(axis=1) >= _COVERAGE
    mass = predictions.probability.reshape(count, levels, -1)[:, :, blob].sum(axis=2, dtype=np.float64)
    total = mass.sum(axis=1)
    found = np.flatnonzero(saw & (total >= _DISC * 255 * blob.size))
    return Votes(mass[found] / total[found, None], found, int(saw.sum()))


def _level_votes(study: StudyContext, level: int, kind: str) -> Votes:
    study.once(member_predictions, kind)  # without members that is the reason, whatever the blobs
    return study.once(votes, kind, study.blob_of(level))


def _junction_votes(study: StudyContext, kind: str) -> Votes:
    study.once(member_predictions, kind)
    return study.once(votes, kind, study.lowest_blob())


def _enough(votes: Votes, disc: str, kind: str) -> FloatArray:
    """The shares (V, 5), of which there must be two to compare; ``disc`` is the level or ``junction``, for the flag."""
    if len(votes.shares) < MIN_VOTES:
        raise Undefined(f"{disc}_few_votes_{kind}")
    return votes.shares


def _flip_rate(shares: FloatArray) -> float:
    return float(np.mean(shares.argmax(axis=1) != shares.mean(axis=0).argmax()))


def mutual_information_of(shares: FloatArray) -> float:
    """H(mean) - mean H of class shares (V, 5), in nat."""
    return max(0.0, shannon(shares.mean(axis=0)) - float(np.mean([shannon(share) for share in shares])))


@level_metric("stability", KINDS)
def flip_rate(study: StudyContext, level: int, kind: str) -> float:
    """Share of the readings that call the level's disc blob by another level than the mean reading does.

    Formula: F_j = 1 - (1/T) sum_t [argmax_k q_jk^t = argmax_k mean_t q_jk^t]
    Unit: share
    Range: 0 to 0.8
    Direction: high = the level's name depends on the slice or view
    Undefined: no members of the kind (flag members_centre_only or members_no_{kind}); no blob led by the level (flag
        {level}_no_blob); fewer than 2 votes (flag {level}_few_votes_slices, {level}_few_votes_views)
    Source: proposal of this project, not validated; augmentations as aleatoric probe: Wang et al. 2019, arXiv 1807.07356
    """
    return _flip_rate(_enough(_level_votes(study, level, kind), LEVELS[level], kind))


@level_metric("stability", KINDS)
def mutual_information(study: StudyContext, level: int, kind: str) -> float:
    """Disagreement between readings about the class mixture of the level's disc blob.

    Formula: MI_j = H(mean_t q_j^t) - (1/T) sum_t H(q_j^t)
    Unit: nat
    Range: 0 to ln 5 = 1.61
    Direction: high = the readings contradict one another, each by itself being sure
    Undefined: as flip_rate
    Source: BALD decomposition over augmented inputs; its reading as a kind of uncertainty is contested (Wimmer et al.
        2022, arXiv 2209.03302)
    """
    return mutual_information_of(_enough(_level_votes(study, level, kind), LEVELS[level], kind))


@level_metric("stability", KINDS)
def lost_rate(study: StudyContext, level: int, kind: str) -> float:
    """Share of the readings that saw the place of the level's disc blob and found no disc there.

    Formula: 1 - (readings with a vote) / (readings whose valid pixels cover 80 % of D_j)
    Unit: share
    Range: 0 to 1
    Direction: high = the disc itself is found only in some slices or views
    Undefined: no members of the kind (flag members_centre_only or members_no_{kind}); no blob led by the level (flag
        {level}_no_blob)
    Source: proposal of this project, not validated
    """
    vote = _level_votes(study, level, kind)
    return 1 - len(vote.shares) / vote.saw


@level_metric("stability", KINDS)
def coordinate_variance(study: StudyContext, level: int, kind: str) -> float:
    """Scatter of the level's position over the readings that found it.

    Formula: (1/T) sum_t ||mu_k^t - mean_t mu_k^t||^2, mu_k^t middle of the main blob of {p_k^t > 0.5}
    Unit: mm^2
    Range: 0 upwards
    Direction: high = the place given to the level depends on the slice or view
    Undefined: no members of the kind (flag members_centre_only or members_no_{kind}); level not found (flag
        {level}_not_found); found by fewer than 2 readings (flag {level}_few_votes_slices, {level}_few_votes_views)
    Source: E-CPV of Schobs et al., IEEE TMI 2023, arXiv 2203.02351, with slices or views in place of an ensemble
    """
    centres_mm = study.once(level_predictions, kind, level).centres_mm
    if len(centres_mm) < MIN_VOTES:
        raise Undefined(f"{LEVELS[level]}_few_votes_{kind}")
    return float(((centres_mm - centres_mm.mean(axis=0)) ** 2).sum(axis=1).mean())


@level_metric("stability", KINDS)
def dice_disagreement(study: StudyContext, level: int, kind: str) -> float:
    """One minus the mean Dice overlap of the level's region between all pairs of readings.

    Formula: 1 - (2/(T(T-1))) sum_{s<t} 2|A^s n A^t| / (|A^s| + |A^t|) over pixels that both saw, A = {p_k >= 0.5};
        Dice is 1 if both are empty and 0 if one is
    Unit: share
    Range: 0 to 1
    Direction: high = the level's region depends on the slice or view
    Undefined: as coordinate_variance, counting the readings that saw 80 % of the level's region
    Source: Roy et al. 2019; best simple failure detector in Zenk et al., Medical Image Analysis 2025
    """
    seen = study.once(level_predictions, kind, level)
    if len(seen.masks) < MIN_VOTES:
        raise Undefined(f"{LEVELS[level]}_few_votes_{kind}")
    return mean_dice_distance(seen.masks, seen.valid)


def mean_dice_distance(masks: BoolArray, valid: BoolArray) -> float:
    """One minus the mean Dice of all pairs of regions (V, N), each over the pixels that both readings saw."""
    masks, valid = masks.astype(np.float32), valid.astype(np.float32)
    both = masks @ masks.T
    size = masks @ valid.T
    total = size + size.T
    dice = np.divide(2 * both, total, out=np.ones_like(both), where=total > 0)
    return float(1 - dice[np.triu_indices(len(masks), 1)].astype(np.float64).mean())


@study_metric("stability", KINDS)
def junction_flip_rate(study: StudyContext, kind: str) -> float:
    """Share of the readings that call the lowest disc blob by another level than the mean reading does (F_J).

    Formula: F_J = 1 - (1/T) sum_t [argmax_k q_Jk^t = argmax_k mean_t q_Jk^t]
    Unit: share
    Range: 0 to 0.8
    Direction: high = the lowest disc's level depends on the slice or view
    Undefined: no members of the kind (flag members_centre_only or members_no_{kind}); no disc blob (flag no_disc_blob);
        fewer than 2 votes (flag junction_few_votes_slices, junction_few_votes_views)
    Source: proposal of this project, not validated
    """
    return _flip_rate(_enough(_junction_votes(study, kind), "junction", kind))


@study_metric("stability", KINDS)
def junction_mutual_information(study: StudyContext, kind: str) -> float:
    """Disagreement between readings about the class mixture of the lowest disc blob (MI_J).

    Formula: H(mean_t q_J^t) - (1/T) sum_t H(q_J^t)
    Unit: nat
    Range: 0 to ln 5 = 1.61
    Direction: high = the readings contradict one another at the junction
    Undefined: as junction_flip_rate
    Source: as mutual_information
    """
    return mutual_information_of(_enough(_junction_votes(study, kind), "junction", kind))


@study_metric("stability", KINDS)
def junction_votes(study: StudyContext, kind: str) -> int:
    """Number of readings with a vote at the lowest disc blob, the centre slice included.

    Formula: #{t: valid pixels cover 80 % of D_J and mean S^t over D_J >= 0.25}
    Unit: readings
    Range: 0 upwards
    Direction: the denominator of junction_flip_rate
    Undefined: no members of the kind (flag members_centre_only or members_no_{kind}); no disc blob (flag no_disc_blob)
    Source: proposal of this project
    """
    return len(_junction_votes(study, kind).shares)


@dataclass(frozen=True)
class LevelPredictions:
    """One level over the readings that saw it: ``masks`` and ``valid`` bool (V, N) and indices of these readings ``seen_by``
    (V,); ``centres_mm`` (U, 2) as (column, row) from a corner common to all, and indices of the readings that found it,
    ``found_by`` (U,)."""

    masks: BoolArray
    valid: BoolArray
    seen_by: IndexArray
    centres_mm: FloatArray
    found_by: IndexArray


def level_predictions(study: StudyContext, kind: str, level: int) -> LevelPredictions:
    """Positions and regions of one level in the readings that saw 80 % of the centre slice's region of it.

    Raises Undefined where the level is not found. The work is done in the box that holds every region.
    """
    predictions, spacing = study.once(member_predictions, kind), study.spacing
    study.need(level)
    masks = predictions.probability[:, level] >= _HALF
    any_mask: BoolArray = np.logical_or.reduce(masks)
    rows, columns = np.flatnonzero(any_mask.any(axis=1)), np.flatnonzero(any_mask.any(axis=0))
    box = (slice(None), slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    masks, valid, probability = masks[box], predictions.valid[box], predictions.probability[:, level][box]
    saw = np.flatnonzero((valid & masks[0]).sum(axis=(1, 2)) >= _COVERAGE * masks[0].sum())
    masks, valid = masks[saw], valid[saw]
    points = [level_point(one / 255) for one in probability[saw]]
    placed = [(point[0] * spacing[1], point[1] * spacing[0]) for point in points if point is not None]
    return LevelPredictions(
        masks=(masks & valid).reshape(len(masks), -1),
        valid=valid.reshape(len(valid), -1),
        seen_by=saw,
        centres_mm=np.array(placed, dtype=np.float64).reshape(-1, 2),
        found_by=saw[[point is not None for point in points]],
    )
