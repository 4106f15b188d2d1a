"""docs/method.md, metrics.md and evidence.md: their generated parts are those that the code makes now."""

from __future__ import annotations

import re
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


def copied(tmp_path: Path) -> Path:
    for name in documentation.DOCUMENTS:
        shutil.copy(DOCS / name, tmp_path)
    shutil.copytree(DOCS / "evidence", tmp_path / "evidence")
    return tmp_path


def text(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def test_committed_documents_are_current():
    assert method_docs.main(["--check"]) == 0


def test_every_part_has_one_document():
    placed = [part for parts in documentation.DOCUMENTS.values() for part in parts]
    assert sorted(placed) == sorted(documentation.parts())


def test_every_metric_has_a_section_with_all_its_fields():
    sections = re.split(r"^#### ", text("metrics.md").replace("\\", ""), flags=re.MULTILINE)[1:]
    for entry in uncertainty.metrics():
        name = f"`{'{level}_' if entry.scope == 'level' else ''}{entry.name}`"
        (section,) = (part for part in sections if name in part.splitlines()[0])
        for field in ("formula", "unit", "range", "direction", "undefined", "source"):
            assert f"- {field.capitalize()}: " in section and getattr(entry, field) in section, (name, field)


def test_sections_are_lines_that_can_be_read():
    assert max(map(len, text("metrics.md").splitlines())) < 400


def test_figures_of_the_document_exist():
    for name in ("method_study_auc", "method_study_groups", "method_study_roc", "method_study_patients_groups"):
        assert f"figures/{name}.svg" in text("method.md") + text("evidence.md")
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
    evidence = text("evidence.md")
    assert all(f"| {words(trait.name)} | {trait.mean:g} (" in evidence for trait in TRAITS)
    assert all(trait.source in evidence for trait in TRAITS)


@pytest.mark.parametrize(
    ("name", "old"),
    [("metrics.md", "| flag | meaning |"), ("evidence.md", "| metric | AUC"), ("method.md", "- Slices: ")],
)
def test_altered_part_is_noticed_and_mended(tmp_path, name, old):
    document = copied(tmp_path) / name
    original = document.read_text(encoding="utf-8")
    assert old in original
    document.write_text(original.replace(old, old.upper()), encoding="utf-8")
    with pytest.raises(UserError, match=f"{name} is not current"):
        method_docs.main(["--docs", str(tmp_path), "--check"])
    assert method_docs.main(["--docs", str(tmp_path)]) == 0
    assert document.read_text(encoding="utf-8") == original


@pytest.mark.parametrize(
    ("new", "words"),
    [
        ("", "metrics.md has 0 parts marked 'generated: flags'"),
        ("<!-- generated: flagz -->", "'flagz', which no program makes"),
        ("<!-- generated: ranking -->", "'ranking', which no program makes"),
    ],
)
def test_lost_misspelt_or_misplaced_marker_is_named(new, words):
    altered = text("metrics.md").replace("<!-- generated: flags -->", new)
    with pytest.raises(UserError, match=words):
        documentation.updated("metrics.md", altered, DOCS / "evidence")


def test_folder_without_the_documents_is_one_sentence(tmp_path):
    with pytest.raises(UserError, match="--docs names the folder"):
        method_docs.main(["--docs", str(tmp_path)])
