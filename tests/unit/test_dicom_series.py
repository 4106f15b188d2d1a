"""A folder of files becomes one volume: the right slices, order, orientation, intensities and patient coordinates."""

from __future__ import annotations

import itertools
import json
import logging
import os
import shutil

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    MediaStorageDirectoryStorage,
    RLELossless,
    generate_uid,
)

from dicom_files import AXIAL, CORONAL, SAGITTAL, save, textured_volume, write_enhanced, write_series
from lstv.base.errors import StudyError
from lstv.dicom import headers
from lstv.dicom.pixels import quiet_pydicom
from lstv.dicom.series import read_volume
from lstv.dicom.stored import FLAGS, PHANTOM_MODEL

ORIGIN = np.array([20.0, -80.0, 120.0])
PIXEL_SPACING = (1.5, 1.25)
SLICE_SPACING = 4.0


def trained(values) -> np.ndarray:
    """The training's intensities, in plain numpy."""
    values = np.asarray(values, dtype=np.float64)
    low, high = np.percentile(values, (0.1, 99.9))
    values = np.clip(values, low, high) - low
    return (values / values.max() * 255).astype(np.uint8)


def change(path, **elements):
    dataset = dcmread(path)
    for keyword, value in elements.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    save(dataset, path)


def cut(path, share=0.6):
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])


@pytest.fixture
def volume():
    return textured_volume()


# --- order, geometry and intensities -------------------------------------------------------------------------------


def test_a_plain_series(tmp_path, volume):
    write_series(tmp_path, volume)
    series = read_volume(tmp_path)
    np.testing.assert_array_equal(series.volume, trained(volume))
    assert series.volume.dtype == np.uint8
    assert series.volume.flags.c_contiguous
    assert series.flags == ()
    assert series.centre == 2
    assert not series.phantom
    for index, plane in enumerate(series.slices):
        assert plane.position == (20.0 - 4.0 * index, -80.0, 120.0)
        assert plane.row_direction == (0.0, 1.0, 0.0)
        assert plane.column_direction == (0.0, 0.0, -1.0)
        assert (plane.row_spacing, plane.column_spacing) == PIXEL_SPACING
        assert (plane.height, plane.width) == volume.shape[1:]


@pytest.mark.parametrize(
    "syntax",
    [
        ImplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
        RLELossless,
        JPEGLosslessSV1,
        JPEGLSLossless,
        JPEG2000Lossless,
    ],
    ids=lambda uid: uid.keyword,
)
@pytest.mark.fault("any of the usual transfer syntaxes", "the same volume")
def test_the_transfer_syntax_changes_nothing_but_the_record(tmp_path, volume, syntax):
    write_series(tmp_path / "plain", volume)
    write_series(tmp_path / "other", volume, transfer_syntax=syntax)
    plain, other = read_volume(tmp_path / "plain"), read_volume(tmp_path / "other")
    np.testing.assert_array_equal(other.volume, plain.volume)
    assert other.slices == plain.slices
    assert other.provenance["transfer_syntaxes"] == {str(syntax): 5}
    assert sum(other.provenance["decoders"].values()) == 5


def test_decoders_are_chosen_and_counted_per_file(tmp_path, volume):
    uid = generate_uid()
    options = {"series_uid": uid, "slice_spacing": SLICE_SPACING}
    for start, stop, syntax in [(0, 2, JPEG2000Lossless), (2, 3, RLELossless), (3, 5, ExplicitVRLittleEndian)]:
        write_series(
            tmp_path,
            volume[start:stop],
            transfer_syntax=syntax,
            origin=ORIGIN - [start * SLICE_SPACING, 0, 0],
            instance_numbers=range(start + 1, stop + 1),
            **options,
        )
    series = read_volume(tmp_path)
    np.testing.assert_array_equal(series.volume, trained(volume))
    assert series.provenance["decoders"] == {"gdcm": 2, "pydicom": 2, "pylibjpeg": 1}


@pytest.mark.parametrize("order", [[4, 3, 2, 1, 0], [2, 0, 4, 1, 3]])
def test_names_and_instance_numbers_do_not_order_the_slices(tmp_path, volume, order):
    numbers = [10 * (place + 1) for place in order]  # with gaps
    write_series(tmp_path, volume, instance_numbers=numbers, names=[f"IM{number:05d}" for number in numbers])
    series = read_volume(tmp_path)
    np.testing.assert_array_equal(series.volume, trained(volume))
    assert [plane.position[0] for plane in series.slices] == [20.0, 16.0, 12.0, 8.0, 4.0]
    assert series.flags == ()


def test_equal_instance_numbers_are_not_duplicates(tmp_path, volume):
    write_series(tmp_path, volume, instance_numbers=[1, 1, 1, 2, 2], names="abcde")
    series = read_volume(tmp_path)
    np.testing.assert_array_equal(series.volume, trained(volume))
    assert series.flags == ()


STORED_TURNS = list(itertools.product([False, True], repeat=3))


