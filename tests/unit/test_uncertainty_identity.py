"""Disc blobs, the classes that share them, and the five-blob table: entropy is blind where identity is not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lstv.uncertainty import blobs, identity, measure
from lstv.uncertainty.flags import Undefined
from made_maps import COLUMN, ROWS, context, five_discs, hard_disc, soft_disc, study

DOWN = (0.0, -1.0)


def shifted_column() -> np.ndarray:
    """Every disc 60 % of its own class and 38 % of the level above; the first has only its own."""
    levels = 0.6 / 0.98 * five_discs()
    for index in range(4):
        levels[index] += 0.38 / 0.98 * soft_disc(COLUMN, ROWS[index + 1])
    return levels


def split_junction() -> np.ndarray:
    levels = five_discs()
    levels[3] += 0.5 * levels[4]
    levels[4] *= 0.5
    return levels


def weak_junction() -> np.ndarray:
    levels = five_discs()
    levels[4] *= 0.55 / 0.98
    return levels


@pytest.mark.parametrize(
    ("levels", "lowest", "column"),
    [
        (five_discs(), 0.0, 0.0),
        (weak_junction(), 0.0, 0.0),
        (split_junction(), 0.69, 0.14),
        (shifted_column(), 0.67, 0.53),
    ],
    ids=["normal", "weak L5/S1", "L5/S1 split 49/49", "column 60/38"],
)
def test_five_blob_table(levels: np.ndarray, lowest: float, column: float) -> None:
    measured, whole, _ = measure(study(levels))
    if measured["l5_s1"]["point_px"] is not None:
        assert measured["l5_s1"]["entropy"] == pytest.approx(5.04, abs=0.02)
    assert whole["junction_identity_entropy"] == pytest.approx(lowest, abs=0.005)
    assert whole["column_identity_entropy"] == pytest.approx(column, abs=0.01)


def test_shares_of_a_60_38_mixture() -> None:
    _, whole, _ = measure(study(shifted_column()))
    assert whole["lowest_disc_share_l5_s1"] == pytest.approx(0.6 / 0.98, abs=1e-3)
    assert whole["lowest_disc_share_l4_l5"] == pytest.approx(0.38 / 0.98, abs=1e-3)
    assert whole["second_lowest_disc_share_l4_l5"] == pytest.approx(0.6 / 0.98, abs=1e-3)
    assert whole["second_lowest_disc_share_l5_s1"] == pytest.approx(0, abs=1e-3)
    assert whole["junction_log_odds"] == pytest.approx(math.log(60 / 38), abs=1e-2)
    assert whole["junction_margin"] == pytest.approx(0.22 / 0.98, abs=1e-3)
    assert whole["level_confusion"] == pytest.approx(0.8 * 0.38 / 0.98, abs=1e-3)


def test_shift_ambiguity_of_certain_and_shifted_columns() -> None:
    eye = np.eye(5)
    low = math.log(1e-3)
    # s = 0 scores ln 1.001; s = -1 and s = 1 score ln 1e-3 at every blob
    certain = 1 - 1 / (1 + 2 * math.exp(low - math.log(1.001)))
    assert identity.shift_ambiguity(context(shares=eye)) == pytest.approx(certain, rel=1e-9)
    lacks_first = context(shares=eye[1:])
    assert identity.shift_ambiguity(lacks_first) == pytest.approx(certain, rel=1e-9), (
        "a missing first level is no shift"
    )
    half = np.array([(eye[j] + eye[max(j - 1, 0)]) / 2 for j in range(5)])
    assert 0.1 < identity.shift_ambiguity(context(shares=half)) < 0.5
    with pytest.raises(Undefined, match="^no_disc_blob$"):
        identity.shift_ambiguity(context(blobs=[]))


def test_uniform_mixture_has_maximal_entropy_and_no_margin() -> None:
    uniform = context(shares=np.full((1, 5), 0.2))
    assert identity.junction_identity_entropy(uniform) == pytest.approx(math.log(5))
    assert identity.junction_margin(uniform) == 0
    assert identity.level_confusion(uniform) == pytest.approx(0.8)


def test_log_odds_stay_finite_where_a_class_underflows() -> None:
    log_levels = np.full((5, 160, 160), -900.0)
    log_levels[4] = -0.01
    mass = blobs.log_masses(log_levels, [np.arange(100)])
    assert identity.junction_log_odds(context(log_mass=mass)) == pytest.approx(899.99)


def test_blobs_are_counted_cranial_to_caudal_whatever_the_direction_of_the_rows() -> None:
    support = five_discs().sum(axis=0)
    down = [int(np.median(blob // 160)) for blob in blobs.disc_blobs(support, DOWN)]
    up = [int(np.median(blob // 160)) for blob in blobs.disc_blobs(support, (0.0, 1.0))]
    assert down == [30, 52, 74, 96, 118] and up == down[::-1]


def test_small_parts_are_no_blobs() -> None:
    support = hard_disc(80, 40, 3) + hard_disc(80, 80, 4)  # 29 and 49 pixels
    assert [blob.size for blob in blobs.disc_blobs(support, DOWN)] == [49]
    assert blobs.disc_blobs(np.zeros((160, 160)), DOWN) == []


def test_touching_discs_are_divided_and_an_elongated_one_is_not() -> None:
    touching = np.maximum(hard_disc(80, 60, 8), hard_disc(80, 76, 8))
    assert [blob.size for blob in blobs.disc_blobs(touching, DOWN)] == pytest.approx([197, 197], abs=9)
    y, x = np.mgrid[:160, :160]
    ellipse = ((((x - 80) / 11) ** 2 + ((y - 80) / 6) ** 2) <= 1).astype(float)
    assert len(blobs.disc_blobs(ellipse, DOWN)) == 1


def test_mixed_classes_do_not_divide_a_blob() -> None:
    assert len(blobs.disc_blobs(split_junction().sum(axis=0), DOWN)) == 5


def test_duplicate_goes_to_the_blob_with_more_mass() -> None:
    levels = five_discs()
    levels[3] = np.maximum(levels[3], soft_disc(COLUMN, ROWS[4], radius=5))
    levels[4] = 0
    discs = blobs.disc_blobs(levels.sum(axis=0), DOWN)
    owner = blobs.blob_of_level(levels, discs, blobs.class_shares(levels, discs))
    assert owner == [0, 1, 2, 3, None]


def test_no_blob_leaves_identity_undefined_with_its_flag() -> None:
    measured, whole, flags = measure(study(np.full((5, 160, 160), 1e-4)))
    assert whole["junction_identity_entropy"] is None and "no_disc_blob" in flags
    assert measured["l1_l2"]["identity_entropy"] is None and "l1_l2_no_blob" in flags


def test_junction_values_look_at_the_two_lowest_blobs_and_no_others() -> None:
    sure, unsure = np.eye(5), np.eye(5)
    sure[2] = [0, 0.5, 0.5, 0, 0]
    third = context(shares=sure)
    assert identity.junction_identity_entropy(third) == 0 and identity.junction_margin(third) == 1
    unsure[3] = [0, 0, 0, 0.75, 0.25]
    second = context(shares=unsure)
    assert identity.junction_identity_entropy(second) == pytest.approx(-0.75 * math.log(0.75) - 0.25 * math.log(0.25))
    assert identity.junction_margin(second) == 0.5


def test_a_single_blob_has_no_second_lowest() -> None:
    for metric in (identity.second_lowest_disc_share_l4_l5, identity.second_lowest_disc_share_l5_s1):
        with pytest.raises(Undefined, match="^single_disc_blob$"):
            metric(context(shares=np.eye(5)[4:]))
        assert metric(context(shares=np.full((2, 5), 0.2))) == 0.2
