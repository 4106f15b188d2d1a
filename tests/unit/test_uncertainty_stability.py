"""Members that agree, flip, see too little or lose the disc."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lstv.uncertainty import measure, stability
from lstv.uncertainty.flags import Undefined
from made_maps import COLUMN, ROWS, as_members, context, five_discs, flipped, hard_disc, soft_disc, study


def test_agreeing_members_change_nothing() -> None:
    levels, whole, flags = measure(study(members=as_members([five_discs()] * 3)))
    assert whole["junction_votes_views"] == 4, "the centre slice is the first reading"
    assert whole["junction_flip_rate_views"] == 0
    assert whole["junction_mutual_information_views"] == pytest.approx(0, abs=1e-9)
    assert levels["l5_s1"]["coordinate_variance_views"] == pytest.approx(0, abs=1e-9)
    assert levels["l5_s1"]["dice_disagreement_views"] == pytest.approx(0, abs=1e-9)
    assert "members_no_slices" in flags and whole["junction_flip_rate_slices"] is None


def test_one_of_four_readings_flips() -> None:
    levels, whole, _ = measure(study(members=as_members([five_discs(), five_discs(), flipped()])))
    assert whole["junction_flip_rate_views"] == 0.25
    # H(mean) of (3/4, 1/4), each reading itself without doubt
    expected = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert whole["junction_mutual_information_views"] == pytest.approx(expected, abs=1e-3)
    assert levels["l5_s1"]["flip_rate_views"] == 0.25
    assert levels["l1_l2"]["flip_rate_views"] == 0
    # three equal regions and an empty one: 3 of 6 pairs have Dice 1, 3 have Dice 0
    assert levels["l5_s1"]["dice_disagreement_views"] == pytest.approx(0.5, abs=1e-6)


def test_slices_and_views_stay_apart() -> None:
    slices, views = as_members([five_discs()], "slice"), as_members([flipped()], "view")
    both = type(slices)(
        slices.names + views.names,
        slices.kinds + views.kinds,
        np.concatenate([slices.probability, views.probability]),
        np.concatenate([slices.valid, views.valid]),
    )
    _, whole, flags = measure(study(members=both))
    assert whole["junction_flip_rate_slices"] == 0
    assert whole["junction_flip_rate_views"] == 0.5
    assert [flag for flag in flags if flag.startswith("members")] == ["members_no_patches"]


@pytest.mark.parametrize(("last_row", "votes"), [(118, 1), (121, 2)])
def test_a_member_votes_only_where_it_saw_80_percent_of_the_blob(last_row: int, votes: int) -> None:
    valid = np.zeros((160, 160), bool)
    valid[: last_row + 1] = True
    _, whole, flags = measure(study(members=as_members([flipped() * valid], valid=[valid])))
    assert whole["junction_votes_views"] == votes
    assert (whole["junction_flip_rate_views"] is None) == (votes == 1)
    assert ("junction_few_votes_views" in flags) == (votes == 1)


def test_a_lost_disc_is_no_vote_but_counts_as_lost() -> None:
    without = five_discs()
    without[4] = 0
    levels, whole, _ = measure(study(members=as_members([without, five_discs()])))
    assert levels["l5_s1"]["lost_rate_views"] == pytest.approx(1 / 3)
    assert levels["l4_l5"]["lost_rate_views"] == 0
    assert whole["junction_flip_rate_views"] == 0 and whole["junction_votes_views"] == 2


def test_coordinate_variance_is_in_square_millimetres() -> None:
    moved = five_discs()
    moved[4] = soft_disc(COLUMN, ROWS[4] + 4)
    levels, _, _ = measure(study(members=as_members([moved])))
    # two readings 4 pixels = 6 mm apart: each 3 mm from their mean
    assert levels["l5_s1"]["coordinate_variance_views"] == pytest.approx(9.0, abs=0.05)


def dice(masks: np.ndarray, valid: np.ndarray) -> float:
    seen = stability.LevelPredictions(masks, valid, np.arange(len(masks)), np.zeros((0, 2)), np.arange(0))
    return stability.dice_disagreement(context(_made={(stability.level_predictions, "views", 0): seen}), 0, "views")


def test_dice_of_known_overlap() -> None:
    masks = np.zeros((2, 10), bool)
    masks[0, :4], masks[1, 2:6] = True, True
    valid = np.ones_like(masks)
    assert dice(masks, valid) == pytest.approx(0.5)
    valid[1, :2] = False  # the second did not see pixels 0 and 1: |A0| counts 2 there
    assert dice(masks, valid) == pytest.approx(1 - 4 / 6)
    assert dice(np.zeros((2, 10), bool), valid) == 0, "two empty regions agree"
    with pytest.raises(Undefined, match="^l1_l2_few_votes_views$"):
        dice(masks[:1], valid[:1])


def test_centre_slice_alone_is_one_flag_and_nulls() -> None:
    levels, whole, flags = measure(study())
    assert flags == ["members_centre_only", "members_no_patches", "no_reference_features", "no_strip"]
    assert all(value is None for key, value in whole.items() if key.endswith(("_views", "_slices")))
    assert all(value is None for key, value in levels["l5_s1"].items() if key.endswith(("_views", "_slices")))


def test_a_member_that_saw_nothing_of_a_level_is_left_out() -> None:
    nothing = np.zeros((160, 160), bool)
    members = as_members([np.zeros((5, 160, 160))], valid=[nothing])
    one = context(maps=study(members=members), probability=np.stack([hard_disc(80, 80)] * 5))
    assert len(stability.level_predictions(one, "views", 0).masks) == 1
