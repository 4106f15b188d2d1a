"""Every metric is measured, every measured value is a registered metric, and every null is explained by a flag."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pytest

from golden_made import made_studies
from lstv.base.levels import LEVELS
from lstv.ranking import cohort_table
from lstv.uncertainty import FAMILIES, flags, measure, metrics, registry, study_record
from lstv.uncertainty.context import StudyContext
from lstv.uncertainty.flags import Undefined
from lstv_evidence.method import documentation
from made_maps import as_members, context, five_discs, study

NO_METRICS = {"level": {"point_px", "point_mm"}, "study": set(study_record.OF_STUDY)}


def test_measured_and_registered_are_the_same() -> None:
    levels, whole, _ = measure(study())
    assert list(levels) == list(LEVELS)
    for values in levels.values():
        assert set(values) - NO_METRICS["level"] == {entry.name for entry in metrics("level")}
    assert set(whole) - NO_METRICS["study"] == {entry.name for entry in metrics("study")}


def test_metrics_come_by_family() -> None:
    order = [list(FAMILIES).index(entry.family) for entry in metrics()]
    assert order == sorted(order) and set(order) == set(range(len(FAMILIES)))


def cases() -> dict[str, np.ndarray]:
    random = np.random.default_rng(7)
    made = {"flat": np.full((5, 160, 160), 0.15), "empty": np.zeros((5, 160, 160)), "normal": five_discs()}
    for missing in range(5):
        made[f"without {missing}"] = five_discs() * (np.arange(5) != missing)[:, None, None]
        made[f"only {missing}"] = five_discs() * (np.arange(5) == missing)[:, None, None]
    noise = np.exp(random.normal(0, 3, (6, 160, 160)))
    made["noise"] = (noise / noise.sum(axis=0))[1:]
    made["all one class"] = np.stack([five_discs().sum(axis=0), *[np.zeros((160, 160))] * 4])
    made["everywhere l5_s1"] = np.stack([*[np.zeros((160, 160))] * 4, np.full((160, 160), 0.99)])
    return made


def explained(level: str, key: str, raised: list[str]) -> bool:
    whole_run = {"patch": "members_no_patches", "feature": "no_reference_features"}
    return whole_run.get(key.split("_")[0]) in raised or any(
        f.startswith((f"{level}_", "members_centre", "members_no_slices")) for f in raised
    )


@pytest.mark.parametrize("name", cases())
@pytest.mark.parametrize("members", ["none", "nothing found", "same"])
def test_every_null_has_its_flag_and_nothing_else_is_undefined(name: str, members: str) -> None:
    maps = cases()[name]
    ran = {"none": None, "nothing found": as_members([maps * 0] * 2), "same": as_members([maps] * 2)}[members]
    levels, whole, raised = measure(study(maps, members=ran))
    assert set(raised) <= flags.names()
    assert len(raised) == len(set(raised))
    for level, values in levels.items():
        for key, value in values.items():
            if value is None:
                assert explained(level, key, raised), f"{level}.{key} is null without a flag"
            else:
                assert np.isfinite(value).all(), f"{level}.{key}"
    for key, value in whole.items():
        if value is None:
            assert raised, f"{key} is null without a flag"
        elif not isinstance(value, str):
            assert np.isfinite(value), key


def test_measuring_twice_gives_the_same() -> None:
    maps = study(members=as_members([five_discs()] * 3))
    assert measure(maps) == measure(maps)


def test_documented_flags_name_levels_only_where_they_are_of_a_level() -> None:
    assert "l5_s1_not_found" in flags.names() and "no_disc_blob" in flags.names()
    assert not [name for name in flags.names() if "{" in name]


# --- what a metric's docstring says of its undefined cases ------------------------------------------------------------


def documented_flags(name: str, scope: str) -> set[str]:
    """The flags that a metric's Undefined field names, its references to other metrics followed."""
    text = next(entry.undefined for entry in metrics(scope) if entry.name == name)
    written_out = " ".join(text.replace("{kind}", kind) for kind in ("slices", "views"))
    found = {flag for flag in flags.MEANINGS if re.search(rf"(?<![\w}}]){re.escape(flag)}(?![\w{{])", written_out)}
    for other in re.findall(r"(?:^as|has a) (\w+)", text):
        kin = [entry for entry in metrics() if entry.name.startswith(other)]
        assert kin, f"{name} is undefined as {other}, which is not a metric"
        found |= documented_flags(kin[0].name, kin[0].scope)
    return found


@pytest.mark.slow
def test_every_undefined_value_is_explained_by_a_flag_of_the_metrics_own_docstring() -> None:
    explained = set()
    for maps, reference in made_studies().values():
        if maps.status != "ok" or not np.isfinite(maps.logits).all():
            continue
        made = StudyContext(maps, reference)
        for entry in metrics():
            for level in range(5) if entry.scope == "level" else [None]:
                try:
                    value = made.once(entry.function, *([] if level is None else [level]))
                    assert type(value) in (int, float) and np.isfinite(value), entry.name
                except Undefined as undefined:
                    raised = {re.sub("|".join(LEVELS), "{level}", flag) for flag in undefined.flags}
                    assert raised <= documented_flags(entry.name, entry.scope), entry.name
                    explained |= {(entry.name, flag) for flag in raised}
    assert len(explained) > 100


