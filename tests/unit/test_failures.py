"""When a run has too many failures, and what it says then."""

from __future__ import annotations

import json

import pytest

import failure_guard as program
import provenance
from lstv.base.defaults import default
from lstv.base.errors import UserError
from lstv.base.shareable import shareable
from lstv.run import targets
from lstv.run.failures import Limits, count


def table(ok: int, failed: int, excluded: int = 0, left_out: int = 0) -> list[dict[str, str]]:
    rows = [{"status": "ok", "reason": ""}] * ok + [{"status": "failed", "reason": "too few slices"}] * failed
    rows += [{"status": "excluded", "reason": "no series"}] * excluded
    return rows + [{"status": "excluded", "reason": "not selected: trial of 3 studies"}] * left_out


@pytest.mark.parametrize(
    ("ok", "failed", "bad"),
    [(0, 0, False), (0, 4, False), (0, 5, True), (5, 5, False), (5, 6, True), (1000, 5, False), (400, 600, True)],
)
@pytest.mark.fault("more than half of the studies failed", "the run ends with an error; table and report stay")
def test_more_than_half_and_at_least_five(ok, failed, bad):
    assert (
        count(table(ok, failed, excluded=50, left_out=50)).too_many(
            Limits(default("guard.failed_share"), default("guard.failed_studies"))
        )
        is bad
    )


def test_limits_are_the_users():
    assert count(table(9, 1)).too_many(Limits(0.05, 1))
    assert not count(table(0, 100)).too_many(Limits(1.0, 1))


def test_program(tmp_path):
    path, out = tmp_path / "table.csv", tmp_path / "failures.json"
    lines = [f"{number},{row['status']},{row['reason']}" for number, row in enumerate(table(2, 6, 1))]
    path.write_text("study_id,status,reason\n" + "\n".join(lines) + "\n")
    with pytest.raises(
        UserError, match=r"^6 of 8 studies failed, more than the 50% .* \(6 studies\): too few slices\. Table"
    ):
        program.main(["--table", str(path), "--out", str(out)])
    assert not out.exists()
    assert program.main(["--table", str(path), "--failed-share", "0.8", "--out", str(out)]) == 0
    counts = json.loads(out.read_text())
    assert (counts["studies"], counts["failed"]) == (8, 6)
    assert provenance.only(counts)["configuration"]["failed_share"] == 0.8


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["results/other/report.html"], "other"),
        (["./results/other/studies/1.json"], "other"),
        (["results/mine/report.html"], None),
        (["--report", "results/other/run.html"], None),
        (["results/method_study/x"], None),
        (["-n", "results/other/report.html"], "other"),
        (["--dry-run", "results/other/report.html", "--config", "a=b"], "other"),
        (["-n", "--configfile", "results/other/c.yaml", "all"], None),
        ([], None),
    ],
)
@pytest.mark.fault("a target of another cohort", "one sentence")
def test_targets_of_another_cohort(arguments, named):
    told = targets.of_another_cohort(arguments, "mine")
    assert (told is None) if named is None else f"is of the cohort {named}" in told


@pytest.mark.parametrize(
    ("words", "certain"),
    [
        ("snakemake --profile profiles/local", True),
        ("snakemake -j4 -k --config a=b results/mine/report.html", True),
        ("/env/lib/snakemake/__main__.py --profile profiles/slurm", True),
        ("snakemake -n", False),
        ("snakemake -np --profile profiles/local", False),
        ("snakemake --dry-run", False),
        ("snakemake --report run.html", False),
        ("snakemake --report=run.html", False),
        ("snakemake --lint", False),
        ("pytest", False),
        ("", False),
    ],
)
def test_a_run_is_known_by_its_command_line(words, certain):
    assert targets.runs_jobs(words.split()) is certain


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("folder /data/Mueller/mr is empty", "folder .../mr is empty"),
        ("'/data/Mueller Anna/mr 1' is empty", "'.../mr 1' is empty"),
        ("no series is called 'Sagittal T2/STIR' (there are: T1/FLAIR)",) * 2,
        ("0.3 km/h and 1/2",) * 2,
        ("~/exports/x.dcm is cut short", ".../x.dcm is cut short"),
    ],
)
@pytest.mark.fault("paths in reasons", "only the last name is left")
def test_reasons_hold_no_paths(text, expected):
    assert shareable(text) == expected


@pytest.mark.fault("the user's home in reasons", "left out")
def test_reasons_hold_no_home(monkeypatch):
    monkeypatch.setenv("HOME", "/home/mueller")
    assert "mueller" not in shareable("/home/mueller is full, /home/mueller/a b/c too")
    assert shareable("in /data/Anna Mueller/x is nothing", "/data/Anna Mueller/x") == "in .../x is nothing"
