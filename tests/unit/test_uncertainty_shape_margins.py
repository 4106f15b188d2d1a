"""Shape with the area removed, margins and energy."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lstv.uncertainty import fields, margins, measure, shape
from lstv.uncertainty.flags import Undefined
from made_maps import as_logits, context, five_discs, hard_disc, one_map, soft_disc, study


def test_effective_area_of_a_hard_disc_is_its_area() -> None:
    assert shape.effective_area(one_map(hard_disc(80, 80, 7, 0.6)), 0) == pytest.approx(149)


def test_expected_radial_error_of_a_disc_is_two_thirds_of_the_radius() -> None:
    disc, pixel = hard_disc(80, 80, 20), hard_disc(80, 80, 0)
    assert shape.expected_radial_error(one_map(disc, (1.0, 1.0)), 0) == pytest.approx(2 / 3 * 20, rel=0.01)
    assert shape.expected_radial_error(one_map(disc, (2.0, 2.0)), 0) == pytest.approx(4 / 3 * 20, rel=0.01)
    # two thirds of the mean radius of an ellipse of 20 and 40, which is its circumference over 2 pi
    assert shape.expected_radial_error(one_map(disc, (1.0, 2.0)), 0) == pytest.approx(2 / 3 * 30.84, rel=0.01)
    assert shape.expected_radial_error(one_map(pixel), 0) == 0


def test_second_peak_and_leak_of_two_blobs() -> None:
    two = one_map(np.maximum(hard_disc(40, 40, 7, 0.9), hard_disc(120, 120, 7, 0.3)))
    assert shape.second_peak_ratio(two, 0) == pytest.approx(1 / 3)
    assert shape.leak(two, 0) == pytest.approx(0.25)
    one = one_map(hard_disc(40, 40, 7, 0.9))
    assert shape.second_peak_ratio(one, 0) == 0
    assert shape.leak(one, 0) == 0


@pytest.mark.parametrize(("radius", "ratio"), [(7.0, 0.0), (5.0, 1 / 3)])
def test_the_size_of_the_main_part_is_that_of_the_median_level(radius: float, ratio: float) -> None:
    levels = five_discs(radius=radius)
    # a spot 9 pixels aside: beyond 1.5 radii of its own level's disc, and of the others' where these are as small
    levels[4] = np.maximum(hard_disc(80, 118, 5, 0.9), hard_disc(89, 118, 0, 0.3))
    assert shape.second_peak_ratio(context(probability=levels), 4) == pytest.approx(ratio)
    assert (shape.leak(context(probability=levels), 4) > 0) == (ratio > 0)


def test_the_maximum_may_lie_anywhere_on_a_plateau() -> None:
    p = hard_disc(80, 80, 7, 0.9)
    p[80, 74] = 0.95  # near the edge of the blob; its far side must not count as a second place
    assert shape.second_peak_ratio(one_map(p), 0) == 0
    assert fields.main_part_centre(p) == pytest.approx([80, 80])


def test_spread_and_elongation_of_discs_and_bars() -> None:
    disc = one_map(hard_disc(80, 80, 20))
    assert shape.spread(disc, 0) == pytest.approx(20**2 / 4, rel=0.01)
    assert shape.elongation(disc, 0) == pytest.approx(0, abs=1e-9)
    bar = np.zeros((160, 160))
    bar[60:80, 40:80] = 1  # variances (20^2 - 1) / 12 and (40^2 - 1) / 12
    drawn_out = one_map(bar)
    assert shape.spread(drawn_out, 0) == pytest.approx(math.sqrt(399 * 1599) / 12)
    assert shape.elongation(drawn_out, 0) == pytest.approx(1 - 399 / 1599)
    assert shape.elongation(one_map(hard_disc(80, 80, 0)), 0) == 0
    stretched = one_map(hard_disc(80, 80, 20), (1.0, 2.0))
    assert shape.spread(stretched, 0) == pytest.approx(2 * 20**2 / 4, rel=0.01)


def test_entropy_difference_cancels_the_size_of_all_blobs() -> None:
    for radius in (5.0, 8.0):
        _, whole, _ = measure(study(five_discs(radius=radius)))
        assert whole["entropy_difference"] == pytest.approx(0, abs=1e-3)
    levels = five_discs()
    levels[4] = soft_disc(80, 118, radius=9)
    measured, whole, _ = measure(study(levels))
    assert whole["entropy_difference"] == pytest.approx(
        measured["l5_s1"]["entropy"] - measured["l1_l2"]["entropy"], abs=1e-3
    )


def test_entropy_difference_needs_l5_s1_and_two_others() -> None:
    areas = (4, 6, 8, 60, 20)  # the entropy of a uniform map is the logarithm of its area

    def difference(*missing: int) -> float:
        levels = np.zeros((5, 160, 160))
        for level, area in enumerate(areas):
            levels[level, 20 * level, :area] = 0 if level in missing else 0.9
        return shape.entropy_difference(context(probability=levels))

    assert difference() == pytest.approx(math.log(20) - math.log(48) / 2), "one odd level does not count much"
    assert difference(0) == pytest.approx(math.log(20 / 8))
    with pytest.raises(Undefined, match="^l5_s1_not_found$"):
        difference(4)
    with pytest.raises(Undefined) as undefined:
        difference(0, 1, 2)
    assert undefined.value.flags == ("l1_l2_not_found", "l2_l3_not_found", "l3_l4_not_found")


def test_peak_logit_undoes_saturation() -> None:
    logits = np.zeros((6, 160, 160))
    logits[5, 80, 80] = 30.0
    measured = context(maps=study(logits=logits))
    # p = e^30 / (e^30 + 5): its log odds are 30 - ln 5 although p rounds to 1
    assert margins.peak_logit(measured, 4) == pytest.approx(30 - math.log(5), abs=1e-9)
    assert measured.probability[4, 80, 80] == pytest.approx(1, abs=1e-11)


def test_margins_relative_to_the_other_levels() -> None:
    levels = five_discs()
    levels[4] *= 0.7 / 0.98
    measured, whole, _ = measure(study(levels))
    logit = lambda p: math.log(p / (1 - p))  # noqa: E731
    assert measured["l5_s1"]["peak_logit"] == pytest.approx(logit(measured["l5_s1"]["confidence"]), abs=1e-3)
    expected = logit(measured["l5_s1"]["confidence"]) - logit(measured["l1_l2"]["confidence"])
    assert whole["peak_logit_difference"] == pytest.approx(expected, abs=2e-3)


def test_max_logit_and_energy_read_the_raw_logits() -> None:
    logits = as_logits(five_discs()) + np.float32(2.5)  # softmax is blind to a constant, these are not
    measured, whole, _ = measure(study(logits=logits))
    row = np.log(measured["l3_l4"]["confidence"]) + 2.5
    assert measured["l3_l4"]["max_logit"] == pytest.approx(row, abs=1e-3)
    assert measured["l3_l4"]["energy"] == pytest.approx(-2.5, abs=1e-4)
    assert whole["energy_difference"] == pytest.approx(0, abs=1e-4)


def test_energy_difference_of_a_level_with_weaker_logits() -> None:
    logits = as_logits(five_discs())
    logits[:, 107:130] -= 1.5
    _, whole, _ = measure(study(logits=logits))
    assert whole["energy_difference"] == pytest.approx(1.5, abs=1e-4)


def test_energy_difference_needs_the_blob_of_l5_s1_and_of_two_others() -> None:
    levels = five_discs()
    levels[4] = 0
    with pytest.raises(Undefined, match="^l5_s1_no_blob$"):
        margins.energy_difference(context(maps=study(levels)))
    levels = five_discs()
    levels[1:4] = 0
    with pytest.raises(Undefined) as undefined:
        margins.energy_difference(context(maps=study(levels)))
    assert undefined.value.flags == ("l2_l3_no_blob", "l3_l4_no_blob", "l4_l5_no_blob")


def test_extreme_logits_stay_finite() -> None:
    logits = as_logits(five_discs())
    logits[0, :20] = 1e4
    measured = context(maps=study(logits=logits))
    assert np.isfinite(measured.log_probability).all()
    assert margins._log_sum(measured)[0, 0] == pytest.approx(1e4)
    plain = np.log(np.exp(logits[:, 80, 80].astype(np.float64)).sum())
    assert margins._log_sum(measured)[80, 80] == pytest.approx(plain, abs=1e-12)


def test_centre_is_the_middle_of_the_main_blob() -> None:
    p = np.zeros((160, 160))
    p[10, 20:25], p[50, 50:53], p[80, 80] = 0.6, 0.9, 0.49
    assert fields.centre(p) == pytest.approx([22, 10])
