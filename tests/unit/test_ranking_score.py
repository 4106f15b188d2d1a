"""Evidence, score, groups, shared places and the reasons in words: one table of limits for all of them."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from lstv.ranking import evidence
from lstv.ranking.evidence import COMPONENTS, LIMITS
from lstv.ranking.reasons import localizer_reasons, reasons
from lstv.ranking.score import rank_studies
from lstv.uncertainty import study_record
from made_maps import study

NORMAL = study_record.study_record(study(), {})
QUIET = {
    "step_dev": 0.1,
    "gap_dev": 0.1,
    "off_disc": 0.1,
    "discs_spanned": 5,
    "count_anomaly": 0,
    "shift_ambiguity": 0.0035,
    "mass_ratio": 1.0,
    "junction_disc_contrast": 1.0,
    "junction_names_in_order": 3,
    "junction_place_disagreement": 0.05,
    "junction_name_disagreement": 3e-5,
    "junction_jump": 0.7,
    "image_contrast": 0.6,
}
FAR = {
    "step_dev": 1.0,
    "gap_dev": 0.7,
    "count_anomaly": 3,
    "shift_ambiguity": 0.4,
    "mass_ratio": 0.3,
    "junction_disc_contrast": 0.1,
    "junction_names_in_order": 1,
    "junction_place_disagreement": 0.8,
    "junction_name_disagreement": 0.2,
    "junction_jump": 15.0,
}
"""Far out in the direction of suspicion, for each limit."""

NO_SLICES = dict.fromkeys(limit.metric for limit in LIMITS if limit.component.startswith("slices"))
"""What is undefined where no slices were run."""


def record(study_id: str, l5_s1: dict | None = None, flags: tuple[str, ...] = (), **whole: object) -> dict:
    made = copy.deepcopy(NORMAL) | {"study_id": study_id, "flags": list(flags)}
    made["study"] |= QUIET | {"quality": "ok"} | whole
    made["levels"]["l5_s1"] |= l5_s1 or {}
    return made


def cohort(count: int, seed: int = 1) -> list[dict]:
    """Ordinary studies: small spread around what is usual."""
    rng = np.random.default_rng(seed)
    return [
        record(
            f"s{i:02d}",
            {"entropy": 5 + i / 100},
            mass_ratio=1 + 0.02 * float(rng.normal()),
            junction_disc_contrast=float(np.exp(0.2 * rng.normal())),
            step_dev=abs(0.1 + 0.02 * float(rng.normal())),
        )
        for i in range(count)
    ]


def odd(limit: evidence.Limit, study_id: str = "odd") -> dict:
    """Ordinary but for one limit's metric, which is far out."""
    made = record(study_id)
    part = made["study"] if limit.level is None else made["levels"][limit.level]
    part[limit.metric] = FAR[limit.column]
    return made


def standing(records: list[dict], study_id: str):
    return next(found for found in rank_studies(records) if found.study_id == study_id)


# --- evidence -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.column)
@pytest.mark.parametrize("count", [0, 12, 60])
def test_each_limit_speaks_in_its_direction_in_cohorts_of_any_size(limit, count):
    found = standing([*cohort(count), odd(limit)], "odd")
    assert found.evidence[limit.component] > 0.5 * limit.most
    assert found.evidence[limit.component] <= limit.most
    assert found.score == pytest.approx(np.mean(list(found.evidence.values())))
    assert found.reasons, "what counts has a reason"
    assert found.rank == 1


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.column)
def test_what_is_far_out_on_the_harmless_side_counts_nothing(limit):
    harmless = record("odd")
    part = harmless["study"] if limit.level is None else harmless["levels"][limit.level]
    part[limit.metric] = 0.0 if limit.high else 3.0
    found = standing([*cohort(12), harmless], "odd")
    assert found.evidence[limit.component] == 0


def test_small_departures_count_nothing_however_tight_the_cohort_is():
    alike = [record(f"s{i:02d}", mass_ratio=1.0) for i in range(50)]
    slight = record("odd", mass_ratio=0.93, step_dev=0.16, shift_ambiguity=0.006, junction_disc_contrast=0.9)
    assert standing([*alike, slight], "odd").score == 0


def test_a_reason_for_every_score_and_none_without():
    made = [*cohort(20), *(odd(limit, f"o{index}") for index, limit in enumerate(LIMITS))]
    for found in rank_studies(made):
        assert (found.score > 0) == bool(found.reasons)


def test_a_broken_numbering_is_one_cause_and_the_whole_column_says_less_of_it_than_the_junction():
    whole = record("whole", count_anomaly=3, shift_ambiguity=0.4)
    junction = record("junction", count_anomaly=3, shift_ambiguity=0.4, junction_names_in_order=1)
    made = [*cohort(12), whole, junction]
    assert standing(made, "whole").evidence["numbering"] == 0.5
    assert standing(made, "junction").evidence["numbering"] == 1.0
    assert standing(made, "junction").score == pytest.approx(2 * standing(made, "whole").score)
    assert "the second lowest disc is not called L4/L5" in standing(made, "junction").reasons


