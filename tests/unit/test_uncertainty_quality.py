"""Quality flags: what makes a study unfit, apart from how doubtful its junction is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lstv.uncertainty import measure
from made_maps import COLUMN, SAGITTAL, five_discs, soft_disc, study, textured_image


def quality_of(maps) -> tuple[str, list[str]]:
    _, whole, flags = measure(maps)
    return whole["quality"], [flag for flag in flags if flag.startswith("quality_")]


def cropped(maps) -> list[str]:
    _, whole, flags = measure(maps)
    assert whole["quality"] == "ok", "a cropped field is looked at apart; its picture is no bad one"
    return [flag for flag in flags if flag.startswith("field_cropped")]


def discs_at(*rows: float) -> np.ndarray:
    """Five maps; a row of None leaves the level out."""
    return np.stack([np.zeros((160, 160)) if row is None else soft_disc(COLUMN, row) for row in rows])


def test_a_good_study_has_no_quality_flag() -> None:
    assert quality_of(study()) == ("ok", [])


def test_l5_s1_missing_in_the_middle_of_the_picture_is_no_quality_problem() -> None:
    assert quality_of(study(discs_at(30, 52, 74, 96, None))) == ("ok", [])


def test_l5_s1_missing_because_the_picture_ends_is() -> None:
    assert cropped(study(discs_at(70, 92, 114, 136, None))) == ["field_cropped_caudal"]


def test_point_near_an_edge() -> None:
    assert cropped(study(discs_at(65, 87, 109, 131, 153))) == ["field_cropped_caudal"]
    assert cropped(study(discs_at(5, 27, 49, 71, 93))) == ["field_cropped_cranial"]


def test_edges_follow_the_direction_of_the_rows() -> None:
    upside = replace(SAGITTAL, column_direction=(0.0, 0.0, 1.0))
    levels = discs_at(65, 87, 109, 131, 153)[:, ::-1].copy()
    assert cropped(study(levels, geometry=upside)) == ["field_cropped_caudal"]


def test_empty_padding_is_no_picture() -> None:
    image = textured_image()
    image[124:] = 0
    assert cropped(study(image=image)) == ["field_cropped_caudal"]


@pytest.mark.parametrize(("level", "flag"), [(2, "quality_blank_image"), (20, "quality_low_contrast")])
def test_flat_images(level: int, flag: str) -> None:
    image = np.full((160, 160), 100, np.uint8)
    image[:, 80:] += level
    assert quality_of(study(image=image)) == ("problem", [flag])


def test_wrong_series() -> None:
    assert quality_of(study(np.full((5, 160, 160), 0.01))) == ("problem", ["quality_no_level_found"])
    levels = five_discs()
    levels[2:] = 0
    assert quality_of(study(levels)) == ("problem", ["quality_few_levels_found"])
