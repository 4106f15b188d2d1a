"""Phantoms: same seed same study, truth where the tags say, readable files, and a list of the demo as promised."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

from lstv.base.errors import StudyError, UserError
from lstv.base.levels import LEVELS
from lstv.cohort.rsna_layout import rsna_rows
from lstv.dicom.series import read_volume
from lstv.dicom.stored import PHANTOM_MODEL
from lstv_evidence.phantom import cohort, dicom_writer, samples
from lstv_evidence.phantom.anatomy import L5, S1
from lstv_evidence.phantom.cohort import PhantomStudy
from lstv_evidence.phantom.dicom_writer import SYNTAXES
from lstv_evidence.phantom.spec import KINDS, Nuisances, PhantomSpec, parse_nuisances
from lstv_evidence.phantom.study import draw

DEMO_LIST = Path(__file__).parents[2] / "resources" / "demo" / "studies.csv"


def heights(phantom) -> np.ndarray:
    discs = phantom.body.discs
    return np.linalg.norm(discs[:, :2].mean(axis=1) - discs[:, 2:].mean(axis=1), axis=1)


# --- anatomy and picture --------------------------------------------------------------------------------------------


def test_same_spec_gives_same_study_and_another_seed_another():
    first, again, other = (draw(PhantomSpec(seed)).sagittal(slices=(5,)) for seed in (7, 7, 8))
    assert np.array_equal(first, again)
    assert first.shape != other.shape or not np.array_equal(first, other)


def test_a_slice_does_not_depend_on_which_others_are_rendered():
    phantom = draw(PhantomSpec(3))
    assert np.array_equal(phantom.sagittal(slices=(4, 6))[1], phantom.sagittal(slices=(6,))[0])


def test_stored_values_fit_twelve_bits_and_fill_them_somewhat():
    volume = draw(PhantomSpec(1)).sagittal(slices=(0, 6))
    assert volume.dtype == np.uint16 and volume.max() <= 4095
    assert np.percentile(volume, 99) > 200 and volume.min() < 30


def test_nuisances_leave_shape_and_place_of_the_vertebrae():
    plain = draw(PhantomSpec(5))
    noisy = draw(PhantomSpec(5, nuisances=Nuisances(noise=1, ghosting=1, low_contrast=1)))
    assert np.array_equal(plain.body.bodies, noisy.body.bodies)
    assert np.array_equal(plain.plan.offsets, noisy.plan.offsets)
    shown = plain.sagittal(slices=(6,)), noisy.sagittal(slices=(6,))
    assert not np.array_equal(*shown)


def test_scoliosis_bends_the_column_and_crops_move_the_field():
    plain, bent = (draw(PhantomSpec(5, nuisances=Nuisances(scoliosis=s))) for s in (0, 1))
    lumbar = slice(L5 - 4, S1)
    assert np.ptp(bent.body.lateral[lumbar]) > np.ptp(plain.body.lateral[lumbar]) + 3
    high = draw(PhantomSpec(5, nuisances=Nuisances(crop_bottom=1)))
    row = high.plan.pixels(np.array(list(high.body.points("disc").values())))[:, 1]
    assert row[-1] > high.plan.height  # L5/S1 lies below the field
    low = draw(PhantomSpec(5, nuisances=Nuisances(crop_top=1)))
    assert low.plan.pixels(np.array(list(low.body.points("disc").values())))[0, 1] < 0


def test_degeneration_darkens_and_narrows_discs():
    plain, worn = (draw(PhantomSpec(9, nuisances=Nuisances(degeneration=d))) for d in (0, 1))
    assert worn.body.signal[L5 - 4 : S1].mean() < 0.7 * plain.body.signal[L5 - 4 : S1].mean()
    assert heights(worn)[L5 - 4 : S1].mean() < heights(plain)[L5 - 4 : S1].mean()


@pytest.mark.parametrize("kind", KINDS)
def test_count_of_discs_by_kind(kind):
    truth = draw(PhantomSpec(4, kind, 0.8 if kind != "normal" else 0)).truth
    assert list(truth.discs) == [*LEVELS, *(["s1_s2"] if kind == "lumbarized" else [])]
    assert list(truth.canal) == list(truth.discs)
    assert (truth.kind, truth.degree) == (kind, 0.0 if kind == "normal" else 0.8)


@pytest.mark.parametrize("seed", range(4))
def test_transitional_form_grows_with_degree(seed):
    def measure(kind, degree):
        phantom = draw(PhantomSpec(seed, kind, degree))
        depth = np.linalg.norm(phantom.body.bodies[:, [1, 3]] - phantom.body.bodies[:, [0, 2]], axis=-1)
        return heights(phantom), depth[:, 0] / depth[:, 1]

    normal, (half, half_square), (full, full_square) = (
        measure("normal", 0)[0],
        measure("lumbarized", 0.5),
        measure("lumbarized", 1),
    )
    assert normal[S1] < half[S1] < full[S1]
    assert full_square[S1] < half_square[S1] < measure("normal", 0)[1][S1]  # S1 gets square
    half, full = measure("sacralized", 0.5), measure("sacralized", 1)
    assert full[0][L5] < half[0][L5] < normal[L5]
    assert full[1][L5] > half[1][L5]  # L5 tapers


def test_levels_run_downwards_and_canal_lies_behind_the_discs():
    for seed in range(30):
        truth = draw(PhantomSpec(seed)).truth
        discs, canal = (np.array(list(points.values())) for points in (truth.discs, truth.canal))
        assert (np.diff(discs[:, 2]) < -18).all() and (np.diff(discs[:, 2]) > -60).all()
        assert ((canal - discs)[:, 1] > 12).all()


def test_csf_is_bright_and_discs_darker_where_the_truth_says():
    ratios = []
    for seed in range(8):
        phantom = draw(PhantomSpec(seed))
        middle = len(phantom.plan.offsets) // 2
        image = phantom.sagittal(slices=(middle,))[0].astype(float)

        def around(point, image=image, phantom=phantom):
            column, row = np.rint(phantom.plan.pixels(point)).astype(int)
            return np.median(image[row - 1 : row + 2, column - 1 : column + 2])

        canal, discs = phantom.body.points("canal"), phantom.body.points("disc")
        ratios += [around(canal[level]) / around(discs[level]) for level in LEVELS]
    assert np.median(ratios) > 1.4


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: PhantomSpec(1, "odd"), "kind 'odd'"),
        (lambda: PhantomSpec(1, "sacralized", 1.5), "degree"),
        (lambda: PhantomSpec(-1), "seed"),
        (lambda: Nuisances(noise=2), "noise"),
        (lambda: parse_nuisances("rust=1"), "'rust'"),
        (lambda: parse_nuisances("noise"), "name=number"),
    ],
)
def test_wrong_specs_are_refused(wrong, words):
    with pytest.raises(UserError, match=words):
        wrong()


# --- what a localizer is shown --------------------------------------------------------------------------------------


def test_targets_lie_on_the_grid_points():
    sample = samples.make(PhantomSpec(2, "lumbarized", 1.0), neighbours=1)
    assert sample.images.shape == (3, 160, 160) and sample.images.dtype == np.uint8
    assert np.isfinite(sample.points).all()
    classes = samples.target(sample.points)
    assert set(np.unique(classes)) == set(range(6))
    for k, (column, row) in enumerate(sample.points[:5], start=1):
        assert classes[round(row), round(column)] == k
    assert samples.target(np.full((6, 2), np.nan)).max() == 0


def test_augmentation_moves_image_and_points_together():
    image = np.zeros((160, 160), np.uint8)
    image[68:73, 58:63] = 255
    points = np.full((6, 2), [60.0, 70.0])
    for seed in range(10):
        moved, where = samples.augment(image, points, np.random.default_rng(seed))
        row, column = np.unravel_index(moved.astype(int).argmax(), moved.shape)
        assert np.hypot(column - where[0, 0], row - where[0, 1]) < 4


# --- DICOM ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A small cohort: a normal study, one without sagittal T2, one damaged, one lumbarized with gaps."""
    root = tmp_path_factory.mktemp("cohort") / "demo"
    studies = [
        PhantomStudy("1000", PhantomSpec(1)),
        PhantomStudy("2000", PhantomSpec(2), series=("t1", "axial")),
        PhantomStudy("3000", PhantomSpec(3), series=("t2",), damage="truncated"),
        PhantomStudy("4000", PhantomSpec(4, "lumbarized", 0.9), "jpeg_ls", "gaps", ("t2",)),
    ]
    cohort.write(studies, root, jobs=1)
    return root, {study.study_id: study for study in studies}


