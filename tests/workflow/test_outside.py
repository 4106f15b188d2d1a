"""The workflow outside its own folder: another working directory, a module of another workflow, a repository."""

from __future__ import annotations

import csv
import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from workflow_project import ROOT, Project, copy_project

pytestmark = pytest.mark.workflow

CONFIG = {
    "cohort": "small",
    "source": {"kind": "demo"},
    "selection": {"mode": "trial", "trial_studies": 2},
    "localizer": {"checkpoint": "resources/demo/pointnet_demo.pth", "members": "centre"},
}
MODULE = """
configfile: "config/config.yaml"


onstart:
    print("their start", flush=True)


module lstv:
    snakefile: {snakefile!r}
    config: config


use rule * from lstv{renamed}


rule own:
    output: "own.txt"
    shell: "echo ${{{{PYTHONPATH:-none}}}} ${{{{OMP_WAIT_POLICY:-none}}}} > {{output}}"


onsuccess:
    print("their end", flush=True)
"""


@pytest.fixture(scope="module")
def code(tmp_path_factory) -> Path:
    """The code in a folder of its own whose name needs quoting, with a commit."""
    project = copy_project(tmp_path_factory.mktemp("code") / "the code")
    project.keep_demo_studies(3)
    who = ("-c", "user.name=a", "-c", "user.email=a@b")
    for words in (("init", "-q"), ("add", "-A"), (*who, "commit", "-qm", "all")):
        subprocess.run(("git", *words), cwd=project.root, check=True, capture_output=True)
    return project.root


@pytest.fixture
def work(tmp_path) -> Project:
    """A working directory with a configuration and nothing else."""
    folder = tmp_path / "work"
    (folder / "config").mkdir(parents=True)
    (folder / "config/config.yaml").write_text(yaml.safe_dump(CONFIG))
    return Project(folder)


def snakemake(project: Project, code: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "snakemake", "--profile", str(code / "profiles/local"), *arguments]
    environment = {**project.environment(), **variables}
    environment.pop("OMP_WAIT_POLICY", None)  # which the Makefile sets, and this software for its own commands
    return subprocess.run(
        command,
        cwd=project.root,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )


def module(work: Project, snakefile: str, renamed: str = "") -> None:
    (work.root / "Snakefile").write_text(MODULE.format(snakefile=snakefile, renamed=renamed))


