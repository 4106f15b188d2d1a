"""Level identity: which classes share a disc blob (the doubt about numbering, free of area and of background).

q_jk is the share of level k in disc blob D_j (``blobs.class_shares``); blobs are counted cranial to caudal, D_J is the
lowest. One forward pass: this is predictive ambiguity, not an estimate of what the network does not know.
"""

from __future__ import annotations

import numpy as np

from lstv.base.arrays import FloatArray
from lstv.uncertainty.context import StudyContext
from lstv.uncertainty.fields import shannon
from lstv.uncertainty.flags import Undefined
from lstv.uncertainty.registry import level_metric, study_metric

_FLOOR = 1e-3


def _own(study: StudyContext, level: int) -> FloatArray:
    """The shares (5,) of the level's blob."""
    blob = study.blob_of(level)
    own: FloatArray = study.shares[blob]
    return own


def _lead(values: FloatArray) -> float:
    """The largest of the values less the second."""
    second, first = np.sort(values)[-2:]
    return float(first - second)


@level_metric("identity")
def identity_share(study: StudyContext, level: int) -> float:
    """Share of the level's own class in its disc blob; a level's blob is the one its class leads.

    Formula: q_jk of the blob led by class k
    Unit: share
    Range: 0.2 to 1
    Direction: low = the blob is also called by other levels
    Undefined: no blob is led by the level (flag {level}_no_blob)
    Source: proposal of this project, not validated
    """
    return float(_own(study, level)[level])


@level_metric("identity")
def identity_entropy(study: StudyContext, level: int) -> float:
    """Entropy of the class mixture in the level's disc blob.

    Formula: H_j = -sum_k q_jk ln q_jk
    Unit: nat
    Range: 0 to ln 5 = 1.61
    Direction: high = the blob is claimed by several levels
    Undefined: no blob is led by the level (flag {level}_no_blob)
    Source: proposal of this project, not validated
    """
    return shannon(_own(study, level))


@level_metric("identity")
def identity_margin(study: StudyContext, level: int) -> float:
    """Lead of the first class over the second in the level's disc blob.

    Formula: m_j = q_(1) - q_(2)
    Unit: share
    Range: 0 to 1
    Direction: low = two levels claim the blob
    Undefined: no blob is led by the level (flag {level}_no_blob)
    Source: proposal of this project, not validated
    """
    return _lead(_own(study, level))


@level_metric("identity")
def identity_log_odds(study: StudyContext, level: int) -> float:
    """Log odds of the first class against the second in the level's disc blob; tells apart what the margin saturates.

    Formula: ln(q_(1) / q_(2))
    Unit: nat
    Range: 0 upwards
    Direction: low = two levels claim the blob
    Undefined: no blob is led by the level (flag {level}_no_blob)
    Source: proposal of this project, not validated
    """
    blob = study.blob_of(level)
    return _lead(study.log_mass[blob])


@study_metric("identity")
def junction_identity_entropy(study: StudyContext) -> float:
    """Numbering doubt at the junction: the larger class entropy of the two lowest disc blobs (U1).

    Formula: max(H_J, H_{J-1}); H_J alone where there is one blob
    Unit: nat
    Range: 0 to ln 5 = 1.61
    Direction: high = the junction's level is ambiguous
    Undefined: no disc blob (flag no_disc_blob)
    Source: proposal of this project, not validated
    """
    return max(map(shannon, study.shares[-2:]))


@study_metric("identity")
def junction_margin(study: StudyContext) -> float:
    """Smaller lead of the first class over the second in the two lowest disc blobs.

    Formula: min(m_J, m_{J-1}), m_j = q_(1) - q_(2)
    Unit: share
    Range: 0 to 1
    Direction: low = the junction's level is ambiguous
    Undefined: no disc blob (flag no_disc_blob)
    Source: proposal of this project, not validated
    """
    return min(map(_lead, study.shares[-2:]))


@study_metric("identity")
def junction_log_odds(study: StudyContext) -> float:
    """Log odds of L5/S1 against L4/L5 in the lowest disc blob.

    Formula: ln(q_J5 / q_J4)
    Unit: nat
    Range: unbounded
    Direction: near 0 = undecided between the two; negative = the lowest disc is rather called L4/L5
    Undefined: no disc blob (flag no_disc_blob)
    Source: proposal of this project, not validated
    """
    return float(study.log_mass[-1, 4] - study.log_mass[-1, 3])


@study_metric("identity")
def column_identity_entropy(study: StudyContext) -> float:
    """Mean class entropy of all disc blobs: a doubt by one level touches the whole column.

    Formula: (1/J) sum_j H_j
    Unit: nat
    Range: 0 to ln 5 = 1.61
    Direction: high = the numbering of the column is ambiguous
    Undefined: no disc blob (flag no_disc_blob)
    Source: proposal of this project, not validated
    """
    return float(np.mean([shannon(share) for share in study.shares]))


@study_metric("identity")
def level_confusion(study: StudyContext) -> float:
    """Share of the disc blobs' mass that is not of the leading class.

    Formula: (1/J) sum_j (1 - max_k q_jk)
    Unit: share
    Range: 0 to 0.8
    Direction: high = levels are confused with one another
    Undefined: no disc blob (flag no_disc_blob)
    Source: proposal of this project, not validated (off-diagonal of the mean class mixture)
    """
    return float(1 - study.shares.max(axis=1).mean())


@study_metric("identity")
def shift_ambiguity(study: StudyContext) -> float:
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
    shares = study.shares
    count = len(shares)
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


@study_metric("identity")
def lowest_disc_share_l4_l5(study: StudyContext) -> float:
    """Share of L4/L5 in the lowest disc blob.

    Formula: q_J4
    Unit: share
    Range: 0 to 1
    Direction: high = the lowest disc is called L4/L5
    Undefined: no disc blob (flag no_disc_blob)
    Source: proposal of this project, not validated
    """
    return float(study.shares[-1, 3])


@study_metric("identity")
def lowest_disc_share_l5_s1(study: StudyContext) -> float:
    """Share of L5/S1 in the lowest disc blob.

    Formula: q_J5
    Unit: share
    Range: 0 to 1
    Direction: low = the lowest disc is called by another level
    Undefined: no disc blob (flag no_disc_blob)
    Source: proposal of this project, not validated
    """
    return float(study.shares[-1, 4])


def _second_lowest(study: StudyContext) -> FloatArray:
    if len(study.shares) < 2:
        raise Undefined("single_disc_blob")
    second: FloatArray = study.shares[-2]
    return second


@study_metric("identity")
def second_lowest_disc_share_l4_l5(study: StudyContext) -> float:
    """Share of L4/L5 in the second lowest disc blob.

    Formula: q_{J-1,4}
    Unit: share
    Range: 0 to 1
    Direction: low = the second lowest disc is called by another level
    Undefined: fewer than two disc blobs (flag no_disc_blob or single_disc_blob)
    Source: proposal of this project, not validated
    """
    return float(_second_lowest(study)[3])


@study_metric("identity")
def second_lowest_disc_share_l5_s1(study: StudyContext) -> float:
    """Share of L5/S1 in the second lowest disc blob.

    Formula: q_{J-1,5}
    Unit: share
    Range: 0 to 1
    Direction: high = the second lowest disc is called L5/S1, as if another disc followed it
    Undefined: fewer than two disc blobs (flag no_disc_blob or single_disc_blob)
    Source: proposal of this project, not validated
    """
    return float(_second_lowest(study)[4])
