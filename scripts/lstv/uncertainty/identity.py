"""Level identity: which classes share a disc blob (the doubt about numbering, free of area and of background).

q_jk is the share of level k in disc blob D_j (``blobs.class_shares``); blobs are counted cranial to caudal, D_J is the
lowest. One forward pass: this is predictive ambiguity, not an estimate of what the network does not know.
"""

from __future__ import annotations

import numpy as np

from lstv.base.arrays import FloatArray, IndexArray
from lstv.uncertainty.fields import shannon
from lstv.uncertainty.registry import metric

_FLOOR = 1e-3


@metric("identity_share", scope="level", family="identity")
def identity_share(shares: FloatArray, level: int) -> float:
    """Share of the level's own class in its disc blob; a level's blob is the one its class leads.

    Formula: q_jk of the blob led by class k
    Unit: share
    Range: 0.2 to 1
    Direction: low = the blob is also called by other levels
    Undefined: no blob is led by the level (flag {level}_no_blob)
    Source: proposal of this project, not validated
    """
    return float(shares[level])


@metric("identity_entropy", scope="level", family="identity")
def identity_entropy(shares: FloatArray) -> float:
    """Entropy of the class mixture in the level's disc blob.

    Formula: H_j = -sum_k q_jk ln q_jk
    Unit: nat
    Range: 0 to ln 5 = 1.61
    Direction: high = the blob is claimed by several levels
    Undefined: no blob is led by the level (flag {level}_no_blob)
    Source: proposal of this project, not validated
    """
    return shannon(shares)


@metric("identity_margin", scope="level", family="identity")
def identity_margin(shares: FloatArray) -> float:
    """Lead of the first class over the second in the level's disc blob.

    Formula: m_j = q_(1) - q_(2)
    Unit: share
    Range: 0 to 1
    Direction: low = two levels claim the blob
    Undefined: no blob is led by the level (flag {level}_no_blob)
    Source: proposal of this project, not validated
    """
    second, first = np.sort(shares)[-2:]
    return float(first - second)


@metric("identity_log_odds", scope="level", family="identity")
def identity_log_odds(log_mass: FloatArray) -> float:
    """Log odds of the first class against the second in the level's disc blob; tells apart what the margin saturates.

    Formula: ln(q_(1) / q_(2))
    Unit: nat
    Range: 0 upwards
    Direction: low = two levels claim the blob
    Undefined: no blob is led by the level (flag {level}_no_blob)
    Source: proposal of this project, not validated
    """
    second, first = np.sort(log_mass)[-2:]
    return float(first - second)


@metric("junction_identity_entropy", scope="study", family="identity")
def junction_identity_entropy(shares: FloatArray) -> float | None:
    """Numbering doubt at the junction: the larger class entropy of the two lowest disc blobs (U1).

    Formula: max(H_J, H_{J-1}); H_J alone where there is one blob
    Unit: nat
    Range: 0 to ln 5 = 1.61
    Direction: high = the junction's level is ambiguous
    Undefined: no disc blob (flag no_disc_blob)
    Source: proposal of this project, not validated
    """
    return max(map(shannon, shares[-2:])) if len(shares) else None


@metric("junction_margin", scope="study", family="identity")
def junction_margin(shares: FloatArray) -> float | None:
    """Smaller lead of the first class over the second in the two lowest disc blobs.

    Formula: min(m_J, m_{J-1}), m_j = q_(1) - q_(2)
    Unit: share
    Range: 0 to 1
    Direction: low = the junction's level is ambiguous
    Undefined: no disc blob (flag no_disc_blob)
    Source: proposal of this project, not validated
    """
    return min(map(identity_margin, shares[-2:])) if len(shares) else None


@metric("junction_log_odds", scope="study", family="identity")
def junction_log_odds(log_mass: FloatArray) -> float | None:
    """Log odds of L5/S1 against L4/L5 in the lowest disc blob.

    Formula: ln(q_J5 / q_J4)
    Unit: nat
    Range: unbounded
    Direction: near 0 = undecided between the two; negative = the lowest disc is rather called L4/L5
    Undefined: no disc blob (flag no_disc_blob)
    Source: proposal of this project, not validated
    """
    return float(log_mass[-1, 4] - log_mass[-1, 3]) if len(log_mass) else None


@metric("column_identity_entropy", scope="study", family="identity")
def column_identity_entropy(shares: FloatArray) -> float | None:
    """Mean class entropy of all disc blobs: a doubt by one level touches the whole column.

    Formula: (1/J) sum_j H_j
    Unit: nat
    Range: 0 to ln 5 = 1.61
    Direction: high = the numbering of the column is ambiguous
    Undefined: no disc blob (flag no_disc_blob)
    Source: proposal of this project, not validated
    """
    return float(np.mean([shannon(share) for share in shares])) if len(shares) else None


