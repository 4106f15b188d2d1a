"""What neighbouring slices say of the junction: its region, its name, and whether its place jumps."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from lstv.localizer.heatmap_file import Members
from lstv.uncertainty import measure
from made_maps import COLUMN, ROWS, SAGITTAL, as_members, five_discs, flipped, soft_disc, study


def neighbours(**readings: np.ndarray) -> Members:
    """Slices at the offsets -2, -1, 1 and 2 (``before2`` .. ``after2``), like the centre slice unless given."""
    places = {"before2": "slice-2", "before1": "slice-1", "after1": "slice+1", "after2": "slice+2"}
    made = as_members([readings.get(name, five_discs()) for name in places], "slice")
    return replace(made, names=tuple(places.values()))


def elsewhere() -> np.ndarray:
    """L5/S1 is seen a whole disc lower."""
    levels = five_discs()
    levels[4] = soft_disc(COLUMN, ROWS[4] + 20)
    return levels


def test_a_column_that_leaves_the_slices_to_one_side_is_no_disagreement_of_the_junction() -> None:
    one_side = study(members=neighbours(before2=elsewhere(), before1=flipped()))
    levels, whole, _ = measure(one_side)
    assert levels["l5_s1"]["dice_disagreement_slices"] > 0.5 and whole["junction_mutual_information_slices"] > 0.1
    assert whole["junction_place_disagreement"] == pytest.approx(0, abs=1e-9)
    assert whole["junction_name_disagreement"] == pytest.approx(0, abs=1e-9)


def test_a_junction_that_slices_on_both_sides_see_otherwise_is() -> None:
    levels, whole, _ = measure(study(members=neighbours(before1=flipped(), after2=flipped())))
    # on each side two equal regions and an empty one: 1 of 3 pairs has Dice 1, 2 have Dice 0
    assert whole["junction_place_disagreement"] == pytest.approx(2 / 3, abs=1e-6)
    share = 1 / 3
    expected = -(share * math.log(share) + (1 - share) * math.log(1 - share))
    assert whole["junction_name_disagreement"] == pytest.approx(expected, abs=1e-3)


def test_at_the_end_of_a_stack_the_other_side_decides() -> None:
    last = replace(as_members([flipped(), five_discs()], "slice"), names=("slice-2", "slice-1"))
    assert measure(study(members=last))[1]["junction_place_disagreement"] == pytest.approx(2 / 3, abs=1e-6)


def test_without_neighbours_there_is_no_disagreement_of_slices() -> None:
    for members in (None, as_members([five_discs()], "view")):
        _, whole, flags = measure(study(members=members))
        assert whole["junction_place_disagreement"] is None and whole["junction_name_disagreement"] is None
        assert {"members_centre_only", "members_no_slices"} & set(flags)


def test_slices_without_a_vote_make_no_side() -> None:
    unseen = np.zeros((160, 160), bool)
    blind = as_members([five_discs()] * 2, "slice", valid=[unseen, unseen])
    _, whole, flags = measure(study(members=replace(blind, names=("slice-1", "slice+1"))))
    assert whole["junction_place_disagreement"] is None and "l5_s1_few_votes_slices" in flags
    assert whole["junction_name_disagreement"] is None and "junction_few_votes_slices" in flags
    assert whole["junction_jump"] is None and "junction_few_places_slices" in flags


def test_a_slice_that_saw_nothing_does_not_hide_the_other_side() -> None:
    unseen, all_seen = np.zeros((160, 160), bool), np.ones((160, 160), bool)
    members = as_members([five_discs(), elsewhere()], "slice", valid=[unseen, all_seen])
    whole = measure(study(members=replace(members, names=("slice-1", "slice+1"))))[1]
    assert whole["junction_place_disagreement"] == pytest.approx(1, abs=1e-6)


# --- the jump along the column ---------------------------------------------------------------------------------------

ROW_MM = 1.5


def seen_at(**rows: float) -> Members:
    """Slices that see L5/S1 so many pixels lower, ``before2`` .. ``after2``, or where the centre slice does."""
    return neighbours(**{name: lower(pixels) for name, pixels in rows.items()})


def lower(pixels: float, aside: float = 0.0) -> np.ndarray:
    levels = five_discs()
    levels[4] = soft_disc(COLUMN + aside, ROWS[4] + pixels)
    return levels


def jump(members: Members | None) -> float | None:
    return measure(study(members=members))[1]["junction_jump"]


def test_a_straight_course_is_no_jump_however_steep() -> None:
    assert jump(neighbours()) == pytest.approx(0, abs=1e-6)
    assert jump(seen_at(before2=-8, before1=-4, after1=4, after2=8)) == pytest.approx(0, abs=1e-6)


def test_a_jump_is_the_scatter_off_the_straight_course_in_millimetres() -> None:
    # heights -3, 3, 0, 3, -3 at -2 .. 2: mean and slope are 0, and three of five degrees of freedom are left
    found = jump(seen_at(before2=-3, before1=3, after1=3, after2=-3))
    assert found == pytest.approx(ROW_MM * math.sqrt(4 * 9 / 3), rel=0.01)


def test_a_shift_across_the_column_is_no_jump() -> None:
    aside = neighbours(before2=lower(0, -6), before1=lower(0, 6), after2=lower(0, -6))
    assert jump(aside) == pytest.approx(0, abs=1e-6)


def test_the_column_is_followed_in_millimetres_where_it_is_oblique_and_pixels_are_no_squares() -> None:
    """The column runs 22 rows of 3 mm down and 11 columns of 1.5 mm forward from disc to disc; the slices see L5/S1 4 rows
    lower or not in turn."""
    levels = np.stack([soft_disc(COLUMN - 11 * index, row) for index, row in enumerate(ROWS)])
    other = levels.copy()
    other[4] = soft_disc(COLUMN - 44, ROWS[4] + 4)
    members = replace(
        as_members([other, levels, levels, other], "slice"), names=("slice-2", "slice-1", "slice+1", "slice+2")
    )
    made = study(levels, members=members, geometry=replace(SAGITTAL, row_spacing=1.5))
    along = np.array([-11 * 1.5, 22 * 3.0]) / math.hypot(11 * 1.5, 22 * 3.0)
    height = 4 * 3.0 * along[1] * np.array([1, 0, 0, 0, 1])  # at -2 .. 2: the best line is level, at their mean
    expected = math.sqrt(float(((height - height.mean()) ** 2).sum()) / 3)
    assert measure(made)[1]["junction_jump"] == pytest.approx(expected, rel=0.01)


def test_a_slice_without_the_disc_leaves_the_course_to_the_others() -> None:
    # no L5/S1 at -1 and 1; those at -2, 0 and 2 lie on a line
    assert jump(neighbours(before2=lower(-2), before1=flipped(), after1=flipped(), after2=lower(2))) == pytest.approx(
        0, abs=1e-6
    )


@pytest.mark.parametrize("kept", [("slice-1", "slice+2"), ("slice+1", "slice+2")])
def test_three_slices_are_enough_wherever_they_lie(kept: tuple[str, ...]) -> None:
    members = replace(as_members([lower(0), lower(6)], "slice"), names=kept)
    places = np.array([0, *(int(name.removeprefix("slice")) for name in kept)])
    off = np.array([0.0, 0.0, 6.0]) * ROW_MM
    rest = off - np.polyval(np.polyfit(places, off, 1), places)
    assert jump(members) == pytest.approx(math.sqrt(float(rest @ rest)), rel=0.01)


def test_where_there_is_no_jump_to_measure_a_flag_says_why() -> None:
    def flags(members: Members | None, levels: np.ndarray | None = None) -> list[str]:
        _, whole, raised = measure(study(levels, members=members))
        assert whole["junction_jump"] is None
        return raised

    two = replace(as_members([lower(4)], "slice"), names=("slice+1",))
    assert "junction_few_places_slices" in flags(two)
    assert "members_centre_only" in flags(None)
    assert "members_no_slices" in flags(as_members([five_discs()] * 4, "view"))
    lost = five_discs()
    lost[3] = 0
    assert "l4_l5_not_found" in flags(neighbours(), lost)
