"""Errors name their subject, and each user reads the name that he knows it by: an option, or a key of the configuration."""

from __future__ import annotations

import ast
import importlib
import pickle
import sys
from functools import cache, partial
from pathlib import Path

import pytest
import yaml

from lstv.base.cli import option_of, run
from lstv.base.errors import CheckpointError, Setting, UserError
from lstv.run import settings

ROOT = Path(__file__).parents[2]
SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())


def _keys(schema: dict, above: str = "") -> set[str]:
    below = {f"{above}{name}": part for name, part in schema.get("properties", {}).items()}
    return set(below).union(*(_keys(part, f"{name}.") for name, part in below.items()))


KEYS = {key for key in _keys(SCHEMA) if "." in key}


def test_a_sentence_of_parts():
    error = CheckpointError(Path("a/net.pth"), " is altered; correct ", Setting("sha256", "the expected sha256"), ".")
    assert str(error) == "a/net.pth is altered; correct the expected sha256."
    assert str(pickle.loads(pickle.dumps(error))) == str(error), "it comes out of worker processes"
    assert str(UserError("one {sentence} of text.")) == "one {sentence} of text."


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        (["--sheet", "none.csv"], "--sheet none.csv"),
        (["--sheet=none.csv"], "--sheet none.csv"),
        (["--sheet", "./none.csv", "--out", "x"], "--sheet none.csv"),
        (["--studies", "a.csv", "none.csv", "--out", "x"], "--studies none.csv"),
        (["none.csv", "--out", "x"], "none.csv"),
        ([], "none.csv"),
    ],
)
def test_a_program_names_files_by_their_options(argv, named):
    assert (
        UserError(Path("none.csv"), " does not exist.").worded(partial(option_of, argv)) == f"{named} does not exist."
    )
    assert option_of(argv, Setting("valid_ids", "the ids")) == "--valid-ids"


@pytest.mark.parametrize(
    ("program", "arguments"),
    [
        ("cohort_table", ["--sheet", "none.csv", "--studies-dir", ".", "--out", "x.csv"]),
        ("review_queue", ["--table", "none.csv", "--json", "x.json", "--csv", "x.csv"]),
        ("evaluate", ["--table", "none.csv", "--labels", "none2.csv", "--out", "x.json", "--csv", "x.csv"]),
        ("study_sheet", ["--kind", "sheet", "--path", "none.csv", "--out", "x.csv"]),
    ],
)
def test_programs(program, arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [f"{program}.py", *arguments])
    assert run(importlib.import_module(program).main) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"Error: {arguments[arguments.index('none.csv') - 1]} none.csv")
    assert said.count("\n") == 1 and "configuration" not in said


def test_the_workflow_names_things_by_their_keys():
    given = {
        "cohort": "x",
        "source": {"kind": "sheet", "path": "data/none.csv"},
        "localizer": {"checkpoint": "net.pth"},
    }
    name = partial(settings.key_of, settings.complete(given, SCHEMA))
    assert UserError(Path("data/none.csv"), " is gone.").worded(name) == "source.path data/none.csv is gone."
    assert name(Setting("device", "the device")) == "localizer.device"
    assert name(Setting("seed", "the seed")) == "the seed", "there are several"
    assert name(Path("elsewhere.csv")) == "elsewhere.csv"


@cache
def _library():
    paths = sorted((ROOT / "scripts/lstv").rglob("*.py"))
    # the room run is the workflow's own
    return [(path, ast.parse(path.read_text())) for path in paths if path.parent.name != "run"]


def _texts(node: ast.AST) -> str:
    return "".join(n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str))


def test_no_error_of_the_library_names_an_option_or_a_key():
    for path, tree in _library():
        for node in ast.walk(tree):
            if isinstance(node, ast.Raise) and node.exc is not None:
                text = _texts(node.exc)
                assert "--" not in text and not any(key in text for key in KEYS), (path, node.lineno, text)


def test_every_setting_of_the_library_is_a_key():
    named = [
        (path, node.args[0].value)
        for path, tree in _library()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Setting"
    ]
    assert len(named) >= 4
    for path, name in named:
        assert any(key.rpartition(".")[2] == name for key in KEYS), (path, name)
