"""A DICOM series written as NIfTI is the same to the localizer: every voxel, its value, and where it lies."""

import itertools
import json
import shutil
import subprocess

import nibabel
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import JPEG2000Lossless, RLELossless

import provenance
from dicom_files import textured_volume, write_enhanced, write_series
from lstv.base import ids
from lstv.base.errors import StudyError
from lstv.bids import dataset, names
from lstv.bids import exported as manifests
from lstv.bids.export import export
from lstv.cohort.study_sheet import Row
from lstv.dicom import affine, nifti
from lstv.dicom.series import read_volume
from lstv.dicom.stored import PHANTOM_MODEL
from lstv.run import maker

VOLUME = textured_volume((7, 32, 40))


def oblique(angle=0.3, tilt=0.12):
    row = (-np.sin(angle), np.cos(angle), 0.0)
    column = (np.cos(angle) * np.sin(tilt), np.sin(angle) * np.sin(tilt), -np.cos(tilt))
    return (*row, *column)


def each_with_a_slope(dataset, index):
    dataset.RescaleSlope, dataset.RescaleIntercept = 1.0 + 0.1 * index, -3.0


def padded(volume):
    """Values from 2000 on, of which a frame is padding far below."""
    framed = volume + 2000
    framed[:, :6], framed[:, -6:] = 0, 0
    return framed


SERIES = {
    "plain": {},
    "right_to_left": {"slice_spacing": -4.0},
    "instances_backwards": {"instance_numbers": [7, 6, 5, 4, 3, 2, 1]},
    "turned": {"orientation": (0, 0, 1, 0, 1, 0)},
    "mirrored": {"orientation": (0, -1, 0, 0, 0, -1)},
    "oblique": {"orientation": oblique()},
    "signed": {"signed": True},
    "sixteen_bits": {"bits_stored": 16},
    "eight_bits": {"bits_allocated": 8, "bits_stored": 8},
    "inverted": {"photometric": "MONOCHROME1"},
    "rescaled": {"RescaleSlope": 1.2857142857, "RescaleIntercept": -17.25},
    "rescaled_each": {"each": each_with_a_slope},
    "padded": {"PixelPaddingValue": 0, "bits_stored": 16},
    "padded_each": {"PixelPaddingValue": 0, "bits_stored": 16, "each": each_with_a_slope},
    "padded_inverted": {"PixelPaddingValue": 0, "bits_stored": 16, "photometric": "MONOCHROME1"},
    "rle": {"transfer_syntax": RLELossless},
    "jpeg_2000": {"transfer_syntax": JPEG2000Lossless},
}


def write(name, folder):
    options = dict(SERIES[name])
    volume = VOLUME
    if name.startswith("padded"):
        volume = padded(VOLUME)
    elif name == "signed":
        volume = VOLUME - 2000
    elif name == "sixteen_bits":
        volume = VOLUME * 16
    elif name == "eight_bits":
        volume = VOLUME // 16
    write_series(folder, volume, **options)


def exported(tmp_path, study="st-1"):
    done = export(Row(study, "s", str(tmp_path / "dicom")), tmp_path / "bids")
    assert done.status == "ok", done.reason
    return tmp_path / "bids" / done.image


def corners(plane):
    return plane.to_patient([0, plane.width - 1, 0], [0, 0, plane.height - 1])


def assert_same(one, other):
    assert np.array_equal(one.volume, other.volume)
    assert len(one.slices) == len(other.slices)
    for a, b in zip(one.slices, other.slices):
        assert (a.height, a.width) == (b.height, b.width)
        assert np.abs(corners(a) - corners(b)).max() < 0.001


@pytest.mark.parametrize("name", SERIES)
def test_the_localizer_sees_the_same(tmp_path, name):
    write(name, tmp_path / "dicom")
    dicom = read_volume(tmp_path / "dicom")
    path = exported(tmp_path)
    read = read_volume(path)
    assert_same(dicom, read)
    assert read.flags == dicom.flags
    assert np.allclose(read.provenance["intensity_window"], dicom.provenance["intensity_window"], rtol=0, atol=0)
    assert affine.misplacement(nifti.read_header(path).affine, dicom.slices) < affine.EXACT_MM


def test_padding_was_tested_where_it_counts(tmp_path):
    write("padded", tmp_path / "dicom")
    assert "pixel_padding" in read_volume(tmp_path / "dicom").flags
    assert "pixel_padding" in read_volume(exported(tmp_path)).flags


def test_an_enhanced_file_with_a_slope_for_each_frame(tmp_path):
    slopes = [1.0, 1.5, 2.0, 1.0, 1.25, 1.0, 3.0]
    write_enhanced(tmp_path / "dicom" / "a.dcm", VOLUME, slopes=slopes, frame_order=[3, 0, 6, 2, 1, 5, 4])
    assert_same(read_volume(tmp_path / "dicom"), read_volume(exported(tmp_path)))


