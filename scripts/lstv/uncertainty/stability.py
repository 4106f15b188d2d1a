"""Numbering stability: does the level of a disc change from slice to slice, or when the picture is moved, cropped or dimmed.

Members are the readings of other slices (``slice``) and of transformed views of the centre slice (``view``), mapped back to
the centre slice. The two kinds are never mixed: another slice is other anatomy, another view is other input. The centre
slice itself is the first reading of either kind. A reading has a vote at a disc blob of the centre slice if it saw at
least 80 % of the blob and found a disc there (mean S >= 0.25).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lstv.base.arrays import BoolArray, ByteArray, FloatArray, IndexArray
from lstv.localizer.heatmap_file import Members
from lstv.uncertainty.fields import shannon
from lstv.uncertainty.registry import metric

KINDS = {"slice": "slices", "view": "views"}
"""Kind of a member -> suffix of its metrics."""

MIN_VOTES = 2
_COVERAGE = 0.8
_DISC = 0.25
_HALF = 128


@dataclass(frozen=True)
class Readings:
    """Centre slice and members of one kind: ``probability`` uint8 (T, 5, H, W) as 255 p, ``valid`` bool (T, H, W)."""

    probability: ByteArray
    valid: BoolArray


def readings(members: Members, kind: str, levels: FloatArray) -> Readings | None:
    """The members of one kind behind the centre slice's own level maps (5, H, W); None where no such member ran."""
    chosen = [index for index, name in enumerate(members.kinds) if name == kind]
    if not chosen:
        return None
    own = np.rint(255 * levels).astype(np.uint8)
    return Readings(
        np.concatenate([own[None], members.probability[chosen]]),
        np.concatenate([np.ones((1, *own.shape[1:]), bool), members.valid[chosen].astype(bool)]),
    )


@dataclass(frozen=True)
class Votes:
    """What the readings say at one blob: class shares (V, 5) of those with a vote, and how many saw the blob at all."""

    shares: FloatArray
    saw: int


def votes(reading: Readings, blob: IndexArray) -> Votes:
    """Class shares of each reading at the flat pixel indices ``blob``."""
    count, levels = reading.probability.shape[:2]
    saw = reading.valid.reshape(count, -1)[:, blob].mean(axis=1) >= _COVERAGE
    mass = reading.probability.reshape(count, levels, -1)[:, :, blob].sum(axis=2, dtype=np.float64)[saw]
    total = mass.sum(axis=1)
    found = total >= _DISC * 255 * blob.size
    return Votes(mass[found] / total[found, None], int(saw.sum()))


@metric("flip_rate_views", scope="level", family="stability")
@metric("flip_rate_slices", scope="level", family="stability")
def flip_rate(shares: FloatArray) -> float | None:
    """Share of the readings that call the level's disc blob by another level than the mean reading does.

    Formula: F_j = 1 - (1/T) sum_t [argmax_k q_jk^t = argmax_k mean_t q_jk^t]
    Unit: share
    Range: 0 to 0.8
    Direction: high = the level's name depends on the slice or view
    Undefined: no members of the kind (flag members_centre_only or members_no_{kind}); no blob led by the level (flag
        {level}_no_blob); fewer than 2 votes (flag {level}_few_votes_slices, {level}_few_votes_views)
    Source: proposal of this project, not validated; augmentations as aleatoric probe: Wang et al. 2019, arXiv 1807.07356
    """
    if len(shares) < MIN_VOTES:
        return None
    return float(np.mean(shares.argmax(axis=1) != shares.mean(axis=0).argmax()))


@metric("mutual_information_views", scope="level", family="stability")
@metric("mutual_information_slices", scope="level", family="stability")
def mutual_information(shares: FloatArray) -> float | None:
    """Disagreement between readings about the class mixture of the level's disc blob.

    Formula: MI_j = H(mean_t q_j^t) - (1/T) sum_t H(q_j^t)
    Unit: nat
    Range: 0 to ln 5 = 1.61
    Direction: high = the readings contradict one another, each by itself being sure
    Undefined: as flip_rate
    Source: BALD decomposition over augmented inputs; its reading as a kind of uncertainty is contested (Wimmer et al.
        2022, arXiv 2209.03302)
    """
    if len(shares) < MIN_VOTES:
        return None
    return max(0.0, shannon(shares.mean(axis=0)) - float(np.mean([shannon(share) for share in shares])))


@metric("lost_rate_views", scope="level", family="stability")
@metric("lost_rate_slices", scope="level", family="stability")
def lost_rate(vote: Votes) -> float | None:
    """Share of the readings that saw the place of the level's disc blob and found no disc there.

    Formula: 1 - (readings with a vote) / (readings whose valid pixels cover 80 % of D_j)
    Unit: share
    Range: 0 to 1
    Direction: high = the disc itself is found only in some slices or views
    Undefined: no members of the kind (flag members_centre_only or members_no_{kind}); no blob led by the level (flag
        {level}_no_blob)
    Source: proposal of this project, not validated
    """
    return 1 - len(vote.shares) / vote.saw if vote.saw else None


