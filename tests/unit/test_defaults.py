"""Defaults stand in the schema of the configuration: those of programs, library and documents are the same."""

from __future__ import annotations

import argparse
import importlib
import inspect
import re
from pathlib import Path

import pytest
import yaml

from lstv.base.defaults import default
from lstv.cohort.selection import Selection
from lstv.localizer.options import Options
from lstv.ranking.review_queue import build_queue
from lstv.uncertainty import Thresholds

ROOT = Path(__file__).parents[2]
SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
DEFAULTS = {
    f"{part}.{key}": value["default"]
    for part, subschema in SCHEMA["properties"].items()
    for key, value in subschema.get("properties", {}).items()
    if "default" in value
}
OTHER_NAMES = {
    ("study_metrics", "risk_high"): "metrics.entropy_high",
    ("study_metrics", "risk_moderate"): "metrics.entropy_moderate",
    ("study_metrics", "reference"): "metrics.feature_bank",
    ("build_report", "top"): "report.top_candidates",
    ("study_pages", "top"): "report.top_candidates",
    ("study_pages", "which"): "report.pages",
    ("evaluate", "seed"): "evaluation.seed",
    ("review_queue", "seed"): "review.seed",
    ("second_reader_studies", "seed"): "review.seed",
    ("series_list", "seed"): "selection.seed",
    ("study_sheet", "seed"): "selection.seed",
}
NOT_THE_SAME = {
    ("build_report", "studies"): "metrics files",
    ("build_report", "show_ids"): "by hand a report is made to be passed on",
    ("study_pages", "show_ids"): "as with the report",
    ("pages_index", "show_ids"): "as with the report",
    ("contact_sheet", "key"): "by hand its place is named, as in the scan",
    ("scan_folder", "key"): "by hand its place is named, or no key is made",
    ("fetch_images", "workers"): "connections to Kaggle",
    ("fetch_images", "whole_archive"): "a switch",
    ("method_study", "seed"): "of another draw",
    ("method_study_cohort", "seed"): "of another draw",
    ("train_demo_localizer", "seed"): "of another draw",
    ("planted_changes", "members"): "the planted changes are judged with all members",
}


class _Seen(Exception):
    """Ends a program when its options are known."""


def _options(program: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, argparse.Action]:
    seen: dict[str, argparse.Action] = {}

    def parse_args(parser: argparse.ArgumentParser, *_: object) -> None:
        seen.update({action.dest: action for action in parser._actions})
        raise _Seen

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_args)
    with pytest.raises(_Seen):
        importlib.import_module(program).parse_args([])
    return seen


PROGRAMS = sorted(path.stem for path in (ROOT / "scripts").glob("*.py") if "def parse_args" in path.read_text())


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_have_the_defaults_of_the_schema(program, monkeypatch):
    for name, action in _options(program, monkeypatch).items():
        if action.required or (program, name) in NOT_THE_SAME:
            continue
        keys = [key for key in DEFAULTS if key.partition(".")[2] == name]
        key = OTHER_NAMES.get((program, name)) or (keys[0] if len(keys) == 1 else None)
        assert key or not keys, f"--{name} of {program} may be any of {keys}: say which"
        if key:
            assert action.default == DEFAULTS[key], f"--{name} of {program} and {key}"


def test_the_exceptions_are_of_options_that_there_are(monkeypatch):
    for program, name in [*NOT_THE_SAME, *OTHER_NAMES]:
        assert name in _options(program, monkeypatch), (program, name)


def test_the_library_has_the_defaults_of_the_schema():
    assert Thresholds() == Thresholds(default("metrics.entropy_high"), default("metrics.entropy_moderate"))
    assert Selection() == Selection(**{name: default(f"selection.{name}") for name in Selection.__dataclass_fields__})
    of_queue = {
        name: parameter.default
        for name, parameter in inspect.signature(build_queue).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    assert of_queue == {name: default(f"review.{name}") for name in of_queue}
    in_both = Options.__dataclass_fields__.keys() & SCHEMA["properties"]["localizer"]["properties"].keys()
    for name in in_both - {"workers"}:  # null in the schema: all cores of the machine, which the library is told
        assert getattr(Options(), name) == default(f"localizer.{name}"), name


def test_the_configuration_readme_gives_the_defaults():
    rows = dict(re.findall(r"^\| `([\w.]+)` \| ([^|]+) \|", (ROOT / "config/README.md").read_text(), re.MULTILINE))
    for key, value in DEFAULTS.items():
        if isinstance(value, (bool, int, float)):
            assert yaml.safe_load(rows[key].strip().strip("`")) == value, key


def test_documents_give_the_defaults():
    """Where a document names a key and, after a comma, a number: ``(`review.sample`, 90)``."""
    found = [
        (path, key, number)
        for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
        for key, number in re.findall(r"`([a-z_]+\.[a-z_0-9]+)`, (\d[\d.]*)", path.read_text())
        if key in DEFAULTS
    ]
    assert {"review.ambiguous", "review.sample"} <= {key for _, key, _ in found}
    for path, key, number in found:
        assert float(number.rstrip(".")) == DEFAULTS[key], (path, key)
