"""Percentile ranks, groups and the reasons in words."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from lstv.ranking.score import COMPONENTS, percentile_ranks, rank_studies, reasons, tail_places
from lstv.uncertainty import study_record
from made_maps import study

NORMAL = study_record.study_record(study(), {})
QUIET = {
    "junction_identity_entropy": 0.01,
    "junction_flip_rate_views": 0.0,
    "junction_votes_views": 25,
    "angle_difference": 4.0,
    "caudal_residual": 0.001,
    "caudal_residual_distance": 30.0,
    "entropy_difference": 0.0,
    "count_anomaly": 0,
}


def record(study_id: str, l5_s1: dict | None = None, **whole: object) -> dict:
    made = copy.deepcopy(NORMAL) | {"study_id": study_id}
    made["study"] |= QUIET | whole
    made["levels"]["l5_s1"] |= l5_s1 or {}
    return made


def cohort(count: int, step: float = 0.001) -> list[dict]:
    """Studies s00, s01, .. in which every component grows with the number; with small steps they stay below the floors."""
    return [
        record(
            f"s{i:02d}",
            {"entropy": 5 + i / 100},
            junction_identity_entropy=step * i,
            junction_flip_rate_views=step * i / 10,
            angle_difference=4 + 10 * step * i,
            caudal_residual=step * i / 10,
            entropy_difference=step * i / 10,
            count_anomaly=0,
        )
        for i in range(count)
    ]


def test_percentile_ranks_average_ties_and_skip_the_undefined() -> None:
    values = np.array([1.0, 2.0, 2.0, np.nan, 4.0])
    ranks = percentile_ranks(values, [True] * 5)
    assert ranks[[0, 1, 2, 4]] == pytest.approx([0.125, 0.5, 0.5, 0.875])
    assert np.isnan(ranks[3])


def test_percentile_ranks_refer_to_the_fit_studies() -> None:
    ranks = percentile_ranks(np.array([1.0, 2.0, 100.0, 0.0]), [True, True, False, False])
    assert ranks == pytest.approx([0.25, 0.75, 1.0, 0.0])


def test_score_is_the_mean_of_the_ranks_and_orders_the_cohort() -> None:
    standings = rank_studies(cohort(21, step=1.0))
    by_id = {standing.study_id: standing for standing in standings}
    assert [standing.rank for standing in standings] == list(range(1, 22))
    assert standings[0].study_id == "s20"
    # s20 is alone at the top of four components; evenly spread angles are all within 1.5 robust standard deviations, and
    # the counts are alike, which in both leaves half of the cohort above
    tails = [0.5 / 21] * 4 + [0.5] * 2
    assert by_id["s20"].score == pytest.approx(np.mean(np.log(tails)) / np.log(1 / 44))
    assert by_id["s20"].rank_entropy == 1 and by_id["s00"].rank_entropy == 21
    assert all(0 <= standing.score <= 1 for standing in standings)


def test_differences_below_the_floors_rank_nobody() -> None:
    """Only the angle, whose floor is relative to the cohort, still differs."""
    standings = rank_studies(cohort(21))
    assert all(set(standing.percentiles.values()) >= {0.5} for standing in standings)
    assert len({round(standing.score, 9) for standing in standings}) <= 6


def test_extreme_in_one_component_comes_before_a_little_above_in_all() -> None:
    """What a mean of percentile ranks would lose."""
    made = cohort(30, step=0.05)
    for index, other in enumerate(made):
        other["study"] |= dict.fromkeys(("junction_identity_entropy", "entropy_difference"), 0.2 + index / 1000)
    odd = record("odd", junction_identity_entropy=1.2, junction_flip_rate_views=0.6)
    assert rank_studies([*made, odd])[0].study_id in ("odd", "s29")
    place = {standing.study_id: standing.rank for standing in rank_studies([*made, odd])}
    assert place["odd"] < place["s25"]


def test_tail_places() -> None:
    places = tail_places(np.array([1.0, 2.0, 2.0, np.nan, 4.0]), [True] * 5)
    assert places[[0, 1, 2, 4]] == pytest.approx(np.log([0.875, 0.5, 0.5, 0.125]) / np.log(0.1))
    assert np.isnan(places[3])
    assert tail_places(np.array([1.0, 9.0, 0.0]), [True, False, False]) == pytest.approx([0.5, 1.0, 0.0])


def test_order_of_the_input_does_not_matter() -> None:
    made = cohort(12)
    assert rank_studies(made[::-1]) == rank_studies(made)


def test_a_cohort_of_one_is_in_the_middle_without_reasons() -> None:
    (only,) = rank_studies([record("a")])
    assert (only.rank, only.score, only.reasons, only.rank_entropy) == (1, 0.5, (), 1)


def test_no_study_and_failed_studies() -> None:
    failed = record("f") | {"status": "failed", "levels": {}, "study": {}}
    assert rank_studies([failed]) == []


def test_undefined_components_take_no_part() -> None:
    made = cohort(11)
    made[10]["study"] |= {"junction_flip_rate_views": None, "angle_difference": None}
    made[9]["study"] |= dict.fromkeys(COMPONENTS[:4])
    by_id = {standing.study_id: standing for standing in rank_studies(made)}
    assert set(by_id["s10"].percentiles) == {
        "junction_identity_entropy",
        "caudal_residual",
        "entropy_difference",
        "count_anomaly",
    }
    assert 0 < by_id["s10"].score < 1
    assert by_id["s09"].score is None and by_id["s09"].rank == 11, "two components are too few"


def test_missing_junction_first_and_quality_problems_last() -> None:
    missing = record("m", {"point_px": None, "entropy": 9.0}, caudal_residual=None, angle_difference=None)
    cropped = record("q", junction_identity_entropy=1.5, caudal_residual=0.9, quality="problem")
    cropped["flags"] = ["quality_cropped_caudal"]
    standings = rank_studies([*cohort(12), missing, cropped])
    assert [standings[0].study_id, standings[0].group] == ["m", "not_found"]
    assert standings[0].rank_entropy is None, "an entropy of noise is no rank"
    assert "no L5/S1 disc found" in standings[0].reasons
    assert [standings[-1].study_id, standings[-1].group] == ["q", "quality"]
    assert standings[-1].reasons[0] == "quality: the spine is cut off at the lower edge"


def test_quality_problems_do_not_move_the_ranks_of_the_others() -> None:
    made = cohort(12)
    bad = [record(f"q{i}", junction_identity_entropy=1.5, quality="problem") for i in range(5)]
    alone = {s.study_id: s.score for s in rank_studies(made)}
    together = {s.study_id: s.score for s in rank_studies([*made, *bad])}
    assert {key: together[key] for key in alone} == alone


def test_reasons_carry_the_studys_own_numbers() -> None:
    odd = record(
        "odd",
        junction_identity_entropy=0.67,
        lowest_disc_share_l4_l5=0.6,
        lowest_disc_share_l5_s1=0.4,
        junction_flip_rate_views=9 / 25,
        caudal_residual=0.62,
        caudal_residual_distance=34.2,
        entropy_difference=0.01,
    )
    (standing,) = [s for s in rank_studies([*cohort(20), odd]) if s.study_id == "odd"]
    assert standing.reasons == (
        "the lowest disc is 60 % L4/L5 and 40 % L5/S1",
        "the level of the lowest disc changes in 9 of 25 views (the untouched slice included)",
        "disc-like response 0.62 at 34 mm below L5/S1",
    )
    assert standing.rank == 1


def test_unusual_in_the_cohort_is_no_reason_where_the_value_is_trifling() -> None:
    assert rank_studies(cohort(30))[0].reasons == ()


def test_angle_reason_needs_the_cohort() -> None:
    made = cohort(20)
    made[7]["study"]["angle_difference"] = -12.0
    (standing,) = [s for s in rank_studies(made) if s.study_id == "s07"]
    assert standing.reasons[0].startswith("the line of points bends 12 degrees less at L4/L5 than at L3/L4 (robust z -")
    assert reasons(made[7], {}) == ()


def test_count_reasons_need_no_cohort() -> None:
    assert reasons(record("a", blob_count=6, duplicate_labels=1, order_violations=1), {}) == (
        "6 disc-like responses for 5 levels found",
        "1 disc called by a level that already has one",
        "the order of the levels is broken in 1 place",
    )
    assert reasons(record("a", blob_count=4, missing_levels=1), {}) == ()
