"""The files that a program is made of."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from lstv.run import dependencies
from lstv.run.dependencies import library_files

SCRIPTS = Path(__file__).parents[2] / "scripts"


def imported(path: Path) -> set[str]:
    """Modules and their names that a file imports, as Python parses it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name.split(".")[0] in dependencies.LIBRARIES}


def test_imports_are_those_that_python_sees():
    for path in SCRIPTS.rglob("*.py"):
        assert imported(path) <= set(dependencies._imported(path)), path


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("from lstv.base import (  # noqa: F401\n    atomic,\n    ids as names,  # both\n)", {"atomic", "ids"}),
        ("if True:\n    from lstv.base import atomic, ids  # both", {"atomic", "ids"}),
        ("from lstv.base import(atomic)", {"atomic"}),
        ("import os, lstv.base.ids as ids", {"ids"}),
        ("import lstv_other.base.ids\nfrom lstvs.base import atomic\nx = 'from lstv.base import atomic'", set()),
    ],
)
def test_forms_of_an_import(tmp_path, text, found):
    (tmp_path / "program.py").write_text(text)
    wanted = {f"lstv.base.{name}" for name in found}
    assert {name for name in dependencies._imported(tmp_path / "program.py") if name.count(".") == 2} == wanted


def names(program: str) -> set[str]:
    return {str(path.relative_to(SCRIPTS)) for path in library_files(SCRIPTS / program)}


def test_direct_indirect_and_late_imports():
    assert names("study_sheet.py") == {
        "lstv/__init__.py",
        "lstv/base/__init__.py",
        "lstv/base/atomic.py",
        "lstv/base/checksums.py",
        "lstv/base/cli.py",
        "lstv/base/defaults.py",
        "lstv/base/errors.py",
        "lstv/base/ids.py",
        "lstv/base/numbers.py",
        "lstv/base/private_files.py",
        "lstv/base/shareable.py",
        "lstv/base/tables.py",
        "lstv/base/text.py",
        "lstv/cohort/__init__.py",
        "lstv/cohort/batches.py",
        "lstv/cohort/known_studies.py",
        "lstv/cohort/rsna_layout.py",
        "lstv/cohort/selection.py",
        "lstv/cohort/selection_options.py",
        "lstv/cohort/study_sheet.py",
        "lstv/cohort/training_guard.py",
    }
    inference = names("infer_heatmaps.py")
    assert {
        f"lstv/localizer/{name}.py" for name in ("network", "checkpoint", "inference", "decoding", "views")
    } <= inference
    assert {"lstv/dicom/series.py", "lstv/dicom/geometry.py"} <= inference
    assert not any("uncertainty" in name or "report" in name for name in inference)


@pytest.mark.parametrize("program", ["study_metrics.py", "cohort_table.py", "review_queue.py"])
def test_nothing_that_is_loaded_is_missing(program):
    code = (
        "import runpy, sys; sys.argv = [sys.argv[1], '--help']\n"
        "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "except SystemExit: pass\n"
        "print(*(m.__file__ for n, m in sys.modules.items() if n.split('.')[0] == 'lstv'), sep='\\n')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, program], cwd=SCRIPTS, capture_output=True, text=True, check=True
    )
    loaded = {line for line in done.stdout.splitlines() if line.endswith(".py") and "/lstv/" in line}
    assert loaded and {str(Path(line).relative_to(SCRIPTS)) for line in loaded} <= names(program)
