"""docs/method.md: its generated parts are those that the code makes now."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import method_docs
from lstv import uncertainty
from lstv.base.errors import UserError
from lstv_evidence.method import documentation
from lstv_evidence.method.markdown import words
from lstv_evidence.phantoms_by_patient.traits import TRAITS

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
    for name in ("method_study_auc", "method_study_groups", "method_study_roc", "method_study_patients_groups"):
        assert f"figures/{name}.svg" in text
        assert (DOCS / "figures" / f"{name}.svg").read_text().startswith("<?xml")


@pytest.mark.parametrize(
    ("generator", "name"), [(generator, shown.file) for generator, shown in documentation.STUDIES.items()]
)
def test_results_are_taken_over_by_the_generator_of_their_phantoms(tmp_path, generator, name):
    copied(tmp_path)
    (tmp_path / "evidence" / name).unlink()
    results = tmp_path / "results"
    (results / "figures").mkdir(parents=True)
    shutil.copy(DOCS / "evidence" / name, results / documentation.RESULTS)
    for figure in ("auc", "groups", "roc"):
        (results / "figures" / f"{figure}.svg").write_text("<?xml?>")
    assert method_docs.main(["--docs", str(tmp_path), "--study", str(results)]) == 0
    assert (tmp_path / "evidence" / name).read_text() == (DOCS / "evidence" / name).read_text()
    assert (tmp_path / "figures" / f"{Path(name).stem}_groups.svg").is_file()


def test_every_trait_of_the_second_phantoms_stands_with_its_source():
    text = (DOCS / "method.md").read_text(encoding="utf-8")
    assert all(f"| {words(trait.name)} | {trait.mean:g} (" in text for trait in TRAITS)
    assert all(trait.source in text for trait in TRAITS)


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