def test_without_slices_the_other_components_make_the_score():
    made = [odd(limit, limit.metric) for limit in LIMITS if not limit.component.startswith("slices")]
    for each in made:
        each["study"] |= NO_SLICES
    for found in rank_studies(made):
        assert set(found.evidence) == {name for name in COMPONENTS if not name.startswith("slices")}
        assert found.score >= 0.15


def leaning(study_id: str, asymmetry: float | None = 1.0) -> dict:
    """Out in everything that is read in the slices, and in the contrast of the disc."""
    metrics = ("mass_ratio", "junction_disc_contrast", *NO_SLICES)
    return record(study_id, junction_asymmetry=asymmetry, **{name: FAR[name] for name in metrics})


@pytest.mark.parametrize("count", [0, 12, 60])
def test_where_the_column_leaves_the_slices_these_take_no_part(count):
    made = [each | {"study": each["study"] | {"junction_asymmetry": 0.15}} for each in cohort(count)]
    found = standing([*made, leaning("odd")], "odd")
    assert set(found.evidence) == {"numbering", "junction_disc_contrast"}
    assert found.evidence["junction_disc_contrast"] > 0.5
    assert found.not_counted.startswith("the L5/S1 response and what neighbouring slices say of the junction, because")
    for usual in (0.15, 0.2, None):
        beside = standing([*made, leaning("odd", usual)], "odd")
        assert set(beside.evidence) == set(COMPONENTS) and beside.not_counted == ""


def test_without_slices_the_response_counts_wherever_the_column_stands():
    alone = leaning("odd")
    alone["study"] |= NO_SLICES
    found = standing([*cohort(12), alone], "odd")
    assert set(found.evidence) == {"numbering", "mass_ratio", "junction_disc_contrast"}
    assert found.evidence["mass_ratio"] > 0.5


def test_a_cohort_whose_sides_all_look_different_loses_nothing():
    made = [leaning(f"s{index:02d}", 0.9) for index in range(60)]
    assert all(set(found.evidence) == set(COMPONENTS) for found in rank_studies(made))


def test_undefined_components_take_no_part_and_one_is_too_few():
    bare = record("bare", shift_ambiguity=None, mass_ratio=None, junction_disc_contrast=None)
    bare["study"] |= NO_SLICES | {"step_dev": None, "gap_dev": None, "junction_place_disagreement": 0.05}
    made = [*cohort(5), bare]
    assert set(standing(made, "bare").evidence) == {"numbering", "slices_place"}
    assert standing(made, "bare").score == 0
    bare["study"]["junction_place_disagreement"] = None
    assert set(standing(made, "bare").evidence) == {"numbering"}
    assert standing(made, "bare").score is None


def test_a_lost_junction_is_scored_by_the_centre_slice_alone():
    def lost(study_id: str, mass: float) -> dict:
        made = record(study_id, {"point_px": None, "entropy": 9.0}, mass_ratio=mass)
        made["study"] |= NO_SLICES | {"junction_disc_contrast": None}
        return made

    found = rank_studies([*cohort(12), lost("more", 0.84), lost("less", 0.1)])
    assert [each.study_id for each in found[:2]] == ["less", "more"]
    assert found[0].score > found[1].score > 0


def test_studies_are_compared_with_their_like():
    """One scanner gives half the contrast of L5/S1: none of its ordinary studies may stand out."""
    rng = np.random.default_rng(3)
    made = []
    for index in range(120):
        second = index % 3 == 0
        made.append(
            record(
                f"s{index:03d}",
                junction_disc_contrast=float((0.45 if second else 1.1) * np.exp(0.1 * rng.normal())),
                image_contrast=0.3 if second else 0.7,
                field_of_view=250.0 if second else 400.0,
            )
        )
    scores = {found.study_id: found.score for found in rank_studies(made)}
    second = [scores[f"s{index:03d}"] for index in range(0, 120, 3)]
    assert np.mean(np.array(second) > 0) < 0.25 and np.mean(second) < 0.01
    fused = record("fused", junction_disc_contrast=0.1, image_contrast=0.3, field_of_view=250.0)
    assert standing([*made, fused], "fused").rank == 1


# --- places ---------------------------------------------------------------------------------------------------------


def test_studies_without_evidence_share_a_place():
    found = rank_studies([record("b"), record("a"), odd(LIMITS[0], "z")])
    assert [(each.study_id, each.rank) for each in found] == [("z", 1), ("a", 2), ("b", 2)]