@pytest.mark.parametrize(("transpose", "reverse_rows", "reverse_columns"), STORED_TURNS)
@pytest.mark.parametrize("reverse_stack", [False, True])
def test_anatomy_stored_any_way_round_gives_the_same_volume_and_coordinates(
    tmp_path, volume, transpose, reverse_rows, reverse_columns, reverse_stack
):
    row, column = np.array(SAGITTAL[:3]), np.array(SAGITTAL[3:])
    height, width = volume.shape[1:]
    corner = ORIGIN.copy()
    stored = volume
    if reverse_columns:
        stored, corner, row = stored[:, :, ::-1], corner + (width - 1) * PIXEL_SPACING[1] * row, -row
    if reverse_rows:
        stored, corner, column = stored[:, ::-1], corner + (height - 1) * PIXEL_SPACING[0] * column, -column
    spacing = PIXEL_SPACING
    if transpose:
        stored, row, column, spacing = stored.transpose(0, 2, 1), column, row, spacing[::-1]

    def place(dataset, index):
        dataset.ImagePositionPatient = (corner - [index * SLICE_SPACING, 0, 0]).tolist()

    numbers = range(5, 0, -1) if reverse_stack else range(1, 6)
    write_series(
        tmp_path,
        stored,
        orientation=[*row, *column],
        pixel_spacing=spacing,
        instance_numbers=list(numbers),
        each=place,
    )
    series = read_volume(tmp_path)
    np.testing.assert_array_equal(series.volume, trained(volume))
    turned = transpose or reverse_rows or reverse_columns
    assert series.flags == (("reoriented",) if turned else ())
    assert (series.provenance["reorientation"] != "none") == turned
    for index, plane in enumerate(series.slices):
        np.testing.assert_allclose(plane.position, ORIGIN - [index * SLICE_SPACING, 0, 0], atol=1e-9)
        assert plane.row_direction == (0.0, 1.0, 0.0)
        assert plane.column_direction == (0.0, 0.0, -1.0)
        assert (plane.row_spacing, plane.column_spacing) == PIXEL_SPACING
        assert (plane.height, plane.width) == (height, width)


@pytest.mark.parametrize("seed", range(6))
def test_a_planted_voxel_keeps_its_patient_coordinates(tmp_path, seed):
    rng = np.random.default_rng(seed)
    shape = (7, 18, 26)
    volume = rng.integers(0, 50, shape)
    where = tuple(int(rng.integers(1, n - 1)) for n in shape)
    # Nine pixels, so that they and no others lie above the 99.9 percentile.
    volume[where[0], where[1] - 1 : where[1] + 2, where[2] - 1 : where[2] + 2] = 4000
    angle, tilt = np.radians(rng.uniform(-35, 35)), np.radians(rng.uniform(-20, 20))
    posterior = np.array([np.sin(angle), np.cos(angle), 0])
    inferior = np.cos(tilt) * np.array([0, 0, -1]) + np.sin(tilt) * np.cross(posterior, [0, 0, -1])
    axes = [posterior, inferior]
    row, column = (axes[i] * rng.choice([-1, 1]) for i in rng.permutation(2))
    write_series(
        tmp_path,
        volume,
        orientation=[*row, *column],
        pixel_spacing=(0.7, 1.1),
        slice_spacing=3.3,
        origin=(5, 6, 7),
        instance_numbers=(rng.permutation(7) + 1).tolist(),
    )
    expected = (
        np.array([5.0, 6.0, 7.0])
        + where[0] * 3.3 * np.cross(row, column)
        + where[1] * 0.7 * column
        + where[2] * 1.1 * row
    )
    series = read_volume(tmp_path)
    bright = np.argwhere(series.volume == 255)
    assert len(bright) == 9
    found = bright[4]
    assert (bright.mean(axis=0) == found).all()
    point = series.slices[found[0]].to_patient(found[2], found[1])
    np.testing.assert_allclose(point, expected, atol=1e-6)
    positions = [plane.position[0] for plane in series.slices]
    assert positions == sorted(positions, reverse=True)  # from the patient's left to right
    assert series.slices[0].row_direction[1] > 0.7
    assert series.slices[0].column_direction[2] < -0.7


def test_jitter_of_the_orientation_does_not_split_a_series(tmp_path, volume):
    def jitter(dataset, index):
        x = 0.00049 if index % 2 else 0.00051  # either side of a rounding boundary
        dataset.ImageOrientationPatient = [x, 1.0, 0.0, 0.0, 0.0, -1.0]

    write_series(tmp_path, volume, each=jitter)
    series = read_volume(tmp_path)
    assert len(series.slices) == 5
    assert series.flags == ()


# --- which slices ---------------------------------------------------------------------------------------------------


@pytest.mark.fault("several orientations in one series", "the sagittal stack is taken, the rest named")
def test_several_orientations_in_one_series(tmp_path, volume):
    uid = generate_uid()
    write_series(tmp_path, volume, series_uid=uid)
    more = textured_volume((9, 32, 40), seed=1)
    write_series(tmp_path, more, series_uid=uid, orientation=AXIAL, names=[f"a{i}" for i in range(9)])
    write_series(tmp_path, more, series_uid=uid, orientation=CORONAL, names=[f"c{i}" for i in range(9)])
    series = read_volume(tmp_path)
    np.testing.assert_array_equal(series.volume, trained(volume))
    assert series.flags == ("mixed_orientations",)
    assert series.provenance["dropped"] == {"other_orientation": 18}


def rotated(degrees):
    angle = np.radians(degrees)
    return [float(np.sin(angle)), float(np.cos(angle)), 0.0, 0.0, 0.0, -1.0]