@metric("level_confusion", scope="study", family="identity")
def level_confusion(shares: FloatArray) -> float | None:
    """Share of the disc blobs' mass that is not of the leading class.

    Formula: (1/J) sum_j (1 - max_k q_jk)
    Unit: share
    Range: 0 to 0.8
    Direction: high = levels are confused with one another
    Undefined: no disc blob (flag no_disc_blob)
    Source: proposal of this project, not validated (off-diagonal of the mean class mixture)
    """
    return float(1 - shares.max(axis=1).mean()) if len(shares) else None


@metric("shift_ambiguity", scope="study", family="identity")
def shift_ambiguity(shares: FloatArray) -> float | None:
    """Posterior probability that the whole column is numbered one level off.

    Blobs are first aligned with the levels by the most frequent difference between leading class and rank of the blob
    (the smallest such difference if several are as frequent), so that a missing uppermost level is no shift.
    Formula: l_s = (1/J) sum_j ln(q_{j,j+s} + 1e-3) for s = -1, 0, 1, with q = 0 outside L1/L2 .. L5/S1; 1 - max softmax(l)
    Unit: probability
    Range: 0 to 0.67
    Direction: high = the column fits two numberings
    Undefined: no disc blob (flag no_disc_blob)
    Source: proposal of this project, not validated
    """
    count = len(shares)
    if not count:
        return None
    offsets, frequency = np.unique(shares.argmax(axis=1) - np.arange(count), return_counts=True)
    offset = offsets[frequency.argmax()]
    padded = np.zeros((count, 3))
    for column, shift in enumerate((-1, 0, 1)):
        level = np.arange(count) + offset + shift
        inside = (level >= 0) & (level < shares.shape[1])
        padded[inside, column] = shares[inside, level[inside]]
    score = np.log(padded + _FLOOR).mean(axis=0)
    posterior = np.exp(score - score.max())
    return float(1 - posterior.max() / posterior.sum())


def _share(shares: FloatArray, blob: int, level: int) -> float | None:
    return float(shares[-blob, level]) if len(shares) >= blob else None


@metric("lowest_disc_share_l4_l5", scope="study", family="identity")
def lowest_disc_share_l4_l5(shares: FloatArray) -> float | None:
    """Share of L4/L5 in the lowest disc blob.

    Formula: q_J4
    Unit: share
    Range: 0 to 1
    Direction: high = the lowest disc is called L4/L5
    Undefined: no disc blob (flag no_disc_blob)
    Source: proposal of this project, not validated
    """
    return _share(shares, 1, 3)


@metric("lowest_disc_share_l5_s1", scope="study", family="identity")
def lowest_disc_share_l5_s1(shares: FloatArray) -> float | None:
    """Share of L5/S1 in the lowest disc blob.

    Formula: q_J5
    Unit: share
    Range: 0 to 1
    Direction: low = the lowest disc is called by another level
    Undefined: no disc blob (flag no_disc_blob)
    Source: proposal of this project, not validated
    """
    return _share(shares, 1, 4)


@metric("second_lowest_disc_share_l4_l5", scope="study", family="identity")
def second_lowest_disc_share_l4_l5(shares: FloatArray) -> float | None:
    """Share of L4/L5 in the second lowest disc blob.

    Formula: q_{J-1,4}
    Unit: share
    Range: 0 to 1
    Direction: low = the second lowest disc is called by another level
    Undefined: fewer than two disc blobs (flag no_disc_blob or single_disc_blob)
    Source: proposal of this project, not validated
    """
    return _share(shares, 2, 3)


@metric("second_lowest_disc_share_l5_s1", scope="study", family="identity")
def second_lowest_disc_share_l5_s1(shares: FloatArray) -> float | None:
    """Share of L5/S1 in the second lowest disc blob.

    Formula: q_{J-1,5}
    Unit: share
    Range: 0 to 1
    Direction: high = the second lowest disc is called L5/S1, as if another disc followed it
    Undefined: fewer than two disc blobs (flag no_disc_blob or single_disc_blob)
    Source: proposal of this project, not validated
    """
    return _share(shares, 2, 4)


def log_masses(log_levels: FloatArray, blobs: list[IndexArray]) -> FloatArray:
    """ln sum_{D_j} p_k, float64 (J, 5), from log probabilities (5, H, W): finite even where p_k underflows."""
    flat = log_levels.reshape(len(log_levels), -1)
    return np.array([np.logaddexp.reduce(flat[:, blob], axis=1) for blob in blobs]).reshape(len(blobs), len(flat))
