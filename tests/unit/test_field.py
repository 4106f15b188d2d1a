"""A large field is cut to the lumbar spine and read again; layer 1 stays that of the whole field."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from lstv.localizer import field, heatmap_file, inference, prepare, strips
from lstv.localizer.options import Options
from lstv.localizer.prepare import Prepared
from lstv.uncertainty import measure
from made_maps import COLUMN, SAGITTAL, as_logits, five_discs, soft_disc, study

LARGE_ROWS = (60.0, 72.0, 84.0, 96.0, 108.0)
"""Discs 12 pixels apart: 13.3 levels fill the picture."""


def maps(rows: tuple[float, ...], column: float = COLUMN) -> np.ndarray:
    return as_logits(np.stack([soft_disc(column, row, radius=4) for row in rows]))


def prepared(plane=SAGITTAL, offsets: tuple[int, ...] = (-1, 1), **changes) -> Prepared:
    """A study whose pixels tell their row and column."""
    rows, columns = np.mgrid[: plane.height, : plane.width]
    one = ((rows + 2 * columns) % 251).astype(np.uint8)
    wide = np.stack([one, one[::-1], one[:, ::-1]][: 1 + len(offsets)])
    images = np.stack([prepare.resized(image) for image in wide])
    made = Prepared("a", "s", images, offsets, plane, (), {}, slices=wide, wide=wide)
    return replace(made, **changes)


def test_levels_in_view_are_the_height_in_distances_between_discs():
    found = {index: (COLUMN, row) for index, row in enumerate(LARGE_ROWS)}
    assert field.levels_in_view(found, SAGITTAL) == pytest.approx(160 / 12)
    del found[1]  # a level that is not found
    assert field.levels_in_view(found, SAGITTAL) == pytest.approx(160 / 12)
    assert np.isnan(field.levels_in_view({0: (1.0, 1.0), 1: (1.0, 20.0)}, SAGITTAL))
    assert np.isnan(field.levels_in_view({0: (1.0, 1.0), 1: (1.0, 1.0), 2: (1.0, 1.0)}, SAGITTAL))


def test_the_cut_shows_the_usual_number_of_levels_around_the_lumbar_spine():
    nearer = field.cut(prepared(), maps(LARGE_ROWS))
    plane = nearer.geometry
    height, width = plane.height * plane.row_spacing, plane.width * plane.column_spacing
    assert height == pytest.approx(field.CUT_TO * 12 * 1.5, abs=SAGITTAL.row_spacing)
    assert width == pytest.approx(height, abs=SAGITTAL.row_spacing)  # as wide as high
    middle = plane.to_patient((plane.width - 1) / 2, (plane.height - 1) / 2)
    l3_l4 = SAGITTAL.grid_to_patient(COLUMN, LARGE_ROWS[2], 160)
    np.testing.assert_allclose(middle, l3_l4, atol=SAGITTAL.row_spacing)
    assert nearer.images.shape == (3, 160, 160) and nearer.offsets == (-1, 1) and nearer.wide is None


def test_a_point_keeps_its_place_in_the_patient():
    """The same pixel value lies at the same place in millimetres in the whole slice and in the cut one."""
    whole = prepared()
    nearer = field.cut(whole, maps(LARGE_ROWS))
    corner = nearer.geometry.to_patient(0, 0) - whole.geometry.to_patient(0, 0)
    left, top = round(corner[1] / whole.geometry.column_spacing), round(-corner[2] / whole.geometry.row_spacing)
    assert (left, top) != (0, 0)
    np.testing.assert_array_equal(
        nearer.slices, whole.slices[:, top : top + nearer.geometry.height, left : left + nearer.geometry.width]
    )


def test_resizing_keeps_the_outer_edges_in_place():
    grid = SAGITTAL.resized(160, 160)
    assert (grid.row_spacing, grid.column_spacing) == SAGITTAL.grid_spacing(160)
    columns, rows = np.array([0.0, 37.5, 159.0]), np.array([159.0, 12.0, 0.0])
    np.testing.assert_allclose(grid.to_patient(columns, rows), SAGITTAL.grid_to_patient(columns, rows, 160), atol=1e-9)
    assert SAGITTAL.resized(SAGITTAL.height, SAGITTAL.width) == SAGITTAL


def test_slices_that_were_shrunk_are_cut_at_the_same_place():
    plane = replace(SAGITTAL, height=640, width=960, row_spacing=0.375, column_spacing=0.25)
    large = prepared(plane)
    shrunk = replace(large, wide=strips.shrunken(large.wide), slices=strips.shrunken(large.slices))
    assert shrunk.wide.shape[1:] == (341, 512)
    one, other = (field.cut(each, maps(LARGE_ROWS)).geometry for each in (large, shrunk))
    middles = [each.to_patient((each.width - 1) / 2, (each.height - 1) / 2) for each in (one, other)]
    np.testing.assert_allclose(*middles, atol=1.0)
    assert one.height * one.row_spacing == pytest.approx(other.height * other.row_spacing, abs=1.0)


@pytest.mark.parametrize("rows", [(4.0, 16.0, 28.0, 40.0, 52.0), (108.0, 120.0, 132.0, 144.0, 156.0)])
def test_a_cut_stays_inside_the_picture(rows):
    plane = field.cut(prepared(), maps(rows, column=8.0)).geometry
    first = SAGITTAL.to_patient(0, 0)
    last = SAGITTAL.to_patient(SAGITTAL.width - 1, SAGITTAL.height - 1)
    for place in (plane.to_patient(0, 0), plane.to_patient(plane.width - 1, plane.height - 1)):
        assert first[1] - 1e-6 <= place[1] <= last[1] + 1e-6 and last[2] - 1e-6 <= place[2] <= first[2] + 1e-6


def test_a_narrow_picture_keeps_its_width():
    narrow = replace(SAGITTAL, width=160)
    assert field.cut(prepared(narrow), maps(LARGE_ROWS)).geometry.width == 160


@pytest.mark.parametrize(
    ("study_given", "rows"),
    [(prepared(), (30.0, 52.0, 74.0, 96.0, 118.0)), (prepared(wide=None), LARGE_ROWS), (prepared(), (60.0, 72.0))],
    ids=["a usual field", "slices not kept", "two points"],
)
def test_what_is_not_cut(study_given, rows):
    levels = np.zeros((5, 160, 160))
    for index, row in enumerate(rows):
        levels[index] = soft_disc(COLUMN, row, radius=4)
    assert field.cut(study_given, as_logits(levels)) is None


def test_slices_are_kept_where_a_field_may_be_large():
    series = SimpleNamespace(
        volume=np.random.default_rng(0).integers(0, 255, (5, 300, 200)).astype(np.uint8),
        centre=2,
        slices=[replace(SAGITTAL, height=300, width=200, row_spacing=spacing) for spacing in (1.0,) * 5],
        provenance={},
        flags=(),
    )
    row = SimpleNamespace(study_id="a", series_id="s")
    assert prepare.of_series(row, series, (-1, 1)).wide is None
    kept = prepare.of_series(row, series, (-1, 1, 9), lumbar=True)
    np.testing.assert_array_equal(kept.wide, series.volume[[2, 1, 3]])
    series.slices = [replace(plane, row_spacing=0.8) for plane in series.slices]  # 240 mm
    assert prepare.of_series(row, series, (-1, 1), lumbar=True).wide is None


@pytest.mark.parametrize(
    ("options", "reads"),
    [
        (Options(field="lumbar"), True),
        (Options(field="whole"), False),
        (Options(field="lumbar", preprocessing="reference"), False),
        (Options(field="lumbar", centroids="folder"), False),
    ],
)
def test_the_reference_and_patches_read_the_whole_field(options, reads):
    assert options.reads_lumbar is reads


def test_the_reading_that_finds_more_levels_is_taken():
    five, four = as_logits(five_discs()), five_discs()
    four[4] = 0
    whole, nearer = study(), study(four)
    assert inference._nearer(lambda: whole, five, lambda: nearer) is whole
    taken = inference._nearer(lambda: nearer, as_logits(four), lambda: whole)
    np.testing.assert_array_equal(taken.whole, as_logits(four))
    np.testing.assert_array_equal(taken.logits, whole.logits)


def test_layer_1_is_of_the_whole_field_and_all_else_of_the_cut_one():
    first, second = maps(LARGE_ROWS), as_logits(five_discs())
    cut = replace(study(), logits=second, whole=first)
    of_cut, study_values, flags = measure(cut)
    of_whole, of_whole_study, _ = measure(replace(study(), logits=first))
    of_second, of_second_study, _ = measure(replace(study(), logits=second))
    asked = {"confidence", "entropy", "spatial_entropy", "area_px", "effective_area"}
    for level, values in of_cut.items():
        for name, value in values.items():
            assert value == (of_whole if name in asked else of_second)[level][name], name
        assert all(values[name] != of_second[level][name] for name in asked - {"confidence"})
    for name, value in study_values.items():
        assert value == (of_whole_study if name in ("entropy_difference", "risk") else of_second_study)[name], name
    assert "field_cut_to_lumbar" in flags


def test_a_level_that_only_the_cut_field_shows_has_a_point_and_no_entropy():
    first = five_discs()
    first[4] = 0
    levels, values, flags = measure(replace(study(), whole=as_logits(first)))
    assert levels["l5_s1"]["entropy"] is None and levels["l5_s1"]["point_px"] is not None
    assert values["risk"] == "not_found"
    assert "l5_s1_not_found_in_whole_field" in flags and "l5_s1_not_found" not in flags


def test_the_file_keeps_the_whole_fields_logits(tmp_path):
    cut = replace(study(), whole=maps(LARGE_ROWS))
    with heatmap_file.create(tmp_path / "h.h5", {}) as writer:
        writer.write(cut)
        writer.write(study(study_id="2"))
    np.testing.assert_array_equal(heatmap_file.read_study(tmp_path / "h.h5", "1").whole, cut.whole)
    assert heatmap_file.read_study(tmp_path / "h.h5", "2").whole is None