@pytest.mark.parametrize(
    ("angles", "counts", "best"), [((2, 30), (4, 8), 0), ((1, 2), (4, 8), 1), ((0, 30), (1, 8), 1)]
)
def test_the_most_sagittal_orientation_wins_then_the_larger(tmp_path, angles, counts, best):
    uid = generate_uid()
    stacks = [textured_volume((count, 16, 24), seed=count) for count in counts]
    for name, angle, stack in zip("ab", angles, stacks):
        names = [f"{name}{i}" for i in range(len(stack))]
        write_series(tmp_path, stack, series_uid=uid, orientation=rotated(angle), names=names)
    np.testing.assert_array_equal(read_volume(tmp_path).volume, trained(stacks[best]))


def test_several_series_in_one_folder(tmp_path, volume):
    other = textured_volume((8, 16, 16), seed=2)
    uids = [generate_uid(), generate_uid()]
    write_series(tmp_path, volume, series_uid=uids[0])
    write_series(tmp_path, other, series_uid=uids[1], names=[f"other{i}" for i in range(8)])
    series = read_volume(tmp_path)
    assert series.provenance["series_uid"] == uids[1]
    assert series.flags == ("several_series",)


def test_slices_of_another_size_or_spacing_are_left_out(tmp_path, volume):
    uid = generate_uid()
    write_series(tmp_path, volume, series_uid=uid)
    write_series(tmp_path, textured_volume((1, 16, 16)), series_uid=uid, origin=(40, -80, 120), names=["small"])
    write_series(
        tmp_path, volume[:1], series_uid=uid, origin=(44, -80, 120), names=["zoomed"], pixel_spacing=(0.5, 0.5)
    )
    series = read_volume(tmp_path)
    np.testing.assert_array_equal(series.volume, trained(volume))
    assert series.flags == ("mixed_shapes",)
    assert series.provenance["dropped"] == {"other_shape": 2}


@pytest.mark.fault("the same image twice", "counted as a duplicate, taken once")
def test_copies_of_files_are_duplicates(tmp_path, volume):
    paths = write_series(tmp_path, volume)
    shutil.copy(paths[1], tmp_path / "copy of 2.dcm")
    series = read_volume(tmp_path)
    np.testing.assert_array_equal(series.volume, trained(volume))
    assert series.flags == ("duplicate_slices",)
    assert series.provenance["dropped"] == {"duplicates": 1}


@pytest.mark.parametrize("keyword", ["AcquisitionNumber", "InstanceNumber"])
def test_the_first_of_several_images_at_a_position_is_kept(tmp_path, volume, keyword):
    uid = generate_uid()
    second = textured_volume(seed=9)
    near = ORIGIN + [0.005, 0, 0]
    write_series(tmp_path, second, series_uid=uid, origin=near, names="abcde", **{keyword: 12})
    write_series(tmp_path, volume, series_uid=uid, names="vwxyz", **{keyword: 2})
    series = read_volume(tmp_path)
    np.testing.assert_array_equal(series.volume, trained(volume))
    assert series.flags == ("duplicate_slices",)


def test_the_last_echo_is_kept_where_times_do_not_tell(tmp_path, volume):
    """It is the longest, and T2-weighted rather than the first."""
    uid = generate_uid()
    write_series(tmp_path, textured_volume(seed=9), series_uid=uid, names="abcde", EchoNumbers=1)
    write_series(tmp_path, volume, series_uid=uid, names="vwxyz", EchoNumbers=2)
    series = read_volume(tmp_path)
    np.testing.assert_array_equal(series.volume, trained(volume))
    assert series.flags == ("duplicate_slices",)


def test_a_damaged_duplicate_is_replaced_by_the_good_one(tmp_path, volume):
    paths = write_series(tmp_path, volume)
    change(paths[1], InstanceNumber=99, SOPInstanceUID=generate_uid())
    shutil.copy(paths[1], tmp_path / "again.dcm")
    change(paths[1], InstanceNumber=2, PixelData=b"\0\0")
    series = read_volume(tmp_path)
    np.testing.assert_array_equal(series.volume, trained(volume))
    assert series.flags == ("duplicate_slices", "unreadable_files")


def test_one_uid_for_all_files_does_not_collapse_the_series(tmp_path, volume):
    write_series(tmp_path, volume, SOPInstanceUID="1.2.3.4")
    np.testing.assert_array_equal(read_volume(tmp_path).volume, trained(volume))


@pytest.mark.fault("a slice missing", "flagged")
def test_a_missing_slice_is_flagged(tmp_path, volume):
    paths = write_series(tmp_path, volume)
    paths[1].unlink()
    series = read_volume(tmp_path)
    np.testing.assert_array_equal(series.volume, trained(volume[[0, 2, 3, 4]]))
    assert series.flags == ("missing_slices",)


# --- intensities ------------------------------------------------------------------------------------------------------


def test_rescale_of_each_file_is_applied(tmp_path, volume):
    slopes = [1.0, 2.5, 0.5, 1.25, 3.0]

    def rescale(dataset, index):
        dataset.RescaleSlope, dataset.RescaleIntercept = slopes[index], -7.0 * index

    write_series(tmp_path, volume, each=rescale)
    expected = trained(volume * np.reshape(slopes, (5, 1, 1)) - 7.0 * np.arange(5).reshape(5, 1, 1))
    np.testing.assert_array_equal(read_volume(tmp_path).volume, expected)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.fault("MONOCHROME1", "turned back")
