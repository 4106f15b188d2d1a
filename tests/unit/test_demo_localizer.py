"""The demo's network: the file kept here, how it is measured, and that its training program makes such a file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import train_demo_localizer
from lstv.base.levels import GRID, LEVELS
from lstv.localizer.checkpoint import load_localizer
from lstv_evidence.phantom import evaluation, samples, training
from lstv_evidence.phantom.spec import PhantomSpec

DEMO = Path(__file__).parents[2] / "resources" / "demo"
CHECKPOINT = DEMO / "pointnet_demo.pth"


# --- the file kept here ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def localizer():
    return load_localizer(CHECKPOINT)


def test_checkpoint_checksum_and_card_belong_together(localizer):
    card = json.loads((DEMO / "model_card.json").read_text())
    digest, name = (DEMO / "pointnet_demo.pth.sha256").read_text().split()
    assert localizer.demo
    assert localizer.sha256 == digest == card["checkpoint"]["sha256"]
    assert name == CHECKPOINT.name == card["checkpoint"]["file"]
    assert card["network"]["parameters"] == sum(p.numel() for p in localizer.network.parameters())


def test_the_demo_folder_stays_small():
    assert CHECKPOINT.stat().st_size <= 4_000_000
    assert sum(path.stat().st_size for path in DEMO.iterdir()) < 5_000_000


def test_card_reports_what_was_asked_for():
    measured = json.loads((DEMO / "model_card.json").read_text())["evaluation"]
    found = measured["normal"]["localization"]
    assert found["phantoms"] >= 100
    assert found["all_levels"]["detection_rate"] > 0.98
    assert found["all_levels"]["error_px_median"] < 1.5
    assert set(LEVELS) < set(found)
    for kind in ("sacralized", "lumbarized"):
        counts = measured[kind]["numbering"]
        assert (
            sum(counts[name] for name in ("agrees", "incomplete", "shifted_down", "shifted_up", "mixed"))
            == (counts["phantoms"])
        )


@pytest.mark.slow
def test_finds_the_levels_of_phantoms_it_has_not_seen(localizer):
    outcomes = []
    for seed in range(900_000, 900_006):
        sample = samples.make(PhantomSpec(seed), neighbours=0, whole_series=True)
        with torch.inference_mode():
            logits = localizer.network(torch.from_numpy(sample.images)[:, None])
        outcomes.append(evaluation.compare(logits.softmax(dim=1)[0].numpy(), sample))
    found = evaluation.localization(outcomes)["all_levels"]
    assert found["detection_rate"] > 0.9
    assert found["error_px_median"] < 2.0


# --- measuring ------------------------------------------------------------------------------------------------------


def planted(points: np.ndarray, names: list[int], strength: float = 0.9) -> np.ndarray:
    """Maps (6, 160, 160) with a blob of class ``names[k]`` at point k (0: none)."""
    probability = np.zeros((6, GRID, GRID), np.float32)
    rows, columns = np.mgrid[:GRID, :GRID]
    for (column, row), name in zip(points, names):
        if name:
            probability[name][np.hypot(columns - column, rows - row) <= 7] = strength
    probability[0] = 1 - probability[1:].sum(axis=0)
    return probability


@pytest.fixture
def sample():
    points = np.column_stack([np.full(6, 80.0), np.linspace(30, 130, 6)])
    return samples.Sample(PhantomSpec(0), np.zeros((1, GRID, GRID), np.uint8), points, (2.0, 1.0))


def test_exact_maps_have_no_error(sample):
    outcome = evaluation.compare(planted(sample.points, [1, 2, 3, 4, 5, 0]), sample)
    assert outcome.found.all() and np.abs(outcome.error_px).max() < 1e-6
    result = evaluation.localization([outcome])
    assert result["all_levels"]["detected"] == 5 and result["l5_s1"]["detection_rate"] == 1.0
    assert result["l1_l2"]["entropy_median"] == pytest.approx(np.log(149), abs=1e-3)


def test_errors_are_in_pixels_and_in_millimetres_of_their_axis(sample):
    outcome = evaluation.compare(planted(sample.points + [3.0, 4.0], [1, 2, 3, 4, 5, 0]), sample)
    assert outcome.error_px == pytest.approx(np.full(5, 5.0), abs=1e-5)
    assert outcome.error_mm == pytest.approx(np.full(5, np.hypot(3.0 * 1.0, 4.0 * 2.0)), abs=1e-5)


def test_a_missing_level_is_no_detection_and_a_far_one_neither(sample):
    missing = evaluation.compare(planted(sample.points, [1, 2, 3, 4, 0, 0]), sample)
    far = evaluation.compare(planted(sample.points, [1, 2, 3, 4, 0, 5]), sample)
    for outcome in (missing, far):
        row = evaluation.localization([outcome])["l5_s1"]
        assert (row["expected"], row["detected"], row["detection_rate"]) == (1, 0, 0.0)
    assert evaluation.localization([missing])["l5_s1"]["error_px_median"] is None


@pytest.mark.parametrize(
    ("names", "verdict"),
    [
        ([1, 2, 3, 4, 5, 0], "agrees"),
        ([1, 2, 3, 4, 0, 0], "incomplete"),
        ([2, 3, 4, 5, 0, 0], "shifted_down"),
        ([0, 1, 2, 3, 4, 5], "shifted_up"),
        ([1, 2, 2, 3, 4, 5], "mixed"),
        ([0, 0, 0, 0, 0, 0], "mixed"),
    ],
)
def test_numbering_verdicts(sample, names, verdict):
    result = evaluation.numbering([evaluation.compare(planted(sample.points, names), sample)])
    assert result[verdict] == 1
    assert result["s1_s2_named_l5_s1"] == int(names[5] == 5)


def test_doubt_is_the_entropy_of_the_names(sample):
    both = planted(sample.points, [1, 2, 3, 4, 5, 0], 0.45)
    both[4] += planted(sample.points, [0, 0, 0, 0, 4, 0], 0.45)[4]
    both[0] = 1 - both[1:].sum(axis=0)
    outcome = evaluation.compare(both, sample)
    assert evaluation.numbering([outcome])["doubt_median"] == pytest.approx(np.log(2), abs=1e-3)


def test_held_out_seeds_are_apart_from_those_of_training():
    specs = [
        *evaluation.held_out("normal", 500),
        *evaluation.held_out("sacralized", 500),
        *evaluation.held_out("lumbarized", 500),
        *evaluation.held_out_with_nuisances(500),
    ]
    seeds = [spec.seed for spec in specs]
    assert len(set(seeds)) == len(seeds) and max(seeds) < training.FIRST_SEED
    assert {spec.degree > 0 for spec in specs if spec.kind == "lumbarized"} == {True}


# --- training -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_program_makes_a_checkpoint_that_loads(tmp_path, monkeypatch, capsys):
    made = [samples.make(samples.training_spec(seed)) for seed in (1, 2)]
    pool = np.stack([s.images for s in made]), np.stack([s.points for s in made])
    monkeypatch.setattr(training, "make_pool", lambda *arguments: pool)
    out = tmp_path / "net.pth"
    assert train_demo_localizer.main(["--out", str(out), "--steps", "2", "--batch", "2", "--jobs", "1"]) == 0
    fresh = load_localizer(out)
    assert fresh.demo and fresh.network.widths == training.NARROW
    assert Path(f"{out}.sha256").read_text().startswith(fresh.sha256)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.pth", "net.pth.sha256"]