def test_groups_missing_junction_candidates_localizer_quality():
    missing = record("m", {"point_px": None, "entropy": 9.0})
    cropped = record("c", flags=("field_cropped_caudal",), mass_ratio=0.1)
    failed = record("f", flags=("points_off_discs", "levels_at_one_disc"), step_dev=0.9)
    doubled = record("d", flags=("levels_at_one_disc",), step_dev=0.9, discs_spanned=4)
    blank = record("q", flags=("quality_blank_image",), mass_ratio=0.1, quality="problem")
    found = rank_studies([*cohort(12), missing, cropped, failed, doubled, blank])
    assert [found[0].study_id, found[0].group] == ["m", "not_found"]
    assert found[0].rank_entropy is None, "an entropy of noise is no rank"
    assert "no L5/S1 disc found" in found[0].reasons
    assert [found[1].study_id, found[1].group] == ["d", "scored"], "five names on four discs: a disc may be lost"
    assert found[1].reasons[0] == "two levels are marked at one disc"
    assert {each.study_id for each in found[-3:-1]} == {"c", "f"}
    assert {each.group for each in found[-3:-1]} == {"localizer"}
    assert [found[-1].study_id, found[-1].group] == ["q", "quality"]
    assert found[-1].reasons[0] == "quality: the slice is blank"


def test_failed_and_bad_studies_do_not_move_the_others():
    made = cohort(12)
    bad = [record(f"q{i}", mass_ratio=0.1, quality="problem") for i in range(5)]
    bad += [record(f"c{i}", mass_ratio=0.1, flags=("field_cropped_caudal",)) for i in range(5)]
    alone = {found.study_id: found.score for found in rank_studies(made)}
    together = {found.study_id: found.score for found in rank_studies([*made, *bad])}
    assert {key: together[key] for key in alone} == alone


def test_order_of_the_input_does_not_matter():
    made = [*cohort(12), odd(LIMITS[0])]
    assert rank_studies(made[::-1]) == rank_studies(made)


def test_a_cohort_of_one_and_failed_studies():
    (only,) = rank_studies([record("a")])
    assert (only.rank, only.score, only.reasons, only.rank_entropy) == (1, 0.0, (), 1)
    assert rank_studies([record("f") | {"status": "failed", "levels": {}, "study": {}}]) == []


# --- words ----------------------------------------------------------------------------------------------------------


def said(metric: str, **whole: object) -> tuple[str, ...]:
    return reasons(record("a", **whole), {metric: 1.0})


def test_words_carry_the_studys_own_numbers():
    assert said("junction_disc_contrast", junction_disc_contrast=0.4) == (
        "the L5/S1 disc shows 40 % of the contrast of the three discs above",
    )
    assert said("step_dev", discs_spanned=6) == ("six discs lie between L1/L2 and L5/S1, both counted",)
    assert said("mass_ratio", mass_ratio=0.61) == ("the L5/S1 response is 61 % of that of this patient's other levels",)
    assert said("shift_ambiguity", shift_ambiguity=0.24) == (
        "the names fit one level up or down with a probability of 24 %",
    )
    assert said("count_anomaly", blob_count=6, duplicate_labels=1, order_violations=1) == (
        "6 disc-like responses for 5 levels found",
        "1 disc called by a level that already has one",
        "the order of the levels is broken in 1 place",
    )
    assert said("junction_place_disagreement", junction_place_disagreement=0.61) == (
        "neighbouring slices on either side disagree on where L5/S1 is (mean overlap 39 % at best)",
    )
    assert said("junction_name_disagreement", junction_name_disagreement=0.0123) == (
        "the name of the lowest disc changes more than usual between slices on either side (0.012 nat)",
    )
    assert said("junction_jump", junction_jump=6.72) == ("L5/S1 jumps along the column by 6.7 mm from slice to slice",)
    assert said("junction_names_in_order", junction_names_in_order=0) == ("the lowest disc is not called L5/S1",)


def test_uneven_spacing_names_the_two_levels():
    made = record("a")
    for index, name in enumerate(made["levels"]):
        made["levels"][name]["point_mm"] = [0.0, 0.0, -36.0 * index - (36.0 if index > 2 else 0.0)]
    assert reasons(made, {"gap_dev": 1.0}) == ("from L3/L4 to L4/L5 it is 2.0 times the usual distance a level",)


def test_the_localizers_failures_are_told_before_all_else():
    made = record("a", flags=("points_off_discs", "field_cropped_caudal"), junction_disc_contrast=0.4)
    made["levels"]["l3_l4"]["disc_distance"] = 0.41
    assert reasons(made, {"junction_disc_contrast": 1.0}) == (
        "the picture ends less than a vertebra below the last disc",
        "L3/L4 was marked inside a vertebra",
        "the L5/S1 disc shows 40 % of the contrast of the three discs above",
    )
    made["levels"]["l2_l3"]["disc_distance"] = 0.35
    assert "L2/L3 and L3/L4 were marked inside a vertebra" in localizer_reasons(made)
    doubled = record("b", flags=("levels_at_one_disc",))
    assert localizer_reasons(doubled) == ["two levels are marked at one disc"]
