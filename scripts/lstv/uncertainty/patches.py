"""Patches: what the network says of a disc once the picture is centred where given vertebra centroids put it.

The centroids come from another program, with its own numbering. At each given place the blob of the patch is taken that
lies there along the spine; what the network calls it is compared with the name that was given. Agreement is that of two
programs, not a proof: both may be one level off.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lstv.base.arrays import FloatArray
from lstv.base.levels import LEVELS
from lstv.localizer.patches import DiscTarget
from lstv.uncertainty import blobs
from lstv.uncertainty.context import StudyContext
from lstv.uncertainty.flags import Undefined
from lstv.uncertainty.registry import level_metric, study_metric, warning

ACROSS_MM = 60.0
"""How far in front of or behind the given place a blob may lie: the network's points lie in the canal, not in the disc."""


@dataclass(frozen=True)
class PatchBlob:
    """The blob at a given place: ``shares`` (5,) of the levels in it, ``peak`` highest probability of the given level in it,
    ``distance`` in mm along the spine from the given place, positive to caudal."""

    shares: FloatArray
    peak: float
    distance: float


def read(
    levels: FloatArray, level: int, target: DiscTarget, spacing: tuple[float, float], superior: tuple[float, float]
) -> PatchBlob | None:
    """The blob at a place in a patch's level maps (5, H, W), float in 0..1; None where there is none.

    It is the one nearest along the line of the centroids, at most half a disc distance away along it and 60 mm across.
    ``spacing`` is the grid's (row, column) spacing in mm; ``superior`` as in ``blobs.disc_blobs``.
    """
    scale = np.array([spacing[1], spacing[0]])
    disc, upper, lower = (np.array(point) * scale for point in (target.disc_px, target.upper_px, target.lower_px))
    axis = (lower - upper) / np.linalg.norm(lower - upper)
    reach = float(np.linalg.norm(disc - upper))
    support = levels.sum(axis=0)
    best = None
    for blob in blobs.disc_blobs(support, superior):
        weight = support.ravel()[blob]
        rows, columns = np.divmod(blob, support.shape[1])
        offset = np.array([weight @ columns, weight @ rows]) / weight.sum() * scale - disc
        along = float(offset @ axis)
        across = float(np.linalg.norm(offset - along * axis))
        if abs(along) <= reach and across <= ACROSS_MM and (best is None or abs(along) < abs(best[1])):
            best = (blob, along)
    if best is None:
        return None
    blob, along = best
    shares = blobs.class_shares(levels, [blob])[0]
    return PatchBlob(shares, float(levels[level].ravel()[blob].max()), along)


def patch_blob(study: StudyContext, level: int) -> PatchBlob:
    """What the level's patch says at its given place. Raises Undefined for every way of having no patch."""
    given, name = study.maps.targets, LEVELS[level]
    if given is None:
        raise Undefined("members_no_patches")
    if given.status != "given":
        raise Undefined(f"centroids_{given.status}")
    if name not in given.found:
        raise Undefined(f"{name}_patch_{given.missing[name]}")
    members = study.maps.members
    if members is None:
        raise Undefined("members_no_patches")
    said = members.probability[members.names.index(f"patch-{name}")] / 255.0
    found = read(said, level, given.found[name], study.spacing, study.superior)
    if found is None:
        raise Undefined(f"{name}_patch_no_disc")
    return found


@warning
def six_lumbar(study: StudyContext) -> list[str]:
    """The given centroids name a sixth lumbar vertebra."""
    given = study.maps.targets
    return ["centroids_six_lumbar"] if given is not None and given.status == "given" and given.six_lumbar else []


@level_metric("patches")
def patch_confidence(study: StudyContext, level: int) -> float:
    """Peak probability of the level at its given place, in the patch centred there.

    Formula: max_x p_k(x) over the blob at the place
    Unit: probability
    Range: 0 to 1
    Direction: low = the network does not call the given place by the given level
    Undefined: no centroids asked for (flag members_no_patches), no usable file (flags centroids_no_file,
        centroids_refused), a neighbouring vertebra not given (flag {level}_patch_no_centroid), the place outside the
        slices (flag {level}_patch_outside), no blob there (flag {level}_patch_no_disc)
    Source: proposal of this project, not validated
    """
    return study.once(patch_blob, level).peak


@level_metric("patches")
def patch_identity_share(study: StudyContext, level: int) -> float:
    """Share of the given level in the blob at its given place, in the patch centred there.

    Formula: q_k = sum p_k / sum S over the blob at the place
    Unit: share
    Range: 0 to 1
    Direction: low = the network calls the given place by another level
    Undefined: as patch_confidence
    Source: proposal of this project, not validated
    """
    return float(study.once(patch_blob, level).shares[level])


@level_metric("patches")
def patch_label_shift(study: StudyContext, level: int) -> int:
    """By how many levels the network's name for the given place differs from the given one.

    Formula: argmax_k q_k - given level
    Unit: levels
    Range: -4 to 4
    Direction: not 0 = the two numberings disagree; positive = the network's is further caudal
    Undefined: as patch_confidence
    Source: proposal of this project, not validated
    """
    return int(study.once(patch_blob, level).shares.argmax()) - level


@level_metric("patches")
def patch_distance(study: StudyContext, level: int) -> float:
    """Distance along the spine from the given place to the blob found there.

    Formula: (blob centre - disc) . u, u from the centroid above to the one below; disc half-way between them
    Unit: mm
    Range: at most half the distance between the centroids, either way
    Direction: not 0 = the given place is not that of a disc; positive = the blob lies further caudal
    Undefined: as patch_confidence
    Source: this project
    """
    return study.once(patch_blob, level).distance


def _shifts(study: StudyContext) -> list[int]:
    shifts, flags = study.defined(patch_label_shift, range(len(LEVELS)))
    if not shifts:
        raise Undefined(*flags)
    return shifts


@study_metric("patches")
def patch_agreement(study: StudyContext) -> float:
    """Share of the given places that the network calls by the given level.

    Formula: #{levels with patch_label_shift 0} / #{levels with a patch_label_shift}
    Unit: share
    Range: 0 to 1
    Direction: low = localizer and given centroids number the spine differently
    Undefined: no level has a patch_label_shift (flags as there)
    Source: proposal of this project, not validated
    """
    return float(np.mean([shift == 0 for shift in _shifts(study)]))


@study_metric("patches")
def patch_column_shift(study: StudyContext) -> int:
    """By how many levels the network numbers the column differently from the given centroids.

    Formula: most frequent patch_label_shift; of several equally frequent ones the smallest
    Unit: levels
    Range: -4 to 4
    Direction: not 0 = the whole column is numbered differently; positive = the network's numbers are further caudal
    Undefined: no level has a patch_label_shift (flags as there)
    Source: proposal of this project, not validated
    """
    values, counts = np.unique(_shifts(study), return_counts=True)
    return int(min(values[counts == counts.max()], key=abs))