def files(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*") if "__pycache__" not in path.parts}


def test_another_working_directory(work, code):
    before = files(code)
    command = ("-s", str(code / "workflow/Snakefile"), "--directory", str(work.root), "results/small/study_sheet.csv")
    done = snakemake(Project(code.parent), code, *command)
    assert done.returncode == 0, done.stdout
    with open(work.results("study_sheet.csv", "small"), newline="") as stream:
        assert sum(row["use"] == "yes" for row in csv.DictReader(stream)) == 2
    assert (work.root / ".snakemake/run.lock").is_file()
    record = yaml.safe_load(work.results("software_versions.yml", "small").read_text())
    assert len(record["git_revision"]) == 40 and record["rules"]["python"]
    assert files(code) == before, "nothing is written beside the code"
    again = snakemake(Project(code.parent), code, *command)
    assert "Nothing to be done" in again.stdout, again.stdout


def test_a_working_directory_without_a_configuration_has_that_of_the_code(tmp_path, code):
    (tmp_path / "empty").mkdir()
    command = ("-s", str(code / "workflow/Snakefile"), "--directory", str(tmp_path / "empty"))
    plan = snakemake(Project(code.parent), code, *command, "-n", "--quiet", "rules")
    assert plan.returncode == 0 and "Cohort: results/demo" in plan.stdout, plan.stdout


def test_a_module_of_another_workflow(work, code):
    """All of it: results, closing sentence, record; rules of the other workflow keep their own environment and events."""
    module(work, str(code / "workflow/Snakefile"))
    done = snakemake(work, code, "all", "own", PYTHONPATH="/nowhere")
    assert done.returncode == 0, done.stdout
    assert "Report: results/small/report.html (3 studies: 2 analysed" in done.stdout
    assert done.stdout.count("their start") == 1 and done.stdout.count("their end") == 1
    assert (work.root / "own.txt").read_text() == "/nowhere none\n"
    assert work.results("software_versions.yml", "small").is_file()
    assert work.results("lstv_uncertainty_metrics.csv", "small").is_file()
    head = subprocess.run(("git", "rev-parse", "HEAD"), cwd=code, capture_output=True, text=True, check=True)
    studies = [json.loads(path.read_text())["provenance"] for path in work.results("studies", "small").iterdir()]
    for made in [*studies, *(study["inference"] for study in studies)]:
        assert made["git_revision"].removesuffix("+changes") == head.stdout.strip() and made["image"] is None
        assert made["python"] and made["libraries"]["numpy"]
    assert len(studies) == 3 and len({study["configuration_sha256"] for study in studies}) == 1
    commit = ("git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "no change")
    subprocess.run(commit, cwd=code, check=True)
    plan = snakemake(work, code, "-n", "all")
    assert "Nothing to be done" in plan.stdout, plan.stdout


def test_the_checks_before_the_first_job_hold_in_a_module(work, code):
    module(work, str(code / "workflow/Snakefile"))
    done = snakemake(work, code, "--executor", "slurm", "--jobs", "1", "results/small/study_sheet.csv")
    assert done.returncode != 0
    assert "No job was started." in done.stdout and "the container is off" in done.stdout, done.stdout
    assert not work.results("study_sheet.csv", "small").exists()


def test_one_run_at_a_time_in_a_module(work, code):
    module(work, str(code / "workflow/Snakefile"))
    (work.root / ".snakemake").mkdir()
    with open(work.root / ".snakemake/run.lock", "w") as lock:
        lock.write("process 1 on another\n")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = snakemake(work, code, "own")
    assert done.returncode != 0 and "process 1 on another is running the workflow in this folder" in done.stdout
    assert "Traceback" not in done.stdout and not (work.root / "own.txt").exists()


@pytest.mark.parametrize("statement", ['prefix: "there"', 'replace_prefix: {"results/": "there/"}'])
def test_a_prefix_is_refused_in_words(work, code, statement):
    module(work, str(code / "workflow/Snakefile"))
    text = (work.root / "Snakefile").read_text()
    (work.root / "Snakefile").write_text(text.replace("    config: config\n", f"    config: config\n    {statement}\n"))
    done = snakemake(work, code, "-n")
    assert done.returncode != 0 and "remove prefix and replace_prefix" in done.stdout, done.stdout


def clone(code: Path, target: Path) -> str:
    """Clone a repository; returns its commit."""
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(("git", "clone", "-q", "--bare", str(code), str(target)), check=True)
    said = subprocess.run(("git", "rev-parse", "HEAD"), cwd=target, capture_output=True, text=True, check=True)
    return said.stdout.strip()


def test_a_module_from_a_host_with_other_names(work, code):
    """As ``snakedeploy deploy-workflow`` writes it; Snakemake's cache holds the repository, so that no host is asked."""
    cache = work.root.parent / "cache"
    head = clone(code, cache / "snakemake/snakemake/source-cache/snakemake-git-cache/github.com/owner/lstv")
    module(work, "here", " as lstv_*")
    text = (work.root / "Snakefile").read_text()
    hosted = f'github("owner/lstv", path="workflow/Snakefile", commit="{head}")'
    (work.root / "Snakefile").write_text(text.replace("'here'", hosted))
    done = snakemake(work, code, "results/small/study_sheet.csv", XDG_CACHE_HOME=str(cache))
    assert done.returncode == 0, done.stdout
    assert "Job 0: Writing the study sheet" in done.stdout and work.results("study_sheet.csv", "small").is_file()
    assert yaml.safe_load(work.results("software_versions.yml", "small").read_text())["git_revision"] == head
    assert os.listdir(work.root / ".snakemake/lstv-uncertainty") == [head]
    plan = snakemake(work, code, "-n", "lstv_all", XDG_CACHE_HOME=str(cache))
    assert plan.returncode == 0 and "lstv_infer_heatmaps" in plan.stdout, plan.stdout


def test_a_module_from_a_repository_on_disk(work, code):
    head = clone(code, work.root.parent / "bare")
    module(work, f"git+file://{code}/workflow/Snakefile@{head}")
    plan = snakemake(work, code, "-n", "all")
    assert plan.returncode == 0 and "infer_heatmaps" in plan.stdout, plan.stdout
    assert os.listdir(work.root / ".snakemake/lstv-uncertainty") == [head]


def test_the_catalog_test_of_this_repository():
    """The configuration in .test is the one that the catalog of workflows tries."""
    folder = ROOT / ".test"
    done = snakemake(Project(ROOT), ROOT, "-s", str(ROOT / "workflow/Snakefile"), "--directory", str(folder), "-n")
    assert done.returncode == 0 and "Cohort: results/test" in done.stdout, done.stdout
