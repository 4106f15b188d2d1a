"""The four ways in which the workflow is meant to be used, each by the command that the README gives."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

import provenance
from pretended_site import QUICK, Site, make_site
from workflow_project import Project, copy_project

pytestmark = pytest.mark.workflow
ROOT = Path(__file__).parents[2]
TABLE = "lstv_uncertainty_metrics.csv"


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> tuple[Project, Site, str]:
    """Two studies by ``snakemake --profile slurm`` at a pretended SLURM that really runs the jobs."""
    project = copy_project(tmp_path_factory.mktemp("uses") / "project")
    project.keep_demo_studies(2)
    (project.root / "containers/lstv-uncertainty_0.1.0.sif").touch()
    site = make_site(project.root.parent / "bin")
    done = on_cluster(project, site)
    assert done.returncode == 0, done.stdout[-6000:]
    return project, site, done.stdout


def on_cluster(project: Project, site: Site, *arguments: str) -> subprocess.CompletedProcess:
    command = project.command("--profile", "slurm", *QUICK, *arguments, profile=False)
    return subprocess.run(
        command,
        cwd=project.root,
        env=site.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )


def test_snakemake_profile_slurm_ends_in_the_report(finished):
    project, site, output = finished
    assert "Report: results/demo/report.html (2 studies: 2 analysed" in output
    submissions = site.submissions()
    submitted = {rule for submission in submissions for rule in submission["rules"]}
    assert {"infer_heatmaps", "study_metrics", "cohort_table", "cohort_report", "review_queue"} <= submitted
    for submission in submissions:
        options = submission["options"]
        inference = submission["rules"] == ["infer_heatmaps"]
        assert ("--qos=gpu" if inference else "--qos=primary") in options
        assert ("--gres=gpu:1" in options) == ("v100" in options) == inference
        assert not [word for word in options if word == "-A" or word.startswith("--gpus")]


def test_the_run_says_with_which_software(finished):
    project, _, _ = finished
    found = yaml.safe_load(project.results("software_versions.yml").read_text())
    assert found["command"].split()[1:3] == ["--profile", "slurm"]
    assert found["image"]["sha256"] and found["configuration_sha256"]
    assert found["rules"]["libraries"]["numpy"] and found["rules"]["decoders"]["pydicom"]
    image = {"name": Path(found["image"]["name"]).name, "sha256": found["image"]["sha256"]}
    for name, made in provenance.of_results(project.results("")).items():  # jobs on nodes, which were told by the file
        assert made["image"] == made.get("inference", made)["image"] == image and made["git_revision"] is None, name


def test_dry_run_shows_the_plan_and_submits_nothing(finished, tmp_path):
    project = copy_project(tmp_path / "project")
    _, site, _ = finished
    before = len(site.submissions())
    done = on_cluster(project, site, "-n", "--quiet", "rules")
    assert done.returncode == 0, done.stdout
    assert re.search(r"^study_metrics +4$", done.stdout, re.MULTILINE), done.stdout
    assert len(site.submissions()) == before and not project.results("dicom").exists()


def test_a_dry_run_says_what_is_missing_and_shows_the_plan(tmp_path):
    project = copy_project(tmp_path / "project")
    profile = project.root / "profiles/slurm/config.yaml"
    text = profile.read_text().replace("  qos: primary", "  qos: FILL_IN")
    profile.write_text(text.replace("constraint: v100", "constraint: FILL_IN"))
    site = make_site(tmp_path / "bin", container=False)
    done = on_cluster(project, site, "-n", "--quiet", "rules")
    assert done.returncode == 0, done.stdout
    for said in ("module load apptainer", " qos is still FILL_IN", "infer_heatmaps.constraint is still FILL_IN"):
        assert said in done.stdout
    assert re.search(r"^study_metrics +4$", done.stdout, re.MULTILINE), done.stdout
    refused = on_cluster(project, site)
    assert refused.returncode != 0 and "module load apptainer" in refused.stdout
    assert "Traceback" not in refused.stdout and site.submissions() == []


def test_a_partial_run_is_resumed(finished, tmp_path):
    base, site, _ = finished
    root = tmp_path / "project"
    shutil.copytree(base.root, root, symlinks=True)
    project = Project(root)
    table = project.results(TABLE).read_bytes()
    kept = {path: path.stat().st_mtime_ns for path in project.results("heatmaps").iterdir()}
    for name in (TABLE, "report.html"):
        project.results(name).unlink()
    before = len(site.submissions())
    done = on_cluster(project, site)
    assert done.returncode == 0, done.stdout[-6000:]
    assert project.results(TABLE).read_bytes() == table
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert {rule for line in site.submissions()[before:] for rule in line["rules"]} <= {
        "cohort_table",
        "cohort_report",
        "review_queue",
        "study_pages",  # they say a study's place in the table
    }


def test_what_ran_on_a_cluster_is_not_planned_anew_on_this_machine(finished):
    project, site, _ = finished
    for done in (project.snakemake("-n"), on_cluster(project, site, "-n")):
        assert done.returncode == 0 and "Nothing to be done" in done.stdout, done.stdout[-3000:]


def test_a_job_of_the_cluster_downloads_nothing(finished, tmp_path):
    project = copy_project(tmp_path / "project")
    (project.root / "containers/lstv-uncertainty_0.1.0.sif").touch()
    _, site, _ = finished
    script = [
        "bash",
        "profiles/slurm/main.sh",
        "--configfile",
        "config/rsna.yaml",
        "--config",
        "source={download: true}",
    ]
    done = subprocess.run(script, cwd=project.root, env=site.environment(), capture_output=True, text=True, timeout=300)
    said = done.stdout + done.stderr
    assert done.returncode != 0 and "fetch_pointnet" in said, said
    again = r"snakemake inputs --profile slurm --configfile config/rsna.yaml --config source=\{download:\ true\}"
    assert again in said, said


def test_one_study_locally(project):
    done = project.snakemake("results/demo/studies/104928817.json")
    assert done.returncode == 0, done.stdout[-6000:]
    measured = {path.stem for path in project.results("studies").iterdir()}
    (manifest,) = project.results("metrics").iterdir()
    assert "104928817" in measured and len(measured) < 20, "its batch, and no other"
    assert measured == {line.partition(",")[0] for line in manifest.read_text().splitlines()[1:]}
    assert not project.results("report.html").exists()


def test_the_profile_goes_by_its_name_alone():
    link = ROOT / "slurm"
    assert link.is_symlink() and link.resolve() == ROOT / "profiles/slurm"


def test_the_name_survives_clone_and_archive(tmp_path):
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout")
    listed = subprocess.run(["git", "ls-files", "-s", "slurm"], cwd=ROOT, capture_output=True, text=True).stdout
    assert listed.startswith("120000 "), "the link must be tracked as a link"
    archive = tmp_path / "project.tar"
    subprocess.run(["git", "archive", "-o", archive, "HEAD", "slurm", "profiles"], cwd=ROOT, check=True)
    subprocess.run(["tar", "-xf", archive, "-C", tmp_path], check=True)
    assert (tmp_path / "slurm").is_symlink() and (tmp_path / "slurm/config.yaml").is_file()
