"""What is usual for a study: of its like in the scan and in how many levels it shows, and in cohorts too small for that."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from lstv.base.levels import LEVELS
from lstv.ranking import acquisition
from lstv.ranking.evidence import LIMITS
from lstv.ranking.score import rank_studies
from lstv.ranking.usual import ALIKE, FROM_STUDIES, Alike, most_alike, usual
from lstv.uncertainty import study_record
from made_maps import study

NORMAL = study_record.study_record(study(), {})
USUAL = {limit.metric: limit.usual for limit in LIMITS}
NO_GROUPS = Alike(None, None)


def record(study_id: str, field_mm: float = 270.0, disc_mm: float = 32.0, slices: int = 15, **whole: object) -> dict:
    made = copy.deepcopy(NORMAL) | {"study_id": study_id, "flags": []}
    made["study"] |= USUAL | {"quality": "ok", "image_contrast": 0.6, "field_of_view": field_mm} | whole
    made["provenance"]["n_slices"] = slices
    for index, name in enumerate(LEVELS):
        made["levels"][name]["point_mm"] = [0.0, 0.0, -disc_mm * index]
    return made


def scores(records: list[dict]) -> dict[str, float]:
    return {found.study_id: found.score for found in rank_studies(records)}


def above(first: list[float], second: list[float]) -> float:
    a, b = np.array(first)[:, None], np.array(second)[None]
    return float(((a > b) + 0.5 * (a == b)).mean())


def test_levels_in_view_is_the_field_in_distances_between_discs():
    assert acquisition.levels_in_view(record("a", 320.0, 32.0)) == pytest.approx(10.0)
    taller = record("b", 400.0, 40.0)
    assert acquisition.levels_in_view(taller) == pytest.approx(10.0)
    taller["levels"]["l3_l4"]["point_mm"] = None
    assert acquisition.levels_in_view(taller) == pytest.approx(10.0), "two levels over the gap of the missing one"
    six = record("c", 320.0, 32.0)
    six["levels"]["l5_s1"]["point_mm"] = [0.0, 0.0, -5 * 32.0]
    assert acquisition.levels_in_view(six) == pytest.approx(10.0), "one disc too many hardly changes it"


@pytest.mark.parametrize("found", [0, 1])
def test_levels_in_view_is_not_known_of_fewer_than_two_points(found):
    made = record("a")
    for name in LEVELS[found:]:
        made["levels"][name]["point_mm"] = None
    assert np.isnan(acquisition.levels_in_view(made))
    assert len(rank_studies([*(record(f"s{i:02d}", 200 + 5 * i) for i in range(FROM_STUDIES)), made])) == 41


def test_nor_where_points_coincide_or_the_height_is_missing():
    assert np.isnan(acquisition.levels_in_view(record("a", disc_mm=0.0)))
    assert np.isnan(acquisition.levels_in_view(record("a", field_mm=None)))


@pytest.mark.parametrize("count", [1, 3, 10, 33, 39, 40, 60])
def test_cohorts_of_any_size_are_ranked_by_what_is_odd_and_by_nothing_else(count):
    rng = np.random.default_rng(count)
    made = [
        record(
            f"s{index:02d}",
            float(rng.uniform(220, 400)),
            slices=int(rng.integers(9, 20)),
            image_contrast=float(rng.uniform(0.3, 0.9)),
            mass_ratio=float(np.exp(0.04 * rng.normal())),
            junction_place_disagreement=float(0.05 * np.exp(0.2 * rng.normal())),
        )
        for index in range(count)
    ]
    assert np.mean(list(scores(made).values())) < 0.01
    made[0]["study"] |= {"junction_disc_contrast": 0.1, "junction_place_disagreement": 0.5}
    first = rank_studies(made)[0]
    assert (first.study_id, first.rank) == ("s00", 1)
    assert first.score > 0.25


def test_fields_that_raise_and_scatter_a_measure_hardly_rank_before_the_others():
    """Large and cut fields, of tall and short patients: only the number of levels in view tells which they are."""
    rng = np.random.default_rng(5)
    made = []
    for index in range(160):
        strange = index % 4 > 1
        disc = float(rng.uniform(27, 37))
        levels = float(rng.uniform(*[(7.5, 9.5), (7.5, 9.5), (11, 13), (5.5, 6.2)][index % 4]))
        place = 0.05 * np.exp((0.8 if strange else 0.0) + (0.5 if strange else 0.25) * rng.normal())
        made.append(record(f"s{index:03d}", disc * levels, disc, junction_place_disagreement=float(place)))

    def strange_and_plain(records: list[dict]) -> tuple[list[float], list[float]]:
        found = scores(records)
        return [found[r["study_id"]] for r in made[2::4] + made[3::4]], [
            found[r["study_id"]] for r in made[0::4] + made[1::4]
        ]

    strange, plain = strange_and_plain(made)
    unknown = copy.deepcopy(made)
    for each in unknown:
        each["study"]["field_of_view"] = None
    strange_before, plain_before = strange_and_plain(unknown)
    assert above(strange_before, plain_before) > 0.8 and above(strange, plain) < 0.7
    assert np.mean(strange) < 0.4 * np.mean(strange_before)
    fused = record("fused", 12 * 32.0, 32.0, junction_disc_contrast=0.1, junction_place_disagreement=0.7)
    assert rank_studies([*made, fused])[0].study_id == "fused"


def test_what_scan_and_size_do_is_taken_off_one_after_the_other():
    rng = np.random.default_rng(2)
    scan, size = rng.integers(0, 2, 200), rng.uniform(7, 11, 200)
    values = 2.0 * scan + (size - 9) ** 2 + 0.05 * rng.normal(size=200)
    group = np.ones(200, bool)
    alike = Alike(most_alike(scan[:, None].astype(float), group), most_alike(size[:, None], group))
    middle, spread = usual(values, 0.0, 0.1, group, alike)
    alone, _ = usual(values, 0.0, 0.1, group, NO_GROUPS)
    inner = (size > 7.5) & (size < 10.5)
    assert np.abs(values - middle)[inner].mean() < 0.25 * np.abs(values - alone)[inner].mean()
    assert spread.min() >= 0.05


def test_few_studies_say_what_is_usual_together_with_what_is_known_beforehand():
    values = np.array([1.0, np.nan, 1.2])
    middle, spread = usual(values, 0.0, 0.1, np.array([True, True, True]), NO_GROUPS)
    assert middle == pytest.approx([1.1 * 2 / 12] * 3) and (spread > 0.05).all()
    middle, spread = usual(values, 0.0, 0.1, np.array([False, True, False]), NO_GROUPS)
    assert (middle == 0).all() and (spread == 0.1).all(), "nobody to ask"


def test_the_like_of_a_study_are_the_nearest_and_never_itself():
    facts = np.arange(100.0)[:, None]
    group = np.ones(100, bool)
    group[::10] = False
    found = most_alike(facts, group)
    assert found.shape == (100, ALIKE)
    assert not (found == np.arange(100)[:, None]).any() and group[found].all()
    assert set(found[50]) == set(np.flatnonzero(group)[np.argsort(np.abs(np.flatnonzero(group) - 50))][:ALIKE])


def test_there_is_no_like_where_too_few_can_be_asked_or_all_are_alike():
    assert most_alike(np.arange(39.0)[:, None], np.ones(39, bool)) is None
    assert most_alike(np.full((60, 2), 7.0), np.ones(60, bool)) is None
    assert most_alike(np.full((60, 2), np.nan), np.ones(60, bool)) is None
    assert most_alike(np.arange(60.0)[:, None], np.arange(60) < 30) is None
