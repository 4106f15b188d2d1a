"""scan_folder.py from a messy export to the study sheet."""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import provenance
import scan_folder
import terminal
from folder_tree import AXIAL, STIR, T1, enhanced, image, save, stack
from lstv.base import ids
from lstv.base.errors import StudyError, UserError
from lstv.base.private_files import read_list
from lstv.cohort import study_sheet

SECRETS = ("Geheim", "Gerda", "PID-4711", "1.2.3", "2.25", "20200229")


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    """Two patients, four studies: plain, scattered, zipped, and one without a usable series."""
    tmp_path = tmp_path_factory.mktemp("export")
    root = tmp_path / "Geheim^Gerda"
    stack(root / "A" / "S3", "1.2.3.1", "1.2.3.1.3", count=15, name="{:08X}")
    stack(root / "A" / "S4", "1.2.3.1", "1.2.3.1.4", count=15, SeriesDescription="T1 Geheim", **T1)
    stack(root / "A" / "S5", "1.2.3.1", "1.2.3.1.5", count=20, orientation=AXIAL)
    stack(root / "A" / "S1", "1.2.3.1", "1.2.3.1.1", count=3, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    save(
        root / "A" / "S3.sr",
        image("1.2.3.1", "1.2.3.1.9", 0, SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11", Modality="SR"),
    )
    for number in range(13):
        path = root / "B" / ("x" if number % 2 else "y") / f"IM{number}"
        save(path, image("1.2.3.2", "1.2.3.2.1", number, PatientID="P2", **STIR))
    (root / "B" / "x" / "notes.txt").write_text("Gerda")
    paths = stack(tmp_path / "tmp", "1.2.3.3", "1.2.3.3.1", count=11, pixels=random.Random(0).randbytes(40_000))
    with zipfile.ZipFile(root / "c.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in paths:
            archive.write(path, f"Geheim/{path.name}")
    stack(root / "D", "1.2.3.4", "1.2.3.4.1", count=20, orientation=AXIAL)
    return root


@pytest.fixture
def export(written, tmp_path) -> Path:
    """The test's own copy, and a link in it that leads to itself."""
    root = shutil.copytree(written, tmp_path / written.name)
    (root / "loop").symlink_to(root)
    return root


def _run(export: Path, tmp_path: Path, *options: str) -> dict[str, dict[str, str]]:
    results, lists = tmp_path / "results", tmp_path / "private" / "series"
    arguments = [
        "--folder", str(export), "--out", str(results / "study_sheet.csv"), "--series-lists", str(lists),
        "--all-series", str(results / "series.csv"), "--summary", str(results / "scan.json"), "--jobs", "1", *options,
    ]  # fmt: skip
    assert scan_folder.main(arguments) == 0
    with open(results / "study_sheet.csv", newline="") as file:
        return {row["study_id"]: row for row in csv.DictReader(file)}


def _key(tmp_path: Path) -> tuple[str, str]:
    return "--key", str(tmp_path / "private" / "key")


def test_sheet_with_uids(export, tmp_path):
    rows = _run(export, tmp_path, "--ids", "uid")
    assert list(rows) == ["1.2.3.1", "1.2.3.2", "1.2.3.3", "1.2.3.4"]
    assert tuple(rows["1.2.3.1"]) == study_sheet.COLUMNS
    assert rows["1.2.3.1"] == {
        "study_id": "1.2.3.1", "series_id": "1.2.3.1.3", "series_dir": str(export / "A" / "S3"), "series_description":
        "t2_tse_sag", "n_slices": "15", "split": "unknown", "use": "yes", "reason": "",
    }  # fmt: skip
    assert rows["1.2.3.2"]["series_dir"] == str(tmp_path / "private" / "series" / "1.2.3.2_1.2.3.2.1.txt")
    listed = [listed.path for listed in read_list(Path(rows["1.2.3.2"]["series_dir"]))]
    assert sorted(listed) == sorted(p for p in (export / "B").rglob("IM*"))
    unpacked = Path(rows["1.2.3.3"]["series_dir"])
    assert unpacked == tmp_path / "private" / "extracted" / "1.2.3.3_1.2.3.3.1"
    assert len(list(unpacked.iterdir())) == 11
    assert (rows["1.2.3.4"]["use"], rows["1.2.3.4"]["series_dir"]) == ("no", "")
    assert rows["1.2.3.4"]["reason"] == (
        "no usable sagittal T2 series of the lumbar spine (1 series: it is axial, not sagittal)."
    )


def test_the_sheet_is_what_the_cohort_reads(export, tmp_path):
    _run(export, tmp_path, *_key(tmp_path))
    rows = study_sheet.read_sheet(tmp_path / "results" / "study_sheet.csv")
    assert [row.use for row in rows].count("yes") == 3
    assert all(ids.is_safe(row.study_id) for row in rows)


def test_nothing_of_the_patient_by_default(export, tmp_path, capfd):
    rows = _run(export, tmp_path, *_key(tmp_path), "--mapping", str(tmp_path / "private" / "mapping.csv"))
    results = tmp_path / "results"
    for name in ("study_sheet.csv", "series.csv", "scan.json"):
        text = (results / name).read_text().replace(str(tmp_path), "")
        assert not [secret for secret in SECRETS if secret in text], name
    assert all(row["study_id"].startswith("st-") for row in rows.values())
    assert not [secret for secret in SECRETS if secret in "".join(capfd.readouterr())]
    private = tmp_path / "private"
    lists = sorted(path for path in (private / "series").iterdir())
    assert [path.name[:3] for path in lists] == ["st-", "st-"]
    secret = [*lists, private / "series_passed_over.txt"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in secret} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (private / "extracted").iterdir()} == {0o700}
    mapping = tmp_path / "private" / "mapping.csv"
    assert stat.S_IMODE(mapping.stat().st_mode) == 0o600
    with open(mapping, newline="") as file:
        lines = list(csv.DictReader(file))
    assert {line["study_id"] for line in lines} == set(rows)
    assert {line["patient_id"] for line in lines} == {"PID-4711", "P2"}


def test_descriptions_can_be_kept_or_dropped(export, tmp_path):
    rows = _run(export, tmp_path, *_key(tmp_path), "--descriptions", "keep")
    assert "t2_tse_sag" in {row["series_description"] for row in rows.values()}
    rows = _run(export, tmp_path, *_key(tmp_path), "--descriptions", "none")
    assert {row["series_description"] for row in rows.values()} == {""}


def test_the_same_twice(export, tmp_path):
    def content():
        files = [p for part in ("results", "private") for p in (tmp_path / part).rglob("*")]
        return {str(p.relative_to(tmp_path)): p.read_bytes() for p in files if p.is_file()}

    _run(export, tmp_path, *_key(tmp_path))
    first = content()
    _run(export, tmp_path, *_key(tmp_path), "--jobs", "2")
    assert content() == first


def test_table_of_all_series(export, tmp_path):
    _run(export, tmp_path, "--ids", "uid")
    with open(tmp_path / "results" / "series.csv", newline="") as file:
        rows = {row["series_id"]: row for row in csv.DictReader(file)}
    assert len(rows) == 8
    assert [uid for uid, row in rows.items() if row["chosen"] == "yes"] == ["1.2.3.1.3", "1.2.3.2.1", "1.2.3.3.1"]
    assert all((row["reason"] == "") == (row["chosen"] == "yes") for row in rows.values())
    assert rows["1.2.3.1.4"]["reason"] == "its weighting is T1, not T2"
    assert rows["1.2.3.1.9"]["reason"] == "it is a structured report"
    assert (rows["1.2.3.1.3"]["height_mm"], rows["1.2.3.1.3"]["echo_time_ms"]) == ("280", "105")
    assert rows["1.2.3.3.1"]["zipped"] == "yes"


def test_summary(export, tmp_path):
    _run(export, tmp_path, "--ids", "uid")
    counts = json.loads((tmp_path / "results" / "scan.json").read_text())
    assert (counts["studies"], counts["studies_with_a_series"], counts["series"]) == (4, 3, 8)
    assert {kind: entry["number"] for kind, entry in counts["passed_over"].items()} == {"not_dicom": 1, "loop": 1}
    assert provenance.only(counts)["configuration"] == {"ids": "uid", "descriptions": "keep"}


def test_a_folder_with_anything_else_in_it_gets_a_list(tmp_path):
    stack(tmp_path / "in", "1.2.3", "1.2.3.1")
    save(tmp_path / "in" / "other", image("1.2.3", "1.2.3.2", 0, orientation=AXIAL))
    rows = _run(tmp_path / "in", tmp_path, "--ids", "uid")
    assert len(read_list(Path(rows["1.2.3"]["series_dir"]))) == 15


def test_enhanced_multi_frame(tmp_path):
    root = tmp_path / "in"
    save(root / "a", enhanced("1.2.3", "1.2.3.1", count=17))
    save(root / "b", enhanced("1.2.3", "1.2.3.2", count=30, **STIR))
    save(root / "c", enhanced("1.2.3", "1.2.3.3", count=30, orientation=AXIAL))
    rows = _run(root, tmp_path, "--ids", "uid")
    assert (rows["1.2.3"]["series_id"], rows["1.2.3"]["n_slices"]) == ("1.2.3.1", "17")
    assert read_list(Path(rows["1.2.3"]["series_dir"])) == [(root / "a", None)]
    with open(tmp_path / "results" / "series.csv", newline="") as file:
        found = {row["series_id"]: row for row in csv.DictReader(file)}
    assert found["1.2.3.2"]["reason"] == "it is STIR, the chosen one T2"
    assert found["1.2.3.3"]["reason"] == "it is axial, not sagittal"
    assert {row["n_files"] for row in found.values()} == {"1"}


def test_enhanced_without_functional_groups(tmp_path):
    dataset = enhanced("1.2.3", "1.2.3.1")
    del dataset.PerFrameFunctionalGroupsSequence
    save(tmp_path / "in" / "a", dataset)
    assert "describe none of 15 frames" in _run(tmp_path / "in", tmp_path, "--ids", "uid")["1.2.3"]["reason"]


def test_own_choices(export, tmp_path):
    choices = tmp_path / "choices.csv"
    choices.write_text("study_id,series_id\n1.2.3.1,1.2.3.1.4\n")
    rows = _run(export, tmp_path, "--ids", "uid", "--choices", str(choices))
    assert (rows["1.2.3.1"]["series_id"], rows["1.2.3.1"]["reason"]) == ("1.2.3.1.4", "chosen by the user")
    choices.write_text("study_id,series_id\n1.2.3.1,1.2.3.2.1\n")  # of another study
    with pytest.raises(UserError, match=r"series 1\.2\.3\.2\.1 of study 1\.2\.3\.1, which that study does not have"):
        _run(export, tmp_path, "--ids", "uid", "--choices", str(choices))
    choices.write_text("study_id,series_id\n9.9,1.2\n")
    with pytest.raises(UserError, match=r"9\.9, which is not in the folder"):
        _run(export, tmp_path, "--ids", "uid", "--choices", str(choices))


def test_damaged_zip_fails_its_study_only(export, tmp_path):
    path = export / "c.zip"
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        info = archive.infolist()[4]
        at = info.header_offset + 30 + len(info.filename) + info.compress_size - 3
    content[at] ^= 255
    path.write_bytes(content)
    rows = _run(export, tmp_path, "--ids", "uid")
    assert (rows["1.2.3.3"]["use"], rows["1.2.3.3"]["series_dir"]) == ("yes", "")
    assert "could not be unpacked" in rows["1.2.3.3"]["reason"]
    assert rows["1.2.3.1"]["series_dir"]
    _run(export, tmp_path, *_key(tmp_path))  # member names hold the patient's name
    assert not [secret for secret in SECRETS if secret in (tmp_path / "results/study_sheet.csv").read_text()]


def test_two_studies_that_share_the_uid_of_a_series_get_their_own_files(tmp_path):
    for study, patient in (("1.2.3.1", "A"), ("1.2.3.2", "B")):
        stack(tmp_path / "in" / patient / "x", study, "1.2.3.9", count=15, PatientID=patient)
    rows = _run(tmp_path / "in", tmp_path, *_key(tmp_path))
    lists = [[listed.path for listed in read_list(Path(row["series_dir"]))] for row in rows.values()]
    assert sorted({path.parents[1].name for path in paths} for paths in lists) in ([{"A"}, {"B"}], [{"B"}, {"A"}])


def test_no_dicom_at_all(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("a")
    with pytest.raises(UserError, match="none of the 1 files"):
        _run(tmp_path / "in", tmp_path, "--ids", "uid")


@pytest.mark.parametrize("option", ["--key", "--mapping", "--series-lists", "--extracted"])
def test_secrets_never_in_the_results(export, tmp_path, option):
    with pytest.raises(UserError, match="lies in the results folder"):
        _run(export, tmp_path, *_key(tmp_path), option, str(tmp_path / "results" / "deep" / "file"))
    assert not (tmp_path / "results" / "deep").exists()


@pytest.mark.parametrize("option", ["--key", "--mapping"])
@pytest.mark.parametrize("output", ["--all-series", "--summary"])
def test_secrets_beside_no_output_that_may_be_shared(export, tmp_path, option, output):
    with pytest.raises(UserError, match="lies in the results folder"):
        _run(export, tmp_path, *_key(tmp_path), output, f"{tmp_path}/more/x", option, str(tmp_path / "more" / "file"))


def test_the_home_of_key_and_mapping(export, tmp_path, monkeypatch):
    """As the workflow quotes paths, no shell writes the home in place of ~."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    _run(export, tmp_path, "--key", "~/key", "--mapping", "~/private/mapping.csv")
    assert (tmp_path / "home/key").is_file() and (tmp_path / "home/private/mapping.csv").is_file()
    assert not (tmp_path / "~").exists()


@pytest.mark.slow
def test_the_bar_on_a_terminal(export, tmp_path):
    """Run on a pseudo-terminal: a bar that ends full, and no line of a log."""
    script = Path(scan_folder.__file__)
    out = tmp_path / "results"
    command = [
        sys.executable,
        script,
        "--folder",
        export,
        "--out",
        out / "s.csv",
        "--series-lists",
        out,
        "--ids",
        "uid",
    ]
    done, shown = terminal.shown(command)
    assert done.returncode == 0 and "headers: " not in done.stdout
    number = len([path for path in export.rglob("*") if path.is_file()]) + 11  # files, and members of the zip file
    assert f"{number}/{number}" in shown and "100%" in shown, shown


def test_pseudonyms_need_a_key(export, tmp_path):
    with pytest.raises(UserError, match="--key"):
        _run(export, tmp_path)


@pytest.mark.parametrize("where", [".", "..", "train_images", "train_images/1000", "link", "export", "files", "zip"])
def test_rsna_studies_are_met_wherever_they_lie(tmp_path, where):
    """Their training would not be known; above, below, behind a link or packed."""
    root = tmp_path / "data" / "rsna"
    stack(root / "train_images" / "1000" / "1", "1.2.3", "1.2.3.1")
    (root / "train_series_descriptions.csv").write_text("study_id,series_id,series_description\n")
    (root / "link").symlink_to(root / "train_images")
    folder = root / where
    if where in ("export", "files"):  # apart, but with a link to them
        folder = tmp_path / where
        stack(folder / "own", "1.2.5", "1.2.5.1")
        target = root / "train_images" / ("" if where == "export" else "1000/1/0000")
        (folder / "link").symlink_to(target)
    if where == "zip":
        folder.mkdir()
        with zipfile.ZipFile(folder / "competition", "w") as archive:
            for path in (root / "train_series_descriptions.csv", *root.glob("train_images/*/*/*")):
                archive.write(path, path.relative_to(tmp_path))
    with pytest.raises(UserError, match="has the layout of the RSNA 2024 studies, .* take it as a source of kind rsna"):
        _run(folder, tmp_path, *_key(tmp_path))
    assert not (tmp_path / "results" / "study_sheet.csv").exists()
    stack(tmp_path / "data" / "own", "1.2.4", "1.2.4.1")  # beside them is not among them
    assert len(_run(tmp_path / "data" / "own", tmp_path, *_key(tmp_path))) == 1


def test_the_table_alone_is_no_rsna_folder(tmp_path):
    root = tmp_path / "in"
    stack(root / "a", "1.2.3", "1.2.3.1")
    (root / "train_series_descriptions.csv").write_text("study_id,series_id,series_description\n")
    with zipfile.ZipFile(root / "b.zip", "w") as archive:
        archive.writestr("train_series_descriptions.csv", "x")
    assert len(_run(root, tmp_path, *_key(tmp_path))) == 1


def test_outputs_in_the_working_folder(export, tmp_path, monkeypatch):
    """There everything lies below the sheet's folder; what is a file beside it is refused, what has its own place is not."""
    monkeypatch.chdir(tmp_path)
    arguments = ["--folder", str(export), "--out", "sheet.csv", "--jobs", "1"]
    assert scan_folder.main([*arguments, "--key", "private/key", "--series-lists", "private/lists"]) == 0
    with pytest.raises(UserError, match="lies in the results folder"):
        scan_folder.main([*arguments, "--key", "key", "--series-lists", "private/lists"])
    with pytest.raises(UserError, match="lies in the results folder"):
        scan_folder.main([*arguments, "--key", "private/key", "--series-lists", "lists"])
    (tmp_path / "lists").mkdir()
    monkeypatch.chdir(tmp_path / "lists")
    assert scan_folder.main([*arguments, "--ids", "uid", "--series-lists", "."]) == 0


def test_what_was_passed_over_is_known_where_nothing_was_found(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "Gerda.txt").write_text("a")
    with pytest.raises(UserError, match="none of the 1 files"):
        _run(tmp_path / "in", tmp_path, *_key(tmp_path))
    assert "Gerda.txt" in (tmp_path / "private/series_passed_over.txt").read_text()


def test_one_sentence_and_status_2(tmp_path):
    script = Path(scan_folder.__file__)
    command = [
        sys.executable,
        script,
        "--folder",
        tmp_path / "no",
        "--out",
        tmp_path / "r" / "s.csv",
        "--series-lists",
        tmp_path,
    ]
    done = subprocess.run([*command, "--ids", "uid"], capture_output=True, text=True, env=os.environ)
    assert done.returncode == 2
    assert done.stderr.strip().count("\n") == 0
    assert "does not exist" in done.stderr


def test_lists_that_cannot_be_used(tmp_path):
    with pytest.raises(StudyError, match="cannot be read"):
        read_list(tmp_path / "no.txt")
    (tmp_path / "empty.txt").touch()
    with pytest.raises(StudyError, match="is empty"):
        read_list(tmp_path / "empty.txt")