@metric("coordinate_variance_views", scope="level", family="stability")
@metric("coordinate_variance_slices", scope="level", family="stability")
def coordinate_variance(centres_mm: FloatArray) -> float | None:
    """Scatter of the level's position over the readings that found it.

    Formula: (1/T) sum_t ||mu_k^t - mean_t mu_k^t||^2, mu_k^t weighted mean position of {p_k^t >= 0.5}
    Unit: mm^2
    Range: 0 upwards
    Direction: high = the place given to the level depends on the slice or view
    Undefined: no members of the kind (flag members_centre_only or members_no_{kind}); level not found (flag
        {level}_not_found); found by fewer than 2 readings (flag {level}_few_votes_slices, {level}_few_votes_views)
    Source: E-CPV of Schobs et al., IEEE TMI 2023, arXiv 2203.02351, with slices or views in place of an ensemble
    """
    if len(centres_mm) < MIN_VOTES:
        return None
    return float(((centres_mm - centres_mm.mean(axis=0)) ** 2).sum(axis=1).mean())


@metric("dice_disagreement_views", scope="level", family="stability")
@metric("dice_disagreement_slices", scope="level", family="stability")
def dice_disagreement(masks: BoolArray, valid: BoolArray) -> float | None:
    """One minus the mean Dice overlap of the level's region between all pairs of readings.

    Formula: 1 - (2/(T(T-1))) sum_{s<t} 2|A^s n A^t| / (|A^s| + |A^t|) over pixels that both saw, A = {p_k >= 0.5};
        Dice is 1 if both are empty and 0 if one is
    Unit: share
    Range: 0 to 1
    Direction: high = the level's region depends on the slice or view
    Undefined: as coordinate_variance, counting the readings that saw 80 % of the level's region
    Source: Roy et al. 2019; best simple failure detector in Zenk et al., Medical Image Analysis 2025
    """
    if len(masks) < MIN_VOTES:
        return None
    masks, valid = masks.astype(np.float32), valid.astype(np.float32)
    both = masks @ masks.T
    size = masks @ valid.T
    total = size + size.T
    dice = np.divide(2 * both, total, out=np.ones_like(both), where=total > 0)
    return float(1 - dice[np.triu_indices(len(masks), 1)].astype(np.float64).mean())


@metric("junction_flip_rate_views", scope="study", family="stability")
@metric("junction_flip_rate_slices", scope="study", family="stability")
def junction_flip_rate(shares: FloatArray) -> float | None:
    """Share of the readings that call the lowest disc blob by another level than the mean reading does (F_J).

    Formula: F_J = 1 - (1/T) sum_t [argmax_k q_Jk^t = argmax_k mean_t q_Jk^t]
    Unit: share
    Range: 0 to 0.8
    Direction: high = the lowest disc's level depends on the slice or view
    Undefined: no members of the kind (flag members_centre_only or members_no_{kind}); no disc blob (flag no_disc_blob);
        fewer than 2 votes (flag junction_few_votes_slices, junction_few_votes_views)
    Source: proposal of this project, not validated
    """
    return flip_rate(shares)


@metric("junction_mutual_information_views", scope="study", family="stability")
@metric("junction_mutual_information_slices", scope="study", family="stability")
def junction_mutual_information(shares: FloatArray) -> float | None:
    """Disagreement between readings about the class mixture of the lowest disc blob (MI_J).

    Formula: H(mean_t q_J^t) - (1/T) sum_t H(q_J^t)
    Unit: nat
    Range: 0 to ln 5 = 1.61
    Direction: high = the readings contradict one another at the junction
    Undefined: as junction_flip_rate
    Source: as mutual_information
    """
    return mutual_information(shares)


@metric("junction_votes_views", scope="study", family="stability")
@metric("junction_votes_slices", scope="study", family="stability")
def junction_votes(shares: FloatArray) -> int:
    """Number of readings with a vote at the lowest disc blob, the centre slice included.

    Formula: #{t: valid pixels cover 80 % of D_J and mean S^t over D_J >= 0.25}
    Unit: readings
    Range: 0 upwards
    Direction: the denominator of junction_flip_rate
    Undefined: no members of the kind (flag members_centre_only or members_no_{kind}); no disc blob (flag no_disc_blob)
    Source: proposal of this project
    """
    return len(shares)


@dataclass(frozen=True)
class LevelReadings:
    """One level over the readings that saw it: ``centres_mm`` (U, 2), ``masks`` and ``valid`` bool (V, N)."""

    centres_mm: FloatArray
    masks: BoolArray
    valid: BoolArray


def level_readings(reading: Readings, level: int, spacing: tuple[float, float]) -> LevelReadings:
    """Positions and regions of one level in the readings that saw 80 % of the centre slice's region of it.

    ``spacing`` is the grid's (row, column) spacing in mm. The work is done in the box that holds every region.
    """
    masks = reading.probability[:, level] >= _HALF
    any_mask: BoolArray = np.logical_or.reduce(masks)
    rows, columns = np.flatnonzero(any_mask.any(axis=1)), np.flatnonzero(any_mask.any(axis=0))
    box = (slice(None), slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    masks, valid, probability = masks[box], reading.valid[box], reading.probability[:, level][box]
    saw = (valid & masks[0]).sum(axis=(1, 2)) >= _COVERAGE * masks[0].sum()
    masks, valid = masks[saw], valid[saw]
    weight = np.where(masks, probability[saw], 0).astype(np.float64)
    total = weight.sum(axis=(1, 2))
    found = total > 0
    row = weight.sum(axis=2)[found] @ np.arange(weight.shape[1]) / total[found]
    column = weight.sum(axis=1)[found] @ np.arange(weight.shape[2]) / total[found]
    centres = np.stack([column * spacing[1], row * spacing[0]], axis=1)
    return LevelReadings(centres, (masks & valid).reshape(len(masks), -1), valid.reshape(len(valid), -1))
