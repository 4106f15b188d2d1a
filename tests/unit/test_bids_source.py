"""A BIDS folder as a source: which image of each session is taken, and why each other one is not."""

import csv
import gzip
import json

import numpy as np
import pytest

import export_bids
import scan_bids
from dicom_files import textured_volume, write_series
from lstv.base.errors import UserError
from lstv.bids import source
from lstv.cohort import study_sheet
from lstv.dicom import nifti
from lstv.folder import scan

SAGITTAL = np.array([[0, 0, 4.0, -14], [-0.9, 0, 0, 80], [0, -0.9, 0, 100], [0, 0, 0, 1]])
AXIAL = np.array([[-0.7, 0, 0, 80.0], [0, -0.7, 0, 80], [0, 0, 4.0, -14], [0, 0, 0, 1]])


def image(path, affine=SAGITTAL, shape=(220, 260, 9), sidecar=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.zeros(shape, np.int16)
    values[::3, ::5] = 100
    nifti.write(path, values, affine)
    if sidecar is not None:
        path.with_name(path.name.replace(".nii.gz", ".json")).write_text(json.dumps(sidecar))


def scanned(folder, tmp_path, *more):
    out, series = tmp_path / "sheet.csv", tmp_path / "images.csv"
    assert scan_bids.main(["--folder", str(folder), "--out", str(out), "--all-series", str(series), *more]) == 0
    with open(series, newline="") as stream:
        images = {row["series_id"]: row for row in csv.DictReader(stream)}
    return {row.study_id: row for row in study_sheet.read_sheet(out)}, images


def test_the_sagittal_t2_of_each_session_is_taken(tmp_path):
    root = tmp_path / "data"
    image(root / "sub-01/anat/sub-01_T2w.nii.gz")
    image(root / "sub-01/anat/sub-01_acq-ax_T2w.nii.gz", AXIAL)
    image(root / "sub-01/anat/sub-01_T1w.nii.gz")
    image(root / "sub-02/ses-a/anat/sub-02_ses-a_acq-sag_T2w.nii.gz")
    image(root / "sub-02/ses-b/anat/sub-02_ses-b_acq-cervical_T2w.nii.gz")
    (root / "sub-03/anat").mkdir(parents=True)
    image(root / "sub-04/anat/sub-04_part-phase_T2w.nii.gz")
    image(root / "sub-04/anat/scan.nii.gz")
    image(root / "derivatives/other/sub-09/anat/sub-09_T2w.nii.gz")
    rows, images = scanned(root, tmp_path)
    assert set(rows) == {"sub-01", "sub-02_ses-a", "sub-02_ses-b", "sub-03", "sub-04"}
    assert rows["sub-01"].series_dir == str(root / "sub-01/anat/sub-01_T2w.nii.gz")
    assert rows["sub-01"].use == "yes" and rows["sub-01"].n_slices == "9"
    assert images["sub-01_acq-ax_T2w"]["reason"] == "it is axial, not sagittal"
    assert images["sub-01_T1w"]["reason"] == "its suffix is T1w, not T2w"
    assert rows["sub-02_ses-a"].series_id == "sub-02_ses-a_acq-sag_T2w"
    assert "shows cervical by its names" in rows["sub-02_ses-b"].reason and rows["sub-02_ses-b"].use == "no"
    assert rows["sub-03"].reason == "it has no image in a folder anat."
    assert "phase" in rows["sub-04"].reason and "its name is not one that BIDS has" in rows["sub-04"].reason


@pytest.mark.parametrize(
    ("sidecar", "words"),
    [
        ({"EchoTime": 0.012, "RepetitionTime": 0.6}, "its weighting is T1, not T2"),
        ({"ScanningSequence": "GR"}, "its weighting is gradient echo"),
        ({"ImageType": ["DERIVED", "SECONDARY", "MPR"]}, "reformatted"),
        ({"Modality": "CT"}, "its Modality is CT, not MR"),
        ({"BodyPartExamined": "CSPINE"}, "shows cervical"),
        ([], "not a JSON object"),
    ],
)
def test_the_sidecar_is_heard(tmp_path, sidecar, words):
    image(tmp_path / "data/sub-01/anat/sub-01_T2w.nii.gz", sidecar=sidecar)
    rows, _ = scanned(tmp_path / "data", tmp_path)
    assert rows["sub-01"].use == "no" and words in rows["sub-01"].reason


def test_times_in_a_wrong_unit_are_not_believed(tmp_path):
    image(tmp_path / "data/sub-01/anat/sub-01_T2w.nii.gz", sidecar={"EchoTime": 12, "RepetitionTime": 600})
    rows, images = scanned(tmp_path / "data", tmp_path)
    assert rows["sub-01"].use == "yes" and images["sub-01_T2w"]["echo_time_ms"] == ""


def test_sidecars_are_inherited(tmp_path):
    root = tmp_path / "data"
    image(root / "sub-01/anat/sub-01_T2w.nii.gz")
    image(root / "sub-02/anat/sub-02_T2w.nii.gz", sidecar={"EchoTime": 0.09})
    (root / "T2w.json").write_text(json.dumps({"EchoTime": 0.01, "RepetitionTime": 0.5}))
    (root / "acq-other_T2w.json").write_text(json.dumps({"EchoTime": 0.5}))
    (root / "sub-02/sub-02_T2w.json").write_text(json.dumps({"RepetitionTime": 4.0}))
    rows, images = scanned(root, tmp_path)
    assert "T1" in rows["sub-01"].reason
    assert rows["sub-02"].use == "yes" and images["sub-02_T2w"]["echo_time_ms"] == "90"


def test_too_few_slices_a_low_field_and_damage_are_told(tmp_path):
    root = tmp_path / "data"
    image(root / "sub-01/anat/sub-01_T2w.nii.gz", shape=(220, 260, 4))
    image(root / "sub-02/anat/sub-02_T2w.nii.gz", shape=(220, 80, 9))
    image(root / "sub-03/anat/sub-03_T2w.nii.gz", shape=(220, 260, 9))
    path = root / "sub-03/anat/sub-03_T2w.nii.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:200]))
    rows, _ = scanned(root, tmp_path)
    assert "4 slice positions, fewer than 5" in rows["sub-01"].reason
    assert "72 mm high, too low" in rows["sub-02"].reason
    assert "header is cut short" in rows["sub-03"].reason


def test_a_choice_of_the_user_counts(tmp_path):
    root = tmp_path / "data"
    image(root / "sub-01/anat/sub-01_run-1_T2w.nii.gz")
    image(root / "sub-01/anat/sub-01_run-2_T2w.nii.gz")
    rows, images = scanned(root, tmp_path)
    assert rows["sub-01"].series_id == "sub-01_run-1_T2w"
    assert "comes later" in images["sub-01_run-2_T2w"]["reason"]
    choices = tmp_path / "choices.csv"
    choices.write_text("study_id,series_id\nsub-01,sub-01_run-2_T2w\n")
    rows, _ = scanned(root, tmp_path, "--choices", str(choices))
    assert (rows["sub-01"].series_id, rows["sub-01"].reason) == ("sub-01_run-2_T2w", "chosen by the user")
    for line, words in (("sub-01,sub-01_T1w", "names image sub-01_T1w"), ("sub-7,x", "names study sub-7")):
        choices.write_text(f"study_id,series_id\n{line}\n")
        with pytest.raises(UserError, match=words):
            scanned(root, tmp_path, "--choices", str(choices))


def test_names_that_are_no_ids_stay_apart_and_are_told(tmp_path, capsys):
    """Alike in their first 64 characters, or but for a character that an id may not have."""
    root, long = tmp_path / "data", f"sub-{'x' * 70}"
    names = (f"{long}1", f"{long}2", "sub-a b", "sub-a+b", "sub-a_b", "sub-1")
    for name in names:
        image(root / name / f"anat/{name}_T2w.nii.gz")
    rows, images = scanned(root, tmp_path)
    assert len(rows) == len(names) and all(len(study_id) <= 64 for study_id in rows)
    assert {name in rows for name in names[:4]} == {False} and "sub-a_b" in rows
    assert "in the folder" not in rows["sub-1"].reason
    for name in names[:4]:
        (row,) = (row for row in rows.values() if repr(name) in row.reason)
        assert name in row.series_dir or row.use == "no"
    assert "4 names of studies are no ids" in capsys.readouterr().out
    (row,) = (row for row in rows.values() if f"{long}1" in row.reason)
    (mine,) = (image for image in images.values() if image["study_id"] == row.study_id)
    (tmp_path / "choices.csv").write_text(f"study_id,series_id\n{row.study_id},{mine['series_id']}\n")
    rows, _ = scanned(root, tmp_path, "--choices", str(tmp_path / "choices.csv"))
    assert rows[row.study_id].reason.startswith("chosen by the user; ")


def test_an_own_export_keeps_ids_and_splits(tmp_path):
    series = textured_volume((9, 256, 200))
    write_series(tmp_path / "dicom", series, pixel_spacing=(1.0, 1.0), EchoTime=100.0, RepetitionTime=4000.0)
    rows = [study_sheet.Row("st-1", "s", str(tmp_path / "dicom"), split="train")]
    study_sheet.write_sheet(rows, tmp_path / "in.csv")
    assert export_bids.main(["--sheet", str(tmp_path / "in.csv"), "--out", str(tmp_path / "bids")]) == 0
    image(tmp_path / "bids/sub-old/anat/sub-old_acq-sag_T2w.nii.gz")
    rows, _ = scanned(tmp_path / "bids", tmp_path)
    assert (rows["st-1"].split, rows["st-1"].reason, rows["st-1"].use) == ("train", "", "yes")
    assert rows["sub-old"].use == "no" and "participants.tsv of this export does not list it" in rows["sub-old"].reason
    with open(tmp_path / "bids/participants.tsv", "a") as stream:
        stream.write("sub-x\tst-1\ttrain\n")
    with pytest.raises(UserError, match="was changed"):
        scanned(tmp_path / "bids", tmp_path)


def test_what_is_no_bids_folder_is_answered(tmp_path):
    (tmp_path / "empty").mkdir()
    image(tmp_path / "flat/a.nii.gz")
    image(tmp_path / "data/sub-01/anat/sub-01_T2w.nii.gz")
    for folder, words in (
        ("empty", "has no folder sub-<label>"),
        ("flat", "holds NIfTI files, but no folder sub-<label>"),
        ("data/sub-01", "is the folder of a subject or session"),
        ("nowhere", "cannot be listed"),
    ):
        with pytest.raises(UserError, match=words):
            source.studies(tmp_path / folder)


def test_a_scan_for_dicom_calls_nifti_by_its_name(tmp_path):
    image(tmp_path / "a/x.nii.gz")
    (tmp_path / "a/y.nii").write_bytes(gzip.decompress((tmp_path / "a/x.nii.gz").read_bytes()))
    (tmp_path / "a/letter.gz").write_bytes(gzip.compress(b"a letter"))
    assert scan.scan(tmp_path).notices == {"nifti": 2, "other_archive": 1}
