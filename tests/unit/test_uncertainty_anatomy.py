"""The metrics of the strip: from drawn spines with points on and off their discs to values and flags."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from drawn_spine import DrawnSpine, draw
from lstv.anatomy.points import level_point, level_points
from lstv.anatomy.strip import HALF_WIDTH_MM
from lstv.base.levels import GRID, LEVELS
from lstv.localizer import strips
from lstv.localizer.heatmap_file import Analysed, create, read_study
from lstv.ranking.reasons import LOCALIZER_FLAGS
from lstv.report import strip_drawing
from lstv.uncertainty import measure
from made_maps import as_logits, five_discs, hard_disc, soft_disc, study

ANATOMY = ("step_dev", "off_disc", "discs_spanned", "junction_disc_contrast", "cranial_reach", "caudal_reach")


def maps(spine: DrawnSpine, places: np.ndarray | None = None, missing: tuple[int, ...] = ()) -> Analysed:
    """What inference would leave of a drawn spine whose localizer marks discs at these places."""
    points = spine.grid(spine.discs[:5] if places is None else places)
    levels = np.stack(
        [np.zeros((GRID, GRID)) if k in missing else soft_disc(*point, radius=5.0) for k, point in enumerate(points)]
    )
    logits = as_logits(levels)
    image = cv2.resize(spine.pixels, (GRID, GRID), interpolation=cv2.INTER_LINEAR)
    strip = strips.cut(spine.pixels[None], spine.plane, logits, "disc")
    return Analysed("1", "s", spine.plane, image, logits, strip=strip)


def test_discs_are_where_they_were_drawn():
    spine = draw([0.5] * 5, first=70.0, size=(320.0, 200.0))
    studied = maps(spine)
    discs, junction = (measure(studied)[1][name] for name in ("discs", "junction_disc"))
    named = studied.strip.places_mm
    assert [row for _, row, _ in discs] == pytest.approx(named, abs=2.0)
    assert junction[1] == pytest.approx(named[-1], abs=2.0) and abs(junction[0] - HALF_WIDTH_MM) <= 3.0
    # as the page draws it: a line across the column, turned as the disc is
    drawn = strip_drawing.drawing(studied.strip, [[30.0, 100.0, 0.0], [30.0, 140.0, 30.0]], None)
    assert drawn.ticks == ("M19.0 100.0L41.0 100.0", "M20.5 145.5L39.5 134.5") and drawn.junction == ""


def test_points_on_five_discs():
    levels, study, flags = measure(maps(draw([0.5] * 5, first=70.0, size=(320.0, 200.0))))
    assert study["step_dev"] < 0.1 and study["off_disc"] < 0.1 and study["gap_dev"] < 0.1
    assert study["discs_spanned"] == 5 and study["disc_offset"] == 0
    assert study["junction_disc_contrast"] == pytest.approx(1.0, abs=0.1)
    assert max(levels[name]["disc_distance"] for name in LEVELS) == pytest.approx(study["off_disc"])
    assert not {"points_off_discs", "field_cropped_caudal", "field_cropped_cranial", "upper_level_missing"} & set(flags)


def beside(spine: DrawnSpine, left: DrawnSpine, right: DrawnSpine) -> Analysed:
    """The spine with these as the neighbours of the centre slice."""
    made = maps(spine)
    slices = np.stack([each.pixels for each in (spine, left, right)])
    return replace(made, strip=strips.cut(slices, spine.plane, made.logits, "disc"))


def test_the_sides_of_a_column_that_stands_on_the_centre_slice_look_alike_and_no_others():
    spine = draw([0.5] * 5, first=70.0, size=(320.0, 200.0))
    fused = draw([0.5] * 4 + [1.0], first=70.0, size=(320.0, 200.0))
    outside = replace(spine, pixels=np.random.default_rng(0).integers(20, 120, spine.pixels.shape).astype(np.uint8))
    assert measure(beside(spine, spine, spine))[1]["junction_asymmetry"] == pytest.approx(0.0, abs=1e-6)
    assert measure(beside(fused, fused, fused))[1]["junction_asymmetry"] == pytest.approx(0.0, abs=1e-6)
    assert measure(beside(spine, spine, outside))[1]["junction_asymmetry"] > 0.8


def test_without_both_neighbours_or_l5_s1_there_is_no_asymmetry():
    spine = draw([0.5] * 5, first=70.0, size=(320.0, 200.0))
    _, study, flags = measure(maps(spine))
    assert study["junction_asymmetry"] is None and "junction_sides_not_seen" in flags
    _, study, flags = measure(maps(spine, missing=(4,)))
    assert study["junction_asymmetry"] is None and "junction_sides_not_seen" not in flags and "l5_s1_not_found" in flags
    made = beside(spine, spine, spine)
    unnamed = replace(made, strip=replace(made.strip, levels=(0, 1, 2, 3), places_mm=made.strip.places_mm[:4]))
    assert measure(unnamed)[1]["junction_asymmetry"] is None
    assert measure(replace(made, strip=None))[1]["junction_asymmetry"] is None


def test_six_discs_with_five_names_are_a_finding_and_no_failure():
    spine = draw([0.5] * 6, gap=32.0)
    _, study, flags = measure(maps(spine, spine.discs[[0, 1, 2, 4, 5]]))
    assert study["step_dev"] == pytest.approx(1.0, abs=0.15) and study["discs_spanned"] == 6
    assert "points_off_discs" not in flags


def test_a_level_inside_a_vertebra_is_a_failure_of_the_localizer():
    spine = draw([0.5] * 5)
    places = spine.discs.copy()
    places[2, 1] += 18.0
    levels, study, flags = measure(maps(spine, places))
    assert study["off_disc"] > 0.35 and levels["l3_l4"]["disc_distance"] == pytest.approx(study["off_disc"])
    assert "points_off_discs" in flags


@pytest.mark.parametrize("above", [0.0, 10.0])
def test_two_names_at_one_disc_are_a_finding_and_no_failure(above):
    """Four discs for five names, as where a junction has lost its disc; the two points may lie to either side of one."""
    spine = draw([0.5] * 4, gap=40.0, size=(320.0, 200.0))
    places = spine.discs[[0, 1, 1, 2, 3]].copy()
    places[1, 1] -= above
    places[2, 1] += 6.0 if not above else 7.0
    flags = measure(maps(spine, places))[2]
    assert "levels_at_one_disc" in flags and "points_off_discs" not in flags
    assert "levels_at_one_disc" not in LOCALIZER_FLAGS
    places[3, 1] += 17.0
    assert "points_off_discs" in measure(maps(spine, places))[2], "a third point in a vertebra is a failure"


def test_l5_s1_off_its_disc_is_no_failure_for_it_may_have_none():
    spine = draw([0.5] * 4 + [1.0], first=60.0, size=(300.0, 200.0))
    places = spine.discs.copy()
    places[4, 1] += 12.0
    assert "points_off_discs" not in measure(maps(spine, places))[2]


def test_an_erased_junction_has_little_contrast():
    _, study, _ = measure(maps(draw([0.5] * 4 + [0.97])))
    assert study["junction_disc_contrast"] < 0.25


@pytest.mark.parametrize(("below", "tilt", "cropped"), [(16.0, 0.0, True), (26.0, 0.0, False), (16.0, 25.0, False)])
def test_a_field_that_ends_at_the_last_disc_is_cropped_unless_it_is_turned_as_l5_s1(below, tilt, cropped):
    reach = 60.0 + 4 * 36.0 * np.cos(np.deg2rad(tilt)) + below
    spine = draw([0.5] * 5, first=60.0, tilt=tilt, size=(reach, 260.0))
    assert ("field_cropped_caudal" in measure(maps(spine))[2]) == cropped


def test_a_field_that_begins_at_the_first_disc_is_cropped():
    assert "field_cropped_cranial" in measure(maps(draw([0.5] * 5, first=17.0)))[2]


def test_a_field_that_begins_at_the_first_of_six_discs_shows_the_five_lowest_whole():
    """Here it is the names that do not fit the discs; with five discs the same field is cropped."""
    spine = draw([0.5] * 6, gap=32.0, first=17.0)
    _, study, flags = measure(maps(spine, spine.discs[[0, 2, 3, 4, 5]]))
    assert study["discs_spanned"] == 6 and study["cranial_reach"] < 0.6
    assert not set(LOCALIZER_FLAGS) & set(flags)
    shared = measure(maps(spine, spine.discs[[0, 2, 3, 3, 5]]))[2]
    assert "field_cropped_cranial" in shared, "names that share a disc do not tell how many there are"


def test_without_a_strip_every_sign_is_undefined_and_says_so():
    made = replace(maps(draw([0.5] * 5)), strip=None)
    _, study, flags = measure(made)
    assert all(study[name] is None for name in ANATOMY) and "no_strip" in flags


def test_a_missing_upper_level_is_a_failure_of_the_localizer():
    _, _, flags = measure(maps(draw([0.5] * 5), missing=(2,)))
    assert "upper_level_missing" in flags and "l3_l4_not_found" in flags


def test_the_point_is_the_middle_of_the_main_blob():
    two = hard_disc(80, 40, radius=7.0, peak=0.9) + hard_disc(80, 80, radius=4.0, peak=0.99)
    assert level_point(two) == pytest.approx((80.0, 40.0))
    assert level_point(0.4 * two) is None
    found = level_points(as_logits(np.stack([two] + [np.zeros((GRID, GRID))] * 4)))
    assert found[0] == pytest.approx((80.0, 40.0)) and found[1:] == [None] * 4


def test_large_slices_are_kept_small_and_their_strip_is_the_same():
    spine = draw([0.5] * 5, spacing=0.25, size=(300.0, 200.0))
    logits = maps(spine).logits
    whole = strips.cut(spine.pixels[None], spine.plane, logits, "disc")
    kept = cv2.resize(spine.pixels, (round(800 * 512 / 1200), 512), interpolation=cv2.INTER_AREA)
    small = strips.cut(kept[None], spine.plane, logits, "disc")
    assert small.places_mm == pytest.approx(whole.places_mm, abs=0.2)
    assert np.abs(small.pixels.astype(int) - whole.pixels)[:, :, 15:46].mean() < 2


def test_the_strip_goes_through_the_heatmap_file(tmp_path):
    made = maps(draw([0.5] * 5))
    with create(tmp_path / "maps.h5", {}) as writer:
        writer.write(made)
    found = read_study(tmp_path / "maps.h5", "1").strip
    assert np.array_equal(found.pixels, made.strip.pixels)
    assert replace(found, pixels=made.strip.pixels) == made.strip


def test_a_point_far_from_the_column_is_on_the_list_and_no_ordinary_study():
    """L1/L2 in the neck: longer than a lumbar spine, so no strip was laid, and nothing else would tell."""
    centres = [(80, 2), (80, 80), (80, 100), (80, 120), (80, 140)]
    maps = study(np.stack([hard_disc(*centre) for centre in centres]), geometry=replace(study().geometry, height=480))
    assert maps.strip is None
    _, _, flags = measure(maps)
    assert "points_no_column" in flags and "points_no_column" in LOCALIZER_FLAGS
    assert "points_no_column" not in measure(study())[2], "of a file without strips, whose points make a column"


def test_a_missing_upper_level_is_told_without_a_strip():
    levels = five_discs()
    levels[1] = 0
    assert "upper_level_missing" in measure(study(levels))[2]
