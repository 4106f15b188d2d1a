"""Masks of other programs: their label numbers, where their voxels lie, and every mask that must not be believed."""

from __future__ import annotations

import nibabel
import numpy as np
import pytest

import made_masks
from lstv.second_reader import flags, read
from lstv.second_reader.files import Found, bids_label, masks_of, written_names
from lstv.second_reader.masks import Grid, MaskProblem, read_mask
from lstv.second_reader.numbering import NUMBERINGS, PROGRAMS, disc_label, fitting
from lstv.second_reader.structures import spine

# --- numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("program", "numbers", "names"),
    [
        ("spineps", {19: "T12", 28: "T13", 20: "L1", 24: "L5", 25: "L6", 26: "S1", 29: "S2"}, {124: "L5", 128: "T13"}),
        (
            "totalspineseg",
            {17: "C7", 32: "T12", 41: "L1", 45: "L5", 46: "L6", 50: "S1"},
            {71: "C7", 91: "T12", 95: "L4"},
        ),
    ],
)
def test_label_numbers_are_those_of_the_programs(program, numbers, names):
    numbering = NUMBERINGS[program][0]
    assert {number: numbering.vertebrae[number] for number in numbers} == numbers
    assert {number: numbering.discs[number] for number in names} == names


def test_the_first_numbering_of_totalspineseg_counts_upwards():
    first = NUMBERINGS["totalspineseg"][1]
    assert [first.vertebrae[n] for n in (18, 22, 23, 34, 35, 41, 92)] == ["L5", "L1", "T12", "T1", "C7", "C1", "S1"]
    assert [first.discs[n] for n in (202, 206, 207, 219, 224)] == ["L5", "L1", "T12", "C7", "C2"]


@pytest.mark.parametrize("style", ["totalspineseg", "totalspineseg_first"])
def test_the_two_numberings_of_totalspineseg_are_told_apart(style):
    numbers = set(np.unique(made_masks.labels(style=style))) - {0}
    assert [numbering.name for numbering in fitting("totalspineseg", numbers)] == [style]
    assert fitting("spineps", numbers) == []


def test_the_disc_above_the_sacrum_is_that_of_the_lowest_lumbar_vertebra():
    numbering = NUMBERINGS["totalspineseg"][0]
    assert numbering.disc_names([91, 95, 100, 45, 50])[100] == "L5"
    assert numbering.disc_names([91, 95, 96, 100, 50])[100] == "L6"
    assert numbering.disc_names([91, 94, 100, 41, 42, 43, 44, 50])[100] == "L4"


def test_discs_are_written_as_the_mask_counts():
    assert disc_label("L5") == "L5/S1"
    assert disc_label("L5", made_masks.SIX) == "L5/L6" and disc_label("L6", made_masks.SIX) == "L6/S1"
    assert disc_label("T12", made_masks.THIRTEEN) == "T12/T13" and disc_label("T12") == "T12/L1"
    assert disc_label("L4", made_masks.FOUR) == "L4/S1" and disc_label("S1") == "S1/S2"


# --- places -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("program", "style"),
    [("spineps", "spineps"), ("totalspineseg", "totalspineseg"), ("totalspineseg", "totalspineseg_first")],
)
def test_middles_are_in_patient_millimetres(tmp_path, program, style):
    path = made_masks.write(tmp_path / "mask.nii.gz", made_masks.labels(style=style))
    found = spine(read_mask(path, program, made_masks.grid()))
    assert list(found.vertebrae) == list(made_masks.USUAL)
    assert list(found.discs) == ["T12", "L1", "L2", "L3", "L4", "L5"]
    for index, name in enumerate(found.discs):
        assert found.discs[name] == pytest.approx(made_masks.disc_mm(index), abs=1e-6)
    assert found.whole and len(found.lumbar) == 5


def test_axes_in_another_order_and_direction_place_the_same(tmp_path):
    labels, affine = made_masks.labels(), made_masks.AFFINE
    turned = labels.transpose(2, 0, 1)[::-1, :, ::-1]
    other = affine[:, [2, 0, 1, 3]].copy()
    other[:3, 3] += other[:3, 0] * (turned.shape[0] - 1) + other[:3, 2] * (turned.shape[2] - 1)
    other[:3, [0, 2]] *= -1
    path = made_masks.write(tmp_path / "mask.nii.gz", np.ascontiguousarray(turned), other)
    found = spine(read_mask(path, "spineps", made_masks.grid()))
    assert found.discs["L5"] == pytest.approx(made_masks.disc_mm(5), abs=1e-4)


