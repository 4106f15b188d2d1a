"""One study given to the app: the workflow's numbers, or one sentence; bounded in time and memory."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

import demo_studies
from folder_tree import stack
from lstv.base.errors import StudyError
from lstv.ranking.score import rank_studies
from lstv.review import analysis, child, limits
from lstv.review.limits import Limits
from lstv.run import maker

ROOT = Path(__file__).parents[2]
CHECKPOINT = ROOT / "resources/demo/pointnet_demo.pth"
MADE_BY = {**maker.here(None, maker.MEASURING), "inference": maker.here(None, maker.INFERRING)}
SETTINGS = analysis.Settings(CHECKPOINT, members="slices", device="cpu", made_by=MADE_BY)
STUDIES = {"104928817": "ok", "3096148527": "ok", "2871365094": "failed"}
"""Of the demo cohort: an ordinary one, a cropped one, and one whose files are cut short."""


@pytest.fixture(scope="module")
def cohort(tmp_path_factory) -> Path:
    """A few studies of the demo as DICOM, and their metrics files as the workflow's programs write them."""
    return demo_studies.make(tmp_path_factory.mktemp("cohort"), STUDIES, members="slices")


def images(cohort: Path, study: str) -> Path:
    return cohort / "images" / study


def zipped(folder: Path, target: Path) -> Path:
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(folder.rglob("*.dcm")):
            archive.write(path, path.relative_to(folder))
    return target


@pytest.mark.slow
@pytest.mark.parametrize(("study", "packed"), [*((study, False) for study in STUDIES), ("104928817", True)])
def test_the_numbers_are_those_of_the_workflow(cohort, tmp_path, study, packed):
    given = zipped(images(cohort, study), tmp_path / "study.zip") if packed else images(cohort, study)
    heard: list[str] = []
    found = analysis.analyse(given, tmp_path / "out", SETTINGS, Limits(), heard.append)
    expected = json.loads((cohort / f"metrics/{study}.json").read_text())
    assert found.record["status"] == expected["status"] == STUDIES[study]
    for part in ("levels", "study", "flags"):
        assert found.record[part] == expected[part], part
    assert found.network["demo_weights"] is True
    made, of_workflow = found.record["provenance"], expected["provenance"]
    for key in (
        "software_version",
        "git_revision",
        "image",
        "python",
        "libraries",
        "inference",
        "configuration_sha256",
    ):
        assert made[key] == of_workflow[key], key
    assert heard == list(analysis.STAGES)[: len(heard)] and len(heard) >= 5
    # nothing leads back to the study, and no rank is made up
    told = json.dumps(found.record)
    assert "_uid" not in told and study not in told and "rank" not in found.record["study"]


@pytest.mark.slow
def test_what_is_not_counted_is_told_first(cohort, tmp_path, monkeypatch):
    def beside(records):
        return [replace(standing, not_counted="the response, because it is so") for standing in rank_studies(records)]

    monkeypatch.setattr(analysis, "rank_studies", beside)
    found = analysis.analyse(images(cohort, "104928817"), tmp_path / "out", SETTINGS, Limits())
    assert found.notes == ("Not counted: the response, because it is so.", analysis.WITHOUT_COHORT)


def refused(given: Path, out: Path, settings: analysis.Settings = SETTINGS, allowed: Limits | None = None) -> str:
    with pytest.raises(StudyError) as caught:
        analysis.analyse(given, out, settings, allowed or Limits())
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_not_dicom_is_refused_in_a_sentence(tmp_path):
    (tmp_path / "given").mkdir()
    assert "no file was given" in refused(tmp_path / "given", tmp_path / "out")
    (tmp_path / "given/letter.txt").write_text("Dear colleague")
    assert refused(tmp_path / "given", tmp_path / "out1").startswith("the file is not DICOM")
    (tmp_path / "given/more.tar.gz").write_bytes(b"\x1f\x8b" + bytes(300))
    assert "packed in another way than zip" in refused(tmp_path / "given", tmp_path / "out2")


def test_a_ct_is_refused_in_a_sentence(tmp_path):
    stack(tmp_path / "given", "1.2.3", "1.2.3.4", Modality="CT", SOPClassUID="1.2.840.10008.5.1.4.1.1.2")
    assert "CT" in refused(tmp_path / "given", tmp_path / "out")


