"""What Snakemake plans, for every shipped configuration; and what it answers to a configuration that is wrong."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest
import yaml

from workflow_project import copy_project

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One copy for the plans, which write nothing; with a small RSNA folder and a sheet beside the demo."""
    project = copy_project(tmp_path_factory.mktemp("plan") / "project")
    lines = ["study_id,series_id,series_description"]
    for study in range(1000, 1040):
        lines += [f"{study},{study}1,Sagittal T2/STIR", f"{study},{study}2,Axial T2"]
    folder = project.root / "data/rsna-2024-lumbar-spine-degenerative-classification"
    folder.mkdir(parents=True)
    (folder / "train_series_descriptions.csv").write_text("\n".join(lines) + "\n")
    pointnet = project.root / "resources/pointnet"
    pointnet.mkdir()
    np.save(pointnet / "valid_id.npy", np.arange(1000, 1025))
    (pointnet / "00002484.pth").write_bytes(b"not read in a dry run")
    (project.root / "sheet.csv").write_text("study_id,series_dir,use\na,data/a,yes\nb,data/b,no\nc,data/c,yes\n")
    return project


def jobs(output: str) -> dict[str, int]:
    """Number of jobs of each rule from Snakemake's table."""
    table = output[output.index("Job stats:") :].split("\n\n")[0]
    return {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)}


PLANS = {
    "the demo": ([], {"demo_cohort": 1, "study_sheet": 1, "infer_heatmaps": 4, "study_metrics": 4}),
    "a trial of the demo": (["--configfile", "config/trial.yaml"], {"infer_heatmaps": 2, "study_metrics": 2}),
    "validation studies on disk": (["--configfile", "config/rsna.yaml"], {"infer_heatmaps": 1, "study_metrics": 1}),
    "a trial of them": (["--configfile", "config/rsna.yaml", "config/trial.yaml"], {"study_metrics": 1}),
    "all but those trained on": (
        ["--configfile", "config/rsna.yaml", "--config", "selection={mode: production}"],
        {"study_metrics": 1},
    ),
    "all of them": (
        ["--configfile", "config/rsna.yaml", "--config", "selection={mode: production, allow_training_studies: true}"],
        {"study_metrics": 1},
    ),
    "a sheet": (
        [
            "--config",
            "cohort=mine",
            "source={kind: sheet, path: sheet.csv}",
            "localizer={checkpoint: resources/pointnet/00002484.pth}",
        ],
        {"study_metrics": 1, "infer_heatmaps": 1},
    ),
    "a job for each study": (["--config", "localizer={batch_studies: 1}"], {"infer_heatmaps": 20, "study_metrics": 20}),
    "one study": (
        ["results/demo/studies/104928817.json"],
        {"infer_heatmaps": 1, "study_metrics": 1, "single_study": 1},
    ),
    "one study as a figure": (["results/demo/debug/104928817.png"], {"study_metrics": 1, "debug_view": 1}),
    "what must be there first": (["inputs"], {"demo_cohort": 1}),
}


@pytest.mark.parametrize("name", PLANS)
def test_plan(shared, name):
    arguments, expected = PLANS[name]
    done = shared.snakemake("--quiet", "rules", "-n", *arguments)
    assert done.returncode == 0, done.stdout
    found = jobs(done.stdout)
    assert {rule: found.get(rule) for rule in expected} == expected
    if name.startswith("one study"):
        assert "cohort_table" not in found and "report" not in found
    elif name != "what must be there first":
        assert found["cohort_table"] == found["cohort_report"] == found["review_queue"] == 1


MISTAKES = {
    "localizer={member: full}": "unknown key localizer.member; did you mean localizer.members?",
    "cohorts=x": "unknown key cohorts; did you mean cohort?",
    "localizer={checkpoint: resources/none.pth}": "localizer.checkpoint resources/none.pth does not exist",
    "source={kind: rsna, path: data/nowhere}": "source.path data/nowhere does not exist",
    "cohort=../elsewhere": "cohort is '../elsewhere', which does not fit",
    "localizer={batch_studies: 0}": "localizer.batch_studies: 0 is less than the minimum of 1",
    "selection={mode: list, list: config/config.yaml}": "config/config.yaml lists",
}


@pytest.mark.parametrize("setting", MISTAKES)
@pytest.mark.fault("a wrong key, value or path", "one sentence before any job")
def test_a_wrong_setting_is_one_sentence_before_any_job(shared, setting):
    done = shared.snakemake("-n", "--config", setting)
    assert done.returncode != 0
    assert MISTAKES[setting] in done.stdout
    assert "Traceback" not in done.stdout and "Job stats" not in done.stdout


def test_a_folder_without_its_series_table(shared):
    source = "source={kind: rsna, path: config, valid_ids: resources/pointnet/valid_id.npy}"
    settings = (source, "localizer={checkpoint: resources/pointnet/00002484.pth}")
    done = shared.snakemake("-n", "--config", *settings)
    assert done.returncode != 0 and "config/train_series_descriptions.csv does not exist" in done.stdout
    assert "Traceback" not in done.stdout


def test_an_unknown_study_is_named(shared):
    done = shared.snakemake("-n", "results/demo/studies/4711.json")
    assert done.returncode != 0 and "study 4711 is not among the 20 selected studies" in done.stdout
    assert "Traceback" not in done.stdout


@pytest.mark.parametrize("folder", ["heatmaps/{}.csv", "metrics/{}.csv", "page_files/{}.csv"])
def test_an_unknown_batch_is_named(shared, folder):
    """As after a change of how the cohort is divided."""
    done = shared.snakemake("-n", f"results/demo/{folder.format('batch-0003-of-0064')}")
    assert done.returncode != 0 and "results/demo has no batch of the name batch-0003-of-0064" in done.stdout
    assert "Traceback" not in done.stdout


def test_lint_is_clean(shared):
    done = shared.snakemake("--lint", profile=False)
    assert done.returncode == 0, done.stdout
    assert "good condition" in done.stdout


def test_index_and_common_stay_small(shared):
    lines = {
        name: len((shared.root / "workflow" / name).read_text().splitlines())
        for name in ("Snakefile", "rules/common.smk")
    }
    assert lines["Snakefile"] <= 45 and lines["rules/common.smk"] <= 170, lines


def test_profiles_are_valid_yaml(shared):
    for path in (shared.root / "profiles").glob("*/config.yaml"):
        assert isinstance(yaml.safe_load(path.read_text()), dict), path


@pytest.mark.fault("a checkpoint put in its place by hand", "taken as it is, without an alarm about provenance")
@pytest.mark.parametrize("download", ["true", "false"])
def test_a_checkpoint_put_there_by_hand_is_taken_without_alarm(project, download):
    folder = project.root / "resources/pointnet"
    folder.mkdir()
    shutil.copy(project.root / "resources/demo/pointnet_demo.pth", folder / "00002484.pth")
    (folder / "valid_id.npy").write_bytes(b"")
    (project.root / "sheet.csv").write_text("study_id,series_dir\n1,x\n")
    source = "{kind: sheet, path: sheet.csv}"
    if download == "true":
        source = "{kind: rsna, path: data, download: true, valid_ids: resources/pointnet/valid_id.npy}"
    settings = (f"source={source}", "localizer={checkpoint: resources/pointnet/00002484.pth}")
    done = project.snakemake("-n", "--quiet", "rules", "--config", "cohort=hand", *settings)
    assert done.returncode == 0, done.stdout
    assert "provenance" not in done.stdout and "fetch_pointnet" not in done.stdout, done.stdout
