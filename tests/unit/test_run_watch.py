"""What the terminal says of a run: from the lines that Snakemake prints to one line, the plan's counts, and the end."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

import quiet_snakemake
import terminal
from lstv.base.text import duration, readable_bytes
from lstv.run import changed, targets
from lstv.run.watch import Run

ROOT = Path(__file__).parents[2]
PLAN = """Building DAG of jobs...
Job stats:
job               count
--------------  -------
batch_sheet           2
infer_heatmaps        2
study_metrics         2
cohort_report         1
all                   1
total                 8

"""


def fed(text: str, at: float = 0.0, run: Run | None = None) -> Run:
    run = run or Run(0.0)
    for line in text.splitlines():
        run.line(line, at)
    return run


def test_a_plan_is_told_by_its_counts():
    said = fed(PLAN).plan()
    assert (
        said == "7 jobs would run: batch_sheet 2, infer_heatmaps 2, study_metrics 2, cohort_report 1. Nothing was run."
    )
    assert (
        fed("Nothing to be done (all requested files are present and up to date).")
        .plan()
        .startswith("Everything is up")
    )


def test_the_time_left_follows_from_what_jobs_of_the_same_rules_took():
    run = fed(PLAN)
    assert run.left(1.0) is None  # nothing is timed yet
    for job, rule, began, ended in (
        (1, "batch_sheet", 0, 1),
        (2, "batch_sheet", 1, 2),
        (3, "infer_heatmaps", 2, 102),
        (4, "study_metrics", 102, 104),
    ):
        run.line(f"Job {job}: Doing something", began)
        run.line(f"Finished jobid: {job} (Rule: {rule})", ended)
    run.line("4 of 8 steps (50%) done", 104)
    run.line("Job 5: Localizing the disc levels of batch-0001-of-0002", 104)
    assert run.left(104.0) == pytest.approx(102, abs=3)
    assert run.left(144.0) == pytest.approx(62, abs=3)
    assert run.said(144.0).startswith("4 of 8 steps, 2 min 24 s, about 1 min ")
    assert run.said(144.0).endswith("Localizing the disc levels of batch-0001-of-0002")


def test_of_a_single_batch_the_time_left_follows_from_the_studies_in_its_log():
    log = "3 of 60 studies in 3.0 s\n20 of 60 studies in 20.0 s, 1.0/s (ok 20)\n"
    run = fed(PLAN.replace("  2", "  1").replace("total                 8", "total                 5"))
    run.log_of = lambda batch: log if batch == "batch-0000-of-0001" else ""
    run.line("Job 3: Localizing the disc levels of batch-0000-of-0001", 0.0)
    assert run.left(20.0) == pytest.approx(40, abs=1)
    assert "batch-0000-of-0001: 20 of 60 studies" in run.said(20.0)


def test_what_a_scan_adds_to_the_plan_is_counted():
    run = fed(PLAN)
    run.line("1 of 14 steps (7%) done", 1.0)
    for job, rule in ((1, "batch_sheet"), (2, "infer_heatmaps"), (3, "study_metrics")):
        run.line(f"Job {job}: Doing something", 0.0)
        run.line(f"Finished jobid: {job} (Rule: {rule})", 10.0)
    assert run.left(10.0) == pytest.approx((14 - 2 - 3) * 10 / 3)  # three jobs ran side by side


def test_notes_are_passed_on_and_nothing_else():
    run = Run(0.0)
    shown = [line for line in ("Note: x", "No job could start: y", "Job 1: z", "Error") if run.line(line, 0.0)]
    assert shown == ["Note: x", "No job could start: y"]


def test_words_for_amounts():
    assert [duration(s) for s in (0.4, 59.7, 192, 7500)] == ["0 s", "1 min 0 s", "3 min 12 s", "2 h 5 min"]
    assert [readable_bytes(n) for n in (12, 1_234, 5_600_000_000)] == ["12 bytes", "1.2 kB", "5.60 GB"]


# --- settings that differ -------------------------------------------------------------------------------------------------
BEFORE = {"cohort": "a", "metrics": {"entropy_high": 5.0, "feature_bank": None}, "localizer": {"workers": None}}


@pytest.fixture
def kept(tmp_path):
    changed.keep(tmp_path / "cohorts" / "a.json", BEFORE)
    (tmp_path / "results").mkdir()
    return tmp_path


def said_of(kept: Path, settings: dict) -> str | None:
    return changed.sentence(kept / "cohorts" / "a.json", kept / "results", settings)


def test_a_forgotten_threshold_is_named_with_both_values(kept):
    said = said_of(kept, {**BEFORE, "metrics": {"entropy_high": 4.5, "feature_bank": "bank.npz"}})
    assert "metrics.entropy_high was 5.0, now 4.5" in said and "metrics.feature_bank was null, now bank.npz" in said
    assert said.startswith("Note: ") and "\n" not in said


def test_a_key_that_one_version_lacks_is_a_difference(kept):
    assert "report.top was null, now 3" in said_of(kept, {**BEFORE, "report": {"top": 3}})


def test_the_same_settings_and_what_changes_no_result_say_nothing(kept):
    assert said_of(kept, BEFORE) is None
    assert said_of(kept, {**BEFORE, "localizer": {"workers": 4}}) is None


def test_without_record_or_results_nothing_is_said(kept):
    (kept / "cohorts" / "a.json").write_text("{")
    assert said_of(kept, {}) is None
    changed.keep(kept / "cohorts" / "a.json", BEFORE)
    (kept / "results").rmdir()
    assert said_of(kept, {}) is None


# --- the program, with a Snakemake that prints what it is told ----------------------------------------
@pytest.fixture
def beside(tmp_path, monkeypatch):
    """A folder with a pretended Snakemake; gives the variables under which it is found."""
    monkeypatch.chdir(tmp_path)

    def made(text: str) -> dict[str, str]:
        program = tmp_path / "bin" / "snakemake"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!{sys.executable}\nimport sys, time\n{text}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        return os.environ | {"PATH": f"{program.parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT / "scripts")}

    return made


COMMAND = [sys.executable, str(ROOT / "scripts" / "quiet_snakemake.py")]
RUNS = f"print({PLAN!r} + 'Job 1: Making\\nNote: heed this\\n1 of 8 steps (12%) done', file=sys.stderr)"


def test_one_line_on_a_terminal_and_the_end_on_standard_output(beside):
    env = beside(f"{RUNS}\nprint('Report: here (2 studies)')")
    done, shown = terminal.shown([*COMMAND, "--cores", "1"], env)
    assert done.returncode == 0 and done.stdout == "Report: here (2 studies)\n"
    assert "1 of 8 steps, 0 s" in shown and "Note: heed this" in shown and "Job stats" not in shown


def test_a_plan_prints_its_counts_and_no_job(beside):
    env = beside(f"print({PLAN!r} + 'Job 1: Making')")
    done = subprocess.run([*COMMAND, "-n"], env=env, capture_output=True, text=True)
    assert done.stdout.splitlines() == [fed(PLAN).plan()]


def test_a_failure_shows_why_and_where_all_is(beside):
    env = beside("print('fine\\nWorkflowError in file x:\\nselection.mode is nix', file=sys.stderr); sys.exit(1)")
    done = subprocess.run([*COMMAND, "--cores", "1"], env=env, capture_output=True, text=True)
    assert done.returncode == 1 and "selection.mode is nix" in done.stderr and "fine" not in done.stderr
    assert ".snakemake/quiet.log" in done.stderr and "fine" in Path(".snakemake/quiet.log").read_text()


def test_an_interrupted_run_says_that_the_same_command_goes_on(beside):
    env = beside("print('Job 1: Making', file=sys.stderr, flush=True)\ntime.sleep(60)")
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
    process = subprocess.Popen([*COMMAND, "--cores", "1"], env=env, **pipes)
    while not (Path(".snakemake/quiet.log").exists() and process.poll() is None and _started(process.pid)):
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130 and out.endswith("Interrupted; the same command goes on.\n")


def _started(pid: int) -> bool:
    """Whether the process has a child that has become the pretended Snakemake."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return any(b"bin/snakemake" in Path(f"/proc/{child}/cmdline").read_bytes() for child in children)


