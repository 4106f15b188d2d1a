"""A study's metrics file: assembled, rounded, checked, written, read."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import yaml
from jsonschema import Draft202012Validator

import study_metrics
from lstv.base import made_by
from lstv.base.cli import run
from lstv.base.errors import UserError
from lstv.localizer import heatmap_file
from lstv.localizer.heatmap_file import Features
from lstv.localizer.outcome import NotAnalysed
from lstv.uncertainty import feature_bank, study_record
from lstv.uncertainty.records import Provenance, StudyRecord
from made_maps import as_logits, as_members, five_discs, study

RUN = {
    "checkpoint_sha256": "0" * 64,
    "checkpoint_file": "net.pth",
    "preprocessing": "trained",
    "software_version": "0.0",
}
SCHEMA = Path(__file__).parents[2] / "workflow" / "schemas" / "metrics.schema.yaml"


def test_schema_file_is_the_registrys() -> None:
    text = SCHEMA.read_text(encoding="utf-8")
    assert yaml.safe_load(text) == study_record.schema(), "run scripts/metrics_schema.py"
    text = SCHEMA.with_name("provenance.schema.yaml").read_text(encoding="utf-8")
    assert yaml.safe_load(text) == made_by.schema(), "run scripts/metrics_schema.py"
    Draft202012Validator.check_schema(study_record.schema())


def test_every_key_of_the_schema_is_described_and_no_object_is_open() -> None:
    def walk(node: object, path: str) -> None:
        if isinstance(node, dict):
            if node.get("type") == "object":
                assert node.get("additionalProperties", True) is not True, path
            for key, value in node.get("properties", {}).items():
                if path not in ("/if", "/then", "/else"):
                    assert value.get("description"), f"{path}/{key}"
            for key, value in node.items():
                walk(value, path if key == "properties" else f"{path}/{key}")

    walk({k: v for k, v in study_record.schema().items() if k not in ("if", "then", "else")}, "")


def test_round_trip(tmp_path: Path) -> None:
    maps = study(members=as_members([five_discs()] * 2), flags=("mixed_shapes",), provenance={"n_slices": 17, "odd": 1})
    record = study_record.study_record(maps, RUN)
    study_record.write(record, tmp_path / "1.json")
    read = study_record.read(tmp_path / "1.json")
    assert read["flags"][0] == "mixed_shapes"
    assert read["provenance"]["n_slices"] == 17 and read["provenance"]["inference_version"] == "0.0"
    assert "odd" not in read["provenance"]
    for level, values in record["levels"].items():
        for key, value in values.items():
            if isinstance(value, float):
                assert read["levels"][level][key] == pytest.approx(value, rel=1e-5, abs=1e-300), key
    study_record.write(read, tmp_path / "2.json")
    assert (tmp_path / "1.json").read_bytes() == (tmp_path / "2.json").read_bytes(), "rounding twice changes nothing"


def test_numbers_have_six_significant_digits() -> None:
    assert study_record.rounded({"a": [math.pi * 1e-7, 123456789.0, -0.0], "n": 149, "t": "x", "z": None}) == {
        "a": [3.14159e-7, 123457000.0, 0.0],
        "n": 149,
        "t": "x",
        "z": None,
    }
    assert math.copysign(1, study_record.rounded(-0.0)) == 1


@pytest.mark.parametrize("status", ["failed", "excluded"])
def test_studies_without_maps_have_no_numbers(tmp_path: Path, status: str) -> None:
    record = study_record.study_record(NotAnalysed("x.1", status, reason="no series"), RUN)
    assert (record["levels"], record["study"], record["series_id"]) == ({}, {}, None)
    study_record.write(record, tmp_path / "x.json")
    assert study_record.read(tmp_path / "x.json")["reason"] == "no series"


def test_logits_that_are_not_finite_fail_the_study() -> None:
    logits = as_logits(five_discs())
    logits[3, 10, 10] = np.nan
    record = study_record.study_record(study(logits=logits), RUN)
    assert record["status"] == "failed" and record["levels"] == {}
    assert "not finite" in record["reason"]


def broken(change) -> dict:
    record = study_record.study_record(study(), RUN)
    change(record)
    return record


@pytest.mark.parametrize(
    "change",
    [
        lambda r: r.update(extra=1),
        lambda r: r["study"].update(extra=1.0),
        lambda r: r["levels"]["l1_l2"].pop("entropy"),
        lambda r: r["levels"].pop("l3_l4"),
        lambda r: r["study"].pop("caudal_residual"),
        lambda r: r["study"].update(risk="certain"),
        lambda r: r["study"].update(mass_ratio="1.0"),
        lambda r: r["levels"]["l5_s1"].update(point_px=[1.0]),
        lambda r: r.update(status="failed"),
        lambda r: r.update(study_id="../x"),
        lambda r: r["provenance"].update(patient="x"),
    ],
)
def test_what_does_not_fit_the_schema_is_refused(tmp_path: Path, change) -> None:
    record = broken(change)
    with pytest.raises(ValueError, match="schema"):
        study_record.write(record, tmp_path / "x.json")
    assert not list(tmp_path.iterdir())
    (tmp_path / "x.json").write_text(json.dumps(record))
    with pytest.raises(UserError, match=r"x\.json"):
        study_record.read(tmp_path / "x.json")


def test_nan_is_never_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        study_record.write(broken(lambda r: r["study"].update(mass_ratio=math.nan)), tmp_path / "x.json")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [None, "", "{", "[]"])
def test_missing_or_damaged_files_are_one_sentence(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "x.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match=r"x\.json.*study_metrics"):
        study_record.read(path)


def written_heatmaps(folder: Path) -> Path:
    with heatmap_file.create(folder / "b.h5", RUN) as writer:
        writer.write(study())
        writer.write(NotAnalysed("2", "failed", reason="unreadable"))
    return folder / "b.h5"


def test_program_writes_one_study(tmp_path: Path, capsys) -> None:
    source = written_heatmaps(tmp_path)
    arguments = ["--heatmaps", str(source), "--study", "1", "--out", str(tmp_path / "1.json"), "--risk-high", "5.5"]
    assert study_metrics.main(arguments) == 0
    record = study_record.read(tmp_path / "1.json")
    assert record["study"]["risk"] == "moderate" and record["provenance"]["risk_high"] == 5.5
    assert study_metrics.main(["--heatmaps", str(source), "--study", "2", "--out", str(tmp_path / "2.json")]) == 0
    assert capsys.readouterr().out.splitlines() == ["study 1: ok", "study 2: failed: unreadable"]


def test_program_measures_against_a_reference(tmp_path: Path) -> None:
    same = {name: RUN[name] for name in feature_bank.SAME_RUN}
    random = np.random.default_rng(0)
    made = [Features(random.random(64), random.random((6, 16))) for _ in range(201)]
    feature_bank.write(feature_bank.fit({f"r{k}": one for k, one in enumerate(made[1:])}, same), tmp_path / "r.npz")
    with heatmap_file.create(tmp_path / "b.h5", RUN) as writer:
        writer.write(study(features=made[0]))
    arguments = ["--heatmaps", str(tmp_path / "b.h5"), "--study", "1", "--out", str(tmp_path / "1.json")]
    assert study_metrics.main([*arguments, "--reference", str(tmp_path / "r.npz")]) == 0
    record = study_record.read(tmp_path / "1.json")
    assert record["study"]["feature_distance"] > 0 and record["levels"]["l5_s1"]["feature_deviation"] > 0
    assert "no_reference_features" not in record["flags"]


@pytest.mark.parametrize(
    ("study_id", "extra", "words"),
    [
        ("3", [], "has no study 3"),
        ("1", ["--risk-moderate", "6"], "--risk-moderate is 6"),
        ("1", ["--reference", "none.npz"], "none.npz"),
    ],
)
def test_program_ends_with_one_sentence(tmp_path: Path, capsys, study_id: str, extra: list[str], words: str) -> None:
    source = written_heatmaps(tmp_path)
    arguments = ["--heatmaps", str(source), "--study", study_id, "--out", str(tmp_path / "x.json"), *extra]
    assert run(lambda: study_metrics.main(arguments)) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1
    assert not (tmp_path / "x.json").exists()


def test_the_types_name_the_keys_of_the_schema():
    properties = study_record.schema()["properties"]
    assert list(StudyRecord.__annotations__) == list(properties)
    assert list(Provenance.__annotations__) == list(properties["provenance"]["properties"])
