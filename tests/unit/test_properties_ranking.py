"""What holds of the ranking of any cohort."""

from __future__ import annotations

import copy

from hypothesis import given
from hypothesis import strategies as st

from lstv.ranking.score import GROUPS, rank_studies
from lstv.uncertainty import study_record
from made_maps import study
from properties import quick

NORMAL = study_record.study_record(study(), {})
SHARE = st.floats(0, 1)
CHANGE = st.fixed_dictionaries(
    {},
    optional={
        "shift_ambiguity": SHARE,
        "mass_ratio": st.floats(0, 3),
        "junction_disc_contrast": st.floats(0, 3),
        "step_dev": st.floats(0, 2),
        "junction_name_disagreement": SHARE,
        "junction_place_disagreement": SHARE,
        "junction_jump": st.floats(0, 60),
        "junction_asymmetry": st.floats(0, 2),
        "junction_names_in_order": st.integers(0, 3),
        "count_anomaly": st.integers(0, 5),
    },
)
# metrics that are undefined together, as with only the centre slice, a cropped field, or too few levels
UNDEFINED = st.lists(
    st.sampled_from(
        [
            ("junction_name_disagreement", "junction_place_disagreement", "junction_jump"),
            ("step_dev", "gap_dev", "junction_disc_contrast"),
            ("mass_ratio",),
            ("shift_ambiguity",),
        ]
    ),
    max_size=4,
)
KIND = st.sampled_from(["ok", "ok", "ok", "ok", "failed", "excluded", "poor", "missing"])


def made(number: int, kind: str, change: dict, undefined: list[tuple[str, ...]]) -> dict:
    values = NORMAL["study"] | change
    values |= {name: None for names in undefined for name in names}
    levels = NORMAL["levels"]
    if kind == "poor":
        values["quality"] = "poor"
    if kind == "missing":
        levels = levels | {"l5_s1": levels["l5_s1"] | {"point_px": None}}
    status = kind if kind in ("failed", "excluded") else "ok"
    return NORMAL | {"study_id": f"s{number:02d}", "status": status, "study": values, "levels": levels}


COHORT = st.lists(st.tuples(KIND, CHANGE, UNDEFINED), max_size=14).map(
    lambda studies: [made(number, *one) for number, one in enumerate(studies)]
)


@quick
@given(COHORT)
def test_every_analysed_study_has_one_rank_and_ties_share_theirs(records):
    standings = rank_studies(records)
    for index, standing in enumerate(standings):
        before = standings[index - 1] if index else None
        tied = before is not None and (before.group, before.score) == (standing.group, standing.score)
        assert standing.rank == (before.rank if tied else index + 1)
    assert {s.study_id for s in standings} == {r["study_id"] for r in records if r["status"] == "ok"}


@quick
@given(COHORT, st.randoms(use_true_random=False))
def test_the_order_of_the_records_does_not_matter(records, random):
    shuffled = list(records)
    random.shuffle(shuffled)
    assert rank_studies(shuffled) == rank_studies(records)


@quick
@given(COHORT)
def test_studies_that_were_not_analysed_change_nothing(records):
    assert rank_studies(records) == rank_studies([record for record in records if record["status"] == "ok"])


@quick
@given(COHORT)
def test_groups_follow_each_other_and_scores_fall_within_them(records):
    standings = rank_studies(records)
    groups = [standing.group for standing in standings]
    assert groups == sorted(groups, key=GROUPS.index)
    for group in set(groups):
        scores = [s.score for s in standings if s.group == group and s.score is not None]
        assert scores == sorted(scores, reverse=True)


@quick
@given(COHORT)
def test_no_record_is_altered(records):
    before = copy.deepcopy(records)
    rank_studies(records)
    assert records == before