def test_monochrome1_is_turned_back(tmp_path, volume, signed):
    values = volume - 2048 if signed else volume
    inverted = -1 - values if signed else 4095 - values
    write_series(tmp_path, inverted, photometric="MONOCHROME1", signed=signed, RescaleSlope=2, RescaleIntercept=-10)
    series = read_volume(tmp_path)
    np.testing.assert_array_equal(series.volume, trained(values * 2.0 - 10.0))
    assert series.flags == ("monochrome1",)


def test_monochrome1_slices_among_others(tmp_path, volume):
    def invert(dataset, index):
        if index == 2:
            dataset.PhotometricInterpretation = "MONOCHROME1"

    stored = volume.copy()
    stored[2] = 4095 - stored[2]
    write_series(tmp_path, stored, each=invert)
    np.testing.assert_array_equal(read_volume(tmp_path).volume, trained(volume))


@pytest.mark.parametrize(("stored", "high"), [(10, 9), (12, 11), (12, 14)])
@pytest.mark.parametrize("signed", [False, True])
def test_odd_depths_with_junk_in_the_unused_bits(tmp_path, stored, high, signed):
    values = textured_volume(top=(1 << stored) - 1) - (signed << (stored - 1))
    write_series(tmp_path, values, bits_stored=stored, high_bit=high, signed=signed, junk=True)
    np.testing.assert_array_equal(read_volume(tmp_path).volume, trained(values))


def test_thirty_two_bit_pixels(tmp_path, volume):
    write_series(tmp_path, volume * 1000, bits_allocated=32, bits_stored=32)
    np.testing.assert_array_equal(read_volume(tmp_path).volume, trained(volume * 1000))


# --- enhanced MR ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shared_orientation", [True, False])
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless, JPEG2000Lossless], ids=lambda uid: uid.keyword)
def test_enhanced_multi_frame(tmp_path, volume, shared_orientation, syntax):
    order, slopes = [3, 0, 4, 1, 2], [1.0, 2.0, 0.5, 1.5, 3.0]
    write_enhanced(
        tmp_path / "IM1",
        volume,
        frame_order=order,
        slopes=slopes,
        shared_orientation=shared_orientation,
        transfer_syntax=syntax,
    )
    series = read_volume(tmp_path)
    by_slice = np.array(slopes)[np.argsort(order)].reshape(5, 1, 1)
    np.testing.assert_array_equal(series.volume, trained(volume * by_slice))
    assert [plane.position for plane in series.slices] == [(20.0 - 4.0 * i, -80.0, 120.0) for i in range(5)]
    assert series.provenance["n_files"] == 1
    assert series.provenance["n_slices"] == 5
    assert sum(series.provenance["decoders"].values()) == 1
    assert series.flags == ()


def test_enhanced_stored_mirrored(tmp_path, volume):
    width = volume.shape[2]
    origin = ORIGIN + [-4 * SLICE_SPACING, (width - 1) * PIXEL_SPACING[1], 0]
    write_enhanced(
        tmp_path / "IM1", volume[::-1, :, ::-1], orientation=(0, -1, 0, 0, 0, -1), origin=origin, slice_spacing=4.0
    )
    series = read_volume(tmp_path)
    np.testing.assert_array_equal(series.volume, trained(volume))
    np.testing.assert_allclose(series.slices[0].position, ORIGIN)
    assert series.flags == ("reoriented",)


def test_multi_frame_without_a_place_for_each_frame(tmp_path, volume):
    path = write_enhanced(tmp_path / "IM1", volume)
    change(path, PerFrameFunctionalGroupsSequence=None, ImagePositionPatient=[0, 0, 0])
    with pytest.raises(StudyError, match="do not say where they lie"):
        read_volume(tmp_path)


def test_frames_without_a_place_are_left_out(tmp_path, volume):
    path = write_enhanced(tmp_path / "IM1", volume)
    dataset = dcmread(path)
    del dataset.PerFrameFunctionalGroupsSequence[4].PlanePositionSequence
    save(dataset, path)
    series = read_volume(tmp_path)
    np.testing.assert_array_equal(series.volume, trained(volume[:4]))
    assert series.flags == ("missing_geometry",)


# --- reference mode ---------------------------------------------------------------------------------------------------


def test_reference_mode_takes_names_in_natural_order_and_stored_values(tmp_path, volume):
    numbers = [10, 9, 2, 1, 100]
    write_series(
        tmp_path,
        volume,
        orientation=(0, -1, 0, 0, 0, -1),
        instance_numbers=numbers,
        photometric="MONOCHROME1",
        RescaleSlope=3,
        RescaleIntercept=-5,
    )
    series = read_volume(tmp_path, preprocessing="reference")
    order = [3, 2, 1, 0, 4]
    stored = volume[order].astype(np.float64)
    expected = (stored - stored.min()) / (stored.max() - stored.min()) * 255
    np.testing.assert_array_equal(series.volume, expected.astype(np.uint8))
    assert [plane.position[0] for plane in series.slices] == [20.0 + 4.0 * index for index in order]
    assert all(plane.row_direction == (0.0, -1.0, 0.0) for plane in series.slices)
    assert series.provenance["preprocessing"] == "reference"
    assert series.provenance["reorientation"] == "none"
    assert series.flags == ()


