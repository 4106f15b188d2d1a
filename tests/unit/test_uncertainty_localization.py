"""Layer 1 against numbers that can be worked out by hand, and against the reference formula written independently."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lstv.uncertainty import Thresholds, localization, measure
from lstv.uncertainty.flags import Undefined
from made_maps import five_discs, hard_disc, one_map, soft_disc, study


def reference_entropy(p: np.ndarray) -> float:
    q = p / (p.sum() + 1e-9)
    return float(-(q * np.log(q + 1e-9)).sum())


def test_flat_map_has_the_entropy_of_all_pixels() -> None:
    flat = one_map(np.full((160, 160), 0.6))
    assert localization.entropy(flat, 0) == pytest.approx(math.log(160 * 160), abs=1e-12)
    assert localization.spatial_entropy(flat, 0) == pytest.approx(math.log(100), abs=1e-12)
    assert localization.confidence(flat, 0) == 0.6
    assert localization.area_px(flat, 0) == 160 * 160
    assert localization.point_px(flat, 0) == [79.5, 79.5]


def test_a_map_that_nowhere_exceeds_one_half_has_a_peak_but_no_place_and_no_entropy() -> None:
    flat = one_map(np.full((160, 160), 0.5))
    assert (localization.confidence(flat, 2), localization.area_px(flat, 2)) == (0.5, 0)
    for metric in (localization.entropy, localization.spatial_entropy, localization.point_px, localization.point_mm):
        with pytest.raises(Undefined, match="^l3_l4_not_found$"):
            metric(flat, 2)


def test_single_pixel_has_no_entropy() -> None:
    delta = np.zeros((160, 160))
    delta[20, 30] = 0.9
    assert localization.entropy(one_map(delta), 0) == 0
    assert localization.spatial_entropy(one_map(delta), 0) == 0
    assert localization.area_px(one_map(delta), 0) == 1
    assert localization.point_px(one_map(delta), 0) == [30, 20]


def test_hard_disc_of_radius_7_gives_the_logarithm_of_149_pixels_whatever_its_peak() -> None:
    for peak in (0.98, 0.6):
        assert localization.entropy(one_map(hard_disc(80, 80, 7, peak)), 0) == pytest.approx(math.log(149), abs=1e-12)


def test_two_equal_blobs_add_ln_2() -> None:
    two = one_map(hard_disc(40, 40, 7, 0.6) + hard_disc(120, 120, 7, 0.6))
    assert localization.entropy(two, 0) == pytest.approx(math.log(149) + math.log(2), abs=1e-12)
    assert localization.confidence(two, 0) == 0.6


@pytest.mark.parametrize(("tail", "expected"), [(0, 5.004), (1e-5, 5.026), (1e-4, 5.179)])
def test_tail_raises_entropy_as_tabulated(tail: float, expected: float) -> None:
    disc = one_map(np.maximum(hard_disc(80, 80, 7, 0.98), tail))
    assert localization.entropy(disc, 0) == pytest.approx(expected, abs=5e-4)


@pytest.mark.parametrize("radius", [5.0, 7.0, 9.0])
@pytest.mark.parametrize("tail", [0.0, 1e-7, 1e-5])
def test_agrees_with_the_reference_formula_on_blobs(radius: float, tail: float) -> None:
    p = np.maximum(soft_disc(77.3, 91.8, radius), tail)
    assert localization.entropy(one_map(p), 0) == pytest.approx(reference_entropy(p), abs=1e-3)
    bins = np.array([[p[r : r + 16, c : c + 16].sum() for c in range(0, 160, 16)] for r in range(0, 160, 16)])
    assert localization.spatial_entropy(one_map(p), 0) == pytest.approx(reference_entropy(bins), abs=1e-3)


def test_spatial_entropy_depends_on_the_place_of_one_and_the_same_disc() -> None:
    assert localization.spatial_entropy(one_map(hard_disc(72, 72, 7)), 0) == 0
    assert localization.spatial_entropy(one_map(hard_disc(79.5, 79.5, 7)), 0) == pytest.approx(math.log(4), abs=1e-12)


def test_empty_map_has_no_entropy_instead_of_one_of_10() -> None:
    levels = five_discs()
    levels[4] = 1e-5
    measured, whole, flags = measure(study(levels))
    assert measured["l5_s1"]["entropy"] is None
    assert measured["l5_s1"]["spatial_entropy"] is None
    assert "l5_s1_not_found" in flags
    assert whole["risk"] == "not_found"


def test_weak_level_is_not_found_and_keeps_its_peak() -> None:
    levels = five_discs()
    levels[4] *= 0.4
    measured, whole, flags = measure(study(levels))
    assert measured["l5_s1"]["confidence"] == pytest.approx(0.4, abs=0.01)
    assert measured["l5_s1"]["entropy"] is None
    assert measured["l5_s1"]["point_px"] is None and measured["l5_s1"]["point_mm"] is None
    assert measured["l5_s1"]["area_px"] == 0
    assert "l5_s1_not_found" in flags
    assert whole["risk"] == "not_found"


def test_points_are_in_grid_pixels_and_patient_millimetres() -> None:
    measured, _, _ = measure(study())
    assert measured["l4_l5"]["point_px"] == pytest.approx([80, 96])
    # half-pixel convention of resizing: column (80 + .5) * 3 - .5 = 241, row (96 + .5) * 2 - .5 = 192.5
    assert measured["l4_l5"]["point_mm"] == pytest.approx([5, -120 + 241 * 0.5, 90 - 192.5 * 0.75])


@pytest.mark.parametrize(
    ("entropy", "expected"),
    [(5.01, "high"), (5.0, "moderate"), (4.0, "moderate"), (3.99, "low"), (None, "not_found")],
)
def test_risk_strata(entropy: float | None, expected: str) -> None:
    assert localization.risk(entropy, Thresholds()) == expected


def test_thresholds_are_settings() -> None:
    _, whole, _ = measure(study(), Thresholds(high=6.0, moderate=5.5))
    assert whole["risk"] == "low"
