"""All studies of a heatmap file measured by one process: records, manifest, a study that fails inside, leftovers."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import study_metrics
from lstv.base import manifest
from lstv.base.cli import run
from lstv.base.errors import UserError
from lstv.localizer import heatmap_file
from lstv.localizer.outcome import NotAnalysed
from lstv.uncertainty import Thresholds, study_record
from made_maps import study

RUN = {"software_version": "1", "checkpoint_sha256": "0" * 64}


@pytest.fixture
def heatmaps(tmp_path) -> Path:
    path = tmp_path / "batch.h5"
    with heatmap_file.create(path, RUN) as writer:
        for name in ("a", "b", "c"):
            writer.write(study(study_id=name))
        writer.write(NotAnalysed("gone", "failed", "no such folder"))
    return path


def measure(heatmaps: Path, folder: Path) -> list[dict[str, str]]:
    arguments = ["--heatmaps", heatmaps, "--out-dir", folder / "studies", "--manifest", folder / "batch.csv"]
    assert study_metrics.main([str(word) for word in arguments]) == 0
    with open(folder / "batch.csv", newline="") as stream:
        return list(csv.DictReader(stream))


def test_every_study_gets_the_bytes_that_it_gets_alone(heatmaps, tmp_path):
    rows = measure(heatmaps, tmp_path)
    assert [(row["study_id"], row["status"]) for row in rows] == [(n, "ok") for n in "abc"] + [("gone", "failed")]
    for row in rows:
        content = (tmp_path / "studies" / f"{row['study_id']}.json").read_bytes()
        assert row["sha256"] == hashlib.sha256(content).hexdigest() and int(row["bytes"]) == len(content)
        alone = tmp_path / "alone.json"
        study_metrics.main(["--heatmaps", str(heatmaps), "--study", row["study_id"], "--out", str(alone)])
        assert alone.read_bytes() == content


@pytest.mark.slow
def test_metrics_do_not_depend_on_the_number_of_processes(heatmaps, tmp_path):
    """In a process of its own: this one has threads, which a copy of it would not have."""
    measure(heatmaps, tmp_path)
    more = ["--jobs", "3", "--out-dir", tmp_path / "three", "--manifest", tmp_path / "three.csv"]
    program = Path(study_metrics.__file__)
    subprocess.run([sys.executable, program, "--heatmaps", heatmaps, *more], check=True)
    assert (tmp_path / "three.csv").read_bytes() == (tmp_path / "batch.csv").read_bytes()
    names = sorted(path.name for path in (tmp_path / "three").iterdir())
    assert names == ["a.json", "b.json", "c.json", "gone.json"]
    for name in names:
        assert (tmp_path / "three" / name).read_bytes() == (tmp_path / "studies" / name).read_bytes()


def test_every_file_says_once_with_what_it_was_made(tmp_path):
    """Also that of a study which failed; neither when, nor where, nor by whom."""
    inferred = {"git_revision": None, "image": None, "python": "3.11.0", "libraries": {"pydicom": "3.0.1"}}
    with heatmap_file.create(tmp_path / "batch.h5", RUN | {"torch": "2.10.0"}) as writer:
        writer.write(study(study_id="a", provenance={"inference": inferred}))
        writer.write(NotAnalysed("gone", "failed", "no such folder", provenance={"inference": inferred}))
    record = tmp_path / "software_versions.yml"
    record.write_text("git_revision: null\nimage: {name: /home/somebody/lstv.sif, sha256: beef}\n")
    for folder in ("one", "other"):
        arguments = ["--heatmaps", tmp_path / "batch.h5", "--out-dir", tmp_path / folder]
        arguments += ["--manifest", tmp_path / f"{folder}.csv", "--software", record]
        assert study_metrics.main([str(word) for word in arguments]) == 0
    for name in ("a", "gone"):
        text = (tmp_path / "one" / f"{name}.json").read_text()
        found = study_record.read(tmp_path / "one" / f"{name}.json")["provenance"]
        assert found["inference"] == inferred and found["libraries"]["numpy"] == np.__version__
        assert found["image"] == {"name": "lstv.sif", "sha256": "beef"} and found["python"].startswith("3.")
        assert found["git_revision"] is None or len(found["git_revision"].removesuffix("+changes")) == 40
        assert str(tmp_path) not in text and "somebody" not in text and os.uname().nodename not in text
        assert text == (tmp_path / "other" / f"{name}.json").read_text()


def test_settings_that_change_a_number_change_their_digest(tmp_path):
    def digest(run: dict, **thresholds: float) -> str:
        record = study_record.study_record(study(), run, Thresholds(**thresholds))
        return record["provenance"]["configuration_sha256"]

    assert digest(RUN) == digest(RUN | {"checkpoint_file": "moved.pth", "torch": "2.11"}), "no setting"
    other = [RUN | {"members": "full"}, RUN | {"checkpoint_sha256": "1" * 64}, RUN | {"centroids": True}]
    assert len({digest(RUN), digest(RUN, high=4.9), *map(digest, other)}) == 5


@pytest.mark.parametrize("where", ["study_record", "write"])
def test_a_study_that_fails_inside_is_a_record(heatmaps, tmp_path, monkeypatch, where):
    original = getattr(study_record, where)

    def fails_on_b(first, *others):
        name = first["study_id"] if isinstance(first, dict) else first.study_id
        if name == "b" and (first["status"] if isinstance(first, dict) else first.status) == "ok":
            raise ValueError("the reason")
        return original(first, *others)

    monkeypatch.setattr(study_record, where, fails_on_b)
    rows = measure(heatmaps, tmp_path)
    assert {row["study_id"]: row["status"] for row in rows} == {"a": "ok", "b": "failed", "c": "ok", "gone": "failed"}
    record = json.loads((tmp_path / "studies/b.json").read_text())
    assert "the reason" in record["reason"] and record["levels"] == {}
    assert study_metrics.main(["--heatmaps", str(heatmaps), "--study", "b", "--out", str(tmp_path / "alone.json")]) == 0
    assert (tmp_path / "alone.json").read_bytes() == (tmp_path / "studies/b.json").read_bytes()


def test_a_study_that_the_file_has_not_is_an_error(heatmaps, tmp_path):
    with pytest.raises(UserError, match=r"has no study z"):
        study_metrics.main(["--heatmaps", str(heatmaps), "--study", "z", "--out", str(tmp_path / "z.json")])
    assert not (tmp_path / "z.json").exists()


def test_thresholds_go_by_their_options(heatmaps, tmp_path, monkeypatch, capsys):
    given = [
        "--heatmaps",
        str(heatmaps),
        "--study",
        "a",
        "--out",
        str(tmp_path / "a.json"),
        "--risk-moderate",
        "6",
    ]
    monkeypatch.setattr(sys, "argv", ["study_metrics.py", *given])
    assert run(study_metrics.main) == 2
    said = capsys.readouterr().err
    assert "--risk-moderate is 6" in said and "--risk-high" in said and "entropy" not in said


def test_what_a_killed_job_left_is_removed(heatmaps, tmp_path):
    (tmp_path / "studies").mkdir()
    ended = subprocess.Popen(["true"])
    ended.wait()
    writing = f".other.json.{os.getppid()}.tmp"  # of another batch, whose job is still at work
    for name in (f".a.json.{ended.pid}.tmp", f".other.json.{ended.pid}.tmp", writing):
        (tmp_path / "studies" / name).touch()
    measure(heatmaps, tmp_path)
    assert {path.name for path in (tmp_path / "studies").glob(".*")} == {writing}


def test_altered_files_are_found(heatmaps, tmp_path):
    measure(heatmaps, tmp_path)
    folder, listed = tmp_path / "studies", tmp_path / "batch.csv"

    def altered() -> list[str]:
        return manifest.Folder(folder).altered(listed)

    assert altered() == []
    assert manifest.Folder(folder).altered(tmp_path / "none.csv") == []
    content = (folder / "a.json").read_bytes()
    later = listed.stat().st_mtime_ns + 10**9
    (folder / "a.json").write_bytes(content[:-2] + b" \n")
    os.utime(folder / "a.json", ns=(later, later))
    assert altered() == ["a"]
    (folder / "a.json").write_bytes(content)
    os.utime(folder / "a.json", ns=(later, later))
    assert altered() == []
    (folder / "c.json").unlink()
    assert altered() == ["c"]
    listed.write_text("something else\n")
    assert altered() == ["batch.csv"]


@pytest.mark.parametrize("options", [[], ["--study", "a"], ["--out-dir", "x"], ["--study", "a", "--manifest", "m"]])
def test_one_study_or_all(heatmaps, options, capsys):
    with pytest.raises(SystemExit):
        study_metrics.main(["--heatmaps", str(heatmaps), *options])
    assert "for one study" in capsys.readouterr().err