def test_reference_mode_cannot_stack_mixed_sizes(tmp_path, volume):
    uid = generate_uid()
    write_series(tmp_path, volume, series_uid=uid)
    write_series(tmp_path, textured_volume((1, 16, 16)), series_uid=uid, names=["small"])
    with pytest.raises(StudyError, match=r"mixed sizes \(16x16, 32x40\)"):
        read_volume(tmp_path, preprocessing="reference")


def test_an_unknown_mode_is_a_programming_error(tmp_path):
    with pytest.raises(ValueError, match="raw"):
        read_volume(tmp_path, preprocessing="raw")


# --- which files ------------------------------------------------------------------------------------------------------


def test_names_need_no_extension_and_other_files_are_ignored(tmp_path, volume):
    write_series(tmp_path, volume, names=["IM1", "b.dcm", "0003", "x.y.z", "a b"])
    (tmp_path / "readme.txt").write_text(
        "not an image, but longer than the 132 bytes that a DICOM file begins with. " * 4
    )
    (tmp_path / "archive.zip").write_bytes(b"PK\3\4" + bytes(500))
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "._b.dcm").write_bytes(b"\0\5\x16\7" + bytes(200))
    (tmp_path / "below").mkdir()
    write_series(tmp_path / "below", volume + 1)
    write_dicomdir(tmp_path / "DICOMDIR")
    series = read_volume(tmp_path)
    np.testing.assert_array_equal(series.volume, trained(volume))
    assert series.flags == ()
    assert series.provenance["n_files"] == 5


def write_dicomdir(path):
    dataset = Dataset()
    dataset.FileSetID = "EXPORT"
    dataset.DirectoryRecordSequence = []
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    save(dataset, path)


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian], ids=lambda uid: uid.keyword
)
@pytest.mark.fault("files without preamble or meta header", "read")
def test_files_without_preamble_and_meta_header(tmp_path, volume, syntax):
    for path in write_series(tmp_path, volume, transfer_syntax=syntax, names="abcde"):
        content = path.read_bytes()
        dataset = dcmread(path)
        length = 132 + 12 + dataset.file_meta.FileMetaInformationGroupLength
        path.write_bytes(content[length:])
    series = read_volume(tmp_path)
    np.testing.assert_array_equal(series.volume, trained(volume))
    assert series.provenance["transfer_syntaxes"] == {str(syntax): 5}


def write_list(path, files):
    path.write_text("".join(f"{file}\n" for file in files))
    return path


def test_a_series_list_names_the_files(tmp_path, volume):
    wanted = write_series(tmp_path / "Secret Person" / "a", volume[:3])
    wanted += write_series(
        tmp_path / "Secret Person" / "b",
        volume[3:],
        series_uid=dcmread(wanted[0]).SeriesInstanceUID,
        origin=(8, -80, 120),
    )
    write_series(tmp_path / "Secret Person" / "b", textured_volume((9, 8, 8)), names="stuvwxyzq")
    series_list = write_list(tmp_path / "series.txt", wanted[::-1])
    series = read_volume(series_list)
    np.testing.assert_array_equal(series.volume, trained(volume))
    assert series.flags == ()
    assert series.provenance["n_files"] == 5
    reference = read_volume(series_list, preprocessing="reference")
    assert [plane.position[0] for plane in reference.slices] == [20.0, 16.0, 12.0, 8.0, 4.0]


def test_files_of_a_list_are_named_by_their_line(tmp_path, volume):
    paths = write_series(tmp_path / "Secret Person", volume)
    series_list = write_list(tmp_path / "series.txt", paths)
    cut(paths[1])
    series = read_volume(series_list)
    assert series.provenance["unreadable_files"] == ["line 2"]
    paths[2].unlink()
    paths[3].write_text("text")
    refused(series_list, r"3 of the 5 DICOM files of the series cannot be read \(the first, line 2: ")
    for path in (paths[0], paths[1], paths[3], paths[4]):
        path.unlink()
    with pytest.raises(StudyError, match=r"line 1: it cannot be opened \(No such file") as caught:
        read_volume(series_list)
    assert "Secret" not in str(caught.value)


def test_a_missing_or_empty_list(tmp_path):
    refused(tmp_path / "gone.txt", "cannot be read")
    refused(write_list(tmp_path / "empty.txt", []), "is empty")


def test_phantoms_are_recognised_only_where_all_files_are(tmp_path, volume):
    paths = write_series(tmp_path, volume, ManufacturerModelName=PHANTOM_MODEL)
    assert read_volume(tmp_path).phantom
    change(paths[2], ManufacturerModelName="Other")
    assert not read_volume(tmp_path).phantom


# --- damage -----------------------------------------------------------------------------------------------------------


def damage_header(path):
    path.write_bytes(path.read_bytes()[:400])


def damage_pixels(path):
    cut(path, 0.7)


def damage_name_only(path):
    path.write_bytes(b"")


def damage_slope(path):
    change(path, RescaleSlope=0)


def damage_bits(path):
    change(path, BitsStored=None)


