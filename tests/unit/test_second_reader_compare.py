"""Two readers of one spine: offsets, counts, discs that one of them lacks, and what is said of it."""

from __future__ import annotations

import numpy as np
import pytest

import made_masks
from lstv.second_reader import compare, flags, study
from lstv.second_reader.masks import Mask
from lstv.second_reader.structures import spine
from lstv.second_reader.study import Reading

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def reading(names=made_masks.USUAL, style="spineps", **options) -> Reading:
    program = "spineps" if style == "spineps" else "totalspineseg"
    values = made_masks.labels(names, style, **options).astype(np.uint16)
    mask = Mask(values, LPS @ made_masks.AFFINE, made_masks.numbering(style), program)
    return Reading(program, flags.OK, spine(mask), numbering=style)


def compared(levels, **readings) -> dict:
    return study.comparison(levels, readings)


@pytest.mark.parametrize("behind", [0.0, 28.0])
@pytest.mark.parametrize("offset", [-2, -1, 0, 1, 2])
def test_offset_is_that_of_the_point_nets_names(offset, behind):
    """With the points on discs and in the canal."""
    names = ("T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5", "L6")[:9]
    own = spine(
        Mask(
            made_masks.labels(names).astype(np.uint16),
            LPS @ made_masks.AFFINE,
            made_masks.numbering("spineps"),
            "spineps",
        )
    )
    found = compare.match(
        compare.of_points(made_masks.levels(first_disc=3 + offset, behind_mm=behind)), compare.of_spine(own)
    )
    if offset == 2:  # its L5/S1 would lie below the mask
        assert found.offset == 2 and len(found.levels) == 3
    else:
        assert found.offset == offset and found.even


def test_an_offset_of_three_is_none():
    names = ("T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5", "L6")
    own = reading(names).spine
    found = compare.match(compare.of_points(made_masks.levels(first_disc=0)), compare.of_spine(own))
    assert found.offset is None and found.problem == "off_by_more"


def test_one_level_matches_nothing():
    levels = made_masks.levels(missing=("l1_l2", "l2_l3", "l3_l4", "l4_l5"))
    row = compared(levels, spineps=reading())
    assert row["spineps_offset"] is None and "spineps_no_offset" in row["second_reader_flags"]


def test_a_spine_that_all_agree_on():
    row = compared(made_masks.levels(behind_mm=25), spineps=reading(), totalspineseg=reading(style="totalspineseg"))
    assert [row[f"{name}_offset"] for name in ("spineps", "totalspineseg", "spineps_totalspineseg")] == [0, 0, 0]
    assert row["spineps_lumbar"] == row["totalspineseg_lumbar"] == 5
    assert row["second_reader_disagreement"] == 0
    assert row["second_reader_words"] == "" and row["second_reader_flags"] == ""
    assert row["l5_s1_spineps_distance_mm"] == pytest.approx(25)
    assert set(row) <= set(study.columns())


def test_six_lumbar_vertebrae_in_words():
    """The point net calls the lowest five discs L1/L2 to L5/S1."""
    levels = made_masks.levels(first_disc=2)
    row = compared(levels, spineps=reading(made_masks.SIX), totalspineseg=reading(made_masks.SIX, "totalspineseg"))
    assert row["spineps_offset"] == 1 and row["spineps_lumbar"] == 6
    assert row["second_reader_words"].startswith(
        "SPINEPS counts six lumbar vertebrae; the point net's L5/S1 lies on its L6/S1"
    )
    assert row["spineps_totalspineseg_offset"] == 0
    assert row["second_reader_disagreement"] == pytest.approx(4 / 5)


def test_a_thirteenth_thoracic_and_a_missing_fifth_lumbar_vertebra():
    row = compared(made_masks.levels(first_disc=2), spineps=reading(made_masks.THIRTEEN))
    assert row["spineps_thirteenth_thoracic"] == 1 and row["spineps_offset"] == 0 and row["spineps_lumbar"] == 5
    assert "SPINEPS finds a thirteenth thoracic vertebra" in row["second_reader_words"]
    levels = made_masks.levels(first_disc=0)  # five discs, the lowest is that above the sacrum
    row = compared(levels, totalspineseg=reading(made_masks.FOUR, "totalspineseg"))
    assert row["totalspineseg_lumbar"] == 4 and row["totalspineseg_offset"] == -1
    assert "TotalSpineSeg counts four lumbar vertebrae" in row["second_reader_words"]
    assert "L5/S1 lies on its L4/S1" in row["second_reader_words"]


def test_programs_that_differ_by_one():
    """SPINEPS calls the lowest disc L6/S1, TotalSpineSeg L5/S1 below a T12 one higher."""
    seven = ("T11", "T12", "L1", "L2", "L3", "L4", "L5", "S1")
    row = compared(
        made_masks.levels(first_disc=2), spineps=reading(made_masks.SIX), totalspineseg=reading(seven, "totalspineseg")
    )
    assert (row["spineps_offset"], row["totalspineseg_offset"], row["spineps_totalspineseg_offset"]) == (1, 0, -1)


def test_discs_that_one_sees_and_another_does_not():
    without = reading()
    fewer = {name: place for name, place in without.spine.discs.items() if name != "L3"}
    lacking = Reading("spineps", flags.OK, type(without.spine)(without.spine.vertebrae, fewer))
    levels = made_masks.levels(missing=("l4_l5",))
    row = compared(levels, spineps=lacking, totalspineseg=reading(style="totalspineseg"))
    assert row["spineps_levels_without_disc"] == "L3/L4"
    assert row["spineps_discs_without_level"] == "L4/L5"
    assert row["discs_only_totalspineseg"] == "L3/L4" and row["discs_only_spineps"] is None
    assert row["spineps_offset"] == row["spineps_totalspineseg_offset"] == 0


def test_names_that_jump_within_the_spine():
    """The point net skipped a disc: its upper levels agree, its lower ones are one off."""
    levels = made_masks.levels()
    for index, level in enumerate(("l4_l5", "l5_s1"), start=5):
        levels[level]["point_mm"] = list(made_masks.disc_mm(index))
    both = {"spineps": reading(made_masks.SIX), "totalspineseg": reading(made_masks.SIX, "totalspineseg")}
    row = compared(levels, **both)
    assert row["second_reader_disagreement"] == pytest.approx(4 / 5)
    assert row["spineps_offset"] == 0 and "spineps_uneven" in row["second_reader_flags"]
    assert "L5/S1 lies on its L6/S1" in row["second_reader_words"]


def test_a_program_that_did_not_run_leaves_the_study_to_the_others():
    readings = {
        "spineps": Reading("spineps", flags.NOT_RUN, flags=("not_run",)),
        "totalspineseg": reading(style="totalspineseg"),
    }
    row = study.comparison(made_masks.levels(), readings)
    assert row["spineps_status"] == "not_run" and row["totalspineseg_offset"] == 0
    assert row["second_reader_disagreement"] is None
    refused = Reading("spineps", flags.REFUSED, flags=("empty",), sentence="mask.nii.gz holds no label; look at it.")
    row = study.comparison(made_masks.levels(), {"spineps": refused})
    assert row["second_reader_left_out"] == "SPINEPS is left out: mask.nii.gz holds no label; look at it"
    assert row["second_reader_words"] == ""


def test_a_spine_without_its_ends_is_compared_but_not_counted():
    row = compared(made_masks.levels(first_disc=0), spineps=reading(made_masks.USUAL[1:]))
    assert row["spineps_offset"] == 0 and row["spineps_lumbar"] is None
    assert "spineps_lumbar_not_whole" in row["second_reader_flags"]
