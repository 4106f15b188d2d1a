"""The workflow run for real on a few phantoms: outcome of every study, reruns, interruption, single study, report."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import platform
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

import dicom_export
import provenance
from lstv.report import wording
from lstv_evidence import reading_figures
from slurm_profile import PARTS
from workflow_project import ROOT, Project, copy_project

pytestmark = pytest.mark.workflow

TABLE = "lstv_uncertainty_metrics.csv"
AS_IN_A_TERMINAL = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell without a terminal has it ignored in the background
os.execv(sys.argv[1], sys.argv[1:])
"""
MEMBERS = ("--config", "localizer={checkpoint: resources/demo/pointnet_demo.pth, batch_studies: 8, members: slices}")


def rows(project: Project, cohort: str = "demo") -> dict[str, dict[str, str]]:
    with open(project.results(TABLE, cohort), newline="") as stream:
        return {row["study_id"]: row for row in csv.DictReader(stream)}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> Project:
    """The whole demo, run once."""
    project = copy_project(tmp_path_factory.mktemp("demo") / "project")
    done = project.snakemake()
    assert done.returncode == 0, done.stdout
    return project


def test_the_pictures_for_radiologists_show_studies_of_the_lists_that_they_name(demo, tmp_path):
    assert len(reading_figures.write(demo.root / "results/demo", tmp_path)) == len(reading_figures.FIGURES)


@pytest.fixture(scope="module")
def demo_list() -> dict[str, dict[str, str]]:
    with open(ROOT / "resources/demo/studies.csv", newline="") as stream:
        return {row["study_id"]: row for row in csv.DictReader(stream)}


def test_every_study_that_entered_is_accounted_for(demo, demo_list):
    found = rows(demo)
    assert set(found) == set(demo_list)
    for study, row in found.items():
        expected = "ok"
        if demo_list[study]["damage"]:
            expected = "failed"
        elif "t2" not in demo_list[study]["series"].split(";"):
            expected = "excluded"
        assert row["status"] == expected, row["reason"]
        assert bool(row["reason"]) == (expected != "ok")
        assert bool(row["rank"]) == (expected == "ok")
    ranks = sorted(int(row["rank"]) for row in found.values() if row["rank"])
    assert ranks == [1 + sum(other < rank for other in ranks) for rank in ranks], "ties share a rank"