def damage_codestream(path):
    dataset = dcmread(path)
    dataset.compress(RLELossless)
    dataset.PixelData = dataset.PixelData[:30] + bytes(len(dataset.PixelData) - 30)
    save(dataset, path)


DAMAGES = [damage_header, damage_pixels, damage_name_only, damage_slope, damage_bits, damage_codestream]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.fault("one damaged file among good ones", "left out and named")
def test_one_damaged_file_is_left_out_and_named(tmp_path, volume, damage):
    paths = write_series(tmp_path, volume)
    damage(paths[4])
    series = read_volume(tmp_path)
    np.testing.assert_array_equal(series.volume, trained(volume[:4]))
    assert series.flags == ("unreadable_files",)
    assert series.provenance["unreadable_files"] == ["5.dcm"]
    assert series.provenance["n_files"] == 5
    assert series.provenance["n_slices"] == 4


@pytest.mark.parametrize("preprocessing", ["trained", "reference"])
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.fault("too many damaged files", "the study fails with the reason")
def test_too_many_damaged_files_are_an_error(tmp_path, volume, damage, preprocessing):
    paths = write_series(tmp_path, volume)
    for path in paths[:3]:
        damage(path)
    with pytest.raises(
        StudyError, match=r"3 of the 5 DICOM files of the series cannot be read \(the first, 1\.dcm: .*copy"
    ):
        read_volume(tmp_path, preprocessing=preprocessing)


def test_damaged_files_may_not_be_as_many_as_the_good_ones(tmp_path):
    paths = write_series(tmp_path, textured_volume((8, 16, 16)))
    for path in paths[:4]:
        cut(path)
    with pytest.raises(StudyError, match="4 of the 8"):
        read_volume(tmp_path)
    write_series(
        tmp_path, textured_volume((1, 16, 16)), names=["1.dcm"], series_uid=dcmread(paths[4]).SeriesInstanceUID
    )
    assert len(read_volume(tmp_path).slices) == 5


def test_damaged_files_are_named_in_natural_order(tmp_path):
    paths = write_series(tmp_path, textured_volume((11, 32, 40)))
    cut(paths[9])
    cut(paths[1])
    assert read_volume(tmp_path).provenance["unreadable_files"] == ["2.dcm", "10.dcm"]
    for path in paths[1:10]:
        path.write_bytes(b"")
    with pytest.raises(StudyError, match=r"the first, 2\.dcm: "):
        read_volume(tmp_path)


def test_two_slices_left_of_three_are_too_few(tmp_path, volume):
    paths = write_series(tmp_path, volume[:3])
    cut(paths[1])
    with pytest.raises(StudyError, match=r"1 of the 3 DICOM files .* \(the first, 2\.dcm: .* 2 slices are too few"):
        read_volume(tmp_path)


@pytest.mark.parametrize("damage", DAMAGES)
def test_all_files_damaged(tmp_path, volume, damage):
    for path in write_series(tmp_path, volume):
        damage(path)
    with pytest.raises(
        StudyError, match=r"none of the 5 DICOM files of the series can be read \(the first, 1\.dcm: "
    ) as caught:
        read_volume(tmp_path)
    assert str(tmp_path) not in str(caught.value)


# --- unusable series --------------------------------------------------------------------------------------------------


def one_sentence(error) -> str:
    text = str(error.value)
    assert text.endswith(".")
    assert "\n" not in text
    assert ". " not in text.replace(" . ", "")
    return text


def refused(folder, match, preprocessing="trained"):
    with pytest.raises(StudyError, match=match) as caught:
        read_volume(folder, preprocessing=preprocessing)
    assert str(folder) not in one_sentence(caught)  # reasons go into shared tables, paths name people


BOTH = pytest.mark.parametrize("preprocessing", ["trained", "reference"])


@BOTH
@pytest.mark.fault("the series folder is missing", "the study fails with the reason")
def test_missing_folder(tmp_path, preprocessing):
    refused(tmp_path / "gone", "does not exist", preprocessing)


def test_a_file_instead_of_a_folder(tmp_path, volume):
    (path, *_) = write_series(tmp_path, volume)
    refused(path, "is a file, not a folder")


@BOTH
@pytest.mark.fault("no DICOM in the folder", "the study fails with the reason")
def test_folder_without_dicom(tmp_path, preprocessing):
    (tmp_path / "notes.txt").write_text("nothing")
    write_dicomdir(tmp_path / "DICOMDIR")
    refused(tmp_path, "contains no DICOM images", preprocessing)


@BOTH
@pytest.mark.fault("blank images", "the study fails with the reason")
def test_blank_images(tmp_path, preprocessing):
    write_series(tmp_path, np.full((5, 16, 16), 77))
    refused(tmp_path, "are blank", preprocessing)


@BOTH
@pytest.mark.fault("one slice only", "the study fails with the reason")
def test_one_slice(tmp_path, preprocessing, volume):
    write_series(tmp_path, volume[:1])
    refused(tmp_path, "only one slice", preprocessing)


def test_many_images_of_one_slice(tmp_path, volume):
    write_series(tmp_path, volume, slice_spacing=0.0)
    refused(tmp_path, r"only one slice \(images of one position count once\), but a stack needs at least 3")