ORIENTATIONS = [
    [(axis, flip) for axis, flip in zip(order, flips)]
    for order in itertools.permutations(range(3))
    for flips in itertools.product((1, -1), repeat=3)
]


@pytest.mark.parametrize("orientation", ORIENTATIONS[::5] + ORIENTATIONS[1:2])
@pytest.mark.parametrize(
    "dtype", [np.int16, *(pytest.param(kind, marks=pytest.mark.slow) for kind in (np.uint16, np.float32))]
)
def test_order_and_direction_of_axes_change_nothing(tmp_path, orientation, dtype):
    """Other programs turn and mirror the array and say so in the affine."""
    write("oblique", tmp_path / "dicom")
    path = exported(tmp_path)
    expected = read_volume(path)
    image = nibabel.load(path)
    turned = nibabel.Nifti1Image(np.asanyarray(image.dataobj).astype(dtype), image.affine).as_reoriented(
        np.array(orientation, dtype=float)
    )
    nibabel.save(turned, tmp_path / "turned.nii.gz")
    assert_same(expected, read_volume(tmp_path / "turned.nii.gz"))


@pytest.mark.parametrize(("slope", "intercept"), [(2.0, 0.0), (0.5, -100.0), (1.0, 1000.0)])
def test_scaling_in_the_header_changes_nothing(tmp_path, slope, intercept):
    write("plain", tmp_path / "dicom")
    path = exported(tmp_path)
    read = nifti.read(path)
    nifti.write(tmp_path / "scaled.nii.gz", read.stored, read.header.affine, slope, intercept)
    one, other = read_volume(path).volume.astype(int), read_volume(tmp_path / "scaled.nii.gz").volume
    assert np.abs(one - other).max() <= 1  # the last bit of a division
    assert np.mean(one != other) < 0.001


def test_values_that_are_no_number_are_black_and_do_not_count(tmp_path):
    write("plain", tmp_path / "dicom")
    path = exported(tmp_path)
    read = nifti.read(path)
    values = read.stored.astype(np.float32)
    values[:12] = np.nan
    nifti.write(tmp_path / "gaps.nii.gz", values, read.header.affine)
    volume = read_volume(tmp_path / "gaps.nii.gz")
    inside = read.stored[12:].astype(float)
    assert volume.provenance["intensity_window"] == pytest.approx(np.percentile(inside, [0.1, 99.9]))
    assert (volume.volume[:, :, :12] == 0).all() and "pixel_padding" in volume.flags


def test_nothing_of_a_person_is_written(tmp_path):
    write_series(
        tmp_path / "dicom",
        VOLUME,
        Manufacturer="Secret Person's scanner",
        ManufacturerModelName="Secret",
        ScanOptions=["FS", "SECRET"],
        ProtocolName="Secret",
        SeriesDescription="Secret",
        BodyPartExamined="SECRET",
        StationName="Secret",
        ImageType=["ORIGINAL", "PRIMARY", "SECRET"],
        SequenceName="secret",
    )
    path = exported(tmp_path)
    content = path.with_name(path.name.replace(".nii.gz", ".json")).read_text()
    told = json.loads(content)
    assert "secret" not in content.lower() and "1901" not in content
    assert told["ScanOptions"] == ["FS"] and told["ImageType"] == ["ORIGINAL", "PRIMARY"]
    header = nibabel.load(path).header
    assert header["descrip"] == b"" and header["db_name"] == b"" and header["aux_file"] == b""


def test_what_is_written_is_the_same_every_time(tmp_path):
    write("rescaled", tmp_path / "dicom")
    path = exported(tmp_path)
    first = {file: file.read_bytes() for file in path.parent.iterdir()}
    shutil.rmtree(tmp_path / "bids")
    exported(tmp_path)
    assert {file: file.read_bytes() for file in path.parent.iterdir()} == first


def test_phantoms_stay_phantoms(tmp_path):
    write_series(tmp_path / "dicom", VOLUME, ManufacturerModelName=PHANTOM_MODEL)
    path = exported(tmp_path)
    assert read_volume(path).phantom
    path.with_name(path.name.replace(".nii.gz", ".json")).unlink()
    assert not read_volume(path).phantom


def test_slices_that_lie_unevenly_are_refused_and_an_older_image_goes(tmp_path):
    write("plain", tmp_path / "dicom")
    path = exported(tmp_path)
    (tmp_path / "dicom" / "4.dcm").unlink()
    done = export(Row("st-1", "s", str(tmp_path / "dicom")), tmp_path / "bids")
    assert done.status == "failed" and "do not lie evenly" in done.reason
    assert not path.exists() and not list((tmp_path / "bids").rglob("*.json"))