@pytest.mark.slow
def test_layout_and_series_table(written):
    root, _ = written
    assert sorted(path.name for path in root.iterdir()) == [
        "train_images",
        "train_series_descriptions.csv",
        "truth.csv",
    ]
    with open(root / "train_series_descriptions.csv", newline="") as stream:
        table = {(r["study_id"], r["series_id"]): r["series_description"] for r in csv.DictReader(stream)}
    assert [table["1000", key] for key in ("1001", "1002", "1003")] == ["Sagittal T2/STIR", "Sagittal T1", "Axial T2"]
    folders = {(path.parent.name, path.name) for path in (root / "train_images").glob("*/*")}
    assert folders == set(table)
    rows = {row.study_id: row for row in rsna_rows(root)}
    assert rows["2000"].use == "no" and rows["1000"].use == "yes"
    assert not list(root.parent.glob(".*"))


@pytest.mark.slow
def test_truth_lands_on_its_pixel_through_the_tags(written):
    root, studies = written
    with open(root / "truth.csv", newline="") as stream:
        truth = [row for row in csv.DictReader(stream) if row["study_id"] == "4000"]
    assert [row["level"] for row in truth] == [*LEVELS, "s1_s2"]
    phantom = draw(studies["4000"].spec)
    for where in ("disc", "canal"):
        points = phantom.body.points(where)
        for row in truth:
            patient = np.array([float(row[f"{where}_{axis}_mm"]) for axis in "xyz"])
            u_v_w = points[row["level"]]
            away = []
            for path in (root / "train_images" / "4000" / "4001").iterdir():
                data = pydicom.dcmread(path, stop_before_pixels=True)
                along, down = np.array(data.ImageOrientationPatient, float).reshape(2, 3)
                step = patient - np.array(data.ImagePositionPatient, float)
                rows_mm, columns_mm = (float(v) for v in data.PixelSpacing)
                pixel = np.array([step @ along / columns_mm, step @ down / rows_mm])
                assert pixel == pytest.approx(phantom.plan.pixels(u_v_w), abs=0.01)
                away.append(abs(step @ np.cross(along, down)))
            assert min(away) == pytest.approx(np.abs(phantom.plan.offsets - u_v_w[2]).min(), abs=0.01)


