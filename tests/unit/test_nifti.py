"""NIfTI files and affines: where voxels lie, exact values, and what is refused with which words."""

import gzip
import itertools

import nibabel
import numpy as np
import pytest

from lstv.dicom import affine, nifti
from lstv.dicom.geometry import SliceGeometry

VALUES = np.random.default_rng(7).integers(0, 4000, (6, 7, 5)).astype(np.int16)


def oblique_planes(n=5, step=4.0, angle=0.25, tilt=0.1):
    """Sagittal slices turned by ``angle`` about the body's axis and tilted by ``tilt``; every number is uneven."""
    row = np.array([-np.sin(angle), np.cos(angle), 0.0])
    column = np.array([np.cos(angle) * np.sin(tilt), np.sin(angle) * np.sin(tilt), -np.cos(tilt)])
    normal = np.cross(row, column)
    first = np.array([12.5, -80.25, 61.125])
    return [
        SliceGeometry(tuple(first + k * step * normal), tuple(row), tuple(column), 0.9, 0.7, 7, 6) for k in range(n)
    ]


def test_affine_puts_every_voxel_where_the_slices_have_it():
    planes = oblique_planes()
    matrix = affine.affine_of(planes)
    for column, row, index in itertools.product((0, 3, 5), (0, 6), range(5)):
        expected = planes[index].to_patient(column, row)
        assert np.allclose(affine.to_patient(matrix, (column, row, index)), expected, atol=1e-9)
        assert np.allclose(affine.to_voxels(matrix, expected), (column, row, index), atol=1e-9)
    assert affine.misplacement(matrix, planes) < 1e-9
    for made, plane in zip(affine.planes_of(matrix, (6, 7, 5), 2), planes, strict=True):
        assert (made.height, made.width) == (7, 6)
        assert np.allclose(made.to_patient([0, 5], [0, 6]), plane.to_patient([0, 5], [0, 6]), atol=1e-9)
        assert (made.row_spacing, made.column_spacing) == pytest.approx((0.9, 0.7))


def test_right_is_right():
    """DICOM's x runs to the left, NIfTI's to the right; y to posterior and anterior."""
    plane = SliceGeometry((10.0, 20.0, 30.0), (0, 1, 0), (0, 0, -1), 1.0, 1.0, 7, 6)
    other = SliceGeometry((6.0, 20.0, 30.0), (0, 1, 0), (0, 0, -1), 1.0, 1.0, 7, 6)
    matrix = affine.affine_of([plane, other])
    assert np.array_equal(np.round(matrix @ [0, 0, 1, 1], 9), [-6, -20, 30, 1])
    assert nibabel.aff2axcodes(matrix) == ("P", "I", "R")


@pytest.mark.parametrize(
    "spoiled", [lambda z: z + (z > 8) * 4, lambda z: z * 1.02 + (z == 8) * 0.3], ids=["missing", "askew"]
)
def test_uneven_slices_are_refused(spoiled):
    planes = [SliceGeometry((spoiled(4.0 * k), 0, 0), (0, 1, 0), (0, 0, -1), 1.0, 1.0, 7, 6) for k in range(5)]
    with pytest.raises(affine.UnevenSlices, match="do not lie evenly"):
        affine.affine_of(planes)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
def test_values_and_geometry_survive_and_other_readers_agree(tmp_path, dtype):
    values, matrix = VALUES.astype(dtype), affine.affine_of(oblique_planes())
    nifti.write(tmp_path / "a.nii.gz", values, matrix, 2.0, -7.0)
    read = nifti.read(tmp_path / "a.nii.gz")
    assert read.stored.dtype == dtype and np.array_equal(read.stored, values)
    assert (read.header.slope, read.header.intercept) == (2.0, -7.0)
    assert affine.apart(read.header.affine, matrix, values.shape) < 1e-4
    theirs = nibabel.load(tmp_path / "a.nii.gz")
    assert np.array_equal(theirs.get_fdata(), values.astype(float) * 2 - 7)
    for form in (theirs.get_sform(coded=True), theirs.get_qform(coded=True)):
        assert form[1] == 1 and affine.apart(form[0], matrix, values.shape) < 1e-3


def test_bytes_are_those_of_the_image_alone(tmp_path):
    matrix = affine.affine_of(oblique_planes())
    nifti.write(tmp_path / "a.nii.gz", VALUES, matrix)
    nifti.write(tmp_path / "another name.nii.gz", np.asfortranarray(VALUES), matrix)
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "another name.nii.gz").read_bytes()


def test_sheared_slices_have_no_qform(tmp_path):
    planes = [SliceGeometry((4.0 * k, 0.5 * k, 0), (0, 1, 0), (0, 0, -1), 1.0, 1.0, 7, 6) for k in range(5)]
    matrix = affine.affine_of(planes)
    nifti.write(tmp_path / "a.nii.gz", VALUES, matrix)
    assert nibabel.load(tmp_path / "a.nii.gz").header["qform_code"] == 0
    assert np.allclose(nifti.read(tmp_path / "a.nii.gz").header.affine, matrix, atol=1e-5)


