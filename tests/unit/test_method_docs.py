"""docs/method.md: its generated parts are those that the code makes now."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import method_docs
from lstv import uncertainty
from lstv.base.errors import UserError
from lstv_evidence.method import documentation

DOCS = Path(__file__).parents[2] / "docs"


def copied(tmp_path):
    shutil.copy(DOCS / "method.md", tmp_path)
    shutil.copytree(DOCS / "evidence", tmp_path / "evidence")
    return tmp_path / "method.md"


def test_committed_document_is_current():
    assert method_docs.main(["--check"]) == 0


def test_every_metric_is_in_the_document():
    text = (DOCS / "method.md").read_text(encoding="utf-8").replace("\\", "")
    assert all(f"{entry.name}` |" in text and entry.formula.split("|")[0] in text for entry in uncertainty.metrics())


def test_figures_of_the_document_exist():
    text = (DOCS / "method.md").read_text(encoding="utf-8")
    for name in ("auc", "groups", "roc"):
        assert f"figures/method_study_{name}.svg" in text
        assert (DOCS / "figures" / f"method_study_{name}.svg").read_text().startswith("<?xml")


def test_altered_part_is_noticed_and_mended(tmp_path):
    document = copied(tmp_path)
    original = document.read_text(encoding="utf-8")
    document.write_text(original.replace("| flag | meaning |", "| flag | sense |"), encoding="utf-8")
    with pytest.raises(UserError, match="not current"):
        method_docs.main(["--docs", str(tmp_path), "--check"])
    assert method_docs.main(["--docs", str(tmp_path)]) == 0
    assert document.read_text(encoding="utf-8") == original


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("<!-- generated: flags -->", "", "0 parts marked 'generated: flags'"),
        ("<!-- generated: flags -->", "<!-- generated: flagz -->", "'flagz', which no program makes"),
    ],
)
def test_lost_or_misspelt_marker_is_named(tmp_path, old, new, words):
    text = (DOCS / "method.md").read_text(encoding="utf-8").replace(old, new)
    with pytest.raises(UserError, match=words):
        documentation.updated(text, DOCS / "evidence")