@pytest.mark.slow
def test_instance_numbers_have_gaps_and_name_the_files(written):
    root, _ = written
    files = list((root / "train_images" / "4000" / "4001").iterdir())
    numbers = sorted(int(pydicom.dcmread(path, stop_before_pixels=True).InstanceNumber) for path in files)
    assert sorted(int(path.stem) for path in files) == numbers
    assert len(np.unique(np.diff(numbers))) > 1


@pytest.mark.slow
def test_headers_are_whole_and_name_no_person(written):
    root, _ = written
    paths = sorted((root / "train_images").glob("1000/*/*.dcm"))
    headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in paths]
    assert {str(h.ManufacturerModelName) for h in headers} == {PHANTOM_MODEL}
    assert {str(h.Modality) for h in headers} == {"MR"}
    assert len({h.SOPInstanceUID for h in headers}) == len(headers)
    assert len({h.SeriesInstanceUID for h in headers}) == 3 and len({h.StudyInstanceUID for h in headers}) == 1
    for header in headers:
        assert header.SOPInstanceUID.is_valid and header.SOPInstanceUID == header.file_meta.MediaStorageSOPInstanceUID
        assert header.PatientID == "PHANTOM-1000" and not header.PatientBirthDate and not header.StudyDate
        assert float(header.SliceThickness) == 4.0 and float(header.EchoTime) > 0 and float(header.RepetitionTime) > 0