@BOTH
@pytest.mark.parametrize("keyword", ["ImageOrientationPatient", "ImagePositionPatient", "PixelSpacing"])
@pytest.mark.fault("geometry missing", "the study fails, naming the element")
def test_missing_geometry(tmp_path, volume, keyword, preprocessing):
    write_series(tmp_path, volume, **{keyword: None})
    refused(tmp_path, "do not say where they lie", preprocessing)


@pytest.mark.parametrize(
    "elements",
    [
        {"PixelSpacing": [0, 0]},
        {"ImageOrientationPatient": [0, 0, 0, 0, 0, 0]},
        {"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]},
        {"ImageOrientationPatient": ""},
    ],
)
@pytest.mark.fault("geometry that cannot be", "the study fails with the reason")
def test_geometry_that_cannot_be(tmp_path, volume, elements):
    write_series(tmp_path, volume, **elements)
    refused(tmp_path, "do not say where they lie")


def test_single_images_without_geometry_are_left_out(tmp_path, volume):
    paths = write_series(tmp_path, volume)
    change(paths[4], ImagePositionPatient=None)
    series = read_volume(tmp_path)
    assert len(series.slices) == 4
    assert series.flags == ("missing_geometry",)


def make_colour(dataset, _=0):
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PlanarConfiguration = 3, "RGB", 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    dataset.PixelData = bytes(3 * dataset.Rows * dataset.Columns)


@BOTH
@pytest.mark.fault("colour images", "the study fails with the reason")
def test_colour_images(tmp_path, volume, preprocessing):
    write_series(tmp_path, volume, each=make_colour)
    refused(tmp_path, "only colour images", preprocessing)


def test_a_colour_screenshot_beside_the_slices_is_left_out(tmp_path, volume):
    write_series(tmp_path, volume)
    write_series(tmp_path, volume[:1], names=["screenshot"], each=make_colour)
    series = read_volume(tmp_path)
    np.testing.assert_array_equal(series.volume, trained(volume))
    assert series.flags == ("colour_images",)


@pytest.mark.parametrize(("orientation", "name"), [(AXIAL, "axial"), (CORONAL, "coronal"), (rotated(50), "coronal")])
@pytest.mark.fault("axial or coronal series", "the study fails, naming the plane")
def test_other_planes(tmp_path, volume, orientation, name):
    write_series(tmp_path, volume, orientation=orientation)
    refused(tmp_path, f"is {name}, not sagittal")


def test_a_sagittal_scout_does_not_make_an_axial_series_sagittal(tmp_path, volume):
    uid = generate_uid()
    write_series(tmp_path, volume, orientation=AXIAL, series_uid=uid)
    write_series(tmp_path, volume[:1], series_uid=uid, names=["scout"])
    refused(tmp_path, "is axial, not sagittal")


def test_mixed_sizes_without_a_majority(tmp_path):
    uid = generate_uid()
    write_series(tmp_path, textured_volume((4, 16, 16)), series_uid=uid)
    write_series(tmp_path, textured_volume((4, 24, 24)), series_uid=uid, names="abcd", origin=(60, -80, 120))
    refused(tmp_path, r"mixed sizes \(4 of 16x16, 4 of 24x24\)")


# --- records ----------------------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.fault("patient data in headers", "nothing of it in results, logs or warnings")
def test_nothing_of_the_patient_gets_out(tmp_path, volume, caplog, capfd, recwarn, preprocessing):
    caplog.set_level(logging.DEBUG)
    paths = write_series(tmp_path, volume, transfer_syntax=JPEG2000Lossless)
    damage_pixels(paths[4])
    change(paths[3], PatientBirthDate="not a date", PatientAge="SECRET")
    caplog.clear()
    recwarn.clear()
    series = read_volume(tmp_path, preprocessing=preprocessing)
    text = json.dumps(series.provenance) + repr(series.slices) + repr(series.flags) + caplog.text
    text += "".join(capfd.readouterr()) + "".join(str(warning.message) for warning in recwarn)
    assert "secret" not in text.lower()
    assert "1901" not in text
    assert not caplog.records
    assert not recwarn.list
    with quiet_pydicom(), open(paths[0], "rb") as stream:
        held = headers.read(stream, pixels=True)
    assert "PatientName" not in held and "PatientBirthDate" not in held


def test_provenance_is_json_and_complete(tmp_path, volume):
    uid = generate_uid()
    write_series(tmp_path, volume, series_uid=uid)
    provenance = read_volume(tmp_path).provenance
    assert json.loads(json.dumps(provenance)) == provenance
    assert provenance == {
        "series_uid": uid,
        "n_files": 5,
        "n_slices": 5,
        "slice_spacing_mm": 4.0,
        "transfer_syntaxes": {str(ExplicitVRLittleEndian): 5},
        "decoders": {"pydicom": 5},
        "preprocessing": "trained",
        "preprocessing_version": 1,
        "intensity_window": np.percentile(volume, (0.1, 99.9)).tolist(),
        "reorientation": "none",
        "dropped": {},
        "unreadable_files": [],
    }


def test_reading_twice_gives_the_same(tmp_path, volume):
    write_series(tmp_path, volume, transfer_syntax=JPEG2000Lossless)
    first, second = read_volume(tmp_path), read_volume(str(tmp_path))
    np.testing.assert_array_equal(first.volume, second.volume)
    assert (first.slices, first.flags, first.provenance) == (second.slices, second.flags, second.provenance)


def test_every_flag_is_explained():
    assert all(key.islower() and key.replace("_", "").isalnum() and text for key, text in FLAGS.items())


# --- headers that cannot be true, and what is missing -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("elements", "said"),
    [
        ({"PixelSpacing": ["1e300", "1e300"]}, "PixelSpacing is 1e\\+300"),
        ({"PixelSpacing": [15, 0.015]}, "PixelSpacing is 15"),
        ({"Modality": "CT"}, "its Modality is CT, not MR"),
        ({"Modality": "US", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.6.1"}, "not MR"),
        ({"NumberOfFrames": "-1"}, "its NumberOfFrames is -1"),
        ({"NumberOfFrames": 2147483647}, "none of 2147483647 frames"),
        ({"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}, "more pixel data than it says"),
        ({"RescaleSlope": 0}, "its RescaleSlope is '0"),
    ],
    ids=str,
)
def test_the_reason_names_element_and_value(tmp_path, volume, elements, said):
    def alter(dataset, _):
        for keyword, value in elements.items():
            setattr(dataset, keyword, value)

    write_series(tmp_path, volume, each=alter)
    refused(tmp_path, said)


def test_positions_that_cannot_be(tmp_path, volume):
    def far(dataset, index):
        dataset.ImagePositionPatient = [f"{index}e300", "0", "0"]

    write_series(tmp_path, volume, each=far)
    refused(tmp_path, "4 images of unknown place .*ImagePositionPatient is '1e300")
    write_series(tmp_path, volume, slice_spacing=1900.0)
    refused(tmp_path, "positions .* that cannot be")


def test_images_of_other_kinds_are_left_out(tmp_path, volume):
    write_series(tmp_path, volume)
    write_series(tmp_path, volume[:1], names=["capture"], SOPClassUID="1.2.840.10008.5.1.4.1.1.7", Modality="OT")
    series = read_volume(tmp_path)
    np.testing.assert_array_equal(series.volume, trained(volume))
    assert series.flags == ("other_objects",)


def test_a_series_uid_for_each_image_is_named_as_the_cause(tmp_path, volume):
    for index, image in enumerate(volume):
        write_series(tmp_path, image[None], names=[f"{index}"], origin=ORIGIN - [4.0 * index, 0, 0])
    refused(tmp_path, "holds 5 series, .* SeriesInstanceUID of its own")


def test_a_missing_photometric_interpretation_is_assumed_and_flagged(tmp_path, volume):
    write_series(tmp_path, volume, PhotometricInterpretation=None)
    series = read_volume(tmp_path)
    np.testing.assert_array_equal(series.volume, trained(volume))
    assert series.flags == ("photometric_assumed",)


def test_padding_does_not_count_for_the_brightness(tmp_path, volume):
    padded = volume - 100
    padded[:, :8] = -32768
    write_series(tmp_path, padded, signed=True, bits_stored=16, PixelPaddingValue=-32768)
    series = read_volume(tmp_path)
    low, high = np.percentile((volume - 100)[:, 8:], (0.1, 99.9))
    assert series.provenance["intensity_window"] == [low, high]
    assert series.flags == ("pixel_padding",) and not series.volume[:, :8].any()


def test_a_padding_within_the_usual_values_changes_nothing(tmp_path, volume):
    write_series(tmp_path / "a", volume)
    write_series(tmp_path / "b", volume, PixelPaddingValue=0)
    plain, padded = read_volume(tmp_path / "a"), read_volume(tmp_path / "b")
    np.testing.assert_array_equal(plain.volume, padded.volume)
    assert padded.flags == ()


def test_names_that_are_not_utf8(tmp_path, volume):
    paths = write_series(tmp_path, volume)
    for number, path in enumerate(paths[:4]):
        cut(path)
        path.rename(tmp_path / f"M\udcfcller {number}.dcm")
    with pytest.raises(StudyError, match=r"the first, M\\udcfcller 0\.dcm") as caught:
        read_volume(tmp_path)
    str(caught.value).encode()


def test_a_huge_file_is_not_read(tmp_path, volume):
    paths = write_series(tmp_path, volume)
    with open(paths[0], "r+b") as stream:
        stream.truncate(3 << 30)  # sparse
    series = read_volume(tmp_path)
    assert series.flags == ("unreadable_files",)


def test_files_beyond_what_is_held_are_read_again(tmp_path, volume, monkeypatch):
    write_series(tmp_path, volume, transfer_syntax=RLELossless)
    held = read_volume(tmp_path)
    monkeypatch.setattr("lstv.dicom.series._HELD_BYTES", 3000)
    again = read_volume(tmp_path)
    np.testing.assert_array_equal(again.volume, held.volume)
    assert again.provenance == held.provenance


def test_a_pipe_or_a_device_in_a_list_is_not_opened(tmp_path, volume):
    paths = write_series(tmp_path / "a", volume)
    os.mkfifo(tmp_path / "pipe")
    series = read_volume(write_list(tmp_path / "series.txt", [*paths, tmp_path / "pipe", "/dev/zero"]))
    assert series.provenance["unreadable_files"] == ["line 6", "line 7"]