def test_without_discs_they_lie_between_the_vertebrae(tmp_path):
    path = made_masks.write(tmp_path / "mask.nii.gz", made_masks.labels(discs=False))
    found = spine(read_mask(path, "spineps", made_masks.grid()))
    assert not found.drawn and list(found.discs) == ["T12", "L1", "L2", "L3", "L4", "L5"]
    assert found.discs["L3"] == pytest.approx(made_masks.disc_mm(3), abs=1e-6)
    # the sacrum's middle lies deep, so the disc above it is not half-way
    whole = made_masks.labels(discs=False)
    whole[:, 4 + 6 * 36 :, :] = np.where(whole[:, 4 + 6 * 36 :, :] == 26, 0, whole[:, 4 + 6 * 36 :, :])
    whole[32:66, 4 + 6 * 36 : 4 + 6 * 36 + 90, 1:6] = 26
    deep = spine(read_mask(made_masks.write(tmp_path / "deep.nii.gz", whole), "spineps", made_masks.grid()))
    assert abs(deep.discs["L5"][2] - made_masks.disc_mm(5)[2]) < 6


@pytest.mark.parametrize(("names", "count"), [(made_masks.SIX, 6), (made_masks.FOUR, 4), (made_masks.THIRTEEN, 5)])
@pytest.mark.parametrize("style", ["spineps", "totalspineseg"])
def test_lumbar_vertebrae_are_counted(tmp_path, names, count, style):
    if "T13" in names and style != "spineps":
        pytest.skip("TotalSpineSeg has no number for T13")
    program = "spineps" if style == "spineps" else "totalspineseg"
    path = made_masks.write(tmp_path / "mask.nii.gz", made_masks.labels(names, style))
    found = spine(read_mask(path, program, made_masks.grid()))
    assert found.whole and len(found.lumbar) == count


@pytest.mark.parametrize("names", [made_masks.USUAL[1:], made_masks.USUAL[:-1], ("T12", "L1", "L2", "L4", "L5", "S1")])
def test_a_spine_that_is_not_seen_whole_is_not_counted(tmp_path, names):
    path = made_masks.write(tmp_path / "mask.nii.gz", made_masks.labels(names))
    assert not spine(read_mask(path, "spineps", made_masks.grid())).whole


# --- bad masks --------------------------------------------------------------------------------------------------------


def _cropped(values):
    return values[:, :-1], made_masks.AFFINE


def _moved(values):
    other = made_masks.AFFINE.copy()
    other[0, 3] += 3.0
    return values, other


def _resampled(values):
    return np.repeat(values, 4, axis=2), made_masks.AFFINE @ np.diag([1, 1, 0.25, 1.0])


def _other_layer(values):
    other = made_masks.AFFINE.copy()
    other[:3, 3] += other[:3, 2]
    return values, other


def _specks(values):
    return values * (np.cumsum(values == 20).reshape(values.shape) <= 3) * (values == 20)