@pytest.mark.slow
def test_the_reader_gets_back_the_volume_and_sees_a_phantom(written):
    root, studies = written
    series = read_volume(root / "train_images" / "4000" / "4001")
    phantom = draw(studies["4000"].spec)
    assert series.phantom and series.flags == ()
    stored = phantom.sagittal()
    # the reader sorts along the slice normal, which runs from left to right here
    low, high = np.percentile(stored, [0.1, 99.9])
    expected = (np.clip(stored[::-1].astype(float), low, high) - low) / (high - low) * 255
    assert np.array_equal(series.volume, expected.astype(np.uint8))


@pytest.mark.slow
def test_damaged_study_is_damaged(written):
    root, _ = written
    with pytest.raises(StudyError, match="cut short"):
        read_volume(root / "train_images" / "3000" / "3001")


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_every_transfer_syntax_is_readable(tmp_path, syntax):
    phantom = draw(PhantomSpec(6))
    images, planes = phantom.sagittal(slices=(5, 6, 7)), phantom.geometry[5:8]
    header = dicom_writer.SeriesHeader("6000", "6001", 6, 1, "t2", 100.0, 4000.0, 4.0, 4.4, (3, 2, 1))
    dicom_writer.write_series(tmp_path / "series", images, planes, header, syntax)
    for image, instance in zip(images, (3, 2, 1)):
        data = pydicom.dcmread(tmp_path / "series" / f"{instance}.dcm")
        assert data.file_meta.TransferSyntaxUID == SYNTAXES[syntax]
        assert (data.Rows, data.Columns) == image.shape
        if syntax == "jpeg_baseline":
            stored = image * (255 / image.max())
            assert np.abs(data.pixel_array - stored).mean() < 4
        else:
            assert np.array_equal(data.pixel_array, image)


@pytest.mark.slow
def test_replaces_its_own_cohort_but_no_other_images(written, tmp_path):
    root = tmp_path / "out"
    study = PhantomStudy("1000", PhantomSpec(1), series=("axial",))
    cohort.write([study], root, jobs=1)
    cohort.write([replace(study, study_id="1100")], root, jobs=1)
    assert [path.name for path in (root / "train_images").iterdir()] == ["1100"]
    (root / "truth.csv").unlink()
    with pytest.raises(UserError, match="no phantoms"):
        cohort.write([study], root, jobs=1)
    assert [path.name for path in (root / "train_images").iterdir()] == ["1100"]


# --- the list of the demo -------------------------------------------------------------------------------------------


def test_demo_list_is_as_promised():
    studies = cohort.read_list(DEMO_LIST)
    assert 18 <= len(studies) <= 24
    assert len({study.spec.seed for study in studies}) == len(studies)
    assert max(study.spec.seed for study in studies) < 500_000
    assert sum(study.damage == "truncated" for study in studies) == 1
    assert sum("t2" not in study.series for study in studies) == 1
    assert 4 <= sum(study.spec.kind != "normal" for study in studies) <= 6
    assert {study.syntax for study in studies} == set(SYNTAXES)
    assert all(study.study_id.isdecimal() for study in studies)


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("seed", "x", "seed 'x'"),
        ("kind", "odd", "kind 'odd'"),
        ("transfer_syntax", "zip", "transfer_syntax 'zip'"),
        ("series", "t2;ct", "series 'ct'"),
        ("damage", "burnt", "damage 'burnt'"),
        ("study_id", "../x", "'../x'"),
    ],
)
def test_mistakes_in_a_list_name_the_line(tmp_path, column, value, words):
    row = dict.fromkeys(cohort.COLUMNS, "") | {
        "study_id": "1", "seed": "1", "kind": "normal", "degree": "0",
        "transfer_syntax": "rle", "instances": "plain", "series": "t2",
    }  # fmt: skip
    path = tmp_path / "list.csv"
    with open(path, "w", newline="") as stream:
        writer = csv.DictWriter(stream, cohort.COLUMNS)
        writer.writeheader()
        writer.writerow(row | {column: value})
    with pytest.raises(UserError, match="line 2") as error:
        cohort.read_list(path)
    assert words in str(error.value)