def test_settings_that_are_not_there_are_named(beside):
    done = subprocess.run([*COMMAND, "--configfile", "a.yaml"], env=beside(RUNS), capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith("Error: the settings file a.yaml does not exist")


def test_nothing_to_be_done_ends_with_the_counts_and_the_path(beside):
    results = Path("results/mine")
    results.mkdir(parents=True)
    (results / "report.html").write_text("")
    (results / "lstv_uncertainty_metrics.csv").write_text("study_id,status,reason\n1,ok,\n2,failed,no pixels\n")
    env = beside("print('Cohort: results/mine\\nNothing to be done (all files are present).', file=sys.stderr)")
    done = subprocess.run([*COMMAND, "--cores", "1"], env=env, capture_output=True, text=True)
    assert done.stdout.splitlines()[0] == "Everything is up to date."
    assert done.stdout.splitlines()[1].startswith("Report: results/mine/report.html (2 studies: 1 analysed, 1 failed")


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["-n", "--configfile", "a.yaml", "b.yaml", "--cores", "1"], ["a.yaml", "b.yaml"]),
        (["--configfile=a.yaml", "all"], ["a.yaml", "all"]),
        (["all", "--cores", "1"], []),
    ],
)
def test_the_files_of_settings_are_found_on_the_command_line(arguments, names):
    found = [str(path) for path in targets.settings_files(arguments)]
    assert found == names


def test_a_record_is_json_that_a_person_can_read(kept):
    assert json.loads((kept / "cohorts" / "a.json").read_text()) == BEFORE
    assert quiet_snakemake.LOG.name == "quiet.log"