# --- a metric in one place ----------------------------------------------------------------------------------------------


@pytest.fixture
def toys() -> Iterator[None]:
    """Two metrics and a warning more, as a file of a family would define them."""
    known, warned = dict(registry._METRICS), list(registry._WARNINGS)

    @registry.level_metric("shape")
    def toy_height(study: StudyContext, level: int) -> float:
        """Highest probability of a level that is found.

        Formula: max p_k
        Unit: toys
        Range: 0.5 to 1
        Direction: none
        Undefined: level not found (flag {level}_not_found)
        Source: this test
        """
        return float(study.found_map(level).max())

    @registry.study_metric("geometry", kinds=("first", "last"))
    def toy_row(study: StudyContext, kind: str) -> float:
        """Row of the first or last level.

        Formula: row of mu_1, mu_5
        Unit: pixels
        Range: 0 to 159
        Direction: none
        Undefined: level not found (flag {level}_not_found)
        Source: this test
        """
        return float(study.centre({"first": 0, "last": 4}[kind])[1])

    @registry.warning
    def toy_warning(study: StudyContext) -> list[str]:
        return ["quality_blank_image"] if study.once(toy_height, 0) > 0.9 else []

    yield
    for now, before in ((registry._METRICS, known), (registry._WARNINGS, warned)):
        now.clear()
        now.update(before) if isinstance(now, dict) else now.extend(before)


def test_a_new_metric_is_one_function(toys: None) -> None:
    levels, whole, raised = measure(study(five_discs() * (np.arange(5) != 4)[:, None, None]))
    assert levels["l1_l2"]["toy_height"] == pytest.approx(0.98, abs=1e-3)
    assert levels["l5_s1"]["toy_height"] is None and "l5_s1_not_found" in raised
    assert (whole["toy_row_first"], whole["toy_row_last"]) == (pytest.approx(30), None)
    assert "quality_blank_image" in raised and whole["quality"] == "problem"
    family = [entry.name for entry in registry.metrics("study") if entry.family == "geometry"]
    assert family[-2:] == ["toy_row_first", "toy_row_last"], "last of its family"
    assert [name for name in whole if name in family] == family
    described = study_record.schema()
    assert "Unit: toys" in described["$defs"]["level"]["properties"]["toy_height"]["description"]
    assert "toy_row_last" in described["then"]["properties"]["study"]["required"]
    assert {"l5_s1_toy_height", "toy_row_first", "toy_row_last"} <= set(cohort_table.columns())
    section = "#### `{level}_toy_height`\n\nHighest probability of a level that is found.\n\n- Formula: `max p_k`\n"
    assert section in documentation.metrics_text()


def test_without_the_toys_nothing_is_left_of_them() -> None:
    assert not [name for name in cohort_table.columns() if "toy" in name]


def test_what_cannot_be_registered() -> None:
    with pytest.raises(ValueError, match="blob_count of scope study is defined twice"):
        registry.study_metric("count")(next(entry for entry in metrics("study") if entry.name == "blob_count").function)
    with pytest.raises(ValueError, match="metric family toys is not one of localization, "):
        registry.level_metric("toys")

    def silent(study: StudyContext) -> float:
        """What it is.

        Unit: toys
        """
        return 0.0

    with pytest.raises(ValueError, match="silent lacks Formula, Range, Direction, Undefined, Source"):
        registry.study_metric("count")(silent)


# --- the context ----------------------------------------------------------------------------------------------------------


def test_a_part_is_made_once_and_an_undefined_one_is_raised_every_time() -> None:
    calls = []

    def part(study: StudyContext, level: int) -> str:
        calls.append(level)
        study.need(level)
        return LEVELS[level]

    made = context(centres=[np.zeros(2), None, np.zeros(2), None, None])
    assert [made.once(part, 0), made.once(part, 0), made.once(part, 2)] == ["l1_l2", "l1_l2", "l3_l4"]
    for _ in range(3):
        with pytest.raises(Undefined, match="^l2_l3_not_found$"):
            made.once(part, 1)
    assert calls == [0, 2, 1]
    assert made.defined(part, range(5)) == (
        ["l1_l2", "l3_l4"],
        ["l2_l3_not_found", "l4_l5_not_found", "l5_s1_not_found"],
    )


def test_flags_are_written_in_the_order_of_their_table_and_level_by_level() -> None:
    mixed = [
        "quality_blank_image",
        "l2_l3_not_found",
        "no_disc_blob",
        "l1_l2_no_blob",
        "l1_l2_not_found",
        "no_disc_blob",
    ]
    assert flags.in_order(mixed) == [
        "l1_l2_not_found",
        "l1_l2_no_blob",
        "l2_l3_not_found",
        "no_disc_blob",
        "quality_blank_image",
    ]
    with pytest.raises(ValueError, match="flag l6_s1_not_found is not in flags.MEANINGS"):
        flags.in_order(["l6_s1_not_found"])