def test_the_demo_localizer_finds_the_discs_of_ordinary_phantoms(demo, demo_list):
    """Points of the table against the phantoms' truth, in patient millimetres."""
    with open(demo.results("dicom/truth.csv"), newline="") as stream:
        truth = {(row["study_id"], row["level"]): row for row in csv.DictReader(stream)}
    distances = []
    for study, row in rows(demo).items():
        if row["status"] == "ok" and demo_list[study]["kind"] == "normal" and not demo_list[study]["nuisances"]:
            for level in ("l3_l4", "l4_l5", "l5_s1"):
                point = [row[f"{level}_point_{axis}_mm"] for axis in "yz"]
                assert all(point), (study, level)
                target = [float(truth[study, level][f"canal_{axis}_mm"]) for axis in "yz"]
                distances.append(sum((float(a) - b) ** 2 for a, b in zip(point, target)) ** 0.5)
    distances.sort()
    assert len(distances) >= 15
    assert distances[len(distances) // 2] < 3 and distances[-1] < 12, distances


def test_metrics_files_fit_their_schema(demo):
    schema = yaml.safe_load((ROOT / "workflow/schemas/metrics.schema.yaml").read_text())
    validator = Draft202012Validator(schema)
    files = sorted(demo.results("studies").glob("*.json"))
    assert len(files) == 20
    for path in files:
        validator.validate(json.loads(path.read_text()))


def test_review_queue_fits_its_schema(demo):
    schema = yaml.safe_load((ROOT / "workflow/schemas/review_queue.schema.yaml").read_text())
    Draft202012Validator(schema).validate(json.loads(demo.results("review_queue.json").read_text()))


def test_the_last_line_says_where_to_look(demo):
    done = demo.snakemake("--forcerun", "cohort_report")
    assert done.returncode == 0, done.stdout
    assert (
        "Report: results/demo/report.html (20 studies: 18 analysed, 1 failed, 1 excluded, 0 not selected)"
        in done.stdout
    )
    other = demo.snakemake("results/demo/debug/104928817.png")  # says nothing of a report that it did not make
    assert other.returncode == 0 and "Report:" not in other.stdout, other.stdout


@pytest.mark.parametrize(("target", "generator"), [("method_study", "tables"), ("method_study_patients", "patients")])
def test_the_method_study_gets_its_sheet(demo, tmp_path, target, generator):
    """The command as it is planned, on the demo's phantoms: the study itself takes hours."""
    plan = demo.snakemake("-n", "-p", target)
    assert plan.returncode == 0, plan.stdout
    assert f"--generator {generator} --out results/{target}/phantoms.csv" in plan.stdout
    planned = re.search(r"scripts/study_sheet\.py (--kind .*) > results/method", plan.stdout)
    assert planned, plan.stdout
    words = shlex.split(planned[1])
    words[words.index("--path") + 1] = str(demo.results("dicom"))
    words[words.index("--out") + 1] = str(tmp_path / "sheet.csv")
    command = [sys.executable, str(demo.root / "scripts/study_sheet.py"), *words]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0 and "20 studies, 19 to analyse" in done.stdout, done.stdout + done.stderr


def test_report_is_there_and_says_what_it_is(demo):
    text = demo.results("report.html").read_text()
    assert "Research use only" in text and "demo" in text.lower()
    assert "2871365094" in text  # the damaged study is named


def test_nothing_is_left_over(demo):
    left = [path for path in demo.root.rglob("*.tmp") if ".snakemake" not in path.parts]
    assert left == []
    allowed = {*PARTS, "slurm", "results", ".snakemake"}
    assert {path.name for path in demo.root.iterdir()} <= allowed


def test_a_second_run_does_nothing(demo):
    before = demo.results(TABLE).stat().st_mtime_ns
    done = demo.snakemake()
    assert done.returncode == 0 and "Nothing to be done" in done.stdout, done.stdout
    assert demo.results(TABLE).stat().st_mtime_ns == before


def test_touching_a_program_does_nothing_and_editing_one_reruns_its_part(demo):
    for path in (demo.root / "scripts").rglob("*.py"):
        path.touch()
    done = demo.snakemake("--quiet", "rules", "-n")
    assert "Nothing to be done" in done.stdout, done.stdout
    program = demo.root / "scripts/lstv/ranking/score.py"
    text = program.read_text()
    try:
        program.write_text(text + "\n# edited\n")
        done = demo.snakemake("--quiet", "rules", "-n")
        assert "cohort_table" in done.stdout and "infer_heatmaps" not in done.stdout, done.stdout
    finally:
        program.write_text(text)


def test_new_thresholds_do_not_repeat_the_inference(demo):
    done = demo.snakemake("--quiet", "rules", "-n", "--config", "metrics={entropy_high: 5.2, entropy_moderate: 4.0}")
    assert "study_metrics" in done.stdout and "infer_heatmaps" not in done.stdout, done.stdout
    assert "results/demo was made with other settings: metrics.entropy_high was 5.0, now 5.2." in done.stdout


def test_report_of_the_run(demo):
    done = demo.snakemake("--report", "run.html")
    assert done.returncode == 0, done.stdout
    report = demo.root / "run.html"
    assert report.stat().st_size > 100_000
    report.unlink()


def test_one_study_and_its_figure(demo):
    study = "104928817"
    demo.results(f"studies/{study}.json").unlink()
    done = demo.snakemake(f"results/demo/studies/{study}.json", f"results/demo/debug/{study}.png")
    assert done.returncode == 0, done.stdout
    assert "infer_heatmaps" not in done.stdout and "3 of 3 steps" in done.stdout, done.stdout
    assert demo.results(f"debug/{study}.png").read_bytes().startswith(b"\x89PNG")
    done = demo.snakemake()
    assert done.returncode == 0


@pytest.mark.parametrize("change", ["deleted", "altered", "cut", "manifest"])
def test_a_metrics_file_that_is_not_what_was_written_is_made_again(demo, change):
    study = "104928817"
    path, table = demo.results(f"studies/{study}.json"), demo.results(TABLE).read_bytes()
    written = path.read_bytes()
    if change == "deleted":
        path.unlink()
    elif change == "altered":
        path.write_bytes(written.replace(b'"ok"', b'"ko"'))
    elif change == "cut":
        path.write_bytes(written[:100])
    else:
        for manifest in demo.results("metrics").glob("*.csv"):
            manifest.write_text("no manifest\n")
    plan = demo.snakemake("--quiet", "rules", "-n")
    assert "study_metrics" in plan.stdout and "infer_heatmaps" not in plan.stdout, plan.stdout
    done = demo.snakemake()
    assert done.returncode == 0, done.stdout
    assert path.read_bytes() == written and demo.results(TABLE).read_bytes() == table
    again = demo.snakemake("-n")
    assert "Nothing to be done" in again.stdout, again.stdout


def test_a_metrics_file_written_again_alike_is_no_change(demo):
    path = demo.results("studies/104928817.json")
    path.write_bytes(path.read_bytes())
    done = demo.snakemake("-n")
    assert "Nothing to be done" in done.stdout, done.stdout


def test_evaluation_against_labels(demo, demo_list):
    lines = [f"{study},{int(row['kind'] != 'normal')}" for study, row in demo_list.items()]
    (demo.root / "labels.csv").write_text("study_id,label\n" + "\n".join(lines) + "\n")
    try:
        done = demo.snakemake("--config", "evaluation={labels: labels.csv}")
    finally:
        (demo.root / "labels.csv").unlink()
    assert done.returncode == 0 and "infer_heatmaps" not in done.stdout, done.stdout
    record = json.loads(demo.results("evaluation/evaluation.json").read_text())
    assert record["labels"]["used"] == 18 and record["labels"]["positive"] == 5
    assert record["labels"]["not_used"]["failed"] and record["labels"]["not_used"]["excluded"]
    assert demo.results("evaluation/figures/roc.svg").is_file()
    assert "Evaluation: results/demo/evaluation/evaluation.html" in done.stdout
    assert 'href="evaluation/evaluation.html"' in demo.results("report.html").read_text()
    assert 'href="../report.html"' in demo.results("evaluation/evaluation.html").read_text()


def test_evaluation_of_annotations(demo, demo_list):
    given = [
        {"uid": study, "lstv": "none" if row["kind"] == "normal" else "IIIb", "who": "AB"}
        for study, row in demo_list.items()
    ]
    (demo.root / "annotations.json").write_text(json.dumps([*given, {"uid": "x"}]))
    fields = "{study: uid, castellvi: lstv, reader: who}"
    try:
        done = demo.snakemake("--config", f"evaluation={{annotations: annotations.json, annotation_fields: {fields}}}")
    finally:
        (demo.root / "annotations.json").unlink()
    assert done.returncode == 0 and "infer_heatmaps" not in done.stdout, done.stdout
    record = json.loads(demo.results("evaluation/evaluation.json").read_text())
    assert record["labels"]["used"] == 18 and record["labels"]["castellvi"] == {"III": 5, "none": 13}
    assert f"{len(given) + 1},x,,has no lstv" in demo.results("evaluation/annotations_not_used.csv").read_text()


def test_the_reading_bundle_on_request(demo):
    assert not demo.results("reading").exists()
    done = demo.snakemake("reading")
    assert done.returncode == 0 and "infer_heatmaps" not in done.stdout, done.stdout
    queue = json.loads(demo.results("review_queue.json").read_text())
    assert len(list(demo.results("reading/series").glob("case_*.js"))) == len(queue["studies"]) == 18
    assert demo.results("reading/index.html").is_file()
    assert json.loads(demo.results("reading_key.json").read_text()) == queue
    again = demo.snakemake("reading", "-n")
    assert "Nothing to be done" in again.stdout, again.stdout


def test_every_json_says_once_with_what_it_was_made(demo):
    """Whatever of the results folder is there by now."""
    made = provenance.of_results(demo.results(""))
    wanted = {"review_queue.json", "failures.json"}
    assert wanted <= set(made) and {name.partition("/")[0] for name in made} >= wanted | {"studies", "page_files"}
    for name, of_file in made.items():
        assert of_file["git_revision"] is None and of_file["image"] is None, (name, "a copy without its history")
        assert of_file["python"] == platform.python_version() and str(demo.root) not in json.dumps(of_file), name
    table = hashlib.sha256(demo.results(TABLE).read_bytes()).hexdigest()
    assert made["review_queue.json"]["made_of"] == made["failures.json"]["made_of"] == {"table": table}


def test_a_trial_lists_the_others_as_not_selected(project):
    done = project.snakemake(
        "--configfile", "config/trial.yaml", "--config", "selection={mode: trial, trial_studies: 3}"
    )
    assert done.returncode == 0, done.stdout
    status = [row["status"] for row in rows(project, "trial").values()]
    reasons = [row["reason"] for row in rows(project, "trial").values()]
    assert len(status) == 20
    assert sum("not selected: trial of 3 studies" in reason for reason in reasons) == 17


@pytest.fixture(scope="module")
def reference(tmp_path_factory) -> Project:
    """Six phantoms with neighbouring slices as members, undisturbed."""
    project = copy_project(tmp_path_factory.mktemp("reference") / "project")
    project.keep_demo_studies(6)
    done = project.snakemake(*MEMBERS)
    assert done.returncode == 0, done.stdout
    return project


@pytest.mark.parametrize("when", ["dicom", "heatmaps", "studies"])
@pytest.mark.fault("`kill -9` at three stages", "the same command ends with the same bytes")
def test_killed_and_resumed_gives_the_same_bytes(reference, project, when):
    """``kill -9`` of Snakemake and its jobs at three stages; the same command then finishes."""
    project.keep_demo_studies(6)
    process = subprocess.Popen(
        project.command(*MEMBERS),
        cwd=project.root,
        env=project.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    watched = project.results("logs/infer_heatmaps" if when == "heatmaps" else when)
    deadline = time.monotonic() + 300
    while process.poll() is None and time.monotonic() < deadline and not (watched.is_dir() and any(watched.iterdir())):
        time.sleep(0.05)
    assert process.poll() is None, "the run ended before it could be killed"
    if when == "dicom":
        second = project.snakemake(*MEMBERS)
        assert second.returncode != 0 and f"process {process.pid} on" in second.stdout, second.stdout
        assert "is running the workflow in this folder" in second.stdout and "Traceback" not in second.stdout
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not project.results("report.html").exists()
    done = project.snakemake(*MEMBERS)
    assert done.returncode == 0, done.stdout
    assert project.results(TABLE).read_bytes() == reference.results(TABLE).read_bytes()
    for folder in ("studies", "page_files"):
        assert contents(project.results(folder)) == contents(reference.results(folder))
    for name in ("review_queue.json", "failures.json"):
        assert project.results(name).read_bytes() == reference.results(name).read_bytes()
    assert project.results("report.html").read_bytes() == reference.results("report.html").read_bytes()


def test_an_interrupted_run_says_that_the_same_command_goes_on(project, tmp_path):
    """Ctrl-C in a terminal reaches Snakemake and its jobs; also without the quiet wrapper of ``make run``."""
    with open(tmp_path / "said", "w") as said:
        process = subprocess.Popen(
            [sys.executable, "-c", AS_IN_A_TERMINAL, *project.command()],
            cwd=project.root,
            env=project.environment(),
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        deadline = time.monotonic() + 300
        # a program that is still importing ends as any Python does, with a traceback
        while process.poll() is None and time.monotonic() < deadline and not any(project.results("").rglob("*.dcm")):
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(timeout=120) != 0
    text = (tmp_path / "said").read_text()
    assert text.count("Interrupted; the same command goes on.") == 1 and "Traceback" not in text, text


@pytest.mark.fault(
    "missing, blank, short and foreign series in one cohort", "each a row with its reason, the others unchanged"
)
def test_bad_studies_are_rows_and_the_others_complete(reference, project):
    """An RSNA folder in which much is wrong: a missing series, a blank one, one slice, a bad id, a text file."""
    source = reference.results("dicom")
    target = project.root / "data"
    shutil.copytree(source, target)
    with open(target / "train_series_descriptions.csv", newline="") as stream:
        t2 = [row for row in csv.DictReader(stream) if row["series_description"] == "Sagittal T2/STIR"]
    folders = [target / "train_images" / row["study_id"] / row["series_id"] for row in t2]
    shutil.rmtree(folders[0])
    for path in sorted(folders[1].iterdir())[1:]:
        path.unlink()
    for path in folders[2].iterdir():
        path.write_text("not DICOM")
    with open(target / "train_series_descriptions.csv", "a") as stream:
        stream.write("../x,1,Sagittal T2/STIR\n")
    validation = [row["study_id"] for row in t2[:-1]]
    (project.root / "valid.txt").write_text("\n".join(validation))
    settings = (
        "--config",
        "cohort=bad",
        "source={kind: rsna, path: data, valid_ids: valid.txt}",
        "selection={mode: production, allow_training_studies: true}",
        f"localizer={{checkpoint: {demo_copy(project)}}}",
    )
    done = project.snakemake(*settings)
    assert done.returncode == 0, done.stdout
    found = rows(project, "bad")
    reasons = {study: row["reason"] for study, row in found.items() if row["status"] == "failed"}
    assert len(found) == 7 and len(reasons) == 4
    assert "does not exist" in reasons[t2[0]["study_id"]]
    assert "one slice" in reasons[t2[1]["study_id"]]
    assert "it is not DICOM" in reasons[t2[2]["study_id"]]
    assert any(study.startswith("invalid-id-") and "'../x'" in reason for study, reason in reasons.items())
    undisturbed = rows(reference)
    for study, row in found.items():
        if row["status"] == "ok":
            assert row["l5_s1_entropy"] == undisturbed[study]["l5_s1_entropy"]
            assert row["split"] == ("validation" if study in validation else "train")
    # the one that is not on the list is marked as what the point net was trained on
    assert found[t2[-1]["study_id"]]["status"] == "ok"
    report = project.results("report.html", "bad").read_text()
    assert "1 of the analysed studies was used to train the point net" in report and wording.TRAINING in report


def test_a_study_more_reruns_its_batch_only(reference, project):
    source = reference.results("dicom")
    table = project.root / "data/train_series_descriptions.csv"
    table.parent.mkdir()
    (table.parent / "train_images").symlink_to(source / "train_images")
    lines = (source / table.name).read_text().splitlines(keepends=True)
    first = lines[1].split(",")[0]
    others = [line for line in lines[1:] if line.split(",")[0] != first]
    table.write_text(lines[0] + "".join(others))
    checkpoint = demo_copy(project)
    (project.root / "own.txt").write_text("\n".join(rows(reference)))
    settings = (
        "--config",
        "cohort=grows",
        "source={kind: rsna, path: data, valid_ids: own.txt}",
        f"localizer={{checkpoint: {checkpoint}, batch_studies: 2}}",
    )
    done = project.snakemake(*settings)
    assert done.returncode == 0, done.stdout
    before = {path.name: path.stat().st_mtime_ns for path in project.results("heatmaps", "grows").glob("*.h5")}
    table.write_text("".join(lines))
    done = project.snakemake(*settings)
    assert done.returncode == 0, done.stdout
    after = {path.name: path.stat().st_mtime_ns for path in project.results("heatmaps", "grows").glob("*.h5")}
    assert set(before) <= set(after)
    assert sum(before.get(name) != time for name, time in after.items()) == 1
    assert len(rows(project, "grows")) == len(rows(reference))


def demo_copy(project: Project) -> str:
    """The demo's weights under another name: its place under resources/demo is refused for other sources."""
    copy = project.root / "resources/copy.pth"
    shutil.copy(project.root / "resources/demo/pointnet_demo.pth", copy)
    return "resources/copy.pth"


def test_any_folder_of_dicom(reference, project):
    """The phantoms again, found by scanning an export in which some are zipped and some damaged: pseudonymous ids, the same
    numbers, nothing of the patients anywhere in the results, and another series where the user chooses one."""
    with open(reference.results("dicom/train_series_descriptions.csv"), newline="") as stream:
        series = list(csv.DictReader(stream))
    t2 = {row["study_id"]: row["series_id"] for row in series if row["series_description"] == "Sagittal T2/STIR"}
    export = dicom_export.make(reference.results("dicom/train_images"), t2, project.root / "export")
    settings = (
        "--configfile",
        "config/folder.yaml",
        "--config",
        "source={kind: folder, path: export%s}",
        f"localizer={{checkpoint: {demo_copy(project)}, members: slices}}",
    )
    first = [word.replace("%s", "") for word in settings]
    plan = project.snakemake("--quiet", "rules", "-n", *first)
    assert plan.returncode == 0 and "scan_folder" in plan.stdout, plan.stdout
    done = project.snakemake(*first)
    assert done.returncode == 0, done.stdout
    found = rows(project, "folder")
    assert all(study.startswith("st-") for study in found) and len(found) == len(t2)
    analysed = {study: row for study, row in found.items() if row["status"] == "ok"}
    expected = {study: row for study, row in rows(reference).items() if study in export.whole}
    assert sorted(row["l5_s1_entropy"] for row in analysed.values()) == sorted(
        row["l5_s1_entropy"] for row in expected.values()
    )
    failed = [row["reason"] for row in found.values() if row["status"] == "failed"]
    assert len(failed) == len(export.failing)
    assert any("could not be unpacked" in reason for reason in failed), failed
    results = project.root / "results/folder"
    assert len(list(results.rglob("*.h5"))) == 1 and (results / "logs/scan_folder.log").is_file()
    assert dicom_export.told(results, export.secrets) == []
    private = project.root / "resources/private/folder"
    for place in (private, reference.results("heatmaps")):
        assert dicom_export.told(place, export.secrets)  # what is looked for can be found
    again = project.snakemake(*first)
    assert "Nothing to be done" in again.stdout, again.stdout

    unpacked = [path.name for path in (private / "extracted").glob("st-*")]
    assert len(unpacked) == 1
    study = unpacked[0].split("_")[0]
    with open(project.results("scan/series.csv", "folder"), newline="") as stream:
        other = next(row for row in csv.DictReader(stream) if row["study_id"] == study and row["weighting"] == "T1")
    (project.root / "choices.csv").write_text(f"study_id,series_id\n{study},{other['series_id']}\n")
    done = project.snakemake(*(word.replace("%s", ", choices: choices.csv") for word in settings))
    assert done.returncode == 0, done.stdout
    chosen = rows(project, "folder")
    assert chosen[study]["series_id"] == other["series_id"]
    assert chosen[study]["l5_s1_entropy"] != found[study]["l5_s1_entropy"]
    assert {key: row for key, row in chosen.items() if key != study and row["status"] != "ok"} == {
        key: row for key, row in found.items() if key != study and row["status"] != "ok"
    }
    for key in analysed.keys() - {study}:
        assert chosen[key]["l5_s1_entropy"] == found[key]["l5_s1_entropy"]
    # of the series chosen before nothing stays
    assert [path.name for path in (private / "extracted").glob("st-*")] == [f"{study}_{other['series_id']}"]


def test_a_bids_folder_gives_the_same_metrics(reference, project):
    """The phantoms exported as NIfTI, and analysed from there: the same numbers; a deleted image is written again."""
    done = reference.snakemake("bids", *MEMBERS)
    assert done.returncode == 0, done.stdout
    folder = reference.results("bids")
    expected = {study: row for study, row in rows(reference).items() if row["status"] == "ok"}
    images = sorted(folder.rglob("*.nii.gz"))
    assert len(images) == len(expected)
    images[0].unlink()
    plan = reference.snakemake("bids", "-n", "--quiet", "rules", *MEMBERS)
    assert plan.returncode == 0 and "export_bids" in plan.stdout and "infer_heatmaps" not in plan.stdout, plan.stdout
    done = reference.snakemake("bids", *MEMBERS)
    assert done.returncode == 0 and images[0].is_file(), done.stdout

    source = f"source={{path: {folder}}}"
    settings = ("--configfile", "config/bids.yaml", "--config", source)
    done = project.snakemake(*settings, f"localizer={{checkpoint: {demo_copy(project)}, members: slices}}")
    assert done.returncode == 0, done.stdout
    found = rows(project, "bids")
    assert found.keys() == expected.keys()
    for study, row in found.items():
        for column, value in expected[study].items():
            if column in ("series_id", "rank", "reason"):
                continue
            try:
                assert float(row[column]) == pytest.approx(float(value), rel=1e-5, abs=1e-4), (study, column)
            except ValueError:
                assert row[column] == value, (study, column)
