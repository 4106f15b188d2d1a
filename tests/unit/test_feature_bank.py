"""The feature bank: distances, its own quantile, the file, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import reference_features
from lstv.base.cli import run
from lstv.base.errors import UserError
from lstv.base.levels import LEVELS
from lstv.localizer import heatmap_file
from lstv.localizer.heatmap_file import Features
from lstv.localizer.outcome import NotAnalysed
from lstv.uncertainty import feature_bank, features, measure, study_record
from made_maps import five_discs, study

RUN = {"checkpoint_sha256": "0" * 64, "preprocessing": "trained", "software_version": "0"}
BASIS = np.random.default_rng(1).normal(size=(6, 64))
ASIDE = np.linalg.svd(np.vstack([BASIS, np.ones(64)]))[2][-1]
"""A direction that no study of the cloud takes."""


def made(seed: int, away: float = 0.0) -> Features:
    """Features in a subspace plus some noise; ``away`` moves them out of it."""
    random = np.random.default_rng(seed)
    bottleneck = 5 + random.normal(size=6) @ BASIS + 0.1 * random.normal(size=64) + 10 * away * ASIDE
    discs = random.normal(size=(6, 16)) + away
    return Features(bottleneck.astype(np.float16), discs.astype(np.float16))


@pytest.fixture(scope="module")
def fitted() -> feature_bank.FeatureBank:
    return feature_bank.fit(
        {f"r{k:03}": made(k) for k in range(240)}, {name: RUN[name] for name in feature_bank.SAME_RUN}
    )


@pytest.mark.slow
def test_new_studies_of_the_same_kind_are_within_and_others_beyond(fitted: feature_bank.FeatureBank) -> None:
    flagged = ["quality_unlike_reference" in measured(made(1000 + k), fitted)[2] for k in range(60)]
    assert sum(flagged) <= 3
    levels, whole, flags = measured(made(2000, away=8.0), fitted)
    assert "quality_unlike_reference" in flags and whole["quality"] == "problem"
    assert whole["feature_percentile"] == 1
    assert min(values["feature_deviation"] for values in levels.values()) > 10
    assert 2 < measured(made(2001), fitted)[0]["l5_s1"]["feature_deviation"] < 7, "about the root of 16"


def measured(own: Features, fitted: feature_bank.FeatureBank, study_id: str = "x"):
    return measure(study(study_id=study_id, features=own), feature_bank=fitted)


def test_the_distance_is_that_of_the_tenth_neighbour() -> None:
    cloud = np.arange(1, 31, dtype=float)[:, None] * [[1.0, 0.0]]
    assert features.neighbour_distance(np.zeros(2), cloud) == 10


def test_a_study_is_not_its_own_neighbour(fitted: feature_bank.FeatureBank) -> None:
    own = measured(made(7), fitted, "r007")[1]["feature_distance"]
    assert own == pytest.approx(fitted.distances[7], rel=1e-6)
    assert own > measured(made(7), fitted, "stranger")[1]["feature_distance"]


def test_the_scale_of_the_features_does_not_count(fitted: feature_bank.FeatureBank) -> None:
    own = made(50)
    louder = Features((3 * own.bottleneck.astype(np.float32)).astype(np.float16), own.discs)
    one, other = (measured(item, fitted)[1]["feature_distance"] for item in (own, louder))
    assert one == pytest.approx(other, abs=1e-3)


def test_without_reference_or_features_all_is_null_with_its_flag(fitted: feature_bank.FeatureBank) -> None:
    for maps, ref, flag in ((study(features=made(1)), None, "no_reference_features"), (study(), fitted, "no_features")):
        levels, whole, flags = measure(maps, feature_bank=ref)
        assert flag in flags
        assert whole["feature_distance"] is None and whole["feature_percentile"] is None
        assert all(values["feature_deviation"] is None for values in levels.values())


def test_a_level_without_features_is_null_with_its_flag(fitted: feature_bank.FeatureBank) -> None:
    own = made(3)
    own.discs[5] = np.nan
    levels, _, flags = measured(own, fitted)
    assert levels["l5_s1"]["feature_deviation"] is None and "l5_s1_no_features" in flags
    gone = five_discs()
    gone[4] = 0
    levels, _, flags = measure(study(gone, features=own), feature_bank=fitted)
    assert levels["l5_s1"]["feature_deviation"] is None and "l5_s1_no_features" not in flags


def test_a_level_that_the_reference_lacks_is_null_with_its_flag() -> None:
    lacking = {f"r{k}": made(k) for k in range(200)}
    for k in range(150):
        lacking[f"r{k}"].discs[1] = np.nan
    levels, _, flags = measured(made(900), feature_bank.fit(lacking, {}))
    assert levels["l1_l2"]["feature_deviation"] is None and "l1_l2_few_reference_studies" in flags
    assert levels["l2_l3"]["feature_deviation"] is not None


def test_shrinkage_is_that_of_ledoit_and_wolf() -> None:
    # example in the documentation of scikit-learn's ledoit_wolf
    samples = np.random.RandomState(0).multivariate_normal(mean=[0, 0], cov=[[0.4, 0.2], [0.2, 0.8]], size=50)
    np.testing.assert_allclose(feature_bank.ledoit_wolf(samples), [[0.4406, 0.1616], [0.1616, 0.8022]], atol=1e-4)
    assert np.isfinite(feature_bank.ledoit_wolf(np.ones((9, 3)))).all(), "features that never vary"


def written_heatmaps(path: Path, first: int, count: int, run_record: dict = RUN, with_features: bool = True) -> Path:
    with heatmap_file.create(path, run_record) as writer:
        for k in range(first, first + count):
            writer.write(study(study_id=f"r{k:03}", features=made(k) if with_features else None))
        writer.write(NotAnalysed(f"bad{first}", "failed", "unreadable"))
    return path


@pytest.mark.slow
def test_program_and_file(tmp_path: Path, capsys, fitted: feature_bank.FeatureBank) -> None:
    files = [written_heatmaps(tmp_path / "a.h5", 0, 120), written_heatmaps(tmp_path / "b.h5", 120, 120)]
    out = tmp_path / "reference.npz"
    arguments = ["--heatmaps", *map(str, files), "--out", str(out)]
    assert reference_features.main(arguments) == 0
    assert capsys.readouterr().out.startswith("240 studies of the feature bank")
    read = feature_bank.read(out)
    assert read.study_ids == fitted.study_ids and read.run == fitted.run
    np.testing.assert_allclose(read.distances, fitted.distances)
    content = out.read_bytes()
    reference_features.main(arguments)
    assert out.read_bytes() == content and len(list(tmp_path.iterdir())) == 3
    # and a study measured with it
    record = study_record.study_record(study(features=made(5)), RUN, feature_bank=read)
    assert record["provenance"]["reference_studies"] == 240
    study_record.write(record, tmp_path / "1.json")
    assert study_record.read(tmp_path / "1.json")["study"]["feature_distance"] > 0
    with pytest.raises(UserError, match="made with preprocessing trained, the heatmaps of study 1 with reference"):
        study_record.study_record(study(features=made(5)), RUN | {"preprocessing": "reference"}, feature_bank=read)

    # too few, twice the same study, mixed runs, no features: one sentence each
    other = written_heatmaps(tmp_path / "other.h5", 500, 1, RUN | {"checkpoint_sha256": "1" * 64})
    bare = written_heatmaps(tmp_path / "bare.h5", 600, 1, with_features=False)
    for chosen, words in (
        (files[:1], "120 analysed studies, but distances to fewer than 200"),
        ([files[0], files[0]], "is in two"),
        ([files[0], other], "another localizer"),
        ([bare], "has no features"),
    ):
        target = tmp_path / "none.npz"
        assert (
            run(lambda c=chosen, t=target: reference_features.main(["--heatmaps", *map(str, c), "--out", str(t)])) == 2
        )
        error = capsys.readouterr().err
        assert words in error and error.count("\n") == 1
        assert not target.exists()


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04", b"text"])
def test_a_file_that_is_no_reference_is_one_sentence(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"x\.npz.*reference_features\.py"):
        feature_bank.read(path)
    np.savez(tmp_path / "y.npz", a=1)
    with pytest.raises(UserError, match=r"y\.npz"):
        feature_bank.read(tmp_path / "y.npz")


def test_levels_and_rows_of_the_features_go_together(fitted: feature_bank.FeatureBank) -> None:
    own = made(77)
    own.discs[1 + LEVELS.index("l4_l5")] += 20
    levels, _, _ = measured(own, fitted)
    assert max(LEVELS, key=lambda level: levels[level]["feature_deviation"]) == "l4_l5"