def saved(tmp_path, values, matrix=None):
    matrix = affine.affine_of(read_volume(tmp_path / "dicom").slices) if matrix is None else matrix
    made = nibabel.Nifti1Image(values, matrix)
    nibabel.save(made, tmp_path / "bad.nii.gz")
    return tmp_path / "bad.nii.gz"


COLOURS = np.zeros((40, 32, 7), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.ones((40, 32, 7, 3), np.int16), r"holds several images \(40 x 32 x 7 x 3 voxels\)"),
        (np.ones((40, 32), np.int16), "single slice"),
        (COLOURS, "colours"),
        (np.ones((40, 32, 7), np.complex64), "complex"),
        (np.ones((40, 32, 7), np.int16), "blank"),
        (np.full((40, 32, 7), np.nan, np.float32), "blank"),
        (np.ones((40, 32, 2), np.int16), "2 slices, but a stack needs at least 3"),
    ],
)
def test_what_is_not_one_stack_is_refused_with_the_reason(tmp_path, values, words):
    write("plain", tmp_path / "dicom")
    with pytest.raises(StudyError, match=words):
        read_volume(saved(tmp_path, values))


def test_other_planes_are_refused(tmp_path):
    write("plain", tmp_path / "dicom")
    with pytest.raises(StudyError, match="is axial, not sagittal"):
        read_volume(saved(tmp_path, VOLUME.astype(np.int16), np.diag([0.7, 0.7, 4.0, 1]) @ np.eye(4)[[1, 2, 0, 3]]))


def test_a_folder_of_nifti_files_is_called_that(tmp_path):
    write("plain", tmp_path / "dicom")
    path = exported(tmp_path)
    with pytest.raises(StudyError, match="holds NIfTI files .*; name the file itself in series_dir"):
        read_volume(path.parent)
    with pytest.raises(StudyError, match="use preprocessing 'trained'"):
        read_volume(path, preprocessing="reference")
    path.with_name(path.name.replace(".nii.gz", ".json")).write_text("[1]")
    with pytest.raises(StudyError, match="not a JSON object"):
        read_volume(path)


@pytest.mark.skipif(shutil.which("dcm2niix") is None, reason="dcm2niix is not installed (apt-get install dcm2niix)")
@pytest.mark.parametrize("name", ["plain", "right_to_left", "instances_backwards", "turned", "oblique", "rescaled"])
def test_dcm2niix_puts_the_same_values_at_the_same_places(tmp_path, name):
    write(name, tmp_path / "dicom")
    path = exported(tmp_path)
    (tmp_path / "theirs").mkdir()
    command = ["dcm2niix", "-b", "n", "-z", "n", "-f", "x", "-o", str(tmp_path / "theirs"), str(tmp_path / "dicom")]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    (theirs,) = (tmp_path / "theirs").glob("*.nii") or [pytest.fail(said.stdout)]
    one, other = (nibabel.as_closest_canonical(nibabel.load(file)) for file in (path, theirs))
    assert one.shape == other.shape
    assert affine.apart(one.affine, other.affine, one.shape) < affine.EXACT_MM
    assert np.allclose(one.get_fdata(), other.get_fdata(), rtol=1e-6)


@given(st.from_regex(ids.STUDY_ID, fullmatch=True))
def test_labels_lead_back_to_their_studies(study_id):
    label = names.label_of(study_id)
    assert label.isascii() and label.isalnum() and len(label) <= 120
    assert names.study_of(label) in (study_id, None)
    assert names.study_of(label) == study_id or len(study_id) > 40
    assert names.parsed(names.image_name(study_id).rpartition("/")[2]).entities == {"sub": label, "acq": "sag"}


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_folder_is_described_and_every_study_accounted_for(tmp_path, jobs):
    write("plain", tmp_path / "dicom")
    rows = [
        Row("st-1", "s", str(tmp_path / "dicom"), split="validation"),
        Row("gone", "s", str(tmp_path / "nowhere")),
        Row("other", use="no", reason="not wanted"),
    ]
    folder = tmp_path / f"bids{jobs}"
    done = dataset.export_all(rows, folder, jobs, lambda status: None)
    assert [study.status for study in done] == ["ok", "failed", "excluded"]
    assert "does not exist" in done[1].reason and done[2].reason == "not wanted"
    manifest = tmp_path / "manifest.csv"
    manifests.write_manifest(done, manifest)
    made = maker.provenance(None, dataset.LIBRARIES, {})
    dataset.describe(manifests.read_manifests([manifest]), folder, "mine", made)
    lines = (folder / "participants.tsv").read_text().splitlines()
    assert lines == ["participant_id\tstudy_id\tsplit", "sub-stZ2D1\tst-1\tvalidation"]
    description = json.loads((folder / "dataset_description.json").read_text())
    assert description["BIDSVersion"] and provenance.only(description) == made
    assert not manifests.altered(manifest, folder)
    (folder / done[0].image).write_bytes(b"")
    assert manifests.altered(manifest, folder)