def test_a_study_without_sagittal_t2_and_several_studies_are_refused(tmp_path):
    stack(tmp_path / "t1", "1.2.3", "1.2.3.4", RepetitionTime=550, EchoTime=10)
    assert "no usable sagittal T2" in refused(tmp_path / "t1", tmp_path / "out")
    stack(tmp_path / "two/a", "1.2.4", "1.2.4.4")
    stack(tmp_path / "two/b", "1.2.5", "1.2.5.4")
    assert refused(tmp_path / "two", tmp_path / "out2").startswith("2 studies with a sagittal T2")


@pytest.mark.parametrize("name", ["../out.dcm", "/etc/x.dcm", "a/../../x", "C:\\x.dcm", "..\\x.dcm"])
def test_names_that_lead_out_are_refused(tmp_path, name):
    assert limits.leads_out(name)
    with zipfile.ZipFile(tmp_path / "study.zip", "w") as archive:
        archive.writestr("good.dcm", b"x")
        archive.writestr(name, b"x")
    assert "leads out" in refused(tmp_path / "study.zip", tmp_path / "out")


def test_an_entry_that_is_a_link_is_refused(tmp_path):
    entry = zipfile.ZipInfo("link.dcm")
    entry.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "study.zip", "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    assert "leads out" in refused(tmp_path / "study.zip", tmp_path / "out")


def test_bombs_are_refused_before_they_are_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "study.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("large.dcm", bytes(3 << 20))
    small = Limits(unpacked_bytes=1 << 20)
    assert "would unpack to" in refused(tmp_path / "study.zip", tmp_path / "out", allowed=small)
    assert not any(path.is_file() for path in (tmp_path / "out").rglob("*"))
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        for number in range(30):
            archive.writestr(f"{number}", b"x")
    assert "more than 20 entries" in refused(tmp_path / "many.zip", tmp_path / "out2", allowed=Limits(entries=20))


def test_ordinary_names_do_not_lead_out():
    assert not any(map(limits.leads_out, ["a.dcm", "DICOM/PA0/ST0/IM..1", "a b/c", "1.2.840.113619", "Säg/x"]))


@pytest.mark.slow
def test_the_demo_network_refuses_real_images_in_words(cohort, tmp_path):
    import pydicom

    (tmp_path / "given").mkdir()
    for path in images(cohort, "104928817").rglob("*.dcm"):
        data = pydicom.dcmread(path)
        data.ManufacturerModelName = "Scanner"
        data.save_as(tmp_path / f"given/{path.parent.name}-{path.name}")
    found = analysis.analyse(tmp_path / "given", tmp_path / "out", SETTINGS, Limits())
    assert found.record["status"] == "failed" and found.record["levels"] == {} and not found.reasons
    assert "knows synthetic phantoms only" in found.record["reason"]


@pytest.mark.slow
def test_a_process_refuses_in_the_same_words(tmp_path, capfd):
    (tmp_path / "given").mkdir()
    (tmp_path / "given/letter.txt").write_text("Dear colleague")
    with pytest.raises(child.Refused, match="is not DICOM"):
        child.run(tmp_path / "given", tmp_path / "out", SETTINGS, Limits())
    wrong = analysis.Settings(tmp_path / "none.pth")
    with pytest.raises(child.Refused, match=r"none\.pth does not exist"):
        child.run(tmp_path / "given", tmp_path / "out", wrong, Limits())
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.slow
def test_a_process_is_bounded_in_time_and_memory_and_ends_with_the_app(cohort, tmp_path, capfd):
    given = images(cohort, "104928817")
    with pytest.raises(child.Refused, match=r"longer than 0\.01 s"):
        child.run(given, tmp_path / "a", SETTINGS, Limits(seconds=0.01))
    with pytest.raises(child.Refused, match="was stopped"):
        child.run(given, tmp_path / "b", SETTINGS, Limits(), ended=lambda: True)
    with pytest.raises(child.Refused, match="memory than 1 MB"):
        child.run(given, tmp_path / "c", SETTINGS, Limits(memory_mb=1))
    assert "Traceback" not in capfd.readouterr().err