def image(change=lambda header: None, values=VALUES, kind=nibabel.Nifti1Image):
    made = kind(values, np.diag([-4.0, 1.0, 1.0, 1.0]))
    made.set_sform(made.affine, 1)
    made.set_qform(made.affine, 1)
    change(made)
    return made


def sform_mirrored(made):
    made.set_sform(np.diag([4.0, 1.0, 1.0, 1.0]), 1)


def in_metres(made):
    made.set_sform(np.diag([-0.004, 0.001, 0.001, 1.0]), 1)
    made.set_qform(np.diag([-0.004, 0.001, 0.001, 1.0]), 1)
    made.header.set_xyzt_units("meter")


@pytest.mark.parametrize(
    ("made", "name"),
    [
        (image(), "a.nii"),
        (image(kind=nibabel.Nifti2Image), "a.nii.gz"),
        (image(in_metres), "a.nii"),
        (image(values=VALUES[..., None]), "a.nii.gz"),
        (image(lambda made: made.set_qform(None, 0)), "a.nii.gz"),
        (image(lambda made: made.set_sform(None, 0)), "a.nii.gz"),
        # an sform of a template beside the scanner's qform
        (image(lambda made: made.set_sform(np.diag([2.0, 2, 2, 1]), 4)), "a.nii"),
    ],
)
def test_what_other_programs_write_is_read(tmp_path, made, name):
    nibabel.save(made, tmp_path / name)
    read = nifti.read(tmp_path / name)
    assert read.header.shape == (6, 7, 5) and np.array_equal(read.stored, VALUES)
    assert np.allclose(read.header.affine, np.diag([-4.0, 1, 1, 1]), atol=1e-6)
    assert np.array_equal(read.header.affine, nifti.read_header(tmp_path / name).affine)


def test_big_endian_and_misnamed_files_are_read(tmp_path):
    made = image()
    big = nibabel.Nifti1Image(VALUES, made.affine, made.header.as_byteswapped(">"))
    nibabel.save(big, tmp_path / "big.nii")
    read = nifti.read(tmp_path / "big.nii")
    assert read.stored.dtype.isnative and np.array_equal(read.stored, VALUES)
    (tmp_path / "plain.nii.gz").write_bytes((tmp_path / "big.nii").read_bytes())
    assert np.array_equal(nifti.read(tmp_path / "plain.nii.gz").stored, VALUES)


def no_place(made):
    made.set_sform(None, 0)
    made.set_qform(None, 0)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (image(sform_mirrored), "sform and its qform put voxels up to 40 mm apart"),
        (image(no_place), "does not say where it lies"),
        (image(lambda made: made.set_sform(np.diag([0.0, 1, 1, 1]), 1)), "maps voxels to a plane"),
    ],
)
def test_doubtful_geometry_is_refused(tmp_path, made, words):
    nibabel.save(made, tmp_path / "a.nii")
    with pytest.raises(nifti.NiftiError, match=words):
        nifti.read_header(tmp_path / "a.nii")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda content: content[:-60], "cut short"),
        (lambda content: content[:200], "header is cut short"),
        (lambda content: b"", "not a NIfTI file"),
        (lambda content: b"\x89PNG" + content, "not a NIfTI file"),
        (lambda content: content[:40] + b"\xff\x7f" * 8 + content[56:], "usable dimensions|damaged"),
        (lambda content: content[:42] + b"\xff\x7f" * 3 + content[48:], "GiB"),
        (lambda content: content[:70] + b"\x39\x30" + content[72:], "type of values"),
        (lambda content: content[:344] + b"ni1\0" + content[348:], "two files"),
        (lambda content: gzip.compress(content)[:-30], "compressed data"),
        (lambda content: gzip.compress(content)[:-8] + bytes(8), "compressed data"),
    ],
)
def test_damaged_files_are_told(tmp_path, spoil, words):
    nibabel.save(image(), tmp_path / "good.nii")
    (tmp_path / "bad.nii").write_bytes(spoil((tmp_path / "good.nii").read_bytes()))
    with pytest.raises(nifti.NiftiError, match=words):
        nifti.read(tmp_path / "bad.nii")
    with pytest.raises(nifti.NiftiError, match="does not exist"):
        nifti.read(tmp_path / "none.nii")


def test_nifti_is_known_by_its_content(tmp_path):
    for name in ("a.nii", "a.nii.gz"):
        for kind in (nibabel.Nifti1Image, nibabel.Nifti2Image):
            nibabel.save(image(kind=kind), tmp_path / name)
            assert nifti.looks_like_nifti((tmp_path / name).read_bytes()[:512])
    assert not nifti.looks_like_nifti(b"")
    assert not nifti.looks_like_nifti(gzip.compress(b"a letter" * 100)[:512])
    assert not nifti.looks_like_nifti(b"\x1f\x8b but nothing more")
