"""Every metric is measured, every measured value is a registered metric, and every null is explained by a flag."""

from __future__ import annotations

import numpy as np
import pytest

from lstv.base.levels import LEVELS
from lstv.uncertainty import FAMILIES, flags, measure, metrics
from made_maps import as_members, five_discs, study

NO_METRICS = {"level": {"point_px", "point_mm"}, "study": {"risk", "quality"}}


def test_measured_and_registered_are_the_same() -> None:
    levels, whole, _ = measure(study())
    assert list(levels) == list(LEVELS)
    for values in levels.values():
        assert set(values) - NO_METRICS["level"] == {entry.name for entry in metrics("level")}
    assert set(whole) - NO_METRICS["study"] == {entry.name for entry in metrics("study")}


def test_metrics_come_by_family() -> None:
    order = [FAMILIES.index(entry.family) for entry in metrics()]
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
