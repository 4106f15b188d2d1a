"""Faults of ids, disks and machines, through the whole workflow: every study a row with a true reason."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from workflow_project import ROOT, Project, copy_project

pytestmark = pytest.mark.workflow

TABLE = "lstv_uncertainty_metrics.csv"
PHANTOMS = 4
TEXT = ("NULL", "NA", "nan", "007", "1e5", "None", "".join(map(str, range(200)))[:200])
"""Ids that are text like others."""
WRONG = {
    "-rf": "begins with a hyphen",
    "y" * 246: "(246 characters) is longer than 200 characters",
    "z" * 300: "(300 characters) is longer than 200 characters",
    "1000000000000000000000": "ends in 20 equal parts",
    "a\0b": r"'a\x00b' cannot name a file",
    "../x": "'../x' cannot name a file",
    "a b": "'a b' cannot name a file",
    "=1+1": "'=1+1' cannot name a file",
}


def rows(project: Project, cohort: str) -> list[dict[str, str]]:
    with open(project.results(TABLE, cohort), newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory) -> list[Path]:
    """Series folders of a few phantoms, under a folder with an accent in its name, as it is composed on this system."""
    root = tmp_path_factory.mktemp("phantoms") / "M\u00fcnchen"
    project = copy_project(tmp_path_factory.mktemp("made") / "project")
    project.keep_demo_studies(PHANTOMS)
    done = project.snakemake("results/demo/dicom/train_series_descriptions.csv")
    assert done.returncode == 0, done.stdout
    with open(project.results("dicom/train_series_descriptions.csv"), newline="") as stream:
        t2 = [row for row in csv.DictReader(stream) if row["series_description"] == "Sagittal T2/STIR"]
    shutil.move(project.results("dicom/train_images"), root)
    return [root / row["study_id"] / row["series_id"] for row in t2]


def write_sheet(project: Project, lines: list[tuple[str, str, str]]) -> None:
    with open(project.root / "sheet.csv", "w", newline="") as stream:
        stream.write("sep=,\r\n")  # Excel's, and blanks in the header as from an aligned table
        csv.writer(stream).writerows([("study_id ", " series_dir", "series_description "), *lines])


SETTINGS = (
    "--config",
    "cohort=ids",
    "source={kind: sheet, path: sheet.csv}",
    "localizer={checkpoint: c.pth, workers: 1}",
)


def with_checkpoint(project: Project) -> Project:
    shutil.copy(project.root / "resources/demo/pointnet_demo.pth", project.root / "c.pth")
    return project


@pytest.fixture(scope="module")
def without_locks(tmp_path_factory) -> dict[str, str]:
    """The environment of a file system that has no locks: flock() answers ENOLCK."""
    if shutil.which("gcc") is None:
        return {}
    folder = tmp_path_factory.mktemp("nolock")
    source = "#include <errno.h>\nint flock(int f, int o) { (void)f; (void)o; errno = ENOLCK; return -1; }\n"
    (folder / "nolock.c").write_text(source)
    library = folder / "nolock.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, folder / "nolock.c"], check=True)
    return {"LD_PRELOAD": str(library)}


@pytest.fixture(scope="module")
def ids(tmp_path_factory, phantoms, without_locks) -> Project:
    """A run over ids of every kind, on a file system without locks; the sheet writes the accent in two parts (NFD)."""
    project = with_checkpoint(copy_project(tmp_path_factory.mktemp("ids") / "project"))
    folders = [str(folder).replace("\u00fc", "u\u0308") for folder in phantoms]
    lines = [(study, folders[i % len(folders)], "=cmd|' /C calc'!A0") for i, study in enumerate((*TEXT, *WRONG))]
    lines.append(("gone", f"{Path.home()}/data/Mueller_Anna/2024", ""))
    write_sheet(project, lines)
    environment = {**project.environment(), **without_locks}
    done = subprocess.run(
        project.command("--rerun-triggers", "mtime", *SETTINGS),
        cwd=project.root,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
    )
    assert "Traceback" not in done.stdout
    (project.root / "output.txt").write_text(done.stdout)
    return project


@pytest.mark.fault("a sheet of odd ids, on a file system without locks", "every study a row, the good ones complete")
def test_ids_are_text_and_wrong_ones_are_rows_with_the_true_reason(ids):
    found = rows(ids, "ids")
    assert len(found) == len(TEXT) + len(WRONG) + 1
    by_id = {row["study_id"]: row for row in found}
    for study in TEXT:
        assert by_id[study]["status"] == "ok", by_id[study]["reason"]
    failed = [row for row in found if row["study_id"].startswith("invalid-id-")]
    assert len(failed) == len(WRONG)
    for words in WRONG.values():
        (row,) = [row for row in failed if words in row["reason"]]
        assert row["status"] == "failed" and row["split"] == "unknown" and "trained" not in row["reason"]


def test_the_report_shows_ids_that_look_like_missing_values(ids):
    text = ids.results("report.html", "ids").read_text()
    assert all(f">{study}<" in text or study in text for study in TEXT)


@pytest.mark.fault("formulas in a sheet", "harmless in all shared tables")
def test_text_of_a_sheet_is_no_formula_in_what_is_shared(ids):
    for path in ids.results("", "ids").rglob("*.csv"):
        for row in csv.reader(path.read_text().splitlines()):
            assert not any(cell.startswith(("=", "+", "@")) for cell in row), (path, row)


@pytest.mark.fault("a series folder in a home that is gone", "a failed row whose reason names no path")
def test_no_reason_names_the_home_of_the_user(ids):
    for path in (
        ids.results(TABLE, "ids"),
        ids.results("report.html", "ids"),
        *ids.results("studies", "ids").iterdir(),
    ):
        assert f"{Path.home()}/data" not in path.read_text() and "Mueller_Anna" not in path.read_text(), path


@pytest.mark.fault("a run in which most studies fail", "an error, with table and report")
def test_more_than_half_failed_is_an_error_and_table_and_report_stay(ids):
    """9 of 16 studies failed; with a higher limit the same command ends well and makes nothing again but the count."""
    output = (ids.root / "output.txt").read_text()
    assert "9 of 16 studies failed, more than the 50% that this run allows" in output
    assert ids.results("report.html", "ids").is_file() and not ids.results("failures.json", "ids").exists()
    again = ids.snakemake("--rerun-triggers", "mtime", *SETTINGS)
    assert again.returncode != 0 and "9 of 16 studies failed" in again.stdout
    done = ids.snakemake("--rerun-triggers", "mtime", *SETTINGS, "guard={failed_share: 0.6}")
    assert done.returncode == 0 and "infer_heatmaps" not in done.stdout, done.stdout
    counted = json.loads(ids.results("failures.json", "ids").read_text())
    assert (counted["studies"], counted["failed"]) == (16, 9)


@pytest.mark.fault("a heatmap file that is damaged or deleted", "one sentence; the same command makes it again")
def test_a_damaged_heatmap_file_is_one_sentence_and_is_made_again(ids):
    """Both where it lies newer than its metrics, and where nothing but its absence tells."""
    path = sorted(ids.results("heatmaps", "ids").glob("*.h5"))[0]
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    arguments = ("--rerun-triggers", "mtime", *SETTINGS, "guard={failed_share: 0.6}")
    done = ids.snakemake(*arguments)
    assert done.returncode != 0 and "Traceback" not in done.stdout, done.stdout
    assert "is damaged or cut short" in done.stdout and "delete it and run the same command again" in done.stdout
    path.unlink()
    done = ids.snakemake(*arguments)
    assert done.returncode == 0, done.stdout
    assert path.read_bytes() == whole
    path.unlink()
    done = ids.snakemake("-n", "--quiet", "rules", *arguments)
    assert "infer_heatmaps" in done.stdout and "Nothing to be done" not in done.stdout, done.stdout
    path.write_bytes(whole)


@pytest.mark.fault("leftovers of killed runs", "removed by the next run")
def test_leftovers_of_killed_runs_are_removed_by_the_next(ids):
    folder = ids.results("studies", "ids")
    dead = subprocess.Popen(["true"])
    dead.wait()
    left = [folder / f".NA.json.{dead.pid}.tmp", folder.parent / f".report.html.somehost@{dead.pid}.tmp"]
    for path in left:
        path.write_text("half")
    os.utime(left[1], (time.time() - 7200,) * 2)
    living = folder / f".NULL.json.{os.getpid()}.tmp"
    living.write_text("of a living process")
    ids.results(TABLE, "ids").unlink()
    done = ids.snakemake("--rerun-triggers", "mtime", *SETTINGS, "guard={failed_share: 0.6}")
    assert done.returncode == 0, done.stdout
    assert not any(path.exists() for path in left) and living.exists()
    living.unlink()


def test_a_target_of_another_cohort_is_named(ids):
    done = ids.snakemake("-n", "results/other/report.html", *SETTINGS)
    assert done.returncode != 0 and "is of the cohort other, but the configuration is that of ids" in done.stdout
    assert "MissingRuleException" not in done.stdout and "Traceback" not in done.stdout


@pytest.mark.fault("results where nothing can be written", "one sentence before the first job")
def test_results_that_cannot_be_written_are_a_sentence(tmp_path):
    project = copy_project(tmp_path / "project")
    results = project.root / "results/demo"
    results.parent.mkdir(exist_ok=True)
    results.write_text("a file, where the results would be")
    done = project.snakemake("results/demo/dicom/train_series_descriptions.csv")
    assert done.returncode != 0
    assert "results/demo/software_versions.yml cannot be written (" in done.stdout
    assert "lstv/base/atomic.py" not in done.stdout


@pytest.mark.fault("a second run while the first is planning", "refused in one sentence")
def test_a_second_run_is_refused_while_the_first_is_planning(project):
    """Held back while it reads its rules, the first run holds the lock already."""
    common = project.root / "workflow/rules/common.smk"
    text = common.read_text()
    wait = "import time; workflow.is_main_process and open('planning', 'w').close()\n"
    common.write_text(text + f"\n\n{wait}while os.path.exists('wait'):\n    time.sleep(0.05)\n")
    (project.root / "wait").touch()
    first = subprocess.Popen(
        project.command(),
        cwd=project.root,
        env=project.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 120
        while not (project.root / "planning").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert first.poll() is None and (project.root / "planning").exists()
        common.write_text(text)
        second = project.snakemake()
        assert second.returncode != 0 and f"process {first.pid} on" in second.stdout, second.stdout
        assert "is running the workflow in this folder" in second.stdout and "Traceback" not in second.stdout
        dry = project.snakemake("-n", "--quiet", "rules")
        assert dry.returncode == 0, dry.stdout
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()


@pytest.mark.fault("a program that is killed or out of memory", "the job says so")
def test_a_killed_program_says_so(tmp_path):
    script = ". containers/job_environment.sh; python3 -c 'import os; os.kill(os.getpid(), 9)' > /dev/null 2>&1"
    done = subprocess.run(
        ["bash", "-c", f"set -euo pipefail; {script}"], cwd=ROOT, capture_output=True, text=True, env={**os.environ}
    )
    assert done.returncode == 137 and "was killed (signal 9), most often because" in done.stderr
