"""Count, order, residuals beyond the ends, and angles whose truth is constructed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lstv.uncertainty import count, measure, spine_geometry
from lstv.uncertainty.context import StudyContext
from lstv.uncertainty.flags import Undefined
from made_maps import COLUMN, ROWS, SAGITTAL, context, five_discs, soft_disc, study


def test_normal_spine_counts_five_in_order() -> None:
    _, whole, _ = measure(study())
    assert (whole["blob_count"], whole["missing_levels"]) == (5, 0)
    assert (whole["duplicate_labels"], whole["order_violations"]) == (0, 0)
    assert whole["mass_ratio"] == pytest.approx(1, abs=1e-3)
    assert whole["caudal_residual"] < 1e-3 and whole["cranial_residual"] < 1e-3


def test_missing_level_is_counted() -> None:
    levels = five_discs()
    levels[2] = 0
    _, whole, flags = measure(study(levels))
    assert (whole["blob_count"], whole["missing_levels"], whole["order_violations"]) == (4, 1, 0)
    assert "l3_l4_not_found" in flags


@pytest.mark.parametrize(
    ("named", "in_order"),
    [
        ([0, 1, 2, 3, 4], 3),
        ([0, 0, 1, 2, 3, 4], 3),  # broken above, in order at the junction
        ([0, 1, 2, 3, 4, 4], 1),
        ([0, 1, 2, 2, 4], 1),
        ([0, 1, 3, 3, 4], 2),
        ([0, 1, 2, 3], 0),
        ([3, 4], 2),
    ],
)
def test_names_in_order_are_counted_from_the_lowest_disc_up(named: list[int], in_order: int) -> None:
    assert count.junction_names_in_order(context(shares=np.eye(5)[named])) == in_order


def test_duplicate_and_order() -> None:
    eye = np.eye(5)
    twice, swapped = context(shares=eye[[0, 1, 2, 3, 4, 4]]), context(shares=eye[[0, 2, 1, 3, 4]])
    assert (count.duplicate_labels(twice), count.order_violations(twice), count.count_anomaly(twice)) == (1, 1, 3)
    assert (count.duplicate_labels(swapped), count.order_violations(swapped), count.count_anomaly(swapped)) == (0, 1, 1)
    for metric in (count.duplicate_labels, count.order_violations, count.count_anomaly):
        with pytest.raises(Undefined, match="^no_disc_blob$"):
            metric(context(blobs=[], probability=five_discs()))


def test_sixth_disc_is_a_caudal_residual_at_its_distance() -> None:
    levels = five_discs()
    levels[4] = np.maximum(levels[4], soft_disc(COLUMN, ROWS[4] + 22, radius=4, peak=0.4))
    _, whole, _ = measure(study(levels))
    assert whole["caudal_residual"] == pytest.approx(0.4, abs=0.01)
    # its middle is 33 mm below; the plateau's highest pixel is within a pixel of it
    assert whole["caudal_residual_distance"] == pytest.approx(33, abs=1.6)
    assert whole["cranial_residual"] < 1e-3
    assert whole["blob_count"] == 5, "a response below 0.5 is no blob"


def test_cranial_residual_is_the_same_above() -> None:
    levels = five_discs()
    levels[0] = np.maximum(levels[0], soft_disc(COLUMN, ROWS[0] - 22, radius=4, peak=0.3))
    _, whole, _ = measure(study(levels))
    assert whole["cranial_residual"] == pytest.approx(0.3, abs=0.01)


def test_large_discs_are_not_taken_for_a_residual() -> None:
    rows = (60.0, 75.0, 90.0, 105.0, 120.0)
    levels = np.stack([soft_disc(COLUMN, row, radius=7) for row in rows])
    _, whole, _ = measure(study(levels))
    assert whole["caudal_residual"] < 0.01


def test_window_outside_the_image_is_undefined_with_a_flag() -> None:
    levels = np.stack([soft_disc(COLUMN, row) for row in (62.0, 84.0, 106.0, 128.0, 150.0)])
    _, whole, flags = measure(study(levels))
    assert whole["caudal_residual"] is None and whole["caudal_residual_distance"] is None
    assert "caudal_window_outside" in flags


def test_mass_ratio_of_half_a_disc() -> None:
    levels = five_discs()
    levels[4, :, :80] = 0
    assert count.mass_ratio(context(probability=levels)) == pytest.approx(levels[4].sum() / levels[0].sum(), rel=1e-9)
    levels[:3] = 0
    with pytest.raises(Undefined) as undefined:
        count.mass_ratio(context(probability=levels))
    assert undefined.value.flags == ("l1_l2_not_found", "l2_l3_not_found", "l3_l4_not_found")


def column_of(angles: list[float], lengths: list[float], missing: int | None = None) -> StudyContext:
    """A column of points that starts straight down and turns by ``angles`` (degrees, lordosis positive)."""
    direction, points = 0.0, [np.zeros(3)]
    for index, length in enumerate(lengths):
        direction += 0 if index == 0 else np.radians(angles[index - 1])
        points.append(points[-1] + length * np.array([0, np.sin(direction), -np.cos(direction)]))
    centres = [None if level == missing else np.zeros(2) for level in range(5)]
    return context(points_mm=np.array(points), centres=centres)


def test_angles_and_ratios_of_a_constructed_column() -> None:
    points = column_of([5, 8, 20], [30, 33, 36, 44])
    assert spine_geometry.angle_l2_l3(points) == pytest.approx(5)
    assert spine_geometry.angle_l3_l4(points) == pytest.approx(8)
    assert spine_geometry.angle_l4_l5(points) == pytest.approx(20)
    assert spine_geometry.angle_difference(points) == pytest.approx(12)
    assert spine_geometry.junction_distance(points) == pytest.approx(44)
    assert spine_geometry.junction_distance_ratio(points) == pytest.approx(44 / 33)
    assert spine_geometry.l3_l4_distance_ratio(points) == pytest.approx(36 / 31.5)


def test_lordosis_is_positive_where_the_sacrum_turns_to_posterior() -> None:
    assert spine_geometry.angle_l4_l5(column_of([0, 0, 15], [30] * 4)) > 0
    assert spine_geometry.angle_l4_l5(column_of([0, 0, -15], [30] * 4)) < 0


def test_missing_point_undefines_only_what_needs_it() -> None:
    points = column_of([5, 8, 20], [30, 33, 36, 44], missing=0)
    for metric in (spine_geometry.angle_l2_l3, spine_geometry.junction_distance_ratio):
        with pytest.raises(Undefined, match="^l1_l2_not_found$"):
            metric(points)
    assert spine_geometry.angle_difference(points) == pytest.approx(12)
    assert spine_geometry.junction_distance(points) == pytest.approx(44)


def test_millimetres_follow_the_true_spacing() -> None:
    _, square, _ = measure(study())
    assert square["junction_distance"] == pytest.approx(22 * 1.5, abs=0.01)
    _, tall, _ = measure(study(geometry=replace(SAGITTAL, row_spacing=1.5)))
    assert tall["junction_distance"] == pytest.approx(22 * 3.0, abs=0.01)


def test_geometry_does_not_depend_on_how_the_image_is_stored() -> None:
    columns = (84.0, 80.0, 78.0, 78.0, 82.0)
    levels = np.stack([soft_disc(column, row) for column, row in zip(columns, ROWS)])
    _, plain, _ = measure(study(levels))
    upside = replace(SAGITTAL, position=(5.0, -120.0, 90.0 - 319 * 0.75), column_direction=(0.0, 0.0, 1.0))
    _, flipped, _ = measure(study(levels[:, ::-1].copy(), geometry=upside))
    for key in ("angle_l2_l3", "angle_l4_l5", "angle_difference", "junction_distance", "junction_log_odds"):
        assert flipped[key] == pytest.approx(plain[key], abs=1e-6), key
    assert plain["angle_l4_l5"] > 0
