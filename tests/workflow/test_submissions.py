"""How many submissions a large cohort takes, and what each asks SLURM for; counted at a pretended SLURM, without root."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lstv.base.defaults import default
from pretended_site import QUICK, make_site
from slurm_profile import PARTS, UNFINISHED_BYTECODE, fill_in_site

pytestmark = [pytest.mark.workflow]
ROOT = Path(__file__).parents[2]
STUDIES = 2000
BATCHES = 4
CONFIGURATION = f"""
cohort: large
source: {{kind: sheet, path: sheet.csv}}
localizer: {{checkpoint: net.pth, batch_studies: {default("localizer.batch_studies")}, workers: 8}}
container: image.sif
"""


@pytest.fixture(scope="module")
def submissions(tmp_path_factory) -> list[dict]:
    """Every sbatch of a whole run of 2,000 studies."""
    root = tmp_path_factory.mktemp("large") / "project"
    for part in PARTS:
        shutil.copytree(
            ROOT / part, root / part, ignore=shutil.ignore_patterns(UNFINISHED_BYTECODE, "pointnet", "*.sif")
        )
    fill_in_site(root / "profiles/slurm/config.yaml")
    (root / "large.yaml").write_text(CONFIGURATION)
    (root / "sheet.csv").write_text("study_id,series_dir\n" + "".join(f"{1000 + n},dicom\n" for n in range(STUDIES)))
    for name in ("net.pth", "image.sif"):
        (root / name).touch()
    site = make_site(root / "bin", jobs="touch")
    command = ("-m", "snakemake", "--profile", "profiles/slurm", "--configfile", "large.yaml", *QUICK)
    done = subprocess.run(
        [sys.executable, *command],
        cwd=root,
        env=site.environment(FAKE_RESULTS=str(root / "results/large")),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-5000:]
    return site.submissions()


def options(submission: dict) -> str:
    return " ".join(submission["options"])


def test_fewer_than_64_submissions_for_2000_studies(submissions):
    assert sum(line["jobs"] for line in submissions if line["rules"] == ["study_metrics"]) == BATCHES
    assert sum(line["rules"] == ["infer_heatmaps"] for line in submissions) == BATCHES
    print(f"{STUDIES} studies took {len(submissions)} submissions")
    assert len(submissions) < 12


def test_only_inference_asks_for_a_gpu_and_its_partition(submissions):
    for line in submissions:
        inference = line["rules"] == ["infer_heatmaps"]
        assert ("--gpus=1" in line["options"]) == inference
        assert ("gpu" in line["options"]) == inference, options(line)
        assert ("primary" in line["options"]) != inference
        assert "-A lab" in options(line)


def test_a_group_asks_for_one_batch_at_a_time_and_the_time_of_all(submissions):
    (group,) = (options(line) for line in submissions if line["rules"] == ["study_metrics"])
    assert "--cpus-per-task=4" in group and "--mem 1000" in group and "-t 20" in group


def test_inference_gets_the_threads_of_its_workers(submissions):
    inference = [options(line) for line in submissions if line["rules"] == ["infer_heatmaps"]]
    assert all("--cpus-per-task=8" in line and "--mem 8000" in line and "-t 60" in line for line in inference)


def test_commands_fit_into_one_argument(submissions):
    # the kernel takes 128 KiB in one argument, and sbatch gets the whole command as one
    assert max(line["size"] for line in submissions) < 64 * 1024