def _of_another(values):
    return np.where(values > 0, values // 20 + 60, 0).astype(np.uint8)


def _in_place(alter):
    return lambda values: (np.ascontiguousarray(alter(values)), made_masks.AFFINE)


BAD = {
    "cropped": (_cropped, "other_grid"),
    "moved": (_moved, "other_grid"),
    "resampled": (_resampled, "other_grid"),
    "a slice off": (_other_layer, "other_grid"),
    "head to foot": (_in_place(lambda values: values[:, ::-1]), "upside_down"),
    "front to back": (_in_place(lambda values: values[::-1]), "mirrored"),
    "empty": (_in_place(lambda values: 0 * values), "empty"),
    "specks": (_in_place(_specks), "empty"),
    "floats": (_in_place(lambda values: values.astype(np.float32)), "not_labels"),
    "interpolated": (_in_place(lambda values: values * 0.9), "not_labels"),
    "negative": (_in_place(lambda values: -values.astype(np.int16)), "not_labels"),
    "another program": (_in_place(_of_another), "other_labels"),
    "all one": (_in_place(lambda values: (values > 0).astype(np.uint8)), "other_labels"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_mask_is_a_flag_and_a_sentence(tmp_path, kind):
    alter, flag = BAD[kind]
    path = made_masks.write(tmp_path / "mask.nii.gz", *alter(made_masks.labels()))
    reading, mask = read.read("spineps", Found([path]), made_masks.levels(), made_masks.grid())
    assert (reading.status, reading.flags, mask) == (flags.REFUSED, (flag,), None)
    assert reading.sentence.endswith(".") and "Traceback" not in reading.sentence
    assert f"spineps_{flag}" in flags.names()


def test_four_dimensions(tmp_path):
    values = np.stack([made_masks.labels()] * 2, axis=-1)
    nibabel.save(nibabel.Nifti1Image(values, made_masks.AFFINE), tmp_path / "mask.nii.gz")
    reading, _ = read.read("spineps", Found([tmp_path / "mask.nii.gz"]), made_masks.levels(), made_masks.grid())
    assert reading.flags == ("not_3d",) and "80 x 330 x 7 x 2" in reading.sentence


def test_an_image_that_does_not_say_where_it_lies(tmp_path):
    image = nibabel.Nifti1Image(made_masks.labels(), None)
    image.header["sform_code"] = image.header["qform_code"] = 0
    nibabel.save(image, tmp_path / "mask.nii.gz")
    reading, _ = read.read("spineps", Found([tmp_path / "mask.nii.gz"]), made_masks.levels(), made_masks.grid())
    assert reading.flags == ("no_geometry",)


def test_scaled_values_are_no_labels(tmp_path):
    path = made_masks.write(tmp_path / "mask.nii.gz", made_masks.labels(), slope=0.5)
    with pytest.raises(MaskProblem) as problem:
        read_mask(path, "spineps")
    assert problem.value.flag == "not_labels"


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x1f\x8b damaged"])
def test_a_file_that_is_no_nifti(tmp_path, content):
    path = tmp_path / "mask.nii.gz"
    path.write_bytes(content)
    with pytest.raises(MaskProblem) as problem:
        read_mask(path, "spineps")
    assert problem.value.flag == "unreadable" and "mask.nii.gz" in problem.value.sentence


def test_a_cut_file(tmp_path):
    whole = made_masks.write(tmp_path / "mask.nii.gz", made_masks.labels()).read_bytes()
    (tmp_path / "mask.nii.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MaskProblem) as problem:
        read_mask(tmp_path / "mask.nii.gz", "spineps")
    assert problem.value.flag == "unreadable"


@pytest.mark.parametrize(
    ("style", "given"), [("spineps", "totalspineseg"), ("totalspineseg", "spineps"), ("totalspineseg_first", "spineps")]
)
def test_a_mask_of_the_other_program_is_refused(tmp_path, style, given):
    path = made_masks.write(tmp_path / "mask.nii.gz", made_masks.labels(style=style))
    with pytest.raises(MaskProblem) as problem:
        read_mask(path, given, made_masks.grid())
    assert problem.value.flag == "other_labels" and PROGRAMS[given] in problem.value.sentence


def test_the_first_numbering_without_its_telling_labels_is_upside_down_to_spineps(tmp_path):
    """L1 to L5 22 to 18 are T11 to L3 to SPINEPS, which counts the other way."""
    values = made_masks.labels(style="totalspineseg_first")
    values = np.where((values >= 18) & (values <= 22), values, 0).astype(np.uint8)
    reading, _ = read.read("spineps", Found([made_masks.write(tmp_path / "mask.nii.gz", values)]), {}, None)
    assert reading.flags == ("upside_down",)


def test_a_spine_elsewhere(tmp_path):
    path = made_masks.write(tmp_path / "mask.nii.gz", made_masks.labels())
    reading, _ = read.read("spineps", Found([path]), made_masks.levels(behind_mm=70.0), made_masks.grid())
    assert reading.flags == ("not_at_points",)
    assert (
        read.read("spineps", Found([path]), made_masks.levels(behind_mm=30.0), made_masks.grid())[0].status == flags.OK
    )


def test_a_grid_of_another_series(tmp_path):
    path = made_masks.write(tmp_path / "mask.nii.gz", made_masks.labels())
    known = made_masks.grid()
    for other in (Grid(known.plane, known.centre, 9), Grid(known.plane, 1, known.slices)):
        with pytest.raises(MaskProblem, match="not on the grid"):
            read_mask(path, "spineps", other)


def test_two_masks_of_one_study(tmp_path):
    paths = [made_masks.write(tmp_path / name / "sub-7_seg-vert_msk.nii.gz", made_masks.labels()) for name in "ab"]
    reading, _ = read.read("spineps", masks_of(tmp_path, "spineps", ["7"])["7"], {}, None)
    assert reading.flags == ("several",) and "keep one" in reading.sentence
    assert len(paths) == 2


# --- files ------------------------------------------------------------------------------------------------------------


def test_names_of_the_programs_and_of_bids(tmp_path):
    for name in (
        "spineps/sub-a1_acq-sag_mod-T2w_seg-vert_msk.nii.gz",
        "spineps/sub-a1_acq-sag_mod-T2w_seg-spine_msk.nii.gz",
        "spineps/study-2_vert.nii.gz",
        "spineps/sub-study3_acq-sag_T2w.nii.gz",
        "total/step2_output/sub-study3_acq-sag_T2w.nii.gz",
        "total/a1.nii.gz",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = masks_of(tmp_path / "spineps", "spineps", ["a1", "study-2", "study-3"])
    assert [path.name for path in found["a1"].mask] == ["sub-a1_acq-sag_mod-T2w_seg-vert_msk.nii.gz"]
    assert [path.name for path in found["a1"].parts] == ["sub-a1_acq-sag_mod-T2w_seg-spine_msk.nii.gz"]
    assert [path.name for path in found["study-2"].mask] == ["study-2_vert.nii.gz"]
    assert found["study-3"].mask == []
    # as the workflow's own export names subjects
    (tmp_path / "total/sub-bZ5F1_acq-sag_T2w.nii.gz").touch()
    assert masks_of(tmp_path / "total", "totalspineseg", ["b_1"])["b_1"].mask[0].name.startswith("sub-bZ5F1")
    found = masks_of(tmp_path / "total", "totalspineseg", ["a1", "study-3"])
    assert [path.name for path in found["study-3"].mask] == ["sub-study3_acq-sag_T2w.nii.gz"]
    assert [path.name for path in found["a1"].mask] == ["a1.nii.gz"]
    assert bids_label("1.2-3_a") == "123a"


BIDS = ("sub-01", "sub-01_ses-a", "sub-01_ses-b", "sub-02", "x_vert", "x_spine", "x")


@pytest.mark.parametrize("program", ["spineps", "totalspineseg"])
def test_the_names_that_the_workflow_writes_are_found(tmp_path, program):
    """Whatever the id looks like, and whichever studies are asked for beside it."""
    for study_id in BIDS:
        for name in written_names(program, study_id).values():
            (tmp_path / name).touch()
    for asked in (BIDS, BIDS[:1], BIDS[1:2], BIDS[4:5], BIDS[5:6]):
        for study_id, found in masks_of(tmp_path, program, asked).items():
            expected = list(written_names(program, study_id).values())
            assert [path.name for path in found.mask + found.parts] == expected


@pytest.mark.parametrize(("program", "end"), [("spineps", "mod-T2w_seg-vert_msk"), ("totalspineseg", "T2w")])
def test_sessions_of_a_subject_are_studies_of_their_own(tmp_path, program, end):
    names = {
        "sub-01_ses-a": f"sub-01_ses-a_{end}",
        "sub-01_ses-b": f"sub-01_ses-b_acq-sag_{end}",
        "sub-02": f"sub-02_{end}",
    }
    for name in names.values():
        (tmp_path / f"{name}.nii.gz").touch()
    asked = [*names, "sub-01", "sub-01_ses-c", "01"]
    found = {study_id: [path.name for path in one.mask] for study_id, one in masks_of(tmp_path, program, asked).items()}
    assert {study_id: found[study_id] for study_id in names} == {key: [f"{name}.nii.gz"] for key, name in names.items()}
    # a session that is not there, and the subject without one, are none of those that are
    assert found["sub-01"] == found["sub-01_ses-c"] == []
    # an id of another kind, whose subject has two: a reader has to say which
    assert len(found["01"]) == 2
    # as this workflow's export names them for a program that is run by hand
    label = "subZ2D03Z5FsesZ2Da"
    (tmp_path / f"sub-{label}_acq-sag_{end}.nii.gz").touch()
    assert masks_of(tmp_path, program, ["sub-03_ses-a"])["sub-03_ses-a"].mask[0].name.startswith(f"sub-{label}")


def test_a_mask_of_one_study_is_of_no_other(tmp_path):
    (tmp_path / "sub-01_run2_vert.nii.gz").touch()
    found = masks_of(tmp_path, "spineps", ["sub-01", "01", "sub-01_run2"])
    assert found["sub-01_run2"].mask and not found["sub-01"].mask and not found["01"].mask


def test_a_failure_is_told_though_a_mask_lies_there(tmp_path):
    path = made_masks.write(tmp_path / "7_vert.nii.gz", made_masks.labels())
    reading, mask = read.read("spineps", Found([path]), made_masks.levels(), made_masks.grid(), "it ended")
    assert (reading.status, reading.sentence, mask) == (flags.FAILED, "it ended", None)


def test_flags_have_an_order_and_a_meaning():
    assert flags.in_order(["totalspineseg_empty", "spineps_empty"]) == ["spineps_empty", "totalspineseg_empty"]
    with pytest.raises(ValueError, match="spineps_mood"):
        flags.in_order(["spineps_mood"])
